/* Which month's payload is past, and when retention is due. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/retain.h"
#include "store/seal.h"

/* Seconds since 1970 of the first moment of a month in 2026. */
#define JANUARY   UINT64_C(1767225600)
#define MARCH     UINT64_C(1772323200)
#define SEPTEMBER UINT64_C(1788220800)
#define DAY       UINT64_C(86400)

static const struct {
	const char *what;
	uint64_t days;
	uint64_t now_s;
	uint64_t month;
} months[] = {
	{ "nothing is configured: all is kept", 0, SEPTEMBER, 0 },
	{ "a month is past so many days after its last moment", 30, SEPTEMBER + 30 * DAY, 202608 },
	{ "and a second before it is not", 30, SEPTEMBER + 30 * DAY - 1, 202607 },
	{ "one day", 1, SEPTEMBER + DAY, 202608 },
	{ "in the middle of a month the one before is meant", 1, SEPTEMBER + 15 * DAY, 202608 },
	{ "a year's turn", 1, JANUARY + DAY, 202512 },
	{ "and the day before it", 1, JANUARY, 202511 },
	{ "February is as long as it is", 31, MARCH + 31 * DAY, 202602 },
	{ "more days than there have been since 1970", 36500, SEPTEMBER, 0 },
	{ "the first month there was", 1, 32 * DAY, 197001 },
};

static void
a_month_is_past_when_its_last_moment_is(void **state)
{
	size_t failures = 0;

	(void)state;
	for (size_t i = 0; i < sizeof months / sizeof months[0]; i++) {
		const uint64_t found = retain_month(months[i].days, months[i].now_s * 1000000);
		if (found != months[i].month) {
			print_message("NOT AS EXPECTED: %s: %llu\n", months[i].what,
				      (unsigned long long)found);
			failures++;
		}
	}
	assert_int_equal(failures, 0);
}

static void
a_month_ends_where_the_next_begins(void **state)
{
	(void)state;
	assert_int_equal(retain_month_end_us(202608), SEPTEMBER * 1000000);
	assert_int_equal(retain_month_end_us(202512), JANUARY * 1000000);
	for (uint64_t month = 202601; month <= 202612; month++) {
		assert_int_equal(seal_month(retain_month_end_us(month) - 1), month);
		assert_int_not_equal(seal_month(retain_month_end_us(month)), month);
	}
}

static void
it_is_due_at_start_and_once_a_day(void **state)
{
	(void)state;
	assert_false(retain_is_due(0, RETAIN_DAY_US, 0));
	assert_true(retain_is_due(30, 5, 0));
	assert_false(retain_is_due(30, RETAIN_DAY_US, 5));
	assert_true(retain_is_due(30, RETAIN_DAY_US + 5, 5));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_month_is_past_when_its_last_moment_is),
		cmocka_unit_test(a_month_ends_where_the_next_begins),
		cmocka_unit_test(it_is_due_at_start_and_once_a_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
