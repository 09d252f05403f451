#include "actors/operator_log_io.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "actors/mailbox_io.h"
#include "protocol/log_line_io.h"
#include "protocol/message.h"
#include "protocol/time_io.h"
#include "protocol/uuid.h"

enum {
	QUEUE_MAX = 256,
	PER_APPEND_MAX = 32,
	EVENT_BYTES = 2560,
	REQUEST_BYTES = PER_APPEND_MAX * EVENT_BYTES,
	RETRY_US = 1000000
};
_Static_assert((int)EVENT_BYTES > (int)JSON_BYTES_MAX + 2 * (int)NAME_BYTES_MAX + 512,
	       "an act fits, with its ids and texts");

enum progress { UNCLAIMED, CLAIMING, IDLE, APPENDING };

struct operator_log {
	struct mailbox_client *witness;
	struct uuid_generator ids;
	enum progress progress;
	uint64_t retry_us;    /* after a refusal: not before */
	enum verdict refusal; /* the last, until there is none */
	uint64_t epoch;
	uint64_t version; /* of the stream: what the next append expects */
	uint64_t durable; /* how many have left the queue into the log */
	size_t first;     /* the queue: a ring */
	size_t count;
	size_t in_flight; /* the first so many of the queue are being appended */
	struct event queue[QUEUE_MAX];
};

struct operator_log *
operator_log_open(const char *run_dir)
{
	char url[MAILBOX_URL_MAX];
	char fault[MAILBOX_URL_MAX];
	struct operator_log *log = calloc(1, sizeof *log);

	assert(log != NULL);
	mailbox_url(url, sizeof url, run_dir, "witness");
	log->witness = mailbox_dial(url, 1, fault, sizeof fault);
	if (log->witness == NULL) {
		log_error("%s", fault);
		free(log);
		return NULL;
	}
	const ssize_t got = getrandom(log->ids.tail, sizeof log->ids.tail, 0);

	assert(got == (ssize_t)sizeof log->ids.tail);
	return log;
}

static void
set_cut(struct text *out, const char *word)
{
	char cut[TEXT_BYTES_MAX + 1];

	snprintf(cut, sizeof cut, "%s", word);
	text_set(out, cut);
}

/* A free place, with its time and id; NULL if there is none. */
static struct event *
queue_event(struct operator_log *log, enum event_type type)
{
	const uint64_t now_us = time_now_us();
	struct event *event;

	if (log->count == QUEUE_MAX) {
		return NULL;
	}
	event = &log->queue[(log->first + log->count++) % QUEUE_MAX];
	*event = (struct event){ .type = type,
				 .occurred_us = now_us,
				 .command_id = uuid_next(&log->ids, now_us / 1000) };
	return event;
}

uint64_t
operator_log_act(struct operator_log *log, const struct event_operator_acted *act)
{
	struct event *event = queue_event(log, EVENT_OPERATOR_ACTED);

	if (event == NULL) {
		return 0;
	}
	event->operator_acted = *act;
	return log->durable + log->count;
}

uint64_t
operator_log_refused(struct operator_log *log, const struct event_operator_refused *act)
{
	struct event *event = queue_event(log, EVENT_OPERATOR_REFUSED);

	if (event == NULL) {
		return 0;
	}
	event->operator_refused = *act;
	return log->durable + log->count;
}

bool
operator_log_has(const struct operator_log *log, uint64_t number)
{
	return log->durable >= number;
}

void
operator_log_note(struct operator_log *log, enum event_type type, const char *actor,
		  const char *detail)
{
	struct event *event = queue_event(log, type);

	if (event == NULL) {
		log_warning("the witness is down for long: %s of %s is not in the log",
			    event_describe(type)->name, actor);
		return;
	}
	/* All deployment events have the same two fields. */
	assert(event_describe(type)->stream == STREAM_OPERATOR);
	set_cut(&event->cluster_stopped.actor, actor);
	set_cut(&event->cluster_stopped.detail, detail);
}

