/* settings_reload.c: what a reload takes over, what it leaves, and how long a former secret lives.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/settings_reload.h"

enum { NOW_S = 1800000000 };

static struct settings running;
static struct settings next;
static struct setting_faults faults;
static struct setting_changes changes;

static void
read_both(const char *now, const char *then)
{
	memset(&faults, 0, sizeof faults);
	settings_preset(&running);
	settings_preset(&next);
	settings_read(&running, now, "now", &faults);
	settings_read(&next, then, "then", &faults);
	assert_int_equal(faults.count, 0);
}

/* The keys of one kind, comma-separated, in the order of the table. */
static const char *
keys_of(const bool which[SETTINGS_COUNT])
{
	static char text[1024];
	size_t count;
	const struct setting_description *table = settings_table(&count);

	text[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		if (which[i]) {
			strcat(text, text[0] == '\0' ? "" : ",");
			strcat(text, table[i].key);
		}
	}
	return text;
}

static void
what_changed_is_taken_or_named(void **unused)
{
	static const struct {
		const char *what;
		const char *now;
		const char *then;
		const char *taken;
		const char *kept;
	} rows[] = {
		{ "nothing", "port = 9000\n", "port = 9000\n", "", "" },
		{ "the peer policy", "allowed-peer-ip = 192.0.2.1\n",
		  "denied-peer-ip = 198.51.100.0/24\n", "allowed-peer-ip,denied-peer-ip", "" },
		{ "another order is another list", "user = a:1\nuser = b:2\n",
		  "user = b:2\nuser = a:1\n", "user", "" },
		{ "a port", "port = 9000\n", "port = 9001\n", "", "port" },
		{ "a quota and a number of processes", "", "user-quota = 3\nrelays = 2\n",
		  "user-quota", "relays" },
		{ "a flag", "legacy-channels\n", "", "legacy-channels", "" },
		{ "a realm stays: every client knows it", "", "realm = other\n", "", "realm" },
		{ "another certificate", "cert = a\npkey = b\n", "cert = c\npkey = d\n",
		  "cert,pkey", "" },
		{ "a first certificate: nothing listens for TLS yet", "", "cert = a\npkey = b\n",
		  "", "cert,pkey" },
		{ "no certificate any more: TLS is still served", "cert = a\npkey = b\n", "", "",
		  "cert,pkey" },
		{ "retired secrets are no change of their own", "",
		  "retired-auth-secret = 1900000000:x\n", "", "" },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		read_both(rows[i].now, rows[i].then);
		const struct settings before = running;

		settings_reload(&running, &next, NOW_S, &changes);
		assert_string_equal(keys_of(changes.taken), rows[i].taken);
		assert_string_equal(keys_of(changes.kept), rows[i].kept);
		for (size_t at = 0; at < SETTINGS_COUNT; at++) {
			const struct settings *as = changes.kept[at] ? &before : &next;

			assert_true(at == SETTING_PLACE_retired_auth_secret ||
				    setting_is_equal(&running, as, at));
		}
	}
}

static void
threat_C13_a_former_secret_is_accepted_for_the_overlap(void **unused)
{
	static const struct {
		const char *what;
		const char *now;
		const char *then;
		const char *retired; /* the list, with blanks between */
	} rows[] = {
		{ "one that is no longer named", "static-auth-secret = a\n",
		  "static-auth-secret = b\nsecret-overlap = 100\n", "1800000100:a" },
		{ "one that is kept", "static-auth-secret = a\n",
		  "static-auth-secret = b\nstatic-auth-secret = a\n", "" },
		{ "no overlap", "static-auth-secret = a\nretired-auth-secret = 1900000000:o\n",
		  "static-auth-secret = b\nsecret-overlap = 0\n", "" },
		{ "one that was retired before keeps its end",
		  "static-auth-secret = a\nretired-auth-secret = 1800000050:o\n",
		  "static-auth-secret = a\nsecret-overlap = 100\n", "1800000050:o" },
		{ "but not for longer than from now on",
		  "static-auth-secret = a\nretired-auth-secret = 1900000000:o\n",
		  "static-auth-secret = a\nsecret-overlap = 100\n", "1800000100:o" },
		{ "one that has ended is dropped",
		  "static-auth-secret = a\nretired-auth-secret = 1800000000:o\n",
		  "static-auth-secret = a\n", "" },
		{ "one that comes back is retired no longer",
		  "static-auth-secret = a\nretired-auth-secret = 1800000050:o\n",
		  "static-auth-secret = o\nsecret-overlap = 100\n", "1800000100:a" },
		{ "colons are part of it", "static-auth-secret = a:b\n",
		  "static-auth-secret = c\nsecret-overlap = 1\n", "1800000001:a:b" },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char text[1024] = "";

		read_both(rows[i].now, rows[i].then);
		settings_reload(&running, &next, NOW_S, &changes);
		for (size_t at = 0; at < running.retired_auth_secret.count; at++) {
			strcat(text, at == 0 ? "" : " ");
			strcat(text, running.retired_auth_secret.items[at].bytes);
		}
		assert_string_equal(text, rows[i].retired);
	}
}

static void
a_retired_secret_has_its_end_before_a_colon(void **unused)
{
	static const struct {
		const char *text;
		const char *secret; /* NULL: it is none */
		uint64_t until_s;
	} rows[] = {
		{ "1800000000:s", "s", 1800000000 },
		{ "7:a:b", "a:b", 7 },
		{ ":s", NULL, 0 },
		{ "7:", NULL, 0 },
		{ "7", NULL, 0 },
		{ "-7:s", NULL, 0 },
		{ "1234567890123456789:s", NULL, 0 },
		{ "", NULL, 0 },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint64_t until_s = 0;
		const char *secret = retired_secret_read(rows[i].text, &until_s);

		if (rows[i].secret == NULL) {
			assert_null(secret);
			continue;
		}
		assert_string_equal(secret, rows[i].secret);
		assert_int_equal(until_s, rows[i].until_s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_changed_is_taken_or_named),
		cmocka_unit_test(threat_C13_a_former_secret_is_accepted_for_the_overlap),
		cmocka_unit_test(a_retired_secret_has_its_end_before_a_colon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
