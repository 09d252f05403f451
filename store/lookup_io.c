#include "store/lookup_io.h"

#include <assert.h>
#include <string.h>

/* "IFSW". Columns beside `entry` are projections of it: `verify` derives them again. There is no
 * second index: an append touches the right edge of two or three trees and nothing else.
 *
 * sealed.id is seq * 2 + part, so that its rows lie in the order of the events; seq and part are
 * computed. stream_head and declared_type let the writer start without a scan; both follow from the
 * events. */
const struct db_kind log_kind = {
	.name = "the evidence log",
	.application_id = 0x49465357,
	.user_version = 1,
	.secure_delete = true, /* an erasure leaves no page that still holds what is gone */
	.schema = "CREATE TABLE event(seq INTEGER PRIMARY KEY, recorded_us INTEGER NOT NULL,"
		  " stream INTEGER NOT NULL, type INTEGER NOT NULL, entry BLOB NOT NULL) STRICT;"
		  "CREATE TRIGGER event_insert BEFORE INSERT ON event"
		  " WHEN new.seq IS NOT (SELECT ifnull(max(seq), -1) + 1 FROM event)"
		  " BEGIN SELECT raise(ABORT, 'event is append-only: seq must be the next'); END;"
		  "CREATE TRIGGER event_update BEFORE UPDATE ON event"
		  " BEGIN SELECT raise(ABORT, 'event is append-only'); END;"
		  "CREATE TRIGGER event_delete BEFORE DELETE ON event"
		  " BEGIN SELECT raise(ABORT, 'event is append-only'); END;"

		  "CREATE TABLE sealed(id INTEGER PRIMARY KEY, salt BLOB NOT NULL, body BLOB NOT "
		  "NULL,"
		  " seq INTEGER AS (id >> 1) VIRTUAL, part INTEGER AS (id & 1) VIRTUAL) STRICT;"
		  "CREATE TRIGGER sealed_update BEFORE UPDATE ON sealed"
		  " BEGIN SELECT raise(ABORT, 'sealed parts are written once'); END;"

		  "CREATE TABLE tile(id INTEGER PRIMARY KEY, hashes BLOB NOT NULL) STRICT;"
		  "CREATE TRIGGER tile_update BEFORE UPDATE ON tile"
		  " BEGIN SELECT raise(ABORT, 'tiles are written once'); END;"
		  "CREATE TRIGGER tile_delete BEFORE DELETE ON tile"
		  " BEGIN SELECT raise(ABORT, 'tiles are written once'); END;"

		  "CREATE TABLE checkpoint(size INTEGER PRIMARY KEY, note BLOB NOT NULL) STRICT;"
		  "CREATE TRIGGER checkpoint_update BEFORE UPDATE ON checkpoint"
		  " BEGIN SELECT raise(ABORT, 'checkpoints are kept'); END;"
		  "CREATE TRIGGER checkpoint_delete BEFORE DELETE ON checkpoint"
		  " BEGIN SELECT raise(ABORT, 'checkpoints are kept'); END;"

		  "CREATE TABLE snapshot(stream INTEGER NOT NULL, version INTEGER NOT NULL, seq "
		  "INTEGER NOT NULL,"
		  " dump BLOB NOT NULL, annex BLOB NOT NULL, PRIMARY KEY(stream, version)) STRICT;"
		  "CREATE TABLE stream_head(stream INTEGER PRIMARY KEY, version INTEGER NOT NULL,"
		  " epoch INTEGER NOT NULL, last_seq INTEGER NOT NULL) STRICT;"
		  "CREATE TABLE declared_type(number INTEGER NOT NULL, version INTEGER NOT NULL,"
		  " seq INTEGER NOT NULL, PRIMARY KEY(number, version)) STRICT, WITHOUT ROWID;",
};

uint64_t
sealed_id(uint64_t seq, unsigned part)
{
	assert(part < SEALED_PARTS_MAX);
	return seq << 1 | part;
}

uint64_t
tile_id(unsigned level, uint64_t index)
{
	assert(index < UINT64_C(1) << 56);
	return (uint64_t)level << 56 | index;
}

