/* Where a rolling scrub is: a round walks the log from its first entry to the size it had when the
 * round began, some blocks in each run, and the next run goes on where this one ended. Pure; the
 * worldly half keeps it in DATA/scrub/state (store/scrub_io.h).
 *
 * Nobody believes it as evidence: what a round found is an event (log_scrubbed). Whoever loses or
 * forges the file makes the next run begin a round anew, or later.
 */
#ifndef IFSWARM_STORE_SCRUB_H
#define IFSWARM_STORE_SCRUB_H

#include "protocol/types.h"

enum {
	SCRUB_BLOCK = TILE_HASHES, /* entries that are looked at in one go */
	SCRUB_TEXT_MAX = 512,
	SCRUB_PAUSE_MAX_US = 1000 * 1000,
	SCRUB_TRIES_MAX = 3, /* then a block is passed over, and told */
	SCRUB_REST = 9,      /* pauses to work: at most a tenth of the time is spent working */
};

struct scrub_state {
	/* The round that is on its way; end 0: none is. */
	uint64_t next; /* seq: entries before it were looked at in this round */
	uint64_t end;
	uint64_t began_s; /* UTC; of the last round, when none is on its way */
	uint64_t findings;
	uint64_t tries; /* runs that began at `next` and told nothing of how they ended */
	/* The last whole round; ended_s 0: there was none. */
	uint64_t ended_s;
	uint64_t ended_size;
	uint64_t ended_findings;
};

/* Lines "key value" behind a line that names the format; all keys, each once, in order. */
size_t scrub_write(const struct scrub_state *state, char out[SCRUB_TEXT_MAX]);
/* False, with *out all zero, for anything else than what scrub_write gives. */
bool scrub_read(struct span text, struct scrub_state *out);

/* A round is to begin or to go on: one is on its way, or the last one (without any: the log,
 * created_s) began at least so many days ago. */
bool scrub_is_due(const struct scrub_state *state, uint64_t created_s, uint64_t days,
		  uint64_t now_s);

/* How long to rest after a block that took work_us, so that the round ends within those days of its
 * beginning, a small log is not dragged out, and most of the time the disk is others'. */
uint64_t scrub_pause_us(const struct scrub_state *state, uint64_t days, uint64_t now_s,
			uint64_t work_us);

#endif
