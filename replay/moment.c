#include "replay/moment.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SECOND_US = 1000 * 1000, DAY_S = 24 * 60 * 60, YEAR_FIRST = 1970, YEAR_LAST = 9999 };

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Exactly `count` digits, then moves on; sticky like the msgpack cursors. */
static uint64_t
take_digits(const char **at, unsigned count, bool *bad)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < count; i++) {
		if (*bad || !is_digit(**at)) {
			*bad = true;
			return 0;
		}
		value = value * 10 + (uint64_t)(*(*at)++ - '0');
	}
	return value;
}

static void
take_char(const char **at, const char *allowed, bool *bad)
{
	if (*bad || **at == '\0' || strchr(allowed, **at) == NULL) {
		*bad = true;
		return;
	}
	(*at)++;
}

/* Days since 1970-01-01 of a date in the Gregorian calendar, counted in years that begin in March:
 * the leap day is then the last day of a year. */
static uint64_t
days_of(uint64_t year, uint64_t month, uint64_t day)
{
	const uint64_t y = month <= 2 ? year - 1 : year;
	const uint64_t m = month <= 2 ? month + 9 : month - 3;

	return y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static bool
is_leap(uint64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static uint64_t
days_in_month(uint64_t year, uint64_t month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

static uint64_t
take_date(const char **at, bool *bad)
{
	const uint64_t year = take_digits(at, 4, bad);
	take_char(at, "-", bad);
	const uint64_t month = take_digits(at, 2, bad);
	take_char(at, "-", bad);
	const uint64_t day = take_digits(at, 2, bad);

	if (*bad || year < YEAR_FIRST || month < 1 || month > 12 || day < 1 ||
	    day > days_in_month(year, month)) {
		*bad = true;
		return 0;
	}
	return days_of(year, month, day);
}

/* RFC 3339 section 5.6: second 60 is a leap second, which this clock does not have: it is the next
 * 0. */
static uint64_t
take_time_us(const char **at, bool *bad)
{
	const uint64_t hour = take_digits(at, 2, bad);
	take_char(at, ":", bad);
	const uint64_t minute = take_digits(at, 2, bad);
	take_char(at, ":", bad);
	const uint64_t second = take_digits(at, 2, bad);
	uint64_t fraction = 0;

	*bad |= hour > 23 || minute > 59 || second > 60;
	if (!*bad && **at == '.') {
		(*at)++;
		*bad |= !is_digit(**at);
		for (uint64_t unit = SECOND_US / 10; is_digit(**at); unit /= 10, (*at)++) {
			fraction += unit * (uint64_t)(**at - '0');
		}
	}
	return ((hour * 60 + minute) * 60 + second) * SECOND_US + fraction;
}

/* The zone's seconds east of UTC. */
static int64_t
take_zone_s(const char **at, bool *bad)
{
	const char sign = **at;

	take_char(at, "Zz+-", bad);
	if (*bad || sign == 'Z' || sign == 'z') {
		return 0;
	}
	const uint64_t hour = take_digits(at, 2, bad);
	take_char(at, ":", bad);
	const uint64_t minute = take_digits(at, 2, bad);
	*bad |= hour > 23 || minute > 59;
	const int64_t east = (int64_t)(hour * 60 + minute) * 60;
	return sign == '-' ? -east : east;
}

static bool
parse_time(const char *word, uint64_t *out)
{
	const char *at = word;
	bool bad = false;
	const uint64_t days = take_date(&at, &bad);

	take_char(&at, "Tt ", &bad);
	const uint64_t within = take_time_us(&at, &bad);
	const int64_t zone = take_zone_s(&at, &bad);
	const int64_t us = (int64_t)(days * DAY_S * SECOND_US + within) - zone * SECOND_US;
	if (bad || *at != '\0' || us < 0) {
		return false;
	}
	*out = (uint64_t)us;
	return true;
}

static bool
parse_seq(const char *word, uint64_t *out)
{
	uint64_t value = 0;

	if (*word == '\0') {
		return false;
	}
	for (const char *at = word; *at != '\0'; at++) {
		const uint64_t digit = (uint64_t)(*at - '0');
		if (!is_digit(*at) || value > (UINT64_MAX - digit) / 10) {
			return false;
		}
		value = value * 10 + digit;
	}
	*out = value;
	return true;
}

bool
moment_parse(const char *word, struct moment *out)
{
	uint64_t value = 0;

	assert(word != NULL);
	if (parse_seq(word, &value)) {
		*out = (struct moment){ .is_set = true, .is_time = false, .value = value };
		return true;
	}
	if (parse_time(word, &value)) {
		*out = (struct moment){ .is_set = true, .is_time = true, .value = value };
		return true;
	}
	return false;
}

bool
moment_is_reached(const struct moment *moment, uint64_t seq, uint64_t recorded_us)
{
	return !moment->is_set || (moment->is_time ? recorded_us : seq) >= moment->value;
}

bool
moment_is_kept(const struct moment *moment, uint64_t seq, uint64_t recorded_us)
{
	return !moment->is_set || (moment->is_time ? recorded_us : seq) <= moment->value;
}

const char *
moment_print(char *out, size_t size, uint64_t us)
{
	const uint64_t seconds = us / SECOND_US;
	const uint64_t within = seconds % DAY_S;
	uint64_t days = seconds / DAY_S;
	uint64_t year = YEAR_FIRST;
	uint64_t month = 1;

	assert(size >= MOMENT_PRINT_MAX);
	if (seconds >= days_of(YEAR_LAST + 1, 1, 1) * DAY_S) {
		/* No honest clock: the number itself says so better than a date would. */
		snprintf(out, size, "%" PRIu64 " us", us);
		return out;
	}
	for (; days >= (is_leap(year) ? 366u : 365u); year++) {
		days -= is_leap(year) ? 366 : 365;
	}
	for (; days >= days_in_month(year, month); month++) {
		days -= days_in_month(year, month);
	}
	snprintf(out, size,
		 "%04" PRIu64 "-%02" PRIu64 "-%02" PRIu64 "T%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64
		 ".%06" PRIu64 "Z",
		 year, month, days + 1, within / 3600, within / 60 % 60, within % 60,
		 us % SECOND_US);
	return out;
}

const char *
moment_print_span(char *out, size_t size, uint64_t us)
{
	const uint64_t s = us / SECOND_US;

	assert(size >= MOMENT_PRINT_MAX);
	if (s < 10) {
		snprintf(out, size, "%" PRIu64 ".%03" PRIu64 " s", s, us / 1000 % 1000);
	} else if (s < 60) {
		snprintf(out, size, "%" PRIu64 " s", s);
	} else if (s < 3600) {
		snprintf(out, size, "%" PRIu64 " min %" PRIu64 " s", s / 60, s % 60);
	} else if (s < DAY_S) {
		snprintf(out, size, "%" PRIu64 " h %" PRIu64 " min", s / 3600, s / 60 % 60);
	} else {
		snprintf(out, size, "%" PRIu64 " d %" PRIu64 " h", s / DAY_S, s / 3600 % 24);
	}
	return out;
}
