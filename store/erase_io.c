/* The first half of an erasure: reading what it takes, asking the holds, and saying it in the log.
 */
#include "store/erase_io.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/time_io.h"
#include "store/erase_state_io.h"

/* A step reads for so long: whoever is served between two steps waits no longer. */
enum { READ_AT_ONCE = 64, READ_US = 20 * 1000, LIST_AT_ONCE = 256 };

enum erase_state
erase_after(struct erasing *x, enum evidence_result result)
{
	switch (result) {
	case EVIDENCE_OK:
		return ERASE_WORKS;
	case EVIDENCE_FULL:
		return ERASE_WAITS;
	case EVIDENCE_REFUSED:
		if (x->evidence->in_transaction) {
			evidence_rollback(x->evidence);
		}
		break;
	case EVIDENCE_READ_ONLY:
	case EVIDENCE_FAILED:
		break;
	}
	snprintf(x->fault, sizeof x->fault, "%s",
		 result == EVIDENCE_REFUSED ? "an event of the erasure does not fit the catalog"
					    : x->evidence->fault);
	return ERASE_FAILED;
}

enum evidence_result
erase_note(struct evidence *e, const struct event *event, uint64_t now_us)
{
	uint8_t memory[4096];
	struct mp_writer w = mp_writer_of(memory, sizeof memory);
	struct event own = *event;
	struct event_wire wire;
	uint64_t seq = 0;

	own.occurred_us = now_us;
	own.command_id = uuid_next(&e->ids, now_us / 1000);
	event_write(&w, &own);
	struct mp_reader r = mp_reader_of(mp_written(&w));
	event_wire_read(&r, &wire);
	assert(!w.bad);
	assert(mp_reader_is_done(&r));
	return evidence_append(e, STREAM_WITNESS, e->heads[STREAM_WITNESS].epoch, &wire, now_us,
			       &seq);
}

/* --- reading -----------------------------------------------------------------------------------
 */

static bool
learn(void *context, const struct event *event, const struct entry *entry)
{
	if (event != NULL) {
		erase_learn(context, event, entry);
	}
	return true;
}

static bool
collect(void *context, const struct event *event, const struct entry *entry)
{
	if (event != NULL) {
		erase_collect(context, event, entry);
	}
	return true;
}

bool
erase_survey(struct log_reader *reader, struct log_keys *keys, struct erase_plan *plan)
{
	uint64_t size = 0;

	return log_reader_size(reader, &size) &&
	       log_read_events(reader, keys, 0, size, LOG_STREAMS_ALL, learn, plan) &&
	       log_read_events(reader, keys, 0, size, LOG_STREAMS_ALL, collect, plan);
}

static enum erase_state
fail_reading(struct erasing *x)
{
	snprintf(x->fault, sizeof x->fault, "%s", log_reader_fault(x->reader));
	return ERASE_FAILED;
}

/* At most so many events further; `at` moves. */
static bool
read_on(struct erasing *x, uint64_t *at, uint64_t most, log_event_visitor *visit)
{
	const uint64_t size = evidence_size(x->evidence);
	const uint64_t to = size - *at < most ? size : *at + most;

	if (!log_read_events(x->reader, x->keys, *at, to, LOG_STREAMS_ALL, visit, &x->plan)) {
		return false;
	}
	*at = to;
	return true;
}

/* The same for as long as a step may take. */
static bool
read_a_while(struct erasing *x, uint64_t *at, log_event_visitor *visit)
{
	const uint64_t until_us = time_monotonic_us() + READ_US;
	bool ok = true;

	while (ok && *at < evidence_size(x->evidence) && time_monotonic_us() < until_us) {
		ok = read_on(x, at, READ_AT_ONCE, visit);
	}
	return ok;
}

static enum erase_state
read_names(struct erasing *x)
{
	if (!read_a_while(x, &x->learned, learn)) {
		return fail_reading(x);
	}
	if (x->learned == evidence_size(x->evidence)) {
		x->phase = ERASE_READ_PARTS;
	}
	return ERASE_WORKS;
}

static enum erase_state
read_parts(struct erasing *x)
{
	if (!read_a_while(x, &x->at, collect)) {
		return fail_reading(x);
	}
	if (x->at == evidence_size(x->evidence)) {
		x->phase = ERASE_DECIDE;
	}
	return ERASE_WORKS;
}

