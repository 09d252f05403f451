#include "store/read_scan_io.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/pruned_io.h"
#include "store/reader_state_io.h"

enum { SQL_MAX = 1024 };

static bool
sql_fails(struct log_reader *reader, sqlite3 *db)
{
	return reader_fails(reader, sqlite3_errmsg(db));
}

typedef bool see_row(void *context, sqlite3_stmt *row);

/* Runs a SELECT to its end, or until `see` has had enough. */
static bool
walk(struct log_reader *reader, sqlite3 *db, sqlite3_stmt *statement, see_row *see, void *context)
{
	int code = SQLITE_ERROR;
	bool more = true;

	while (statement != NULL && more && (code = sqlite3_step(statement)) == SQLITE_ROW) {
		more = see(context, statement);
	}
	const bool ok = code == SQLITE_ROW || code == SQLITE_DONE;
	if (!ok) {
		sql_fails(reader, db);
	}
	sqlite3_finalize(statement);
	return ok;
}

/* --- events by type ------------------------------------------------------------------------------
 */

struct picking {
	struct log_reader *reader;
	log_event_visitor *visit;
	void *context;
};

static bool
see_event(void *context, sqlite3_stmt *row)
{
	const struct picking *picking = context;
	struct event *event = &picking->reader->event;
	struct entry entry;

	if (!entry_read(db_span(row, 2), &entry) || entry.type != db_u64(row, 1) ||
	    entry.seq != db_u64(row, 0) || entry_to_event(&entry, NULL, event) != ENTRY_KNOWN) {
		return true;
	}
	return picking->visit(picking->context, event, &entry);
}

bool
log_read_types_to(struct log_reader *reader, const uint64_t *types, size_t count, uint64_t from_seq,
		  uint64_t to_seq, log_event_visitor *visit, void *context)
{
	struct picking picking = { reader, visit, context };
	char sql[SQL_MAX] = "SELECT seq, type, entry FROM event WHERE seq >= ? AND seq < ?"
			    " AND type IN (";
	size_t at = strlen(sql);

	for (size_t i = 0; i < count && at + 32 < sizeof sql; i++) {
		at += (size_t)snprintf(sql + at, sizeof sql - at, "%s%" PRIu64, i == 0 ? "" : ",",
				       types[i]);
	}
	snprintf(sql + at, sizeof sql - at, ") ORDER BY seq");
	sqlite3_stmt *statement = db_prepare(reader->db, sql);
	if (statement != NULL) {
		db_bind_u64(statement, 1, from_seq);
		db_bind_u64(statement, 2, to_seq < INT64_MAX ? to_seq : INT64_MAX);
	}
	return walk(reader, reader->db, statement, see_event, &picking);
}

bool
log_read_types(struct log_reader *reader, const uint64_t *types, size_t count, uint64_t from_seq,
	       log_event_visitor *visit, void *context)
{
	return log_read_types_to(reader, types, count, from_seq, INT64_MAX, visit, context);
}

/* --- the rest ------------------------------------------------------------------------------------
 */

struct next_row {
	uint64_t seq;
	bool found;
};

static bool
see_seq(void *context, sqlite3_stmt *row)
{
	struct next_row *next = context;
	const uint64_t seq = db_u64(row, 0);

	next->seq = next->found && next->seq < seq ? next->seq : seq;
	next->found = true;
	return false;
}

static bool
find_next(struct log_reader *reader, const char *sql, uint64_t from, struct next_row *next)
{
	sqlite3_stmt *statement = db_prepare(reader->db, sql);

	if (statement != NULL) {
		db_bind_u64(statement, 1, from);
	}
	return walk(reader, reader->db, statement, see_seq, next);
}

bool
log_next_row(struct log_reader *reader, uint64_t from_seq, uint64_t *seq, bool *found)
{
	struct next_row next = { 0, false };
	bool ok = true;

	if (from_seq <= INT64_MAX / 2) {
		ok = find_next(reader, "SELECT seq FROM event WHERE seq >= ? ORDER BY seq LIMIT 1",
			       from_seq, &next) &&
		     find_next(reader,
			       "SELECT id >> 1 FROM sealed WHERE id >= ? ORDER BY id LIMIT 1",
			       sealed_id(from_seq, 0), &next);
	}
	*seq = next.seq;
	*found = ok && next.found;
	return ok;
}

struct seeing {
	void *context;
	log_type_visitor *type;
	log_key_visitor *key;
	log_tile_size_visitor *tile;
	log_checkpoint_visitor *checkpoint;
};

static bool
see_tile(void *context, sqlite3_stmt *row)
{
	const struct seeing *seeing = context;
	const uint64_t id = db_u64(row, 0);

	return seeing->tile(seeing->context, (unsigned)(id >> 56), id & ((UINT64_C(1) << 56) - 1),
			    db_u64(row, 1));
}

bool
log_read_tile_sizes(struct log_reader *reader, log_tile_size_visitor *visit, void *context)
{
	struct seeing seeing = { .context = context, .tile = visit };

	return walk(reader, reader->db,
		    db_prepare(reader->db, "SELECT id, length(hashes) FROM tile ORDER BY id"),
		    see_tile, &seeing);
}

