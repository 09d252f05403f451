/* Opening an index: what fits its log is taken, anything else is thrown away and made anew. */
#include <assert.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/index_state_io.h"

enum { INDEX_FORMAT = 1, BUSY_MS = 200 };

/* Word for word as SQLite keeps them: a file with any other table, view or trigger is not ours. */
const char *const index_schema[INDEX_TABLES] = {
	"CREATE TABLE about(id INTEGER PRIMARY KEY, format INTEGER, origin TEXT, covered INTEGER,"
	" last BLOB, names BLOB)",
	"CREATE TABLE live(room INTEGER, agent INTEGER, seq INTEGER, PRIMARY KEY(room, agent))"
	" WITHOUT ROWID",
	"CREATE TABLE posting(key INTEGER, block INTEGER, seqs BLOB, PRIMARY KEY(key, block))"
	" WITHOUT ROWID",
	"CREATE TABLE room(room INTEGER PRIMARY KEY, changes INTEGER, members INTEGER)",
	"CREATE TABLE roster(room INTEGER, seq INTEGER, seqs BLOB, PRIMARY KEY(room, seq))"
	" WITHOUT ROWID",
};

bool
log_index_delete(const char *directory)
{
	char path[FILE_PATH_MAX];
	char journal[FILE_PATH_MAX];

	path_join(path, directory, "index.db");
	path_join(journal, directory, "index.db-journal");
	unlink(journal);
	unlink(path);
	return !file_exists(path) && !file_exists(journal);
}

void
index_is_damaged(struct log_index *index)
{
	index->is_sound = false;
	index->covered = 0;
	if (index->is_writable) {
		log_index_delete(index->reader->directory);
	}
}

static bool
is_one(sqlite3_stmt *statement)
{
	return statement != NULL && sqlite3_step(statement) == SQLITE_ROW;
}

static bool
has_schema(sqlite3 *db)
{
	sqlite3_stmt *rows = NULL;
	size_t count = 0;
	bool is_same = true;

	if (sqlite3_prepare_v2(db, "SELECT sql FROM sqlite_schema ORDER BY name", -1, &rows,
			       NULL) != SQLITE_OK) {
		return false;
	}
	while (is_same && sqlite3_step(rows) == SQLITE_ROW) {
		const char *sql = (const char *)sqlite3_column_text(rows, 0);

		is_same = sql != NULL && count < INDEX_TABLES &&
			  strcmp(sql, index_schema[count++]) == 0;
	}
	sqlite3_finalize(rows);
	return is_same && count == INDEX_TABLES;
}

/* A secret of the wrap key without showing it: two indexes fit if this is the same. */
static void
mark_of_secret(const struct log_index *index, uint8_t out[INDEX_SECRET_BYTES])
{
	unsigned count = INDEX_SECRET_BYTES;

	HMAC(EVP_sha256(), index->secret, INDEX_SECRET_BYTES, (const unsigned char *)"mark", 4, out,
	     &count);
	assert(count == INDEX_SECRET_BYTES);
}

static bool
leaf_of(struct log_reader *reader, uint64_t seq, struct digest *out)
{
	uint8_t memory[ENTRY_BYTES_MAX];
	struct span bytes;

	if (lookup_entry(&reader->lookup, seq, memory, &bytes)) {
		entry_leaf_hash(bytes, out);
		return true;
	}
	/* Of what was pruned the tile has the hash. */
	struct digest hashes[TILE_HASHES];
	const bool is_there =
		lookup_hashes(&reader->lookup, 0, seq / TILE_HASHES, TILE_HASHES, hashes);
	*out = is_there ? hashes[seq % TILE_HASHES] : *out;
	return is_there;
}

static bool
is_equal(struct span bytes, const void *other, size_t count)
{
	return bytes.count == count && memcmp(bytes.at, other, count) == 0;
}

/* An index without names is of no use to who has keys; one with names serves who has none. */
static bool
fits_names(struct log_index *index, struct span mark, bool has_keys)
{
	uint8_t ours[INDEX_SECRET_BYTES];

	mark_of_secret(index, ours);
	index->has_names = has_keys;
	return !has_keys || is_equal(mark, ours, sizeof ours);
}

static bool
fits_log(struct log_index *index, sqlite3_stmt *about, bool has_keys)
{
	const char *origin = (const char *)sqlite3_column_text(about, 1);
	struct digest leaf;
	uint64_t size = 0;

	if (db_u64(about, 0) != INDEX_FORMAT || origin == NULL ||
	    strcmp(origin, index->reader->origin) != 0 || sqlite3_column_int64(about, 2) < 0) {
		return false;
	}
	index->covered = db_u64(about, 2);
	if (!fits_names(index, db_span(about, 4), has_keys) ||
	    !log_reader_size(index->reader, &size) || index->covered > size) {
		return false;
	}
	return index->covered == 0 || (leaf_of(index->reader, index->covered - 1, &leaf) &&
				       is_equal(db_span(about, 3), leaf.bytes, sizeof leaf.bytes));
}

static bool
fits(struct log_index *index, bool has_keys)
{
	sqlite3_stmt *about = NULL;
	bool ok = has_schema(index->db);

	ok = ok && sqlite3_prepare_v2(index->db,
				      "SELECT format, origin, covered, last, names FROM about"
				      " WHERE id = 1",
				      -1, &about, NULL) == SQLITE_OK;
	ok = ok && is_one(about) && fits_log(index, about, has_keys);
	sqlite3_finalize(about);
	return ok;
}

