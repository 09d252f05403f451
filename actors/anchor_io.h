/* The anchor: shows our checkpoints to witnesses (C2SP tlog-witness) and to a timestamping
 * authority (RFC 3161), over HTTP. It speaks with strangers, so it holds the least: no log, no key,
 * no file but what libcurl needs to resolve a name and to check a certificate. What it brings home
 * is judged again: cosignatures by the witness, tokens by `ifreplay verify`.
 *
 * Nobody waits for it: the log goes on, whatever others do or do not answer.
 *
 * One thread, and those of libcurl that resolve names:
 *   anchor_io.c        starts, asks the log, hands in what was given, runs the loop
 *   anchor_http_io.c   one request to one target, by libcurl
 *   anchor.c           who is to be asked when, and what an answer means
 */
#ifndef IFSWARM_ACTORS_ANCHOR_IO_H
#define IFSWARM_ACTORS_ANCHOR_IO_H

#include <curl/curl.h>

#include "actors/add_checkpoint.h"
#include "actors/anchor.h"
#include "actors/start_io.h"
#include "store/timestamp.h"

enum transfer_stage {
	TRANSFER_IDLE,
	TRANSFER_WANTS_PROOF, /* from the log */
	TRANSFER_ASKING,      /* over HTTP */
	TRANSFER_HAS_RESULT,  /* to be handed in */
};

/* One target's checkpoint on its way. */
struct transfer {
	enum transfer_stage stage;
	uint64_t size;
	size_t note_count;
	char note[CHECKPOINT_BYTES_MAX];
	uint8_t nonce[TIMESTAMP_NONCE_BYTES];
	size_t request_count;
	char request[ADD_CHECKPOINT_BODY_MAX];
	size_t answer_count;
	uint8_t answer[ANCHOR_ANSWER_MAX];
	struct span result; /* in `answer`: a cosignature's line, or the whole response */
	CURL *easy;         /* kept, so that connections are */
	char fault[CURL_ERROR_SIZE];
};
_Static_assert((int)TIMESTAMP_RESPONSE_MAX <= (int)ANCHOR_ANSWER_MAX, "a response fits");
_Static_assert((int)TIMESTAMP_REQUEST_MAX <= (int)ADD_CHECKPOINT_BODY_MAX, "a request fits");

struct anchor_http {
	CURLM *multi;
	struct curl_slist *stamp_headers;
	struct curl_slist *note_headers;
};

/* Runs until SIGTERM or STOP. Returns the process's exit code. */
int anchor_run(const struct start *start);

/* --- anchor_http_io.c --- */
bool anchor_http_open(struct anchor_http *http);
void anchor_http_close(struct anchor_http *http);
/* The transfer's request goes to the target. False without memory. */
bool anchor_http_begin(struct anchor_http *http, const struct anchor_target *target,
		       struct transfer *transfer);
/* Moves everything on; then the next transfer that has ended, or NULL. *why is NULL if an answer
 * came, with its status. */
void anchor_http_work(struct anchor_http *http);
struct transfer *anchor_http_ended(struct anchor_http *http, unsigned *status, const char **why);
/* Waits until something happens to a transfer or one of the descriptors. */
void anchor_http_wait(struct anchor_http *http, const int *fds, size_t count, int timeout_ms);

#endif
