/* What the log says is erased stays erased, whatever an older copy still holds. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/keys_io.h"
#include "store/repair_io.h"
#include "store/repair_state_io.h"

/* One erasure, or a key that a hold kept from one, as an event tells it. */
typedef bool erasure_visitor(void *context, const struct event *event);

static bool
walk_erasures(sqlite3 *db, erasure_visitor *visit, void *context, uint64_t *count)
{
	char sql[160];
	sqlite3_stmt *statement;
	int code = SQLITE_ROW;
	bool ok = true;

	snprintf(sql, sizeof sql,
		 "SELECT entry FROM event WHERE type IN (%d, %d, %d, %d) ORDER BY seq",
		 EVENT_SUBJECT_ERASED, EVENT_PART_ERASED, EVENT_MONTH_ERASED, EVENT_KEY_KEPT);
	statement = db_prepare(db, sql);
	*count = 0;
	while (ok && statement != NULL && (code = sqlite3_step(statement)) == SQLITE_ROW) {
		struct entry entry;
		struct event event;

		if (entry_read(db_span(statement, 0), &entry) &&
		    entry_to_event(&entry, NULL, &event) == ENTRY_KNOWN) {
			ok = visit(context, &event);
			*count += event.type != EVENT_KEY_KEPT ? 1 : 0;
		}
	}
	sqlite3_finalize(statement);
	return ok && code == SQLITE_DONE;
}

/* --- sealed parts ------------------------------------------------------------------------------
 */

static int
compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct id));
}

static int
compare_kept(const void *left, const void *right)
{
	const struct kept_key *a = left, *b = right;
	const int subjects = memcmp(&a->subject, &b->subject, sizeof a->subject);

	return subjects != 0 ? subjects : (a->month > b->month) - (a->month < b->month);
}

struct dropping {
	sqlite3 *db;
	sqlite3_stmt *drop;
	struct id *subjects;
	size_t count, room;
	uint64_t *months;
	size_t month_count, month_room;
	struct kept_key *kept;
	size_t kept_count, kept_room;
};

/* Room for one more. */
static void *
grow(void *items, size_t count, size_t *room, size_t size)
{
	if (count < *room) {
		return items;
	}
	*room = *room == 0 ? 64 : 2 * *room;
	items = reallocarray(items, *room, size);
	if (items == NULL) {
		abort();
	}
	return items;
}

static bool
drop_part(struct dropping *d, uint64_t seq, unsigned part)
{
	db_bind_u64(d->drop, 1, sealed_id(seq, part));
	return db_step_once(d->drop) == DB_OK;
}

static bool
take_erasure(void *context, const struct event *event)
{
	struct dropping *d = context;

	if (event->type == EVENT_PART_ERASED) {
		const struct event_part_erased *erased = &event->part_erased;
		return erased->part >= SEALED_PARTS_MAX || erased->seq > INT64_MAX / 2 ||
		       drop_part(d, erased->seq, (unsigned)erased->part);
	}
	if (event->type == EVENT_SUBJECT_ERASED) {
		d->subjects = grow(d->subjects, d->count, &d->room, sizeof *d->subjects);
		d->subjects[d->count++] = event->subject_erased.subject;
	} else if (event->type == EVENT_MONTH_ERASED) {
		d->months = grow(d->months, d->month_count, &d->month_room, sizeof *d->months);
		d->months[d->month_count++] = event->month_erased.month;
	} else if (event->type == EVENT_KEY_KEPT) {
		d->kept = grow(d->kept, d->kept_count, &d->kept_room, sizeof *d->kept);
		d->kept[d->kept_count++] =
			(struct kept_key){ event->key_kept.subject, event->key_kept.month };
	}
	return true;
}

static size_t
times_kept(const struct dropping *d, const struct kept_key *key)
{
	const struct kept_key *at = d->kept_count == 0 ? NULL
						       : bsearch(key, d->kept, d->kept_count,
								 sizeof *key, compare_kept);
	size_t count = 0;

	while (at != NULL && at > d->kept && compare_kept(at - 1, key) == 0) {
		at--;
	}
	for (; at != NULL && at < d->kept + d->kept_count && compare_kept(at, key) == 0; at++) {
		count++;
	}
	return count;
}

/* Each round that passes over a key because of a hold says so: it is gone when more rounds came by
 * than kept it. */
static bool
month_is_erased(const struct dropping *d, const struct id *subject, uint64_t month)
{
	const struct kept_key key = { *subject, month };
	size_t rounds = 0;

	for (size_t i = 0; i < d->month_count; i++) {
		rounds += d->months[i] >= month ? 1 : 0;
	}
	return rounds > 0 && rounds > times_kept(d, &key);
}

static bool
subject_is_erased(const struct dropping *d, const struct id *subject)
{
	return d->count > 0 &&
	       bsearch(subject, d->subjects, d->count, sizeof *subject, compare_ids) != NULL;
}

