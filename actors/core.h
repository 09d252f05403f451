/* What makes an actor a deciding one: a state, and the pure functions over it. The loop (desk.c and
 * loop_io.c) is one piece of code for all of them; live actors, the simulator and ifreplay share
 * `apply`.
 */
#ifndef IFSWARM_ACTORS_CORE_H
#define IFSWARM_ACTORS_CORE_H

#include "protocol/message.h"

struct outbox;

/* Adds a notice for a front; fills in command, origin and ordinal. It leaves the actor once the
 * events of the command that is being told are durable. `body` is copied. */
void outbox_post(struct outbox *outbox, uint64_t front, const struct notice *notice,
		 struct span body);

struct core {
	enum stream stream;
	void *state;

	/* Reads the state, changes nothing, knows no clock but command->now_us. Asks for at most
	 * EVENTS_PER_COMMAND_MAX events; SWEEP, CLOSE and EXPEL are repeated until they emit none.
	 */
	enum verdict (*decide)(const void *state, const struct command *command,
			       struct event_list *out);
	/* The only way the state changes. Personal fields may be empty (erased): it must not
	 * matter. */
	void (*apply)(void *state, const struct event *event);
	/* True if this command was decided and accepted before (its front sends again after a
	 * restart). */
	bool (*repeats)(const void *state, const struct command *command);
	/* After decide and apply (or for a repeated command, with no events): who is told what. */
	void (*tell)(const void *state, const struct command *command, struct span body,
		     enum verdict verdict, const struct event_list *events, struct outbox *outbox);
	/* A front has attached: what it must know to start. The desk adds WELCOME. */
	void (*greet)(const void *state, uint64_t front, struct outbox *outbox);
	/* True if the state knows such a front, attached or not: an EXPEL must reach it. */
	bool (*knows_front)(const void *state, uint64_t front);
	/* The canonical dump: canonical msgpack, the same bytes for equal states, nothing personal
	 * in it, sorted by id, so that a replay without any key gives the same digest. */
	void (*dump)(const void *state, struct mp_writer *w);
	/* The personal rest of it (names, addresses), in the same order. */
	void (*dump_personal)(const void *state, struct mp_writer *w);
	/* Fills an empty state from both; false if they cannot be read or contradict an invariant.
	 */
	bool (*restore)(void *state, struct span dump, struct span personal);
	/* True for an event whose personal part must be known after retention has destroyed its
	 * month: a snapshot is taken soon behind it, and carries that on. NULL: there is none. */
	bool (*is_lasting)(const struct event *event);
	/* Items of a ROSTER reply; NULL for an actor that has none. */
	void (*roster)(const void *state, struct mp_writer *w);
};

#endif