static bool
see_count(void *context, sqlite3_stmt *row)
{
	*(uint64_t *)context = db_u64(row, 0);
	return false;
}

bool
log_count_hidden(struct log_reader *reader, uint64_t *count)
{
	*count = 0;
	return walk(reader, reader->db,
		    db_prepare(reader->db, "SELECT count(*) FROM event WHERE seq < 0"), see_count,
		    count);
}

/* --- checkpoints, and the file's form ------------------------------------------------------------
 */

static bool
see_checkpoint(void *context, sqlite3_stmt *row)
{
	const struct seeing *seeing = context;

	return seeing->checkpoint(seeing->context, db_u64(row, 0), db_span(row, 1));
}

bool
log_read_checkpoints_of(struct log_reader *reader, uint64_t from, uint64_t to,
			log_checkpoint_visitor *visit, void *context)
{
	struct seeing seeing = { .context = context, .checkpoint = visit };
	sqlite3_stmt *statement =
		db_prepare(reader->db, "SELECT size, note FROM checkpoint WHERE size > ? AND"
				       " size <= ? ORDER BY size");

	if (statement != NULL) {
		db_bind_u64(statement, 1, from);
		db_bind_u64(statement, 2, to);
	}
	return walk(reader, reader->db, statement, see_checkpoint, &seeing);
}

bool
log_checkpoint_below(struct log_reader *reader, uint64_t to, uint64_t *size)
{
	sqlite3_stmt *statement = db_prepare(
		reader->db, "SELECT ifnull(max(size), 0) FROM checkpoint WHERE size <= ?");

	if (statement != NULL) {
		db_bind_u64(statement, 1, to);
	}
	return walk(reader, reader->db, statement, see_count, size);
}

/* One row "ok", or a row for each fault: the first is kept. */
static bool
see_form(void *context, sqlite3_stmt *row)
{
	char *form = context;
	const char *said = (const char *)sqlite3_column_text(row, 0);

	snprintf(form, LOG_FORM_MAX, "%s",
		 said == NULL              ? "no answer"
		 : strcmp(said, "ok") == 0 ? ""
					   : said);
	return false;
}

bool
log_read_form(struct log_reader *reader, char form[LOG_FORM_MAX])
{
	static const char *const checks[] = { "PRAGMA quick_check(stream_head)",
					      "PRAGMA quick_check(declared_type)" };
	bool ok = true;

	form[0] = '\0';
	for (size_t i = 0; i < sizeof checks / sizeof checks[0] && ok && form[0] == '\0'; i++) {
		ok = walk(reader, reader->db, db_prepare(reader->db, checks[i]), see_form, form);
	}
	return ok;
}

static bool
see_type(void *context, sqlite3_stmt *row)
{
	const struct seeing *seeing = context;

	return seeing->type(seeing->context, db_u64(row, 0), db_u64(row, 1), db_u64(row, 2));
}

bool
log_read_declared_types(struct log_reader *reader, log_type_visitor *visit, void *context)
{
	struct seeing seeing = { .context = context, .type = visit };

	return walk(reader, reader->db,
		    db_prepare(reader->db, "SELECT number, version, seq FROM declared_type"
					   " ORDER BY number, version"),
		    see_type, &seeing);
}

struct seeing_pruned {
	log_pruned_row_visitor *visit;
	void *context;
};

static bool
see_pruned(void *context, const struct pruned_range *range)
{
	const struct seeing_pruned *seeing = context;
	const struct log_pruned_row row = { range->first, range->end, range->event,
					    range->is_done };

	return seeing->visit(seeing->context, &row);
}

bool
log_read_pruned(struct log_reader *reader, log_pruned_row_visitor *visit, void *context)
{
	struct seeing_pruned seeing = { visit, context };

	return pruned_each(reader->db, see_pruned, &seeing) || sql_fails(reader, reader->db);
}

static bool
see_key(void *context, sqlite3_stmt *row)
{
	const struct seeing *seeing = context;
	const struct span subject = db_span(row, 0);
	const struct span key = db_span(row, 1);
	struct id ids[2] = { { { 0 } }, { { 0 } } };

	if (subject.count == sizeof ids[0]) {
		memcpy(&ids[0], subject.at, sizeof ids[0]);
	}
	if (key.count == sizeof ids[1]) {
		memcpy(&ids[1], key.at, sizeof ids[1]);
	}
	return seeing->key(seeing->context, &ids[0], &ids[1], db_u64(row, 2), db_u64(row, 3));
}

bool
log_read_keys(struct log_reader *reader, log_key_visitor *visit, void *context, bool *found)
{
	struct seeing seeing = { .context = context, .key = visit };
	char path[FILE_PATH_MAX];
	char fault[READER_FAULT_MAX];
	sqlite3 *db = NULL;

	path_join(path, reader->directory, "keys.db");
	*found = file_exists(path);
	if (!*found) {
		return true;
	}
	if (!db_open(path, DB_READ, &keys_kind, &db, fault, sizeof fault)) {
		return reader_fails(reader, fault);
	}
	const bool ok = walk(reader, db,
			     db_prepare(db, "SELECT subject, id, month, created_seq FROM data_key"),
			     see_key, &seeing);
	db_close(db);
	return ok;
}