/* What was appended while it read. A handle or an address that is new there may stand in parts that
 * were passed over: then these are read again. */
static enum erase_state
catch_up(struct erasing *x)
{
	const size_t known = x->plan.subject_count + x->plan.address_count;

	if (!read_on(x, &x->learned, UINT64_MAX, learn)) {
		return fail_reading(x);
	}
	if (x->plan.subject_count + x->plan.address_count != known) {
		erase_collect_again(&x->plan);
		x->at = 0;
		x->phase = ERASE_READ_PARTS;
		return ERASE_WORKS;
	}
	return read_on(x, &x->at, UINT64_MAX, collect) ? ERASE_WORKS : fail_reading(x);
}

/* --- deciding ----------------------------------------------------------------------------------
 */

static enum evidence_result
note_request(struct erasing *x, uint64_t now_us)
{
	const struct event event = {
		.type = EVENT_ERASE_REQUESTED,
		.erase_requested = { .request = x->request,
				     .operator= x->order.operator,
				     .subjects = x->plan.subject_count,
				     .parts = x->plan.part_count,
				     .operator_name = x->order.operator_name,
				     .reason = x->order.reason },
	};

	return erase_note(x->evidence, &event, now_us);
}

static enum evidence_result
note_refusals(struct erasing *x, uint64_t now_us)
{
	enum evidence_result result = EVIDENCE_OK;

	for (size_t i = 0; i < x->plan.hold_count && result == EVIDENCE_OK; i++) {
		const struct erase_hold *hold = &x->plan.holds[i];
		struct event event = { .type = EVENT_ERASE_REFUSED,
				       .erase_refused = { .request = x->request,
							  .hold = hold->hold } };
		if (hold->until_us == 0 || hold->until_us > now_us) {
			text_set(&event.erase_refused.why, "held");
			result = erase_note(x->evidence, &event, now_us);
			x->report.holds++;
		}
	}
	return result;
}

static enum erase_state
decide(struct erasing *x, uint64_t now_us)
{
	const struct erase_hold *hold = erase_plan_hold(&x->plan, now_us);
	enum evidence_result result;

	if (hold == NULL &&
	    !erase_mark(x->evidence->directory, ERASE_MARK, evidence_size(x->evidence))) {
		snprintf(x->fault, sizeof x->fault,
			 "%.300s/erasing cannot be written: see to the disk",
			 x->evidence->directory);
		return ERASE_FAILED;
	}
	result = evidence_begin(x->evidence);
	if (result == EVIDENCE_OK) {
		result = note_request(x, now_us);
	}
	if (result == EVIDENCE_OK) {
		result = hold != NULL ? note_refusals(x, now_us) : erase_drop_snapshots(x);
	}
	if (result == EVIDENCE_OK) {
		result = evidence_commit(x->evidence);
	}
	const enum erase_state state = erase_after(x, result);
	if (state != ERASE_WORKS) {
		x->report.holds = 0;
		return state;
	}
	if (hold != NULL) {
		x->report.hold = hold->hold;
		return ERASE_HELD;
	}
	log_keys_close(x->keys);
	log_reader_close(x->reader);
	x->keys = NULL;
	x->reader = NULL;
	x->at = 0;
	x->phase = ERASE_LIST;
	return ERASE_WORKS;
}

static enum erase_state
decide_at_head(struct erasing *x, uint64_t now_us)
{
	const enum erase_state state = catch_up(x);

	return state == ERASE_WORKS && x->phase == ERASE_DECIDE ? decide(x, now_us) : state;
}

/* --- listing -----------------------------------------------------------------------------------
 */

/* The handles first, then the parts. */
static struct event
list_item(const struct erasing *x, uint64_t at)
{
	if (at < x->plan.subject_count) {
		const struct id *subject = &x->plan.subjects[at];
		return (struct event){
			.type = EVENT_SUBJECT_ERASED,
			.subject_erased = { x->request, *subject,
					    keys_count_subject(x->evidence->keys, subject) },
		};
	}
	const struct erase_part *part = &x->plan.parts[at - x->plan.subject_count];
	return (struct event){ .type = EVENT_PART_ERASED,
			       .part_erased = { x->request, part->seq, part->part } };
}

