#include "store/db_io.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A reader may wait for another that recovers the WAL; the writer for somebody's tool that wrote.
 */
enum { BUSY_TIMEOUT_MS = 5000 };

struct pragma {
	const char *set;
	const char *get;
	const char *value; /* what `get` must give */
};

/* The bigger safety: nothing in a file may make us run or trust what we did not write. */
static const struct pragma pragmas_always[] = {
	{ "PRAGMA trusted_schema=OFF", "PRAGMA trusted_schema", "0" },
	{ "PRAGMA cell_size_check=ON", "PRAGMA cell_size_check", "1" },
	{ "PRAGMA recursive_triggers=ON", "PRAGMA recursive_triggers", "1" },
	{ "PRAGMA mmap_size=0", "PRAGMA mmap_size", "0" },
	{ "PRAGMA temp_store=MEMORY", "PRAGMA temp_store", "2" },
	{ "PRAGMA cache_size=-16384", "PRAGMA cache_size", "-16384" },
};

static const struct pragma pragmas_write[] = {
	{ "PRAGMA journal_mode=WAL", "PRAGMA journal_mode", "wal" },
	{ "PRAGMA synchronous=FULL", "PRAGMA synchronous", "2" },
	{ "PRAGMA wal_autocheckpoint=0", "PRAGMA wal_autocheckpoint", "0" },
	{ "PRAGMA journal_size_limit=33554432", "PRAGMA journal_size_limit", "33554432" },
};

static const struct pragma pragma_secure_delete = { "PRAGMA secure_delete=ON",
						    "PRAGMA secure_delete", "1" };

enum db_result
db_result_of(int sqlite_code)
{
	if (sqlite_code == SQLITE_OK || sqlite_code == SQLITE_DONE || sqlite_code == SQLITE_ROW) {
		return DB_OK;
	}
	return (sqlite_code & 0xFF) == SQLITE_FULL ? DB_FULL : DB_FAILED;
}

enum db_result
db_run(sqlite3 *db, const char *sql)
{
	return db_result_of(sqlite3_exec(db, sql, NULL, NULL, NULL));
}

enum db_result
db_step_once(sqlite3_stmt *statement)
{
	const int code = sqlite3_step(statement);

	sqlite3_reset(statement);
	return db_result_of(code);
}

/* PASSIVE never waits for a reader and never blocks one: what it cannot take now, or while somebody
 * else's tool is at it, it takes later. */
enum db_result
db_checkpoint_wal(sqlite3 *db)
{
	const int code = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);

	return (code & 0xFF) == SQLITE_BUSY ? DB_OK : db_result_of(code);
}

enum db_result
db_empty_wal(sqlite3 *db, bool *empty)
{
	sqlite3_busy_timeout(db, 0);
	const int code =
		sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);

	sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
	*empty = code == SQLITE_OK;
	return (code & 0xFF) == SQLITE_BUSY ? DB_OK : db_result_of(code);
}

sqlite3_stmt *
db_prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement = NULL;
	const int code =
		sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL);

	/* The schema was checked by its identity; a statement that does not fit is a bug of ours,
	 * or a file that somebody forged and that fails at its first step. */
	assert(code != SQLITE_MISUSE);
	return code == SQLITE_OK ? statement : NULL;
}

void
db_bind_u64(sqlite3_stmt *statement, int place, uint64_t value)
{
	assert(value <= INT64_MAX);
	sqlite3_bind_int64(statement, place, (int64_t)value);
}

void
db_bind_span(sqlite3_stmt *statement, int place, struct span bytes)
{
	const void *at = bytes.count > 0 ? (const void *)bytes.at : "";

	sqlite3_bind_blob64(statement, place, at, bytes.count, SQLITE_STATIC);
}

uint64_t
db_u64(sqlite3_stmt *statement, int column)
{
	return (uint64_t)sqlite3_column_int64(statement, column);
}

struct span
db_span(sqlite3_stmt *statement, int column)
{
	const uint8_t *at = sqlite3_column_blob(statement, column);

	return (struct span){ at,
			      at == NULL ? 0 : (size_t)sqlite3_column_bytes(statement, column) };
}

/* The first column of the first row as text. */
static int
ask(sqlite3 *db, const char *sql, char *out, size_t size)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

	out[0] = '\0';
	if (code == SQLITE_OK) {
		code = sqlite3_step(statement);
	}
	if (code == SQLITE_ROW) {
		const unsigned char *text = sqlite3_column_text(statement, 0);
		snprintf(out, size, "%s", text == NULL ? "" : (const char *)text);
	}
	sqlite3_finalize(statement);
	return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

