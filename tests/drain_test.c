/* What the key `drain` may say, and where clients are sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/address.h"
#include "protocol/drain.h"

static const struct {
	const char *text;
	bool fails;
	bool on;
	const char *to;
	const char *domain;
} rows[] = {
	{ "", false, false, NULL, "" },
	{ "on", false, true, NULL, "" },
	{ "192.0.2.7", false, true, "192.0.2.7:3478", "" },
	{ "192.0.2.7:3500", false, true, "192.0.2.7:3500", "" },
	{ "[2001:db8::7]:3500 turn2.example.org", false, true, "[2001:db8::7]:3500",
	  "turn2.example.org" },
	{ "off", true, false, NULL, "" },
	{ "192.0.2.7 two names", true, false, NULL, "" },
	{ "192.0.2.7 a/b", true, false, NULL, "" },
	{ " 192.0.2.7", true, false, NULL, "" },
};

static void
each_value_is_read(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct drain drain;
		struct address wanted = { 0 };
		struct address got;

		print_message("\"%s\"\n", rows[i].text);
		assert_int_equal(drain_parse(rows[i].text, &drain) != NULL, rows[i].fails);
		if (rows[i].fails) {
			continue;
		}
		assert_int_equal(drain.on, rows[i].on);
		assert_string_equal(drain.domain, rows[i].domain);
		if (rows[i].to != NULL) {
			assert_null(address_parse(&wanted, rows[i].to));
			assert_true(drain_alternate(&drain, wanted.family, false, &got));
			assert_true(address_equal(&got, &wanted));
		}
	}
}

static void
what_is_named_comes_before_the_configuration(void **unused)
{
	static struct settings settings;
	struct drain drain;
	struct address to;
	struct address wanted;

	(void)unused;
	settings.alternate_server.count = 2;
	strcpy(settings.alternate_server.items[0].bytes, "192.0.2.8");
	strcpy(settings.alternate_server.items[1].bytes, "[2001:db8::8]:5000");
	strcpy(settings.alternate_domain.bytes, "turn.example.org");
	drain_of(&drain, &settings);
	assert_false(drain.on);
	strcpy(settings.drain.bytes, "on");
	drain_of(&drain, &settings);
	assert_true(drain_alternate(&drain, ADDRESS_IPV4, true, &to));
	assert_null(address_parse(&wanted, "192.0.2.8:5349"));
	assert_true(address_equal(&to, &wanted));
	assert_true(drain_alternate(&drain, ADDRESS_IPV6, true, &to));
	assert_int_equal(to.port, 5000);
	assert_string_equal(drain.domain, "turn.example.org");
	strcpy(settings.drain.bytes, "192.0.2.9");
	drain_of(&drain, &settings);
	assert_true(drain_alternate(&drain, ADDRESS_IPV4, false, &to));
	assert_int_equal(to.bytes[3], 9);
	assert_false(drain_alternate(&drain, ADDRESS_IPV6, false, &to));
	assert_string_equal(drain.domain, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_value_is_read),
		cmocka_unit_test(what_is_named_comes_before_the_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
