#include "store/log_io.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static int
count_wal_pages(void *context, sqlite3 *db, const char *name, int pages)
{
	struct log *log = context;

	(void)db;
	(void)name;
	log->wal_pages = (uint64_t)pages;
	return SQLITE_OK;
}

bool
log_open(struct log *log, const char *path, char *fault, size_t fault_size)
{
	memset(log, 0, sizeof *log);
	if (!db_open(path, DB_WRITE, &log_kind, &log->db, fault, fault_size)) {
		return false;
	}
	const bool reads = lookup_open(&log->lookup, log->db);
	log->event = db_prepare(log->db, "INSERT INTO event(seq, recorded_us, stream, type, entry)"
					 " VALUES(?, ?, ?, ?, ?)");
	log->sealed = db_prepare(log->db, "INSERT INTO sealed(id, salt, body) VALUES(?, ?, ?)");
	log->unseal = db_prepare(log->db, "DELETE FROM sealed WHERE id = ?");
	log->tile = db_prepare(log->db, "INSERT INTO tile(id, hashes) VALUES(?, ?)");
	log->head = db_prepare(log->db, "INSERT INTO stream_head(stream, version, epoch, last_seq)"
					" VALUES(?1, ?2, ?3, ?4) ON CONFLICT(stream) DO UPDATE SET"
					" version = ?2, epoch = ?3, last_seq = ?4");
	log->declared = db_prepare(log->db, "INSERT INTO declared_type(number, version, seq)"
					    " VALUES(?, ?, ?)");
	sqlite3_wal_hook(log->db, count_wal_pages, log);
	if (reads && log->event && log->sealed && log->unseal && log->tile && log->head &&
	    log->declared) {
		return true;
	}
	snprintf(fault, fault_size, "%s: its tables are not those of an evidence log: %s", path,
		 sqlite3_errmsg(log->db));
	log_close(log);
	return false;
}

void
log_close(struct log *log)
{
	sqlite3_finalize(log->event);
	sqlite3_finalize(log->sealed);
	sqlite3_finalize(log->unseal);
	sqlite3_finalize(log->tile);
	sqlite3_finalize(log->head);
	sqlite3_finalize(log->declared);
	lookup_close(&log->lookup);
	db_close(log->db);
	memset(log, 0, sizeof *log);
}

enum db_result
log_begin(struct log *log)
{
	return db_run(log->db, "BEGIN IMMEDIATE");
}

void
log_rollback(struct log *log)
{
	if (!sqlite3_get_autocommit(log->db)) {
		db_run(log->db, "ROLLBACK");
	}
}

enum db_result
log_commit(struct log *log)
{
	return db_run(log->db, "COMMIT");
}

enum db_result
log_checkpoint_wal(struct log *log, uint64_t pages_min)
{
	if (log->wal_pages < pages_min) {
		return DB_OK;
	}
	log->wal_pages = 0;
	return db_checkpoint_wal(log->db);
}

enum db_result
log_empty_wal(struct log *log, bool *empty)
{
	log->wal_pages = 0;
	return db_empty_wal(log->db, empty);
}

enum db_result
log_put_event(struct log *log, const struct entry *entry, struct span bytes)
{
	assert(bytes.count <= ENTRY_BYTES_MAX);
	db_bind_u64(log->event, 1, entry->seq);
	db_bind_u64(log->event, 2, entry->recorded_us);
	db_bind_u64(log->event, 3, entry->stream);
	db_bind_u64(log->event, 4, entry->type);
	db_bind_span(log->event, 5, bytes);
	return db_step_once(log->event);
}

enum db_result
log_put_sealed(struct log *log, uint64_t seq, unsigned part, struct span salt, struct span body)
{
	db_bind_u64(log->sealed, 1, sealed_id(seq, part));
	db_bind_span(log->sealed, 2, salt);
	db_bind_span(log->sealed, 3, body);
	return db_step_once(log->sealed);
}

enum db_result
log_delete_sealed(struct log *log, uint64_t id, uint64_t *deleted)
{
	db_bind_u64(log->unseal, 1, id);
	const enum db_result result = db_step_once(log->unseal);

	*deleted += result == DB_OK ? (uint64_t)sqlite3_changes(log->db) : 0;
	return result;
}

