/* scrub: reads the log again, some blocks in each run, and goes on where the last run ended.
 *
 * Two manners. By hand it looks at --limit entries (or, with --all, at a whole round), tells every
 * finding, and holds the lock meanwhile. With --if-older, as the supervisor of a running cluster
 * starts it, it goes to the end of the round, resting after each block, in a sandbox, and speaks as
 * the cluster's processes do. Both at idle priority: the disk and the processor are others'. */
#include <errno.h>
#include <inttypes.h>
#include <linux/ioprio.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "actors/act_io.h"
#include "actors/sandbox_io.h"
#include "protocol/log_line_io.h"
#include "protocol/time_io.h"
#include "replay/acts_io.h"
#include "replay/commands_io.h"
#include "replay/print_io.h"
#include "replay/scrubber_io.h"
#include "store/files_io.h"
#include "store/scrub_io.h"

enum {
	RUN_ENTRIES = 65536,
	FINDINGS_LOGGED_MAX = 16, /* events about blocks in one run: a ruined log fills no log */
	LINES_MAX = 32,           /* of findings, beside a cluster */
	LOCK_WAIT_MS = 100,
	LOCK_WAITS_MAX = 100, /* ten seconds */
	BLOCK_WAIT_MS = 1000,
};

struct scrub {
	const struct options *options;
	struct scrubber *scrubber;
	struct scrub_state state;
	uint64_t first, end; /* of the block at hand */
	uint64_t looked;     /* entries, in this run */
	uint64_t findings;   /* in this run */
	uint64_t logged;     /* events about blocks */
	bool has_ended;      /* a round, in this run */
	bool is_unlogged;    /* an event could not be written */
	bool is_kept;        /* the place could be written down */
};

static volatile sig_atomic_t is_over;

static void
end_in_order(int signal)
{
	(void)signal;
	is_over = 1;
}

static void
take_signals(void)
{
	struct sigaction end = { .sa_handler = end_in_order };

	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGINT, &end, NULL);
}

static bool
is_beside(const struct scrub *s)
{
	return s->options->if_older > 0;
}

