#include "actors/gather.h"

enum {
	WINDOW_US = 20 * 1000,
	WINDOW_DATAGRAMS = 100, /* 5,000 a second */
	TURN_ENOUGH = 32,       /* in a turn: waiting would gain nothing */
	LATE_US = 800,          /* beyond what was asked for */
	LATE_COST = 16,         /* up to one late pause in so many is borne */
	LATE_MAX = 8 * LATE_COST,
	AGAIN_US = 500 * 1000,
};

void
gather_count(struct gather *gather, uint32_t taken, uint64_t now_us)
{
	const uint64_t window_us = now_us - gather->window_us;

	gather->taken = taken;
	gather->window_taken += taken;
	if (window_us >= WINDOW_US) { /* or the clock was set */
		gather->pays =
			gather->window_taken >= WINDOW_DATAGRAMS && window_us < 2 * WINDOW_US;
		gather->window_us = now_us;
		gather->window_taken = 0;
	}
}

bool
gather_is_due(const struct gather *gather, uint64_t pause_us, uint64_t now_us)
{
	return pause_us > 0 && gather->pays && gather->taken > 0 && gather->taken < TURN_ENOUGH &&
	       now_us >= gather->not_before_us;
}

void
gather_paused(struct gather *gather, uint64_t pause_us, uint64_t from_us, uint64_t to_us)
{
	if (to_us - from_us <= pause_us + LATE_US) {
		gather->late -= gather->late > 0;
		return;
	}
	gather->late += LATE_COST;
	if (gather->late >= LATE_MAX) {
		gather->late = 0;
		gather->not_before_us = to_us + AGAIN_US;
	}
}
