/* scrub: reads the log again, some blocks in each run, and goes on where the last run ended.
 *
 * Two manners. By hand it looks at --limit entries (or, with --all, at a whole round), tells every
 * finding, and holds the lock meanwhile. With --if-older, as the supervisor of a running cluster
 * starts it, it goes to the end of the round, resting after each block, in a sandbox, and speaks as
 * the cluster's processes do. Both at idle priority: the disk and the processor are others'. */
#include <inttypes.h>
#include <linux/ioprio.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "replay/commands_io.h"
#include "replay/print_io.h"
#include "replay/scrub_run_io.h"

enum {
	RUN_ENTRIES = 65536,
	LOCK_WAIT_MS = 100,
	LOCK_WAITS_MAX = 100, /* ten seconds */
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

/* Where one of them is refused, the others still hold. */
static void
become_idle(void)
{
	const struct sched_param none = { 0 };

	setpriority(PRIO_PROCESS, 0, 19);
	sched_setscheduler(0, SCHED_IDLE, &none);
	syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0));
}

/* --- by hand -----------------------------------------------------------------------------------
 */

static void
print_summary(const struct scrub *s)
{
	const struct scrub_state *state = &s->state;
	struct paper paper;

	if (s->options->json) {
		print_json(json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "kind",
				     "summary", "holds", scrub_holds(s), "breaks",
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
	if (scrub_holds(s)) {
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
	scrub_load_place(s);
	if (s->state.end == 0 || s->options->all) {
		scrub_begin_round(s);
	}
	while (*s->is_over == 0 && scrubber_learn(s->scrubber, s->state.next)) {
	}
	scrub_begin_run(s);
	while (*s->is_over == 0 && s->state.next < s->state.end && s->looked < limit) {
		print_progress("scrubbing", s->state.next, s->state.end);
		scrub_look_at_block(s);
	}
	print_progress_end();
	if (s->state.next == s->state.end) {
		scrub_end_round(s);
		scrub_keep_place(s);
	}
	scrub_unlock(lock);
	print_summary(s);
	return print_flush() && scrub_holds(s) && !s->is_unlogged ? 0 : 1;
}

int
scrub_command(const struct options *options)
{
	struct scrub s = { .options = options, .is_kept = true, .is_over = &is_over };
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
