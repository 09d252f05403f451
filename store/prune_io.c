#include "store/prune_io.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/erase_state_io.h"
#include "store/proof.h"
#include "store/prune_survey_io.h"
#include "store/pruned_io.h"
#include "store/pub_io.h"

enum { ROWS_AT_ONCE = 2 * TILE_HASHES, BUNDLES_AT_ONCE = 64, WAITS_AT_START = 50 };

enum phase {
	SURVEY,
	SAY,
	PUBLISH,
	DELETE_ROWS,
	DROP_BUNDLES,
	CLEAN,
	FINISH,
	ENDED,
};

struct pruning {
	struct evidence *evidence;
	struct log_reader *reader; /* while it looks */
	struct log_keys *keys;
	struct prune_survey *survey;
	enum phase phase;
	enum erase_state state;
	uint64_t month;
	struct prune_range *ranges;
	size_t range_count;
	size_t range_at; /* the range whose rows or bundles go next, and from which seq on */
	uint64_t at;
	struct prune_report report;
	char fault[EVIDENCE_FAULT_MAX];
};

static enum erase_state
after(struct pruning *p, enum evidence_result result)
{
	if (result == EVIDENCE_OK) {
		return ERASE_WORKS;
	}
	if (result == EVIDENCE_FULL) {
		return ERASE_WAITS;
	}
	snprintf(p->fault, sizeof p->fault, "%s", evidence_fault(p->evidence));
	return ERASE_FAILED;
}

static void
close_reader(struct pruning *p)
{
	prune_survey_end(p->survey);
	log_keys_close(p->keys);
	log_reader_close(p->reader);
	p->survey = NULL;
	p->keys = NULL;
	p->reader = NULL;
}

/* --- finding and saying --------------------------------------------------------------------------
 */

static enum erase_state
survey(struct pruning *p)
{
	bool done = false;

	if (!prune_survey_step(p->survey, &done)) {
		snprintf(p->fault, sizeof p->fault, "%s", log_reader_fault(p->reader));
		return ERASE_FAILED;
	}
	if (!done) {
		return ERASE_WORKS;
	}
	p->ranges = calloc(PRUNE_RANGES_MAX, sizeof *p->ranges);
	assert(p->ranges != NULL);
	p->range_count = prune_survey_ranges(p->survey, p->ranges, &p->report);
	close_reader(p);
	p->phase = SAY;
	return p->range_count > 0 ? ERASE_WORKS : ERASE_DONE;
}

static enum evidence_result
say_range(struct pruning *p, const struct prune_range *range, uint64_t now_us)
{
	struct evidence *e = p->evidence;
	struct event event = { .type = EVENT_LOG_PRUNED,
			       .log_pruned = { .first = range->first, .end = range->end } };
	char why[TEXT_BYTES_MAX + 1];

	snprintf(why, sizeof why, "months up to %" PRIu64, p->month);
	const bool fits = text_set(&event.log_pruned.why, why);
	assert(fits);
	if (!proof_root(lookup_hashes, &e->log.lookup, range->end, &event.log_pruned.root)) {
		return evidence_after(e, DB_FAILED, "reading the tiles below a pruned range");
	}
	enum evidence_result result = erase_note(e, &event, now_us);
	if (result == EVIDENCE_OK) {
		const struct pruned_range pruned = { .first = range->first,
						     .end = range->end,
						     .event = evidence_size(e) - 1 };
		result =
			evidence_after(e, pruned_put(e->log.db, &pruned), "writing what is pruned");
	}
	return result;
}

static enum erase_state
say(struct pruning *p, uint64_t now_us)
{
	struct evidence *e = p->evidence;
	enum evidence_result result = evidence_begin(e);

	if (result == EVIDENCE_OK) {
		result = evidence_after(e, pruned_make(e->log.db),
					"making the table of what is pruned");
	}
	for (size_t i = 0; i < p->range_count && result == EVIDENCE_OK; i++) {
		result = say_range(p, &p->ranges[i], now_us);
	}
	if (result == EVIDENCE_OK) {
		result = evidence_commit(e);
	}
	p->phase = result == EVIDENCE_OK ? PUBLISH : p->phase;
	return after(p, result);
}

static void
begin_ranges(struct pruning *p, enum phase phase)
{
	p->phase = phase;
	p->range_at = 0;
	p->at = p->ranges[0].first;
}

static enum erase_state
publish(struct pruning *p)
{
	struct evidence *e = p->evidence;
	const enum evidence_result result = evidence_publish(e);

	if (result == EVIDENCE_OK) {
		assert(e->published == evidence_size(e));
		begin_ranges(p, DELETE_ROWS);
	}
	return after(p, result);
}

/* --- the deed ------------------------------------------------------------------------------------
 */

/* Up to so many seqs of the range at hand; false behind the last one. */
static bool
next_piece(const struct pruning *p, uint64_t most, uint64_t *end)
{
	if (p->range_at == p->range_count) {
		return false;
	}
	const uint64_t range_end = p->ranges[p->range_at].end;
	*end = range_end - p->at > most ? p->at + most : range_end;
	return true;
}

static void
move_on(struct pruning *p, uint64_t end)
{
	p->at = end;
	if (end == p->ranges[p->range_at].end && ++p->range_at < p->range_count) {
		p->at = p->ranges[p->range_at].first;
	}
}