static bool
drop_rows(struct dropping *d)
{
	sqlite3_stmt *statement =
		db_prepare(d->db, "SELECT entry FROM event WHERE seq IN"
				  " (SELECT DISTINCT id >> 1 FROM sealed) ORDER BY seq");
	bool ok = statement != NULL;

	if (d->count > 0) {
		qsort(d->subjects, d->count, sizeof *d->subjects, compare_ids);
	}
	if (d->kept_count > 0) {
		qsort(d->kept, d->kept_count, sizeof *d->kept, compare_kept);
	}
	while (ok && sqlite3_step(statement) == SQLITE_ROW) {
		struct entry entry;

		if (!entry_read(db_span(statement, 0), &entry)) {
			continue;
		}
		for (unsigned part = 0; part < entry.parts && ok; part++) {
			const struct id *subject = &entry.part[part].subject;
			if (subject_is_erased(d, subject) ||
			    month_is_erased(d, subject, seal_month(entry.recorded_us))) {
				ok = drop_part(d, entry.seq, part);
			}
		}
	}
	sqlite3_finalize(statement);
	return ok;
}

bool
repair_drop_erased(struct log *log, uint64_t *erasures, char *fault, size_t fault_size)
{
	struct dropping d = { .db = log->db,
			      .drop = db_prepare(log->db, "DELETE FROM sealed WHERE id = ?") };
	bool ok = d.drop != NULL && db_run(log->db, "PRAGMA secure_delete=ON") == DB_OK &&
		  db_run(log->db, "BEGIN IMMEDIATE") == DB_OK &&
		  walk_erasures(log->db, take_erasure, &d, erasures) &&
		  (d.count + d.month_count == 0 || drop_rows(&d)) &&
		  db_run(log->db, "COMMIT") == DB_OK;

	if (!ok) {
		snprintf(fault, fault_size, "what was erased cannot be left out: %s",
			 sqlite3_errmsg(log->db));
	}
	sqlite3_finalize(d.drop);
	free(d.subjects);
	free(d.months);
	free(d.kept);
	return ok;
}

/* --- keys --------------------------------------------------------------------------------------
 */

struct forgetting {
	sqlite3 *db;
	sqlite3_stmt *subject;
	sqlite3_stmt *month;
	sqlite3_stmt *kept;
	uint64_t count;
};

static bool
count_step(struct forgetting *f, sqlite3_stmt *statement)
{
	const bool ok = db_step_once(statement) == DB_OK;

	f->count += ok ? (uint64_t)sqlite3_changes(f->db) : 0;
	return ok;
}

static bool
note_kept(void *context, const struct event *event)
{
	struct forgetting *f = context;
	const struct id *subject = &event->key_kept.subject;

	if (event->type != EVENT_KEY_KEPT) {
		return true;
	}
	db_bind_span(f->kept, 1, (struct span){ subject->bytes, sizeof subject->bytes });
	db_bind_u64(f->kept, 2, event->key_kept.month);
	return db_step_once(f->kept) == DB_OK;
}

/* A key that a hold kept once is left to the witness, which knows whether the hold still stands. */
static bool
forget(void *context, const struct event *event)
{
	struct forgetting *f = context;

	if (event->type == EVENT_SUBJECT_ERASED) {
		const struct id *subject = &event->subject_erased.subject;
		db_bind_span(f->subject, 1, (struct span){ subject->bytes, sizeof subject->bytes });
		return count_step(f, f->subject);
	}
	if (event->type == EVENT_MONTH_ERASED) {
		db_bind_u64(f->month, 1, event->month_erased.month);
		return count_step(f, f->month);
	}
	return true;
}

bool
repair_forget_keys(const char *witness, const char *keys, uint64_t *forgotten, char *fault,
		   size_t fault_size)
{
	sqlite3 *log = NULL;
	struct forgetting f = { 0 };
	uint64_t erasures = 0;

	*forgotten = 0;
	if (!db_open(witness, DB_READ, &log_kind, &log, fault, fault_size)) {
		return false;
	}
	if (!db_open(keys, DB_WRITE, &keys_kind, &f.db, fault, fault_size)) {
		db_close(log);
		return false;
	}
	f.subject = db_prepare(f.db, "DELETE FROM data_key WHERE subject = ?");
	const bool has_kept =
		db_run(f.db, "CREATE TEMP TABLE kept(subject BLOB, month INTEGER)") == DB_OK;
	f.kept = db_prepare(f.db, "INSERT INTO kept VALUES(?, ?)");
	f.month = db_prepare(f.db, "DELETE FROM data_key WHERE month <= ? AND NOT EXISTS"
				   " (SELECT 1 FROM kept WHERE kept.subject = data_key.subject"
				   " AND kept.month = data_key.month)");
	const bool ok = has_kept && f.kept != NULL && f.subject != NULL && f.month != NULL &&
			db_run(f.db, "BEGIN IMMEDIATE") == DB_OK &&
			walk_erasures(log, note_kept, &f, &erasures) &&
			walk_erasures(log, forget, &f, &erasures) &&
			db_run(f.db, "COMMIT") == DB_OK &&
			/* What was deleted must not stay readable in the -wal either. */
			db_run(f.db, "PRAGMA wal_checkpoint(TRUNCATE)") == DB_OK;
	*forgotten = ok ? f.count : 0;
	if (!ok) {
		snprintf(fault, fault_size, "%s: erased keys cannot be destroyed: %s", keys,
			 sqlite3_errmsg(f.db));
	}
	sqlite3_finalize(f.subject);
	sqlite3_finalize(f.month);
	sqlite3_finalize(f.kept);
	db_close(f.db);
	db_close(log);
	return ok;
}
