/* Where a rolling scrub is, when it goes on, and how long it rests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "store/scrub.h"

enum { DAY_S = 86400 };

static const struct scrub_state full = { 512, 1000, 1790000000, 3, 1, 1789000000, 900, 2 };

static void
what_is_written_is_read(void **unused)
{
	char text[SCRUB_TEXT_MAX];
	struct scrub_state back;
	const size_t count = scrub_write(&full, text);

	(void)unused;
	assert_true(scrub_read((struct span){ (const uint8_t *)text, count }, &back));
	assert_memory_equal(&back, &full, sizeof back);
}

static void
what_is_not_ours_is_no_place(void **unused)
{
	static const struct {
		const char *when, *from, *to;
	} rows[] = {
		{ "another format", "scrub 1", "scrub 2" },
		{ "a place behind the end", "next 512", "next 1024" },
		{ "a place within a block", "next 512", "next 511" },
		{ "no number", "findings 3", "findings x" },
		{ "a number below zero", "findings 3", "findings -3" },
		{ "zeros before a number", "findings 3", "findings 03" },
		{ "another key", "began ", "begun " },
		{ "a key too few", "tries 1\n", "" },
		{ "something behind it", "ended-findings 2\n", "ended-findings 2\n\n" },
		{ "no last newline", "ended-findings 2\n", "ended-findings 2" },
	};
	static const struct scrub_state none;
	char text[SCRUB_TEXT_MAX];
	char forged[2 * SCRUB_TEXT_MAX];
	struct scrub_state back;

	(void)unused;
	text[scrub_write(&full, text)] = '\0';
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *at = strstr(text, rows[i].from);

		print_message("%s\n", rows[i].when);
		assert_non_null(at);
		snprintf(forged, sizeof forged, "%.*s%s%s", (int)(at - text), text, rows[i].to,
			 at + strlen(rows[i].from));
		assert_false(scrub_read((struct span){ (const uint8_t *)forged, strlen(forged) },
					&back));
		assert_memory_equal(&back, &none, sizeof back);
	}
	assert_false(scrub_read((struct span){ NULL, 0 }, &back));
}

static void
a_round_is_due(void **unused)
{
	static const struct {
		const char *when;
		uint64_t end, began_s, created_s, days, now_s;
		bool due;
	} rows[] = {
		{ "a young log was never read", 0, 0, 1000, 7, 1000 + 6 * DAY_S, false },
		{ "a log that is old enough", 0, 0, 1000, 7, 1000 + 7 * DAY_S, true },
		{ "the last round began lately", 0, 9 * DAY_S, 0, 7, 15 * DAY_S, false },
		{ "the last round began long ago", 0, 9 * DAY_S, 0, 7, 16 * DAY_S, true },
		{ "one is on its way", 100, 9 * DAY_S, 0, 7, 9 * DAY_S, true },
		{ "the clock was set back far", 0, 90 * DAY_S, 0, 7, 9 * DAY_S, true },
		{ "the clock was set back a little", 0, 9 * DAY_S + 9, 0, 7, 9 * DAY_S, false },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct scrub_state state = { .end = rows[i].end, .began_s = rows[i].began_s };
		print_message("%s\n", rows[i].when);
		assert_int_equal(
			scrub_is_due(&state, rows[i].created_s, rows[i].days, rows[i].now_s),
			rows[i].due);
	}
}

static void
most_of_the_time_it_rests(void **unused)
{
	static const struct {
		const char *when;
		uint64_t next, end, now_s, work_us, pause_us;
	} rows[] = {
		{ "a small log: a second", 0, 1000, 0, 2000, 1000000 },
		{ "a great one: as the days allow", 0, SCRUB_BLOCK * 14 * UINT64_C(86400) - 1, 0,
		  2000, 500000 },
		{ "a slow disk: a tenth of the time", 0, 1000, 0, 2000000, 18000000 },
		{ "it is late", 0, 1000, 8 * DAY_S, 2000, 18000 },
		{ "at the end", 1000, 1000, 0, 0, 1000000 },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct scrub_state state = { .next = rows[i].next, .end = rows[i].end };
		print_message("%s\n", rows[i].when);
		assert_int_equal(scrub_pause_us(&state, 7, rows[i].now_s, rows[i].work_us),
				 rows[i].pause_us);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(what_is_not_ours_is_no_place),
		cmocka_unit_test(a_round_is_due),
		cmocka_unit_test(most_of_the_time_it_rests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
