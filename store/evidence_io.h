/* The evidence as its one writer sees it: the witness actor opens it, appends events in
 * transactions, and publishes checkpoints. One process, one thread, one connection that also does
 * every WAL checkpoint (DESIGN section 11). A lock on the data directory keeps a second writer out.
 *
 * A data directory (0700), made at the first start:
 *
 *   witness.db, keys.db, head, log.vkey, ballast, pub/, private/log.key, private/wrap.key (0600)
 *
 * Life of an append:
 *
 *   evidence_begin, evidence_append ..., evidence_commit      durable when commit says EVIDENCE_OK
 *
 * New data keys are durable in keys.db before the log that uses them is, and their key_created
 * events stand before the event that uses them. So one append may take up to three seqs.
 *
 * When the disk is full the transaction is rolled back, the ballast is freed once so that
 * log_suspended can be written, and every begin says EVIDENCE_FULL until there is room for a new
 * ballast; then log_resumed is written and appends go on. Any other fault of the disk is final:
 * EVIDENCE_FAILED, evidence_fault says what happened, and the process must end without
 * acknowledging anything. It is never tried again on the same descriptor, because the kernel may
 * have dropped what it could not write.
 */
#ifndef IFSWARM_STORE_EVIDENCE_IO_H
#define IFSWARM_STORE_EVIDENCE_IO_H

#include "protocol/event.h"

enum { EVIDENCE_FAULT_MAX = 512 };

struct evidence_options {
	const char *directory;     /* DATA */
	const char *origin;        /* "ifswarm.local/node1"; must be that of an existing log */
	const char *wrap_key_file; /* NULL or "": DATA/private/wrap.key */
	uint64_t now_us;
};

struct evidence;

/* Opens the evidence, or makes it: log_created, then type_declared for every event type. Types that
 * a newer program added are declared, and witness_started is logged (clean 1 after an orderly
 * stop). False, with `fault` saying what is wrong, where, and what to do, if there is no evidence
 * to be had: a foreign, truncated or newer file, another origin, a lost wrap key or keys.db,
 * another writer. If the log does not extend the published head, it opens read-only
 * (evidence_read_only). */
bool evidence_open(const struct evidence_options *options, struct evidence **out, char *fault,
		   size_t fault_size);

/* NULL if it can be written; else why it must not be, with the range that is missing. Nothing can
 * be appended, signed or published then. */
const char *evidence_read_only(const struct evidence *evidence);
/* What the last EVIDENCE_FAILED was about. */
const char *evidence_fault(const struct evidence *evidence);
/* True once anything said EVIDENCE_FAILED. */
bool evidence_has_failed(const struct evidence *evidence);
/* True while the disk is full. */
bool evidence_is_suspended(const struct evidence *evidence);

/* Events in the log, those of an open transaction included. */
uint64_t evidence_size(const struct evidence *evidence);
/* The tree's root over them. */
void evidence_root(const struct evidence *evidence, struct digest *out);

struct stream_head {
	uint64_t version;  /* of the next event of that stream */
	uint64_t epoch;    /* of its writer; 0: never claimed */
	uint64_t last_seq; /* of its last event; meaningless while version is 0 */
};
/* stream: 1 to STREAMS - 1. */
struct stream_head evidence_stream_head(const struct evidence *evidence, uint64_t stream);

enum evidence_result {
	EVIDENCE_OK,
	EVIDENCE_REFUSED,   /* this event cannot be logged (see evidence_append); roll back */
	EVIDENCE_FULL,      /* the disk is full; the transaction is rolled back */
	EVIDENCE_READ_ONLY, /* see evidence_read_only */
	EVIDENCE_FAILED,    /* final; see evidence_fault */
};

/* Opens a transaction. */
enum evidence_result evidence_begin(struct evidence *evidence);

/* Appends one event to its stream and gives its seq. seq, stream_version, recorded_us and nonce are
 * assigned here; recorded_us never decreases, and a clock that steps back by more than a second is
 * logged. Personal parts are sealed under their subject's key of the month, which is made if need
 * be. cause_back counts events of this transaction, those appended by this call only.
 * EVIDENCE_REFUSED: a personal part without a subject, or a cause_back beyond the transaction's
 * start. The epoch is not below the stream's: who may append what is the caller's to decide,
 * before. */
enum evidence_result evidence_append(struct evidence *evidence, uint64_t stream, uint64_t epoch,
				     const struct event_wire *event, uint64_t now_us,
				     uint64_t *seq);
/* The witness's own: appends `event` to stream 3 under the witness's epoch. */
enum evidence_result evidence_note(struct evidence *evidence, const struct event *event,
				   uint64_t now_us);
/* Gives the stream a new writer: its epoch grows by one and stream_claimed is logged. Within a
 * transaction; counts once the commit says EVIDENCE_OK. */
enum evidence_result evidence_claim(struct evidence *evidence, uint64_t stream, const char *writer,
				    uint64_t now_us, uint64_t *epoch);

/* Makes the transaction durable: keys.db first, then witness.db, each with its fsync. */
enum evidence_result evidence_commit(struct evidence *evidence);
/* Gives the transaction up, after a refusal. */
enum evidence_result evidence_rollback(struct evidence *evidence);

/* For repeated appends: the command ids and seqs of the stream's events with version, version + 1
 * and so on up to its head, at most `most` of them (either array may be NULL). Returns how many; 0
 * if there are none or they lie more than 4 * EVENTS_PER_APPEND_MAX log rows back. */
size_t evidence_recall(struct evidence *evidence, uint64_t stream, uint64_t version,
		       struct id *command_ids, uint64_t *seqs, size_t most);

/* Signs a checkpoint over what is committed, and keeps it: in the log's table, in `head` (fsync),
 * in pub/ with its tiles and entries. Not within a transaction. Does nothing if the newest
 * checkpoint covers all events already. At most once a second is the caller's duty. */
enum evidence_result evidence_publish(struct evidence *evidence);

/* Something was logged since that is more than what others said of the checkpoint itself. */
bool evidence_is_publish_due(const struct evidence *evidence);

/* For gaps when nothing waits: moves the WAL into the database if enough has gathered. A commit
 * does it too once the WAL has reached its bound. */
enum evidence_result evidence_idle(struct evidence *evidence);

/* Keeps a snapshot of a stream's state, with the personal annex sealed; the newest two are kept.
 * EVIDENCE_REFUSED unless the stream's newest state digest event in the log is for this version and
 * SHA-256(dump). Not within a transaction. */
enum evidence_result evidence_snapshot_put(struct evidence *evidence, uint64_t stream,
					   uint64_t version, struct span dump, struct span annex);

/* witness_stopped, a last checkpoint, and everything closed and freed. After EVIDENCE_FAILED, or
 * when it is read-only, it only frees. NULL is ignored. */
void evidence_close(struct evidence *evidence, uint64_t now_us);

#endif
