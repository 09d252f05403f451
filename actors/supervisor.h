/* Which process is to be started, killed or asked to end, and when: the supervisor's decisions,
 * pure. The worldly half (supervisor_io.h) tells what happened and does what supervisor_next says,
 * until it says nothing.
 *
 * Children come in groups. A group is started once every child of the groups before it has
 * answered; it is stopped once every group after it has stopped. Whoever dies is restarted: at once
 * the first time, then after 0.1 s, doubling to 5 s, and at once again after 30 s of health. A
 * child that never answered and dies again and again, or says that another start would end alike,
 * is given up: then the cluster cannot start, and stops.
 *
 * Times are microseconds of a clock that never steps.
 */
#ifndef IFSWARM_ACTORS_SUPERVISOR_H
#define IFSWARM_ACTORS_SUPERVISOR_H

#include "protocol/types.h"

enum {
	/* witness, session, allocation, intake, anchor, cosigner */
	CHILDREN_MAX = 6 + GATEWAYS_MAX + RELAYS_MAX,
	SUPERVISOR_PING_US = 1000000,
	SUPERVISOR_MISSED_US = 10 * 1000000, /* no answer for so long: killed */
	SUPERVISOR_START_US = 60 * 1000000,  /* recovering from a long log takes its time */
	SUPERVISOR_STOP_US = 10 * 1000000,   /* from SIGTERM to SIGKILL */
	SUPERVISOR_BACKOFF_US = 100000,
	SUPERVISOR_BACKOFF_MAX_US = 5 * 1000000,
	SUPERVISOR_HEALTHY_US = 30 * 1000000,
	SUPERVISOR_ATTEMPTS_MAX = 5, /* of a child that never answered */
	SUPERVISOR_ASLEEP_US = 2 * 1000000,
};
_Static_assert(SUPERVISOR_ASLEEP_US > SUPERVISOR_PING_US, "a busy loop is not asleep");
_Static_assert(SUPERVISOR_MISSED_US > SUPERVISOR_ASLEEP_US, "sleep is noticed before it kills");

enum child_state {
	CHILD_WAITING,     /* for the groups before it */
	CHILD_STARTING,    /* runs, has not answered yet */
	CHILD_RUNNING,     /* answers */
	CHILD_UNHEALTHY,   /* did not answer: SIGKILL is on its way */
	CHILD_BACKING_OFF, /* has exited, will be started again */
	CHILD_STOPPING,    /* SIGTERM was sent */
	CHILD_STOPPED,
	CHILD_GIVEN_UP,
};

struct child {
	enum child_state state;
	unsigned group;
	unsigned failures; /* exits since it was last healthy for long */
	uint64_t restarts;
	uint64_t since_us;    /* of the present state */
	uint64_t answered_us; /* last; while RUNNING */
	uint64_t start_us;    /* while BACKING_OFF: not before */
	bool was_healthy;     /* has answered, in any incarnation */
	bool was_killed;      /* while STOPPING: SIGKILL was sent too */
	bool is_hopeless;     /* while BACKING_OFF: it says that another start would end alike */
};

struct supervisor {
	struct child children[CHILDREN_MAX];
	size_t count;
	uint64_t seen_us; /* the last supervisor_wake */
	bool stopping;
};

enum action_kind {
	ACTION_NONE,
	ACTION_START,
	ACTION_KILL_UNHEALTHY, /* SIGKILL: it did not answer */
	ACTION_TERMINATE,      /* SIGTERM */
	ACTION_KILL_STUCK,     /* SIGKILL: it did not stop in time */
	ACTION_GIVE_UP,        /* nothing to do but to tell; supervisor_stop follows */
};

struct action {
	enum action_kind kind;
	size_t child;
};

/* "waiting", "starting", "running", "unhealthy", "backing off", "stopping", "stopped", "given up"
 */
const char *child_state_name(enum child_state state);

/* Adds a child; `group` counts from 0 and never decreases. Returns its index. */
size_t supervisor_add(struct supervisor *s, unsigned group);

/* At each turn of the loop. If the supervisor itself was stopped meanwhile, nobody is blamed for
 * it. */
void supervisor_wake(struct supervisor *s, uint64_t now_us);
/* What is to be done now; it changes nothing. Do it, tell with supervisor_did, ask again. */
struct action supervisor_next(const struct supervisor *s, uint64_t now_us);
/* The action was carried out (a start that failed is told by supervisor_exited next). */
void supervisor_did(struct supervisor *s, struct action action, uint64_t now_us);

void supervisor_answered(struct supervisor *s, size_t child, uint64_t now_us);
/* True if it will be started again: the exit was none that was asked for. */
bool supervisor_exited(struct supervisor *s, size_t child, uint64_t now_us);
/* Of a child that has just exited: it said that another start would end alike. One that has served
 * is started again all the same, later and later. */
void supervisor_hopeless(struct supervisor *s, size_t child);
/* Everything is to stop, in order. May be said twice. */
void supervisor_stop(struct supervisor *s);

/* Every child answers. */
bool supervisor_is_ready(const struct supervisor *s);
/* stopping, and no process is left. */
bool supervisor_is_done(const struct supervisor *s);
/* True while a process exists: from start to exit. */
bool child_has_process(const struct child *child);

#endif
