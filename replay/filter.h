/* Which events a question is about: the filters that every command of ifreplay shares. An event is
 * admitted if all of them admit it; `session` alone takes what concerns either of its two agents.
 *
 * Handles of agents and rooms, and the allocations of a trace, are learnt on the way: with one of
 * these filters every event is to be given in order from the first of the log, or at least every
 * event that they could learn from (index_keys.h).
 */
#ifndef IFSWARM_REPLAY_FILTER_H
#define IFSWARM_REPLAY_FILTER_H

#include "replay/options.h"
#include "replay/who.h"
#include "store/entry.h"

struct filter {
	const struct options *options;
	struct who agent;
	struct who peer; /* of --peer, unless that is an address */
	struct who room;
	struct idmap allocations; /* of --trace */
	void (*learnt)(void *context, const struct id *id);
	void *context;
	bool is_either; /* agent or peer, not both */
	bool has_address;
	struct address address; /* of --peer: what a relay was asked to reach; port 0: any */
};

/* The options are borrowed. */
void filter_make(struct filter *filter, const struct options *options);
void filter_free(struct filter *filter);

/* `learnt` is told of every handle, trace and allocation that is learnt from now on. */
void filter_tells(struct filter *filter, void (*learnt)(void *context, const struct id *id),
		  void *context);

/* True if it must be fed from the first event of the log. */
bool filter_must_learn(const struct filter *filter);
/* Learns, then judges. `event` is NULL for a type that this program does not know. --from and --to
 * are judged by the next two. */
bool filter_admits(struct filter *filter, const struct entry *entry, const struct event *event);
/* The same without --agent and --peer: what happens to anybody. */
bool filter_admits_anybody(struct filter *filter, const struct entry *entry,
			   const struct event *event);
/* The part of it that --peer judges where that is an address. */
bool filter_admits_address(const struct filter *filter, const struct event *event);
/* True if --from says that it lies before what is to be shown. */
bool filter_is_before(const struct filter *filter, const struct entry *entry);
/* True once nothing after this entry can be admitted. */
bool filter_is_past(const struct filter *filter, const struct entry *entry);

/* The allocation that the event is about; NULL if it is about none. */
const struct id *filter_allocation_of(const struct event *event);
/* The peer's address in the event; NULL if it has none. */
const struct address *filter_peer_of(const struct event *event);

#endif
