/* A turnserver.conf of coturn as an ifswarm.conf: what becomes of each line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/coturn_import.h"

static char result[32 * 1024];
static char said[32 * 1024];
static bool has_secret;

static void
take(void *context, const char *text, bool is_secret)
{
	(void)context;
	has_secret |= is_secret;
	assert_true(strlen(result) + strlen(text) < sizeof result);
	strcat(result, text);
}

static void
hear(void *context, enum import_kind kind, unsigned number, const char *key, const char *text)
{
	static const char *const words[IMPORT_KINDS] = { "taken", "differs", "left", "fault" };
	char line[1024];

	(void)context;
	snprintf(line, sizeof line, "%u %s %s: %s\n", number, words[kind], key, text);
	assert_true(strlen(said) + strlen(line) < sizeof said);
	strcat(said, line);
}

static size_t
import(const char *text)
{
	const struct import by = { .write = take, .say = hear };

	result[0] = said[0] = '\0';
	has_secret = false;
	return coturn_import(text, &by);
}

/* What was said to be right is right. */
static void
assert_accepted(void)
{
	static struct settings settings;
	static struct setting_faults faults;

	memset(&faults, 0, sizeof faults);
	settings_preset(&settings);
	settings_read(&settings, result, "result", &faults);
	settings_check(&settings, &faults);
	if (faults.count != 0) {
		print_error("%s\n%s", faults.lines[0], result);
	}
	assert_int_equal(faults.count, 0);
}

static const struct {
	const char *what;
	const char *text;
	const char *hears;
	const char *has; /* in the result */
} rows[] = {
	{ "nothing", "", "0 differs listening-ip: coturn listens on every address",
	  "turn-tcp = yes\n" },
	{ "a number", "min-port=50000\n", "1 taken min-port: \n", "min-port = 50000\n" },
	{ "comments and empty lines count", "# a\n\n  min-port = 50000 \r\n", "3 taken min-port",
	  "min-port = 50000\n" },
	{ "a flag alone", "mobility\n", "1 differs mobility: as RFC 8016", "mobility = yes\n" },
	{ "a list", "listening-ip=192.0.2.1\nlistening-ip=192.0.2.2\n", "2 taken listening-ip",
	  "listening-ip = 192.0.2.1\nlistening-ip = 192.0.2.2\n" },
	{ "nothing behind the equals sign", "user=\n", "1 differs user", "user = \n" },
	{ "coturn's default nonce", "stale-nonce\n", "1 differs stale-nonce", "" },
	{ "what is so anyway", "lt-cred-mech\nno-cli\n",
	  "2 taken no-cli: it is so without being asked", "" },
	{ "no TCP is no TCP", "no-tcp\n", "1 taken no-tcp", "# listening-ip" },
	{ "no counterpart", "web-admin\n", "1 left web-admin: there is no admin over TCP",
	  "# not taken: web-admin\n" },
	{ "a key nobody knows", "flux-capacitor=9\n", "1 left flux-capacitor: no key of coturn's",
	  "# not taken: flux-capacitor\n" },
	{ "a value that is none here", "min-port=80\n", "1 left min-port: \"80\": not a number",
	  "# not taken: min-port = 80\n" },
	{ "a deny rule", "denied-peer-ip=192.0.2.0-192.0.2.255\n",
	  "1 differs denied-peer-ip: beyond", "denied-peer-ip = 192.0.2.0-192.0.2.255\n" },
	{ "an open relay", "no-auth\n", "1 differs no-auth: anyone may relay", "no-auth = yes\n" },
	{ "a capacity", "max-bps=1000\nbps-capacity=9000\n", "2 differs bps-capacity",
	  "bps-capacity = 9000" },
	{ "nobody is asked by coturn", "realm=example.org\n",
	  "0 differs no-auth: coturn without lt-cred-mech", "realm = example.org" },
	{ "both addresses of a NAT", "external-ip=203.0.113.1/10.0.0.1\nlistening-ip=10.0.0.1\n",
	  "1 differs external-ip", "external-ip = 203.0.113.1/10.0.0.1\n" },
};

static void
each_line_has_its_answer(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const size_t faults = import(rows[i].text);

		print_message("  %s\n", rows[i].what);
		if (strstr(said, rows[i].hears) == NULL || strstr(result, rows[i].has) == NULL) {
			print_error("%s%s", said, result);
		}
		assert_non_null(strstr(said, rows[i].hears));
		assert_non_null(strstr(result, rows[i].has));
		assert_int_equal(faults, 0);
		assert_accepted();
	}
}

static void
a_secret_is_written_as_one_and_never_said(void **unused)
{
	(void)unused;
	assert_int_equal(import("use-auth-secret\nstatic-auth-secret=hunter22hunter22\n"), 0);
	assert_true(has_secret);
	assert_non_null(strstr(result, "static-auth-secret = hunter22hunter22\n"));
	assert_null(strstr(said, "hunter22"));
	assert_accepted();
	/* One that cannot be taken is in neither. */
	import("user=hunter22\n");
	assert_null(strstr(said, "hunter22"));
	assert_null(strstr(result, "hunter22"));
}

static void
what_would_not_start_is_a_fault(void **unused)
{
	(void)unused;
	assert_int_equal(import("bps-capacity=9000\n"), 1);
	assert_non_null(strstr(said, "0 fault"));
	assert_int_equal(import("min-port=50000\nmax-port=40000\n"), 1);
}

static void
a_long_line_is_left(void **unused)
{
	static char text[3000];

	(void)unused;
	memset(text, 'a', sizeof text - 1);
	memcpy(text + 2000, "\nmin-port=50000\n", 16);
	text[2016] = '\0';
	assert_int_equal(import(text), 0);
	assert_non_null(strstr(said, "1 left : longer"));
	assert_non_null(strstr(said, "2 taken min-port"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_line_has_its_answer),
		cmocka_unit_test(a_secret_is_written_as_one_and_never_said),
		cmocka_unit_test(what_would_not_start_is_a_fault),
		cmocka_unit_test(a_long_line_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
