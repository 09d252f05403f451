#include "actors/supervisor.h"

#include <assert.h>

const char *
child_state_name(enum child_state state)
{
	static const char *const names[] = {
		[CHILD_WAITING] = "waiting",         [CHILD_STARTING] = "starting",
		[CHILD_RUNNING] = "running",         [CHILD_UNHEALTHY] = "unhealthy",
		[CHILD_BACKING_OFF] = "backing off", [CHILD_STOPPING] = "stopping",
		[CHILD_STOPPED] = "stopped",         [CHILD_GIVEN_UP] = "given up",
	};

	return names[state];
}

static struct child *
child_at(struct supervisor *s, size_t child)
{
	assert(child < s->count);
	return &s->children[child];
}

static void
enter(struct child *child, enum child_state state, uint64_t now_us)
{
	child->state = state;
	child->since_us = now_us;
}

bool
child_has_process(const struct child *child)
{
	switch (child->state) {
	case CHILD_STARTING:
	case CHILD_RUNNING:
	case CHILD_UNHEALTHY:
	case CHILD_STOPPING:
		return true;
	case CHILD_WAITING:
	case CHILD_BACKING_OFF:
	case CHILD_STOPPED:
	case CHILD_GIVEN_UP:
		return false;
	}
	return false;
}

size_t
supervisor_add(struct supervisor *s, unsigned group)
{
	assert(s->count < CHILDREN_MAX);
	assert(s->count == 0 || s->children[s->count - 1].group <= group);
	s->children[s->count] = (struct child){ .state = CHILD_WAITING, .group = group };
	return s->count++;
}

/* A supervisor that was stopped or starved has seen no answers: the children get that time back. */
void
supervisor_wake(struct supervisor *s, uint64_t now_us)
{
	const uint64_t asleep_us = s->seen_us == 0 ? 0 : now_us - s->seen_us;

	assert(now_us >= s->seen_us);
	s->seen_us = now_us;
	if (asleep_us <= SUPERVISOR_ASLEEP_US) {
		return;
	}
	for (size_t i = 0; i < s->count; i++) {
		s->children[i].since_us += asleep_us;
		s->children[i].answered_us += asleep_us;
	}
}

/* Every child of the groups before has answered once: a witness that is down later keeps nobody
 * from being restarted, for he waits for it by himself. */
static bool
group_may_start(const struct supervisor *s, unsigned group)
{
	for (size_t i = 0; i < s->count && s->children[i].group < group; i++) {
		if (!s->children[i].was_healthy) {
			return false;
		}
	}
	return true;
}

static bool
group_may_stop(const struct supervisor *s, unsigned group)
{
	for (size_t i = 0; i < s->count; i++) {
		if (s->children[i].group > group && child_has_process(&s->children[i])) {
			return false;
		}
	}
	return true;
}

static bool
is_late(uint64_t since_us, uint64_t allowed_us, uint64_t now_us)
{
	return now_us > since_us && now_us - since_us > allowed_us;
}

static enum action_kind
next_while_serving(const struct supervisor *s, const struct child *child, uint64_t now_us)
{
	switch (child->state) {
	case CHILD_WAITING:
		return group_may_start(s, child->group) ? ACTION_START : ACTION_NONE;
	case CHILD_STARTING:
		return is_late(child->since_us, SUPERVISOR_START_US, now_us) ? ACTION_KILL_UNHEALTHY
									     : ACTION_NONE;
	case CHILD_RUNNING:
		return is_late(child->answered_us, SUPERVISOR_MISSED_US, now_us)
			       ? ACTION_KILL_UNHEALTHY
			       : ACTION_NONE;
	case CHILD_BACKING_OFF:
		if (!child->was_healthy &&
		    (child->is_hopeless || child->failures >= SUPERVISOR_ATTEMPTS_MAX)) {
			return ACTION_GIVE_UP;
		}
		return now_us >= child->start_us ? ACTION_START : ACTION_NONE;
	case CHILD_UNHEALTHY:
	case CHILD_STOPPING:
	case CHILD_STOPPED:
	case CHILD_GIVEN_UP:
		return ACTION_NONE;
	}
	return ACTION_NONE;
}

