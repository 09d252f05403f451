/* Command ids: their form, and that they never go back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/uuid.h"

static uint64_t
milliseconds(const struct id *id)
{
	uint64_t value = 0;

	for (size_t i = 0; i < 6; i++) {
		value = value << 8 | id->bytes[i];
	}
	return value;
}

/* The example of RFC 9562 appendix A.6 has this time. */
static void
an_id_has_the_form_of_uuidv7(void **unused)
{
	struct uuid_generator generator = { .tail = { 1, 2, 3, 4, 5, 6 } };
	const struct id id = uuid_next(&generator, 0x017F22E279B0);
	char text[33];

	(void)unused;
	hex_write(text, id.bytes, sizeof id.bytes);
	assert_string_equal(text, "017f22e279b070008000010203040506");
}

static void
ids_increase_whatever_the_clock_does(void **unused)
{
	static const uint64_t clock[] = { 1000, 1000, 1001, 500, 0, 1001, 1002, 1000000, 1000000 };
	struct uuid_generator generator = { .tail = { 9 } };
	struct id before = { { 0 } };

	(void)unused;
	for (size_t i = 0; i < sizeof clock / sizeof clock[0]; i++) {
		const struct id id = uuid_next(&generator, clock[i]);

		assert_true(memcmp(before.bytes, id.bytes, sizeof id.bytes) < 0);
		assert_int_equal(id.bytes[6] >> 4, 7);
		assert_int_equal(id.bytes[8] >> 6, 2);
		before = id;
	}
	assert_int_equal(milliseconds(&before), 1000000);
}

static void
a_full_counter_takes_the_next_millisecond(void **unused)
{
	struct uuid_generator generator = { .last_ms = 77, .counter = (1 << 26) - 2 };
	const struct id last = uuid_next(&generator, 77);
	const struct id next = uuid_next(&generator, 77);

	(void)unused;
	assert_int_equal(milliseconds(&last), 77);
	assert_int_equal(milliseconds(&next), 78);
	assert_true(memcmp(last.bytes, next.bytes, sizeof last.bytes) < 0);
	/* All 26 bits of the counter are there, around version and variant. */
	assert_int_equal(last.bytes[6], 0x7F);
	assert_int_equal(last.bytes[7], 0xFF);
	assert_int_equal(last.bytes[8], 0xBF);
	assert_int_equal(last.bytes[9], 0xFF);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_id_has_the_form_of_uuidv7),
		cmocka_unit_test(ids_increase_whatever_the_clock_does),
		cmocka_unit_test(a_full_counter_takes_the_next_millisecond),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
