/* The fronts of a deciding actor (gateways of session, relays of allocation): which incarnation is
 * attached, and the last of its commands that was accepted. Part of the actor's state, changed by
 * apply. */
#ifndef IFSWARM_ACTORS_FRONTS_H
#define IFSWARM_ACTORS_FRONTS_H

#include "protocol/message.h"

enum { FRONTS_MAX = GATEWAYS_MAX > RELAYS_MAX ? GATEWAYS_MAX : RELAYS_MAX };

struct front {
	struct id instance;     /* none: never attached */
	struct id last_command; /* of that instance; none: none yet */
};

struct fronts {
	struct front items[FRONTS_MAX + 1]; /* by number, from 1 */
};

/* True for 1 to FRONTS_MAX. */
bool front_is_valid(uint64_t front);
/* In apply of the attach event. */
void fronts_attach(struct fronts *fronts, uint64_t front, const struct id *instance);
/* In apply of every other event that a front's command led to. */
void fronts_note(struct fronts *fronts, uint64_t front, const struct id *command_id);
/* True if that front's instance is attached and its command is not newer than the last accepted
 * one. */
bool fronts_repeat(const struct fronts *fronts, const struct command *command);
/* True if some instance of it ever attached. */
bool fronts_is_known(const struct fronts *fronts, uint64_t front);
/* True if `instance` is the one attached. */
bool fronts_is_current(const struct fronts *fronts, uint64_t front, const struct id *instance);

/* One array; reads what it wrote. */
void fronts_write(struct mp_writer *w, const struct fronts *fronts);
void fronts_read(struct mp_reader *r, struct fronts *out);

#endif
