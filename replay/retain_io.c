/* retain: the personal data of past months is destroyed, by hand; a witness with
 * retain.payload_days does it by itself once a day. */
#include "store/retain_io.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "actors/witness_ask_io.h"
#include "protocol/time_io.h"
#include "replay/acts_io.h"
#include "replay/commands_io.h"
#include "replay/print_io.h"
#include "store/erase_io.h"
#include "store/seal.h"

enum { USAGE = 2, WAITS_MAX = 600, RETAIN_FAULT_MAX = 768, HELD_MAX = 256 };

struct retain_work {
	const struct options *options;
	struct source *source;
	enum erase_state state;
	struct retain_report report;
	unsigned waits;
	char fault[RETAIN_FAULT_MAX];
};

static bool
say(struct retain_work *w, const char *what)
{
	snprintf(w->fault, sizeof w->fault, "%s", what);
	return false;
}

static bool
wait_on(void *context, enum erase_state state)
{
	struct retain_work *w = context;

	w->waits = state == ERASE_WAITS ? w->waits + 1 : 0;
	return w->waits < WAITS_MAX;
}

/* --- here, for a stopped cluster ---------------------------------------------------------------
 */

static bool
step_to_end(struct retain_work *w, struct evidence *evidence, uint64_t month)
{
	const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };
	struct retaining *retaining = retain_begin(evidence, month, w->fault, sizeof w->fault);

	if (retaining == NULL) {
		return false;
	}
	do {
		w->state = retain_step(retaining, time_now_us());
		if (w->state == ERASE_WAITS) {
			nanosleep(&pause, NULL);
		}
	} while ((w->state == ERASE_WORKS || w->state == ERASE_WAITS) && wait_on(w, w->state));
	w->report = retain_report_of(retaining);
	if (w->state == ERASE_FAILED) {
		say(w, retain_fault(retaining));
	}
	retain_end(retaining);
	return w->state != ERASE_FAILED;
}

static bool
run_here(struct retain_work *w)
{
	const uint64_t month = retain_month(w->options->payload_days, time_now_us());
	const struct evidence_options options = { .directory = w->options->data_dir,
						  .origin = log_reader_origin(w->source->reader),
						  .now_us = time_now_us() };
	struct evidence *evidence = NULL;

	if (w->options->payload_days == 0) {
		return say(w, "no cluster runs there: say after how many days with --payload-days");
	}
	w->state = ERASE_DONE;
	if (month == 0) {
		return true;
	}
	if (!evidence_open(&options, &evidence, w->fault, sizeof w->fault)) {
		return false;
	}
	const char *why = evidence_read_only(evidence);
	const bool ok = why == NULL ? step_to_end(w, evidence, month) : say(w, why);
	evidence_close(evidence, time_now_us());
	return ok;
}

static bool
retain_now(struct retain_work *w)
{
	switch (retain_ask(w->options->data_dir, w->options->payload_days, wait_on, w, &w->state,
			   &w->report, w->fault, sizeof w->fault)) {
	case TOLD_END:
		return w->state != ERASE_FAILED ||
		       say(w, "the witness could not finish: see its lines");
	case TOLD_NOT_RUNNING:
		return run_here(w);
	case TOLD_REFUSED:
		break;
	}
	return false;
}

/* --- what would go -----------------------------------------------------------------------------
 */

struct survey {
	uint64_t month, now_us;
	struct name held[HELD_MAX];
	struct id hold[HELD_MAX];
	size_t hold_count;
	struct erase_plan plans[HELD_MAX];
	size_t plan_count;
	struct retain_report report;
};

static bool
take_hold(void *context, const struct event *event, const struct entry *entry)
{
	struct survey *s = context;

	(void)entry;
	if (event != NULL && event->type == EVENT_HOLD_PLACED && s->hold_count < HELD_MAX &&
	    event->hold_placed.agent_name.length > 0 &&
	    (event->hold_placed.until_us == 0 || event->hold_placed.until_us > s->now_us)) {
		s->held[s->hold_count] = event->hold_placed.agent_name;
		s->hold[s->hold_count++] = event->hold_placed.hold;
	} else if (event != NULL && event->type == EVENT_HOLD_RELEASED) {
		for (size_t i = 0; i < s->hold_count; i++) {
			if (id_equal(&s->hold[i], &event->hold_released.hold)) {
				s->hold[i] = s->hold[s->hold_count - 1];
				s->held[i--] = s->held[--s->hold_count];
			}
		}
	}
	return true;
}

