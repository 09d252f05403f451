/* Between verify_rows_io.c, the parent, and verify_rows_helper_io.c, the processes that read:
 * chunks in shared memory, and a line for each helper on which a byte says whose the next chunk is.
 */
#ifndef IFSWARM_REPLAY_VERIFY_ROWS_HELPER_IO_H
#define IFSWARM_REPLAY_VERIFY_ROWS_HELPER_IO_H

#include "replay/verify_rows_io.h"

enum {
	ROWS_BLOCK = 8 * TILE_HASHES,
	ROWS_NOTES_MAX = 512,
	ROWS_KEPT_MAX = 1 << 20,
	ROWS_SLOTS = 3,
};

/* A finding about one row. */
struct note {
	uint32_t row; /* its place in the chunk */
	struct finding finding;
};

/* What a helper hands over at once: a block, or the part of it that a chunk can hold. */
struct chunk {
	uint64_t first; /* the rows of this chunk have seqs from it on */
	uint64_t end;   /* rows below it are in this chunk or in none */
	bool is_last;   /* of this helper */
	bool has_fault;
	char fault[256];
	uint64_t strays; /* sealed rows without an entry, beyond what could be named one by one */
	uint32_t rows;
	uint32_t notes;
	uint32_t kept_count;
	_Atomic bool is_followed; /* the follower is through with it, and has freed it */
	struct verify_fact facts[ROWS_BLOCK];
	struct note note[ROWS_NOTES_MAX];
	uint8_t kept[ROWS_KEPT_MAX]; /* entries that somebody reads again, each behind a head */
};

/* Before each kept entry. */
struct kept_head {
	uint32_t row; /* its place in the chunk */
	uint32_t count;
};

/* What a helper works with. */
struct rows_work {
	const struct rows_options *options;
	unsigned number;
	unsigned jobs;
	struct chunk *chunks;
	int line;
	unsigned at;
	struct chunk *chunk; /* being filled */
	struct log_reader *reader;
	struct log_keys *keys;
	struct verify_voice voice;
	struct pub_bundle *bundle;
	uint64_t next_seq; /* of the block */
};

/* Whoever decides keeps a state, which the follower replays. */
static inline bool
rows_is_decided(uint64_t stream)
{
	return stream == STREAM_SESSION || stream == STREAM_ALLOCATION;
}

/* A byte over a line, or the one that comes next; false if the other side is gone. */
bool rows_pass_number(int line, unsigned char number);
bool rows_take_number(int line, unsigned char *number);
bool rows_pass_token(int line);
bool rows_take_token(int line);

/* All of a helper's process, from options, number, jobs, chunks and line on. Does not return. */
void rows_run_helper(struct rows_work *work);

#endif
