/* The reviewer's session of docs/reviewer-guide.md, word for word: each "    $ command" of it is
 * run, in order, beside a copy of the fixture's log and its bundle, and what it prints is what the
 * guide shows below it.
 *
 * Three things may differ: hashes, because keys are random; seqs, by as many event types as have
 * been added to the catalog since the guide was written (every type is declared at the beginning of
 * a log); and how many blanks lie between words. A line "..." stands for any number of lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <ctype.h>
#include <sys/wait.h>

#include "tests/replay_fixture.h"

enum {
	GUIDE_TYPES = 61,
	GUIDE_MAX = 1 << 18,
	LINES_MAX = 2048,
	COMMANDS_LEAST = 12,
	HASH_DIGITS = 64
};

static char guide[GUIDE_MAX];
static char printed[GUIDE_MAX];

/* Texts as lines, terminated in place; NULL after the last. */
static char *guide_lines[LINES_MAX];
static char *printed_lines[LINES_MAX];

static void
split(char *text, char *lines[LINES_MAX])
{
	size_t count = 0;

	for (char *end = NULL; *text != '\0'; text = end + 1) {
		assert_true(count + 1 < LINES_MAX);
		lines[count++] = text;
		end = strchr(text, '\n');
		if (end == NULL) {
			break;
		}
		*end = '\0';
	}
	lines[count] = NULL;
}

static void
read_guide(void)
{
	FILE *file = fopen(IFSWARM_SOURCE "/docs/reviewer-guide.md", "r");

	assert_non_null(file);
	const size_t count = fread(guide, 1, sizeof guide - 1, file);
	assert_true(count > 0 && count < sizeof guide - 1);
	guide[count] = '\0';
	split(guide, guide_lines);
	fclose(file);
}

static int
run(const char *command)
{
	FILE *script = NULL;
	char path[256];

	snprintf(path, sizeof path, "%s/command", fixture_base);
	script = fopen(path, "w");
	assert_non_null(script);
	fprintf(script,
		"cd %s && PATH=%s:$PATH LC_ALL=C IFSWARM_DATA=COPY && export PATH LC_ALL "
		"IFSWARM_DATA\n%s\n",
		fixture_base, IFSWARM_BIN, command);
	fclose(script);
	snprintf(path, sizeof path, "sh %s/command 2>%s/trouble", fixture_base, fixture_base);
	FILE *pipe = popen(path, "r");
	assert_non_null(pipe);
	printed[fread(printed, 1, sizeof printed - 1, pipe)] = '\0';
	split(printed, printed_lines);
	const int status = pclose(pipe);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static bool
is_hash(const char *word, size_t count)
{
	size_t digits = 0;

	while (digits < count && isxdigit((unsigned char)word[digits])) {
		digits++;
	}
	return digits == HASH_DIGITS;
}

/* Letters and digits together are a word; anything else is one by itself. */
static size_t
word_length(const char *at)
{
	size_t count = 0;

	while (isalnum((unsigned char)at[count])) {
		count++;
	}
	return count > 0 ? count : 1;
}

static bool
is_number(const char *word, size_t count)
{
	return count < 19 && strspn(word, "0123456789") >= count;
}

static bool
is_same_word(const char *shown, size_t shown_count, const char *found, size_t found_count)
{
	if (shown_count == found_count && memcmp(shown, found, found_count) == 0) {
		return true;
	}
	if (is_number(shown, shown_count) && is_number(found, found_count)) {
		return strtoul(found, NULL, 10) + GUIDE_TYPES ==
		       strtoul(shown, NULL, 10) + event_types();
	}
	return is_hash(shown, shown_count) && is_hash(found, found_count);
}

static bool
is_same_line(const char *shown, const char *found)
{
	for (;;) {
		shown += strspn(shown, " \t\r");
		found += strspn(found, " \t\r");
		if (*shown == '\0' || *found == '\0') {
			return *shown == *found;
		}
		const size_t shown_count = word_length(shown), found_count = word_length(found);
		if (!is_same_word(shown, shown_count, found, found_count)) {
			return false;
		}
		shown += shown_count;
		found += found_count;
	}
}

/* A line of a block without its four blanks; an empty line belongs to a block as well. NULL: the
 * block is over. */
static const char *
line_of_block(const char *line)
{
	if (line == NULL || strncmp(line, "    $ ", 6) == 0) {
		return NULL;
	}
	return *line == '\0' ? line : strncmp(line, "    ", 4) == 0 ? line + 4 : NULL;
}

/* The next line that is not empty, from *found on. */
static const char *
next_printed(char *const **found)
{
	while (**found != NULL && ***found == '\0') {
		++*found;
	}
	return **found == NULL ? NULL : *(*found)++;
}

/* The block below a command against what was printed. */
static void
compare(const char *command, char *const *block)
{
	char *const *found = printed_lines;
	const char *shown = NULL;
	const char *line = NULL;
	bool may_skip = false;

	for (; (shown = line_of_block(*block)) != NULL; block++) {
		if (*shown == '\0') {
			continue;
		}
		if (strcmp(shown, "...") == 0) {
			may_skip = true;
			continue;
		}
		do {
			line = next_printed(&found);
		} while (may_skip && line != NULL && !is_same_line(shown, line));
		if (line == NULL || !is_same_line(shown, line)) {
			fail_msg("$ %s\nthe guide shows: %s\nfound:           %s", command, shown,
				 line == NULL ? "(nothing more)" : line);
		}
		may_skip = false;
	}
	if (!may_skip && (line = next_printed(&found)) != NULL) {
		fail_msg("$ %s\nprints more than the guide shows: %s", command, line);
	}
}

static void
the_session_works_word_for_word(void **state)
{
	size_t commands = 0;

	(void)state;
	read_guide();
	for (char *const *line = guide_lines; *line != NULL; line++) {
		if (strncmp(*line, "    $ ", 6) != 0) {
			continue;
		}
		const char *command = *line + 6;
		const int code = run(command);
		if (code != 0) {
			fail_msg("$ %s\nexit code %d: see %s/trouble", command, code, fixture_base);
		}
		compare(command, line + 1);
		commands++;
	}
	assert_true(commands >= COMMANDS_LEAST);
}

/* That the comparison can fail. */
static void
other_words_are_other(void **state)
{
	(void)state;
	assert_true(is_same_line("seq  61 to 70", "seq 61 to 70"));
	assert_false(is_same_line("seq 61 to 70", "seq 61 to 71"));
	assert_false(is_same_line("it holds", "it holds not"));
	assert_false(is_same_line("agent=alice", "agent=bob"));
}

static int
set_up(void **state)
{
	char line[512];

	if (fixture_set_up(state) != 0) {
		return -1;
	}
	snprintf(line, sizeof line, "cp -r %s %s/COPY && rm %s/COPY/private/log.key", fixture_truth,
		 fixture_base, fixture_base);
	return system(line);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_words_are_other),
		cmocka_unit_test(the_session_works_word_for_word),
	};

	return cmocka_run_group_tests(tests, set_up, fixture_tear_down);
}
