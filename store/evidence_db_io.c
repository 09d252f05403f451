#include "store/evidence_db_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "protocol/verdict.h"
#include "store/db_io.h"
#include "store/evidence_db_schema.h"

struct evidence_db {
	char path[DB_PATH_MAX];
	char fault[DB_WORDS_MAX + DB_PATH_MAX];
	sqlite3 *db;
	sqlite3_stmt *event, *omission, *about;
};

enum { HEX_MAX = 2 * sizeof(struct digest) + 1, WORDS_NUMBER_MAX = 255 };

/* The bytes follow from the rows alone: nothing of SQLite's that depends on time, threads or an
 * earlier file. There is no journal, because a file that was not finished is thrown away. */
static const char *const settings =
	"PRAGMA page_size=4096; PRAGMA encoding='UTF-8'; PRAGMA auto_vacuum=NONE;"
	"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA temp_store=MEMORY;"
	"PRAGMA locking_mode=EXCLUSIVE; PRAGMA cache_size=-16384; PRAGMA mmap_size=0;";

static bool
fails(struct evidence_db *db, const char *what)
{
	snprintf(db->fault, sizeof db->fault,
		 "%s: cannot %s: %s: make room there, or name another directory", db->path, what,
		 sqlite3_errmsg(db->db));
	return false;
}

static bool
runs(struct evidence_db *db, const char *sql, const char *what)
{
	return sqlite3_exec(db->db, sql, NULL, NULL, NULL) == SQLITE_OK || fails(db, what);
}

static bool
steps(struct evidence_db *db, sqlite3_stmt *statement)
{
	const bool is_done = sqlite3_step(statement) == SQLITE_DONE;

	if (!is_done) {
		fails(db, "write a row");
	}
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return is_done;
}

static void
bind_text(sqlite3_stmt *statement, int place, const char *text)
{
	if (text == NULL) {
		sqlite3_bind_null(statement, place);
	} else {
		sqlite3_bind_text(statement, place, text, -1, SQLITE_TRANSIENT);
	}
}

static void
bind_hex(sqlite3_stmt *statement, int place, const uint8_t *bytes, size_t count)
{
	char hex[HEX_MAX];

	hex_write(hex, bytes, count);
	bind_text(statement, place, hex);
}

/* Numbers of an entry that no honest log holds are kept as their two's complement: the row must not
 * be lost, and the entry beside it tells the truth. */
static void
bind_number(sqlite3_stmt *statement, int place, uint64_t number)
{
	sqlite3_bind_int64(statement, place, (sqlite3_int64)number);
}

static bool
put_word(struct evidence_db *db, sqlite3_stmt *word, const char *field, uint64_t number,
	 const char *text)
{
	bind_text(word, 1, field);
	bind_number(word, 2, number);
	bind_text(word, 3, text);
	return text == NULL || steps(db, word);
}

static const char *
known(const char *(*name_of)(uint64_t), uint64_t number)
{
	const char *name = name_of(number);

	return name == name_of(0) ? NULL : name;
}

/* What the numbers in `fields` mean. */
static bool
put_words(struct evidence_db *db)
{
	sqlite3_stmt *word = db_prepare(db->db, "INSERT INTO word VALUES(?,?,?)");
	bool is_put = word != NULL;
	enum verdict verdict = ACCEPTED;

	for (uint64_t i = 0; is_put && i <= WORDS_NUMBER_MAX; i++) {
		const bool is_verdict = verdict_from_number(i, &verdict);
		is_put = put_word(db, word, "verdict", i,
				  is_verdict ? verdict_name(verdict) : NULL) &&
			 put_word(db, word, "leave_reason", i, known(leave_reason_name, i)) &&
			 put_word(db, word, "end_reason", i, known(end_reason_name, i));
	}
	sqlite3_finalize(word);
	return is_put;
}

static bool
make(struct evidence_db *db)
{
	char identity[64];

	snprintf(identity, sizeof identity, "PRAGMA application_id=%d; PRAGMA user_version=1;",
		 (int)EVIDENCE_DB_APPLICATION_ID);
	if (!runs(db, settings, "set it up") || !runs(db, "BEGIN IMMEDIATE", "begin") ||
	    !runs(db, identity, "name it") || !runs(db, evidence_db_schema, "make its tables") ||
	    !put_words(db)) {
		return false;
	}
	db->event = db_prepare(db->db, evidence_db_insert);
	db->omission = db_prepare(db->db, "INSERT INTO omission VALUES(?,?,?)");
	db->about = db_prepare(db->db, "INSERT INTO about VALUES(?,?)");
	return (db->event != NULL && db->omission != NULL && db->about != NULL) ||
	       fails(db, "prepare it");
}

