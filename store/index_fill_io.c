/* Filling an index: a block of postings is gathered in memory, sorted, and written in one
 * transaction. Rosters are kept while presences are written.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "store/index_state_io.h"

/* A room's roster is written down after so many comings and goings, or as many as it has members:
 * then what is written stays below a few bytes for each of them. */
enum { ROSTER_EVERY = 256, FIRST_ROOM = 4096 };

bool
log_index_begin(struct log_index *index)
{
	index->posting_count = 0;
	index->presence_count = 0;
	return index->is_writable && index->is_sound;
}

static void *
grow(void *items, size_t count, size_t *room, size_t each)
{
	if (count < *room) {
		return items;
	}
	*room = *room == 0 ? FIRST_ROOM : *room * 2;
	items = realloc(items, *room * each);
	assert(items != NULL);
	return items;
}

void
log_index_post(struct log_index *index, uint64_t key, uint64_t seq)
{
	assert(seq >= index->covered && seq - index->covered < INDEX_BLOCK_MAX);
	index->postings = grow(index->postings, index->posting_count, &index->posting_room,
			       sizeof index->postings[0]);
	index->postings[index->posting_count++] = (struct posting){ key, seq };
}

void
log_index_presence(struct log_index *index, uint64_t room, uint64_t agent, uint64_t seq,
		   bool is_there)
{
	index->presences = grow(index->presences, index->presence_count, &index->presence_room,
				sizeof index->presences[0]);
	index->presences[index->presence_count++] = (struct presence){ room, agent, seq, is_there };
}

static int
compare(const void *a, const void *b)
{
	const struct posting *one = a;
	const struct posting *other = b;

	if (one->key != other->key) {
		return one->key < other->key ? -1 : 1;
	}
	return one->seq < other->seq ? -1 : one->seq > other->seq;
}

/* The seqs of the key at `at`, each once; moves `at` behind them. */
static size_t
take_key(const struct log_index *index, size_t *at, uint64_t *seqs)
{
	const uint64_t key = index->postings[*at].key;
	size_t count = 0;

	for (; *at < index->posting_count && index->postings[*at].key == key; ++*at) {
		const uint64_t seq = index->postings[*at].seq;

		if (count == 0 || seqs[count - 1] != seq) {
			seqs[count++] = seq;
		}
	}
	return count;
}

static bool
write_postings(struct log_index *index)
{
	static uint64_t seqs[INDEX_BLOCK_MAX];
	static uint8_t packed[INDEX_BLOCK_MAX * 3]; /* a step within a block takes at most three */
	sqlite3_stmt *put =
		db_prepare(index->db, "INSERT INTO posting(key, block, seqs) VALUES(?, ?, ?)");
	bool ok = put != NULL;

	if (index->posting_count > 0) {
		qsort(index->postings, index->posting_count, sizeof index->postings[0], compare);
	}
	for (size_t at = 0; at < index->posting_count && ok;) {
		const uint64_t key = index->postings[at].key;
		const size_t count = take_key(index, &at, seqs);
		const size_t bytes = index_pack(packed, index->covered, seqs, count);

		db_bind_u64(put, 1, key);
		db_bind_u64(put, 2, index->covered);
		db_bind_span(put, 3, (struct span){ packed, bytes });
		ok = db_step_once(put) == DB_OK;
	}
	sqlite3_finalize(put);
	return ok;
}

/* --- presence ----------------------------------------------------------------------------------
 */

struct keeper {
	struct log_index *index;
	sqlite3_stmt *join, *leave, *count, *changes, *list, *put, *reset;
	uint64_t *seqs;
	uint8_t *packed;
};

