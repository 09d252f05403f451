/* What the witness's process holds, for witness_io.c (its loop), witness_take_io.c (what it is
 * asked) and witness_transaction_io.c.
 *
 * All requests that wait together share one transaction, the group commit: what is answered to them
 * is held until it is durable. */
#ifndef IFSWARM_ACTORS_WITNESS_PROCESS_IO_H
#define IFSWARM_ACTORS_WITNESS_PROCESS_IO_H

#include "actors/mailbox_io.h"
#include "actors/witness_acts_io.h"
#include "actors/witness_anchor_io.h"
#include "actors/witness_cosign_io.h"
#include "protocol/message.h"
#include "protocol/settings.h"
#include "store/evidence_io.h"

enum { WITNESS_SLOTS = 64, WITNESS_ANSWER_BYTES = 64 + 9 * CLAIMS_PER_APPEND_MAX };

/* The answer to one request of the current transaction; it leaves when that is durable. */
struct held {
	uint32_t slot;
	uint8_t bytes[WITNESS_ANSWER_BYTES];
	size_t count;
};

struct witness {
	struct evidence *evidence;
	struct mailbox_server *mailbox;
	struct witness_acts *acts;
	struct settings *settings;
	struct witness_anchor *anchor;
	struct witness_cosign *cosign;
	struct held held[WITNESS_SLOTS];
	size_t held_count;
	bool in_transaction;
	bool failed;
	uint64_t published_us;
	bool full; /* and it was said */
	struct event_wire events[EVENTS_PER_APPEND_MAX];
	struct id ids[EVENTS_PER_APPEND_MAX];
	uint64_t seqs[EVENTS_PER_APPEND_MAX];
};

/* --- witness_transaction_io.c --- */
/* What the evidence said, as an actor hears it. A fault of the disk ends the witness. */
enum verdict witness_verdict(struct witness *w, enum evidence_result result);
/* Begins the transaction, if there is none. */
enum verdict witness_begin(struct witness *w);
/* Holds the answer "verdict, numbers…" to the request in that slot. */
void witness_hold(struct witness *w, uint32_t slot, enum verdict verdict, const uint64_t *numbers,
		  size_t count);
void witness_refuse(struct witness *w, uint32_t slot, enum verdict verdict);
/* Any other answer: written by the caller, then held. */
struct mp_writer witness_answer(struct witness *w);
void witness_hold_answer(struct witness *w, uint32_t slot, const struct mp_writer *answer);
/* The transaction is none any more: all answers that rely on it say so, and what was remembered of
 * it holds no longer. */
void witness_give_up(struct witness *w, enum verdict verdict);
/* Makes it durable and sends what was held. After a fault of the disk nobody hears anything. */
void witness_commit(struct witness *w);

/* --- witness_take_io.c --- */
/* One request: after it, its answer is held. */
void witness_take(struct witness *w, uint32_t slot, struct span request);

#endif
