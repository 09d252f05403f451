#include "gateway/intake_io.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "protocol/log_line_io.h"
#include "protocol/message.h"

enum {
	HEADERS_AT_ONCE = 256,
	KEEPALIVE_S = 30,
	APPEND_BYTES_MAX = CLAIMS_PER_APPEND_MAX * (SEALED_BYTES_MAX + 256) + 256,
	LANE = 0,
};

static struct intake_process *
process_of(struct http_actor *actor)
{
	return (struct intake_process *)actor;
}

/* --- the witness
 * ---------------------------------------------------------------------------------- */

static void
send_claim(struct intake_process *p)
{
	uint8_t bytes[64];
	struct mp_writer w = mp_writer_of(bytes, sizeof bytes);

	mp_put_array(&w, 3);
	mp_put_u64(&w, REQUEST_CLAIM);
	mp_put_u64(&w, STREAM_CLAIMED);
	mp_put_str(&w, "intake", strlen("intake"));
	mailbox_request(p->actor.witness, LANE, mp_written(&w));
	p->claiming = true;
}

/* While the disk is full nobody can claim: asked again at the next tick. */
static void
take_claim(struct intake_process *p, struct span reply)
{
	struct mp_reader r = mp_reader_of(reply);
	enum verdict verdict = REFUSED_MALFORMED;

	p->claiming = false;
	mp_get_array(&r, 4);
	if (!verdict_from_number(mp_get_u64(&r), &verdict) || verdict != ACCEPTED) {
		return;
	}
	const uint64_t epoch = mp_get_u64(&r);
	mp_get_u64(&r); /* the log's size */
	const uint64_t version = mp_get_u64(&r);
	if (mp_reader_is_done(&r)) {
		intake_attach(p->intake, epoch, version);
	}
}

static void
fail(struct intake_process *p, enum verdict verdict)
{
	log_error("an append was not taken: %s: starting over", verdict_text(verdict));
	http_actor_fail(&p->actor);
}

static void
take_replies(struct intake_process *p)
{
	struct span reply;
	size_t lane = 0;

	while (mailbox_reply(p->actor.witness, &lane, &reply)) {
		if (p->claiming) {
			take_claim(p, reply);
			continue;
		}
		const enum verdict verdict = intake_appended(p->intake, reply, intake_http_durable);
		if (verdict != ACCEPTED) {
			fail(p, verdict);
			return;
		}
	}
}

void
intake_pump(struct intake_process *p)
{
	struct mp_writer w = mp_writer_of(p->scratch, APPEND_BYTES_MAX);

	take_replies(p);
	if (!mailbox_lane_is_free(p->actor.witness, LANE)) {
		return;
	}
	if (intake_epoch(p->intake) == 0) {
		send_claim(p);
	} else if (intake_append(p->intake, &w)) {
		mailbox_request(p->actor.witness, LANE, mp_written(&w));
	}
}

/* --- what the loop asks --------------------------------------------------------------------------
 */

static void
pump(struct http_actor *actor)
{
	intake_pump(process_of(actor));
}

static bool
is_idle(const struct http_actor *actor)
{
	return intake_waiting(((const struct intake_process *)actor)->intake) == 0;
}

static uint64_t
epoch(const struct http_actor *actor)
{
	return intake_epoch(((const struct intake_process *)actor)->intake);
}

static void
take_settings(struct http_actor *actor)
{
	process_of(actor)->limit.rate = actor->start->settings->claims_rate;
}

/* --- start ---------------------------------------------------------------------------------------
 */

static void
random_bytes_of(void *bytes, size_t count)
{
	if (getrandom(bytes, count, 0) != (ssize_t)count) {
		log_error("the kernel gives no random bytes: start on a kernel with getrandom");
		abort();
	}
}

static bool
open_tables(struct http_actor *actor)
{
	struct intake_process *p = process_of(actor);
	uint64_t seed;

	random_bytes_of(&seed, sizeof seed);
	limit_init(&p->limit, actor->start->settings->claims_rate, seed);
	p->intake = intake_new(random_bytes_of);
	p->scratch = malloc(APPEND_BYTES_MAX);
	if (p->intake == NULL || p->scratch == NULL) {
		log_error("out of memory at start");
	}
	return p->intake != NULL && p->scratch != NULL;
}

int
intake_run(const struct start *start)
{
	static const struct http_actor_kind kind = {
		.name = "intake",
		.protocol = "claims",
		.callback = intake_http_callback,
		.socket_bytes = sizeof(struct intake_socket),
		.sockets_max = INTAKE_SOCKETS_MAX,
		.headers_at_once = HEADERS_AT_ONCE,
		.keepalive_s = KEEPALIVE_S,
		.lanes = 1,
		.open = open_tables,
		.pump = pump,
		.is_idle = is_idle,
		.epoch = epoch,
		.reloaded = take_settings,
	};
	static struct intake_process process;

	return http_actor_run(&process.actor, &kind, start);
}
