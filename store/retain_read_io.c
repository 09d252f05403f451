/* What a retention keeps: the log is read for the holds that stand, and once more for each of their
 * agents. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocol/time_io.h"
#include "store/retain_inside_io.h"
#include "store/seal.h"

enum { READ_AT_ONCE = 64, READ_US = 20 * 1000 };

static enum erase_state
fail_reading(struct retaining *r)
{
	snprintf(r->fault, sizeof r->fault, "%s", log_reader_fault(r->reader));
	return ERASE_FAILED;
}

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
			kept_add(&r->kept, &(struct kept_key){ entry->part[part].subject, month },
				 &r->holds[r->hold_at].id);
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

enum erase_state
retain_read_holds(struct retaining *r, uint64_t now_us)
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

enum erase_state
retain_read_names(struct retaining *r)
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

enum erase_state
retain_read_parts(struct retaining *r)
{
	if (!read_on(r, r->end, LOG_STREAMS_ALL, collect)) {
		return fail_reading(r);
	}
	if (r->at == r->end) {
		for (size_t i = 0; i < r->plan.part_count; i++) {
			kept_add(&r->kept,
				 &(struct kept_key){ r->plan.parts[i].subject,
						     r->plan.parts[i].month },
				 &r->holds[r->hold_at].id);
		}
		r->hold_at++;
		next_hold(r);
	}
	return ERASE_WORKS;
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

enum erase_state
retain_check_holds(struct retaining *r)
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
		r->hold_count = r->hold_at = r->kept.count = 0;
		r->report.parts = 0;
		r->at = 0;
		r->phase = READ_HOLDS;
	}
	return ERASE_WORKS;
}
