#include <assert.h>
#include <string.h>

#include "actors/reload_io.h"
#include "actors/witness.h"
#include "actors/witness_process_io.h"
#include "protocol/time_io.h"

enum { ACTS_RECALLED = 64, REQUEST_ELEMENTS_MAX = 8 };

/* What is durable with the transaction. Who writes claims tells each sender its seqs. */
static void
hold_appended(struct witness *w, uint32_t slot, const struct witness_append *append)
{
	const bool tells_seqs = append->stream == STREAM_CLAIMED;
	struct mp_writer answer = witness_answer(w);

	mp_put_array(&answer, tells_seqs ? 4 : 3);
	mp_put_u64(&answer, ACCEPTED);
	mp_put_u64(&answer, w->seqs[append->count - 1]);
	mp_put_u64(&answer, evidence_size(w->evidence));
	if (tells_seqs) {
		mp_put_array(&answer, append->count);
		for (size_t i = 0; i < append->count; i++) {
			mp_put_u64(&answer, w->seqs[i]);
		}
	}
	witness_hold_answer(w, slot, &answer);
}

static void
take_claim(struct witness *w, struct mp_reader *r, uint32_t slot)
{
	char writer[TEXT_BYTES_MAX + 1] = "";
	const uint64_t stream = mp_get_u64(r);
	const struct span name = mp_get_str(r, TEXT_BYTES_MAX);
	uint64_t epoch = 0;

	if (!mp_reader_is_done(r) || !witness_stream_is_open(stream) || name.count == 0) {
		witness_refuse(w, slot, REFUSED_MALFORMED);
		return;
	}
	memcpy(writer, name.at, name.count);
	enum verdict verdict = witness_begin(w);
	if (verdict == ACCEPTED) {
		verdict = witness_verdict(
			w, evidence_claim(w->evidence, stream, writer, time_now_us(), &epoch));
	}
	if (verdict != ACCEPTED) {
		witness_give_up(w, verdict);
		witness_refuse(w, slot, verdict);
		return;
	}
	const uint64_t numbers[] = { epoch, evidence_size(w->evidence),
				     evidence_stream_head(w->evidence, stream).version };
	witness_hold(w, slot, ACCEPTED, numbers, 3);
}

/* It was appended before, and the writer has not heard: the first result again. */
static void
answer_repeated(struct witness *w, const struct witness_append *append, uint32_t slot)
{
	const size_t count = evidence_recall(w->evidence, append->stream, append->version, w->ids,
					     w->seqs, append->count);

	if (!witness_same_commands(append, w->ids, count)) {
		witness_refuse(w, slot, REFUSED_VERSION);
		return;
	}
	hold_appended(w, slot, append);
}

static enum verdict
append_events(struct witness *w, const struct witness_append *append)
{
	const uint64_t now_us = time_now_us();
	enum verdict verdict = witness_begin(w);

	for (size_t i = 0; i < append->count && verdict == ACCEPTED; i++) {
		verdict = witness_verdict(w, evidence_append(w->evidence, append->stream,
							     append->epoch, &append->events[i],
							     now_us, &w->seqs[i]));
	}
	return verdict;
}

static void
take_append(struct witness *w, struct mp_reader *r, uint32_t slot)
{
	struct witness_append append = { .events = w->events };
	enum verdict verdict = witness_read_append(r, &append);
	bool repeated = false;

	if (verdict == ACCEPTED) {
		const struct stream_head head = evidence_stream_head(w->evidence, append.stream);
		verdict = witness_check(
			&append, (struct witness_stream){ head.version, head.epoch }, &repeated);
	}
	if (verdict != ACCEPTED) {
		witness_refuse(w, slot, verdict);
		return;
	}
	if (repeated) {
		answer_repeated(w, &append, slot);
		return;
	}
	verdict = append_events(w, &append);
	if (verdict != ACCEPTED) {
		if (verdict == REFUSED_NOT_CANONICAL) {
			witness_verdict(w, evidence_rollback(w->evidence));
		}
		witness_give_up(w, REFUSED_SUSPENDED);
		witness_refuse(w, slot, verdict);
		return;
	}
	hold_appended(w, slot, &append);
}

