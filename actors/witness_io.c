#include "actors/witness_io.h"

#include <assert.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/mailbox_io.h"
#include "actors/reload_io.h"
#include "actors/sandbox_io.h"
#include "actors/signals_io.h"
#include "actors/witness.h"
#include "actors/witness_acts_io.h"
#include "actors/witness_anchor_io.h"
#include "actors/witness_cosign_io.h"
#include "protocol/log_line_io.h"
#include "protocol/time_io.h"
#include "store/evidence_io.h"

enum {
	SLOTS = 64,
	ANSWER_BYTES = 64 + 9 * CLAIMS_PER_APPEND_MAX,
	PUBLISH_US = 1000 * 1000,
	IDLE_MS = 100,
	ACTS_RECALLED = 64,
	REQUEST_ELEMENTS_MAX = 8,
};

/* The answer to one request of the current transaction; it leaves when that is durable. */
struct held {
	uint32_t slot;
	uint8_t bytes[ANSWER_BYTES];
	size_t count;
};

struct witness {
	struct evidence *evidence;
	struct mailbox_server *mailbox;
	struct witness_acts *acts;
	struct settings *settings;
	struct witness_anchor *anchor;
	struct witness_cosign *cosign;
	struct held held[SLOTS];
	size_t held_count;
	bool in_transaction;
	bool failed;
	uint64_t published_us;
	bool full; /* and it was said */
	struct event_wire events[EVENTS_PER_APPEND_MAX];
	struct id ids[EVENTS_PER_APPEND_MAX];
	uint64_t seqs[EVENTS_PER_APPEND_MAX];
};

