#include "actors/anchor_io.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/anchor_config_io.h"
#include "actors/mailbox_io.h"
#include "actors/reload_io.h"
#include "actors/sandbox_io.h"
#include "actors/signals_io.h"
#include "protocol/log_line_io.h"
#include "protocol/message.h"
#include "protocol/time_io.h"
#include "store/files_io.h"

enum {
	MAILBOX_SLOTS = 8,
	LANE = 0,
	WAIT_MS = 100,
	OFFER_EVERY_US = 500 * 1000,
	REQUEST_BYTES_MAX = ANCHOR_ANSWER_MAX + 64,
	STATUS_BYTES_MAX = ANCHOR_TARGETS_MAX * (ANCHOR_WHY_MAX + POLICY_NAME_MAX + 32) + 16,
};

struct anchor_process {
	const struct start *start;
	struct anchors anchors;
	struct transfer *transfers; /* one for each target */
	struct anchor_http http;
	struct timestamp_trust *trust; /* NULL without an authority */
	struct mailbox_server *mailbox;
	struct mailbox_client *witness;
	enum request asked; /* what is on its way to the log; 0: nothing */
	size_t asked_for;   /* the target */
	uint64_t offered_us;
	bool stopping;
	uint8_t scratch[REQUEST_BYTES_MAX];
};

/* --- what is told --------------------------------------------------------------------------------
 */

/* Once, when it begins to fail; ifswarm status tells how it goes on. */
static void
say_failed(const struct anchor_process *p, size_t at)
{
	const struct anchor_target *target = &p->anchors.targets[at];

	if (target->failures == 1) {
		log_warning("%s %s: %s: it is asked again, the log goes on",
			    target->kind == ANCHOR_WITNESS ? "witness" : "timestamps by",
			    target->kind == ANCHOR_WITNESS ? target->name : target->url,
			    target->why);
	}
}

static void
fail(struct anchor_process *p, size_t at, const char *why)
{
	p->transfers[at].stage = TRANSFER_IDLE;
	anchor_failed(&p->anchors, at, why, time_monotonic_us());
	say_failed(p, at);
}

static void
succeed(struct anchor_process *p, size_t at)
{
	p->transfers[at].stage = TRANSFER_IDLE;
	if (anchor_succeeded(&p->anchors, at, p->transfers[at].size, time_monotonic_us())) {
		log_info("%s answers again", p->anchors.targets[at].name);
	}
}

/* --- HTTP ----------------------------------------------------------------------------------------
 */

static void
send_request(struct anchor_process *p, size_t at)
{
	struct transfer *transfer = &p->transfers[at];

	transfer->stage = TRANSFER_ASKING;
	if (!anchor_http_begin(&p->http, &p->anchors.targets[at], transfer)) {
		fail(p, at, "no request can be made: is the URL one, and is there memory?");
	}
}

/* old line, proof, note. */
static void
send_checkpoint(struct anchor_process *p, size_t at, const struct proof *proof)
{
	struct transfer *t = &p->transfers[at];

	t->request_count = add_checkpoint_head(t->request, p->anchors.targets[at].old, proof);
	memcpy(t->request + t->request_count, t->note, t->note_count);
	t->request_count += t->note_count;
	send_request(p, at);
}

static void
send_query(struct anchor_process *p, size_t at)
{
	struct transfer *t = &p->transfers[at];

	random_bytes(t->nonce, sizeof t->nonce);
	t->request_count =
		timestamp_request((struct span){ (const uint8_t *)t->note, t->note_count },
				  t->nonce, (uint8_t *)t->request);
	send_request(p, at);
}

/* A witness that has seen nothing of us, or this very size, needs no proof. */
static void
begin(struct anchor_process *p, size_t at)
{
	static const struct proof none = { .count = 0 };
	const struct anchor_target *target = &p->anchors.targets[at];
	struct transfer *t = &p->transfers[at];

	t->size = p->anchors.size;
	t->note_count = p->anchors.note_count;
	memcpy(t->note, p->anchors.note, t->note_count);
	if (target->kind == ANCHOR_AUTHORITY) {
		send_query(p, at);
	} else if (target->old == 0 || target->old == t->size) {
		send_checkpoint(p, at, &none);
	} else {
		t->stage = TRANSFER_WANTS_PROOF;
	}
}

