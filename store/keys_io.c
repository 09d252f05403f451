#include "store/keys_io.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A key may lie in any slot of its set: with one slot each, keys that collide would push one
 * another out at every event, and loading one costs as much as ten appends. */
enum { CACHE_SLOTS = 32768, CACHE_SET = 8 };

struct keys {
	sqlite3 *db;
	sqlite3_stmt *find;
	sqlite3_stmt *put;
	struct seal_key wrap;
	bool in_transaction;
	uint64_t wal_pages;
	unsigned next_victim;
	struct data_key
		unannounced;    /* the last one found so: it is looked up again until it is not */
	struct data_key *cache; /* CACHE_SLOTS; a slot is empty while its subject is none */
};

/* "IFSK". */
const struct db_kind keys_kind = {
	.name = "the key store",
	.application_id = 0x4946534B,
	.user_version = 1,
	.secure_delete = true,
	.schema =
		"CREATE TABLE data_key(subject BLOB NOT NULL, month INTEGER NOT NULL, id BLOB NOT "
		"NULL,"
		" wrapped BLOB NOT NULL, created_seq INTEGER NOT NULL, PRIMARY KEY(subject, month))"
		" STRICT, WITHOUT ROWID;",
};

static int
count_wal_pages(void *context, sqlite3 *db, const char *name, int pages)
{
	struct keys *keys = context;

	(void)db;
	(void)name;
	keys->wal_pages = (uint64_t)pages;
	return SQLITE_OK;
}

bool
keys_open(const char *path, enum db_mode mode, const struct seal_key *wrap, struct keys **out,
	  char *fault, size_t fault_size)
{
	struct keys *keys = calloc(1, sizeof *keys);

	assert(keys != NULL);
	if (!db_open(path, mode, &keys_kind, &keys->db, fault, fault_size)) {
		free(keys);
		return false;
	}
	keys->wrap = *wrap;
	keys->cache = calloc(CACHE_SLOTS, sizeof *keys->cache);
	keys->find = db_prepare(keys->db, "SELECT id, wrapped, created_seq FROM data_key"
					  " WHERE subject = ? AND month = ?");
	keys->put = db_prepare(keys->db,
			       "INSERT INTO data_key(subject, month, id, wrapped, created_seq)"
			       " VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(subject, month)"
			       " DO UPDATE SET created_seq = ?5 WHERE id = ?3");
	assert(keys->cache != NULL);
	sqlite3_wal_hook(keys->db, count_wal_pages, keys);
	if (keys->find == NULL || keys->put == NULL) {
		snprintf(fault, fault_size, "%s: its tables are not those of a key store: %s", path,
			 sqlite3_errmsg(keys->db));
		keys_close(keys);
		return false;
	}
	*out = keys;
	return true;
}

static void
forget_cache(struct keys *keys)
{
	seal_forget(keys->cache, CACHE_SLOTS * sizeof *keys->cache);
}

void
keys_close(struct keys *keys)
{
	if (keys == NULL) {
		return;
	}
	sqlite3_finalize(keys->find);
	sqlite3_finalize(keys->put);
	db_close(keys->db);
	forget_cache(keys);
	free(keys->cache);
	seal_forget(keys, sizeof *keys);
	free(keys);
}

const struct seal_key *
keys_wrap_key(const struct keys *keys)
{
	return &keys->wrap;
}

static struct data_key *
set_of(struct keys *keys, const struct id *subject, uint64_t month)
{
	const uint64_t hash = hash_bytes(month, subject->bytes, sizeof subject->bytes);

	return keys->cache + hash % (CACHE_SLOTS / CACHE_SET) * CACHE_SET;
}

static struct data_key *
find_cached(struct keys *keys, const struct id *subject, uint64_t month)
{
	struct data_key *set = set_of(keys, subject, month);

	for (unsigned i = 0; i < CACHE_SET; i++) {
		if (set[i].month == month && id_equal(&set[i].subject, subject)) {
			return &set[i];
		}
	}
	return NULL;
}

/* The slot of this key, an empty one, or another's in turn. */
static struct data_key *
put_cached(struct keys *keys, const struct data_key *key)
{
	struct data_key *set = set_of(keys, &key->subject, key->month);
	struct data_key *slot = find_cached(keys, &key->subject, key->month);

	for (unsigned i = 0; i < CACHE_SET && slot == NULL; i++) {
		slot = id_is_none(&set[i].subject) ? &set[i] : NULL;
	}
	if (slot == NULL) {
		slot = &set[keys->next_victim++ % CACHE_SET];
	}
	*slot = *key;
	return slot;
}

