#include "replay/scrub_run_io.h"

#include <inttypes.h>
#include <poll.h>

#include "actors/sandbox_io.h"
#include "protocol/log_line_io.h"
#include "protocol/time_io.h"
#include "store/files_io.h"

enum { BLOCK_WAIT_MS = 1000 };

static void
rest(const struct scrub *s, uint64_t since_us)
{
	const uint64_t now_us = time_monotonic_us();
	const uint64_t pause_us = scrub_pause_us(&s->state, s->options->if_older,
						 time_now_us() / 1000000, now_us - since_us);

	if (*s->is_over == 0) {
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

/* One block, unless somebody else moves the round just now: then it goes on behind that. False at
 * the round's end, also if that cannot be logged now. */
static bool
take_turn(struct scrub *s)
{
	bool is_held = false;
	const uint64_t since_us = time_monotonic_us();
	const int lock = scrub_lock(s->options->data_dir, &is_held);

	if (lock < 0) {
		poll(NULL, 0, BLOCK_WAIT_MS);
		return true;
	}
	if (s->is_kept) {
		scrub_load_place(s);
	}
	if (s->state.next < s->state.end) {
		scrub_look_at_block(s);
	}
	if (s->state.end > 0 && s->state.next == s->state.end) {
		scrub_end_round(s);
		scrub_keep_place(s);
	}
	scrub_unlock(lock);
	if (s->state.next < s->state.end) {
		rest(s, since_us);
	}
	return s->state.next < s->state.end;
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
	scrub_load_place(s);
	if (s->state.end == 0) {
		scrub_begin_round(s);
	}
	begin(s);
	scrub_unlock(lock);
	return s->state.end > 0;
}

static void
learn_beside(struct scrub *s)
{
	for (bool more = true; more && *s->is_over == 0;) {
		const uint64_t since_us = time_monotonic_us();

		more = scrubber_learn(s->scrubber, s->state.next);
		rest(s, since_us);
	}
}

int
scrub_beside(struct scrub *s)
{
	log_line_start("scrub", LOG_LINE_INFO);
	scrub_load_place(s);
	if (!scrub_is_due(&s->state, scrubber_created_s(s->scrubber), s->options->if_older,
			  time_now_us() / 1000000)) {
		return 0;
	}
	if (!begin_beside(s, scrub_keep_place)) {
		return 0;
	}
	if (!confine(s)) {
		return 1;
	}
	log_info("reading the log again from entry %" PRIu64 " of %" PRIu64, s->state.next,
		 s->state.end);
	learn_beside(s);
	if (*s->is_over != 0 || !begin_beside(s, scrub_begin_run)) {
		return 0;
	}
	while (*s->is_over == 0 && take_turn(s)) {
	}
	if (s->state.end == 0) {
		log_info("the log was read again: %" PRIu64 " entries, %" PRIu64 " findings",
			 s->state.ended_size, s->state.ended_findings);
	}
	return scrub_holds(s) && !s->is_unlogged ? 0 : 1;
}
