/* Everything as it lies there: rows, tiles, checkpoints, heads, snapshots, and the files beside. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/read_scan_io.h"
#include "store/reader_state_io.h"

/* So many rows belong to one read transaction at most: the writer's WAL cannot shrink below it. */
enum { ROWS_PER_TRANSACTION = 8192 };

static bool
sql_fails(struct log_reader *reader)
{
	return reader_fails(reader, sqlite3_errmsg(reader->db));
}

/* --- rows
 * ------------------------------------------------------------------------------------------ */

struct merge {
	struct log_reader *reader;
	bool has_sealed; /* reader->sealed stands on a row */
	bool failed;
};

static void
next_sealed(struct merge *merge)
{
	const int code = sqlite3_step(merge->reader->sealed);

	merge->has_sealed = code == SQLITE_ROW;
	merge->failed |= code != SQLITE_ROW && code != SQLITE_DONE;
}

/* The sealed row that is at hand belongs to no event. */
static void
pass_stray(struct merge *merge)
{
	const struct log_reader *reader = merge->reader;

	if (reader->stray != NULL) {
		reader->stray(reader->stray_context, db_u64(reader->sealed, 0) >> 1);
	}
	next_sealed(merge);
}

/* The sealed rows of one event; they are copied, because the next one takes the statement's memory.
 */
static void
take_sealed(struct merge *merge, struct log_row *row,
	    uint8_t memory[2 * (SEAL_SALT_BYTES + SEAL_BODY_MAX)])
{
	sqlite3_stmt *sealed = merge->reader->sealed;

	while (merge->has_sealed && db_u64(sealed, 0) >> 1 < row->seq) {
		pass_stray(merge);
	}
	while (merge->has_sealed && db_u64(sealed, 0) >> 1 == row->seq) {
		const unsigned part = (unsigned)(db_u64(sealed, 0) & 1);
		const struct span salt = db_span(sealed, 1);
		const struct span body = db_span(sealed, 2);

		/* Longer than it can be: cut there, its digest will not hold. */
		row->salt[part] =
			(struct span){ memory, salt.count < SEAL_SALT_BYTES ? salt.count
									    : SEAL_SALT_BYTES };
		if (salt.count > 0) {
			memcpy(memory, salt.at, row->salt[part].count);
		}
		memory += SEAL_SALT_BYTES;
		row->body[part] =
			(struct span){ memory,
				       body.count < SEAL_BODY_MAX ? body.count : SEAL_BODY_MAX };
		if (body.count > 0) {
			memcpy(memory, body.at, row->body[part].count);
		}
		memory += SEAL_BODY_MAX;
		next_sealed(merge);
	}
}

static void
read_columns(sqlite3_stmt *rows, struct log_row *row)
{
	memset(row, 0, sizeof *row);
	row->seq = db_u64(rows, 0);
	row->recorded_us = db_u64(rows, 1);
	row->stream = db_u64(rows, 2);
	row->type = db_u64(rows, 3);
	row->entry = db_span(rows, 4);
}

static void
bind_range(struct log_reader *reader, uint64_t from, uint64_t to)
{
	db_bind_u64(reader->rows, 1, from);
	db_bind_u64(reader->rows, 2, to);
	/* A forged seq may be so large that no sealed row can stand beside it. */
	const uint64_t most = INT64_MAX / 2;
	db_bind_u64(reader->sealed, 1, sealed_id(from < most ? from : most, 0));
	db_bind_u64(reader->sealed, 2, sealed_id(to < most ? to : most, 0));
}

/* *stopped is set when the visitor has had enough; *rows is how many it saw. */
static bool
read_chunk(struct log_reader *reader, uint64_t from, uint64_t to, log_row_visitor *visit,
	   void *context, bool *stopped, uint64_t *rows)
{
	uint8_t memory[SEALED_PARTS_MAX * (SEAL_SALT_BYTES + SEAL_BODY_MAX)];
	struct merge merge = { .reader = reader };
	int code = SQLITE_ROW;
	struct log_row row;

	bind_range(reader, from, to);
	next_sealed(&merge);
	while (!merge.failed && !*stopped && (code = sqlite3_step(reader->rows)) == SQLITE_ROW) {
		read_columns(reader->rows, &row);
		take_sealed(&merge, &row, memory);
		*stopped = !visit(context, &row);
		++*rows;
	}
	while (merge.has_sealed && reader->stray != NULL && code == SQLITE_DONE) {
		pass_stray(&merge);
	}
	const bool ok = !merge.failed && (code == SQLITE_ROW || code == SQLITE_DONE);
	if (!ok) {
		sql_fails(reader);
	}
	sqlite3_reset(reader->rows);
	sqlite3_reset(reader->sealed);
	return ok;
}

