#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "replay/options.h"

enum { WORDS_MAX = 20 };

static bool
parse(const char *line, struct options *out, char fault[OPTIONS_FAULT_MAX])
{
	static char memory[256];
	char *argv[WORDS_MAX] = { NULL };
	static char program[] = "ifreplay";
	int argc = 1;

	snprintf(memory, sizeof memory, "%s", line);
	argv[0] = program;
	for (char *word = strtok(memory, " "); word != NULL; word = strtok(NULL, " ")) {
		argv[argc++] = word;
	}
	return options_parse(argc, argv, NULL, out, fault);
}

static const struct {
	const char *given;
	const char *then; /* a part of the fault; NULL: taken */
} rows[] = {
	{ "log", NULL },
	{ "--data-dir /tmp/x log --json", NULL },
	{ "log --data-dir=/tmp/x --limit=5", NULL },
	{ "log --agent alice --room r --type agent_registered --stream session --from 3 --to 9",
	  NULL },
	{ "show 17", NULL },
	{ "agent alice --from 2026-01-01T00:00:00Z", NULL },
	{ "agent alice --room r --outcome refused --page 20 --after 7 --csv", NULL },
	{ "state --at 5", NULL },
	{ "verify --json", NULL },
	{ "prove 17", NULL },
	{ "prove --range 3 17", NULL },
	{ "prove --from-checkpoint f", NULL },
	{ "prove", "a seq is missing" },
	{ "prove --range x 3", "--range 'x'" },
	{ "prove --range 3", "a seq is missing" },
	{ "follow --type type_declared", NULL },
	{ "--help", NULL },
	{ "verify --help --nonsense", NULL },
	{ "--version", NULL },
	{ "repair --from /backup", NULL },
	{ "repair", "a copy is missing" },
	{ "backup", "a directory is missing" },
	{ "restore --discard /backup", NULL },
	{ "", "a command is missing" },
	{ "--json", "a command is missing" },
	{ "verfy", "unknown command 'verfy'" },
	{ "log --agnet alice", "unknown option '--agnet'" },
	{ "log --js", "unknown option '--js'" },
	{ "log --json=yes", "no value is taken by '--json=yes'" },
	{ "log --agent", "a value is missing after '--agent'" },
	{ "log --agent=", "--agent ''" },
	{ "log --type bogus", "--type 'bogus'" },
	{ "log --stream 1", "--stream '1'" },
	{ "log --from yesterday", "--from 'yesterday'" },
	{ "log --limit 0", "--limit '0'" },
	{ "log --limit 2026-01-01T00:00:00Z", "--limit" },
	{ "log 17", "nothing is asked with '17'" },
	{ "show", "a seq is missing" },
	{ "show x", "not a seq: 'x'" },
	{ "show 1 2", "nothing is asked with '2'" },
	{ "agent", "a name is missing" },
	{ "verify --limit 3", "this command does not know '--limit'" },
	{ "--at 3 log", "this command does not know '--at'" },
	{ "follow --to 9", "this command does not know '--to'" },
	{ "log\x1b[31m", "'log\\x1b[31m'" },
};

static void
what_is_not_understood_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct options options;
		char fault[OPTIONS_FAULT_MAX];
		const bool is_taken = parse(rows[i].given, &options, fault);

		if (is_taken != (rows[i].then == NULL) ||
		    (!is_taken && strstr(fault, rows[i].then) == NULL)) {
			fail_msg("'%s': %d %s", rows[i].given, is_taken, fault);
		}
	}
}

static void
values_arrive(void **state)
{
	struct options options;
	char fault[OPTIONS_FAULT_MAX];

	(void)state;
	assert_true(parse("log --stream witness --from 3 --to 1970-01-01T00:00:01Z --limit 7 "
			  "--type key_created",
			  &options, fault));
	assert_int_equal(options.ask, ASK_LOG);
	assert_int_equal(options.stream, STREAM_WITNESS);
	assert_int_equal(options.from.value, 3);
	assert_int_equal(options.to.value, 1000000);
	assert_true(options.to.is_time && !options.from.is_time);
	assert_int_equal(options.limit, 7);
	assert_int_equal(options.type->type, EVENT_KEY_CREATED);
	assert_string_equal(options.data_dir, "./var");
	assert_true(parse("show 12", &options, fault));
	assert_int_equal(options.seq, 12);
	assert_true(parse("agent bob", &options, fault));
	assert_string_equal(options.agent, "bob");
}

static void
every_help_fits_a_screen(void **state)
{
	(void)state;
	for (unsigned ask = ASK_NONE; ask < ASK_COUNT; ask++) {
		char text[OPTIONS_HELP_MAX];
		size_t lines = 0;
		size_t column = 0;

		options_help((enum ask)ask, text);
		for (const char *at = text; *at != '\0'; at++) {
			column = *at == '\n' ? 0 : column + 1;
			lines += *at == '\n';
			assert_true(column <= 110);
		}
		assert_true(lines <= 48);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_understood_is_named),
		cmocka_unit_test(values_arrive),
		cmocka_unit_test(every_help_fits_a_screen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