static enum keys_found
load(struct keys *keys, struct data_key *key)
{
	enum keys_found found = KEYS_NONE;

	db_bind_span(keys->find, 1, (struct span){ key->subject.bytes, sizeof key->subject.bytes });
	db_bind_u64(keys->find, 2, key->month);
	const int code = sqlite3_step(keys->find);
	if (code == SQLITE_ROW) {
		const struct span id = db_span(keys->find, 0);
		const struct span wrapped = db_span(keys->find, 1);
		key->created_seq = db_u64(keys->find, 2);
		found = KEYS_BROKEN;
		if (id.count == sizeof key->id && wrapped.count == SEAL_WRAPPED_BYTES &&
		    seal_unwrap(&keys->wrap, wrapped.at, &key->key)) {
			memcpy(&key->id, id.at, sizeof key->id);
			found = KEYS_FOUND;
		}
	} else if (code != SQLITE_DONE) {
		found = KEYS_BROKEN;
	}
	sqlite3_reset(keys->find);
	return found;
}

/* The key_created event at created_seq must be about this key; then it must be the key it commits
 * to. */
static enum keys_found
check_commitment(struct lookup *log, const struct data_key *key, bool *announced)
{
	struct digest commitment;
	struct entry header;
	struct event event;

	*announced = lookup_event(log, key->created_seq, &header, &event) == ENTRY_KNOWN &&
		     event.type == EVENT_KEY_CREATED &&
		     id_equal(&event.key_created.key, &key->id) &&
		     id_equal(&event.key_created.subject, &key->subject);
	if (!*announced) {
		return KEYS_FOUND;
	}
	seal_commitment(&key->key, &commitment);
	return digest_equal(&commitment, &event.key_created.commitment) ? KEYS_FOUND : KEYS_BROKEN;
}

enum keys_found
keys_find(struct keys *keys, struct lookup *log, const struct id *subject, uint64_t month,
	  const struct data_key **out, bool *announced)
{
	struct data_key *cached = find_cached(keys, subject, month);

	assert(!id_is_none(subject));
	*announced = true;
	*out = cached;
	if (cached != NULL) {
		return KEYS_FOUND;
	}
	struct data_key key = { .subject = *subject, .month = month };
	enum keys_found found = load(keys, &key);
	if (found == KEYS_FOUND) {
		found = check_commitment(log, &key, announced);
	}
	if (found == KEYS_FOUND && *announced) {
		*out = put_cached(keys, &key);
	} else if (found == KEYS_FOUND) {
		keys->unannounced = key;
		*out = &keys->unannounced;
	}
	seal_forget(&key, sizeof key);
	return found;
}

static enum db_result
begin(struct keys *keys)
{
	const enum db_result begun =
		keys->in_transaction ? DB_OK : db_run(keys->db, "BEGIN IMMEDIATE");

	keys->in_transaction |= begun == DB_OK;
	return begun;
}

enum db_result
keys_put(struct keys *keys, const struct data_key *key)
{
	uint8_t wrapped[SEAL_WRAPPED_BYTES];
	const enum db_result begun = begin(keys);

	if (begun != DB_OK) {
		return begun;
	}
	seal_wrap(&keys->wrap, &key->key, wrapped);
	db_bind_span(keys->put, 1, (struct span){ key->subject.bytes, sizeof key->subject.bytes });
	db_bind_u64(keys->put, 2, key->month);
	db_bind_span(keys->put, 3, (struct span){ key->id.bytes, sizeof key->id.bytes });
	db_bind_span(keys->put, 4, (struct span){ wrapped, sizeof wrapped });
	db_bind_u64(keys->put, 5, key->created_seq);
	const enum db_result result = db_step_once(keys->put);
	if (result == DB_OK) {
		put_cached(keys, key);
	}
	return result;
}

/* --- destroying --------------------------------------------------------------------------------
 */

static uint64_t
count_keys(struct keys *keys, const char *sql, const struct id *subject, uint64_t month)
{
	sqlite3_stmt *statement = db_prepare(keys->db, sql);
	uint64_t count = 0;

	if (statement == NULL) {
		return 0;
	}
	if (subject != NULL) {
		db_bind_span(statement, 1, (struct span){ subject->bytes, sizeof subject->bytes });
	} else {
		db_bind_u64(statement, 1, month);
	}
	if (sqlite3_step(statement) == SQLITE_ROW) {
		count = db_u64(statement, 0);
	}
	sqlite3_finalize(statement);
	return count;
}

