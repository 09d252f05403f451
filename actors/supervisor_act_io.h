/* What the supervisor does and tells: carries out what supervisor.h has decided, and notes the
 * deployment events that go with it. For supervisor_io.c. */
#ifndef IFSWARM_ACTORS_SUPERVISOR_ACT_IO_H
#define IFSWARM_ACTORS_SUPERVISOR_ACT_IO_H

#include "actors/cluster_io.h"
#include "actors/operator_log_io.h"
#include "actors/supervisor_operate_io.h"
#include "actors/supervisor_scrub_io.h"
#include "protocol/turn_tally.h"

/* What is said once, when it first holds. */
struct milestones {
	bool announced; /* the ready line */
	bool turn_completed;
	bool signaling_completed;
	bool farewell; /* cluster_stopped is queued */
	uint64_t farewell_us;
	uint64_t asked_us; /* ready_ask, last */
};

struct running {
	struct cluster cluster;
	struct operator_log *log;
	struct mailbox_server *requests;
	int signals;
	uint64_t pinged_us;
	bool given_up;
	struct milestones done;
	struct reload reload;
	struct operate operate;
	struct scrub_child scrub;
	struct turn_tally tallies[RELAYS_MAX]; /* as each relay said it last */
};

/* The cluster begins to start. */
void note_started(struct running *r);
/* Once for each service, when all that it needs has answered. */
void note_completed(struct running *r);
/* An actor died or was found silent. */
void note_failed(struct running *r, const struct actor *actor, const char *detail);

/* Does it and tells the pure half. False if there is nothing to do, or if it has to wait: the
 * witness is stopped only when it has the last events. */
bool perform(struct running *r, struct action action);

#endif
