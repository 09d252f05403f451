/* A consistent copy of the evidence, beside a running witness: witness.db as one read transaction
 * sees it, the newest checkpoint in that copy as its head, pub/ up to there, log.vkey. Never
 * keys.db and never private/: keys that lie beside the log would undo every erasure.
 *
 * The copy grows in TARGET.partial and takes its name only when somebody has verified it:
 *
 *   backup_copy(...)   verify TARGET.partial   backup_finish(...)
 *
 * Whatever fails in between leaves the `.partial` behind, which no restore takes.
 */
#ifndef IFSWARM_STORE_BACKUP_IO_H
#define IFSWARM_STORE_BACKUP_IO_H

#include "store/files_io.h"

struct backup_plan {
	const char *data;   /* the data directory */
	const char *target; /* must not be there, or be empty */
	const char *keys;   /* a second, separate directory for keys.db; NULL: no keys */
};

struct backup_made {
	char partial[FILE_PATH_MAX];
	uint64_t size;      /* events in the copy */
	uint64_t published; /* of them, under its head */
	uint64_t files;
	struct digest manifest; /* SHA-256 of its list, store/manifest_io.h */
};

/* Everything copied, listed and on the disk; nothing verified. False with one line in `fault`. */
bool backup_copy(const struct backup_plan *plan, struct backup_made *out, char *fault,
		 size_t fault_size);
/* Gives the copy its name, durably. */
bool backup_finish(const struct backup_plan *plan, const struct backup_made *made, char *fault,
		   size_t fault_size);

#endif