static void
send_claim(struct operator_log *log)
{
	uint8_t bytes[64];
	struct mp_writer w = mp_writer_of(bytes, sizeof bytes);

	mp_put_array(&w, 3);
	mp_put_u64(&w, REQUEST_CLAIM);
	mp_put_u64(&w, STREAM_OPERATOR);
	mp_put_str(&w, "supervisor", strlen("supervisor"));
	assert(!w.bad);
	mailbox_request(log->witness, 0, mp_written(&w));
	log->progress = CLAIMING;
}

static void
send_append(struct operator_log *log)
{
	static uint8_t bytes[REQUEST_BYTES];
	struct mp_writer w = mp_writer_of(bytes, sizeof bytes);

	log->in_flight = log->count < PER_APPEND_MAX ? log->count : PER_APPEND_MAX;
	mp_put_array(&w, 5);
	mp_put_u64(&w, REQUEST_APPEND);
	mp_put_u64(&w, STREAM_OPERATOR);
	mp_put_u64(&w, log->epoch);
	mp_put_u64(&w, log->version);
	mp_put_array(&w, log->in_flight);
	for (size_t i = 0; i < log->in_flight; i++) {
		event_write(&w, &log->queue[(log->first + i) % QUEUE_MAX]);
	}
	assert(!w.bad);
	mailbox_request(log->witness, 0, mp_written(&w));
	log->progress = APPENDING;
}

static enum verdict
read_verdict(struct mp_reader *r, size_t elements)
{
	enum verdict verdict = REFUSED_MALFORMED;

	if (mp_get_array(r, elements) == 0 || !verdict_from_number(mp_get_u64(r), &verdict)) {
		return REFUSED_MALFORMED;
	}
	return verdict;
}

/* Said once for each reason, tried again every second. */
static void
refused(struct operator_log *log, const char *what, enum verdict verdict)
{
	if (verdict != log->refusal) {
		log_warning("the witness refuses %s: %s", what, verdict_text(verdict));
	}
	log->refusal = verdict;
	log->retry_us = time_monotonic_us() + RETRY_US;
}

static void
take_claim(struct operator_log *log, struct span reply)
{
	struct mp_reader r = mp_reader_of(reply);
	const enum verdict verdict = read_verdict(&r, 4);

	log->progress = UNCLAIMED;
	if (verdict != ACCEPTED) {
		refused(log, "the supervisor's stream", verdict);
		return;
	}
	log->refusal = ACCEPTED;
	const uint64_t epoch = mp_get_u64(&r);
	mp_get_u64(&r); /* the log's size */
	const uint64_t version = mp_get_u64(&r);

	if (!r.bad) {
		log->epoch = epoch;
		log->version = version;
		log->progress = IDLE;
	}
}

static void
take_append(struct operator_log *log, struct span reply)
{
	struct mp_reader r = mp_reader_of(reply);
	const enum verdict verdict = read_verdict(&r, 3);

	if (verdict == ACCEPTED) {
		log->version += log->in_flight;
		log->durable += log->in_flight;
		log->first = (log->first + log->in_flight) % QUEUE_MAX;
		log->count -= log->in_flight;
		log->progress = IDLE;
	} else {
		refused(log, "deployment events", verdict);
		log->progress = UNCLAIMED;
	}
	log->in_flight = 0;
}

void
operator_log_work(struct operator_log *log)
{
	struct span reply;
	size_t lane;

	while (mailbox_reply(log->witness, &lane, &reply)) {
		if (log->progress == CLAIMING) {
			take_claim(log, reply);
		} else if (log->progress == APPENDING) {
			take_append(log, reply);
		}
	}
	if (log->count == 0 || time_monotonic_us() < log->retry_us) {
		return;
	}
	if (log->progress == UNCLAIMED) {
		send_claim(log);
	} else if (log->progress == IDLE) {
		send_append(log);
	}
}

int
operator_log_fd(const struct operator_log *log)
{
	return mailbox_client_fd(log->witness);
}

bool
operator_log_is_empty(const struct operator_log *log)
{
	return log->count == 0;
}

bool
operator_log_is_in_vain(const struct operator_log *log)
{
	return log->refusal == REFUSED_READ_ONLY;
}

uint64_t
operator_log_epoch(const struct operator_log *log)
{
	return log->epoch;
}

void
operator_log_close(struct operator_log *log)
{
	mailbox_hang_up(log->witness);
	free(log);
}