/* A forged seq may claim any distance: the way there is not gone in steps. */
static uint64_t
skip_nothing(struct log_reader *reader, uint64_t from)
{
	uint64_t next = 0;
	bool found = false;

	if (reader->stray != NULL || !log_next_row(reader, from, &next, &found)) {
		return from;
	}
	return found ? next : UINT64_MAX;
}

void
log_reader_hold(struct log_reader *reader)
{
	if (sqlite3_get_autocommit(reader->db) != 0) {
		db_run(reader->db, "BEGIN");
	}
}

void
log_reader_let_go(struct log_reader *reader)
{
	if (sqlite3_get_autocommit(reader->db) == 0) {
		db_run(reader->db, "COMMIT");
	}
}

bool
log_read_rows(struct log_reader *reader, uint64_t from_seq, uint64_t to_seq, log_row_visitor *visit,
	      void *context)
{
	const bool is_held = sqlite3_get_autocommit(reader->db) == 0;
	bool stopped = false;
	bool ok = true;
	uint64_t size = 0;

	if (!log_reader_size(reader, &size)) {
		return false;
	}
	to_seq = to_seq < size ? to_seq : size;
	while (from_seq < to_seq && ok && !stopped) {
		const uint64_t left = to_seq - from_seq;
		const uint64_t next =
			from_seq + (left < ROWS_PER_TRANSACTION ? left : ROWS_PER_TRANSACTION);

		/* One transaction, so that events and sealed parts are of the same moment. */
		ok = is_held || db_run(reader->db, "BEGIN") == DB_OK || sql_fails(reader);
		uint64_t rows = 0;
		ok = ok && read_chunk(reader, from_seq, next, visit, context, &stopped, &rows);
		if (!is_held) {
			log_reader_let_go(reader);
		}
		from_seq = rows > 0 || !ok ? next : skip_nothing(reader, next);
	}
	return ok;
}

static void
copy_span(struct span *span, uint8_t **memory)
{
	if (span->count > 0) {
		memcpy(*memory, span->at, span->count);
	}
	span->at = *memory;
	*memory += span->count;
}

struct one_row {
	struct log_reader *reader;
	struct log_row *out;
	bool found;
};

static bool
keep_row(void *context, const struct log_row *row)
{
	struct one_row *one = context;
	uint8_t *memory = realloc(one->reader->row_memory,
				  row->entry.count + row->salt[0].count + row->body[0].count +
					  row->salt[1].count + row->body[1].count + 1);

	assert(memory != NULL);
	one->reader->row_memory = memory;
	*one->out = *row;
	copy_span(&one->out->entry, &memory);
	for (unsigned part = 0; part < SEALED_PARTS_MAX; part++) {
		copy_span(&one->out->salt[part], &memory);
		copy_span(&one->out->body[part], &memory);
	}
	one->found = true;
	return false;
}

bool
log_read_row(struct log_reader *reader, uint64_t seq, struct log_row *out, bool *found)
{
	struct one_row one = { .reader = reader, .out = out };
	bool stopped = false;

	memset(out, 0, sizeof *out);
	uint64_t rows = 0;
	const bool ok = read_chunk(reader, seq, seq + 1, keep_row, &one, &stopped, &rows);
	*found = one.found;
	return ok;
}

/* --- whole tables
 * ------------------------------------------------------------------------------------ */

typedef bool see_row(void *context, sqlite3_stmt *row);

static bool
read_table(struct log_reader *reader, const char *sql, see_row *see, void *context)
{
	sqlite3_stmt *statement = db_prepare(reader->db, sql);
	int code = SQLITE_ERROR;
	bool more = true;

	while (statement != NULL && more && (code = sqlite3_step(statement)) == SQLITE_ROW) {
		more = see(context, statement);
	}
	const bool ok = code == SQLITE_ROW || code == SQLITE_DONE;
	if (!ok) {
		sql_fails(reader);
	}
	sqlite3_finalize(statement);
	return ok;
}

/* A visitor and its context, on their way through read_table. */
struct seeing {
	void *context;
	log_seq_visitor *seq;
	log_tile_visitor *tile;
	log_checkpoint_visitor *checkpoint;
	log_head_visitor *head;
	log_snapshot_visitor *snapshot;
};

static bool
see_seq(void *context, sqlite3_stmt *row)
{
	const struct seeing *seeing = context;

	return seeing->seq(seeing->context, db_u64(row, 0));
}

