/* Between verify_io.c, which lets the rows pass once, and verify_rest_io.c, which looks at what is
 * kept beside them. */
#ifndef IFSWARM_REPLAY_VERIFY_RUN_IO_H
#define IFSWARM_REPLAY_VERIFY_RUN_IO_H

#include "replay/commands_io.h"
#include "replay/verify_allow_io.h"
#include "replay/verify_io.h"
#include "replay/verify_rows_io.h"

enum { VERIFY_BATCH_MAX = 4096 };

/* Checkpoints whose signatures were checked, and whose roots wait for the rows. */
struct batch {
	bool is_begun;
	uint64_t last_size;
	uint32_t count;
	struct checkpoint items[VERIFY_BATCH_MAX];
};

struct verify_run {
	const struct options *options;
	struct source *source;
	struct log_reader *tiles; /* hashes are fetched while rows are read */
	struct verify_rows *rows;
	struct verify_allow allow;
	uint64_t allow_size; /* the log's when the events of `allow` were read; 0: they were not */
	uint64_t allow_from; /* rows before it were judged without them */
	struct verify v;
	struct verify_summary summary;
	struct head_row {
		uint64_t stream, version, epoch, last_seq;
	} heads[STREAMS];
	uint32_t head_count;
	uint64_t heads_end; /* the heads describe the log up to there */
	uint64_t published; /* the size that pub/checkpoint covers */
	struct batch batch;
};

/* Reading failed: a finding like any other. */
void verify_unreadable(struct verify_run *run, const char *what, const struct log_reader *reader);

/* --- verify_rest_io.c --- */
/* Recorded hashes, for whoever checks a tree: what is asked for is compared with what is published
 * in the same breath. */
bool verify_fetch_recorded(void *run, unsigned level, uint64_t index, uint32_t count,
			   struct digest *hashes);
/* Tiles, sealed rows, snapshots, declared types, keys, anchors. */
void verify_check_rest(struct verify_run *run);

#endif
