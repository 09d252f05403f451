/* What was lawfully pruned is no gap, and comes back from no copy. Behind it the actors need their
 * snapshots: then these are kept, too. */
#include <stdlib.h>

#include "store/pruned_io.h"
#include "store/repair_state_io.h"
#include "store/sha256.h"

/* --- which ranges --------------------------------------------------------------------------------
 */

static void
add_range(struct repair_pruned *pruned, const struct pruned_range *range)
{
	for (size_t i = 0; i < pruned->count; i++) {
		if (pruned->ranges[i].first == range->first) {
			return;
		}
	}
	pruned->ranges = reallocarray(pruned->ranges, pruned->count + 1, sizeof *range);
	if (pruned->ranges == NULL) {
		abort();
	}
	pruned->ranges[pruned->count++] = *range;
}

/* Whole tiles, and only of what was there when it was written. */
static bool
is_sound(const struct event_log_pruned *said, uint64_t seq)
{
	return said->first > 0 && said->first < said->end && said->end <= seq &&
	       said->first % TILE_HASHES == 0 && said->end % TILE_HASHES == 0;
}

bool
repair_pruned_by(const struct entry *entry, struct pruned_range *out)
{
	struct event event;

	if (entry->type != EVENT_LOG_PRUNED || entry_to_event(entry, NULL, &event) != ENTRY_KNOWN ||
	    !is_sound(&event.log_pruned, entry->seq)) {
		return false;
	}
	*out = (struct pruned_range){ .first = event.log_pruned.first,
				      .end = event.log_pruned.end,
				      .event = entry->seq };
	return true;
}

static void
take_if_proven(struct repair_pruned *pruned, uint64_t seq)
{
	struct pruned_range range;
	struct entry entry;
	struct span bytes;

	if (seq < pruned->signed_size && pruned->prove(pruned->context, seq, &bytes) &&
	    entry_read(bytes, &entry) && repair_pruned_by(&entry, &range)) {
		add_range(pruned, &range);
	}
}

void
repair_pruned_find(struct repair_pruned *pruned, struct repair_copy *copy)
{
	sqlite3_stmt *rows;

	if (!copy->has_log) {
		return;
	}
	rows = db_prepare(copy->lookup.db, "SELECT seq FROM event WHERE type = ? ORDER BY seq");
	if (rows != NULL) {
		db_bind_u64(rows, 1, EVENT_LOG_PRUNED);
	}
	while (rows != NULL && sqlite3_step(rows) == SQLITE_ROW) {
		take_if_proven(pruned, db_u64(rows, 0));
	}
	sqlite3_finalize(rows);
}

void
repair_pruned_find_published(struct repair_pruned *pruned, struct repair_copy *copy)
{
	uint8_t memory[ENTRY_BYTES_MAX];
	const uint64_t size =
		copy->pub_size < pruned->signed_size ? copy->pub_size : pruned->signed_size;

	for (uint64_t seq = 0; seq < size; seq++) {
		struct entry entry;
		struct span bytes;

		if (repair_copy_published(copy, seq, memory, &bytes) && entry_read(bytes, &entry) &&
		    entry.type == EVENT_LOG_PRUNED) {
			take_if_proven(pruned, seq);
		}
	}
}

const struct pruned_range *
repair_pruned_at(const struct repair_pruned *pruned, uint64_t seq)
{
	for (size_t i = 0; i < pruned->count; i++) {
		if (pruned->ranges[i].first <= seq && seq < pruned->ranges[i].end) {
			return &pruned->ranges[i];
		}
	}
	return NULL;
}

enum db_result
repair_pruned_put(struct log *log, const struct repair_pruned *pruned)
{
	enum db_result result = pruned->count > 0 ? pruned_make(log->db) : DB_OK;

	for (size_t i = 0; i < pruned->count && result == DB_OK; i++) {
		result = pruned_put(log->db, &pruned->ranges[i]);
	}
	return result;
}

/* --- snapshots -----------------------------------------------------------------------------------
 */

/* What was erased must not come back in an older copy's snapshot. */
static uint64_t
last_erasure(struct log *log)
{
	sqlite3_stmt *statement =
		db_prepare(log->db, "SELECT ifnull(max(seq), 0) FROM event WHERE type IN (?, ?)");
	uint64_t seq = 0;

	if (statement != NULL) {
		db_bind_u64(statement, 1, EVENT_SUBJECT_ERASED);
		db_bind_u64(statement, 2, EVENT_PART_ERASED);
		seq = sqlite3_step(statement) == SQLITE_ROW ? db_u64(statement, 0) : UINT64_MAX;
	}
	sqlite3_finalize(statement);
	return seq;
}

static bool
is_vouched_for(struct log *log, uint64_t stream, uint64_t version, uint64_t seq, struct span dump)
{
	const enum event_type type = stream == STREAM_SESSION ? EVENT_SESSION_STATE_DIGEST
							      : EVENT_ALLOCATION_STATE_DIGEST;
	struct entry header;
	struct event event;
	struct digest digest;

	if (seq > INT64_MAX || lookup_event(&log->lookup, seq, &header, &event) != ENTRY_KNOWN ||
	    event.type != type || header.stream != stream) {
		return false;
	}
	/* Both have the same fields. */
	sha256_span(dump, &digest);
	return event.session_state_digest.version == version &&
	       digest_equal(&event.session_state_digest.digest, &digest);
}

enum db_result
repair_keep_snapshots(struct log *log, struct repair_copy *copy, bool is_repaired)
{
	const uint64_t since = is_repaired ? 0 : last_erasure(log);
	sqlite3_stmt *rows = copy->has_log ? db_prepare(copy->lookup.db,
							"SELECT stream, version, seq, dump, annex"
							" FROM snapshot")
					   : NULL;
	enum db_result result = DB_OK;

	while (rows != NULL && result == DB_OK && sqlite3_step(rows) == SQLITE_ROW) {
		const uint64_t stream = db_u64(rows, 0);
		const uint64_t version = db_u64(rows, 1);
		const uint64_t seq = db_u64(rows, 2);

		if (seq >= since && is_vouched_for(log, stream, version, seq, db_span(rows, 3))) {
			result = log_put_snapshot(log, stream, version, seq, db_span(rows, 3),
						  db_span(rows, 4));
		}
	}
	sqlite3_finalize(rows);
	return result;
}