bool
lookup_open(struct lookup *lookup, sqlite3 *db)
{
	lookup->db = db;
	for (size_t i = 0; i < MERKLE_LEVELS; i++) {
		lookup->derived[i].count = 0;
	}
	lookup->size = db_prepare(db, "SELECT ifnull(max(seq), -1) + 1 FROM event");
	lookup->entry = db_prepare(db, "SELECT entry FROM event WHERE seq = ?");
	lookup->leaves = db_prepare(
		db, "SELECT seq, entry FROM event WHERE seq >= ? AND seq < ? ORDER BY seq");
	lookup->tile = db_prepare(db, "SELECT hashes FROM tile WHERE id = ?");
	return lookup->size != NULL && lookup->entry != NULL && lookup->leaves != NULL &&
	       lookup->tile != NULL;
}

void
lookup_close(struct lookup *lookup)
{
	sqlite3_finalize(lookup->size);
	sqlite3_finalize(lookup->entry);
	sqlite3_finalize(lookup->leaves);
	sqlite3_finalize(lookup->tile);
}

bool
lookup_size(struct lookup *lookup, uint64_t *size)
{
	const bool ok = sqlite3_step(lookup->size) == SQLITE_ROW;

	*size = ok ? db_u64(lookup->size, 0) : 0;
	return sqlite3_reset(lookup->size) == SQLITE_OK && ok;
}

bool
lookup_entry(struct lookup *lookup, uint64_t seq, uint8_t memory[ENTRY_BYTES_MAX], struct span *out)
{
	*out = (struct span){ memory, 0 };
	db_bind_u64(lookup->entry, 1, seq);
	if (sqlite3_step(lookup->entry) == SQLITE_ROW) {
		const struct span bytes = db_span(lookup->entry, 0);
		if (bytes.count > 0 && bytes.count <= ENTRY_BYTES_MAX) {
			memcpy(memory, bytes.at, bytes.count);
			out->count = bytes.count;
		}
	}
	sqlite3_reset(lookup->entry);
	return out->count > 0;
}

enum entry_meaning
lookup_event(struct lookup *lookup, uint64_t seq, struct entry *header, struct event *out)
{
	uint8_t memory[ENTRY_BYTES_MAX];
	struct span bytes;

	if (!lookup_entry(lookup, seq, memory, &bytes) || !entry_read(bytes, header)) {
		return ENTRY_BROKEN;
	}
	const enum entry_meaning meaning = entry_to_event(header, NULL, out);
	header->fields = (struct span){ 0 }; /* they end with this function */
	return meaning;
}

static bool
read_tile(struct lookup *lookup, unsigned level, uint64_t index, uint32_t count,
	  struct digest *hashes)
{
	bool found = false;

	db_bind_u64(lookup->tile, 1, tile_id(level, index));
	if (sqlite3_step(lookup->tile) == SQLITE_ROW) {
		const struct span bytes = db_span(lookup->tile, 0);
		found = bytes.count == TILE_HASHES * sizeof *hashes;
		if (found) {
			memcpy(hashes, bytes.at, count * sizeof *hashes);
		}
	}
	sqlite3_reset(lookup->tile);
	return found;
}

static bool
hash_leaves(struct lookup *lookup, uint64_t first, uint32_t count, struct digest *hashes)
{
	uint32_t done = 0;

	db_bind_u64(lookup->leaves, 1, first);
	db_bind_u64(lookup->leaves, 2, first + count);
	while (sqlite3_step(lookup->leaves) == SQLITE_ROW &&
	       db_u64(lookup->leaves, 0) == first + done) {
		entry_leaf_hash(db_span(lookup->leaves, 1), &hashes[done++]);
	}
	sqlite3_reset(lookup->leaves);
	return done == count;
}

static bool
derive(struct lookup *lookup, unsigned level, uint64_t index, uint32_t count,
       struct lookup_derived *out)
{
	struct digest below[TILE_HASHES];
	uint32_t done = out->index == index ? out->count : 0;

	out->index = index;
	for (out->count = done; done < count; out->count = ++done) {
		if (!lookup_hashes(lookup, level - 1, index * TILE_HASHES + done, TILE_HASHES,
				   below)) {
			return false;
		}
		merkle_hashes_root(below, TILE_HASHES, &out->hashes[done]);
	}
	return true;
}

bool
lookup_hashes(void *context, unsigned level, uint64_t index, uint32_t count, struct digest *hashes)
{
	struct lookup *lookup = context;

	if (read_tile(lookup, level, index, count, hashes)) {
		return true;
	}
	if (level == 0) {
		return hash_leaves(lookup, index * TILE_HASHES, count, hashes);
	}
	if (!derive(lookup, level, index, count, &lookup->derived[level])) {
		return false;
	}
	memcpy(hashes, lookup->derived[level].hashes, count * sizeof *hashes);
	return true;
}
