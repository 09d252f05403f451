/* What the evidence holds between calls: shared by the evidence_*_io.c files, and by nobody else.
 */
#ifndef IFSWARM_STORE_EVIDENCE_STATE_IO_H
#define IFSWARM_STORE_EVIDENCE_STATE_IO_H

#include "protocol/uuid.h"
#include "store/checkpoint.h"
#include "store/evidence_io.h"
#include "store/files_io.h"
#include "store/keys_io.h"
#include "store/log_io.h"
#include "store/merkle.h"

enum { RANDOM_POOL_BYTES = 4096, CLOCK_STEP_US = 1000 * 1000 };

/* Random bytes, drawn from the kernel a page at a time: an event needs about a hundred. */
struct random_pool {
	size_t left;
	uint8_t bytes[RANDOM_POOL_BYTES];
};

/* The newest state digest of a stream: what a snapshot must match. */
struct state_digest {
	bool known;
	uint64_t version;
	uint64_t seq;
	struct digest digest;
};

struct evidence {
	char directory[FILE_PATH_MAX];
	char ballast[FILE_PATH_MAX];
	char origin[ORIGIN_BYTES_MAX + 1];
	int lock;

	struct log log;
	bool has_log;
	struct keys *keys;
	struct sealer *sealer;
	struct log_signer signer;

	bool has_started; /* witness_started of this run is logged */
	bool in_transaction;
	bool is_suspended;
	bool has_failed;
	bool is_read_only;
	char fault[EVIDENCE_FAULT_MAX];

	struct merkle tree;
	struct stream_head heads[STREAMS];
	bool head_changed[STREAMS];
	struct state_digest digests[STREAMS];
	uint64_t recorded_us; /* of the last event */
	bool clock_is_behind; /* and that was logged */
	uint64_t checkpointed;
	uint64_t published; /* what pub/ covers */
	uint64_t substance; /* the tree's size after the last event that says more than an anchor */
	uint64_t own_anchors;            /* that stand at the very end of the log */
	char note[CHECKPOINT_BYTES_MAX]; /* of what pub/ covers, as the log alone signed it */
	size_t note_count;               /* 0 before the first */

	/* Seqs of the caller's events in this transaction, for cause_back. */
	uint64_t *appended;
	size_t appended_count;
	size_t appended_room;

	struct uuid_generator ids;
	struct random_pool random;
	uint8_t entry[ENTRY_BYTES_MAX];
};

void random_take(struct random_pool *pool, void *out, size_t count);

/* What a step of the database means for the evidence: a full disk suspends it, anything else ends
 * it. */
enum evidence_result evidence_after(struct evidence *evidence, enum db_result result,
				    const char *doing);
enum evidence_result evidence_after_file(struct evidence *evidence, enum file_result result,
					 const char *doing);
/* Within a transaction: log_created and type_declared where they are missing, and witness_started.
 */
enum evidence_result evidence_note_start(struct evidence *evidence, uint64_t now_us);
/* Reads heads, tree and clock as they are committed. */
bool evidence_reload(struct evidence *evidence);

#endif
