/* erase: an agent goes out of the evidence. A running cluster expels it first, and its witness does
 * the work; for a stopped one ifreplay is the writer for that while. */
#include "store/erase_io.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "actors/expel_io.h"
#include "actors/witness_ask_io.h"
#include "protocol/time_io.h"
#include "replay/acts_io.h"
#include "replay/commands_io.h"
#include "replay/print_io.h"
#include "replay/words.h"

enum { USAGE = 2, WAITS_MAX = 600, ERASE_FAULT_MAX = 768, NAME_SHOWN_MAX = 4 * NAME_BYTES_MAX + 1 };

struct erase_work {
	const struct options *options;
	struct source *source;
	struct erase_order order;
	struct erase_plan plan; /* as the log is before */
	uint64_t ended;         /* registrations and allocations */
	enum erase_state state;
	struct erase_report report;
	unsigned waits;
	char fault[ERASE_FAULT_MAX];
};

static int
fail(const struct erase_work *w)
{
	fprintf(stderr, "ifreplay: erase: %s\n", w->fault);
	return 1;
}

static bool
say(struct erase_work *w, const char *what)
{
	snprintf(w->fault, sizeof w->fault, "%s", what);
	return false;
}

/* --- what is asked for -------------------------------------------------------------------------
 */

static bool
take_words(struct erase_work *w)
{
	const char *agent = w->options->agent, *reason = w->options->reason;

	if (agent == NULL || !name_set(&w->order.agent, agent, strlen(agent)) ||
	    !name_is_wellformed(&w->order.agent)) {
		return say(w, "--agent NAME is missing, or no agent can have that name");
	}
	if (w->options->dry_run) {
		return true;
	}
	if (reason == NULL || !name_set(&w->order.reason, reason, strlen(reason)) ||
	    !name_is_wellformed(&w->order.reason)) {
		return say(w, "--reason TEXT is missing, or longer than 256 bytes");
	}
	if (erase_text_names((struct span){ (const uint8_t *)reason, strlen(reason) },
			     (struct span){ (const uint8_t *)agent, strlen(agent) })) {
		return say(w, "the reason names the agent: it is kept, so say it without");
	}
	return true;
}

static bool
read_plan(struct erase_work *w)
{
	erase_plan_make(&w->plan, &w->order.agent);
	if (w->source->keys == NULL) {
		return say(
			w,
			"without the keys nobody can be found: name the log's own data directory");
	}
	return erase_survey(w->source->reader, w->source->keys, &w->plan) ||
	       say(w, log_reader_fault(w->source->reader));
}

/* --- the deed ----------------------------------------------------------------------------------
 */

static bool
wait_on(void *context, enum erase_state state, const struct erase_report *report)
{
	struct erase_work *w = context;

	print_progress("events read", report->read, 2 * report->size);
	w->waits = state == ERASE_WAITS ? w->waits + 1 : 0;
	return w->waits < WAITS_MAX;
}

static bool
run_here(struct erase_work *w)
{
	const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };
	const struct evidence_options options = { .directory = w->options->data_dir,
						  .origin = log_reader_origin(w->source->reader),
						  .now_us = time_now_us() };
	struct evidence *evidence = NULL;
	struct erasing *erasing = NULL;

	if (!evidence_open(&options, &evidence, w->fault, sizeof w->fault)) {
		return false;
	}
	if (evidence_read_only(evidence) != NULL) {
		say(w, evidence_read_only(evidence));
	} else {
		erasing = erase_begin(evidence, &w->order, w->fault, sizeof w->fault);
	}
	w->state = ERASE_WORKS;
	do {
		w->state = erasing == NULL ? ERASE_FAILED : erase_step(erasing, time_now_us());
		w->report = erasing == NULL ? w->report : erase_report_of(erasing);
		if (w->state == ERASE_WAITS) {
			nanosleep(&pause, NULL);
		}
	} while ((w->state == ERASE_WORKS || w->state == ERASE_WAITS) &&
		 wait_on(w, w->state, &w->report));
	if (erasing != NULL && w->state == ERASE_FAILED) {
		say(w, erase_fault(erasing));
	}
	erase_end(erasing);
	evidence_close(evidence, time_now_us());
	return w->state != ERASE_FAILED;
}

/* Whoever is kept by a hold is not disturbed: the request and its refusal are logged all the same.
 */
static bool
expel(struct erase_work *w)
{
	struct expel_done done = { 0 };

	if (erase_plan_hold(&w->plan, time_now_us()) != NULL) {
		return true;
	}
	switch (expel_agent(w->options->data_dir, w->options->agent, &done, w->fault,
			    sizeof w->fault)) {
	case EXPEL_DONE:
		w->ended = done.session.ended + done.allocation.ended;
		w->order.ends[STREAM_SESSION] = done.session.size;
		w->order.ends[STREAM_CLAIMED] = done.session.size;
		w->order.ends[STREAM_ALLOCATION] = done.allocation.size;
		return true;
	case EXPEL_NOT_RUNNING:
		return true;
	case EXPEL_FAILED:
		break;
	}
	return false;
}

static bool
erase_now(struct erase_work *w)
{
	acts_operator(w->source, &w->order.operator, & w->order.operator_name);
	if (!expel(w)) {
		return false;
	}
	switch (erase_ask(w->options->data_dir, &w->order, wait_on, w, &w->state, &w->report,
			  w->fault, sizeof w->fault)) {
	case TOLD_END:
		return w->state != ERASE_FAILED ||
		       say(w, "the witness could not finish: see its lines; what it listed is "
			      "carried through at its next start");
	case TOLD_NOT_RUNNING:
		return run_here(w);
	case TOLD_REFUSED:
		break;
	}
	return false;
}

