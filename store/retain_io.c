#include "store/retain_inside_io.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "store/erase_state_io.h"
#include "store/pruned_io.h"

enum { WAITS_AT_START = 50 };

static enum erase_state
after(struct retaining *r, enum evidence_result result)
{
	if (result == EVIDENCE_OK) {
		return ERASE_WORKS;
	}
	if (result == EVIDENCE_FULL) {
		return ERASE_WAITS;
	}
	snprintf(r->fault, sizeof r->fault, "%s", evidence_fault(r->evidence));
	return ERASE_FAILED;
}

/* --- sealed rows -------------------------------------------------------------------------------
 */

static bool
row_goes(struct retaining *r, uint64_t id)
{
	struct evidence *e = r->evidence;
	const unsigned part = (unsigned)(id & 1);
	struct entry entry;
	struct span bytes;

	if (id >= sealed_id(r->end, 0)) {
		return false;
	}
	if (r->kept.count == 0) {
		return true;
	}
	return !lookup_entry(&e->log.lookup, id >> 1, e->entry, &bytes) ||
	       !entry_read(bytes, &entry) || part >= entry.parts ||
	       !kept_has(&r->kept, &(struct kept_key){ entry.part[part].subject,
						       seal_month(entry.recorded_us) });
}

static enum erase_state
count_parts(struct retaining *r)
{
	static uint64_t ids[ERASE_ROWS_AT_ONCE];
	enum db_result read = DB_OK;
	const size_t count = erase_next_rows(r->evidence->log.db, &r->at, ids, &read);

	for (size_t i = 0; i < count; i++) {
		r->report.parts += row_goes(r, ids[i]) ? 1 : 0;
	}
	if (count == 0 || r->at >= sealed_id(r->end, 0)) {
		r->phase = DECIDE;
	}
	return after(r, evidence_after(r->evidence, read, "reading sealed parts"));
}