/* Nothing in the file may make us run what we did not write. One file without a WAL: it is written
 * in few large steps. */
static bool
set_up(sqlite3 *db)
{
	int ignored = 0;

	sqlite3_busy_timeout(db, BUSY_MS);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, &ignored);
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, &ignored);
	return db_run(db, "PRAGMA cell_size_check=ON; PRAGMA mmap_size=0;"
			  " PRAGMA temp_store=MEMORY; PRAGMA cache_size=-32768;") == DB_OK;
}

static bool
open_file(struct log_index *index, int flags)
{
	if (sqlite3_open_v2(index->path, &index->db, flags | SQLITE_OPEN_NOMUTEX, NULL) ==
		    SQLITE_OK &&
	    set_up(index->db)) {
		return true;
	}
	db_close(index->db);
	index->db = NULL;
	return false;
}

static bool
make_file(struct log_index *index)
{
	const int descriptor = open(index->path, O_CREAT | O_EXCL | O_CLOEXEC | O_RDWR, 0600);

	if (descriptor < 0) {
		return false;
	}
	close(descriptor);
	if (!open_file(index, SQLITE_OPEN_READWRITE)) {
		return false;
	}
	bool ok = db_run(index->db, "BEGIN IMMEDIATE") == DB_OK;
	for (size_t i = 0; i < INDEX_TABLES && ok; i++) {
		ok = db_run(index->db, index_schema[i]) == DB_OK;
	}
	ok = ok && index_write_about(index, 0);
	return ok && db_run(index->db, "COMMIT") == DB_OK;
}

bool
index_write_about(struct log_index *index, uint64_t covered)
{
	sqlite3_stmt *about = db_prepare(
		index->db, "INSERT OR REPLACE INTO about(id, format, origin, covered, last, names)"
			   " VALUES(1, ?, ?, ?, ?, ?)");
	uint8_t mark[INDEX_SECRET_BYTES];
	struct digest leaf = { { 0 } };

	if (about == NULL || (covered > 0 && !leaf_of(index->reader, covered - 1, &leaf))) {
		sqlite3_finalize(about);
		return false;
	}
	mark_of_secret(index, mark);
	db_bind_u64(about, 1, INDEX_FORMAT);
	sqlite3_bind_text(about, 2, index->reader->origin, -1, SQLITE_STATIC);
	db_bind_u64(about, 3, covered);
	db_bind_span(about, 4, (struct span){ leaf.bytes, sizeof leaf.bytes });
	db_bind_span(about, 5,
		     (struct span){ mark, index->has_names ? (size_t)INDEX_SECRET_BYTES : 0 });
	const bool ok = db_step_once(about) == DB_OK;
	sqlite3_finalize(about);
	return ok;
}

static bool
prepare(struct log_index *index)
{
	index->next = db_prepare(index->db, "SELECT block FROM posting WHERE key = ? AND block >= ?"
					    " ORDER BY block LIMIT 1");
	index->take = db_prepare(index->db, "SELECT seqs FROM posting WHERE key = ? AND block = ?");
	index->roster = db_prepare(index->db, "SELECT seq, seqs FROM roster WHERE room = ?"
					      " AND seq <= ? ORDER BY seq DESC LIMIT 1");
	return index->next != NULL && index->take != NULL && index->roster != NULL;
}

static bool
open_any(struct log_index *index, bool has_keys)
{
	if (open_file(index, index->is_writable ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) &&
	    fits(index, has_keys) && prepare(index)) {
		return true;
	}
	/* One that another program is writing to is no bad one. */
	if (!index->is_writable ||
	    (index->db != NULL && (sqlite3_errcode(index->db) & 0xFF) == SQLITE_BUSY)) {
		return false;
	}
	db_close(index->db);
	index->db = NULL;
	index->covered = 0;
	index->has_names = has_keys;
	return log_index_delete(index->reader->directory) && make_file(index) && prepare(index);
}

struct log_index *
log_index_open(struct log_reader *reader, struct log_keys *keys, bool may_write)
{
	struct log_index *index = calloc(1, sizeof *index);

	assert(index != NULL);
	index->reader = reader;
	index->is_sound = true;
	path_join(index->path, reader->directory, "index.db");
	index->is_writable = may_write && access(reader->directory, W_OK) == 0;
	if (keys != NULL) {
		seal_derive(keys_wrap_key(keys->keys), "ifswarm/index/v1", index->secret);
	}
	if (!open_any(index, keys != NULL)) {
		log_index_close(index);
		return NULL;
	}
	return index;
}

struct log_index *
log_index_renew(struct log_index *index, struct log_keys *keys)
{
	struct log_reader *reader = index->reader;

	log_index_close(index);
	log_index_delete(reader->directory);
	return log_index_open(reader, keys, true);
}

void
log_index_close(struct log_index *index)
{
	if (index == NULL) {
		return;
	}
	sqlite3_finalize(index->next);
	sqlite3_finalize(index->take);
	sqlite3_finalize(index->roster);
	db_close(index->db);
	free(index->postings);
	free(index->presences);
	seal_forget(index->secret, sizeof index->secret);
	free(index);
}
