#include "replay/walk_io.h"

#include <stdio.h>

#include "replay/index_io.h"
#include "replay/index_keys.h"

static bool
is_of_others(struct walk *walk, const struct event *event, const struct entry *entry)
{
	return walk->with_others && filter_admits_anybody(&walk->filter, entry, event) &&
	       filter_admits_address(&walk->filter, event);
}

static bool
visit_event(void *context, const struct event *event, const struct entry *entry)
{
	struct walk *walk = context;

	walk->source->position = entry->seq;
	if (event != NULL) {
		names_learn(&walk->source->names, event);
	}
	if (filter_is_past(&walk->filter, entry)) {
		return false;
	}
	if (!filter_admits(&walk->filter, entry, event) && !is_of_others(walk, event, entry)) {
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

/* --- by the index ------------------------------------------------------------------------------
 */

static void
follow_id(void *context, const struct id *id)
{
	index_walk_add_id(context, id);
}

static void
add_type(struct index_walk *by, uint64_t type)
{
	index_walk_add(by, log_index_key(INDEX_TYPE, &type, sizeof type));
}

static void
add_trace(struct index_walk *by, const struct id *trace)
{
	const uint64_t command = index_command_of(trace);

	index_walk_add_id(by, trace);
	index_walk_add(by, log_index_key(INDEX_COMMAND, &command, sizeof command));
}

/* Where something is to be learnt, all that it may be learnt from. */
static void
add_learners(struct index_walk *by, const struct options *o, const struct filter *filter)
{
	if (!filter->agent.is_any) {
		index_walk_add_word(by, o->agent);
	}
	if (!filter->peer.is_any) {
		index_walk_add_word(by, o->peer);
	}
	if (!filter->room.is_any) {
		index_walk_add_word(by, o->room);
	}
	if (!id_is_none(&o->trace)) {
		add_trace(by, &o->trace);
	}
}

/* Where nothing is to be learnt, the one filter that lets the fewest through. */
static void
add_narrowest(struct index_walk *by, const struct options *o, const struct filter *filter)
{
	if (!id_is_none(&o->allocation)) {
		index_walk_add_id(by, &o->allocation);
	} else if (o->type != NULL) {
		add_type(by, o->type->type);
	} else if (filter->has_address) {
		add_type(by, EVENT_TURN_PERMISSION_INSTALLED);
		add_type(by, EVENT_TURN_CHANNEL_BOUND);
		add_type(by, EVENT_TURN_CONNECTION_OPENED);
		add_type(by, EVENT_TURN_RELAY_USAGE);
		add_type(by, EVENT_TURN_REQUEST_REFUSED);
	} else {
		add_type(by, EVENT_SIGNALING_REQUEST_REFUSED);
		add_type(by, EVENT_TURN_REQUEST_REFUSED);
		add_type(by, EVENT_ERASE_REFUSED);
	}
}

static bool
is_narrow(const struct walk *walk)
{
	const struct options *o = walk->options;

	return filter_must_learn(&walk->filter) || !id_is_none(&o->allocation) || o->type != NULL ||
	       walk->filter.has_address || o->outcome.kind == OUTCOME_REFUSED ||
	       o->outcome.kind == OUTCOME_VERDICT;
}

/* NULL if walking is as quick. Names, traces and allocations are worth making an index for. */
static struct log_index *
index_for(const struct walk *walk)
{
	const bool is_worth_it =
		filter_must_learn(&walk->filter) || !id_is_none(&walk->options->allocation);

	if (walk->options->no_index || !is_narrow(walk)) {
		return NULL;
	}
	return source_index(walk->source, is_worth_it);
}

void
walk_follow(void *walk, const struct id *id)
{
	const struct filter *filter = &((struct walk *)walk)->filter;

	if (filter->learnt != NULL) {
		filter->learnt(filter->context, id);
	}
}

static bool
walk_by(struct walk *walk, struct log_index *index, uint64_t from, uint64_t size)
{
	struct index_walk by;
	uint64_t next = 0;
	bool stopped = false;

	index_walk_make(&by, walk->source, index);
	filter_tells(&walk->filter, follow_id, &by);
	if (filter_must_learn(&walk->filter)) {
		add_learners(&by, walk->options, &walk->filter);
	} else {
		add_narrowest(&by, walk->options, &walk->filter);
	}
	walk->source->is_by_index = true;
	const bool is_read =
		index_walk_run(&by, from, LOG_STREAMS_ALL, visit_event, walk, &next, &stopped);
	filter_tells(&walk->filter, NULL, NULL);
	index_walk_free(&by);
	return is_read && (stopped || next >= size || walk_part(walk, next, size));
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
	source_forget_names(walk->source);
	struct log_index *index = index_for(walk);
	const bool is_read =
		log_reader_size(walk->source->reader, &size) && begin_at(walk, size, &from) &&
		(index != NULL ? walk_by(walk, index, from, size) : walk_part(walk, from, size));
	filter_free(&walk->filter);
	return is_read;
}