/* --- what is said of it ------------------------------------------------------------------------
 */

static const char *
hex(char out[33], const struct id *id)
{
	hex_write(out, id->bytes, sizeof id->bytes);
	return out;
}

static json_t *
holds_json(const struct erase_plan *plan)
{
	json_t *holds = json_array();
	char digits[33];

	for (size_t i = 0; i < plan->hold_count; i++) {
		if (plan->holds[i].until_us == 0 || plan->holds[i].until_us > time_now_us()) {
			json_array_append_new(holds,
					      json_string(hex(digits, &plan->holds[i].hold)));
		}
	}
	return holds;
}

static void
print_holds(const struct erase_plan *plan)
{
	char digits[33];

	for (size_t i = 0; i < plan->hold_count; i++) {
		if (plan->holds[i].until_us == 0 || plan->holds[i].until_us > time_now_us()) {
			printf("held by       %s: see ifreplay holds\n",
			       hex(digits, &plan->holds[i].hold));
		}
	}
}

static int
print_dry_run(const struct erase_work *w)
{
	const struct erase_plan *plan = &w->plan;
	const bool is_held = erase_plan_hold(plan, time_now_us()) != NULL;
	char shown[NAME_SHOWN_MAX], digits[33];

	if (w->options->json) {
		json_t *handles = json_array();
		for (size_t i = 0; i < plan->subject_count; i++) {
			json_array_append_new(handles,
					      json_string(hex(digits, &plan->subjects[i])));
		}
		print_json(json_pack("{s:s, s:o, s:I, s:I, s:I, s:o}", "kind", "erase_dry_run",
				     "handles", handles, "own_parts", (json_int_t)plan->own_parts,
				     "other_parts", (json_int_t)plan->part_count, "addresses",
				     (json_int_t)plan->address_count, "holds", holds_json(plan)));
		return is_held ? 1 : 0;
	}
	printf("would go      %s\n",
	       words_escape(shown, sizeof shown, w->options->agent, strlen(w->options->agent)));
	for (size_t i = 0; i < plan->subject_count; i++) {
		printf("handle        %s\n", hex(digits, &plan->subjects[i]));
	}
	printf("parts         %" PRIu64 " under these handles, %zu under others' that name it\n"
	       "addresses     %zu that were its own\n",
	       plan->own_parts, plan->part_count, plan->address_count);
	print_holds(plan);
	printf("nothing was erased\n");
	return is_held ? 1 : 0;
}

static int
print_held(const struct erase_work *w)
{
	if (w->options->json) {
		print_json(json_pack("{s:s, s:o}", "kind", "erase_refused", "holds",
				     holds_json(&w->plan)));
		return 1;
	}
	printf("refused       a hold keeps this agent; request and refusal are logged\n");
	print_holds(&w->plan);
	return 1;
}

static int
print_waiting(const struct erase_work *w)
{
	fprintf(stderr,
		"ifreplay: erase: keys and parts are gone, but a program that reads the log keeps "
		"old pages: end it (ifreplay follow?); the erasure then ends by itself%s\n",
		w->options->json ? "" : ", at the latest at the next start");
	return 1;
}

static int
print_done(const struct erase_work *w)
{
	const struct erase_report *report = &w->report;

	if (w->options->json) {
		print_json(json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "kind", "erased",
				     "ended", (json_int_t)w->ended, "handles",
				     (json_int_t)report->subjects, "keys", (json_int_t)report->keys,
				     "own_parts", (json_int_t)report->own_parts, "other_parts",
				     (json_int_t)report->other_parts, "addresses",
				     (json_int_t)report->addresses));
		return 0;
	}
	if (report->subjects + report->other_parts == 0) {
		printf("nothing       the log knows nobody of that name; the request is logged\n");
		return 0;
	}
	printf("ended         %" PRIu64 " registrations and relays that were live\n"
	       "erased        %" PRIu64 " handles, %" PRIu64 " keys destroyed\n"
	       "deleted       %" PRIu64 " sealed parts under them, %" PRIu64
	       " under others' that named it\n"
	       "proofs        hold as before: ifreplay verify\n"
	       "not reached   copies of keys.db elsewhere, and exports that were handed out\n",
	       w->ended, report->subjects, report->keys, report->own_parts, report->other_parts);
	return 0;
}

static int
print_end(const struct erase_work *w)
{
	switch (w->state) {
	case ERASE_DONE:
		return print_done(w);
	case ERASE_HELD:
		return print_held(w);
	case ERASE_WAITS:
	case ERASE_WORKS:
		return print_waiting(w);
	case ERASE_FAILED:
		break;
	}
	return fail(w);
}

int
erase_command(const struct options *options, struct source *source)
{
	struct erase_work w = { .options = options, .source = source };
	int code = 1;

	if (!take_words(&w)) {
		return fail(&w), USAGE;
	}
	if (options->dry_run) {
		acts_query(options, source);
	}
	const bool read = read_plan(&w);
	if (read && options->dry_run) {
		code = print_dry_run(&w);
	} else if (read && erase_now(&w)) {
		print_progress_end();
		code = print_end(&w);
	} else {
		print_progress_end();
		code = fail(&w);
	}
	erase_plan_free(&w.plan);
	return print_flush() ? code : 1;
}