/* Where one of them is refused, the others still hold. */
static void
become_idle(void)
{
	const struct sched_param none = { 0 };

	setpriority(PRIO_PROCESS, 0, 19);
	sched_setscheduler(0, SCHED_IDLE, &none);
	syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0));
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
	if (!is_beside(s)) {
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

	if (is_beside(s)) {
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

static void
keep_place(struct scrub *s)
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
static void
load_place(struct scrub *s)
{
	scrub_load(s->options->data_dir, &s->state);
	if (s->state.end > scrubber_size(s->scrubber)) {
		s->state = (struct scrub_state){ 0 };
	}
}

static void
begin_round(struct scrub *s)
{
	s->state.next = 0;
	s->state.end = scrubber_size(s->scrubber);
	s->state.began_s = time_now_us() / 1000000;
	s->state.findings = 0;
	s->state.tries = 0;
}

/* Beside a cluster that cannot log it now, the round stays at its end for the next run. */
static void
end_round(struct scrub *s)
{
	s->first = 0;
	s->end = s->state.end;
	const uint64_t findings = s->state.findings + scrubber_rest(s->scrubber, s->end, report, s);
	if (!log_scrubbed(s, 0, s->end, findings) && is_beside(s)) {
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
	keep_place(s);
	if (found > 0 && s->logged < FINDINGS_LOGGED_MAX) {
		s->logged += log_scrubbed(s, s->first, s->end, found);
	}
}

static void
look_at_block(struct scrub *s)
{
	choose_block(s);
	pass_block(s, scrubber_block(s->scrubber, s->first, s->end, report, s));
}

/* Right before the first block: a run that ends there without a word, again and again, was ended
 * by what lies there. */
static void
begin_run(struct scrub *s)
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
	keep_place(s);
}

/* --- by hand -----------------------------------------------------------------------------------
 */

/* A run that ends a round answers for all of it. */
static bool
holds(const struct scrub *s)
{
	return s->findings == 0 && (!s->has_ended || s->state.ended_findings == 0);
}

static void
print_summary(const struct scrub *s)
{
	const struct scrub_state *state = &s->state;
	struct paper paper;

	if (s->options->json) {
		print_json(json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "kind",
				     "summary", "holds", holds(s), "breaks",
				     (json_int_t)s->findings, "entries", (json_int_t)s->looked,
				     "next", (json_int_t)state->next, "end", (json_int_t)state->end,
				     "round_ended", (json_int_t)state->ended_s, "round_size",
				     (json_int_t)state->ended_size, "round_breaks",
				     (json_int_t)state->ended_findings));
		return;
	}
	paper_clear(&paper);
	paper_add(&paper, "looked at     %" PRIu64 " entries\n", s->looked);
	if (state->end > 0) {
		paper_add(&paper,
			  "the round     is at %" PRIu64 " of %" PRIu64 "; the next run goes on "
			  "there\n",
			  state->next, state->end);
	} else {
		paper_add(&paper,
			  "the round     is over: %" PRIu64 " entries, %" PRIu64 " breaks\n",
			  state->ended_size, state->ended_findings);
	}
	paper_add(&paper, "not looked at states, stream heads and keys: ifreplay verify\n");
	print_paper(&paper);
	paper_clear(&paper);
	if (holds(s)) {
		paper_add(&paper, "result        it holds\n");
	} else if (s->findings > 0) {
		paper_add(&paper, "result        %" PRIu64 " breaks, named above\n", s->findings);
	} else {
		paper_add(&paper, "result        breaks, named by earlier runs: --all, or ifreplay "
				  "verify\n");
	}
	print_head(&paper);
}

static int
lock_by_hand(const struct scrub *s, bool *is_held)
{
	int lock = -1;

	for (int i = 0; i < LOCK_WAITS_MAX; i++) {
		lock = scrub_lock(s->options->data_dir, is_held);
		if (lock >= 0 || !*is_held) {
			break;
		}
		poll(NULL, 0, LOCK_WAIT_MS);
	}
	return lock;
}

static int
scrub_by_hand(struct scrub *s)
{
	const uint64_t limit = s->options->all         ? UINT64_MAX
			       : s->options->limit > 0 ? s->options->limit
						       : RUN_ENTRIES;
	bool is_held = false;
	const int lock = lock_by_hand(s, &is_held);

	if (is_held) {
		fprintf(stderr, "ifreplay: another scrub runs on %s: wait for its end\n",
			s->options->data_dir);
		return 1;
	}
	/* Without a lock nothing can be written there either: a copy on a read-only medium. */
	load_place(s);
	if (s->state.end == 0 || s->options->all) {
		begin_round(s);
	}
	while (is_over == 0 && scrubber_learn(s->scrubber, s->state.next)) {
	}
	begin_run(s);
	while (is_over == 0 && s->state.next < s->state.end && s->looked < limit) {
		print_progress("scrubbing", s->state.next, s->state.end);
		look_at_block(s);
	}
	print_progress_end();
	if (s->state.next == s->state.end) {
		end_round(s);
		keep_place(s);
	}
	scrub_unlock(lock);
	print_summary(s);
	return print_flush() && holds(s) && !s->is_unlogged ? 0 : 1;
}

/* --- beside a cluster --------------------------------------------------------------------------
 */

static void
rest(const struct scrub *s, uint64_t since_us)
{
	const uint64_t now_us = time_monotonic_us();
	const uint64_t pause_us = scrub_pause_us(&s->state, s->options->if_older,
						 time_now_us() / 1000000, now_us - since_us);

	if (is_over == 0) {
		poll(NULL, 0, (int)(pause_us / 1000 < INT32_MAX ? pause_us / 1000 : INT32_MAX));
	}
}

/* The log is open already; of all other files it needs only these. */
static bool
confine(const struct scrub *s)
{
	static const char *const names[] = { "pub", "run", "lock" };
	static char paths[4][FILE_PATH_MAX];
	struct sandbox_rules rules = { .writable = { paths[3] } };
	size_t count = 0;

	path_join(paths[3], s->options->data_dir, "scrub");
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		path_join(paths[i], s->options->data_dir, names[i]);
		if (file_exists(paths[i])) {
			rules.readable[count++] = paths[i];
		}
	}
	return sandbox_enter(&rules);
}

