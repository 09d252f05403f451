/* The second half: what the log says is erased is destroyed, in either database and every -wal. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "store/erase_state_io.h"
#include "store/sha256.h"

enum { WAITS_AT_START = 50 };

/* --- the mark ----------------------------------------------------------------------------------
 */

bool
erase_mark(const char *directory, const char *name, uint64_t seq)
{
	char path[FILE_PATH_MAX];
	char text[32];
	const int count = snprintf(text, sizeof text, "%" PRIu64 "\n", seq);

	path_join(path, directory, name);
	return file_replace(path, (struct span){ (const uint8_t *)text, (size_t)count }, 0600,
			    true) == FILE_OK;
}

bool
erase_marked(const char *directory, const char *name, uint64_t *seq)
{
	char path[FILE_PATH_MAX];
	char text[32] = "";
	size_t count = 0;

	path_join(path, directory, name);
	const enum file_result result = file_read(path, text, sizeof text - 1, &count);
	/* A mark that cannot be read is one all the same: then the whole log is looked through. */
	*seq = result == FILE_OK ? strtoull(text, NULL, 10) : 0;
	return result != FILE_MISSING;
}

bool
erase_unmark(const char *directory, const char *name)
{
	char path[FILE_PATH_MAX];

	path_join(path, directory, name);
	if (unlink(path) != 0) {
		return errno == ENOENT;
	}
	const int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const bool ok = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0) {
		close(fd);
	}
	return ok;
}

/* --- snapshots ---------------------------------------------------------------------------------
 */

static bool
holds_bytes(struct span text, const void *bytes, size_t count)
{
	return text.count >= count && memmem(text.at, text.count, bytes, count) != NULL;
}

static bool
annex_holds(const struct erase_plan *plan, struct span annex)
{
	const struct name *agent = &plan->agent;
	bool holds = holds_bytes(annex, agent->bytes, agent->length) ||
		     /* In a user's name these two are written in another way. */
		     memchr(agent->bytes, ':', agent->length) != NULL ||
		     memchr(agent->bytes, '%', agent->length) != NULL;

	for (size_t i = 0; i < plan->address_count && !holds; i++) {
		const struct address *host = &plan->addresses[i].host;
		holds = holds_bytes(annex, host->bytes, host->family == ADDRESS_IPV4 ? 4 : 16);
	}
	return holds;
}

/* One that does not open is of no use to anybody. */
static bool
snapshot_holds(struct erasing *x, sqlite3_stmt *row)
{
	struct evidence *e = x->evidence;
	const struct span box = db_span(row, 3);
	struct seal_annex_place place = { .stream = db_u64(row, 0), .version = db_u64(row, 1) };
	uint8_t *annex = malloc(box.count + 1);
	size_t count = 0;

	assert(annex != NULL);
	sha256_span(db_span(row, 2), &place.dump);
	const bool opens =
		seal_annex_open(e->sealer, keys_wrap_key(e->keys), &place, box, annex, &count);
	const bool holds = !opens || annex_holds(&x->plan, (struct span){ annex, count });
	seal_forget(annex, box.count);
	free(annex);
	return holds;
}

static enum db_result
drop_snapshot(sqlite3 *db, uint64_t stream, uint64_t version)
{
	sqlite3_stmt *drop =
		db_prepare(db, "DELETE FROM snapshot WHERE stream = ? AND version = ?");

	if (drop == NULL) {
		return DB_FAILED;
	}
	db_bind_u64(drop, 1, stream);
	db_bind_u64(drop, 2, version);
	const enum db_result result = db_step_once(drop);
	sqlite3_finalize(drop);
	return result;
}

enum evidence_result
erase_drop_snapshots(struct erasing *x)
{
	sqlite3 *db = x->evidence->log.db;
	sqlite3_stmt *rows =
		db_prepare(db, "SELECT stream, version, dump, annex, seq FROM snapshot");
	enum db_result result = rows == NULL ? DB_FAILED : DB_OK;
	int code = SQLITE_DONE;

	while (result == DB_OK && (code = sqlite3_step(rows)) == SQLITE_ROW) {
		const uint64_t stream = db_u64(rows, 0);
		/* One that was made in a later life holds the name because it was said again. */
		if (stream < STREAMS && db_u64(rows, 4) < x->plan.ends[stream] &&
		    snapshot_holds(x, rows)) {
			result = drop_snapshot(db, stream, db_u64(rows, 1));
		}
	}
	sqlite3_finalize(rows);
	if (result == DB_OK && code != SQLITE_DONE) {
		result = db_result_of(code);
	}
	return evidence_after(x->evidence, result, "dropping snapshots");
}

/* --- keys --------------------------------------------------------------------------------------
 */

