/* The intake as a process: HTTP by libwebsockets on libuv, claims to the witness, answers when they
 * are durable. A process of its own, so that a flood of claims slows no signaling, and what it
 * reads first reaches a process that holds neither the log, nor keys, nor anybody's session.
 *
 * One thread:
 *   http_actor_io.c   starts, runs the loop, stops
 *   intake_io.c       claims stream 5, hands claims to the witness
 *   intake_http_io.c  one HTTP request: who may send, how much, what is answered
 *   intake.c          what waits, and what goes to the witness
 */
#ifndef IFSWARM_GATEWAY_INTAKE_IO_H
#define IFSWARM_GATEWAY_INTAKE_IO_H

#include "actors/relay_limit.h"
#include "gateway/answer_io.h"
#include "gateway/body_io.h"
#include "gateway/http_actor_io.h"
#include "gateway/intake.h"

enum { INTAKE_SOCKETS_MAX = 512 };

struct intake_facts {
	uint64_t requests;
	uint64_t accepted;        /* claims */
	uint64_t refused_request; /* requests, by reason */
	uint64_t refused_token;
	uint64_t refused_rate;
	uint64_t refused_busy;
};

struct intake_process {
	struct http_actor actor; /* first */
	struct intake *intake;
	struct limit limit;
	struct intake_facts facts;
	uint8_t *scratch; /* one APPEND */
	bool claiming;    /* the CLAIM is on its way */
};

/* Runs until SIGTERM or STOP. Returns the process's exit code. */
int intake_run(const struct start *start);

/* Something waits for the witness. */
void intake_pump(struct intake_process *process);

/* --- intake_http_io.c --- */
/* What libwebsockets keeps for each connection. */
struct intake_socket {
	struct lws *wsi;
	struct answer answer;
	struct body body;
	unsigned refusal; /* the status that was decided before the body came; 0 none */
	bool waits;       /* for the witness */
	struct claims_report report;
};
int intake_http_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
			 size_t length);
/* An intake_tell. */
void intake_http_durable(void *owner, const uint64_t *seqs, size_t count);

#endif
