/* One run of a scrub: where it is, what it tells and logs. By hand (scrub_io.c) or beside a cluster
 * (scrub_beside_io.c): the two differ in how they speak, in who writes the log, and in their haste.
 */
#ifndef IFSWARM_REPLAY_SCRUB_RUN_IO_H
#define IFSWARM_REPLAY_SCRUB_RUN_IO_H

#include <signal.h>

#include "replay/options.h"
#include "replay/scrubber_io.h"
#include "store/scrub_io.h"

struct scrub {
	const struct options *options;
	struct scrubber *scrubber;
	struct scrub_state state;
	uint64_t first, end; /* of the block at hand */
	uint64_t looked;     /* entries, in this run */
	uint64_t findings;   /* in this run */
	uint64_t logged;     /* events about blocks */
	bool has_ended;      /* a round, in this run */
	bool is_unlogged;    /* an event could not be written */
	bool is_kept;        /* the place could be written down */
	/* Set by SIGTERM and SIGINT: the block at hand is the last. */
	const volatile sig_atomic_t *is_over;
};

bool scrub_is_beside(const struct scrub *s);
/* A run that ends a round answers for all of it. */
bool scrub_holds(const struct scrub *s);

/* From and to DATA/scrub/state, under the lock. */
void scrub_load_place(struct scrub *s);
void scrub_keep_place(struct scrub *s);

void scrub_begin_round(struct scrub *s);
/* Right before the first block. */
void scrub_begin_run(struct scrub *s);
void scrub_look_at_block(struct scrub *s);
/* Beside a cluster that cannot log it now, the round stays at its end for the next run. */
void scrub_end_round(struct scrub *s);

/* Runs beside a cluster until the round is over or it is told to end. The exit code. */
int scrub_beside(struct scrub *s);

#endif