/* nng sends an act again when the witness dies before it answers: the newest of our own events tell
 * whether it was logged. */
static bool
act_was_logged(struct witness *w, const struct id *command_id, uint64_t *seq)
{
	const uint64_t version = evidence_stream_head(w->evidence, STREAM_WITNESS).version;
	const uint64_t first = version > ACTS_RECALLED ? version - ACTS_RECALLED : 0;
	const size_t count =
		evidence_recall(w->evidence, STREAM_WITNESS, first, w->ids, w->seqs, ACTS_RECALLED);

	for (size_t i = 0; i < count; i++) {
		if (id_equal(&w->ids[i], command_id)) {
			*seq = w->seqs[i];
			return true;
		}
	}
	return false;
}

static void
take_act(struct witness *w, struct mp_reader *r, uint32_t slot)
{
	const uint64_t epoch = evidence_stream_head(w->evidence, STREAM_WITNESS).epoch;
	struct event_wire act = { 0 };
	uint64_t seq = 0;
	enum verdict verdict = witness_read_act(r, &act);

	if (verdict != ACCEPTED) {
		witness_refuse(w, slot, verdict);
		return;
	}
	if (!act_was_logged(w, &act.command_id, &seq)) {
		verdict = witness_begin(w);
		if (verdict == ACCEPTED) {
			verdict = witness_verdict(w, evidence_append(w->evidence, STREAM_WITNESS,
								     epoch, &act, time_now_us(),
								     &seq));
		}
	}
	if (verdict != ACCEPTED) {
		witness_give_up(w, REFUSED_SUSPENDED);
		witness_refuse(w, slot, verdict);
		return;
	}
	const uint64_t numbers[] = { seq, evidence_size(w->evidence) };
	witness_hold(w, slot, ACCEPTED, numbers, 2);
}

static void
take_offer(struct witness *w, struct mp_reader *r, uint32_t slot, enum request kind)
{
	struct mp_writer answer = witness_answer(w);

	if (kind == REQUEST_OFFER) {
		witness_anchor_offer(w->anchor, r, &answer);
	} else {
		witness_anchor_prove(w->anchor, r, &answer);
	}
	witness_hold_answer(w, slot, &answer);
}

/* False if it could not be: then the slot has its refusal. */
static bool
note_own(struct witness *w, const struct event *event, uint32_t slot)
{
	enum verdict verdict = witness_begin(w);

	if (verdict == ACCEPTED) {
		verdict = witness_verdict(w, evidence_note(w->evidence, event, time_now_us()));
	}
	if (verdict == ACCEPTED) {
		return true;
	}
	witness_give_up(w, REFUSED_SUSPENDED);
	witness_refuse(w, slot, verdict);
	return false;
}

static void
take_anchored(struct witness *w, struct mp_reader *r, uint32_t slot, enum request kind)
{
	struct event event;
	bool known = false;
	const enum verdict verdict = kind == REQUEST_COSIGNED
					     ? witness_anchor_cosigned(w->anchor, r, &event, &known)
					     : witness_anchor_stamped(w->anchor, r, &event, &known);

	if (verdict != ACCEPTED) {
		witness_refuse(w, slot, verdict);
	} else if (known || note_own(w, &event, slot)) {
		const uint64_t size = evidence_size(w->evidence);
		witness_hold(w, slot, ACCEPTED, &size, 1);
	}
}

/* The cosignature leaves with the transaction that logs what it was given for. */
static void
take_cosign(struct witness *w, struct mp_reader *r, uint32_t slot)
{
	struct cosign_answer given;
	const enum verdict verdict = witness_cosign_judge(w->cosign, r, &given);

	if (verdict != ACCEPTED) {
		witness_refuse(w, slot, verdict);
		return;
	}
	if (given.is_new && !note_own(w, &given.event, slot)) {
		return;
	}
	struct mp_writer answer = witness_answer(w);
	mp_put_array(&answer, 3);
	mp_put_u64(&answer, ACCEPTED);
	mp_put_u64(&answer, given.status);
	mp_put_str(&answer, given.text, strlen(given.text));
	witness_hold_answer(w, slot, &answer);
}

