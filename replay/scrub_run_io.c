#include "replay/scrub_run_io.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "actors/act_io.h"
#include "protocol/log_line_io.h"
#include "protocol/time_io.h"
#include "replay/acts_io.h"
#include "replay/print_io.h"

enum {
	FINDINGS_LOGGED_MAX = 16, /* events about blocks in one run: a ruined log fills no log */
	LINES_MAX = 32,           /* of findings, beside a cluster */
};

bool
scrub_is_beside(const struct scrub *s)
{
	return s->options->if_older > 0;
}

bool
scrub_holds(const struct scrub *s)
{
	return s->findings == 0 && (!s->has_ended || s->state.ended_findings == 0);
}

/* --- telling -----------------------------------------------------------------------------------
 */

static const char next_step[] =
	"ifreplay doctor, then ifreplay repair --from COPY with the cluster stopped";

static void
say_finding(const struct scrub *s, const struct finding *finding)
{
	struct paper paper;
	char seqs[64];

	snprintf(seqs, sizeof seqs, "seq %" PRIu64 " to %" PRIu64, s->first, s->end - 1);
	if (s->options->json) {
		print_json(json_pack("{s:s, s:s, s:s, s:I, s:I, s:s, s:s, s:s}", "kind", "break",
				     "what", finding->what, "where", finding->where, "first",
				     (json_int_t)s->first, "last", (json_int_t)s->end - 1,
				     "expected", finding->expected, "found", finding->found, "todo",
				     next_step));
		return;
	}
	paper_clear(&paper);
	paper_add(&paper,
		  "BREAK  %s\n  where     %s (looked at: %s)\n  expected  %s\n  found     %s\n"
		  "  do        %s\n\n",
		  finding->what, finding->where, seqs, finding->expected, finding->found,
		  next_step);
	print_paper(&paper);
}

static void
report(void *context, const struct finding *finding)
{
	struct scrub *s = context;

	s->findings++;
	if (!scrub_is_beside(s)) {
		say_finding(s, finding);
	} else if (s->findings <= LINES_MAX) {
		log_error("%s: %s: expected %s, found %s: %s", finding->where, finding->what,
			  finding->expected, finding->found, next_step);
	}
}

/* An act on the log like any other. Beside a cluster its witness alone writes. */
static bool
log_scrubbed(struct scrub *s, uint64_t first, uint64_t end, uint64_t findings)
{
	const struct event event = { .type = EVENT_LOG_SCRUBBED,
				     .log_scrubbed = { first, end, findings } };
	const char *data = s->options->data_dir;
	char fault[ACTS_FAULT_MAX] = "no cluster runs";

	if (scrub_is_beside(s)) {
		if (act_log(data, &event, fault, sizeof fault) == ACT_LOGGED) {
			return true;
		}
		log_warning("what was looked at cannot be logged: %s", fault);
	} else {
		switch (acts_record(data, scrubber_origin(s->scrubber), &event, fault)) {
		case ACTS_RECORDED:
		case ACTS_COPY: /* nobody can log anything there */
			return true;
		case ACTS_FAILED:
			fprintf(stderr, "ifreplay: this cannot be logged: %s\n", fault);
			break;
		}
	}
	s->is_unlogged = true;
	return false;
}

/* --- one block, one round ----------------------------------------------------------------------
 */

void
scrub_keep_place(struct scrub *s)
{
	if (scrub_save(s->options->data_dir, &s->state) || !s->is_kept) {
		return;
	}
	s->is_kept = false;
	fprintf(stderr,
		"ifreplay: %s/scrub/state cannot be written (%s): the next run begins where this "
		"one began\n",
		s->options->data_dir, strerror(errno));
}

/* A place that the log does not reach is of another log. */
void
scrub_load_place(struct scrub *s)
{
	scrub_load(s->options->data_dir, &s->state);
	if (s->state.end > scrubber_size(s->scrubber)) {
		s->state = (struct scrub_state){ 0 };
	}
}

void
scrub_begin_round(struct scrub *s)
{
	s->state.next = 0;
	s->state.end = scrubber_size(s->scrubber);
	s->state.began_s = time_now_us() / 1000000;
	s->state.findings = 0;
	s->state.tries = 0;
}

void
scrub_end_round(struct scrub *s)
{
	s->first = 0;
	s->end = s->state.end;
	const uint64_t findings = s->state.findings + scrubber_rest(s->scrubber, s->end, report, s);
	if (!log_scrubbed(s, 0, s->end, findings) && scrub_is_beside(s)) {
		return;
	}
	s->has_ended = true;
	s->state.ended_s = time_now_us() / 1000000;
	s->state.ended_size = s->end;
	s->state.ended_findings = findings;
	s->state.next = 0;
	s->state.end = 0;
	s->state.findings = 0;
}

static void
choose_block(struct scrub *s)
{
	const uint64_t left = s->state.end - s->state.next;

	s->first = s->state.next;
	s->end = s->first + (left < SCRUB_BLOCK ? left : SCRUB_BLOCK);
}

static void
pass_block(struct scrub *s, uint64_t found)
{
	s->state.findings += found;
	s->state.next = s->end;
	s->state.tries = 0;
	s->looked += s->end - s->first;
	scrub_keep_place(s);
	if (found > 0 && s->logged < FINDINGS_LOGGED_MAX) {
		s->logged += log_scrubbed(s, s->first, s->end, found);
	}
}

void
scrub_look_at_block(struct scrub *s)
{
	choose_block(s);
	pass_block(s, scrubber_block(s->scrubber, s->first, s->end, report, s));
}

/* Right before the first block: a run that ends there without a word, again and again, was ended
 * by what lies there. */
void
scrub_begin_run(struct scrub *s)
{
	static const struct finding finding = {
		.what = "a block ends the program that looks at it",
		.where = "witness.db",
		.expected = "a file that SQLite reads to the end",
		.found = "one that brings it down",
	};

	if (++s->state.tries > SCRUB_TRIES_MAX && s->state.next < s->state.end) {
		choose_block(s);
		report(s, &finding);
		pass_block(s, 1);
	}
	scrub_keep_place(s);
}
