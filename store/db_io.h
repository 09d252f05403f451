/* SQLite as the evidence uses it: one place that opens a file, sets every pragma and reads it back,
 * and knows what a foreign, truncated or newer file looks like. All of it stays within store/. */
#ifndef IFSWARM_STORE_DB_IO_H
#define IFSWARM_STORE_DB_IO_H

#include <sqlite3.h>

#include "protocol/types.h"

enum db_mode {
	DB_WRITE, /* made if it is not there */
	DB_READ,  /* never written to */
};

enum { DB_PATH_MAX = 4096, DB_WORDS_MAX = 256 };

struct db_kind {
	const char *name; /* "the evidence log", for people */
	uint32_t application_id;
	uint32_t user_version;
	const char *schema; /* of a new file */
	bool secure_delete; /* what is deleted is overwritten */
};

/* False, with `fault` saying which file, what is wrong and what to do. */
bool db_open(const char *path, enum db_mode mode, const struct db_kind *kind, sqlite3 **out,
	     char *fault, size_t fault_size);
/* NULL is ignored. */
void db_close(sqlite3 *db);

/* How a step of the writer ended. */
enum db_result { DB_OK, DB_FULL, DB_FAILED };

enum db_result db_result_of(int sqlite_code);
/* Runs statements without results. */
enum db_result db_run(sqlite3 *db, const char *sql);
/* Runs a prepared statement once and resets it. */
enum db_result db_step_once(sqlite3_stmt *statement);

/* Moves the WAL into the database as far as it can without waiting for anybody. */
enum db_result db_checkpoint_wal(sqlite3 *db);
/* All of it, and the WAL file itself cut to nothing, so that no page of before is left in it.
 * *empty false: a reader still needs it; try again later. Waits for nobody. */
enum db_result db_empty_wal(sqlite3 *db, bool *empty);

/* A statement kept for the life of the connection; asserts that it is SQL the schema knows. */
sqlite3_stmt *db_prepare(sqlite3 *db, const char *sql);

/* Binding and reading of what is ours: numbers are below 2^63, spans borrow. */
void db_bind_u64(sqlite3_stmt *statement, int place, uint64_t value);
void db_bind_span(sqlite3_stmt *statement, int place, struct span bytes);
uint64_t db_u64(sqlite3_stmt *statement, int column);
struct span db_span(sqlite3_stmt *statement, int column);

#endif
