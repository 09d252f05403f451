#include "actors/loop_io.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "actors/child_io.h"
#include "actors/desk.h"
#include "actors/mailbox_io.h"
#include "actors/recover_io.h"
#include "actors/reload_io.h"
#include "actors/sandbox_io.h"
#include "actors/signals_io.h"
#include "protocol/log_line_io.h"
#include "protocol/time_io.h"

enum {
	SLOTS = 64,
	TICK_US = 100 * 1000,
	CLAIM_WAIT_MS = 1000,
	CLAIM_TRIES = 30,
	CLOSE_WAIT_US = 8 * 1000 * 1000,
	LANE_APPEND = 0,
	LANE_SNAPSHOT = 1,
	WITNESS_LANES = 2,
};
_Static_assert((int)DESK_ANSWERS_MAX >= (int)SLOTS,
	       "every request that can be taken can wait for its answer");

struct loop {
	const struct loop_options *options;
	struct desk desk;
	struct mailbox_server *mailbox;
	struct mailbox_client *witness;
	uint8_t *scratch; /* one message */
	uint64_t ticked_us;
	bool failed;
	bool is_hopeless; /* the claim was refused for good */
	pid_t parent;     /* the supervisor */
};

struct claim {
	uint64_t epoch;
	uint64_t size;
	uint64_t version;
};

/* Sends one request and waits for its reply, over the connection that stays. */
static enum verdict
ask_claim(struct loop *loop, struct claim *out)
{
	uint8_t request[128];
	struct mp_writer w = mp_writer_of(request, sizeof request);
	struct pollfd waits = { .fd = mailbox_client_fd(loop->witness), .events = POLLIN };
	struct text name;
	struct span reply;
	enum verdict verdict = REFUSED_MALFORMED;
	size_t lane = 0;

	text_set(&name, loop->options->name);
	mp_put_array(&w, 3);
	mp_put_u64(&w, REQUEST_CLAIM);
	mp_put_u64(&w, loop->options->core->stream);
	mp_put_str(&w, name.bytes, name.length);
	if (mailbox_lane_is_free(loop->witness, LANE_APPEND)) {
		mailbox_request(loop->witness, LANE_APPEND, mp_written(&w));
	}
	if (poll(&waits, 1, CLAIM_WAIT_MS) <= 0 || !mailbox_reply(loop->witness, &lane, &reply)) {
		return REFUSED_SUSPENDED;
	}
	struct mp_reader r = mp_reader_of(reply);
	mp_get_array(&r, 4);
	if (!verdict_from_number(mp_get_u64(&r), &verdict) || verdict != ACCEPTED) {
		return verdict;
	}
	out->epoch = mp_get_u64(&r);
	out->size = mp_get_u64(&r);
	out->version = mp_get_u64(&r);
	return mp_reader_is_done(&r) ? ACCEPTED : REFUSED_MALFORMED;
}

/* The witness may not be there yet, or the disk may be full: both pass. A log that is served
 * read-only stays so until its witness starts over another one. */
static bool
claim_stream(struct loop *loop, struct claim *claim)
{
	for (int tries = 0; tries < CLAIM_TRIES && !signals_stop(); tries++) {
		const enum verdict verdict = ask_claim(loop, claim);
		if (verdict == ACCEPTED) {
			return true;
		}
		loop->is_hopeless = verdict == REFUSED_READ_ONLY;
		if (verdict != REFUSED_SUSPENDED) {
			log_error("the witness refuses the claim of stream %s: %s",
				  stream_name(loop->options->core->stream), verdict_text(verdict));
			return false;
		}
		poll(NULL, 0, CLAIM_WAIT_MS / 10);
	}
	log_error("the witness did not take the claim of stream %s: see its own lines above",
		  stream_name(loop->options->core->stream));
	return false;
}

