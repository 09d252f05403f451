/* `ifswarm drain`, in the supervisor: first the act is durable, then every actor is handed the
 * settings with another value of the key `drain`, as a reload hands them over; who starts later has
 * it from the start. It lasts as long as the supervisor, or until it is undone. One at a time. */
#ifndef IFSWARM_ACTORS_SUPERVISOR_DRAIN_IO_H
#define IFSWARM_ACTORS_SUPERVISOR_DRAIN_IO_H

#include "protocol/event.h"
#include "protocol/settings.h"

enum draining { DRAINING_NOTHING, DRAINING_IS_WRITTEN, DRAINING_WAITS, DRAINING_IS_TOLD };

struct draining_act {
	enum draining stage;
	uint32_t slot;   /* whom to answer */
	uint64_t number; /* in the log's queue */
	uint64_t since_us;
	struct setting_word word;
};

struct running;

/* act.about: the value of the key, in force from then on if `on`. Answered now or later. */
void drain_take(struct running *r, const struct event_operator_acted *act, bool on, uint32_t slot);
/* The actors have been told. */
void drain_told(struct running *r);
void drain_step(struct running *r);

#endif
