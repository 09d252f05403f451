/* witness.db as its writer sees it: one transaction at a time, every row written once. */
#ifndef IFSWARM_STORE_LOG_IO_H
#define IFSWARM_STORE_LOG_IO_H

#include "store/evidence_io.h"
#include "store/lookup_io.h"

struct log {
	sqlite3 *db;
	struct lookup lookup;
	sqlite3_stmt *event;
	sqlite3_stmt *sealed;
	sqlite3_stmt *unseal;
	sqlite3_stmt *tile;
	sqlite3_stmt *head;
	sqlite3_stmt *declared;
	uint64_t wal_pages; /* in the WAL since the last checkpoint that took all */
};

bool log_open(struct log *log, const char *path, char *fault, size_t fault_size);
void log_close(struct log *log);

enum db_result log_begin(struct log *log);
/* A transaction that was given up by SQLite itself is none any more: then it does nothing. */
void log_rollback(struct log *log);
/* Durable when it says DB_OK. */
enum db_result log_commit(struct log *log);
/* Moves the WAL into the database once it holds `pages_min` pages. */
enum db_result log_checkpoint_wal(struct log *log, uint64_t pages_min);
/* See db_empty_wal. */
enum db_result log_empty_wal(struct log *log, bool *empty);
enum { WAL_PAGES_IDLE = 256, WAL_PAGES_MAX = 4096 };

enum db_result log_put_event(struct log *log, const struct entry *entry, struct span bytes);
enum db_result log_put_sealed(struct log *log, uint64_t seq, unsigned part, struct span salt,
			      struct span body);
enum db_result log_put_tile(struct log *log, unsigned level, uint64_t index,
			    const struct digest *hashes);
enum db_result log_put_head(struct log *log, uint64_t stream, const struct stream_head *head);
enum db_result log_put_declared(struct log *log, uint64_t number, uint64_t version, uint64_t seq);
enum db_result log_put_checkpoint(struct log *log, uint64_t size, struct span note);
/* And drops all but the newest two of that stream. */
enum db_result log_put_snapshot(struct log *log, uint64_t stream, uint64_t version, uint64_t seq,
				struct span dump, struct span box);

/* Erasure: a sealed part goes, salt and ciphertext; *deleted grows if it was there. Within a
 * transaction. */
enum db_result log_delete_sealed(struct log *log, uint64_t id, uint64_t *deleted);

/* What the writer starts from. */
bool log_heads(struct log *log, struct stream_head heads[STREAMS]);
bool log_is_declared(struct log *log, uint64_t number, uint64_t version);
/* The size of the newest checkpoint, 0 if there is none. */
uint64_t log_checkpointed(struct log *log);

#endif
