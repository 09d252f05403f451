/* `ifreplay report` over a true log: what it writes, and what it refuses to write over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sys/wait.h>

#include "tests/replay_fixture.h"

enum { OUTPUT_MAX = 1 << 18 };

static char output[OUTPUT_MAX];

static int
run(const char *arguments)
{
	char line[1024];

	snprintf(line, sizeof line, "cd %s && %s/ifreplay --data-dir true report %s 2>&1",
		 fixture_base, IFSWARM_BIN, arguments);
	FILE *pipe = popen(line, "r");
	assert_non_null(pipe);
	output[fread(output, 1, sizeof output - 1, pipe)] = '\0';
	const int status = pclose(pipe);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static const struct {
	const char *name;
	const char *arguments;
	int code;
	const char *says;      /* NULL: nothing in particular */
	const char *says_none; /* NULL: likewise */
} rows[] = {
	{ "a page on standard output", "", 0, "<!DOCTYPE html>", NULL },
	{ "names are pseudonyms if nothing else is said", "", 0, "agent-", "alice" },
	{ "nor does plain text say them", "--text", 0, "agent-", "alice" },
	{ "addresses neither", "", 0, NULL, "192.0.2." },
	{ "names if nothing is withheld", "--profile none --text", 0, "alice", "agent-" },
	{ "handles in an envelope", "--profile envelope --text", 0, "handle ", "alice" },
	{ "a TURN user is its agent", "--profile none --text --to 90", 0,
	  "agents                  2\n", "1790003600" },
	{ "what was relayed", "--profile none --text", 0, "client to peer          12.3 kB", NULL },
	{ "a refusal", "--text", 0, "5  TURN       FORBIDDEN", NULL },
	{ "the range", "--text --from 5 --to 9", 0, "entries                 5 to 9\n", NULL },
	{ "named before the range", "--profile none --text --from 300", 0, "alice", NULL },
	{ "pseudonyms too", "--text --from 300", 0, "agent-", "alice" },
	{ "one agent's part, and that it is a part", "--agent bob --profile none --text", 0,
	  "what concerns agent bob", NULL },
	{ "a filter names nobody", "--agent bob --text", 0, "what concerns agent agent-", "bob" },
	{ "for whom", "--requester 'Jane Doe' --purpose audit --text", 0, "Jane Doe", NULL },
	{ "into a file", "page.html", 0, "page.html: events 0 to ", NULL },
	{ "never over a file", "page.html", 1, "give --discard to write over it", NULL },
	{ "unless told to", "--discard --json page.html", 0, "\"profile\":\"pseudonymous\"", NULL },
	{ "nor into nowhere", "no/such/page.html", 1, "No such file", NULL },
	{ "--json without a file", "--json", 1, "name a FILE", NULL },
	{ "an unknown profile", "--profile secret", 1, "one of none, pseudonymous, envelope",
	  NULL },
	{ "an empty range", "--from 99999", 1, "no signed event lies in that range", NULL },
	{ "an option of others", "--limit 3", 2, "--limit", NULL },
};

static void
reports(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const int code = run(rows[i].arguments);
		if (code != rows[i].code ||
		    (rows[i].says != NULL && strstr(output, rows[i].says) == NULL) ||
		    (rows[i].says_none != NULL && strstr(output, rows[i].says_none) != NULL)) {
			fail_msg("%s: code %d: %.2000s", rows[i].name, code, output);
		}
	}
}

/* A page with names in it is nobody else's until its maker hands it on. */
static void
a_page_is_its_makers(void **state)
{
	char path[256];
	struct stat status;

	(void)state;
	assert_int_equal(run("--profile none private.html"), 0);
	snprintf(path, sizeof path, "%s/private.html", fixture_base);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
}

/* Asking is an event itself, so only a range that has an end stays the same. */
static void
the_same_range_gives_the_same_page(void **state)
{
	static char before[OUTPUT_MAX];

	(void)state;
	assert_int_equal(run("--to 200 --text"), 0);
	memcpy(before, output, sizeof before);
	assert_int_equal(run("--to 200 --text"), 0);
	assert_string_equal(before, output);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reports),
		cmocka_unit_test(a_page_is_its_makers),
		cmocka_unit_test(the_same_range_gives_the_same_page),
	};

	return cmocka_run_group_tests(tests, fixture_set_up, fixture_tear_down);
}
