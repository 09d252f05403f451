/* The cosigner: our witness endpoint (C2SP tlog-witness, POST /add-checkpoint) as a process. It
 * turns away what can be judged without state, and asks the witness for the rest, which judges all
 * of it again, logs what it cosigns, and has the key. So what strangers reach holds neither the
 * log, nor a key, nor what was cosigned before.
 *
 * One thread:
 *   http_actor_io.c     starts, runs the loop, stops
 *   cosigner_io.c       hands bodies to the witness
 *   cosigner_http_io.c  one HTTP request
 */
#ifndef IFSWARM_GATEWAY_COSIGNER_IO_H
#define IFSWARM_GATEWAY_COSIGNER_IO_H

#include "actors/add_checkpoint.h"
#include "actors/relay_limit.h"
#include "gateway/answer_io.h"
#include "gateway/body_io.h"
#include "gateway/http_actor_io.h"

enum {
	COSIGNER_SOCKETS_MAX = 128,
	COSIGNER_RATE = 50, /* requests a second from one address */
	COSIGNER_LANES =
		4, /* bodies that the witness has at once: beyond, senders are asked to wait */
	COSIGNER_TEXT_MAX = 512,
};

/* What libwebsockets keeps for each connection. */
struct cosigner_socket {
	struct lws *wsi;
	struct answer answer;
	struct body body;
	unsigned refusal; /* the status that was decided before the body came; 0 none */
	bool waits;       /* for the witness */
};

struct cosigner_facts {
	uint64_t cosigned;
	uint64_t stale;
	uint64_t refused;
	uint64_t refused_rate;
	uint64_t refused_busy;
};

struct cosigner_process {
	struct http_actor actor; /* first */
	struct policy logs;
	struct limit limit;
	struct cosigner_facts facts;
	struct {
		bool is_taken;
		struct cosigner_socket *owner; /* NULL once it has gone */
	} lanes[COSIGNER_LANES];
	uint8_t *scratch; /* one COSIGN */
};

/* Runs until SIGTERM or STOP. Returns the process's exit code. */
int cosigner_run(const struct start *start);
/* Hands a body to the witness; false if all lanes are taken. */
bool cosigner_ask(struct cosigner_process *process, struct cosigner_socket *owner,
		  struct span body);
/* That owner has gone. */
void cosigner_forget(struct cosigner_process *process, const struct cosigner_socket *owner);

/* --- cosigner_http_io.c --- */
int cosigner_http_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
			   size_t length);
/* The witness has answered. */
void cosigner_http_answer(struct cosigner_socket *socket, unsigned status, struct span text);

#endif