static bool
set_pragma(sqlite3 *db, const struct pragma *pragma, const char *path, char *fault, size_t size)
{
	char value[64];
	int code = ask(db, pragma->set, value, sizeof value);

	if (code == SQLITE_OK) {
		code = ask(db, pragma->get, value, sizeof value);
	}
	if (code != SQLITE_OK) {
		snprintf(fault, size, "%s: %s: %s", path, pragma->set, sqlite3_errmsg(db));
		return false;
	}
	/* SQLite builds may leave mmap out altogether: then there is nothing to read back. */
	if (strcmp(value, pragma->value) != 0 && value[0] != '\0') {
		snprintf(fault, size,
			 "%s: %s did not take effect (it is %s): use the SQLite of Debian 12", path,
			 pragma->set, value);
		return false;
	}
	return true;
}

static bool
set_pragmas(sqlite3 *db, enum db_mode mode, const struct db_kind *kind, const char *path,
	    char *fault, size_t size)
{
	bool ok = true;

	for (size_t i = 0; i < sizeof pragmas_always / sizeof pragmas_always[0]; i++) {
		ok = ok && set_pragma(db, &pragmas_always[i], path, fault, size);
	}
	if (mode == DB_WRITE && kind->secure_delete) {
		ok = ok && set_pragma(db, &pragma_secure_delete, path, fault, size);
	}
	for (size_t i = 0; mode == DB_WRITE && i < sizeof pragmas_write / sizeof pragmas_write[0];
	     i++) {
		ok = ok && set_pragma(db, &pragmas_write[i], path, fault, size);
	}
	return ok;
}

static bool
set_defences(sqlite3 *db, enum db_mode mode)
{
	int defensive = 0, trusted = 1, keeps_wal = 0;
	int code = sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, &defensive);

	code |= sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, &trusted);
	code |= sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, mode == DB_READ,
				  &keeps_wal);
	return code == SQLITE_OK && defensive == 1 && trusted == 0 &&
	       keeps_wal == (mode == DB_READ);
}

/* --- identity ----------------------------------------------------------------------------------
 */

static bool
say_unreadable(sqlite3 *db, const struct db_kind *kind, const char *path, char *fault, size_t size)
{
	const char *what = "";

	switch (sqlite3_errcode(db)) {
	case SQLITE_NOTADB:
		what = "it is no SQLite file: put the right file there, or restore it from a "
		       "backup";
		break;
	case SQLITE_CORRUPT:
		what = "it is truncated or damaged: keep it as it is, and restore a backup beside "
		       "it";
		break;
	default:
		snprintf(fault, size,
			 "%s: %s cannot be read: %s (%s): see to the disk and to who owns the file",
			 path, kind->name, sqlite3_errmsg(db), strerror(sqlite3_system_errno(db)));
		return false;
	}
	snprintf(fault, size, "%s: %s cannot be read: %s", path, kind->name, what);
	return false;
}

static bool
check_identity(sqlite3 *db, const struct db_kind *kind, const char *path, char *fault, size_t size)
{
	char application_id[32], user_version[32], expected[32];

	snprintf(expected, sizeof expected, "%" PRIu32, kind->application_id);
	if (ask(db, "PRAGMA application_id", application_id, sizeof application_id) != SQLITE_OK ||
	    ask(db, "PRAGMA user_version", user_version, sizeof user_version) != SQLITE_OK) {
		return say_unreadable(db, kind, path, fault, size);
	}
	if (strcmp(application_id, expected) != 0) {
		snprintf(fault, size,
			 "%s: not %s (application_id %s, not %s): it belongs to another program; "
			 "name "
			 "another data directory",
			 path, kind->name, application_id, expected);
		return false;
	}
	snprintf(expected, sizeof expected, "%" PRIu32, kind->user_version);
	if (strcmp(user_version, expected) != 0) {
		snprintf(fault, size,
			 "%s: %s has format version %s, this program knows %s: use the program "
			 "that wrote it",
			 path, kind->name, user_version, expected);
		return false;
	}
	return true;
}

static bool
is_empty(sqlite3 *db, bool *empty)
{
	char count[32];

	const int code = ask(db, "SELECT count(*) FROM sqlite_schema", count, sizeof count);
	*empty = strcmp(count, "0") == 0;
	return code == SQLITE_OK;
}

static bool
make_schema(sqlite3 *db, const struct db_kind *kind, const char *path, char *fault, size_t size)
{
	char identity[128];

	snprintf(identity, sizeof identity,
		 "PRAGMA application_id=%" PRIu32 "; PRAGMA user_version=%" PRIu32 ";",
		 kind->application_id, kind->user_version);
	if (db_run(db, "BEGIN IMMEDIATE") != DB_OK || db_run(db, kind->schema) != DB_OK ||
	    db_run(db, identity) != DB_OK || db_run(db, "COMMIT") != DB_OK) {
		snprintf(fault, size, "%s: cannot make %s: %s", path, kind->name,
			 sqlite3_errmsg(db));
		return false;
	}
	return true;
}

