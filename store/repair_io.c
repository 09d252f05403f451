#include "store/repair_io.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/keys_io.h"
#include "store/log_io.h"
#include "store/repair_proof_io.h"
#include "store/seal.h"

enum { EVENTS_PER_COMMIT = 8192 };

struct rebuild {
	const struct repair_plan *plan;
	struct repair_done *done;
	struct repair_proof proof;
	struct repair_pruned pruned;
	bool is_pruned; /* the new log has a range of it */
	struct log log;
	struct merkle *tree; /* of the new file */
	struct stream_head heads[STREAMS];
	uint64_t recorded_us;
	uint8_t memory[ENTRY_BYTES_MAX]; /* of what is not proven */
	char *fault;
	size_t fault_size;
};

/* --- rows --------------------------------------------------------------------------------------
 */

static void
note_gap(struct repair_done *done, uint64_t seq)
{
	struct repair_gap *last = done->gap_count == 0 || done->gap_count > REPAIR_GAPS_MAX
					  ? NULL
					  : &done->gaps[done->gap_count - 1];

	if (last != NULL && last->end == seq) {
		last->end++;
		return;
	}
	if (done->gap_count < REPAIR_GAPS_MAX) {
		done->gaps[done->gap_count] = (struct repair_gap){ seq, seq + 1 };
	}
	done->gap_count++;
}

static bool
prove_entry(void *context, uint64_t seq, struct span *out)
{
	return repair_proof_entry(context, seq, out);
}

static void
find_pruned(struct rebuild *r)
{
	r->pruned.prove = prove_entry;
	r->pruned.context = &r->proof;
	r->pruned.signed_size = r->done->anchor.size;
	for (unsigned i = 0; i < r->proof.count; i++) {
		repair_pruned_find(&r->pruned, &r->proof.copies[i]);
	}
}

/* What no log tells any more, a pub/ may. The ranges that it adds lie behind what was written. */
static const struct pruned_range *
look_in_pub(struct rebuild *r, uint64_t seq)
{
	const size_t before = r->pruned.count;

	if (r->pruned.has_looked_in_pub) {
		return NULL;
	}
	r->pruned.has_looked_in_pub = true;
	for (unsigned i = 0; i < r->proof.count; i++) {
		repair_pruned_find_published(&r->pruned, &r->proof.copies[i]);
	}
	struct repair_pruned added = r->pruned;
	added.ranges += before;
	added.count -= before;
	return repair_pruned_put(&r->log, &added) == DB_OK ? repair_pruned_at(&r->pruned, seq)
							   : NULL;
}

/* Not signed yet, so only our own files are asked, and only for what goes on where we are. */
static bool
find_tail(struct rebuild *r, uint64_t seq, struct span *out)
{
	struct entry entry;

	for (unsigned i = 0; i < r->proof.count; i++) {
		if (!r->plan->sources[i].is_own ||
		    !repair_copy_entry(&r->proof.copies[i], seq, r->memory, out) ||
		    !entry_read(*out, &entry) || entry.seq != seq || entry.stream == 0 ||
		    entry.stream >= STREAMS) {
			continue;
		}
		const struct stream_head *head = &r->heads[entry.stream];
		if (entry.stream_version == head->version && entry.epoch >= head->epoch &&
		    entry.recorded_us >= r->recorded_us) {
			r->done->entries += i > 0 ? 1 : 0;
			return true;
		}
	}
	return false;
}

static enum db_result
put_parts(struct rebuild *r, const struct entry *entry)
{
	enum db_result result = DB_OK;

	for (unsigned part = 0; part < entry->parts && result == DB_OK; part++) {
		struct span salt, body;
		unsigned i = 0;

		while (i < r->proof.count &&
		       !repair_copy_part(&r->proof.copies[i], entry, part, &salt, &body)) {
			i++;
		}
		if (i == r->proof.count) {
			r->done->absent_first =
				r->done->parts_absent == 0 ? entry->seq : r->done->absent_first;
			r->done->absent_end = entry->seq + 1;
			r->done->parts_absent++;
			continue;
		}
		r->done->parts += i > 0 ? 1 : 0;
		result = log_put_sealed(&r->log, entry->seq, part, salt, body);
	}
	return result;
}

static bool
put_tile(void *context, unsigned level, uint64_t index, const struct digest *hashes)
{
	struct rebuild *r = context;

	return log_put_tile(&r->log, level, index, hashes) == DB_OK;
}

static enum db_result
put_declared(struct rebuild *r, const struct entry *entry)
{
	struct event event;

	if (entry->type != EVENT_TYPE_DECLARED ||
	    entry_to_event(entry, NULL, &event) != ENTRY_KNOWN ||
	    log_is_declared(&r->log, event.type_declared.number, event.type_declared.version)) {
		return DB_OK;
	}
	return log_put_declared(&r->log, event.type_declared.number, event.type_declared.version,
				entry->seq);
}