static enum erase_state
delete_parts(struct retaining *r)
{
	static uint64_t ids[ERASE_ROWS_AT_ONCE];
	struct evidence *e = r->evidence;
	enum db_result read = DB_OK;
	uint64_t next = r->at, deleted = 0;
	enum evidence_result result = evidence_begin(e);
	const size_t count =
		result == EVIDENCE_OK ? erase_next_rows(e->log.db, &next, ids, &read) : 0;

	for (size_t i = 0; i < count && result == EVIDENCE_OK; i++) {
		if (row_goes(r, ids[i])) {
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
		r->at = next;
		r->phase = count == 0 || next >= sealed_id(r->end, 0) ? CLEAN : r->phase;
	}
	return after(r, result);
}

/* --- deciding ----------------------------------------------------------------------------------
 */

static enum evidence_result
note_round(struct retaining *r, uint64_t now_us)
{
	enum evidence_result result = EVIDENCE_OK;
	const struct event erased = { .type = EVENT_MONTH_ERASED,
				      .month_erased = { r->report.month, r->report.keys,
							r->report.parts, r->report.kept } };

	for (size_t i = 0; i < r->kept.count && result == EVIDENCE_OK; i++) {
		const struct kept *kept = &r->kept.items[i];
		const struct event event = { .type = EVENT_KEY_KEPT,
					     .key_kept = { kept->hold, kept->key.subject,
							   kept->key.month } };
		result = erase_note(r->evidence, &event, now_us);
	}
	return result == EVIDENCE_OK ? erase_note(r->evidence, &erased, now_us) : result;
}

static void
count_keys(struct retaining *r)
{
	struct keys *keys = r->evidence->keys;

	r->report.kept = 0;
	for (size_t i = 0; i < r->kept.count; i++) {
		r->report.kept +=
			keys_has(keys, &r->kept.items[i].key.subject, r->kept.items[i].key.month)
				? 1
				: 0;
	}
	r->report.keys = keys_count_months(keys, r->report.month) - r->report.kept;
}

static void
close_reader(struct retaining *r)
{
	log_keys_close(r->keys);
	log_reader_close(r->reader);
	r->keys = NULL;
	r->reader = NULL;
}

static enum erase_state
decide(struct retaining *r, uint64_t now_us)
{
	struct evidence *e = r->evidence;
	const enum erase_state state = retain_check_holds(r);

	if (state != ERASE_WORKS || r->phase != DECIDE) {
		return state;
	}
	close_reader(r);
	count_keys(r);
	if (r->report.keys + r->report.parts == 0) {
		return ERASE_DONE;
	}
	if (!erase_mark(e->directory, RETAIN_MARK, evidence_size(e))) {
		snprintf(r->fault, sizeof r->fault,
			 "%.300s/" RETAIN_MARK " cannot be written: see to the disk", e->directory);
		return ERASE_FAILED;
	}
	enum evidence_result result = evidence_begin(e);
	if (result == EVIDENCE_OK) {
		result = note_round(r, now_us);
	}
	if (result == EVIDENCE_OK) {
		result = evidence_commit(e);
	}
	if (result == EVIDENCE_OK) {
		r->phase = FORGET_KEYS;
		r->at = 0;
	}
	return after(r, result);
}

static enum erase_state
forget_keys(struct retaining *r)
{
	struct evidence *e = r->evidence;
	struct kept_key *kept = calloc(r->kept.count + 1, sizeof *kept);
	uint64_t count = 0;

	assert(kept != NULL);
	for (size_t i = 0; i < r->kept.count; i++) {
		kept[i] = r->kept.items[i].key;
	}
	enum db_result result =
		keys_forget_months(e->keys, r->report.month, kept, r->kept.count, &count);
	free(kept);
	if (result == DB_OK) {
		result = keys_commit(e->keys);
	}
	if (result == DB_FULL) {
		keys_rollback(e->keys);
		return ERASE_WAITS;
	}
	r->phase = result == DB_OK ? DELETE_PARTS : r->phase;
	return after(r, evidence_after(e, result, "destroying the keys of a month"));
}

static enum erase_state
clean(struct retaining *r)
{
	bool done = false;
	enum db_result result = erase_clean(r->evidence, &done);

	if (result == DB_OK && done && !erase_unmark(r->evidence->directory, RETAIN_MARK)) {
		result = DB_FAILED;
	}
	if (result != DB_OK) {
		return after(r, evidence_after(r->evidence, result, "emptying the WAL"));
	}
	return done ? ERASE_DONE : ERASE_WAITS;
}

/* --- one round ---------------------------------------------------------------------------------
 */

/* recorded_us never decreases; what was pruned was recorded before what follows it. */
static uint64_t
first_seq_at(struct evidence *e, uint64_t us)
{
	uint64_t low = 0, high = evidence_size(e);

	while (low < high) {
		const uint64_t middle = low + (high - low) / 2;
		uint64_t seq = middle;
		struct pruned_range range;
		struct entry entry;
		struct span bytes;

		while (!lookup_entry(&e->log.lookup, seq, e->entry, &bytes) &&
		       pruned_find(&e->log.lookup, seq, &range)) {
			seq = range.end;
		}
		if (bytes.count > 0 && entry_read(bytes, &entry) && entry.recorded_us < us) {
			low = seq + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

static struct retaining *
make(struct evidence *e, uint64_t month)
{
	struct retaining *r = calloc(1, sizeof *r);

	assert(r != NULL);
	r->evidence = e;
	r->state = ERASE_WORKS;
	r->report.month = month;
	r->end = first_seq_at(e, retain_month_end_us(month));
	return r;
}

struct retaining *
retain_begin(struct evidence *e, uint64_t month, char *fault, size_t fault_size)
{
	struct retaining *r = make(e, month);

	assert(month > 0);
	/* Mostly there is nothing: the log need not be read to know that. */
	if (keys_count_months(e->keys, month) == 0) {
		r->phase = COUNT_PARTS;
		return r;
	}
	if (!log_reader_open(e->directory, &r->reader, fault, fault_size) ||
	    !log_keys_open_with(r->reader, keys_wrap_key(e->keys), &r->keys, fault, fault_size)) {
		retain_end(r);
		return NULL;
	}
	log_pass_pruned(r->reader, NULL, NULL);
	return r;
}

enum erase_state
retain_step(struct retaining *r, uint64_t now_us)
{
	switch (r->phase) {
	case READ_HOLDS:
		r->state = retain_read_holds(r, now_us);
		break;
	case READ_NAMES:
		r->state = retain_read_names(r);
		break;
	case READ_PARTS:
		r->state = retain_read_parts(r);
		break;
	case COUNT_PARTS:
		r->state = count_parts(r);
		break;
	case DECIDE:
		r->state = decide(r, now_us);
		break;
	case FORGET_KEYS:
		r->state = forget_keys(r);
		break;
	case DELETE_PARTS:
		r->state = delete_parts(r);
		break;
	case CLEAN:
		r->state = clean(r);
		break;
	case ENDED:
		break;
	}
	if (r->state != ERASE_WORKS && r->state != ERASE_WAITS) {
		r->phase = ENDED;
	}
	return r->state;
}

struct retain_report
retain_report_of(const struct retaining *r)
{
	return r->report;
}

const char *
retain_fault(const struct retaining *r)
{
	return r->fault;
}

void
retain_end(struct retaining *r)
{
	if (r == NULL) {
		return;
	}
	close_reader(r);
	erase_plan_free(&r->plan);
	free(r->holds);
	kept_free(&r->kept);
	free(r);
}

/* --- after a crash -----------------------------------------------------------------------------
 */

static bool
find_round(struct retaining *r, uint64_t from)
{
	struct evidence *e = r->evidence;
	struct entry header;
	struct event event;
	bool found = false;

	for (uint64_t seq = from; seq < evidence_size(e); seq++) {
		if (lookup_event(&e->log.lookup, seq, &header, &event) != ENTRY_KNOWN) {
			continue;
		}
		if (event.type == EVENT_KEY_KEPT) {
			kept_add(&r->kept,
				 &(struct kept_key){ event.key_kept.subject, event.key_kept.month },
				 &event.key_kept.hold);
		} else if (event.type == EVENT_MONTH_ERASED) {
			r->report.month = event.month_erased.month;
			found = true;
		}
	}
	return found;
}

bool
retain_resume(struct evidence *e, uint64_t now_us, char *fault, size_t fault_size)
{
	const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };
	enum erase_state state = ERASE_WORKS;
	uint64_t from = 0;
	bool ok = true;

	if (!erase_marked(e->directory, RETAIN_MARK, &from)) {
		return true;
	}
	struct retaining *r = make(e, 197001);
	if (!find_round(r, from)) {
		ok = erase_unmark(e->directory, RETAIN_MARK);
		state = ERASE_DONE;
	}
	r->end = first_seq_at(e, retain_month_end_us(r->report.month));
	r->phase = FORGET_KEYS;
	for (unsigned waits = 0;
	     waits < WAITS_AT_START && (state == ERASE_WORKS || state == ERASE_WAITS);) {
		state = retain_step(r, now_us);
		if (state == ERASE_WAITS) {
			waits++;
			nanosleep(&pause, NULL);
		}
	}
	ok = ok && state != ERASE_FAILED;
	if (!ok) {
		snprintf(fault, fault_size, "%s: a retention that was under way cannot go on: %s",
			 e->directory, r->fault);
	}
	retain_end(r);
	return ok;
}
