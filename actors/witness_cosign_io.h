/* Our own witness (C2SP tlog-witness): what we have cosigned of others' logs, and the key that does
 * it. `ifswarm-cosigner` brings the bodies and has neither.
 *
 * What was cosigned last of each log is an event of our log before the cosignature leaves, and is
 * read back from there: from its end backwards, a piece between two requests, until every log of
 * witness-logs is found or the beginning is reached. A log that is not found yet is asked to wait
 * (503): nothing is cosigned on a guess, after a kill either.
 *
 *   DATA/private/witness.key    the seed
 *   DATA/witness.vkey           what the others put into their policy.txt
 *
 * Both are made at the first start, whether or not a log is witnessed, so that keys can be
 * exchanged before anything is configured.
 */
#ifndef IFSWARM_ACTORS_WITNESS_COSIGN_IO_H
#define IFSWARM_ACTORS_WITNESS_COSIGN_IO_H

#include "protocol/message.h"
#include "protocol/settings.h"
#include "store/cosignature.h"
#include "store/evidence_io.h"

struct witness_cosign;

/* NULL if the key or the list cannot be read: it was logged. Without witness-port it knows no log,
 * and a lost key is only said. */
struct witness_cosign *witness_cosign_new(struct evidence *evidence,
					  const struct settings *settings);
void witness_cosign_free(struct witness_cosign *cosign);

struct cosign_answer {
	uint64_t status;                 /* of HTTP */
	char text[COSIGNATURE_LINE_MAX]; /* the body: the cosignature, or the size of a 409 */
	bool is_new;                     /* `event` is to be logged with it */
	struct event event;
};
/* What follows [COSIGN. */
enum verdict witness_cosign_judge(struct witness_cosign *cosign, struct mp_reader *r,
				  struct cosign_answer *out);
/* A transaction was given up: what was remembered is read again. */
void witness_cosign_forget(struct witness_cosign *cosign);
/* Reads on, outside any transaction; true if there is more to read. */
bool witness_cosign_step(struct witness_cosign *cosign);

#endif