static void
follow_heads(struct rebuild *r, const struct entry *entry)
{
	struct stream_head *head = &r->heads[entry->stream];
	struct event event;

	*head = (struct stream_head){ entry->stream_version + 1, entry->epoch, entry->seq };
	if (entry->type == EVENT_STREAM_CLAIMED &&
	    entry_to_event(entry, NULL, &event) == ENTRY_KNOWN && event.stream_claimed.stream > 0 &&
	    event.stream_claimed.stream < STREAMS) {
		r->heads[event.stream_claimed.stream].epoch = event.stream_claimed.epoch;
	}
	r->recorded_us = entry->recorded_us;
}

/* A checkpoint is kept if this log signed it over just this tree. */
static enum db_result
put_checkpoint(struct rebuild *r)
{
	for (unsigned i = 0; i < r->proof.count; i++) {
		char note[CHECKPOINT_NOTE_MAX];
		struct span bytes = { (const uint8_t *)note, 0 };
		struct checkpoint checkpoint;
		struct digest root;

		if (!repair_copy_note(&r->proof.copies[i], r->tree->size, note, &bytes.count) ||
		    checkpoint_verify(bytes, &r->plan->verifier, &checkpoint) != CHECKPOINT_HOLDS ||
		    checkpoint.size != r->tree->size) {
			continue;
		}
		merkle_root(r->tree, &root);
		if (digest_equal(&root, &checkpoint.root)) {
			return log_put_checkpoint(&r->log, checkpoint.size, bytes);
		}
	}
	return DB_OK;
}

/* A pruning that was not known before, because only pub/ tells it, or no checkpoint covers it yet:
 * all rows were there, and the next start takes it up. */
static enum db_result
put_pruned_late(struct rebuild *r, const struct entry *entry)
{
	struct pruned_range range;
	struct repair_pruned late = { .ranges = &range, .count = 1 };

	if (entry->type != EVENT_LOG_PRUNED || !repair_pruned_by(entry, &range)) {
		return DB_OK;
	}
	r->is_pruned = true;
	if (repair_pruned_at(&r->pruned, range.first) != NULL) {
		return DB_OK;
	}
	return repair_pruned_put(&r->log, &late);
}

static enum db_result
put_row(struct rebuild *r, struct span bytes)
{
	struct digest leaf;
	struct entry entry;

	if (!entry_read(bytes, &entry) || entry.stream == 0 || entry.stream >= STREAMS) {
		return DB_FAILED;
	}
	merkle_leaf_hash(bytes, &leaf);
	enum db_result result = put_pruned_late(r, &entry);
	result = result == DB_OK ? log_put_event(&r->log, &entry, bytes) : result;
	result = result == DB_OK ? put_parts(r, &entry) : result;
	result = result == DB_OK ? put_declared(r, &entry) : result;
	if (result == DB_OK && !merkle_append(r->tree, &leaf, put_tile, r)) {
		result = DB_FAILED;
	}
	follow_heads(r, &entry);
	return result == DB_OK ? put_checkpoint(r) : result;
}

/* Its leaves are as the proven tiles say them. */
static enum db_result
pass_pruned(struct rebuild *r, const struct pruned_range *range)
{
	enum db_result result = DB_OK;

	while (r->tree->size < range->end && result == DB_OK) {
		const uint64_t seq = r->tree->size;
		const struct digest *tile = repair_proof_tile(&r->proof, 0, seq / TILE_HASHES);

		if (tile == NULL) {
			note_gap(r->done, seq);
			return DB_OK;
		}
		const struct digest leaf = tile[seq % TILE_HASHES];
		if (!merkle_append(r->tree, &leaf, put_tile, r)) {
			result = DB_FAILED;
		}
		result = result == DB_OK ? put_checkpoint(r) : result;
	}
	return result;
}

/* An entry that is to be there, or a whole range that was pruned. */
static enum db_result
put_signed(struct rebuild *r, uint64_t *seq)
{
	const struct pruned_range *range = repair_pruned_at(&r->pruned, *seq);
	struct span bytes;

	if (range == NULL && repair_proof_entry(&r->proof, *seq, &bytes)) {
		return r->done->gap_count == 0 ? put_row(r, bytes) : DB_OK;
	}
	range = range == NULL ? look_in_pub(r, *seq) : range;
	if (range == NULL || *seq != range->first) {
		note_gap(r->done, *seq);
		return DB_OK;
	}
	*seq = range->end - 1;
	return r->done->gap_count == 0 ? pass_pruned(r, range) : DB_OK;
}

