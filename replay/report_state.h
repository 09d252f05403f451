/* What a report remembers: between its own files. Every table has a size of its own, and what found
 * no room in it is counted, so that the page can say how short of the truth it is.
 */
#ifndef IFSWARM_REPLAY_REPORT_STATE_H
#define IFSWARM_REPLAY_REPORT_STATE_H

#include "replay/idmap.h"
#include "replay/report.h"

enum {
	REPORT_AGENTS_MAX = 8192,
	REPORT_HANDLES_MAX = 65536,
	REPORT_PRESENT_MAX = 2 * AGENTS_MAX,
	REPORT_ROOMS_MAX = 65536,
	REPORT_PAIRS_MAX = 65536,
	REPORT_ROOM_MET_MAX = 256, /* in one room at once: with more, those who came last are met */
	REPORT_BUCKETS = 240,      /* of the time axis */
	REPORT_BARS = 60,          /* of the traffic picture: every four buckets */
	REPORT_TYPES_MAX = 128,
	REPORT_VERDICTS_MAX = 128,
	REPORT_REASONS_MAX = 16,
	REPORT_ACTS_MAX = 60,
	REPORT_ACT_TEXT_MAX = 320,
	REPORT_GAPS_MAX = 12,
	REPORT_DELAYS_MAX = 32, /* powers of two of milliseconds */
};
#define REPORT_NONE UINT32_MAX

/* A row of the time axis: in which of its buckets something was. */
struct report_strip {
	uint8_t bits[REPORT_BUCKETS / 8];
};

struct report_agent {
	struct name name; /* empty: `handle` stands for it */
	struct id handle; /* the first one seen */
	uint64_t events;  /* that it took part in: what ranks it */
	uint64_t sessions;
	uint64_t signals;
	uint64_t relays;
	uint64_t bytes;
	uint64_t connected_us;
	struct report_strip present;
};

struct report_present {
	struct id agent_handle, room;
	uint32_t agent;
	uint32_t next; /* in the same room, or in the free list */
	uint64_t since_us;
};

struct report_pair {
	uint32_t a, b; /* a < b */
	uint32_t rooms;
	uint64_t times;
	uint64_t since_us;
	uint64_t together_us;
	uint64_t signals;
};

enum report_lane { LANE_HOLDS, LANE_ERASURES, LANE_EXPORTS, LANE_QUESTIONS, LANE_CARE, LANES };

struct report_act {
	uint64_t seq;
	uint64_t us;
	enum event_type type;
	enum report_lane lane;
	char text[REPORT_ACT_TEXT_MAX]; /* escaped for a terminal */
};

struct report_gap {
	uint64_t from, end;
};

struct report {
	struct report_scope scope;
	uint64_t events;
	uint64_t next_seq;
	uint64_t last_us;

	/* People. */
	struct idmap agent_of_handle, agent_of_key;
	struct report_agent *agents;
	uint32_t agent_count;
	struct idmap present_at, room_first, rooms_seen;
	struct report_present *present;
	uint32_t present_free;
	struct idmap pair_at;
	struct report_pair *pairs;
	uint32_t pair_count;
	uint64_t agents_not_kept, pairs_not_kept, present_not_kept;
	uint32_t present_count, present_most;

	/* Counts. */
	uint64_t by_type[REPORT_TYPES_MAX]; /* by place in the catalog */
	uint64_t unknown_types;
	uint64_t sessions, signals, allocations, never_used, claims;
	uint64_t refused[2]
			[REPORT_VERDICTS_MAX]; /* requests: signaling, TURN; the last: any other */
	uint64_t refused_requests;
	uint64_t leaves[REPORT_REASONS_MAX], ends[REPORT_REASONS_MAX];
	uint64_t bytes_up, bytes_down, packets_up, packets_down;
	uint64_t bars_up[REPORT_BARS], bars_down[REPORT_BARS];

	/* Acts. */
	struct report_strip lanes[LANES];
	uint64_t lane_counts[LANES];
	struct report_act *acts;
	uint32_t act_count;
	uint64_t acts_not_kept;
	uint64_t subjects_erased, parts_erased, keys_erased;

	/* Completeness and clock. */
	struct report_gap gaps[REPORT_GAPS_MAX];
	uint32_t gap_count;
	uint64_t gaps_not_kept;
	uint64_t missing;
	uint64_t unclean_starts, suspensions, restarts, health_failures;
	uint64_t steps_back, step_longest_us;
	uint64_t delays[REPORT_DELAYS_MAX];
	uint64_t delay_longest_us;
	uint64_t early; /* occurred after it was recorded: two clocks */
};

/* --- time axis --- */

/* Which of `count` equal parts of the range that moment lies in. */
uint32_t report_bucket(const struct report *report, uint64_t us, uint32_t count);
void report_mark(const struct report *report, struct report_strip *strip, uint64_t from_us,
		 uint64_t to_us);
bool report_is_marked(const struct report_strip *strip, uint32_t bucket);

/* --- people --- */

void report_people_make(struct report *report);
void report_people_free(struct report *report);
void report_people_feed(struct report *report, const struct event *event);
/* Those who are still there leave now. */
void report_people_close(struct report *report);

/* Before the page is written, as often as it is: who is still there stays to the end of the range,
 * and what never came is missing. */
void report_close(struct report *report);

/* --- acts --- */

void report_acts_feed(struct report *report, const struct entry *entry, const struct event *event);

/* --- ranking, for the writers --- */

/* The `most` first agents by what they did; the number of them. */
uint32_t report_rank_agents(const struct report *report, uint32_t *out, uint32_t most);
/* The pairs that were together the longest. */
uint32_t report_rank_pairs(const struct report *report, uint32_t *out, uint32_t most);
enum { REPORT_SHOWN_AGENTS = 24, REPORT_SHOWN_PAIRS = 12 };
/* The pair of two agents, NULL if they never met nor signalled. */
const struct report_pair *report_pair_of(const struct report *report, uint32_t one, uint32_t other);

#endif
