/* retain: the personal data of past months is destroyed, and entries of old ones are pruned, by
 * hand; a witness with retain.payload_days and retain.envelope_months does it by itself once a day.
 */
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
#include "store/prune_io.h"
#include "store/prune_survey_io.h"
#include "store/seal.h"

enum { USAGE = 2, WAITS_MAX = 600, RETAIN_FAULT_MAX = 768 };

struct retain_work {
	const struct options *options;
	struct source *source;
	enum erase_state state;
	struct retain_result result;
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

static void
pause_if_it_waits(enum erase_state state)
{
	const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };

	if (state == ERASE_WAITS) {
		nanosleep(&pause, NULL);
	}
}

static bool
goes_on(struct retain_work *w)
{
	return (w->state == ERASE_WORKS || w->state == ERASE_WAITS) && wait_on(w, w->state);
}

static bool
retain_to_end(struct retain_work *w, struct evidence *evidence, uint64_t month)
{
	struct retaining *retaining = retain_begin(evidence, month, w->fault, sizeof w->fault);

	if (retaining == NULL) {
		return false;
	}
	do {
		w->state = retain_step(retaining, time_now_us());
		pause_if_it_waits(w->state);
	} while (goes_on(w));
	w->result.payload = retain_report_of(retaining);
	if (w->state == ERASE_FAILED) {
		say(w, retain_fault(retaining));
	}
	retain_end(retaining);
	return w->state != ERASE_FAILED;
}

static bool
prune_to_end(struct retain_work *w, struct evidence *evidence, uint64_t month)
{
	struct pruning *pruning = prune_begin(evidence, month, w->fault, sizeof w->fault);

	if (pruning == NULL) {
		return false;
	}
	do {
		w->state = prune_step(pruning, time_now_us());
		pause_if_it_waits(w->state);
	} while (goes_on(w));
	w->result.envelope = prune_report_now(pruning);
	if (w->state == ERASE_FAILED) {
		say(w, prune_fault(pruning));
	}
	prune_end(pruning);
	return w->state != ERASE_FAILED;
}

static bool
do_both(struct retain_work *w, struct evidence *evidence, uint64_t past, uint64_t old)
{
	const char *why = evidence_read_only(evidence);

	if (why != NULL) {
		return say(w, why);
	}
	if (past > 0 && !retain_to_end(w, evidence, past)) {
		return false;
	}
	return old == 0 || w->state != ERASE_DONE || prune_to_end(w, evidence, old);
}

static bool
run_here(struct retain_work *w)
{
	const struct options *o = w->options;
	const uint64_t past = retain_month(o->payload_days, time_now_us());
	const uint64_t old = prune_month(o->envelope_months, time_now_us());
	const struct evidence_options options = { .directory = o->data_dir,
						  .origin = log_reader_origin(w->source->reader),
						  .now_us = time_now_us() };
	struct evidence *evidence = NULL;

	if (o->payload_days + o->envelope_months == 0) {
		return say(w, "no cluster runs there: say after how many days with --payload-days, "
			      "or months with --envelope-months");
	}
	w->state = ERASE_DONE;
	if (past + old == 0) {
		return true;
	}
	if (!evidence_open(&options, &evidence, w->fault, sizeof w->fault)) {
		return false;
	}
	const bool ok = do_both(w, evidence, past, old);
	evidence_close(evidence, time_now_us());
	return ok;
}