static bool
is_held(const struct survey *s, const struct id *subject, uint64_t month)
{
	for (size_t i = 0; i < s->plan_count; i++) {
		const struct erase_plan *plan = &s->plans[i];
		if (erase_plan_has(plan, subject)) {
			return true;
		}
		for (size_t at = 0; at < plan->part_count; at++) {
			if (plan->parts[at].month == month &&
			    id_equal(&plan->parts[at].subject, subject)) {
				return true;
			}
		}
	}
	return false;
}

static bool
count_row(void *context, const struct log_row *row)
{
	struct survey *s = context;
	struct entry entry;
	const uint64_t month = seal_month(row->recorded_us);

	if (month > s->month || !entry_read(row->entry, &entry)) {
		return month <= s->month;
	}
	for (uint32_t part = 0; part < entry.parts; part++) {
		if (row->body[part].count > 0) {
			const bool held = is_held(s, &entry.part[part].subject, month);
			s->report.parts += held ? 0 : 1;
			s->report.kept += held ? 1 : 0;
		}
	}
	return true;
}

static bool
survey_log(struct survey *s, struct source *source)
{
	bool ok = log_read_events(source->reader, source->keys, 0, UINT64_MAX,
				  LOG_STREAM(STREAM_WITNESS), take_hold, s);

	for (size_t i = 0; i < s->hold_count && ok; i++) {
		erase_plan_make(&s->plans[i], &s->held[i]);
		s->plan_count++;
		ok = erase_survey(source->reader, source->keys, &s->plans[i]);
	}
	s->report.holds = s->hold_count;
	return ok && log_read_rows(source->reader, 0, UINT64_MAX, count_row, s);
}

static int
dry_run(const struct options *options, struct source *source)
{
	struct survey *s = calloc(1, sizeof *s);
	bool ok = true;

	assert(s != NULL);
	s->now_us = time_now_us();
	s->month = retain_month(options->payload_days, s->now_us);
	if (s->month > 0) {
		ok = survey_log(s, source);
	}
	if (ok && options->json) {
		print_json(json_pack("{s:s, s:I, s:I, s:I, s:I}", "kind", "retain_dry_run", "month",
				     (json_int_t)s->month, "parts", (json_int_t)s->report.parts,
				     "kept", (json_int_t)s->report.kept, "holds",
				     (json_int_t)s->report.holds));
	} else if (ok) {
		printf("past          all months up to %" PRIu64 "\n"
		       "would go      %" PRIu64 " sealed parts and their keys\n"
		       "kept          %" PRIu64 " sealed parts, by %" PRIu64 " holds\n"
		       "nothing was destroyed\n",
		       s->month, s->report.parts, s->report.kept, s->report.holds);
	}
	for (size_t i = 0; i < s->plan_count; i++) {
		erase_plan_free(&s->plans[i]);
	}
	free(s);
	return ok ? 0 : source_failed(source);
}

static int
print_done(const struct retain_work *w)
{
	const struct retain_report *report = &w->report;

	if (w->options->json) {
		print_json(json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "kind", "retained", "month",
				     (json_int_t)report->month, "keys", (json_int_t)report->keys,
				     "parts", (json_int_t)report->parts, "kept",
				     (json_int_t)report->kept, "holds", (json_int_t)report->holds));
	} else if (report->keys + report->parts == 0) {
		printf("nothing       is past that was not destroyed before or is held\n");
	} else {
		printf("past          all months up to %" PRIu64 "\n"
		       "destroyed     %" PRIu64 " keys, %" PRIu64 " sealed parts\n"
		       "kept          %" PRIu64 " keys, by %" PRIu64 " holds\n",
		       report->month, report->keys, report->parts, report->kept, report->holds);
	}
	return 0;
}

int
retain_command(const struct options *options, struct source *source)
{
	struct retain_work w = { .options = options, .source = source };
	int code = 1;

	if (options->dry_run && options->payload_days == 0) {
		fprintf(stderr, "ifreplay: retain: --dry-run needs --payload-days N\n");
		return USAGE;
	}
	if (options->dry_run) {
		acts_query(options, source);
		code = dry_run(options, source);
	} else if (!retain_now(&w)) {
		fprintf(stderr, "ifreplay: retain: %s\n", w.fault);
	} else if (w.state == ERASE_DONE) {
		code = print_done(&w);
	} else {
		fprintf(stderr,
			"ifreplay: retain: a program that reads the log keeps old pages: end "
			"it; the retention then ends by itself\n");
	}
	return print_flush() ? code : 1;
}
