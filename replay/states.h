/* The states of the deciding actors, replayed: the live `apply` of session and allocation over the
 * events of a log, and the digests that the actors logged compared with what the replay gives.
 */
#ifndef IFSWARM_REPLAY_STATES_H
#define IFSWARM_REPLAY_STATES_H

#include "actors/core.h"
#include "store/entry.h"

struct states {
	struct core cores[STREAMS]; /* by stream; apply NULL where nobody keeps a state */
	uint8_t *dump;
	struct session_state *session;
	struct allocation_state *allocation;
};

enum states_check {
	STATES_NO_DIGEST, /* an event that says nothing about a state */
	STATES_HOLDS,
	STATES_DIFFERS,
	STATES_MISPLACED, /* it speaks of another version than that of its own place */
};

void states_make(struct states *states);
void states_free(struct states *states);

/* The next event. If it is a state digest it is compared with the state before it: `claimed` and
 * `found` are set then. */
enum states_check states_feed(struct states *states, const struct entry *entry,
			      const struct event *event, struct digest *claimed,
			      struct digest *found);

/* SHA-256 of the canonical dump now. The stream is STREAM_SESSION or STREAM_ALLOCATION. */
void states_digest(const struct states *states, enum stream stream, struct digest *out);

/* From a snapshot: false if it contradicts itself. The state is empty. */
bool states_restore(struct states *states, enum stream stream, struct span dump, struct span annex);

/* The version and the digest that a state digest event claims; false for other events. */
bool states_claim(const struct event *event, uint64_t *version, struct digest *digest);

#endif