static enum action_kind
next_while_stopping(const struct supervisor *s, const struct child *child, uint64_t now_us)
{
	switch (child->state) {
	case CHILD_STARTING:
	case CHILD_RUNNING:
		return group_may_stop(s, child->group) ? ACTION_TERMINATE : ACTION_NONE;
	case CHILD_STOPPING:
		return !child->was_killed && is_late(child->since_us, SUPERVISOR_STOP_US, now_us)
			       ? ACTION_KILL_STUCK
			       : ACTION_NONE;
	case CHILD_WAITING:
	case CHILD_UNHEALTHY:
	case CHILD_BACKING_OFF:
	case CHILD_STOPPED:
	case CHILD_GIVEN_UP:
		return ACTION_NONE;
	}
	return ACTION_NONE;
}

struct action
supervisor_next(const struct supervisor *s, uint64_t now_us)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct child *child = &s->children[i];
		const enum action_kind kind = s->stopping ? next_while_stopping(s, child, now_us)
							  : next_while_serving(s, child, now_us);

		if (kind != ACTION_NONE) {
			return (struct action){ kind, i };
		}
	}
	return (struct action){ ACTION_NONE, 0 };
}

/* Long health makes earlier failures forgotten. */
static void
forgive(struct child *child, uint64_t now_us)
{
	if (child->state == CHILD_RUNNING &&
	    is_late(child->since_us, SUPERVISOR_HEALTHY_US, now_us)) {
		child->failures = 0;
	}
}

void
supervisor_did(struct supervisor *s, struct action action, uint64_t now_us)
{
	struct child *child = child_at(s, action.child);

	switch (action.kind) {
	case ACTION_START:
		child->restarts += child->state == CHILD_BACKING_OFF;
		enter(child, CHILD_STARTING, now_us);
		return;
	case ACTION_KILL_UNHEALTHY:
		forgive(child, now_us);
		enter(child, CHILD_UNHEALTHY, now_us);
		return;
	case ACTION_TERMINATE:
		child->was_killed = false;
		enter(child, CHILD_STOPPING, now_us);
		return;
	case ACTION_KILL_STUCK:
		child->was_killed = true;
		return;
	case ACTION_GIVE_UP:
		enter(child, CHILD_GIVEN_UP, now_us);
		return;
	case ACTION_NONE:
		return;
	}
}

void
supervisor_answered(struct supervisor *s, size_t at, uint64_t now_us)
{
	struct child *child = child_at(s, at);

	if (child->state == CHILD_STARTING) {
		enter(child, CHILD_RUNNING, now_us);
		child->was_healthy = true;
	}
	child->answered_us = now_us;
}

static uint64_t
backoff_us(unsigned failures)
{
	uint64_t wait_us = SUPERVISOR_BACKOFF_US;

	if (failures == 0) {
		return 0;
	}
	for (unsigned i = 1; i < failures && wait_us < SUPERVISOR_BACKOFF_MAX_US; i++) {
		wait_us *= 2;
	}
	return wait_us < SUPERVISOR_BACKOFF_MAX_US ? wait_us : SUPERVISOR_BACKOFF_MAX_US;
}

bool
supervisor_exited(struct supervisor *s, size_t at, uint64_t now_us)
{
	struct child *child = child_at(s, at);

	assert(child_has_process(child));
	if (s->stopping) {
		enter(child, CHILD_STOPPED, now_us);
		return false;
	}
	if (child->state == CHILD_RUNNING &&
	    is_late(child->since_us, SUPERVISOR_HEALTHY_US, now_us)) {
		child->failures = 0;
	}
	child->start_us = now_us + backoff_us(child->failures);
	child->failures++;
	child->is_hopeless = false;
	enter(child, CHILD_BACKING_OFF, now_us);
	return true;
}

void
supervisor_hopeless(struct supervisor *s, size_t at)
{
	child_at(s, at)->is_hopeless = true;
}

void
supervisor_stop(struct supervisor *s)
{
	s->stopping = true;
}

bool
supervisor_is_ready(const struct supervisor *s)
{
	for (size_t i = 0; i < s->count; i++) {
		if (s->children[i].state != CHILD_RUNNING) {
			return false;
		}
	}
	return !s->stopping;
}

bool
supervisor_is_done(const struct supervisor *s)
{
	for (size_t i = 0; i < s->count; i++) {
		if (child_has_process(&s->children[i])) {
			return false;
		}
	}
	return s->stopping;
}
