/* Ends a live agent and makes the deciding actors forget it: half of an erasure (the other half is
 * the log's), and what `ifswarm kill` is made of.
 *
 * Session and allocation are asked one after the other. All registrations of that name end
 * (LEAVE_EXPELLED), all allocations of its users too, after their relays have reported what was
 * relayed (END_EXPELLED); what the fronts had folded and not yet told is told; then the name goes
 * out of both states (subject_forgotten, user_forgotten).
 *
 * It is no ban: who registers under that name again begins a new life with a fresh handle, and
 * credentials that were handed out before are good until they expire. A name that nobody knows is
 * expelled at once, and safely expelled twice: after a failure, ask again. */
#ifndef IFSWARM_ACTORS_EXPEL_IO_H
#define IFSWARM_ACTORS_EXPEL_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum expel_result {
	EXPEL_DONE,
	EXPEL_NOT_RUNNING, /* no cluster runs on that directory: nothing is alive */
	EXPEL_FAILED,      /* `fault` says why; it may be done in part */
};

/* What one actor did. */
struct expel_part {
	uint64_t ended;     /* registrations, or allocations */
	uint64_t forgotten; /* handles that it knew this name by */
	/* The log's size when that was durable: events of the actor's stream with a smaller seq are
	 * of the life that ended, all others of a new one. */
	uint64_t size;
};

struct expel_done {
	struct expel_part session;
	struct expel_part allocation;
};

/* Asks the cluster on `data` to expel the agent of that name (NUL-terminated UTF-8). EXPEL_DONE:
 * all that led to is durable, all that was told before is taken, and no state, later event or later
 * snapshot brings the name back unless somebody says it anew. Snapshots made before still hold it.
 * Waits up to half a minute for each actor. */
enum expel_result expel_agent(const char *data, const char *name, struct expel_done *done,
			      char *fault, size_t fault_size);

#endif
