#include "replay/story_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/index_io.h"

#include "replay/words.h"

void
story_make(struct story *story, const struct options *options, struct source *source,
	   timeline_say *say, void *context)
{
	story->options = options;
	story->by = NULL;
	story->is_with_peer = true;
	idmap_make(&story->watched, 2 * ROOMS_MAX);
	story->source = source;
	story->rest = *options;
	story->rest.agent = NULL;
	filter_make(&story->filter, &story->rest);
	who_make(&story->who, options->agent);
	timeline_make(&story->timeline, &story->who, source_name_of, source, say, context);
}

void
story_free(struct story *story)
{
	idmap_free(&story->watched);
	timeline_free(&story->timeline);
	who_free(&story->who);
	filter_free(&story->filter);
}

/* Everybody's comings and goings matter: who was there already is part of the story. What concerns
 * the peer is only marked: whoever tells or prints leaves out the rest. */
static bool
visit(void *context, const struct event *event, const struct entry *entry)
{
	struct story *story = context;

	if (event == NULL) {
		return true;
	}
	if (filter_is_past(&story->filter, entry)) {
		return false;
	}
	names_learn(&story->source->names, event);
	story->is_with_peer =
		(story->filter.peer.is_any || who_concerns_agent(&story->filter.peer, event)) &&
		filter_admits_address(&story->filter, event);
	if (!filter_admits_anybody(&story->filter, entry, event)) {
		who_concerns_agent(&story->who, event); /* its handles may be learnt here alone */
		return true;
	}
	story->timeline.is_quiet = filter_is_before(&story->filter, entry);
	timeline_feed(&story->timeline, entry, event);
	return ferror(stdout) == 0;
}

/* --- by the index ------------------------------------------------------------------------------
 */

static const struct id *
room_of(const struct event *event)
{
	if (event->type == EVENT_AGENT_REGISTERED) {
		return &event->agent_registered.room;
	}
	return event->type == EVENT_AGENT_DISCONNECTED ? &event->agent_disconnected.room : NULL;
}

static const struct id *
agent_of(const struct event *event)
{
	return event->type == EVENT_AGENT_REGISTERED ? &event->agent_registered.agent
						     : &event->agent_disconnected.agent;
}

static uint64_t
presence_key(const struct id *room)
{
	return log_index_key(INDEX_PRESENCE, room->bytes, sizeof room->bytes);
}

struct gathering {
	struct story *story;
	const struct id *room;
};

/* Somebody who came to the room, or went, before ours did; what ours did before was told already.
 */
static bool
gather(void *context, const struct event *event, const struct entry *entry)
{
	struct gathering *gathering = context;
	struct story *story = gathering->story;
	const struct id *room = event == NULL ? NULL : room_of(event);

	if (room != NULL && id_equal(room, gathering->room) &&
	    !who_is_handle(&story->who, agent_of(event))) {
		names_learn(&story->source->names, event);
		story->timeline.is_quiet = true;
		timeline_feed(&story->timeline, entry, event);
	}
	return true;
}

/* One of ours comes to a room at that seq: who is there follows from the newest roster before it,
 * and from what happened since. All of it is read from the log. */
static bool
watch_room(struct story *story, const struct id *room, uint64_t seq)
{
	struct source *source = story->source;
	struct gathering gathering = { story, room };
	const uint64_t key = presence_key(room);
	const uint64_t covered = log_index_covered(source->index);
	uint64_t as_of = 0;
	size_t count = 0;
	uint64_t *seqs = log_index_roster(source->index, key, seq, &as_of, &count);
	bool is_read = true;

	for (size_t i = 0; i < count && is_read; i++) {
		is_read = log_read_events(source->far_reader, source->far_keys, seqs[i],
					  seqs[i] + 1, LOG_STREAMS_ALL, gather, &gathering);
	}
	free(seqs);
	is_read = is_read && index_visit_key(source, key, as_of, seq, gather, &gathering);
	if (is_read && seq > covered) {
		is_read = log_read_events(source->far_reader, source->far_keys, covered, seq,
					  LOG_STREAM(STREAM_SESSION), gather, &gathering);
	}
	index_walk_add(story->by, key);
	idmap_put(&story->watched, room, 0);
	return is_read;
}

