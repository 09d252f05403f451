#include "actors/supervisor_act_io.h"

#include <signal.h>
#include <stdio.h>

#include "protocol/log_line_io.h"
#include "protocol/time_io.h"

enum { FAREWELL_US = 3000000 }; /* for the last events before the witness is stopped */

/* --- deployment events --- */

/* What concerns the witness concerns both services. */
static void
note_both(struct running *r, const struct actor *actor, enum event_type turn,
	  enum event_type signaling, const char *detail)
{
	if (actor_serves_turn(actor)) {
		operator_log_note(r->log, turn, actor->name, detail);
	}
	if (actor_serves_signaling(actor)) {
		operator_log_note(r->log, signaling, actor->name, detail);
	}
}

void
note_failed(struct running *r, const struct actor *actor, const char *detail)
{
	note_both(r, actor, EVENT_TURN_HEALTH_CHECK_FAILED, EVENT_SIGNALING_HEALTH_CHECK_FAILED,
		  detail);
}

void
note_started(struct running *r)
{
	operator_log_note(r->log, EVENT_TURN_DEPLOYMENT_STARTED, "supervisor",
			  "ifswarm " IFSWARM_VERSION);
	operator_log_note(r->log, EVENT_SIGNALING_DEPLOYMENT_STARTED, "supervisor",
			  "ifswarm " IFSWARM_VERSION);
}

static bool
all_were_ready(const struct running *r, bool (*concerned)(const struct actor *actor))
{
	const struct supervisor *s = &r->cluster.supervisor;

	for (size_t i = 0; i < s->count; i++) {
		if (concerned(&r->cluster.actors[i]) && !s->children[i].was_healthy) {
			return false;
		}
	}
	return true;
}

void
note_completed(struct running *r)
{
	if (!r->done.turn_completed && all_were_ready(r, actor_serves_turn)) {
		r->done.turn_completed = true;
		operator_log_note(r->log, EVENT_TURN_DEPLOYMENT_COMPLETED, "supervisor", "");
	}
	if (!r->done.signaling_completed && all_were_ready(r, actor_serves_signaling)) {
		r->done.signaling_completed = true;
		operator_log_note(r->log, EVENT_SIGNALING_DEPLOYMENT_COMPLETED, "supervisor", "");
	}
}

/* --- doing what was decided --- */

static void
do_start(struct running *r, struct action action)
{
	struct actor *actor = &r->cluster.actors[action.child];
	const uint64_t restarts = r->cluster.supervisor.children[action.child].restarts;
	struct supervisor *s = &r->cluster.supervisor;
	const uint64_t now_us = time_monotonic_us();
	const bool started = cluster_start(&r->cluster, action.child);
	char detail[96];

	supervisor_did(s, action, now_us);
	if (!started) {
		supervisor_exited(s, action.child, now_us);
		return;
	}
	log_info("%s started, pid %ld", actor->name, (long)actor->pid);
	if (s->children[action.child].restarts > restarts) {
		snprintf(detail, sizeof detail, "pid %ld after %s", (long)actor->pid,
			 actor->last_exit);
		note_both(r, actor, EVENT_TURN_AUTO_RESTARTED, EVENT_SIGNALING_AUTO_RESTARTED,
			  detail);
	}
}

static void
do_kill_unhealthy(struct running *r, struct action action)
{
	struct actor *actor = &r->cluster.actors[action.child];
	char detail[96];

	log_warning("%s with pid %ld does not answer: killing it, it will be restarted",
		    actor->name, (long)actor->pid);
	snprintf(detail, sizeof detail, "pid %ld does not answer", (long)actor->pid);
	note_failed(r, actor, detail);
	kill(actor->pid, SIGKILL);
	supervisor_did(&r->cluster.supervisor, action, time_monotonic_us());
}

static void
do_signal(struct running *r, struct action action, int number)
{
	kill(r->cluster.actors[action.child].pid, number);
	supervisor_did(&r->cluster.supervisor, action, time_monotonic_us());
}

static void
do_give_up(struct running *r, struct action action)
{
	struct actor *actor = &r->cluster.actors[action.child];

	log_error("%s ended before it ever answered, start %u (%s): see the lines above; stopping",
		  actor->name, r->cluster.supervisor.children[action.child].failures,
		  actor->last_exit);
	r->given_up = true;
	supervisor_did(&r->cluster.supervisor, action, time_monotonic_us());
	supervisor_stop(&r->cluster.supervisor);
}

/* The witness is stopped last; before that it gets the last events. True while they are on their
 * way. */
static bool
is_saying_farewell(struct running *r, struct action action)
{
	const uint64_t now_us = time_monotonic_us();

	if (r->cluster.actors[action.child].kind != ACTOR_WITNESS) {
		return false;
	}
	if (!r->done.farewell) {
		r->done.farewell = true;
		r->done.farewell_us = now_us;
		operator_log_note(r->log, EVENT_CLUSTER_STOPPED, "supervisor",
				  r->given_up ? "gave up" : "in order");
		operator_log_work(r->log);
	}
	return !operator_log_is_empty(r->log) && !operator_log_is_in_vain(r->log) &&
	       now_us - r->done.farewell_us < FAREWELL_US;
}

bool
perform(struct running *r, struct action action)
{
	switch (action.kind) {
	case ACTION_NONE:
		return false;
	case ACTION_START:
		do_start(r, action);
		return true;
	case ACTION_KILL_UNHEALTHY:
		do_kill_unhealthy(r, action);
		return true;
	case ACTION_TERMINATE:
		if (is_saying_farewell(r, action)) {
			return false;
		}
		do_signal(r, action, SIGTERM);
		return true;
	case ACTION_KILL_STUCK:
		log_warning("%s did not stop in %d s: killing it",
			    r->cluster.actors[action.child].name, SUPERVISOR_STOP_US / 1000000);
		do_signal(r, action, SIGKILL);
		return true;
	case ACTION_GIVE_UP:
		do_give_up(r, action);
		return true;
	}
	return false;
}
