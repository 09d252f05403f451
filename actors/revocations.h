/* Agents whose TURN credentials an operator took back: a small table, in the order in which it was
 * done, within the allocation actor's state and every relay's view. Nothing but an operator adds to
 * it, so nothing that comes from outside can push a name out of it.
 *
 * A name whose key was destroyed is empty: then nobody can be told by it, and its handle stays. */
#ifndef IFSWARM_ACTORS_REVOCATIONS_H
#define IFSWARM_ACTORS_REVOCATIONS_H

#include "protocol/event.h"
#include "protocol/mp.h"

struct revocation {
	struct id agent;
	struct name name;
};

struct revocations {
	uint32_t count;
	struct revocation items[REVOKED_MAX];
};

/* The handle of that name; NULL if it is not revoked. */
const struct id *revocations_find(const struct revocations *revocations, const struct name *name);

/* In apply only. What does not fit, or is there already, is ignored; so is a handle that is not. */
void revocations_put(struct revocations *revocations, const struct id *agent,
		     const struct name *name);
void revocations_take(struct revocations *revocations, const struct id *agent);
void revocations_clear(struct revocations *revocations);

/* True for a revocation, which is worth nothing without its name (core.h). */
bool revocations_last(const struct event *event);

/* [handle, ...], and the names in the same order, nil where unknown. */
void revocations_write(struct mp_writer *w, const struct revocations *revocations);
void revocations_write_names(struct mp_writer *w, const struct revocations *revocations);
/* Into an empty table; `names` may be NULL. What cannot be read sets the reader's `bad`. */
void revocations_read(struct revocations *revocations, struct mp_reader *handles,
		      struct mp_reader *names);

#endif
