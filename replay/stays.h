/* Who was in a room and when, put together from registrations and departures. Bounded: what no
 * longer fits is counted.
 */
#ifndef IFSWARM_REPLAY_STAYS_H
#define IFSWARM_REPLAY_STAYS_H

#include "protocol/event.h"
#include "replay/idmap.h"
#include "store/entry.h"

enum { STAYS_MAX = 1 << 20 };

struct stay {
	struct id agent;
	struct id room;
	uint64_t from_seq, from_us;
	uint64_t to_seq, to_us; /* 0: still there */
	uint64_t gateway;
	uint64_t
		reason; /* enum leave_reason; 0: still there, or replaced by another registration */
};

struct stays {
	struct stay *items; /* in the order of from_seq */
	size_t count;
	size_t room;
	struct idmap present; /* agent and room together, to the place in items */
	uint64_t not_kept;
};

void stays_make(struct stays *stays);
void stays_free(struct stays *stays);

/* The key of an agent in a room: both handles are random, so their mixture is one, too. */
struct id stays_key(const struct id *agent, const struct id *room);
/* The next event in order; others than registrations and departures change nothing. */
void stays_feed(struct stays *stays, const struct entry *entry, const struct event *event);

#endif