static bool
say_database(struct rebuild *r)
{
	snprintf(r->fault, r->fault_size, "%s: cannot be written at event %" PRIu64 ": %s",
		 r->plan->path, r->tree->size, sqlite3_errmsg(r->log.db));
	return false;
}

static bool
put_rows(struct rebuild *r)
{
	const uint64_t signed_size = r->done->anchor.size;
	struct span bytes;
	bool goes_on = true;

	for (uint64_t seq = 0; goes_on; seq++) {
		if (seq < signed_size && put_signed(r, &seq) != DB_OK) {
			return say_database(r);
		}
		if (seq >= signed_size && !find_tail(r, seq, &bytes)) {
			goes_on = false;
		} else if (seq >= signed_size && r->done->gap_count == 0 &&
			   put_row(r, bytes) != DB_OK) {
			return say_database(r);
		}
		if (seq >= signed_size && r->done->gap_count > 0) {
			goes_on = false;
		}
		if (seq % EVENTS_PER_COMMIT == EVENTS_PER_COMMIT - 1 &&
		    (log_commit(&r->log) != DB_OK || log_begin(&r->log) != DB_OK)) {
			return say_database(r);
		}
	}
	if (r->done->gap_count > 0) {
		snprintf(r->fault, r->fault_size,
			 "%" PRIu64
			 " ranges cannot be proven from any copy, the first of them events "
			 "%" PRIu64 " to %" PRIu64
			 ": give a copy (a backup, or anybody's pub/) that "
			 "holds them",
			 r->done->gap_count, r->done->gaps[0].first, r->done->gaps[0].end - 1);
	}
	return r->done->gap_count == 0;
}

static bool
put_heads(struct rebuild *r)
{
	enum db_result result = DB_OK;

	for (uint64_t stream = 1; stream < STREAMS && result == DB_OK; stream++) {
		if (r->heads[stream].version > 0 || r->heads[stream].epoch > 0) {
			result = log_put_head(&r->log, stream, &r->heads[stream]);
		}
	}
	/* The repaired copy last: what it has counts. */
	for (unsigned i = r->proof.count; r->is_pruned && i-- > 0 && result == DB_OK;) {
		result = repair_keep_snapshots(&r->log, &r->proof.copies[i], i == 0);
	}
	return (result == DB_OK && log_commit(&r->log) == DB_OK) || say_database(r);
}

/* --- the whole ---------------------------------------------------------------------------------
 */

static void
remove_database(const char *path)
{
	static const char *const ends[] = { "", "-wal", "-shm" };
	char name[FILE_PATH_MAX + 8];

	for (size_t i = 0; i < 3; i++) {
		snprintf(name, sizeof name, "%s%s", path, ends[i]);
		unlink(name);
	}
}

static bool
write_new(struct rebuild *r)
{
	if (file_exists(r->plan->path)) {
		snprintf(r->fault, r->fault_size, "%s: left by an attempt that failed: remove it",
			 r->plan->path);
		return false;
	}
	if (!log_open(&r->log, r->plan->path, r->fault, r->fault_size)) {
		return false;
	}
	find_pruned(r);
	bool ok =
		((log_begin(&r->log) == DB_OK && repair_pruned_put(&r->log, &r->pruned) == DB_OK) ||
		 say_database(r)) &&
		put_rows(r) && put_heads(r);
	if (!ok) {
		log_rollback(&r->log);
	}
	ok = ok && repair_proof_has_no_fork(&r->proof, &r->log.lookup);
	ok = ok && repair_drop_erased(&r->log, &r->done->erasures, r->fault, r->fault_size);
	/* One file alone, so that it can be renamed. */
	ok = ok &&
	     (db_run(r->log.db, "PRAGMA wal_checkpoint(TRUNCATE)") == DB_OK || say_database(r));
	log_close(&r->log);
	if (!ok) {
		remove_database(r->plan->path);
	}
	return ok && (chmod(r->plan->path, 0600) == 0);
}

bool
repair_rebuild(const struct repair_plan *plan, struct repair_done *out, char *fault,
	       size_t fault_size)
{
	struct rebuild *r = calloc(1, sizeof *r);

	assert(r != NULL);
	*out = (struct repair_done){ 0 };
	r->plan = plan;
	r->done = out;
	r->fault = fault;
	r->fault_size = fault_size;
	r->tree = calloc(1, sizeof *r->tree);
	assert(r->tree != NULL);
	merkle_init(r->tree);
	const bool ok = repair_proof_open(&r->proof, plan, out, fault, fault_size) && write_new(r);
	out->size = r->tree->size;
	repair_proof_close(&r->proof);
	free(r->pruned.ranges);
	free(r->tree);
	free(r);
	return ok;
}
