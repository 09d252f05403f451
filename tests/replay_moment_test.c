#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "replay/moment.h"

static const struct {
	const char *name;
	const char *given;
	bool is_taken;
	struct moment then;
} parse_rows[] = {
	{ "a number is a seq", "17", true, { true, false, 17 } },
	{ "the largest seq", "18446744073709551615", true, { true, false, UINT64_MAX } },
	{ "one more than fits", "18446744073709551616", false, { 0 } },
	{ "nothing", "", false, { 0 } },
	{ "a sign is no digit", "-1", false, { 0 } },
	{ "the epoch", "1970-01-01T00:00:00Z", true, { true, true, 0 } },
	{ "before the epoch", "1969-12-31T23:59:59Z", false, { 0 } },
	{ "before the epoch by its zone", "1970-01-01T00:30:00+01:00", false, { 0 } },
	{ "RFC 3339 section 5.8, first",
	  "1985-04-12T23:20:50.52Z",
	  true,
	  { true, true, 482196050520000 } },
	{ "RFC 3339 section 5.8, second",
	  "1996-12-19T16:39:57-08:00",
	  true,
	  { true, true, 851042397000000 } },
	{ "RFC 3339 section 5.8, a leap second is the next one",
	  "1990-12-31T23:59:60Z",
	  true,
	  { true, true, 662688000000000 } },
	{ "small letters and a space",
	  "1985-04-12 23:20:50z",
	  true,
	  { true, true, 482196050000000 } },
	{ "more digits than a microsecond",
	  "1970-01-01T00:00:00.1234569Z",
	  true,
	  { true, true, 123456 } },
	{ "a leap day", "2024-02-29T00:00:00Z", true, { true, true, 1709164800000000 } },
	{ "no leap day in 2026", "2026-02-29T00:00:00Z", false, { 0 } },
	{ "no leap day in 2100", "2100-02-29T00:00:00Z", false, { 0 } },
	{ "the last second of 9999",
	  "9999-12-31T23:59:59Z",
	  true,
	  { true, true, 253402300799000000 } },
	{ "no zone", "2026-01-01T00:00:00", false, { 0 } },
	{ "a date alone", "2026-01-01", false, { 0 } },
	{ "month 13", "2026-13-01T00:00:00Z", false, { 0 } },
	{ "hour 24", "2026-01-01T24:00:00Z", false, { 0 } },
	{ "a point without digits", "2026-01-01T00:00:00.Z", false, { 0 } },
	{ "something after it", "2026-01-01T00:00:00Zx", false, { 0 } },
	{ "a word", "yesterday", false, { 0 } },
};

static void
parses_seqs_and_times(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof parse_rows / sizeof parse_rows[0]; i++) {
		struct moment found = { 0 };
		const bool is_taken = moment_parse(parse_rows[i].given, &found);

		if (is_taken != parse_rows[i].is_taken || found.value != parse_rows[i].then.value ||
		    found.is_time != parse_rows[i].then.is_time) {
			fail_msg("%s: %d %llu", parse_rows[i].name, is_taken,
				 (unsigned long long)found.value);
		}
	}
}

static void
prints_what_it_parses(void **state)
{
	static const struct {
		uint64_t us;
		const char *shown;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00.000000Z" },
		{ 482196050520000, "1985-04-12T23:20:50.520000Z" },
		{ 1709164800000001, "2024-02-29T00:00:00.000001Z" },
		{ 253402300799999999, "9999-12-31T23:59:59.999999Z" },
		{ 253402300800000000, "253402300800000000 us" },
		{ UINT64_MAX, "18446744073709551615 us" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char shown[MOMENT_PRINT_MAX];
		struct moment again = { 0 };

		assert_string_equal(moment_print(shown, sizeof shown, rows[i].us), rows[i].shown);
		if (strchr(shown, 'T') != NULL) {
			assert_true(moment_parse(shown, &again));
			assert_int_equal(again.value, rows[i].us);
		}
	}
}

static void
both_ends_of_a_range_belong_to_it(void **state)
{
	const struct moment seq = { true, false, 5 };
	const struct moment time = { true, true, 1000 };
	const struct moment none = { 0 };

	(void)state;
	assert_true(moment_is_reached(&seq, 5, 0) && moment_is_kept(&seq, 5, 9999));
	assert_false(moment_is_reached(&seq, 4, 9999));
	assert_false(moment_is_kept(&seq, 6, 0));
	assert_true(moment_is_reached(&time, 0, 1000) && moment_is_kept(&time, 9, 1000));
	assert_false(moment_is_reached(&time, 9, 999));
	assert_false(moment_is_kept(&time, 0, 1001));
	assert_true(moment_is_reached(&none, 0, 0) && moment_is_kept(&none, 0, 0));
}

static void
spans_read_like_speech(void **state)
{
	static const struct {
		uint64_t us;
		const char *shown;
	} rows[] = {
		{ 0, "0.000 s" },           { 9999999, "9.999 s" },      { 12000000, "12 s" },
		{ 184000000, "3 min 4 s" }, { 7500000000, "2 h 5 min" }, { 349200000000, "4 d 1 h" }
	};
	char shown[MOMENT_PRINT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_string_equal(moment_print_span(shown, sizeof shown, rows[i].us),
				    rows[i].shown);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_seqs_and_times),
		cmocka_unit_test(prints_what_it_parses),
		cmocka_unit_test(both_ends_of_a_range_belong_to_it),
		cmocka_unit_test(spans_read_like_speech),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