/* A process of ours uses SQLite from one thread alone: its locks and its memory statistics, which
 * need one, would cost the append path 5 % for nothing. Refused (and harmless) once SQLite is in
 * use. */
static void
use_one_thread(void)
{
	sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

/* --- opening -----------------------------------------------------------------------------------
 */

static bool
open_uri(const char *path, const char *query, int flags, sqlite3 **db)
{
	char uri[3 * DB_PATH_MAX + 64] = "file:";
	size_t at = strlen(uri);

	for (const char *c = path; *c != '\0' && at + 4 < sizeof uri - 32; c++) {
		if (strchr("?#%", *c) != NULL) {
			at += (size_t)snprintf(uri + at, 4, "%%%02X", (unsigned char)*c);
		} else {
			uri[at++] = *c;
		}
	}
	snprintf(uri + at, sizeof uri - at, "%s", query);
	use_one_thread();
	return sqlite3_open_v2(uri, db, flags | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL) ==
	       SQLITE_OK;
}

static bool
wal_holds_something(const char *path)
{
	char wal[DB_PATH_MAX + 8];
	struct stat status;

	snprintf(wal, sizeof wal, "%s-wal", path);
	return stat(wal, &status) == 0 && status.st_size > 0;
}

/* A reader needs the -shm file, and so a directory it can write to, unless nobody writes: then the
 * file can be taken as immutable. A -wal that holds something must not be passed over. */
static bool
open_read(const char *path, const struct db_kind *kind, sqlite3 **db, char *fault, size_t size)
{
	char count[32];

	if (access(path, R_OK) != 0) {
		snprintf(fault, size, "%s: %s: name the data directory that holds %s", path,
			 strerror(errno), kind->name);
		return false;
	}
	bool opened = open_uri(path, "?mode=ro", SQLITE_OPEN_READONLY, db);
	const int code =
		opened ? ask(*db, "SELECT count(*) FROM sqlite_schema", count, sizeof count)
		       : SQLITE_CANTOPEN;
	if (code != SQLITE_CANTOPEN && (code & 0xFF) != SQLITE_READONLY) {
		return code == SQLITE_OK || say_unreadable(*db, kind, path, fault, size);
	}
	sqlite3_close_v2(*db);
	*db = NULL;
	if (wal_holds_something(path)) {
		snprintf(fault, size,
			 "%s: it has a -wal file, and its directory cannot be written: copy both "
			 "into a "
			 "directory of your own and name that",
			 path);
		return false;
	}
	opened = open_uri(path, "?immutable=1", SQLITE_OPEN_READONLY, db);
	if (!opened ||
	    ask(*db, "SELECT count(*) FROM sqlite_schema", count, sizeof count) != SQLITE_OK) {
		return say_unreadable(*db, kind, path, fault, size);
	}
	return true;
}

static bool
open_write(const char *path, const struct db_kind *kind, sqlite3 **db, char *fault, size_t size)
{
	bool empty = false;

	if (!open_uri(path, "", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, db)) {
		snprintf(fault, size, "%s: cannot be opened for writing: %s", path,
			 sqlite3_errmsg(*db));
		return false;
	}
	if (!is_empty(*db, &empty)) {
		return say_unreadable(*db, kind, path, fault, size);
	}
	/* Before any pragma that writes: a foreign file is left as it is. */
	return empty || check_identity(*db, kind, path, fault, size);
}

bool
db_open(const char *path, enum db_mode mode, const struct db_kind *kind, sqlite3 **out, char *fault,
	size_t fault_size)
{
	sqlite3 *db = NULL;
	bool empty = false;
	bool ok = mode == DB_READ ? open_read(path, kind, &db, fault, fault_size)
				  : open_write(path, kind, &db, fault, fault_size);

	if (ok) {
		sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
	}
	if (ok && !set_defences(db, mode)) {
		snprintf(fault, fault_size,
			 "%s: SQLite refuses its defences: use the one of Debian 12", path);
		ok = false;
	}
	ok = ok && set_pragmas(db, mode, kind, path, fault, fault_size);
	if (ok && mode == DB_WRITE && is_empty(db, &empty) && empty) {
		ok = make_schema(db, kind, path, fault, fault_size);
	}
	ok = ok && check_identity(db, kind, path, fault, fault_size);
	if (!ok) {
		db_close(db);
		return false;
	}
	*out = db;
	return true;
}

void
db_close(sqlite3 *db)
{
	sqlite3_close_v2(db);
}