static void
take_stamp(struct anchor_process *p, size_t at, unsigned status)
{
	struct transfer *t = &p->transfers[at];
	const struct span note = { (const uint8_t *)t->note, t->note_count };
	char fault[TIMESTAMP_FAULT_MAX];
	uint64_t time_s = 0;

	t->result = (struct span){ t->answer, t->answer_count };
	if (status != 200) {
		snprintf(fault, sizeof fault, "it answers with HTTP status %u", status);
	} else if (timestamp_holds(t->result, note, t->nonce, p->trust, &time_s, fault)) {
		t->stage = TRANSFER_HAS_RESULT;
		return;
	}
	fail(p, at, fault);
}

static void
take_cosignature(struct anchor_process *p, size_t at, unsigned status)
{
	struct transfer *t = &p->transfers[at];
	const struct anchor_answer answer = {
		.size = t->size,
		.note = { (const uint8_t *)t->note, t->note_count },
		.status = status,
		.body = { t->answer, t->answer_count },
	};

	t->stage = TRANSFER_IDLE;
	switch (anchor_answered(&p->anchors, at, &answer, time_monotonic_us(), &t->result)) {
	case ANCHOR_DONE:
		t->stage = TRANSFER_HAS_RESULT;
		break;
	case ANCHOR_AGAIN:
		begin(p, at);
		break;
	case ANCHOR_FAILED:
		say_failed(p, at);
		break;
	}
}

static void
take_answers(struct anchor_process *p)
{
	struct transfer *transfer;
	unsigned status = 0;
	const char *why = NULL;

	anchor_http_work(&p->http);
	while ((transfer = anchor_http_ended(&p->http, &status, &why)) != NULL) {
		const size_t at = (size_t)(transfer - p->transfers);

		if (why != NULL) {
			fail(p, at, why);
		} else if (p->anchors.targets[at].kind == ANCHOR_AUTHORITY) {
			take_stamp(p, at, status);
		} else {
			take_cosignature(p, at, status);
		}
	}
}

/* --- the log -------------------------------------------------------------------------------------
 */

static void
take_offer(struct anchor_process *p, struct mp_reader *r)
{
	const uint64_t size = mp_get_u64(r);
	const uint64_t substance = mp_get_u64(r);
	const struct span note = mp_get_bin(r, CHECKPOINT_BYTES_MAX);

	if (mp_reader_is_done(r)) {
		anchors_offer(&p->anchors, size, substance, note, time_monotonic_us());
	}
}

static void
take_proof(struct anchor_process *p, size_t at, struct mp_reader *r)
{
	struct proof proof;

	proof.count = (uint32_t)mp_get_array(r, ADD_CHECKPOINT_HASHES_MAX);
	for (uint32_t i = 0; i < proof.count && !r->bad; i++) {
		mp_get_fixed(r, proof.hashes[i].bytes, sizeof proof.hashes[i].bytes);
	}
	if (mp_reader_is_done(r)) {
		send_checkpoint(p, at, &proof);
	} else {
		fail(p, at, "the log gives no proof for it");
	}
}

static void
take_reply(struct anchor_process *p, struct span reply)
{
	struct mp_reader r = mp_reader_of(reply);
	const enum request asked = p->asked;
	const size_t at = p->asked_for;
	enum verdict verdict = REFUSED_MALFORMED;

	p->asked = 0;
	mp_get_array(&r, 8);
	if (!verdict_from_number(mp_get_u64(&r), &verdict)) {
		verdict = REFUSED_MALFORMED;
	}
	if (asked == REQUEST_OFFER) {
		if (verdict == ACCEPTED) {
			take_offer(p, &r);
		}
	} else if (verdict != ACCEPTED) {
		fail(p, at, verdict_text(verdict));
	} else if (asked == REQUEST_PROOF) {
		take_proof(p, at, &r);
	} else {
		succeed(p, at);
	}
}