static bool
retain_now(struct retain_work *w)
{
	const struct retain_order order = { w->options->payload_days, w->options->envelope_months };

	switch (retain_ask(w->options->data_dir, &order, wait_on, w, &w->state, &w->result,
			   w->fault, sizeof w->fault)) {
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
	struct hold {
		struct name agent;
		struct id id;
	} * holds; /* that stand; as many as there are */
	size_t hold_count, hold_room;
	struct erase_plan *plans;
	size_t plan_count;
	struct retain_report report;
};

static void
add_hold(struct survey *s, const struct event_hold_placed *placed)
{
	if (s->hold_count == s->hold_room) {
		s->hold_room = s->hold_room == 0 ? 64 : 2 * s->hold_room;
		s->holds = reallocarray(s->holds, s->hold_room, sizeof *s->holds);
		assert(s->holds != NULL);
	}
	s->holds[s->hold_count++] = (struct hold){ placed->agent_name, placed->hold };
}

static bool
take_hold(void *context, const struct event *event, const struct entry *entry)
{
	struct survey *s = context;

	(void)entry;
	if (event != NULL && event->type == EVENT_HOLD_PLACED &&
	    event->hold_placed.agent_name.length > 0 &&
	    (event->hold_placed.until_us == 0 || event->hold_placed.until_us > s->now_us)) {
		add_hold(s, &event->hold_placed);
	} else if (event != NULL && event->type == EVENT_HOLD_RELEASED) {
		for (size_t i = 0; i < s->hold_count; i++) {
			if (id_equal(&s->holds[i].id, &event->hold_released.hold)) {
				s->holds[i--] = s->holds[--s->hold_count];
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

	s->plans = calloc(s->hold_count + 1, sizeof *s->plans);
	assert(s->plans != NULL);
	for (size_t i = 0; i < s->hold_count && ok; i++) {
		erase_plan_make(&s->plans[i], &s->holds[i].agent);
		s->plan_count++;
		ok = erase_survey(source->reader, source->keys, &s->plans[i]);
	}
	s->report.holds = s->hold_count;
	return ok && log_read_rows(source->reader, 0, UINT64_MAX, count_row, s);
}

/* What pruning would find now: what retention would free first still counts as sealed. */
static bool
survey_envelope(struct source *source, uint64_t month, struct prune_report *report)
{
	static struct prune_range ranges[PRUNE_RANGES_MAX];
	struct prune_survey *survey;
	bool done = false;

	if (month == 0) {
		return true;
	}
	if (!prune_survey_begin(source->reader, source->keys, month, &survey)) {
		return false;
	}
	bool ok = true;
	while (ok && !done) {
		ok = prune_survey_step(survey, &done);
	}
	if (ok) {
		prune_survey_ranges(survey, ranges, report);
	}
	prune_survey_end(survey);
	return ok;
}

static bool
is_worth_telling(const struct prune_report *report, size_t why)
{
	return why != PRUNE_GOES && why != PRUNE_YOUNG && report->stays[why] > 0;
}

static json_t *
stays_json(const struct prune_report *report)
{
	json_t *stays = json_array();

	for (size_t why = 0; why < PRUNE_WHYS; why++) {
		if (is_worth_telling(report, why)) {
			json_array_append_new(stays,
					      json_pack("{s:I, s:s}", "segments",
							(json_int_t)report->stays[why], "why",
							prune_why_text((enum prune_why)why)));
		}
	}
	return stays;
}

static void
print_envelope_survey(const struct prune_report *report)
{
	if (report->month == 0) {
		return;
	}
	printf("old           all months up to %" PRIu64 "\n"
	       "would go      %" PRIu64 " entries in %" PRIu64 " ranges\n",
	       report->month, report->entries, report->ranges);
	for (size_t why = 0; why < PRUNE_WHYS; why++) {
		if (is_worth_telling(report, why)) {
			printf("stays         %" PRIu64 " segments of 256: %s\n",
			       report->stays[why], prune_why_text((enum prune_why)why));
		}
	}
}

static void
print_survey(const struct options *options, const struct survey *s,
	     const struct prune_report *envelope)
{
	if (options->json) {
		print_json(json_pack(
			"{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "kind", "retain_dry_run",
			"month", (json_int_t)s->month, "parts", (json_int_t)s->report.parts, "kept",
			(json_int_t)s->report.kept, "holds", (json_int_t)s->report.holds,
			"pruned_month", (json_int_t)envelope->month, "pruned_ranges",
			(json_int_t)envelope->ranges, "pruned_entries",
			(json_int_t)envelope->entries, "stays", stays_json(envelope)));
		return;
	}
	if (options->payload_days > 0) {
		printf("past          all months up to %" PRIu64 "\n"
		       "would go      %" PRIu64 " sealed parts and their keys\n"
		       "kept          %" PRIu64 " sealed parts, by %" PRIu64 " holds\n",
		       s->month, s->report.parts, s->report.kept, s->report.holds);
	}
	print_envelope_survey(envelope);
	printf("nothing was destroyed\n");
}

static int
dry_run(const struct options *options, struct source *source)
{
	struct survey *s = calloc(1, sizeof *s);
	struct prune_report envelope = { 0 };

	assert(s != NULL);
	s->now_us = time_now_us();
	s->month = retain_month(options->payload_days, s->now_us);
	const bool ok = (s->month == 0 || survey_log(s, source)) &&
			survey_envelope(source, prune_month(options->envelope_months, s->now_us),
					&envelope);
	if (ok) {
		print_survey(options, s, &envelope);
	}
	for (size_t i = 0; i < s->plan_count; i++) {
		erase_plan_free(&s->plans[i]);
	}
	free(s->plans);
	free(s->holds);
	free(s);
	return ok ? 0 : source_failed(source);
}

static int
print_done(const struct retain_work *w)
{
	const struct retain_report *report = &w->result.payload;
	const struct prune_report *envelope = &w->result.envelope;
	const bool has_destroyed = report->keys + report->parts > 0;

	if (w->options->json) {
		print_json(json_pack(
			"{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "kind", "retained",
			"month", (json_int_t)report->month, "keys", (json_int_t)report->keys,
			"parts", (json_int_t)report->parts, "kept", (json_int_t)report->kept,
			"holds", (json_int_t)report->holds, "pruned_month",
			(json_int_t)envelope->month, "pruned_ranges", (json_int_t)envelope->ranges,
			"pruned_entries", (json_int_t)envelope->entries));
		return 0;
	}
	if (has_destroyed) {
		printf("past          all months up to %" PRIu64 "\n"
		       "destroyed     %" PRIu64 " keys, %" PRIu64 " sealed parts\n"
		       "kept          %" PRIu64 " keys, by %" PRIu64 " holds\n",
		       report->month, report->keys, report->parts, report->kept, report->holds);
	}
	if (envelope->entries > 0) {
		printf("old           all months up to %" PRIu64 "\n"
		       "pruned        %" PRIu64 " entries in %" PRIu64
		       " ranges; their tiles and every proof stay\n",
		       envelope->month, envelope->entries, envelope->ranges);
	}
	if (!has_destroyed && envelope->entries == 0) {
		printf("nothing       is past that was not destroyed before, is held or still "
		       "needed\n");
	}
	return 0;
}

int
retain_command(const struct options *options, struct source *source)
{
	struct retain_work w = { .options = options, .source = source };
	int code = 1;

	if (options->dry_run && options->payload_days + options->envelope_months == 0) {
		fprintf(stderr, "ifreplay: retain: --dry-run needs --payload-days N or "
				"--envelope-months N\n");
		return USAGE;
	}
	source_pass_silently(source);
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