static enum erase_state
forget_keys(struct erasing *x)
{
	struct evidence *e = x->evidence;
	enum db_result result = DB_OK;
	uint64_t count = 0;

	assert(!e->in_transaction);
	for (size_t i = 0; i < x->plan.subject_count && result == DB_OK; i++) {
		result = keys_forget_subject(e->keys, &x->plan.subjects[i], &count);
	}
	if (result == DB_OK) {
		result = keys_commit(e->keys);
	}
	if (result == DB_FULL) {
		keys_rollback(e->keys);
		return ERASE_WAITS;
	}
	if (result == DB_OK) {
		x->report.keys += count;
		x->phase = ERASE_DELETE_PARTS;
	}
	return erase_after(x, evidence_after(e, result, "destroying keys"));
}

/* --- parts -------------------------------------------------------------------------------------
 */

size_t
erase_next_rows(sqlite3 *db, uint64_t *at, uint64_t ids[ERASE_ROWS_AT_ONCE], enum db_result *result)
{
	sqlite3_stmt *rows =
		db_prepare(db, "SELECT id FROM sealed WHERE id >= ? ORDER BY id LIMIT ?");
	size_t count = 0;
	int code = SQLITE_ERROR;

	if (rows != NULL) {
		db_bind_u64(rows, 1, *at);
		db_bind_u64(rows, 2, ERASE_ROWS_AT_ONCE);
	}
	while (rows != NULL && (code = sqlite3_step(rows)) == SQLITE_ROW) {
		ids[count++] = db_u64(rows, 0);
	}
	sqlite3_finalize(rows);
	*result = db_result_of(code);
	*at = count > 0 ? ids[count - 1] + 1 : *at;
	return count;
}

static bool
row_is_own(struct erasing *x, uint64_t id)
{
	struct evidence *e = x->evidence;
	const unsigned part = (unsigned)(id & 1);
	struct entry entry;
	struct span bytes;

	return lookup_entry(&e->log.lookup, id >> 1, e->entry, &bytes) &&
	       entry_read(bytes, &entry) && part < entry.parts &&
	       erase_plan_has(&x->plan, &entry.part[part].subject);
}

static enum evidence_result
delete_listed(struct erasing *x, uint64_t *deleted)
{
	enum db_result result = DB_OK;

	for (size_t i = 0; i < x->plan.part_count && result == DB_OK; i++) {
		const struct erase_part *part = &x->plan.parts[i];
		result = log_delete_sealed(&x->evidence->log, sealed_id(part->seq, part->part),
					   deleted);
	}
	return evidence_after(x->evidence, result, "deleting sealed parts");
}

/* First the listed parts, then, row by row, what lies under the erased handles. */
static enum erase_state
delete_parts(struct erasing *x)
{
	struct evidence *e = x->evidence;
	static uint64_t ids[ERASE_ROWS_AT_ONCE];
	enum db_result read = DB_OK;
	uint64_t next = x->at, deleted = 0;
	enum evidence_result result = evidence_begin(e);

	if (result == EVIDENCE_OK && x->at == 0) {
		result = delete_listed(x, &deleted);
	}
	const size_t count =
		result == EVIDENCE_OK ? erase_next_rows(e->log.db, &next, ids, &read) : 0;
	for (size_t i = 0; i < count && result == EVIDENCE_OK; i++) {
		if (row_is_own(x, ids[i])) {
			result = evidence_after(e, log_delete_sealed(&e->log, ids[i], &deleted),
						"deleting a sealed part");
		}
	}
	if (result == EVIDENCE_OK) {
		result = evidence_after(e, read, "reading sealed parts");
	}
	if (result == EVIDENCE_OK) {
		result = evidence_commit(e);
	}
	if (result == EVIDENCE_OK) {
		x->deleted += deleted;
		x->at = next;
		x->phase = count == 0 ? ERASE_CLEAN : x->phase;
	}
	return erase_after(x, result);
}

/* --- what is left ------------------------------------------------------------------------------
 */

static void
remove_index(const char *directory)
{
	static const char *const names[] = { "index.db", "index.db-wal", "index.db-shm" };
	char path[FILE_PATH_MAX];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		path_join(path, directory, names[i]);
		unlink(path);
	}
}

enum db_result
erase_clean(struct evidence *e, bool *done)
{
	bool keys_empty = false, log_empty = false;

	remove_index(e->directory);
	enum db_result result = keys_empty_wal(e->keys, &keys_empty);
	if (result == DB_OK) {
		result = log_empty_wal(&e->log, &log_empty);
	}
	*done = keys_empty && log_empty;
	return result;
}

static enum erase_state
clean(struct erasing *x)
{
	bool done = false;
	const enum db_result result = erase_clean(x->evidence, &done);

	if (result != DB_OK) {
		return erase_after(x, evidence_after(x->evidence, result, "emptying the WAL"));
	}
	x->phase = done ? ERASE_FINISH : x->phase;
	return done ? ERASE_WORKS : ERASE_WAITS;
}