static void
ask(struct anchor_process *p, enum request request, size_t at)
{
	const struct transfer *t = &p->transfers[at];
	struct mp_writer w = mp_writer_of(p->scratch, sizeof p->scratch);

	mp_put_array(&w, request == REQUEST_OFFER ? 1 : 3);
	mp_put_u64(&w, request);
	if (request == REQUEST_PROOF) {
		mp_put_u64(&w, p->anchors.targets[at].old);
		mp_put_u64(&w, t->size);
	} else if (request == REQUEST_COSIGNED) {
		mp_put_u64(&w, t->size);
		mp_put_str(&w, (const char *)t->result.at, t->result.count);
	} else if (request == REQUEST_STAMPED) {
		mp_put_u64(&w, t->size);
		mp_put_bin(&w, t->result.at, t->result.count);
	}
	assert(!w.bad);
	p->asked = request;
	p->asked_for = at;
	mailbox_request(p->witness, LANE, mp_written(&w));
}

/* One question at a time: what was given first, then what others wait for, then what is new. */
static void
ask_next(struct anchor_process *p)
{
	const uint64_t now_us = time_monotonic_us();

	for (size_t at = 0; at < p->anchors.count; at++) {
		if (p->transfers[at].stage == TRANSFER_HAS_RESULT) {
			ask(p,
			    p->anchors.targets[at].kind == ANCHOR_AUTHORITY ? REQUEST_STAMPED
									    : REQUEST_COSIGNED,
			    at);
			return;
		}
	}
	for (size_t at = 0; at < p->anchors.count; at++) {
		if (p->transfers[at].stage == TRANSFER_WANTS_PROOF) {
			ask(p, REQUEST_PROOF, at);
			return;
		}
	}
	if (anchors_want_offer(&p->anchors, now_us) && now_us - p->offered_us >= OFFER_EVERY_US) {
		p->offered_us = now_us;
		ask(p, REQUEST_OFFER, 0);
	}
}

static void
talk_with_log(struct anchor_process *p)
{
	struct span reply;
	size_t lane = 0;

	while (mailbox_reply(p->witness, &lane, &reply)) {
		take_reply(p, reply);
	}
	if (p->asked == 0 && mailbox_lane_is_free(p->witness, LANE)) {
		ask_next(p);
	}
}

/* --- who asks us ---------------------------------------------------------------------------------
 */

static void
write_status(const struct anchor_process *p, struct mp_writer *w)
{
	const bool has_round = p->anchors.size > 0;

	mp_put_array(w, 4);
	mp_put_u64(w, ACCEPTED);
	mp_put_u64(w, p->anchors.size);
	mp_put_u64(w, has_round ? (time_monotonic_us() - p->anchors.begun_us) / 1000000 : 0);
	mp_put_array(w, p->anchors.count);
	for (size_t i = 0; i < p->anchors.count; i++) {
		const struct anchor_target *target = &p->anchors.targets[i];

		mp_put_array(w, 5);
		mp_put_str(w, target->name, strlen(target->name));
		mp_put_u64(w, target->kind == ANCHOR_AUTHORITY);
		mp_put_u64(w, target->done);
		mp_put_u64(w, target->failures);
		mp_put_str(w, target->why, strlen(target->why));
	}
}

static void
take_request(struct anchor_process *p, uint32_t slot, struct span request)
{
	static uint8_t bytes[STATUS_BYTES_MAX];
	struct mp_reader r = mp_reader_of(request);
	struct mp_writer w = mp_writer_of(bytes, sizeof bytes);

	mp_get_array(&r, 1);
	const uint64_t type = mp_get_u64(&r);
	const bool is_read = mp_reader_is_done(&r);
	if (is_read && type == REQUEST_ANCHORS) {
		write_status(p, &w);
	} else {
		const bool known = is_read && (type == REQUEST_PING || type == REQUEST_STOP);
		const bool reloaded =
			reload_is(request) && reload_take(request, p->start->settings);
		mp_put_array(&w, 3);
		mp_put_u64(&w, known || reloaded ? ACCEPTED : REFUSED_MALFORMED);
		mp_put_u64(&w, 0); /* no epoch: it writes no stream */
		mp_put_u64(&w, known);
		p->stopping |= known && type == REQUEST_STOP;
	}
	assert(!w.bad);
	mailbox_answer(p->mailbox, slot, mp_written(&w));
}

