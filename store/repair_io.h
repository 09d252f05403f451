/* A new witness.db, put together from several copies that may each be damaged, stale or hostile. A
 * signed checkpoint is the only thing believed: from its root downwards every tile is proven by the
 * one above it, every entry by its leaf hash, every sealed part by its entry's digest. So a copy
 * can be anybody's: what does not prove is passed over, whatever its columns say.
 *
 * Rows are never replaced in place: the new file is written beside the old one, and the caller
 * renames. Columns, tiles, stream heads and declared types are derived again. Snapshots are left
 * out, because they cost time at the next start and nothing else, unless entries were pruned: then
 * the actors cannot do without, and those are kept that the log vouches for. What was pruned is no
 * gap, and is taken from no copy.
 *
 * Events after the checkpoint (durable, but not yet signed) are taken only from sources marked
 * `is_own`, as long as they continue the log without a gap.
 */
#ifndef IFSWARM_STORE_REPAIR_IO_H
#define IFSWARM_STORE_REPAIR_IO_H

#include "store/checkpoint.h"
#include "store/files_io.h"

enum { REPAIR_SOURCES_MAX = 8, REPAIR_GAPS_MAX = 16 };

struct repair_source {
	const char *directory; /* a data directory, a backup, or a pub/ directory */
	bool is_own;
};

struct repair_plan {
	const char *path; /* of the new file; must not be there */
	struct log_verifier verifier;
	struct repair_source sources[REPAIR_SOURCES_MAX];
	unsigned source_count;
	/* The first source is what is being repaired: what it cannot prove itself is counted. */
};

struct repair_gap {
	uint64_t first, end;
};

struct repair_done {
	uint64_t size;            /* events in the new file */
	struct checkpoint anchor; /* the largest checkpoint by this key that any source has */
	uint64_t entries;         /* that did not come from the first source's own log */
	uint64_t parts;           /* likewise, sealed parts */
	uint64_t tiles;           /* full tiles that the first source had wrong or not at all */
	uint64_t parts_absent;    /* that no source has, and no erasure explains */
	uint64_t absent_first;    /* seqs of the first and after the last of them */
	uint64_t absent_end;
	uint64_t erasures;  /* subjects, parts and months that the log says are erased */
	uint64_t gap_count; /* ranges that no source can prove; all of them counted */
	struct repair_gap gaps[REPAIR_GAPS_MAX];
};

/* False if no whole log could be put together: then `fault` says why (and `out->gaps` which
 * ranges), and no file is left. The old files are only read. */
bool repair_rebuild(const struct repair_plan *plan, struct repair_done *out, char *fault,
		    size_t fault_size);

/* The largest checkpoint of that key among head, pub/checkpoint and checkpoint of a directory;
 * `note` gets its text. False if there is none. */
bool repair_anchor(const char *directory, const struct log_verifier *verifier,
		   struct checkpoint *out, char note[CHECKPOINT_NOTE_MAX], size_t *count);

/* Destroys in a keys.db what the log at `witness` says is erased, before anybody opens it. Gives
 * the number of keys. */
bool repair_forget_keys(const char *witness, const char *keys, uint64_t *forgotten, char *fault,
			size_t fault_size);

#endif
