/* Session: which agents are connected, in which room and at which gateway; who may speak to whom.
 *
 * A `struct core`: `decide` reads the state and knows no clock but the command's, `apply` is the
 * only function that changes it. Agents are identified by room and name; events name both by their
 * subject. The tables have their size from the start, so that no stranger makes the process grow.
 *
 * Commands that come again after a restart are recognised by the ring of the newest accepted ones,
 * and told again from it: what a LEAVE left, a LEAVE's repetition must still be able to say. */
#ifndef IFSWARM_ACTORS_SESSION_H
#define IFSWARM_ACTORS_SESSION_H

#include "actors/core.h"

struct session_sizes {
	size_t agents;
	size_t rooms;
	size_t names;  /* remembered handles */
	size_t recent; /* accepted commands that are recognised when they come again */
};

/* The sizes of limits.h. Replays must use the sizes of the live actor: they decide what is
 * forgotten. */
struct session_sizes session_sizes_default(void);

struct session_state;

/* An empty state; `seed` is random, for the hashes only. NULL without memory. */
struct session_state *session_new(const struct session_sizes *sizes, uint64_t seed);
void session_free(struct session_state *state);

/* The core over that state. `roster` writes one array [[room name, agent name, gateway], ...]. */
struct core session_core(struct session_state *state);

/* --- the functions of the core, for tests ------------------------------------------------------
 */

enum verdict session_decide(const void *state, const struct command *command,
			    struct event_list *out);
/* An event that contradicts the state changes nothing: a forged log ends in a finding, not a crash.
 */
void session_apply(void *state, const struct event *event);
bool session_repeats(const void *state, const struct command *command);
void session_tell(const void *state, const struct command *command, struct span body,
		  enum verdict verdict, const struct event_list *events, struct outbox *outbox);
void session_dump(const void *state, struct mp_writer *w);
void session_dump_personal(const void *state, struct mp_writer *w);
bool session_restore(void *state, struct span dump, struct span personal);
void session_roster(const void *state, struct mp_writer *w);

#endif
