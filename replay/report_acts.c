/* What people did with the evidence, and what befell the log: each as a sentence. */
#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "replay/moment.h"
#include "replay/report_state.h"
#include "replay/words.h"

enum { NAME_SHOWN_MAX = 100 };

/* A sentence in the making: cut where it does not fit, never in the middle of a scalar that counts,
 * because only names hold such and they are cut before. */
struct sentence {
	char *text;
	size_t count;
};

static void say(struct sentence *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
say(struct sentence *s, const char *format, ...)
{
	char piece[REPORT_ACT_TEXT_MAX];
	va_list arguments;

	va_start(arguments, format);
	const int count = vsnprintf(piece, sizeof piece, format, arguments);
	va_end(arguments);
	if (count > 0 && (size_t)count < sizeof piece &&
	    s->count + (size_t)count < REPORT_ACT_TEXT_MAX) {
		memcpy(s->text + s->count, piece, (size_t)count + 1);
		s->count += (size_t)count;
	}
}

/* "by alice" and the like; nothing if the name is not shown. */
static void
say_name(struct sentence *s, const char *before, const struct name *name)
{
	char shown[NAME_SHOWN_MAX];

	if (name->length > 0) {
		say(s, "%s%s", before,
		    words_escape(shown, sizeof shown, name->bytes, name->length));
	}
}

static void
say_text(struct sentence *s, const char *before, const struct text *text)
{
	char shown[NAME_SHOWN_MAX];

	if (text->length > 0) {
		say(s, "%s%s", before,
		    words_escape(shown, sizeof shown, text->bytes, text->length));
	}
}

static void
say_hold(struct sentence *s, const struct event_hold_placed *e)
{
	char when[MOMENT_PRINT_MAX];

	say_name(s, "on ", &e->agent_name);
	if (e->agent_name.length == 0) {
		say(s, "on an agent whose name is not shown");
	}
	say_name(s, ", by ", &e->operator_name);
	if (e->until_us > 0) {
		say(s, ", until %s", moment_print(when, sizeof when, e->until_us));
	} else {
		say(s, ", until it is released");
	}
	say_name(s, ". Reason: ", &e->reason);
}

static void
say_export(struct sentence *s, const struct event_export_made *e)
{
	say(s, "entries %" PRIu64 " to before %" PRIu64 ", %" PRIu64 " of them disclosed", e->first,
	    e->end, e->events);
	say_text(s, ", profile ", &e->profile);
	say_name(s, ", for ", &e->requester);
	say_name(s, ", by ", &e->operator_name);
	say_name(s, ". Purpose: ", &e->purpose);
}

/* True if the event is an act that is told in a sentence of its own. */
static bool
say_privacy(struct sentence *s, const struct event *event)
{
	switch ((unsigned)event->type) {
	case EVENT_HOLD_PLACED:
		say_hold(s, &event->hold_placed);
		return true;
	case EVENT_HOLD_RELEASED:
		say_name(s, "by ", &event->hold_released.operator_name);
		say_name(s, ". Reason: ", &event->hold_released.reason);
		return true;
	case EVENT_ERASE_REQUESTED:
		say(s, "%" PRIu64 " handles, %" PRIu64 " parts", event->erase_requested.subjects,
		    event->erase_requested.parts);
		say_name(s, ", by ", &event->erase_requested.operator_name);
		say_name(s, ". Reason: ", &event->erase_requested.reason);
		return true;
	case EVENT_ERASE_REFUSED:
		say_text(s, "", &event->erase_refused.why);
		return true;
	case EVENT_ERASED:
		say(s,
		    "%" PRIu64 " handles, %" PRIu64 " keys and %" PRIu64 " sealed parts are gone",
		    event->erased.subjects, event->erased.keys, event->erased.parts);
		return true;
	case EVENT_MONTH_ERASED:
		say(s,
		    "keys up to month %" PRIu64 ": %" PRIu64 " keys and %" PRIu64
		    " sealed parts are gone, %" PRIu64 " kept by holds",
		    event->month_erased.month, event->month_erased.keys, event->month_erased.parts,
		    event->month_erased.kept);
		return true;
	case EVENT_LOG_PRUNED:
		say(s, "entries %" PRIu64 " to before %" PRIu64 " are gone, their hashes stay",
		    event->log_pruned.first, event->log_pruned.end);
		say_text(s, ": ", &event->log_pruned.why);
		return true;
	case EVENT_EXPORT_MADE:
		say_export(s, &event->export_made);
		return true;
	}
	return false;
}

static bool
say_care(struct sentence *s, const struct event *event)
{
	char span[MOMENT_PRINT_MAX];

	switch ((unsigned)event->type) {
	case EVENT_BACKUP_MADE:
		say(s, "of %" PRIu64 " events", event->backup_made.size);
		return true;
	case EVENT_LOG_RESTORED:
		say(s,
		    "%" PRIu64 " events from a backup, %" PRIu64
		    " from what was published, %" PRIu64 " erasures repeated",
		    event->log_restored.size, event->log_restored.published,
		    event->log_restored.erasures);
		return true;
	case EVENT_LOG_REPAIRED:
		say(s, "%" PRIu64 " entries, %" PRIu64 " parts, %" PRIu64 " tiles from a copy",
		    event->log_repaired.entries, event->log_repaired.parts,
		    event->log_repaired.tiles);
		return true;
	case EVENT_PARTS_LOST:
		say(s, "sealed parts of entries %" PRIu64 " to before %" PRIu64 " are lost",
		    event->parts_lost.first, event->parts_lost.end);
		return true;
	case EVENT_LOG_SUSPENDED:
		say_text(s, "", &event->log_suspended.why);
		return true;
	case EVENT_LOG_RESUMED:
		say_text(s, "", &event->log_resumed.why);
		return true;
	case EVENT_CLOCK_STEPPED_BACK:
		say(s, "by %s; times stood still until it had caught up",
		    moment_print_span(span, sizeof span, event->clock_stepped_back.by_us));
		return true;
	}
	return false;
}

/* LANES for what is no act. */
static enum report_lane
lane_of(const struct event *event)
{
	switch ((unsigned)event->type) {
	case EVENT_HOLD_PLACED:
	case EVENT_HOLD_RELEASED:
		return LANE_HOLDS;
	case EVENT_ERASE_REQUESTED:
	case EVENT_ERASE_REFUSED:
	case EVENT_SUBJECT_ERASED:
	case EVENT_PART_ERASED:
	case EVENT_ERASED:
	case EVENT_MONTH_ERASED:
	case EVENT_KEY_KEPT:
	case EVENT_LOG_PRUNED:
		return LANE_ERASURES;
	case EVENT_EXPORT_MADE:
		return LANE_EXPORTS;
	case EVENT_QUERY_MADE:
		return LANE_QUESTIONS;
	case EVENT_BACKUP_MADE:
	case EVENT_LOG_RESTORED:
	case EVENT_LOG_SCRUBBED:
	case EVENT_LOG_REPAIRED:
	case EVENT_PARTS_LOST:
	case EVENT_LOG_SUSPENDED:
	case EVENT_LOG_RESUMED:
	case EVENT_CLOCK_STEPPED_BACK:
		return LANE_CARE;
	}
	return LANES;
}

static void
count_erased(struct report *r, const struct event *event)
{
	if (event->type == EVENT_SUBJECT_ERASED) {
		r->subjects_erased++;
		r->keys_erased += event->subject_erased.keys;
	}
	if (event->type == EVENT_PART_ERASED) {
		r->parts_erased++;
	}
	if (event->type == EVENT_MONTH_ERASED) {
		r->keys_erased += event->month_erased.keys;
		r->parts_erased += event->month_erased.parts;
	}
}

void
report_acts_feed(struct report *r, const struct entry *entry, const struct event *event)
{
	const enum report_lane lane = lane_of(event);
	char text[REPORT_ACT_TEXT_MAX] = "";
	struct sentence sentence = { text, 0 };

	if (lane == LANES) {
		return;
	}
	r->lane_counts[lane]++;
	report_mark(r, &r->lanes[lane], r->last_us, r->last_us);
	count_erased(r, event);
	if (!say_privacy(&sentence, event) && !say_care(&sentence, event)) {
		return;
	}
	if (r->act_count == REPORT_ACTS_MAX) {
		r->acts_not_kept++;
		return;
	}
	struct report_act *act = &r->acts[r->act_count++];
	*act = (struct report_act){ entry->seq, entry->recorded_us, event->type, lane, "" };
	memcpy(act->text, text, sizeof text);
}