static enum erase_state
delete_rows(struct pruning *p)
{
	struct evidence *e = p->evidence;
	uint64_t end = 0;

	if (!next_piece(p, ROWS_AT_ONCE, &end)) {
		begin_ranges(p, DROP_BUNDLES);
		return ERASE_WORKS;
	}
	enum evidence_result result = evidence_begin(e);
	if (result == EVIDENCE_OK) {
		result = evidence_after(e, pruned_delete(e->log.db, p->at, end),
					"deleting what is pruned");
	}
	if (result == EVIDENCE_OK) {
		result = evidence_commit(e);
	}
	if (result == EVIDENCE_OK) {
		move_on(p, end);
	}
	return after(p, result);
}

static enum erase_state
drop_bundles(struct pruning *p)
{
	struct evidence *e = p->evidence;
	const bool is_over = p->range_at == p->range_count;
	enum file_result result = FILE_OK;
	uint64_t end = 0;

	if (is_over) {
		result = pub_sync(e->directory);
		p->phase = CLEAN;
	} else if (next_piece(p, (uint64_t)BUNDLES_AT_ONCE * TILE_HASHES, &end)) {
		result = pub_drop_entries(e->directory, p->at, end);
		move_on(p, end);
	}
	return after(p, evidence_after_file(e, result, "removing published entries"));
}

static enum erase_state
clean(struct pruning *p)
{
	bool done = false;
	const enum db_result result = erase_clean(p->evidence, &done);

	if (result != DB_OK) {
		return after(p, evidence_after(p->evidence, result, "emptying the WAL"));
	}
	p->phase = done ? FINISH : p->phase;
	return done ? ERASE_WORKS : ERASE_WAITS;
}

static enum erase_state
finish(struct pruning *p)
{
	struct evidence *e = p->evidence;
	enum evidence_result result = evidence_begin(e);

	if (result == EVIDENCE_OK) {
		result = evidence_after(e, pruned_finish(e->log.db), "marking what is pruned");
	}
	if (result == EVIDENCE_OK) {
		result = evidence_commit(e);
	}
	return result == EVIDENCE_OK ? ERASE_DONE : after(p, result);
}

/* --- one round -----------------------------------------------------------------------------------
 */

struct pruning *
prune_begin(struct evidence *e, uint64_t month, char *fault, size_t fault_size)
{
	struct pruning *p = calloc(1, sizeof *p);

	assert(p != NULL);
	assert(month > 0);
	p->evidence = e;
	p->month = month;
	if (!log_reader_open(e->directory, &p->reader, fault, fault_size) ||
	    !log_keys_open_with(p->reader, keys_wrap_key(e->keys), &p->keys, fault, fault_size)) {
		prune_end(p);
		return NULL;
	}
	if (!prune_survey_begin(p->reader, p->keys, month, &p->survey)) {
		snprintf(fault, fault_size, "%s", log_reader_fault(p->reader));
		prune_end(p);
		return NULL;
	}
	return p;
}

enum erase_state
prune_step(struct pruning *p, uint64_t now_us)
{
	switch (p->phase) {
	case SURVEY:
		p->state = survey(p);
		break;
	case SAY:
		p->state = say(p, now_us);
		break;
	case PUBLISH:
		p->state = publish(p);
		break;
	case DELETE_ROWS:
		p->state = delete_rows(p);
		break;
	case DROP_BUNDLES:
		p->state = drop_bundles(p);
		break;
	case CLEAN:
		p->state = clean(p);
		break;
	case FINISH:
		p->state = finish(p);
		break;
	case ENDED:
		break;
	}
	if (p->state != ERASE_WORKS && p->state != ERASE_WAITS) {
		p->phase = ENDED;
	}
	return p->state;
}

struct prune_report
prune_report_now(const struct pruning *p)
{
	return p->report;
}

const char *
prune_fault(const struct pruning *p)
{
	return p->fault;
}

void
prune_end(struct pruning *p)
{
	if (p != NULL) {
		close_reader(p);
		free(p->ranges);
		free(p);
	}
}

/* --- after a crash -------------------------------------------------------------------------------
 */

/* A range whose event is not there is none: it came from somewhere else than `say`. */
static bool
take_undone(void *context, const struct pruned_range *range)
{
	struct pruning *p = context;
	struct pruned_range said;

	if (range->is_done || !pruned_find(&p->evidence->log.lookup, range->first, &said)) {
		return true;
	}
	p->ranges = reallocarray(p->ranges, p->range_count + 1, sizeof *p->ranges);
	assert(p->ranges != NULL);
	p->ranges[p->range_count++] = (struct prune_range){ range->first, range->end };
	return true;
}

static enum erase_state
carry_through(struct pruning *p, uint64_t now_us)
{
	const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };
	enum erase_state state = ERASE_WORKS;

	p->phase = PUBLISH;
	for (unsigned waits = 0;
	     waits < WAITS_AT_START && (state == ERASE_WORKS || state == ERASE_WAITS);) {
		state = prune_step(p, now_us);
		if (state == ERASE_WAITS) {
			waits++;
			nanosleep(&pause, NULL);
		}
	}
	return state;
}

/* What waits still (a reader that holds an old page) is not done, and taken up at the next start.
 */
bool
prune_resume(struct evidence *e, uint64_t now_us, char *fault, size_t fault_size)
{
	struct pruning *p = calloc(1, sizeof *p);

	assert(p != NULL);
	p->evidence = e;
	bool ok = pruned_each(e->log.db, take_undone, p);
	if (!ok) {
		snprintf(p->fault, sizeof p->fault, "%s", sqlite3_errmsg(e->log.db));
	} else if (p->range_count > 0) {
		ok = carry_through(p, now_us) != ERASE_FAILED;
	}
	if (!ok) {
		snprintf(fault, fault_size, "%s: a pruning that was under way cannot go on: %s",
			 e->directory, p->fault);
	}
	prune_end(p);
	return ok;
}