static void
unwatch_room(struct story *story, const struct id *room)
{
	timeline_forget_room(&story->timeline, room);
	index_walk_drop(story->by, presence_key(room));
	idmap_remove(&story->watched, room);
}

/* Comings and goings of others in a room where none of ours is are not told: nor may they be, for
 * what happened there before was not told either. */
static bool
visit_by(void *context, const struct event *event, const struct entry *entry)
{
	struct story *story = context;
	const struct id *room = event == NULL ? NULL : room_of(event);

	story->source->position = entry->seq;
	if (room == NULL || id_is_none(room)) {
		return visit(story, event, entry);
	}
	if (idmap_find(&story->watched, room) == NULL) {
		if (!who_concerns_agent(&story->who, event)) {
			return true;
		}
		if (event->type == EVENT_AGENT_REGISTERED) {
			const struct id opened = *room;
			watch_room(story, &opened, entry->seq);
		}
	}
	const bool goes_on = visit(story, event, entry);
	if (!timeline_has_ours(&story->timeline, room)) {
		unwatch_room(story, room);
	}
	return goes_on;
}

static void
follow_id(void *context, const struct id *id)
{
	index_walk_add_id(context, id);
}

/* The other filters would have to be learnt about, too. */
static bool
is_narrowed(const struct options *o)
{
	return o->peer != NULL || o->room != NULL || o->type != NULL || o->stream != 0 ||
	       o->outcome.kind != OUTCOME_ANY || !id_is_none(&o->allocation) ||
	       !id_is_none(&o->trace);
}

static const uint32_t streams_told = LOG_STREAM(STREAM_SESSION) | LOG_STREAM(STREAM_ALLOCATION);

static bool
read_by(struct story *story, struct log_index *index, uint64_t end)
{
	struct source *source = story->source;
	struct index_walk by;
	uint64_t next = 0;
	bool stopped = false;

	index_walk_make(&by, source, index);
	story->by = &by;
	story->who.learnt = follow_id;
	story->who.context = &by;
	index_walk_add_word(&by, story->options->agent);
	source->is_by_index = true;
	bool is_read = index_walk_run(&by, 0, streams_told, visit_by, story, &next, &stopped);
	if (is_read && !stopped && next < end) {
		is_read = log_read_events(source->reader, source->keys, next, end, streams_told,
					  visit_by, story);
	}
	story->who.learnt = NULL;
	story->by = NULL;
	index_walk_free(&by);
	return is_read;
}

/* --- either way --------------------------------------------------------------------------------
 */

/* Behind the last entry that --to keeps; and when that was recorded: until then what lasts has
 * lasted. */
static bool
find_end(const struct story *story, uint64_t *end, uint64_t *end_us)
{
	struct moment after = story->options->to;

	*end_us = 0;
	if (!log_reader_size(story->source->reader, end)) {
		return false;
	}
	if (after.is_set && after.value < UINT64_MAX) {
		uint64_t kept = 0;
		after.value++;
		if (!source_seek(story->source, &after, *end, &kept)) {
			return false;
		}
		*end = kept < *end ? kept : *end;
	}
	return *end == 0 || source_time(story->source, *end - 1, end_us);
}

bool
story_read(struct story *story)
{
	struct source *source = story->source;
	uint64_t end = 0;
	uint64_t end_us = 0;

	source_forget_names(source);
	if (!find_end(story, &end, &end_us)) {
		return false;
	}
	struct log_index *index = story->options->no_index || is_narrowed(&story->rest)
					  ? NULL
					  : source_index(source, true);
	const bool is_read = index != NULL ? read_by(story, index, end)
					   : log_read_events(source->reader, source->keys, 0, end,
							     streams_told, visit, story);
	story->timeline.last_us = end_us;
	return is_read;
}

int
story_is_empty(const struct story *story)
{
	char shown[80];

	words_escape(shown, sizeof shown, story->options->agent, strlen(story->options->agent));
	fprintf(stderr, "ifreplay: the log says nothing about '%s'%s%s\n", shown,
		is_narrowed(&story->rest) ? " that fits the other options" : "",
		story->source->keys == NULL ? ": names are sealed, give a handle" : "");
	return 1;
}
