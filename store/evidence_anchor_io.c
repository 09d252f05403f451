#include "store/evidence_anchor_io.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/evidence_state_io.h"
#include "store/pruned_io.h"

struct span
evidence_newest_note(const struct evidence *e, uint64_t *size, uint64_t *substance)
{
	*size = e->published;
	*substance = e->substance;
	return (struct span){ (const uint8_t *)e->note, e->note_count };
}

bool
evidence_note_of_size(struct evidence *e, uint64_t size, char out[CHECKPOINT_BYTES_MAX],
		      size_t *count)
{
	sqlite3_stmt *statement =
		db_prepare(e->log.db, "SELECT note FROM checkpoint WHERE size = ?");

	*count = 0;
	if (size > INT64_MAX || statement == NULL) {
		sqlite3_finalize(statement);
		return false;
	}
	db_bind_u64(statement, 1, size);
	if (sqlite3_step(statement) == SQLITE_ROW) {
		const struct span note = db_span(statement, 0);

		if (note.count > 0 && note.count <= CHECKPOINT_BYTES_MAX) {
			memcpy(out, note.at, note.count);
			*count = note.count;
		}
	}
	sqlite3_finalize(statement);
	return *count > 0;
}

/* --- proofs --------------------------------------------------------------------------------------
 */

/* The unfinished tiles lie in memory: to compute one of a high level anew would take a while. */
static bool
fetch(void *context, unsigned level, uint64_t index, uint32_t count, struct digest *hashes)
{
	struct evidence *e = context;
	const struct merkle_tile *tile = level < MERKLE_LEVELS ? &e->tree.level[level] : NULL;

	if (tile != NULL && index == (e->tree.size >> 8 * level) / TILE_HASHES &&
	    count <= tile->count) {
		memcpy(hashes, tile->hashes, count * sizeof *hashes);
		return true;
	}
	return lookup_hashes(&e->log.lookup, level, index, count, hashes);
}

bool
evidence_consistency(struct evidence *e, uint64_t from, uint64_t size, struct proof *out)
{
	return from > 0 && from <= size && size <= e->tree.size &&
	       proof_consistency(fetch, e, from, size, out);
}

/* --- files ---------------------------------------------------------------------------------------
 */

enum file_result
evidence_put_cosigned(struct evidence *e, uint64_t size, struct span note)
{
	char path[FILE_PATH_MAX];

	path_join(path, e->directory, "pub/cosigned");
	const enum file_result result = file_replace(path, note, 0644, true);
	if (result != FILE_OK || e->published != size) {
		return result;
	}
	path_join(path, e->directory, "pub/checkpoint");
	return file_replace(path, note, 0644, true);
}

static enum file_result
put_beside(struct evidence *e, uint64_t size, const char *ending, struct span bytes)
{
	char name[64];
	char path[FILE_PATH_MAX];

	snprintf(name, sizeof name, "pub/timestamp/%" PRIu64 ".%s", size, ending);
	path_join(path, e->directory, name);
	return file_replace(path, bytes, 0644, true);
}

enum file_result
evidence_put_timestamp(struct evidence *e, uint64_t size, struct span checkpoint,
		       struct span response)
{
	char path[FILE_PATH_MAX];

	path_join(path, e->directory, "pub/timestamp");
	enum file_result result = directory_make(path, 0755);
	if (result == FILE_OK) {
		result = put_beside(e, size, "checkpoint", checkpoint);
	}
	return result == FILE_OK ? put_beside(e, size, "tsr", response) : result;
}

/* --- what we cosigned ----------------------------------------------------------------------------
 */

static bool
visit_entry(struct span bytes, evidence_foreign_visitor *visit, void *context)
{
	struct entry entry;
	struct event event;

	if (!entry_read(bytes, &entry)) {
		return false;
	}
	if (entry_to_event(&entry, NULL, &event) == ENTRY_KNOWN &&
	    event.type == EVENT_FOREIGN_CHECKPOINT_COSIGNED) {
		visit(context, &event.foreign_checkpoint_cosigned);
	}
	return true;
}

static bool
has_rows(struct evidence *e, uint64_t from, uint64_t end)
{
	sqlite3_stmt *statement =
		db_prepare(e->log.db, "SELECT count(*) FROM event WHERE seq >= ? AND seq < ?");
	bool has_all = false;

	if (statement != NULL) {
		db_bind_u64(statement, 1, from);
		db_bind_u64(statement, 2, end);
		has_all = sqlite3_step(statement) == SQLITE_ROW &&
			  (uint64_t)sqlite3_column_int64(statement, 0) == end - from;
	}
	sqlite3_finalize(statement);
	return has_all;
}

/* Where rows are missing nobody can tell what was cosigned: that is no beginning. What was pruned
 * told of no log for the last time (store/prune.h). */
static bool
has_all_rows(struct evidence *e, uint64_t from, uint64_t end)
{
	struct pruned_range range;

	if (has_rows(e, from, end)) {
		return true;
	}
	for (uint64_t at = from; at < end;) {
		const uint64_t tile_end = (at / TILE_HASHES + 1) * TILE_HASHES;
		const uint64_t next = tile_end < end ? tile_end : end;

		if (pruned_find(&e->log.lookup, at, &range)) {
			at = range.end;
		} else if (has_rows(e, at, next)) {
			at = next;
		} else {
			return false;
		}
	}
	return true;
}

bool
evidence_foreign_before(struct evidence *e, uint64_t *before, uint64_t rows,
			evidence_foreign_visitor *visit, void *context)
{
	const uint64_t from = *before > rows ? *before - rows : 0;
	sqlite3_stmt *statement =
		db_prepare(e->log.db, "SELECT entry FROM event WHERE seq >= ? AND seq < ? AND "
				      "type = ? ORDER BY seq DESC");
	bool ok = statement != NULL;
	int code = SQLITE_ROW;

	if (ok) {
		db_bind_u64(statement, 1, from);
		db_bind_u64(statement, 2, *before);
		db_bind_u64(statement, 3, EVENT_FOREIGN_CHECKPOINT_COSIGNED);
	}
	while (ok && (code = sqlite3_step(statement)) == SQLITE_ROW) {
		ok = visit_entry(db_span(statement, 0), visit, context);
	}
	ok = ok && code == SQLITE_DONE && has_all_rows(e, from, *before);
	sqlite3_finalize(statement);
	*before = ok ? from : *before;
	return ok;
}
