/* Retention: which months' payload (the sealed, personal parts) is past. Whole calendar months
 * (UTC) go at once, because their keys are made for a month; the entries and with them every proof
 * stay. */
#ifndef IFSWARM_STORE_RETAIN_H
#define IFSWARM_STORE_RETAIN_H

#include "store/erase.h"

#define RETAIN_DAY_US (UINT64_C(86400) * 1000 * 1000)

/* The newest month (202611) whose last moment lies at least so many days back; 0 if there is none,
 * or payload_days is 0: then everything is kept. */
uint64_t retain_month(uint64_t payload_days, uint64_t now_us);
/* The first moment after a month. */
uint64_t retain_month_end_us(uint64_t month);
/* At start (last_us 0), and then once a day. Both clocks are monotonic ones. */
bool retain_is_due(uint64_t payload_days, uint64_t now_us, uint64_t last_us);

struct retain_report {
	uint64_t month; /* 0: nothing is past */
	uint64_t keys;  /* destroyed, or (a survey) that would be */
	uint64_t parts;
	uint64_t kept;  /* keys that a hold keeps */
	uint64_t holds; /* that stand */
};

#endif
