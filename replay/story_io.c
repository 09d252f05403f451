#include "replay/story_io.h"

#include <stdio.h>
#include <string.h>

#include "replay/words.h"

void
story_make(struct story *story, const struct options *options, struct source *source,
	   timeline_say *say, void *context)
{
	story->options = options;
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
	timeline_free(&story->timeline);
	who_free(&story->who);
	filter_free(&story->filter);
}

/* Everybody's comings and goings matter: who was there already is part of the story. The peer is
 * only learnt here, and asked for when the tables are printed. */
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
	if (!story->filter.peer.is_any) {
		who_concerns_agent(&story->filter.peer, event);
	}
	if (!filter_admits_anybody(&story->filter, entry, event)) {
		return true;
	}
	story->timeline.is_quiet = filter_is_before(&story->filter, entry);
	timeline_feed(&story->timeline, entry, event);
	return ferror(stdout) == 0;
}

bool
story_read(struct story *story)
{
	const uint32_t streams = LOG_STREAM(STREAM_SESSION) | LOG_STREAM(STREAM_ALLOCATION);

	return log_read_events(story->source->reader, story->source->keys, 0, UINT64_MAX, streams,
			       visit, story);
}

int
story_is_empty(const struct story *story)
{
	char shown[80];

	words_escape(shown, sizeof shown, story->options->agent, strlen(story->options->agent));
	fprintf(stderr, "ifreplay: the log says nothing about '%s'%s\n", shown,
		story->source->keys == NULL ? ": names are sealed, give a handle" : "");
	return 1;
}