/* Said once; evidence_io.h tells what happens meanwhile. */
static void
say_full(struct witness *w)
{
	if (!w->full) {
		log_error("the disk is full: new work is refused, running calls go on: make room "
			  "where "
			  "the data directory lies");
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

static enum verdict
verdict_of(struct witness *w, enum evidence_result result)
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

static void
hold(struct witness *w, uint32_t slot, enum verdict verdict, const uint64_t *numbers, size_t count)
{
	assert(w->held_count < SLOTS);
	struct held *held = &w->held[w->held_count++];
	struct mp_writer answer = mp_writer_of(held->bytes, sizeof held->bytes);

	mp_put_array(&answer, 1 + count);
	mp_put_u64(&answer, verdict);
	for (size_t i = 0; i < count; i++) {
		mp_put_u64(&answer, numbers[i]);
	}
	held->slot = slot;
	held->count = mp_written(&answer).count;
}

/* What is durable with the transaction. Who writes claims tells each sender its seqs. */
static void
hold_appended(struct witness *w, uint32_t slot, const struct witness_append *append)
{
	struct held *held = &w->held[w->held_count];
	const uint64_t numbers[] = { w->seqs[append->count - 1], evidence_size(w->evidence) };

	hold(w, slot, ACCEPTED, numbers, 2);
	if (append->stream != STREAM_CLAIMED) {
		return;
	}
	struct mp_writer answer = mp_writer_of(held->bytes, sizeof held->bytes);
	mp_put_array(&answer, 4);
	mp_put_u64(&answer, ACCEPTED);
	mp_put_u64(&answer, numbers[0]);
	mp_put_u64(&answer, numbers[1]);
	mp_put_array(&answer, append->count);
	for (size_t i = 0; i < append->count; i++) {
		mp_put_u64(&answer, w->seqs[i]);
	}
	assert(!answer.bad);
	held->count = mp_written(&answer).count;
}

static void
refuse(struct witness *w, uint32_t slot, enum verdict verdict)
{
	hold(w, slot, verdict, NULL, 0);
}

/* A transaction that was given up takes every answer that relied on it along. */
static void
refuse_all(struct witness *w, enum verdict verdict)
{
	const size_t count = w->held_count;

	w->held_count = 0;
	for (size_t i = 0; i < count; i++) {
		const uint32_t slot = w->held[i].slot;
		refuse(w, slot, verdict);
	}
}

/* The transaction is none any more, and what was remembered of it holds no longer. */
static void
give_up(struct witness *w, enum verdict verdict)
{
	w->in_transaction = false;
	refuse_all(w, verdict);
	witness_anchor_settled(w->anchor, false);
	witness_cosign_forget(w->cosign);
}

static enum verdict
begin(struct witness *w)
{
	if (w->in_transaction) {
		return ACCEPTED;
	}
	const enum verdict verdict = verdict_of(w, evidence_begin(w->evidence));
	w->in_transaction = verdict == ACCEPTED;
	return verdict;
}

static void
take_claim(struct witness *w, struct mp_reader *r, uint32_t slot)
{
	char writer[TEXT_BYTES_MAX + 1] = "";
	const uint64_t stream = mp_get_u64(r);
	const struct span name = mp_get_str(r, TEXT_BYTES_MAX);
	uint64_t epoch = 0;

	if (!mp_reader_is_done(r) || !witness_stream_is_open(stream) || name.count == 0) {
		refuse(w, slot, REFUSED_MALFORMED);
		return;
	}
	memcpy(writer, name.at, name.count);
	enum verdict verdict = begin(w);
	if (verdict == ACCEPTED) {
		verdict = verdict_of(
			w, evidence_claim(w->evidence, stream, writer, time_now_us(), &epoch));
	}
	if (verdict != ACCEPTED) {
		give_up(w, verdict);
		refuse(w, slot, verdict);
		return;
	}
	const uint64_t numbers[] = { epoch, evidence_size(w->evidence),
				     evidence_stream_head(w->evidence, stream).version };
	hold(w, slot, ACCEPTED, numbers, 3);
}

/* It was appended before, and the writer has not heard: the first result again. */
static void
answer_repeated(struct witness *w, const struct witness_append *append, uint32_t slot)
{
	const size_t count = evidence_recall(w->evidence, append->stream, append->version, w->ids,
					     w->seqs, append->count);

	if (!witness_same_commands(append, w->ids, count)) {
		refuse(w, slot, REFUSED_VERSION);
		return;
	}
	hold_appended(w, slot, append);
}

static enum verdict
append_events(struct witness *w, const struct witness_append *append)
{
	const uint64_t now_us = time_now_us();
	enum verdict verdict = begin(w);

	for (size_t i = 0; i < append->count && verdict == ACCEPTED; i++) {
		verdict = verdict_of(w, evidence_append(w->evidence, append->stream, append->epoch,
							&append->events[i], now_us, &w->seqs[i]));
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
		refuse(w, slot, verdict);
		return;
	}
	if (repeated) {
		answer_repeated(w, &append, slot);
		return;
	}
	verdict = append_events(w, &append);
	if (verdict != ACCEPTED) {
		if (verdict == REFUSED_NOT_CANONICAL) {
			verdict_of(w, evidence_rollback(w->evidence));
		}
		give_up(w, REFUSED_SUSPENDED);
		refuse(w, slot, verdict);
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
		refuse(w, slot, verdict);
		return;
	}
	if (!act_was_logged(w, &act.command_id, &seq)) {
		verdict = begin(w);
		if (verdict == ACCEPTED) {
			verdict = verdict_of(w, evidence_append(w->evidence, STREAM_WITNESS, epoch,
								&act, time_now_us(), &seq));
		}
	}
	if (verdict != ACCEPTED) {
		give_up(w, REFUSED_SUSPENDED);
		refuse(w, slot, verdict);
		return;
	}
	const uint64_t numbers[] = { seq, evidence_size(w->evidence) };
	hold(w, slot, ACCEPTED, numbers, 2);
}

/* --- anchors: the witness's own events, which others made it say --- */

static void
take_offer(struct witness *w, struct mp_reader *r, uint32_t slot, enum request kind)
{
	struct held *held = &w->held[w->held_count++];
	struct mp_writer answer = mp_writer_of(held->bytes, sizeof held->bytes);

	if (kind == REQUEST_OFFER) {
		witness_anchor_offer(w->anchor, r, &answer);
	} else {
		witness_anchor_prove(w->anchor, r, &answer);
	}
	assert(!answer.bad);
	held->slot = slot;
	held->count = mp_written(&answer).count;
}

/* False if it could not be: then the slot has its refusal. */
static bool
note_own(struct witness *w, const struct event *event, uint32_t slot)
{
	enum verdict verdict = begin(w);

	if (verdict == ACCEPTED) {
		verdict = verdict_of(w, evidence_note(w->evidence, event, time_now_us()));
	}
	if (verdict == ACCEPTED) {
		return true;
	}
	give_up(w, REFUSED_SUSPENDED);
	refuse(w, slot, verdict);
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
		refuse(w, slot, verdict);
	} else if (known || note_own(w, &event, slot)) {
		const uint64_t size = evidence_size(w->evidence);
		hold(w, slot, ACCEPTED, &size, 1);
	}
}

/* The cosignature leaves with the transaction that logs what it was given for. */
static void
take_cosign(struct witness *w, struct mp_reader *r, uint32_t slot)
{
	struct cosign_answer given;
	const enum verdict verdict = witness_cosign_judge(w->cosign, r, &given);

	if (verdict != ACCEPTED) {
		refuse(w, slot, verdict);
		return;
	}
	if (given.is_new && !note_own(w, &given.event, slot)) {
		return;
	}
	struct held *held = &w->held[w->held_count++];
	struct mp_writer answer = mp_writer_of(held->bytes, sizeof held->bytes);
	mp_put_array(&answer, 3);
	mp_put_u64(&answer, ACCEPTED);
	mp_put_u64(&answer, given.status);
	mp_put_str(&answer, given.text, strlen(given.text));
	assert(!answer.bad);
	held->slot = slot;
	held->count = mp_written(&answer).count;
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

static void
commit_and_answer(struct witness *w)
{
	if (w->in_transaction) {
		w->in_transaction = false;
		const enum verdict verdict = verdict_of(w, evidence_commit(w->evidence));
		if (verdict != ACCEPTED) {
			give_up(w, verdict);
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

static void
take_snapshot(struct witness *w, struct mp_reader *r, uint32_t slot)
{
	const uint64_t stream = mp_get_u64(r);
	const uint64_t epoch = mp_get_u64(r);
	const uint64_t version = mp_get_u64(r);
	const struct span dump = mp_get_bin(r, MESSAGE_BYTES_MAX);
	const struct span annex = mp_get_bin(r, MESSAGE_BYTES_MAX);

	if (!mp_reader_is_done(r) || !witness_stream_is_open(stream)) {
		refuse(w, slot, REFUSED_MALFORMED);
		return;
	}
	if (epoch != evidence_stream_head(w->evidence, stream).epoch) {
		refuse(w, slot, REFUSED_STALE_EPOCH);
		return;
	}
	/* A snapshot is not evidence, and has a transaction of its own. */
	commit_and_answer(w);
	if (!w->failed) {
		refuse(w, slot,
		       verdict_of(w, evidence_snapshot_put(w->evidence, stream, version, dump,
							   annex)));
	}
}

static void
take_status(struct witness *w, uint32_t slot)
{
	struct digest root;
	struct held *held = &w->held[w->held_count++];
	struct mp_writer answer = mp_writer_of(held->bytes, sizeof held->bytes);

	evidence_root(w->evidence, &root);
	mp_put_array(&answer, 3);
	mp_put_u64(&answer, ACCEPTED);
	mp_put_u64(&answer, evidence_size(w->evidence));
	mp_put_bin(&answer, root.bytes, sizeof root.bytes);
	held->slot = slot;
	held->count = mp_written(&answer).count;
}

static void
take_ping(struct witness *w, uint32_t slot)
{
	const uint64_t epoch = evidence_stream_head(w->evidence, STREAM_WITNESS).epoch;

	hold(w, slot, evidence_is_suspended(w->evidence) ? REFUSED_SUSPENDED : ACCEPTED, &epoch, 1);
}

static void
take_erase(struct witness *w, struct mp_reader *r, uint32_t slot)
{
	uint64_t numbers[WITNESS_ACT_NUMBERS];
	size_t count = 0;
	const enum verdict verdict = witness_acts_erase(w->acts, r, numbers, &count);

	hold(w, slot, verdict, numbers, count);
}

static void
take_retain(struct witness *w, struct mp_reader *r, uint32_t slot)
{
	uint64_t numbers[WITNESS_ACT_NUMBERS];
	size_t count = 0;
	const enum verdict verdict = witness_acts_retain(w->acts, r, numbers, &count);

	hold(w, slot, verdict, numbers, count);
}

static void
take(struct witness *w, uint32_t slot, struct span request)
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
		commit_and_answer(w);
		take_status(w, slot);
		break;
	case REQUEST_RELOAD:
		/* Of what a reload changes only the log level is ours. */
		refuse(w, slot, reload_take(request, w->settings) ? ACCEPTED : REFUSED_MALFORMED);
		break;
	case REQUEST_PING:
		take_ping(w, slot);
		break;
	default:
		refuse(w, slot, REFUSED_MALFORMED);
		break;
	}
}

static void
publish_if_due(struct witness *w)
{
	const uint64_t now_us = time_monotonic_us();

	if (now_us - w->published_us >= PUBLISH_US && evidence_is_publish_due(w->evidence) &&
	    evidence_read_only(w->evidence) == NULL) {
		w->published_us = now_us;
		verdict_of(w, evidence_publish(w->evidence));
	}
}

static void
serve(struct witness *w)
{
	struct pollfd waits = { .fd = mailbox_server_fd(w->mailbox), .events = POLLIN };

	while (!signals_stop() && !w->failed) {
		struct span request;
		uint32_t slot = 0;
		while (w->held_count < SLOTS && !w->failed &&
		       mailbox_take(w->mailbox, &slot, &request)) {
			take(w, slot, request);
		}
		if (!w->failed) {
			commit_and_answer(w);
		}
		if (!w->failed) {
			publish_if_due(w);
		}
		bool works = !w->failed && witness_acts_step(w->acts, &w->failed);
		works |= !w->failed && witness_cosign_step(w->cosign);
		if (!w->failed && poll(&waits, 1, works ? 0 : IDLE_MS) == 0) {
			verdict_of(w, evidence_idle(w->evidence));
		}
	}
}

static bool
open_all(struct witness *w, const char *run_dir, struct settings *settings)
{
	char fault[EVIDENCE_FAULT_MAX];
	char url[MAILBOX_URL_MAX];
	char origin[TEXT_BYTES_MAX + 1];
	const struct sandbox_rules rules = { .writable = { settings->data_dir.bytes, run_dir } };

	snprintf(origin, sizeof origin, "ifswarm.local/%.48s", settings->node.bytes);
	const struct evidence_options options = {
		.directory = settings->data_dir.bytes,
		.origin = origin,
		.wrap_key_file = settings->wrap_key_file.bytes,
		.now_us = time_now_us(),
	};
	if (!evidence_open(&options, &w->evidence, fault, sizeof fault)) {
		log_error("%s", fault);
		return false;
	}
	if (evidence_read_only(w->evidence) != NULL) {
		log_error("the log is served read-only: %s", evidence_read_only(w->evidence));
	}
	w->anchor = witness_anchor_new(w->evidence, settings);
	w->cosign = witness_cosign_new(w->evidence, settings);
	if (w->anchor == NULL || w->cosign == NULL || !sandbox_enter(&rules)) {
		return false;
	}
	mailbox_url(url, sizeof url, run_dir, "witness");
	w->mailbox = mailbox_listen(url, SLOTS, fault, sizeof fault);
	if (w->mailbox == NULL) {
		log_error("%s", fault);
		return false;
	}
	w->settings = settings;
	const struct retain_order retain = { settings->retain_payload_days,
					     settings->retain_envelope_months };
	w->acts = witness_acts_new(w->evidence, &retain);
	log_info("serving %s with %llu events", origin,
		 (unsigned long long)evidence_size(w->evidence));
	return true;
}

int
witness_run(const char *run_dir, struct settings *settings)
{
	struct witness *w = calloc(1, sizeof *w);

	if (w == NULL || !signals_catch()) {
		log_error("out of memory at start");
		free(w);
		return 1;
	}
	const bool opened = open_all(w, run_dir, settings);
	if (opened) {
		serve(w);
		if (w->failed) {
			log_error("%s", evidence_fault(w->evidence));
		}
		mailbox_close(w->mailbox);
	}
	witness_acts_free(w->acts);
	witness_anchor_free(w->anchor);
	witness_cosign_free(w->cosign);
	const bool failed = w->failed;
	evidence_close(w->evidence, time_now_us());
	free(w);
	return opened && !failed ? 0 : 1;
}