static bool
keeper_make(struct keeper *k, struct log_index *index)
{
	sqlite3 *db = index->db;

	*k = (struct keeper){ .index = index };
	k->join = db_prepare(db, "INSERT OR REPLACE INTO live(room, agent, seq) VALUES(?, ?, ?)");
	k->leave = db_prepare(db, "DELETE FROM live WHERE room = ? AND agent = ?");
	k->count = db_prepare(db, "INSERT INTO room(room, changes, members) VALUES(?1, 1, 0)"
				  " ON CONFLICT(room) DO UPDATE SET changes = changes + 1");
	k->changes = db_prepare(db, "SELECT changes, members FROM room WHERE room = ?");
	k->list = db_prepare(db, "SELECT seq FROM live WHERE room = ? ORDER BY seq");
	k->put = db_prepare(db, "INSERT OR REPLACE INTO roster(room, seq, seqs) VALUES(?, ?, ?)");
	k->reset = db_prepare(db, "UPDATE room SET changes = 0, members = ?2 WHERE room = ?1");
	k->seqs = calloc(AGENTS_MAX, sizeof k->seqs[0]);
	k->packed = calloc(AGENTS_MAX, INDEX_PACKED_MAX);
	assert(k->seqs != NULL && k->packed != NULL);
	return k->join != NULL && k->leave != NULL && k->count != NULL && k->changes != NULL &&
	       k->list != NULL && k->put != NULL && k->reset != NULL;
}

static void
keeper_free(struct keeper *k)
{
	sqlite3_stmt *const all[] = { k->join, k->leave, k->count, k->changes,
				      k->list, k->put,   k->reset };

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		sqlite3_finalize(all[i]);
	}
	free(k->seqs);
	free(k->packed);
}

static bool
write_roster(struct keeper *k, uint64_t room, uint64_t as_of)
{
	size_t count = 0;

	db_bind_u64(k->list, 1, room);
	while (count < AGENTS_MAX && sqlite3_step(k->list) == SQLITE_ROW) {
		k->seqs[count++] = db_u64(k->list, 0);
	}
	sqlite3_reset(k->list);
	db_bind_u64(k->put, 1, room);
	db_bind_u64(k->put, 2, as_of);
	db_bind_span(k->put, 3,
		     (struct span){ k->packed, index_pack(k->packed, 0, k->seqs, count) });
	db_bind_u64(k->reset, 1, room);
	db_bind_u64(k->reset, 2, count);
	return db_step_once(k->put) == DB_OK && db_step_once(k->reset) == DB_OK;
}

static bool
is_roster_due(struct keeper *k, uint64_t room)
{
	bool is_due = false;

	db_bind_u64(k->changes, 1, room);
	if (sqlite3_step(k->changes) == SQLITE_ROW) {
		const uint64_t changes = db_u64(k->changes, 0);
		is_due = changes >= ROSTER_EVERY && changes >= db_u64(k->changes, 1);
	}
	sqlite3_reset(k->changes);
	return is_due;
}

static bool
write_presence(struct keeper *k, const struct presence *p)
{
	sqlite3_stmt *change = p->is_there ? k->join : k->leave;

	db_bind_u64(change, 1, p->room);
	db_bind_u64(change, 2, p->agent);
	if (p->is_there) {
		db_bind_u64(change, 3, p->seq);
	}
	db_bind_u64(k->count, 1, p->room);
	if (db_step_once(change) != DB_OK || db_step_once(k->count) != DB_OK) {
		return false;
	}
	return !is_roster_due(k, p->room) || write_roster(k, p->room, p->seq + 1);
}

static bool
write_presences(struct log_index *index)
{
	struct keeper keeper;
	bool ok = keeper_make(&keeper, index);

	for (size_t i = 0; i < index->presence_count && ok; i++) {
		ok = write_presence(&keeper, &index->presences[i]);
	}
	keeper_free(&keeper);
	return ok;
}

/* Another program may have written the same block meanwhile: then ours is given up. */
static bool
is_still_ours(const struct log_index *index)
{
	sqlite3_stmt *about = db_prepare(index->db, "SELECT covered FROM about WHERE id = 1");
	const bool is_ours = about != NULL && sqlite3_step(about) == SQLITE_ROW &&
			     db_u64(about, 0) == index->covered;

	sqlite3_finalize(about);
	return is_ours;
}

bool
log_index_commit(struct log_index *index, uint64_t end)
{
	assert(end > index->covered && end - index->covered <= INDEX_BLOCK_MAX);
	if (db_run(index->db, "BEGIN IMMEDIATE") != DB_OK) {
		return false;
	}
	if (is_still_ours(index) && write_postings(index) && write_presences(index) &&
	    index_write_about(index, end) && db_run(index->db, "COMMIT") == DB_OK) {
		index->covered = end;
		return true;
	}
	if (!sqlite3_get_autocommit(index->db)) {
		db_run(index->db, "ROLLBACK");
	}
	return false;
}
