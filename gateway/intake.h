/* The intake's pure half: claims wait in the order they came, go to the witness in one append at a
 * time (what comes meanwhile gathers: group commit without timers), and are answered with their
 * seqs once they are durable. The intake is the one writer of stream 5; it knows no log and no key.
 *
 * A reporter's name has a random handle as long as it is among the newest so many names: later it
 * gets another one.
 */
#ifndef IFSWARM_GATEWAY_INTAKE_H
#define IFSWARM_GATEWAY_INTAKE_H

#include "gateway/claim.h"
#include "protocol/mp.h"
#include "protocol/verdict.h"

enum {
	INTAKE_QUEUE_BYTES_MAX = 32 * 1024 * 1024, /* of claims that wait: beyond, senders wait */
	INTAKE_REPORTERS = 4096,
};

struct intake;

/* `random` fills bytes that nobody can guess. NULL without memory. */
struct intake *intake_new(void (*random)(void *bytes, size_t count));
void intake_free(struct intake *intake);

/* The stream was claimed: this is the writer's epoch, and the version of its next event. */
void intake_attach(struct intake *intake, uint64_t epoch, uint64_t version);
/* The epoch; 0 before. */
uint64_t intake_epoch(const struct intake *intake);

enum intake_result {
	INTAKE_WAITS,   /* it is queued: `owner` is told when it is durable */
	INTAKE_REFUSED, /* `report` says why */
	INTAKE_FULL,    /* too much waits: try again later */
};
/* All claims of one body, or none. */
enum intake_result intake_take(struct intake *intake, struct span body,
			       const struct address *client, uint64_t now_us, void *owner,
			       struct claims_report *report);
/* That owner has gone: its claims are logged all the same. */
void intake_forget(struct intake *intake, const void *owner);
/* How many claims wait. */
size_t intake_waiting(const struct intake *intake);

/* Writes the next APPEND; false if nothing waits or one is on its way. */
bool intake_append(struct intake *intake, struct mp_writer *w);
/* Its reply. Owners are told in order, with the seqs of their claims.
 * Anything else than ACCEPTED: whether it was logged is not known, and the process must end. */
typedef void intake_tell(void *owner, const uint64_t *seqs, size_t count);
enum verdict intake_appended(struct intake *intake, struct span reply, intake_tell *tell);

#endif