static struct event
last_event(const struct erasing *x)
{
	struct event event = { .type = EVENT_ERASED,
			       .erased = { x->request, x->plan.subject_count, x->report.keys,
					   x->deleted } };

	if (x->was_interrupted) {
		event = (struct event){ .type = EVENT_ERASE_REFUSED,
					.erase_refused = { .request = x->request } };
		text_set(&event.erase_refused.why,
			 "interrupted: what is listed is gone, ask again");
	}
	return event;
}

static enum erase_state
finish(struct erasing *x, uint64_t now_us)
{
	struct evidence *e = x->evidence;
	const struct event event = last_event(x);
	enum evidence_result result = evidence_begin(e);

	if (result == EVIDENCE_OK) {
		result = erase_note(e, &event, now_us);
	}
	if (result == EVIDENCE_OK) {
		result = evidence_commit(e);
	}
	if (result == EVIDENCE_OK && !erase_unmark(e->directory, ERASE_MARK)) {
		result = evidence_after(e, DB_FAILED, "removing the mark of an erasure");
	}
	return result == EVIDENCE_OK ? ERASE_DONE : erase_after(x, result);
}

enum erase_state
erase_deed_step(struct erasing *x, uint64_t now_us)
{
	switch (x->phase) {
	case ERASE_FORGET_KEYS:
		return forget_keys(x);
	case ERASE_DELETE_PARTS:
		return delete_parts(x);
	case ERASE_CLEAN:
		return clean(x);
	case ERASE_FINISH:
		return finish(x, now_us);
	case ERASE_READ_NAMES:
	case ERASE_READ_PARTS:
	case ERASE_DECIDE:
	case ERASE_LIST:
	case ERASE_ENDED:
		break;
	}
	return x->state;
}

/* --- after a crash -----------------------------------------------------------------------------
 */

struct found {
	bool requested;
	bool ended;
	uint64_t planned;
};

static void
take_listed(struct erasing *x, struct found *found, const struct event *event)
{
	struct erase_plan *plan = &x->plan;

	if (event->type == EVENT_ERASE_REQUESTED) {
		*found = (struct found){ .requested = true,
					 .planned = event->erase_requested.subjects +
						    event->erase_requested.parts };
		x->request = event->erase_requested.request;
	} else if (event->type == EVENT_SUBJECT_ERASED &&
		   id_equal(&event->subject_erased.request, &x->request)) {
		erase_plan_add_subject(plan, &event->subject_erased.subject);
	} else if (event->type == EVENT_PART_ERASED &&
		   id_equal(&event->part_erased.request, &x->request) &&
		   event->part_erased.part < SEALED_PARTS_MAX) {
		erase_plan_add_part(
			plan, &(struct erase_part){ .seq = event->part_erased.seq,
						    .part = (uint32_t)event->part_erased.part });
	} else if (event->type == EVENT_ERASED || event->type == EVENT_ERASE_REFUSED) {
		found->ended = true;
	}
}

static struct found
find_listed(struct erasing *x, uint64_t from)
{
	struct evidence *e = x->evidence;
	struct found found = { 0 };
	struct entry header;
	struct event event;

	for (uint64_t seq = from; seq < evidence_size(e); seq++) {
		if (lookup_event(&e->log.lookup, seq, &header, &event) == ENTRY_KNOWN) {
			take_listed(x, &found, &event);
		}
	}
	return found;
}

static enum erase_state
carry_through(struct erasing *x, uint64_t now_us)
{
	const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };
	enum erase_state state = ERASE_WORKS;

	x->phase = ERASE_FORGET_KEYS;
	for (unsigned waits = 0;
	     waits < WAITS_AT_START && (state == ERASE_WORKS || state == ERASE_WAITS);) {
		state = erase_step(x, now_us);
		if (state == ERASE_WAITS) {
			waits++;
			nanosleep(&pause, NULL);
		}
	}
	return state;
}

/* What waits still (a reader that holds an old page) leaves its mark for the next start. */
bool
erase_resume(struct evidence *e, uint64_t now_us, char *fault, size_t fault_size)
{
	uint64_t from = 0;
	bool ok = true;

	if (!erase_marked(e->directory, ERASE_MARK, &from)) {
		return true;
	}
	struct erasing *x = calloc(1, sizeof *x);
	assert(x != NULL);
	x->evidence = e;
	const struct found found = find_listed(x, from);
	if (!found.requested || found.ended) {
		ok = erase_unmark(e->directory, ERASE_MARK);
	} else {
		x->was_interrupted = x->plan.subject_count + x->plan.part_count < found.planned;
		ok = carry_through(x, now_us) != ERASE_FAILED;
	}
	if (!ok) {
		snprintf(fault, fault_size, "%s: an erasure that was under way cannot go on: %s",
			 e->directory, x->fault);
	}
	erase_end(x);
	return ok;
}