static bool
recover_state(struct loop *loop, const struct claim *claim, struct recovered *recovered)
{
	char fault[512];
	const struct settings *settings = loop->options->settings;
	const struct recovery recovery = {
		.data_dir = settings->data_dir.bytes,
		.wrap_key_file = settings->wrap_key_file.bytes,
		.version = claim->version,
		.to_seq = claim->size,
		.use_snapshot = true,
	};

	if (!recover(&recovery, loop->options->core, recovered, fault, sizeof fault)) {
		log_error("cannot rebuild the state: %s", fault);
		return false;
	}
	log_info("epoch %llu, rebuilt from %llu events after the snapshot",
		 (unsigned long long)claim->epoch, (unsigned long long)recovered->events);
	return true;
}

static bool
open_all(struct loop *loop)
{
	char url[MAILBOX_URL_MAX];
	char fault[512];
	uint8_t tail[6];
	struct claim claim = { 0 };
	struct recovered recovered = { 0 };
	const struct sandbox_rules nothing = { .writable = { loop->options->run_dir } };

	mailbox_url(url, sizeof url, loop->options->run_dir, "witness");
	loop->witness = mailbox_dial(url, WITNESS_LANES, fault, sizeof fault);
	loop->scratch = malloc(MESSAGE_BYTES_MAX);
	if (loop->witness == NULL || loop->scratch == NULL) {
		log_error("%s", loop->witness == NULL ? fault : "out of memory at start");
		return false;
	}
	if (!claim_stream(loop, &claim) || !recover_state(loop, &claim, &recovered) ||
	    !sandbox_enter(&nothing)) {
		return false;
	}
	if (getrandom(tail, sizeof tail, 0) != sizeof tail ||
	    !desk_init(&loop->desk, loop->options->core, claim.epoch, claim.version,
		       loop->options->settings->snapshot_events, tail)) {
		log_error("out of memory at start");
		return false;
	}
	if (recovered.is_lasting) {
		desk_snapshot_soon(&loop->desk);
	}
	mailbox_url(url, sizeof url, loop->options->run_dir, loop->options->name);
	loop->mailbox = mailbox_listen(url, SLOTS, fault, sizeof fault);
	if (loop->mailbox == NULL) {
		log_error("%s", fault);
		return false;
	}
	return true;
}

static void
take_reload(struct loop *loop, uint32_t slot, struct span request)
{
	const struct loop_options *options = loop->options;
	const bool taken = reload_take(request, options->settings);
	uint8_t bytes[16];
	struct mp_writer w = mp_writer_of(bytes, sizeof bytes);

	if (taken && options->reload != NULL) {
		options->reload(options->core->state, options->settings);
	}
	mp_put_array(&w, 2);
	mp_put_u64(&w, taken ? ACCEPTED : REFUSED_MALFORMED);
	mp_put_u64(&w, loop->desk.epoch);
	mailbox_answer(loop->mailbox, slot, mp_written(&w));
}

/* Only fronts and the supervisor, who run as our own user, and operators may ask. */
static void
refuse(struct loop *loop, uint32_t slot)
{
	uint8_t bytes[16];
	struct mp_writer w = mp_writer_of(bytes, sizeof bytes);

	mp_put_array(&w, 2);
	mp_put_u64(&w, REFUSED_OPERATOR);
	mp_put_u64(&w, loop->desk.epoch);
	mailbox_answer(loop->mailbox, slot, mp_written(&w));
}

static void
take_requests(struct loop *loop)
{
	struct span request;
	uint32_t slot = 0;

	while (!desk_is_busy(&loop->desk) && mailbox_take(loop->mailbox, &slot, &request)) {
		if (!mailbox_sender_is_operator(loop->mailbox, slot)) {
			refuse(loop, slot);
		} else if (reload_is(request)) {
			take_reload(loop, slot, request);
		} else {
			desk_take(&loop->desk, request, slot, time_now_us());
		}
	}
}

/* A snapshot that was refused (the witness was restarted meanwhile, the disk is full) costs time at
 * the next start and nothing else. */
static void
note_snapshot(struct span reply)
{
	struct mp_reader r = mp_reader_of(reply);

	mp_get_array(&r, 1);
	if (mp_get_u64(&r) != ACCEPTED || r.bad) {
		log_warning("the snapshot was not kept: the next start reads more of the log");
	}
}

