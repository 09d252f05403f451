/* agent: the story of one. */
#include <stdio.h>
#include <string.h>

#include "replay/commands_io.h"
#include "replay/print_io.h"
#include "replay/timeline.h"
#include "replay/words.h"

struct story {
	const struct options *options;
	struct source *source;
	struct timeline timeline;
	uint64_t told;
};

static void
say(void *context, uint64_t seq, uint64_t us, const char *kind, const char *text)
{
	struct story *story = context;
	char when[MOMENT_PRINT_MAX];
	struct paper paper;

	story->told++;
	moment_print(when, sizeof when, us);
	if (story->options->json) {
		print_json(json_pack("{s:I, s:s, s:s, s:s}", "seq", (json_int_t)seq, "recorded",
				     when, "kind", kind, "text", text));
		return;
	}
	paper_clear(&paper);
	paper_add(&paper, "%8llu  %s  %s\n", (unsigned long long)seq, when, text);
	print_paper(&paper);
}

static bool
visit(void *context, const struct event *event, const struct entry *entry)
{
	struct story *story = context;
	const struct options *o = story->options;

	if (event == NULL) {
		return true;
	}
	if (!moment_is_kept(&o->to, entry->seq, entry->recorded_us)) {
		return false;
	}
	story->timeline.is_quiet = !moment_is_reached(&o->from, entry->seq, entry->recorded_us);
	names_learn(&story->source->names, event);
	timeline_feed(&story->timeline, entry, event);
	return ferror(stdout) == 0;
}

static void
print_summary(const struct story *story)
{
	struct paper paper;

	if (story->options->json) {
		json_t *summary = timeline_json(&story->timeline);
		json_object_set_new(summary, "kind", json_string("summary"));
		print_json(summary);
		return;
	}
	for (uint32_t piece = 0; timeline_page(&story->timeline, piece, &paper); piece++) {
		print_paper(&paper);
	}
}

static int
tell(struct story *story)
{
	const uint32_t streams = LOG_STREAM(STREAM_SESSION) | LOG_STREAM(STREAM_ALLOCATION);
	char shown[80];

	if (!log_read_events(story->source->reader, story->source->keys, 0, UINT64_MAX, streams,
			     visit, story)) {
		print_flush();
		return source_failed(story->source);
	}
	if (story->told == 0) {
		words_escape(shown, sizeof shown, story->options->agent,
			     strlen(story->options->agent));
		fprintf(stderr, "ifreplay: the log says nothing about '%s'%s\n", shown,
			story->source->keys == NULL ? ": names are sealed, give a handle" : "");
		return 1;
	}
	print_summary(story);
	return print_flush() ? 0 : 1;
}

int
agent_command(const struct options *options, struct source *source)
{
	struct story story = { .options = options, .source = source };
	struct who who;

	who_make(&who, options->agent);
	timeline_make(&story.timeline, &who, source_name_of, source, say, &story);
	const int code = tell(&story);
	timeline_free(&story.timeline);
	who_free(&who);
	return code;
}