enum db_result
log_put_tile(struct log *log, unsigned level, uint64_t index, const struct digest *hashes)
{
	db_bind_u64(log->tile, 1, tile_id(level, index));
	db_bind_span(log->tile, 2, (struct span){ hashes->bytes, TILE_HASHES * sizeof *hashes });
	return db_step_once(log->tile);
}

enum db_result
log_put_head(struct log *log, uint64_t stream, const struct stream_head *head)
{
	db_bind_u64(log->head, 1, stream);
	db_bind_u64(log->head, 2, head->version);
	db_bind_u64(log->head, 3, head->epoch);
	db_bind_u64(log->head, 4, head->last_seq);
	return db_step_once(log->head);
}

enum db_result
log_put_declared(struct log *log, uint64_t number, uint64_t version, uint64_t seq)
{
	db_bind_u64(log->declared, 1, number);
	db_bind_u64(log->declared, 2, version);
	db_bind_u64(log->declared, 3, seq);
	return db_step_once(log->declared);
}

enum db_result
log_put_checkpoint(struct log *log, uint64_t size, struct span note)
{
	sqlite3_stmt *statement =
		db_prepare(log->db, "INSERT INTO checkpoint(size, note) VALUES(?, ?)");

	if (statement == NULL) {
		return DB_FAILED;
	}
	db_bind_u64(statement, 1, size);
	db_bind_span(statement, 2, note);
	const enum db_result result = db_step_once(statement);
	sqlite3_finalize(statement);
	return result;
}

static enum db_result
drop_old_snapshots(struct log *log, uint64_t stream)
{
	sqlite3_stmt *statement = db_prepare(
		log->db, "DELETE FROM snapshot WHERE stream = ?1 AND version NOT IN (SELECT"
			 " version FROM snapshot WHERE stream = ?1 ORDER BY version DESC LIMIT 2)");

	if (statement == NULL) {
		return DB_FAILED;
	}
	db_bind_u64(statement, 1, stream);
	const enum db_result result = db_step_once(statement);
	sqlite3_finalize(statement);
	return result;
}

enum db_result
log_put_snapshot(struct log *log, uint64_t stream, uint64_t version, uint64_t seq, struct span dump,
		 struct span box)
{
	sqlite3_stmt *statement = db_prepare(
		log->db, "INSERT OR REPLACE INTO snapshot(stream, version, seq, dump, annex)"
			 " VALUES(?, ?, ?, ?, ?)");

	if (statement == NULL) {
		return DB_FAILED;
	}
	db_bind_u64(statement, 1, stream);
	db_bind_u64(statement, 2, version);
	db_bind_u64(statement, 3, seq);
	db_bind_span(statement, 4, dump);
	db_bind_span(statement, 5, box);
	const enum db_result result = db_step_once(statement);
	sqlite3_finalize(statement);
	return result == DB_OK ? drop_old_snapshots(log, stream) : result;
}

bool
log_heads(struct log *log, struct stream_head heads[STREAMS])
{
	sqlite3_stmt *statement =
		db_prepare(log->db, "SELECT stream, version, epoch, last_seq FROM stream_head");
	bool ok = statement != NULL;

	memset(heads, 0, STREAMS * sizeof *heads);
	while (ok && sqlite3_step(statement) == SQLITE_ROW) {
		const uint64_t stream = db_u64(statement, 0);
		ok = stream > 0 && stream < STREAMS;
		if (ok) {
			heads[stream] =
				(struct stream_head){ db_u64(statement, 1), db_u64(statement, 2),
						      db_u64(statement, 3) };
		}
	}
	sqlite3_finalize(statement);
	return ok;
}

bool
log_is_declared(struct log *log, uint64_t number, uint64_t version)
{
	sqlite3_stmt *statement =
		db_prepare(log->db, "SELECT 1 FROM declared_type WHERE number = ? AND version = ?");

	if (statement == NULL) {
		return false;
	}
	db_bind_u64(statement, 1, number);
	db_bind_u64(statement, 2, version);
	const bool declared = sqlite3_step(statement) == SQLITE_ROW;
	sqlite3_finalize(statement);
	return declared;
}

uint64_t
log_checkpointed(struct log *log)
{
	sqlite3_stmt *statement =
		db_prepare(log->db, "SELECT ifnull(max(size), 0) FROM checkpoint");
	const bool ok = statement != NULL && sqlite3_step(statement) == SQLITE_ROW;
	const uint64_t size = ok ? db_u64(statement, 0) : 0;

	sqlite3_finalize(statement);
	return size;
}
