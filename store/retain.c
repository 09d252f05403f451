#include "store/retain.h"

/* For struct tm and timegm alone: arithmetic of the calendar, no clock is read. */
#include <time.h>

#include "store/seal.h"

static uint64_t
month_before(uint64_t month)
{
	return month % 100 > 1 ? month - 1 : month - 100 + 11;
}

uint64_t
retain_month_end_us(uint64_t month)
{
	/* tm_mon counts from 0: the number of this month is the next one's. */
	struct tm next = { .tm_year = (int)(month / 100) - 1900,
			   .tm_mon = (int)(month % 100),
			   .tm_mday = 1 };

	return (uint64_t)timegm(&next) * 1000 * 1000;
}

uint64_t
retain_month(uint64_t payload_days, uint64_t now_us)
{
	if (payload_days == 0 || payload_days > now_us / RETAIN_DAY_US) {
		return 0;
	}
	/* The month of that moment is not over then; the one before is. */
	const uint64_t past_us = now_us - payload_days * RETAIN_DAY_US;
	const uint64_t month = month_before(seal_month(past_us));

	return month >= 197001 ? month : 0;
}

bool
retain_is_due(uint64_t payload_days, uint64_t now_us, uint64_t last_us)
{
	return payload_days > 0 && (last_us == 0 || now_us - last_us >= RETAIN_DAY_US);
}
