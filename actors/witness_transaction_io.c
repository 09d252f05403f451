#include <assert.h>
#include <stdlib.h>

#include "actors/witness_process_io.h"
#include "protocol/log_line_io.h"

/* Said once; evidence_io.h tells what happens meanwhile. */
static void
say_full(struct witness *w)
{
	if (!w->full) {
		log_error("the disk is full: new work is refused, running calls go on: make room "
			  "where the data directory lies");
	}
	w->full = true;
}

static void
say_resumed(struct witness *w)
{
	if (w->full && !evidence_is_suspended(w->evidence)) {
		log_info("there is room on the disk again: work goes on");
		w->full = false;
	}
}

enum verdict
witness_verdict(struct witness *w, enum evidence_result result)
{
	switch (result) {
	case EVIDENCE_OK:
		return ACCEPTED;
	case EVIDENCE_REFUSED:
		return REFUSED_NOT_CANONICAL;
	case EVIDENCE_FULL:
		say_full(w);
		return REFUSED_SUSPENDED;
	case EVIDENCE_READ_ONLY:
		return REFUSED_READ_ONLY;
	case EVIDENCE_FAILED:
		w->failed = true;
		return REFUSED_SUSPENDED;
	}
	abort();
}

struct mp_writer
witness_answer(struct witness *w)
{
	assert(w->held_count < WITNESS_SLOTS);
	struct held *held = &w->held[w->held_count];

	return mp_writer_of(held->bytes, sizeof held->bytes);
}

void
witness_hold_answer(struct witness *w, uint32_t slot, const struct mp_writer *answer)
{
	assert(!answer->bad);
	struct held *held = &w->held[w->held_count++];

	held->slot = slot;
	held->count = mp_written(answer).count;
}

void
witness_hold(struct witness *w, uint32_t slot, enum verdict verdict, const uint64_t *numbers,
	     size_t count)
{
	struct mp_writer answer = witness_answer(w);

	mp_put_array(&answer, 1 + count);
	mp_put_u64(&answer, verdict);
	for (size_t i = 0; i < count; i++) {
		mp_put_u64(&answer, numbers[i]);
	}
	witness_hold_answer(w, slot, &answer);
}

void
witness_refuse(struct witness *w, uint32_t slot, enum verdict verdict)
{
	witness_hold(w, slot, verdict, NULL, 0);
}

/* A transaction that was given up takes every answer that relied on it along. */
static void
refuse_all(struct witness *w, enum verdict verdict)
{
	const size_t count = w->held_count;

	w->held_count = 0;
	for (size_t i = 0; i < count; i++) {
		const uint32_t slot = w->held[i].slot;
		witness_refuse(w, slot, verdict);
	}
}

void
witness_give_up(struct witness *w, enum verdict verdict)
{
	w->in_transaction = false;
	refuse_all(w, verdict);
	witness_anchor_settled(w->anchor, false);
	witness_cosign_forget(w->cosign);
}

enum verdict
witness_begin(struct witness *w)
{
	if (w->in_transaction) {
		return ACCEPTED;
	}
	const enum verdict verdict = witness_verdict(w, evidence_begin(w->evidence));
	w->in_transaction = verdict == ACCEPTED;
	return verdict;
}

static void
send_held(struct witness *w)
{
	for (size_t i = 0; i < w->held_count; i++) {
		mailbox_answer(w->mailbox, w->held[i].slot,
			       (struct span){ w->held[i].bytes, w->held[i].count });
	}
	w->held_count = 0;
}

void
witness_commit(struct witness *w)
{
	if (w->in_transaction) {
		w->in_transaction = false;
		const enum verdict verdict = witness_verdict(w, evidence_commit(w->evidence));
		if (verdict != ACCEPTED) {
			witness_give_up(w, verdict);
		} else {
			witness_anchor_settled(w->anchor, true);
		}
		say_resumed(w);
	}
	/* After a fault of the disk nobody hears anything: whether it was written is not known. */
	if (!w->failed) {
		send_held(w);
	}
}
