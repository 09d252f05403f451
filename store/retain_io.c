#include "store/retain_io.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "protocol/time_io.h"
#include "store/erase_state_io.h"
#include "store/pruned_io.h"

enum { READ_AT_ONCE = 64, READ_US = 20 * 1000, WAITS_AT_START = 50 };

enum phase {
	READ_HOLDS,
	READ_NAMES, /* of one hold's agent */
	READ_PARTS,
	COUNT_PARTS,
	DECIDE,
	FORGET_KEYS,
	DELETE_PARTS,
	CLEAN,
	ENDED,
};

struct hold {
	struct id id;
	uint64_t until_us;
	struct name agent;
};

struct kept {
	struct kept_key key;
	struct id hold;
};

struct retaining {
	struct evidence *evidence;
	struct log_reader *reader;
	struct log_keys *keys;
	enum phase phase;
	enum erase_state state;
	uint64_t end; /* the first seq after the month */
	uint64_t at;
	struct hold *holds;
	size_t hold_count, hold_room;
	size_t hold_at;    /* whose agent is read for */
	uint64_t holds_to; /* up to where holds were read */
	bool holds_changed;
	struct erase_plan plan;
	struct kept *kept; /* sorted by subject and month */
	size_t kept_count, kept_room;
	struct retain_report report;
	char fault[EVIDENCE_FAULT_MAX];
};

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

static enum erase_state
fail_reading(struct retaining *r)
{
	snprintf(r->fault, sizeof r->fault, "%s", log_reader_fault(r->reader));
	return ERASE_FAILED;
}

/* --- what is kept ------------------------------------------------------------------------------
 */

static int
compare_keys(const void *left, const void *right)
{
	const struct kept_key *a = left, *b = right;
	const int subjects = memcmp(&a->subject, &b->subject, sizeof a->subject);

	return subjects != 0 ? subjects : (a->month > b->month) - (a->month < b->month);
}

