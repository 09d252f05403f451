#include "store/pruned_io.h"

/* 331 is log_pruned. A repair puts the ranges before the rows; then a row may follow a range. */
static const char schema[] =
	"CREATE TABLE pruned(first INTEGER PRIMARY KEY, past INTEGER NOT NULL,"
	" event INTEGER NOT NULL, done INTEGER NOT NULL) STRICT;"
	"CREATE TRIGGER pruned_update BEFORE UPDATE ON pruned"
	" WHEN new.first IS NOT old.first OR new.past IS NOT old.past OR new.event IS NOT old.event"
	" OR new.done IS NOT 1"
	" BEGIN SELECT raise(ABORT, 'what was pruned stays pruned'); END;"
	"CREATE TRIGGER pruned_delete BEFORE DELETE ON pruned"
	" BEGIN SELECT raise(ABORT, 'what was pruned stays pruned'); END;"

	"DROP TRIGGER event_delete;"
	"CREATE TRIGGER event_delete BEFORE DELETE ON event"
	" WHEN NOT EXISTS (SELECT 1 FROM pruned JOIN event AS said ON said.seq = pruned.event"
	" WHERE said.type = 331 AND pruned.first <= old.seq AND old.seq < pruned.past)"
	" BEGIN SELECT raise(ABORT, 'event is append-only: only what was pruned goes'); END;"

	"DROP TRIGGER event_insert;"
	"CREATE TRIGGER event_insert BEFORE INSERT ON event"
	" WHEN new.seq IS NOT (SELECT ifnull(max(seq), -1) + 1 FROM event) AND NOT"
	" (EXISTS (SELECT 1 FROM pruned WHERE past = new.seq) AND EXISTS (SELECT 1 FROM pruned"
	" WHERE first = (SELECT max(seq) + 1 FROM event)) AND new.seq > (SELECT max(seq) FROM "
	"event))"
	" BEGIN SELECT raise(ABORT, 'event is append-only: seq must be the next'); END;";

static bool
has_table(sqlite3 *db)
{
	sqlite3_stmt *statement = db_prepare(
		db, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'pruned'");
	const bool found = statement != NULL && sqlite3_step(statement) == SQLITE_ROW;

	sqlite3_finalize(statement);
	return found;
}

enum db_result
pruned_make(sqlite3 *db)
{
	return has_table(db) ? DB_OK : db_run(db, schema);
}

enum db_result
pruned_put(sqlite3 *db, const struct pruned_range *range)
{
	sqlite3_stmt *statement =
		db_prepare(db, "INSERT INTO pruned(first, past, event, done) VALUES(?, ?, ?, 0)");

	if (statement == NULL) {
		return DB_FAILED;
	}
	db_bind_u64(statement, 1, range->first);
	db_bind_u64(statement, 2, range->end);
	db_bind_u64(statement, 3, range->event);
	const enum db_result result = db_step_once(statement);
	sqlite3_finalize(statement);
	return result;
}

enum db_result
pruned_finish(sqlite3 *db)
{
	return db_run(db, "UPDATE pruned SET done = 1 WHERE done = 0");
}

enum db_result
pruned_delete(sqlite3 *db, uint64_t from, uint64_t end)
{
	sqlite3_stmt *statement =
		db_prepare(db, "DELETE FROM event WHERE seq >= ? AND seq < ? AND EXISTS"
			       " (SELECT 1 FROM pruned WHERE first <= seq AND seq < past)");

	if (statement == NULL) {
		return DB_FAILED;
	}
	db_bind_u64(statement, 1, from);
	db_bind_u64(statement, 2, end);
	const enum db_result result = db_step_once(statement);
	sqlite3_finalize(statement);
	return result;
}

static struct pruned_range
range_of(sqlite3_stmt *row)
{
	return (struct pruned_range){ db_u64(row, 0), db_u64(row, 1), db_u64(row, 2),
				      db_u64(row, 3) != 0 };
}

static bool
is_said(struct lookup *lookup, const struct pruned_range *range)
{
	struct entry header;
	struct event event;

	return range->event <= INT64_MAX && range->end <= range->event &&
	       lookup_event(lookup, range->event, &header, &event) == ENTRY_KNOWN &&
	       event.type == EVENT_LOG_PRUNED && event.log_pruned.first == range->first &&
	       event.log_pruned.end == range->end;
}

bool
pruned_find(struct lookup *lookup, uint64_t seq, struct pruned_range *out)
{
	sqlite3_stmt *statement = NULL;
	bool found = false;

	if (seq <= INT64_MAX && has_table(lookup->db)) {
		statement = db_prepare(lookup->db, "SELECT first, past, event, done FROM pruned"
						   " WHERE first <= ? ORDER BY first DESC LIMIT 1");
	}
	if (statement != NULL) {
		db_bind_u64(statement, 1, seq);
		found = sqlite3_step(statement) == SQLITE_ROW;
		*out = found ? range_of(statement) : *out;
	}
	sqlite3_finalize(statement);
	return found && seq < out->end && is_said(lookup, out);
}

bool
pruned_each(sqlite3 *db, pruned_visitor *visit, void *context)
{
	sqlite3_stmt *statement;
	int code = SQLITE_ERROR;
	bool more = true;

	if (!has_table(db)) {
		return true;
	}
	statement = db_prepare(db, "SELECT first, past, event, done FROM pruned ORDER BY first");
	while (statement != NULL && more && (code = sqlite3_step(statement)) == SQLITE_ROW) {
		const struct pruned_range range = range_of(statement);
		more = visit(context, &range);
	}
	sqlite3_finalize(statement);
	return code == SQLITE_ROW || code == SQLITE_DONE;
}