/* --- the loop ------------------------------------------------------------------------------------
 */

static void
serve(struct anchor_process *p)
{
	const int fds[] = { mailbox_server_fd(p->mailbox), mailbox_client_fd(p->witness) };

	while (!signals_stop() && !p->stopping) {
		struct span request;
		uint32_t slot;

		while (mailbox_take(p->mailbox, &slot, &request)) {
			take_request(p, slot, request);
		}
		take_answers(p);
		for (size_t at = 0; at < p->anchors.count; at++) {
			if (p->transfers[at].stage == TRANSFER_IDLE &&
			    anchor_is_due(&p->anchors, at, time_monotonic_us())) {
				begin(p, at);
			}
		}
		talk_with_log(p);
		anchor_http_wait(&p->http, fds, 2, WAIT_MS);
	}
}

/* --- start ---------------------------------------------------------------------------------------
 */

static bool
read_config(struct anchor_process *p)
{
	const struct settings *settings = p->start->settings;
	struct policy *policy = malloc(sizeof *policy);
	char fault[ANCHOR_FAULT_MAX] = "out of memory at start";
	bool ok = policy != NULL && anchor_policy_read(settings, policy, fault);

	if (ok) {
		anchors_make(&p->anchors, policy, settings->tsa_url.bytes,
			     settings->anchor_interval, settings->tsa_interval);
		p->transfers = calloc(p->anchors.count + 1, sizeof *p->transfers);
		ok = p->transfers != NULL;
	}
	if (ok && settings->tsa_url.bytes[0] != '\0') {
		p->trust = anchor_trust_read(settings, fault);
		ok = p->trust != NULL;
	}
	free(policy);
	if (!ok) {
		log_error("%s", fault);
	}
	return ok;
}

/* Names are resolved and certificates checked by libraries that read their files each time. */
static bool
enter_sandbox(const char *run_dir)
{
	static const char resolved[] = "/run/systemd/resolve";
	struct sandbox_rules rules = { .readable = { "/etc", "/usr" }, .writable = { run_dir } };

	if (file_exists(resolved)) {
		rules.readable[2] = resolved;
	}
	return sandbox_enter(&rules);
}

static bool
open_mailboxes(struct anchor_process *p)
{
	char url[MAILBOX_URL_MAX];
	char fault[MAILBOX_URL_MAX] = "";

	mailbox_url(url, sizeof url, p->start->run_dir, "witness");
	p->witness = mailbox_dial(url, 1, fault, sizeof fault);
	mailbox_url(url, sizeof url, p->start->run_dir, "anchor");
	p->mailbox =
		p->witness == NULL ? NULL : mailbox_listen(url, MAILBOX_SLOTS, fault, sizeof fault);
	if (p->mailbox == NULL) {
		log_error("%s", fault);
	}
	return p->mailbox != NULL;
}

static void
release(struct anchor_process *p)
{
	for (size_t i = 0; i < p->anchors.count; i++) {
		if (p->transfers[i].easy != NULL) {
			curl_multi_remove_handle(p->http.multi, p->transfers[i].easy);
			curl_easy_cleanup(p->transfers[i].easy);
		}
	}
	free(p->transfers);
	timestamp_trust_free(p->trust);
	anchor_http_close(&p->http);
	mailbox_close(p->mailbox);
	mailbox_hang_up(p->witness);
}

int
anchor_run(const struct start *start)
{
	static struct anchor_process process;

	process.start = start;
	if (!signals_catch() || !read_config(&process) || !enter_sandbox(start->run_dir) ||
	    !anchor_http_open(&process.http) || !open_mailboxes(&process)) {
		return EXIT_FAILURE;
	}
	log_info("%zu witnesses and authorities are shown our checkpoints", process.anchors.count);
	serve(&process);
	release(&process);
	return EXIT_SUCCESS;
}
