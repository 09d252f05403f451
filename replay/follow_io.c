/* follow: events as they are recorded, for a person or for what gathers logs (a SIEM).
 *
 * It looks for new events every FOLLOW_POLL_NS, which costs one point read: well within the 50 ms
 * that are promised. A witness that stops and starts again goes unnoticed; a log that cannot be
 * read for a moment is opened again.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "replay/commands_io.h"
#include "replay/print_io.h"
#include "replay/tell_io.h"
#include "replay/walk_io.h"

enum {
	FOLLOW_POLL_NS = 20 * 1000 * 1000,
	REOPEN_PAUSE_NS = 250 * 1000 * 1000,
	REOPEN_TIMES = 40, /* ten seconds */
};

struct follow {
	struct walk walk;
	uint64_t next; /* seq of the next event to be shown */
};

static volatile sig_atomic_t is_over;

static void
end_in_order(int signal)
{
	(void)signal;
	is_over = 1;
}

/* The reader of our output may go away at any time: then writing fails, and that is the end. */
static void
take_signals(void)
{
	struct sigaction end = { .sa_handler = end_in_order };
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGINT, &end, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

static bool
show(void *context, const struct event *event, const struct entry *entry)
{
	struct follow *follow = context;
	const struct telling telling = source_telling(follow->walk.source, event, entry);

	print_telling(follow->walk.options, &telling);
	follow->next = entry->seq + 1;
	return is_over == 0;
}

static bool
learn(void *context, const struct event *event, const struct entry *entry)
{
	(void)context;
	(void)event;
	(void)entry;
	return is_over == 0;
}

/* With a name or a trace to learn about, what lies before is read and not shown. */
static bool
learn_past(struct follow *follow)
{
	if (!filter_must_learn(&follow->walk.filter)) {
		source_names_from(follow->walk.source, follow->next);
		return true;
	}
	follow->walk.visit = learn;
	return walk_part(&follow->walk, 0, follow->next);
}

static bool
begin(struct follow *follow)
{
	struct source *source = follow->walk.source;
	const struct options *o = follow->walk.options;

	if (!log_reader_size(source->reader, &follow->next) ||
	    (o->from.is_set && !source_seek(source, &o->from, follow->next, &follow->next))) {
		return false;
	}
	if (o->after.is_set) {
		follow->next = o->after.value + 1;
	}
	return learn_past(follow);
}

static bool
show_new(struct follow *follow)
{
	uint64_t size = 0;

	if (!log_reader_size(follow->walk.source->reader, &size)) {
		return false;
	}
	if (size <= follow->next) {
		return true;
	}
	follow->walk.visit = show;
	if (!walk_part(&follow->walk, follow->next, size)) {
		return false;
	}
	follow->next = size;
	return true;
}

/* The log went away under us (a restore, a disk that hangs): it may be back soon. What was shown is
 * not shown again. */
static bool
reopen(struct walk *walk)
{
	const struct timespec pause = { .tv_nsec = REOPEN_PAUSE_NS };
	char fault[512];

	for (unsigned i = 0; i < REOPEN_TIMES && is_over == 0; i++) {
		struct source again;

		nanosleep(&pause, NULL);
		if (source_open(&again, walk->options->data_dir, fault, sizeof fault)) {
			source_close(walk->source);
			*walk->source = again;
			return true;
		}
	}
	return false;
}

static bool
go_on(struct follow *follow)
{
	const struct timespec pause = { .tv_nsec = FOLLOW_POLL_NS };

	while (is_over == 0) {
		if (!show_new(follow) && !reopen(&follow->walk)) {
			return false;
		}
		if (!print_flush()) {
			return true; /* nobody reads it any more */
		}
		nanosleep(&pause, NULL);
	}
	return true;
}

int
follow_command(const struct options *options, struct source *source)
{
	struct follow follow = { .walk = { .options = options, .source = source } };

	take_signals();
	follow.walk.context = &follow;
	filter_make(&follow.walk.filter, options);
	bool is_read = begin(&follow);
	print_telling_head(options);
	is_read = is_read && print_flush() && go_on(&follow);
	filter_free(&follow.walk.filter);
	return is_read || is_over != 0 ? 0 : source_failed(source);
}
