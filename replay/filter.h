/* Which events `log` and `follow` show. Handles of agents and rooms are learnt on the way, so that
 * with
 * --agent or --room every event is to be given in order from the first of the log.
 */
#ifndef IFSWARM_REPLAY_FILTER_H
#define IFSWARM_REPLAY_FILTER_H

#include "replay/options.h"
#include "replay/who.h"
#include "store/entry.h"

struct filter {
	const struct options *options;
	struct who agent;
	struct who room;
};

/* The options are borrowed. */
void filter_make(struct filter *filter, const struct options *options);
void filter_free(struct filter *filter);

/* True if it must be fed from the first event of the log. */
bool filter_must_learn(const struct filter *filter);
/* Learns, then judges. `event` is NULL for a type that this program does not know. */
bool filter_admits(struct filter *filter, const struct entry *entry, const struct event *event);
/* True once nothing after this entry can be admitted. */
bool filter_is_past(const struct filter *filter, const struct entry *entry);

#endif
