/* The signed checkpoint that a proof or an export stands on. No proof is handed out over a
 * checkpoint that this log does not give any more: signature and root are checked first. */
#ifndef IFSWARM_REPLAY_NEWEST_IO_H
#define IFSWARM_REPLAY_NEWEST_IO_H

#include "replay/source_io.h"

struct newest {
	struct checkpoint checkpoint;
	struct log_verifier key;
	char note[CHECKPOINT_NOTE_MAX];
	size_t count;
	char fault[160];
};

struct span newest_note(const struct newest *newest);

/* The newest checkpoint, or with `cover` above 0 the oldest one that covers so many events: it
 * stays the same while the log grows. vkey: a file with the log's key, or NULL for DATA/log.vkey.
 * False, with `fault`, if there is none or it does not hold. */
bool newest_take(struct source *source, const char *vkey, uint64_t cover, struct newest *out);

/* A checkpoint from a file, which this log must still give. */
bool newest_read(struct source *source, const char *vkey, const char *file, struct newest *out);

#endif
