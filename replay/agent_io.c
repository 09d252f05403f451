/* agent: the story of one. */
#include <stdio.h>

#include "replay/commands_io.h"
#include "replay/print_io.h"
#include "replay/story_io.h"

struct teller {
	const struct options *options;
	uint64_t told;
};

static void
say(void *context, uint64_t seq, uint64_t us, const char *kind, const char *text)
{
	struct teller *teller = context;
	char when[MOMENT_PRINT_MAX];
	struct paper paper;

	teller->told++;
	moment_print(when, sizeof when, us);
	if (teller->options->json) {
		print_json(json_pack("{s:I, s:s, s:s, s:s}", "seq", (json_int_t)seq, "recorded",
				     when, "kind", kind, "text", text));
		return;
	}
	paper_clear(&paper);
	paper_add(&paper, "%8llu  %s  %s\n", (unsigned long long)seq, when, text);
	print_paper(&paper);
}

static void
print_summary(const struct options *options, const struct timeline *timeline)
{
	struct paper paper;

	if (options->json) {
		json_t *summary = timeline_json(timeline);
		json_object_set_new(summary, "kind", json_string("summary"));
		print_json(summary);
		return;
	}
	for (uint32_t piece = 0; timeline_page(timeline, piece, &paper); piece++) {
		print_paper(&paper);
	}
}

int
agent_command(const struct options *options, struct source *source)
{
	struct teller teller = { .options = options };
	struct story story;

	story_make(&story, options, source, say, &teller);
	int code = 0;
	if (!story_read(&story)) {
		code = source_failed(source);
	} else if (teller.told == 0) {
		code = story_is_empty(&story);
	} else {
		print_summary(options, &story.timeline);
	}
	story_free(&story);
	return print_flush() ? code : 1;
}