/* One block, unless somebody else moves the round just now: then it goes on behind that. */
static void
take_turn(struct scrub *s)
{
	bool is_held = false;
	const uint64_t since_us = time_monotonic_us();
	const int lock = scrub_lock(s->options->data_dir, &is_held);

	if (lock < 0) {
		poll(NULL, 0, BLOCK_WAIT_MS);
		return;
	}
	if (s->is_kept) {
		load_place(s);
	}
	if (s->state.next < s->state.end) {
		look_at_block(s);
	}
	if (s->state.end > 0 && s->state.next == s->state.end) {
		end_round(s);
		keep_place(s);
		is_over = s->state.end > 0 ? 1 : is_over;
	}
	scrub_unlock(lock);
	if (s->state.end > 0) {
		rest(s, since_us);
	}
}

/* False if somebody scrubs by hand, or nothing can be written there. */
static bool
begin_beside(struct scrub *s, void (*begin)(struct scrub *s))
{
	bool is_held = false;
	const int lock = scrub_lock(s->options->data_dir, &is_held);

	if (lock < 0) {
		return false;
	}
	load_place(s);
	if (s->state.end == 0) {
		begin_round(s);
	}
	begin(s);
	scrub_unlock(lock);
	return s->state.end > 0;
}

static void
learn_beside(struct scrub *s)
{
	for (bool more = true; more && is_over == 0;) {
		const uint64_t since_us = time_monotonic_us();

		more = scrubber_learn(s->scrubber, s->state.next);
		rest(s, since_us);
	}
}

static int
scrub_beside(struct scrub *s)
{
	log_line_start("scrub", LOG_LINE_INFO);
	load_place(s);
	if (!scrub_is_due(&s->state, scrubber_created_s(s->scrubber), s->options->if_older,
			  time_now_us() / 1000000)) {
		return 0;
	}
	if (!begin_beside(s, keep_place)) {
		return 0;
	}
	if (!confine(s)) {
		return 1;
	}
	log_info("reading the log again from entry %" PRIu64 " of %" PRIu64, s->state.next,
		 s->state.end);
	learn_beside(s);
	if (is_over != 0 || !begin_beside(s, begin_run)) {
		return 0;
	}
	while (is_over == 0 && s->state.end > 0) {
		take_turn(s);
	}
	if (s->state.end == 0) {
		log_info("the log was read again: %" PRIu64 " entries, %" PRIu64 " findings",
			 s->state.ended_size, s->state.ended_findings);
	}
	return holds(s) && !s->is_unlogged ? 0 : 1;
}

int
scrub_command(const struct options *options)
{
	struct scrub s = { .options = options, .is_kept = true };
	char fault[512];

	if (options->if_older > SCRUB_DAYS_MAX) {
		fprintf(stderr, "ifreplay: --if-older %" PRIu64 ": give at most %d days\n",
			options->if_older, SCRUB_DAYS_MAX);
		return 2;
	}
	take_signals();
	become_idle();
	s.scrubber = scrubber_open(options->data_dir, fault, sizeof fault);
	if (s.scrubber == NULL) {
		fprintf(stderr, "ifreplay: %s\n", fault);
		return 1;
	}
	const int code = options->if_older > 0 ? scrub_beside(&s) : scrub_by_hand(&s);
	scrubber_close(s.scrubber);
	return code;
}