static void
take_replies(struct loop *loop)
{
	struct span reply;
	size_t lane = 0;

	while (mailbox_reply(loop->witness, &lane, &reply)) {
		if (lane == LANE_SNAPSHOT) {
			note_snapshot(reply);
			continue;
		}
		const enum verdict verdict = desk_appended(&loop->desk, reply);
		if (verdict != ACCEPTED) {
			log_error("an append was not taken: %s: starting over from the log",
				  verdict_text(verdict));
			loop->failed = true;
			return;
		}
	}
}

static void
send_what_is_due(struct loop *loop)
{
	struct mp_writer w = mp_writer_of(loop->scratch, MESSAGE_BYTES_MAX);
	uint64_t ticket = 0;

	if (mailbox_lane_is_free(loop->witness, LANE_APPEND) && desk_append(&loop->desk, &w)) {
		mailbox_request(loop->witness, LANE_APPEND, mp_written(&w));
	}
	w = mp_writer_of(loop->scratch, MESSAGE_BYTES_MAX);
	if (mailbox_lane_is_free(loop->witness, LANE_SNAPSHOT) && desk_snapshot(&loop->desk, &w)) {
		mailbox_request(loop->witness, LANE_SNAPSHOT, mp_written(&w));
	}
	w = mp_writer_of(loop->scratch, MESSAGE_BYTES_MAX);
	while (desk_answer(&loop->desk, time_now_us(), &ticket, &w)) {
		mailbox_answer(loop->mailbox, (uint32_t)ticket, mp_written(&w));
		w = mp_writer_of(loop->scratch, MESSAGE_BYTES_MAX);
	}
}

static void
turn(struct loop *loop)
{
	struct pollfd waits[] = {
		{ .fd = mailbox_client_fd(loop->witness), .events = POLLIN },
		{ .fd = mailbox_server_fd(loop->mailbox), .events = POLLIN },
	};
	const nfds_t watched = desk_is_busy(&loop->desk) ? 1 : 2;

	poll(waits, watched, TICK_US / 1000);
	take_replies(loop);
	if (loop->failed) {
		return;
	}
	take_requests(loop);
	const uint64_t now_us = time_now_us();
	if (now_us - loop->ticked_us >= TICK_US) {
		loop->ticked_us = now_us;
		desk_tick(&loop->desk, now_us);
	}
	send_what_is_due(loop);
}

/* The orderly end: everything ends in the log, with the digest of what is left. */
static void
end_in_order(struct loop *loop)
{
	const uint64_t deadline_us = time_monotonic_us() + CLOSE_WAIT_US;
	bool closed = false;

	if (getppid() != loop->parent) {
		/* The supervisor was killed, and the witness went with it: a crash is a restart. */
		log_warning("the supervisor is gone: stopped at once, the next start ends what is "
			    "open");
		return;
	}
	while (!loop->failed && time_monotonic_us() < deadline_us) {
		closed = desk_close(&loop->desk, time_now_us());
		if (closed && desk_is_idle(&loop->desk) &&
		    mailbox_lane_is_free(loop->witness, LANE_SNAPSHOT)) {
			return;
		}
		turn(loop);
	}
	log_warning("stopped before everything was in the log: the next start ends what is open");
}

int
loop_run(const struct loop_options *options)
{
	struct loop *loop = calloc(1, sizeof *loop);

	if (loop == NULL || !signals_catch()) {
		log_error("out of memory at start");
		free(loop);
		return 1;
	}
	loop->options = options;
	loop->parent = getppid();
	const bool opened = open_all(loop);
	if (opened) {
		while (!signals_stop() && !loop->failed) {
			turn(loop);
		}
		if (!loop->failed) {
			end_in_order(loop);
		}
		mailbox_close(loop->mailbox);
		desk_free(&loop->desk);
	}
	if (loop->witness != NULL) {
		mailbox_hang_up(loop->witness);
	}
	const int code = loop->is_hopeless         ? CHILD_EXIT_HOPELESS
			 : opened && !loop->failed ? EXIT_SUCCESS
						   : EXIT_FAILURE;
	free(loop->scratch);
	free(loop);
	return code;
}