static void
take_snapshot(struct witness *w, struct mp_reader *r, uint32_t slot)
{
	const uint64_t stream = mp_get_u64(r);
	const uint64_t epoch = mp_get_u64(r);
	const uint64_t version = mp_get_u64(r);
	const struct span dump = mp_get_bin(r, MESSAGE_BYTES_MAX);
	const struct span annex = mp_get_bin(r, MESSAGE_BYTES_MAX);

	if (!mp_reader_is_done(r) || !witness_stream_is_open(stream)) {
		witness_refuse(w, slot, REFUSED_MALFORMED);
		return;
	}
	if (epoch != evidence_stream_head(w->evidence, stream).epoch) {
		witness_refuse(w, slot, REFUSED_STALE_EPOCH);
		return;
	}
	/* A snapshot is not evidence, and has a transaction of its own. */
	witness_commit(w);
	if (!w->failed) {
		witness_refuse(w, slot,
			       witness_verdict(w, evidence_snapshot_put(w->evidence, stream,
									version, dump, annex)));
	}
}

static void
take_status(struct witness *w, uint32_t slot)
{
	struct digest root;
	struct mp_writer answer = witness_answer(w);

	evidence_root(w->evidence, &root);
	mp_put_array(&answer, 3);
	mp_put_u64(&answer, ACCEPTED);
	mp_put_u64(&answer, evidence_size(w->evidence));
	mp_put_bin(&answer, root.bytes, sizeof root.bytes);
	witness_hold_answer(w, slot, &answer);
}

static void
take_ping(struct witness *w, uint32_t slot)
{
	const uint64_t epoch = evidence_stream_head(w->evidence, STREAM_WITNESS).epoch;

	witness_hold(w, slot, evidence_is_suspended(w->evidence) ? REFUSED_SUSPENDED : ACCEPTED,
		     &epoch, 1);
}

static void
take_erase(struct witness *w, struct mp_reader *r, uint32_t slot)
{
	uint64_t numbers[WITNESS_ACT_NUMBERS];
	size_t count = 0;
	const enum verdict verdict = witness_acts_erase(w->acts, r, numbers, &count);

	witness_hold(w, slot, verdict, numbers, count);
}

static void
take_retain(struct witness *w, struct mp_reader *r, uint32_t slot)
{
	uint64_t numbers[WITNESS_ACT_NUMBERS];
	size_t count = 0;
	const enum verdict verdict = witness_acts_retain(w->acts, r, numbers, &count);

	witness_hold(w, slot, verdict, numbers, count);
}

void
witness_take(struct witness *w, uint32_t slot, struct span request)
{
	struct mp_reader r = mp_reader_of(request);

	mp_get_array(&r, REQUEST_ELEMENTS_MAX);
	const uint64_t kind = mp_get_u64(&r);
	switch (kind) {
	case REQUEST_CLAIM:
		take_claim(w, &r, slot);
		break;
	case REQUEST_APPEND:
		take_append(w, &r, slot);
		break;
	case REQUEST_ACT:
		take_act(w, &r, slot);
		break;
	case REQUEST_ERASE:
		take_erase(w, &r, slot);
		break;
	case REQUEST_RETAIN:
		take_retain(w, &r, slot);
		break;
	case REQUEST_OFFER:
	case REQUEST_PROOF:
		take_offer(w, &r, slot, (enum request)kind);
		break;
	case REQUEST_COSIGNED:
	case REQUEST_STAMPED:
		take_anchored(w, &r, slot, (enum request)kind);
		break;
	case REQUEST_COSIGN:
		take_cosign(w, &r, slot);
		break;
	case REQUEST_SNAPSHOT:
		take_snapshot(w, &r, slot);
		break;
	case REQUEST_LOG_STATUS:
		/* Only what is durable is told. */
		witness_commit(w);
		take_status(w, slot);
		break;
	case REQUEST_RELOAD:
		/* Of what a reload changes only the log level is ours. */
		witness_refuse(w, slot,
			       reload_take(request, w->settings) ? ACCEPTED : REFUSED_MALFORMED);
		break;
	case REQUEST_PING:
		take_ping(w, slot);
		break;
	default:
		witness_refuse(w, slot, REFUSED_MALFORMED);
		break;
	}
}
