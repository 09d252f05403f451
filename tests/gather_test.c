/* When the relay pauses so that datagrams gather: stories of time that passes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "actors/gather.h"

enum { PAUSE_US = 200, TURN_US = 300, LATE_US = 1500, SECOND_US = 1000 * 1000 };

static struct gather gather;
static uint64_t now_us;

static int
given_nothing_came(void **unused)
{
	(void)unused;
	gather = (struct gather){ 0 };
	now_us = 1000 * (uint64_t)SECOND_US;
	return 0;
}

/* Turns of `taken` datagrams, one each TURN_US, for so long. Returns the pauses that were due, each
 * of which lasts `pause_us`. */
static uint32_t
turns(uint32_t taken, uint64_t for_us, uint64_t pause_us)
{
	uint32_t pauses = 0;

	for (const uint64_t until_us = now_us + for_us; now_us < until_us;) {
		now_us += TURN_US;
		gather_count(&gather, taken, now_us);
		if (gather_is_due(&gather, PAUSE_US, now_us)) {
			gather_paused(&gather, PAUSE_US, now_us, now_us + pause_us);
			now_us += pause_us;
			pauses++;
		}
	}
	return pauses;
}

static void
few_datagrams_are_served_at_once(void **unused)
{
	(void)unused;
	for (int i = 0; i < 1000; i++) {
		now_us += 1000; /* 1,000 a second */
		gather_count(&gather, 1, now_us);
		assert_false(gather_is_due(&gather, PAUSE_US, now_us));
	}
}

static void
many_in_small_turns_gather(void **unused)
{
	(void)unused;
	turns(4, SECOND_US / 10, PAUSE_US);
	assert_in_range(turns(4, SECOND_US, PAUSE_US), 1000, 3000);
}

static void
a_turn_that_brings_enough_is_not_followed_by_a_pause(void **unused)
{
	(void)unused;
	turns(64, SECOND_US / 10, PAUSE_US);
	assert_int_equal(turns(64, SECOND_US, PAUSE_US), 0);
}

static void
after_a_turn_that_brought_nothing_nobody_pauses(void **unused)
{
	(void)unused;
	turns(4, SECOND_US, PAUSE_US);
	gather_count(&gather, 0, now_us);
	assert_false(gather_is_due(&gather, PAUSE_US, now_us));
}

static void
who_wants_no_pause_has_none(void **unused)
{
	(void)unused;
	turns(4, SECOND_US, PAUSE_US);
	assert_true(gather_is_due(&gather, PAUSE_US, now_us));
	assert_false(gather_is_due(&gather, 0, now_us));
}

static void
silence_ends_the_pauses(void **unused)
{
	(void)unused;
	turns(4, SECOND_US, PAUSE_US);
	now_us += SECOND_US;
	gather_count(&gather, 4, now_us);
	assert_false(gather_is_due(&gather, PAUSE_US, now_us));
}

static void
a_pause_that_ends_late_now_and_then_is_borne(void **unused)
{
	uint32_t pauses = 0;

	(void)unused;
	turns(4, SECOND_US / 10, PAUSE_US);
	for (int i = 0; i < 50; i++) {
		turns(4, TURN_US, LATE_US);
		pauses += turns(4, 20 * (TURN_US + PAUSE_US), PAUSE_US);
	}
	assert_in_range(pauses, 50 * 15, 50 * 20);
}

static void
pauses_that_end_late_stop_for_half_a_second(void **unused)
{
	(void)unused;
	turns(4, SECOND_US / 10, PAUSE_US);
	turns(4, 10 * (TURN_US + LATE_US), LATE_US);
	assert_int_equal(turns(4, SECOND_US / 2 - 20 * LATE_US, PAUSE_US), 0);
	assert_true(turns(4, SECOND_US, PAUSE_US) > 100);
}

#define TEST(name) cmocka_unit_test_setup(name, given_nothing_came)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(few_datagrams_are_served_at_once),
		TEST(many_in_small_turns_gather),
		TEST(a_turn_that_brings_enough_is_not_followed_by_a_pause),
		TEST(after_a_turn_that_brought_nothing_nobody_pauses),
		TEST(who_wants_no_pause_has_none),
		TEST(silence_ends_the_pauses),
		TEST(a_pause_that_ends_late_now_and_then_is_borne),
		TEST(pauses_that_end_late_stop_for_half_a_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
