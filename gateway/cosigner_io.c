#include "gateway/cosigner_io.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "actors/anchor_config_io.h"
#include "protocol/log_line_io.h"
#include "protocol/message.h"

enum {
	HEADERS_AT_ONCE = 64,
	KEEPALIVE_S = 60,
	REQUEST_BYTES_MAX = ADD_CHECKPOINT_BODY_MAX + 16,
	STATUS_BUSY = 503,
};

/* --- the witness ---------------------------------------------------------------------------------
 */

bool
cosigner_ask(struct cosigner_process *p, struct cosigner_socket *owner, struct span body)
{
	struct mp_writer w = mp_writer_of(p->scratch, REQUEST_BYTES_MAX);

	for (size_t lane = 0; lane < COSIGNER_LANES; lane++) {
		if (p->lanes[lane].is_taken || !mailbox_lane_is_free(p->actor.witness, lane)) {
			continue;
		}
		mp_put_array(&w, 2);
		mp_put_u64(&w, REQUEST_COSIGN);
		mp_put_bin(&w, body.at, body.count);
		mailbox_request(p->actor.witness, lane, mp_written(&w));
		p->lanes[lane].is_taken = true;
		p->lanes[lane].owner = owner;
		return true;
	}
	return false;
}

void
cosigner_forget(struct cosigner_process *p, const struct cosigner_socket *owner)
{
	for (size_t lane = 0; lane < COSIGNER_LANES; lane++) {
		if (p->lanes[lane].owner == owner) {
			p->lanes[lane].owner = NULL;
		}
	}
}

static void
take_replies(struct http_actor *actor)
{
	struct cosigner_process *p = (struct cosigner_process *)actor;
	struct span reply;
	size_t lane = 0;

	while (mailbox_reply(p->actor.witness, &lane, &reply)) {
		struct cosigner_socket *owner = p->lanes[lane].owner;
		struct mp_reader r = mp_reader_of(reply);
		enum verdict verdict = REFUSED_MALFORMED;

		p->lanes[lane].is_taken = false;
		p->lanes[lane].owner = NULL;
		mp_get_array(&r, 3);
		const bool is_known = verdict_from_number(mp_get_u64(&r), &verdict);
		const uint64_t status = mp_get_u64(&r);
		const struct span text = mp_get_str(&r, COSIGNER_TEXT_MAX);
		if (owner == NULL) {
			continue;
		}
		if (is_known && verdict == ACCEPTED && mp_reader_is_done(&r)) {
			cosigner_http_answer(owner, (unsigned)status, text);
		} else {
			cosigner_http_answer(owner, STATUS_BUSY, (struct span){ NULL, 0 });
		}
	}
}

/* --- start ---------------------------------------------------------------------------------------
 */

static bool
open_tables(struct http_actor *actor)
{
	struct cosigner_process *p = (struct cosigner_process *)actor;
	char fault[ANCHOR_FAULT_MAX];
	uint64_t seed = 0;

	if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed ||
	    (p->scratch = malloc(REQUEST_BYTES_MAX)) == NULL) {
		log_error("no memory or no random bytes at start");
		return false;
	}
	limit_init(&p->limit, COSIGNER_RATE, seed);
	if (!anchor_logs_read(actor->start->settings, &p->logs, fault)) {
		log_error("%s", fault);
		return false;
	}
	return true;
}

int
cosigner_run(const struct start *start)
{
	static const struct http_actor_kind kind = {
		.name = "cosigner",
		.protocol = "cosigner",
		.callback = cosigner_http_callback,
		.socket_bytes = sizeof(struct cosigner_socket),
		.sockets_max = COSIGNER_SOCKETS_MAX,
		.headers_at_once = HEADERS_AT_ONCE,
		.keepalive_s = KEEPALIVE_S,
		.lanes = COSIGNER_LANES,
		.open = open_tables,
		.pump = take_replies,
	};
	static struct cosigner_process process;

	return http_actor_run(&process.actor, &kind, start);
}
