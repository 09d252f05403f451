#include "replay/walk_io.h"

#include <stdio.h>

static bool
visit_event(void *context, const struct event *event, const struct entry *entry)
{
	struct walk *walk = context;

	if (event != NULL) {
		names_learn(&walk->source->names, event);
	}
	if (filter_is_past(&walk->filter, entry)) {
		return false;
	}
	if (!filter_admits(&walk->filter, entry, event)) {
		return ferror(stdout) == 0;
	}
	walk->is_before = filter_is_before(&walk->filter, entry);
	if (walk->is_before && !walk->with_past) {
		return true;
	}
	return walk->visit(walk->context, event, entry) && ferror(stdout) == 0;
}

bool
walk_part(struct walk *walk, uint64_t from, uint64_t to)
{
	const bool is_one_stream = walk->options->stream != 0 && !filter_must_learn(&walk->filter);

	return log_read_events(walk->source->reader, walk->source->keys, from, to,
			       is_one_stream ? LOG_STREAM(walk->options->stream) : LOG_STREAMS_ALL,
			       visit_event, walk);
}

/* At --from and after --after, unless something is to be learnt from the start. */
static bool
begin_at(struct walk *walk, uint64_t size, uint64_t *from)
{
	const struct options *o = walk->options;

	*from = 0;
	if (walk->with_past || filter_must_learn(&walk->filter)) {
		return true;
	}
	if (o->from.is_set && !source_seek(walk->source, &o->from, size, from)) {
		return false;
	}
	if (o->after.is_set && o->after.value >= *from) {
		*from = o->after.value + 1;
	}
	source_names_from(walk->source, *from);
	return true;
}

bool
walk_log(struct walk *walk, log_event_visitor *visit, void *context)
{
	uint64_t size = 0;
	uint64_t from = 0;

	walk->visit = visit;
	walk->context = context;
	filter_make(&walk->filter, walk->options);
	const bool is_read = log_reader_size(walk->source->reader, &size) &&
			     begin_at(walk, size, &from) && walk_part(walk, from, size);
	filter_free(&walk->filter);
	return is_read;
}
