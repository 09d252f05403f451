/* One walk over the log, the same for every question: from where it must begin, through the filters
 * of the options, to where it may end; by the index where there is one.
 *
 * What the visitor sees does not depend on the index: events found through it are read from the log
 * again and judged by the same filter.
 */
#ifndef IFSWARM_REPLAY_WALK_IO_H
#define IFSWARM_REPLAY_WALK_IO_H

#include "replay/filter.h"
#include "replay/source_io.h"

struct walk {
	const struct options *options;
	struct source *source;
	struct filter filter;
	bool with_others; /* nor is anybody's name judged: the visitor does that, filter.agent and
			   * filter.peer are learnt */
	bool with_past;   /* the visitor wants what --from leaves out, too */
	bool is_before;   /* the event at hand is such a one: to be learnt from, not shown */
	log_event_visitor *visit;
	void *context;
};

/* Gives every event that the options admit, in order; false if the log cannot be read. A visitor
 * that gives false ends it. */
bool walk_log(struct walk *walk, log_event_visitor *visit, void *context);

/* From the entry at hand on, what that id stands in is visited too: for walks with_others, which by
 * the index see what concerns those asked for, and nobody else. */
void walk_follow(void *walk, const struct id *id);

/* The same from `from` to `to`, with a filter that the caller keeps: for who comes again. */
bool walk_part(struct walk *walk, uint64_t from, uint64_t to);

#endif