static void
let_go(struct evidence_db *db)
{
	sqlite3_finalize(db->event);
	sqlite3_finalize(db->omission);
	sqlite3_finalize(db->about);
	db_close(db->db);
	free(db);
}

/* An own empty file first: SQLite would write into whatever is there. */
static bool
is_made(const char *path, char *fault, size_t fault_size)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0) {
		snprintf(fault, fault_size, "%s: %s: name a file that is not there yet", path,
			 strerror(errno));
		return false;
	}
	close(fd);
	return true;
}

bool
evidence_db_create(const char *path, struct evidence_db **out, char *fault, size_t fault_size)
{
	struct evidence_db *db = calloc(1, sizeof *db);

	if (db == NULL) {
		snprintf(fault, fault_size, "%s: there is no memory", path);
		return false;
	}
	snprintf(db->path, sizeof db->path, "%s", path);
	if (!is_made(path, fault, fault_size)) {
		let_go(db);
		return false;
	}
	if (sqlite3_open_v2(path, &db->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
		    SQLITE_OK ||
	    !make(db)) {
		snprintf(fault, fault_size, "%s",
			 db->fault[0] != '\0' ? db->fault : sqlite3_errmsg(db->db));
		let_go(db);
		return false;
	}
	*out = db;
	return true;
}

bool
evidence_db_put(struct evidence_db *db, const struct evidence_db_row *row)
{
	const struct entry *e = row->entry;
	const uint64_t numbers[] = { e->recorded_us,    e->occurred_us, e->stream,
				     e->stream_version, e->epoch,       e->type,
				     e->type_version };
	int place = 1;

	bind_number(db->event, place++, e->seq);
	bind_hex(db->event, place++, row->leaf->bytes, sizeof row->leaf->bytes);
	db_bind_span(db->event, place++, row->bytes);
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		bind_number(db->event, place++, numbers[i]);
	}
	bind_hex(db->event, place++, e->command_id.bytes, sizeof e->command_id.bytes);
	if (!id_is_none(&e->trace_id)) {
		bind_hex(db->event, place, e->trace_id.bytes, sizeof e->trace_id.bytes);
	}
	place++;
	if (e->has_cause) {
		bind_number(db->event, place, e->cause);
	}
	bind_text(db->event, ++place, row->event);
	place++;
	if (row->fields.count > 0) {
		sqlite3_bind_text(db->event, place, (const char *)row->fields.at,
				  (int)row->fields.count, SQLITE_TRANSIENT);
	}
	return steps(db, db->event);
}

bool
evidence_db_omit(struct evidence_db *db, uint64_t seq, const struct digest *leaf,
		 const char *reason)
{
	bind_number(db->omission, 1, seq);
	bind_hex(db->omission, 2, leaf->bytes, sizeof leaf->bytes);
	bind_text(db->omission, 3, reason);
	return steps(db, db->omission);
}

bool
evidence_db_about(struct evidence_db *db, const char *key, const char *value)
{
	bind_text(db->about, 1, key);
	bind_text(db->about, 2, value);
	return steps(db, db->about);
}

const char *
evidence_db_fault(const struct evidence_db *db)
{
	return db->fault;
}

static bool
is_on_disk(struct evidence_db *db)
{
	const int fd = open(db->path, O_RDONLY | O_CLOEXEC);
	const bool is_synced = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0) {
		close(fd);
	}
	if (!is_synced) {
		snprintf(db->fault, sizeof db->fault, "%s: %s", db->path, strerror(errno));
	}
	return is_synced;
}

bool
evidence_db_finish(struct evidence_db *db, char *fault, size_t fault_size)
{
	const bool is_whole = runs(db, "COMMIT", "finish it") && is_on_disk(db);

	if (!is_whole) {
		snprintf(fault, fault_size, "%s", db->fault);
	}
	let_go(db);
	return is_whole;
}