uint64_t
keys_count_subject(struct keys *keys, const struct id *subject)
{
	return count_keys(keys, "SELECT count(*) FROM data_key WHERE subject = ?", subject, 0);
}

uint64_t
keys_count_months(struct keys *keys, uint64_t month)
{
	return count_keys(keys, "SELECT count(*) FROM data_key WHERE month <= ?", NULL, month);
}

bool
keys_has(struct keys *keys, const struct id *subject, uint64_t month)
{
	struct data_key key = { .subject = *subject, .month = month };
	const enum keys_found found = load(keys, &key);

	seal_forget(&key, sizeof key);
	return found != KEYS_NONE;
}

/* The cache is emptied as a whole: it is filled again from what is left. */
static enum db_result
destroy(struct keys *keys, sqlite3_stmt *statement, uint64_t *count)
{
	enum db_result result = statement == NULL ? DB_FAILED : begin(keys);

	if (result == DB_OK) {
		result = db_step_once(statement);
	}
	*count += result == DB_OK ? (uint64_t)sqlite3_changes(keys->db) : 0;
	sqlite3_finalize(statement);
	forget_cache(keys);
	seal_forget(&keys->unannounced, sizeof keys->unannounced);
	return result;
}

enum db_result
keys_forget_subject(struct keys *keys, const struct id *subject, uint64_t *count)
{
	sqlite3_stmt *statement = db_prepare(keys->db, "DELETE FROM data_key WHERE subject = ?");

	if (statement != NULL) {
		db_bind_span(statement, 1, (struct span){ subject->bytes, sizeof subject->bytes });
	}
	return destroy(keys, statement, count);
}

static enum db_result
note_kept(struct keys *keys, const struct kept_key *kept, size_t count)
{
	enum db_result result =
		db_run(keys->db, "CREATE TEMP TABLE IF NOT EXISTS kept"
				 "(subject BLOB, month INTEGER, PRIMARY KEY(subject,"
				 " month)); DELETE FROM kept");
	sqlite3_stmt *statement =
		result == DB_OK ? db_prepare(keys->db, "INSERT OR IGNORE INTO kept VALUES(?, ?)")
				: NULL;

	for (size_t i = 0; i < count && statement != NULL && result == DB_OK; i++) {
		db_bind_span(statement, 1,
			     (struct span){ kept[i].subject.bytes, sizeof kept[i].subject.bytes });
		db_bind_u64(statement, 2, kept[i].month);
		result = db_step_once(statement);
	}
	result = statement == NULL ? DB_FAILED : result;
	sqlite3_finalize(statement);
	return result;
}

enum db_result
keys_forget_months(struct keys *keys, uint64_t month, const struct kept_key *kept,
		   size_t kept_count, uint64_t *count)
{
	const enum db_result noted = note_kept(keys, kept, kept_count);
	sqlite3_stmt *statement =
		noted != DB_OK ? NULL
			       : db_prepare(keys->db,
					    "DELETE FROM data_key WHERE month <= ? AND NOT EXISTS"
					    " (SELECT 1 FROM kept WHERE kept.subject ="
					    " data_key.subject AND kept.month = data_key.month)");

	if (statement != NULL) {
		db_bind_u64(statement, 1, month);
	}
	return noted == DB_OK ? destroy(keys, statement, count) : noted;
}

enum db_result
keys_commit(struct keys *keys)
{
	if (!keys->in_transaction) {
		return DB_OK;
	}
	const enum db_result result = db_run(keys->db, "COMMIT");
	keys->in_transaction = result != DB_OK;
	return result;
}

/* A key that was put and is given up may be in the cache: all of it goes. */
void
keys_rollback(struct keys *keys)
{
	forget_cache(keys);
	if (!sqlite3_get_autocommit(keys->db)) {
		db_run(keys->db, "ROLLBACK");
	}
	keys->in_transaction = false;
}

enum db_result
keys_checkpoint_wal(struct keys *keys, uint64_t pages_min)
{
	if (keys->wal_pages < pages_min) {
		return DB_OK;
	}
	keys->wal_pages = 0;
	return db_checkpoint_wal(keys->db);
}

enum db_result
keys_empty_wal(struct keys *keys, bool *empty)
{
	keys->wal_pages = 0;
	return db_empty_wal(keys->db, empty);
}