static size_t
place_of(const struct retaining *r, const struct kept_key *key)
{
	size_t low = 0, high = r->kept_count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (compare_keys(&r->kept[middle].key, key) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

static bool
is_kept(const struct retaining *r, const struct id *subject, uint64_t month)
{
	const struct kept_key key = { *subject, month };
	const size_t at = place_of(r, &key);

	return at < r->kept_count && compare_keys(&r->kept[at].key, &key) == 0;
}

static void
keep(struct retaining *r, const struct id *subject, uint64_t month, const struct id *hold)
{
	const struct kept_key key = { *subject, month };
	const size_t at = place_of(r, &key);

	if (is_kept(r, subject, month)) {
		return;
	}
	if (r->kept_count == r->kept_room) {
		r->kept_room = r->kept_room == 0 ? 64 : 2 * r->kept_room;
		r->kept = reallocarray(r->kept, r->kept_room, sizeof *r->kept);
		assert(r->kept != NULL);
	}
	memmove(&r->kept[at + 1], &r->kept[at], (r->kept_count - at) * sizeof *r->kept);
	r->kept[at] = (struct kept){ key, *hold };
	r->kept_count++;
}

/* --- reading -----------------------------------------------------------------------------------
 */

static void
add_hold(struct retaining *r, const struct event_hold_placed *placed)
{
	if (r->hold_count == r->hold_room) {
		r->hold_room = r->hold_room == 0 ? 16 : 2 * r->hold_room;
		r->holds = reallocarray(r->holds, r->hold_room, sizeof *r->holds);
		assert(r->holds != NULL);
	}
	r->holds[r->hold_count++] =
		(struct hold){ placed->hold, placed->until_us, placed->agent_name };
}

static bool
take_hold(void *context, const struct event *event, const struct entry *entry)
{
	struct retaining *r = context;

	(void)entry;
	if (event != NULL && event->type == EVENT_HOLD_PLACED &&
	    event->hold_placed.agent_name.length > 0) {
		add_hold(r, &event->hold_placed);
	} else if (event != NULL && event->type == EVENT_HOLD_RELEASED) {
		for (size_t i = 0; i < r->hold_count; i++) {
			if (id_equal(&r->holds[i].id, &event->hold_released.hold)) {
				r->holds[i--] = r->holds[--r->hold_count];
			}
		}
	}
	return true;
}

static bool
learn(void *context, const struct event *event, const struct entry *entry)
{
	struct retaining *r = context;

	if (event != NULL) {
		erase_learn(&r->plan, event, entry);
	}
	return true;
}

static bool
collect(void *context, const struct event *event, const struct entry *entry)
{
	struct retaining *r = context;
	const uint64_t month = seal_month(entry->recorded_us);

	for (uint32_t part = 0; part < entry->parts; part++) {
		if (erase_plan_has(&r->plan, &entry->part[part].subject)) {
			keep(r, &entry->part[part].subject, month, &r->holds[r->hold_at].id);
		}
	}
	if (event != NULL) {
		erase_collect(&r->plan, event, entry);
	}
	return true;
}

/* For as long as a step may take. */
static bool
read_on(struct retaining *r, uint64_t end, uint32_t streams, log_event_visitor *visit)
{
	const uint64_t until_us = time_monotonic_us() + READ_US;

	while (r->at < end && time_monotonic_us() < until_us) {
		const uint64_t to = end - r->at < READ_AT_ONCE ? end : r->at + READ_AT_ONCE;
		if (!log_read_events(r->reader, r->keys, r->at, to, streams, visit, r)) {
			return false;
		}
		r->at = to;
	}
	return true;
}

/* The next hold's agent, or on to the counting. */
static void
next_hold(struct retaining *r)
{
	erase_plan_free(&r->plan);
	r->at = 0;
	r->phase = r->hold_at < r->hold_count ? READ_NAMES : COUNT_PARTS;
	if (r->phase == READ_NAMES) {
		erase_plan_make(&r->plan, &r->holds[r->hold_at].agent);
	}
}

static void
drop_ended_holds(struct retaining *r, uint64_t now_us)
{
	for (size_t i = 0; i < r->hold_count; i++) {
		if (r->holds[i].until_us != 0 && r->holds[i].until_us <= now_us) {
			r->holds[i--] = r->holds[--r->hold_count];
		}
	}
	r->report.holds = r->hold_count;
}

static enum erase_state
read_holds(struct retaining *r, uint64_t now_us)
{
	if (!read_on(r, evidence_size(r->evidence), LOG_STREAM(STREAM_WITNESS), take_hold)) {
		return fail_reading(r);
	}
	if (r->at == evidence_size(r->evidence)) {
		r->holds_to = r->at;
		drop_ended_holds(r, now_us);
		next_hold(r);
	}
	return ERASE_WORKS;
}

static enum erase_state
read_names(struct retaining *r)
{
	if (!read_on(r, evidence_size(r->evidence), LOG_STREAMS_ALL, learn)) {
		return fail_reading(r);
	}
	if (r->at == evidence_size(r->evidence)) {
		r->at = 0;
		r->phase = READ_PARTS;
	}
	return ERASE_WORKS;
}

static enum erase_state
read_parts(struct retaining *r)
{
	if (!read_on(r, r->end, LOG_STREAMS_ALL, collect)) {
		return fail_reading(r);
	}
	if (r->at == r->end) {
		for (size_t i = 0; i < r->plan.part_count; i++) {
			keep(r, &r->plan.parts[i].subject, r->plan.parts[i].month,
			     &r->holds[r->hold_at].id);
		}
		r->hold_at++;
		next_hold(r);
	}
	return ERASE_WORKS;
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
	if (r->kept_count == 0) {
		return true;
	}
	return !lookup_entry(&e->log.lookup, id >> 1, e->entry, &bytes) ||
	       !entry_read(bytes, &entry) || part >= entry.parts ||
	       !is_kept(r, &entry.part[part].subject, seal_month(entry.recorded_us));
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

	for (size_t i = 0; i < r->kept_count && result == EVIDENCE_OK; i++) {
		const struct kept *kept = &r->kept[i];
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
	for (size_t i = 0; i < r->kept_count; i++) {
		r->report.kept +=
			keys_has(keys, &r->kept[i].key.subject, r->kept[i].key.month) ? 1 : 0;
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

static bool
note_change(void *context, const struct event *event, const struct entry *entry)
{
	struct retaining *r = context;

	(void)entry;
	r->holds_changed |= event != NULL && (event->type == EVENT_HOLD_PLACED ||
					      event->type == EVENT_HOLD_RELEASED);
	return true;
}

/* A hold that was placed while the log was read counts: then it is read again. */
static enum erase_state
check_holds(struct retaining *r)
{
	const uint64_t size = evidence_size(r->evidence);

	if (r->reader == NULL) {
		return ERASE_WORKS;
	}
	if (!log_read_events(r->reader, r->keys, r->holds_to, size, LOG_STREAM(STREAM_WITNESS),
			     note_change, r)) {
		return fail_reading(r);
	}
	if (r->holds_changed) {
		r->holds_changed = false;
		r->hold_count = r->hold_at = r->kept_count = 0;
		r->report.parts = 0;
		r->at = 0;
		r->phase = READ_HOLDS;
	}
	return ERASE_WORKS;
}

static enum erase_state
decide(struct retaining *r, uint64_t now_us)
{
	struct evidence *e = r->evidence;
	const enum erase_state state = check_holds(r);

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
	struct kept_key *kept = calloc(r->kept_count + 1, sizeof *kept);
	uint64_t count = 0;

	assert(kept != NULL);
	for (size_t i = 0; i < r->kept_count; i++) {
		kept[i] = r->kept[i].key;
	}
	enum db_result result =
		keys_forget_months(e->keys, r->report.month, kept, r->kept_count, &count);
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
		r->state = read_holds(r, now_us);
		break;
	case READ_NAMES:
		r->state = read_names(r);
		break;
	case READ_PARTS:
		r->state = read_parts(r);
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
	free(r->kept);
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
			keep(r, &event.key_kept.subject, event.key_kept.month,
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
