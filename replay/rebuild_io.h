/* Where a state is rebuilt from: the beginning of the log, or, behind entries that were pruned, the
 * newest snapshots before the moment that is asked about. */
#ifndef IFSWARM_REPLAY_REBUILD_IO_H
#define IFSWARM_REPLAY_REBUILD_IO_H

#include "replay/source_io.h"
#include "replay/states.h"

struct rebuild {
	uint64_t from_seq;              /* read on from here */
	uint64_t from_version[STREAMS]; /* entries of lower versions are in the snapshots */
};

/* `states` is empty; the state will be asked for at the moments from `first` to `last` (an unset
 * one: the end). False, with `why`, if it cannot be rebuilt because entries were pruned, or cannot
 * be read. */
enum { REBUILD_WHY_MAX = 512 };
bool rebuild_begin(struct rebuild *rebuild, struct source *source, struct states *states,
		   const struct moment *first, const struct moment *last,
		   char why[REBUILD_WHY_MAX]);
/* Whether the states still need the entry. */
bool rebuild_needs(const struct rebuild *rebuild, const struct entry *entry);

#endif