static enum erase_state
list_on(struct erasing *x, uint64_t now_us)
{
	const uint64_t all = x->plan.subject_count + x->plan.part_count;
	const uint64_t to = all - x->at < LIST_AT_ONCE ? all : x->at + LIST_AT_ONCE;
	enum evidence_result result = evidence_begin(x->evidence);

	for (uint64_t at = x->at; at < to && result == EVIDENCE_OK; at++) {
		const struct event event = list_item(x, at);
		result = erase_note(x->evidence, &event, now_us);
	}
	if (result == EVIDENCE_OK) {
		result = evidence_commit(x->evidence);
	}
	if (result == EVIDENCE_OK) {
		x->at = to;
	}
	if (result == EVIDENCE_OK && to == all) {
		x->phase = ERASE_FORGET_KEYS;
		x->at = 0;
	}
	return erase_after(x, result);
}

/* --- one erasure -------------------------------------------------------------------------------
 */

static bool
reason_names_agent(const struct erase_order *order)
{
	return erase_text_names(
		(struct span){ (const uint8_t *)order->reason.bytes, order->reason.length },
		(struct span){ (const uint8_t *)order->agent.bytes, order->agent.length });
}

struct erasing *
erase_begin(struct evidence *e, const struct erase_order *order, char *fault, size_t fault_size)
{
	assert(order->agent.length > 0);
	if (order->reason.length == 0 || reason_names_agent(order)) {
		snprintf(fault, fault_size,
			 "a reason is needed, and it must not name the agent: it stays");
		return NULL;
	}
	struct erasing *x = calloc(1, sizeof *x);
	assert(x != NULL);
	x->evidence = e;
	x->order = *order;
	x->state = ERASE_WORKS;
	erase_plan_make(&x->plan, &order->agent);
	for (size_t stream = 0; stream < STREAMS; stream++) {
		if (order->ends[stream] > 0) {
			x->plan.ends[stream] = order->ends[stream];
		}
	}
	random_take(&e->random, x->request.bytes, sizeof x->request.bytes);
	if (!log_reader_open(e->directory, &x->reader, fault, fault_size) ||
	    !log_keys_open_with(x->reader, keys_wrap_key(e->keys), &x->keys, fault, fault_size)) {
		erase_end(x);
		return NULL;
	}
	log_pass_pruned(x->reader, NULL, NULL);
	return x;
}

enum erase_state
erase_step(struct erasing *x, uint64_t now_us)
{
	switch (x->phase) {
	case ERASE_READ_NAMES:
		x->state = read_names(x);
		break;
	case ERASE_READ_PARTS:
		x->state = read_parts(x);
		break;
	case ERASE_DECIDE:
		x->state = decide_at_head(x, now_us);
		break;
	case ERASE_LIST:
		x->state = list_on(x, now_us);
		break;
	case ERASE_FORGET_KEYS:
	case ERASE_DELETE_PARTS:
	case ERASE_CLEAN:
	case ERASE_FINISH:
		x->state = erase_deed_step(x, now_us);
		break;
	case ERASE_ENDED:
		break;
	}
	if (x->state != ERASE_WORKS && x->state != ERASE_WAITS) {
		x->phase = ERASE_ENDED;
	}
	return x->state;
}

struct erase_report
erase_report_of(const struct erasing *x)
{
	struct erase_report report = x->report;

	report.size = evidence_size(x->evidence);
	report.read = x->learned + (x->phase == ERASE_READ_PARTS ? x->at : 0);
	if (x->phase > ERASE_READ_PARTS) {
		report.read = 2 * report.size;
	}
	report.subjects = x->plan.subject_count;
	report.own_parts = x->plan.own_parts;
	report.other_parts = x->plan.part_count;
	report.addresses = x->plan.address_count;
	return report;
}

const char *
erase_fault(const struct erasing *x)
{
	return x->fault;
}

void
erase_end(struct erasing *x)
{
	if (x == NULL) {
		return;
	}
	log_keys_close(x->keys);
	log_reader_close(x->reader);
	erase_plan_free(&x->plan);
	seal_forget(x, sizeof *x);
	free(x);
}