bool
log_read_stray_sealed(struct log_reader *reader, uint64_t from_seq, log_seq_visitor *visit,
		      void *context)
{
	struct seeing seeing = { .context = context, .seq = visit };
	char sql[256];

	if (from_seq > INT64_MAX / 2) {
		return true; /* no sealed row can stand there */
	}
	snprintf(sql, sizeof sql,
		 "SELECT id >> 1 FROM sealed WHERE id >= %" PRIu64 " AND NOT EXISTS"
		 " (SELECT 1 FROM event WHERE event.seq = sealed.id >> 1) ORDER BY id",
		 2 * from_seq);
	return read_table(reader, sql, see_seq, &seeing);
}

void
log_watch_stray_sealed(struct log_reader *reader, log_seq_visitor *visit, void *context)
{
	reader->stray = visit;
	reader->stray_context = context;
}

static bool
see_tile(void *context, sqlite3_stmt *row)
{
	const struct seeing *seeing = context;
	const uint64_t id = db_u64(row, 0);

	return seeing->tile(seeing->context, (unsigned)(id >> 56), id & ((UINT64_C(1) << 56) - 1),
			    db_span(row, 1));
}

bool
log_read_tiles(struct log_reader *reader, log_tile_visitor *visit, void *context)
{
	struct seeing seeing = { .context = context, .tile = visit };

	return read_table(reader, "SELECT id, hashes FROM tile ORDER BY id", see_tile, &seeing);
}

static bool
see_checkpoint(void *context, sqlite3_stmt *row)
{
	const struct seeing *seeing = context;

	return seeing->checkpoint(seeing->context, db_u64(row, 0), db_span(row, 1));
}

bool
log_read_checkpoints(struct log_reader *reader, log_checkpoint_visitor *visit, void *context)
{
	struct seeing seeing = { .context = context, .checkpoint = visit };

	return read_table(reader, "SELECT size, note FROM checkpoint ORDER BY size", see_checkpoint,
			  &seeing);
}

static bool
see_head(void *context, sqlite3_stmt *row)
{
	const struct seeing *seeing = context;

	return seeing->head(seeing->context, db_u64(row, 0), db_u64(row, 1), db_u64(row, 2),
			    db_u64(row, 3));
}

bool
log_read_stream_heads(struct log_reader *reader, log_head_visitor *visit, void *context)
{
	struct seeing seeing = { .context = context, .head = visit };

	return read_table(
		reader, "SELECT stream, version, epoch, last_seq FROM stream_head ORDER BY stream",
		see_head, &seeing);
}

static bool
see_snapshot(void *context, sqlite3_stmt *row)
{
	const struct seeing *seeing = context;

	return seeing->snapshot(seeing->context, db_u64(row, 0), db_u64(row, 1), db_u64(row, 2),
				db_span(row, 3), db_span(row, 4));
}

bool
log_read_snapshots(struct log_reader *reader, log_snapshot_visitor *visit, void *context)
{
	struct seeing seeing = { .context = context, .snapshot = visit };

	return read_table(reader,
			  "SELECT stream, version, seq, dump, annex FROM snapshot"
			  " ORDER BY stream, version DESC",
			  see_snapshot, &seeing);
}

bool
log_fetch_hashes(void *context, unsigned level, uint64_t index, uint32_t count,
		 struct digest *hashes)
{
	struct log_reader *reader = context;

	return lookup_hashes(&reader->lookup, level, index, count, hashes) ||
	       reader_fails(reader, "entries below a tile are missing: see ifreplay verify");
}

/* --- files beside
 * -------------------------------------------------------------------------------------- */

bool
log_read_head(struct log_reader *reader, char note[CHECKPOINT_NOTE_MAX], size_t *count)
{
	char path[FILE_PATH_MAX];

	path_join(path, reader->directory, "head");
	return file_read(path, note, CHECKPOINT_NOTE_MAX, count) == FILE_OK ||
	       reader_fails(reader, "no readable head file lies beside it");
}

bool
log_read_verifier(struct log_reader *reader, struct log_verifier *out)
{
	char path[FILE_PATH_MAX];
	char text[CHECKPOINT_VKEY_MAX + 2] = "";
	size_t count = 0;

	path_join(path, reader->directory, "log.vkey");
	return (file_read(path, text, sizeof text - 1, &count) == FILE_OK &&
		log_verifier_read(text, out)) ||
	       reader_fails(reader, "no readable log.vkey lies beside it");
}
