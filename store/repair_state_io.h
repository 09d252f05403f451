/* One copy that a repair reads from, believed in nothing: a witness.db, a pub/ directory, or both.
 * Shared by the repair_*_io.c files, and by nobody else. */
#ifndef IFSWARM_STORE_REPAIR_STATE_IO_H
#define IFSWARM_STORE_REPAIR_STATE_IO_H

#include "store/checkpoint.h"
#include "store/files_io.h"
#include "store/log_io.h"
#include "store/pruned_io.h"

struct repair_copy {
	char directory[FILE_PATH_MAX];
	char pub[FILE_PATH_MAX]; /* "" if there is none */
	struct lookup lookup;
	bool has_log;
	sqlite3_stmt *part;
	sqlite3_stmt *note;
	/* The bundle of entries that was read last. */
	uint8_t *bundle;
	size_t bundle_count;
	uint64_t bundle_index;
	uint64_t pub_size; /* as its checkpoint claims */
};

/* What is not there, or not to be read, is left out in silence: another copy may have it. */
void repair_copy_open(struct repair_copy *copy, const char *directory);
void repair_copy_close(struct repair_copy *copy);

/* As stored: the tile table, else pub/tile. */
bool repair_copy_tile(struct repair_copy *copy, unsigned level, uint64_t index, uint32_t count,
		      struct digest *hashes);
/* From the entries and stored tiles below it. */
bool repair_copy_compute(struct repair_copy *copy, unsigned level, uint64_t index, uint32_t count,
			 struct digest *hashes);
/* The row of the log, or what pub/ has at that seq. */
bool repair_copy_row(struct repair_copy *copy, uint64_t seq, uint8_t memory[ENTRY_BYTES_MAX],
		     struct span *out);
bool repair_copy_published(struct repair_copy *copy, uint64_t seq, uint8_t memory[ENTRY_BYTES_MAX],
			   struct span *out);
/* Either, the row first. */
bool repair_copy_entry(struct repair_copy *copy, uint64_t seq, uint8_t memory[ENTRY_BYTES_MAX],
		       struct span *out);
/* A sealed part with the digest that the entry names; valid until the next call on this copy. */
bool repair_copy_part(struct repair_copy *copy, const struct entry *entry, unsigned part,
		      struct span *salt, struct span *body);
bool repair_copy_note(struct repair_copy *copy, uint64_t size, char note[CHECKPOINT_NOTE_MAX],
		      size_t *count);

/* Deletes the sealed parts that the log itself says are erased: a copy from before the erasure must
 * not bring them back. `erasures`: how many subjects, parts and months that were. */
bool repair_drop_erased(struct log *log, uint64_t *erasures, char *fault, size_t fault_size);

/* The ranges that log_pruned events of the signed log say. `prove` gives the entry at a seq below
 * signed_size if any copy has the one that the tree holds. */
struct repair_pruned {
	bool (*prove)(void *context, uint64_t seq, struct span *out);
	void *context;
	uint64_t signed_size;
	struct pruned_range *ranges; /* freed by the caller */
	size_t count;
	bool has_looked_in_pub;
};
/* As the copy's log tells them; and, much slower, as its pub/ does. */
void repair_pruned_find(struct repair_pruned *pruned, struct repair_copy *copy);
void repair_pruned_find_published(struct repair_pruned *pruned, struct repair_copy *copy);
/* NULL: nothing was pruned there. */
const struct pruned_range *repair_pruned_at(const struct repair_pruned *pruned, uint64_t seq);
/* Whether an entry is a log_pruned that counts. */
bool repair_pruned_by(const struct entry *entry, struct pruned_range *out);
/* Into a new log, before its rows: the next start removes what is left of them in pub/. */
enum db_result repair_pruned_put(struct log *log, const struct repair_pruned *pruned);
/* After its rows: the copy's snapshots that the new log vouches for. Of another copy than the one
 * that is repaired, those from before the last erasure are left. */
enum db_result repair_keep_snapshots(struct log *log, struct repair_copy *copy, bool is_repaired);

#endif
