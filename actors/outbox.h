/* What waits to be told to the fronts: one bounded queue of encoded notices for each, and how far
 * each has acknowledged. A notice leaves once the append it depends on (its gate) is durable. */
#ifndef IFSWARM_ACTORS_OUTBOX_H
#define IFSWARM_ACTORS_OUTBOX_H

#include "actors/fronts.h"

enum {
	OUTBOX_BYTES_FIRST = 64 * 1024,
	OUTBOX_BYTES_MAX = 16 * 1024 * 1024,
	OUTBOX_REPLY_BYTES_MAX = MESSAGE_BYTES_MAX / 4
};

struct outbox_queue {
	uint8_t *memory; /* NULL until the first notice; grows with need up to OUTBOX_BYTES_MAX */
	size_t size;
	size_t used;
	size_t read; /* bytes of acknowledged notices at the front of memory, not yet moved away */
	size_t told_at;    /* where the first notice is that was not told since the attach */
	uint64_t count;    /* notices not acknowledged */
	uint64_t taken;    /* number of the last acknowledged one since the attach */
	uint64_t told;     /* number of the last one told */
	bool overflowed;   /* the front must be given up */
	uint64_t heard_us; /* when the front last spoke */
};

struct outbox {
	struct outbox_queue queues[FRONTS_MAX + 1];
	uint64_t posted; /* notices ever posted, over all fronts */

	/* Set by the desk while a command is told. */
	const struct command *command;
	uint64_t gate;
	uint64_t ordinals[FRONTS_MAX + 1];
};

void outbox_init(struct outbox *outbox);
void outbox_free(struct outbox *outbox);

/* Begins the telling of one command. */
void outbox_begin(struct outbox *outbox, const struct command *command, uint64_t gate);

/* A front has attached: numbers start again; `keep` keeps what waits for it (the same instance). */
void outbox_attach(struct outbox *outbox, uint64_t front, bool keep, uint64_t now_us);
/* The front has taken the notices up to this number, or said that of more before; false if it
 * cannot have. */
bool outbox_acknowledge(struct outbox *outbox, uint64_t front, uint64_t number);
/* True if a notice for the front may leave that was not told yet. */
bool outbox_has(const struct outbox *outbox, uint64_t front, uint64_t durable);
/* Writes "first, [notice, …]" of what may leave, which is told then. */
void outbox_write(struct outbox *outbox, uint64_t front, uint64_t durable, struct mp_writer *w);
/* Something was lost on its way to the front: what it has not acknowledged is to be told again. */
void outbox_again(struct outbox *outbox, uint64_t front);
/* Posted notices up to the returned count have all been acknowledged. */
uint64_t outbox_settled(const struct outbox *outbox);
/* Forgets what waits for a front that is given up. */
void outbox_drop(struct outbox *outbox, uint64_t front);

#endif
