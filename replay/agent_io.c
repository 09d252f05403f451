/* agent: the story of one. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "replay/commands_io.h"
#include "replay/print_io.h"
#include "replay/rows_io.h"
#include "replay/story_io.h"

struct teller {
	const struct options *options;
	const struct story *story;
	struct rows rows; /* as CSV and JSON; they are paged in every form */
	uint64_t told;    /* on whatever page */
};

static void
print_plain(struct rows *rows, uint64_t seq, uint64_t us, const char *text)
{
	char when[MOMENT_PRINT_MAX];
	struct paper paper;

	if (!rows_turn(rows, seq)) {
		return;
	}
	paper_clear(&paper);
	paper_add(&paper, "%8" PRIu64 "  %s  %s\n", seq, moment_print(when, sizeof when, us), text);
	print_paper(&paper);
}

static void
say(void *context, uint64_t seq, uint64_t us, const char *kind, const char *text)
{
	struct teller *teller = context;
	const struct cell cells[] = { cell_number(seq), cell_time(us), cell_word(kind),
				      cell_word(text) };

	if (!teller->story->is_with_peer) {
		return;
	}
	teller->told++;
	if (teller->options->json || teller->options->csv) {
		rows_row(&teller->rows, seq, cells);
	} else {
		print_plain(&teller->rows, seq, us, text);
	}
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

/* A page is a part of the story, and so is what it was with one peer: the sums, which are of all of
 * it, stand behind the whole alone. */
static void
end_story(struct teller *teller, const struct timeline *timeline)
{
	rows_end(&teller->rows);
	if (!teller->options->csv && !teller->rows.page.is_forward &&
	    teller->options->peer == NULL) {
		print_summary(teller->options, timeline);
	}
}

/* The last --limit lines are known once all were counted. */
static bool
count_first(struct teller *teller, struct source *source)
{
	struct story story;

	if (!rows_counts_first(&teller->rows)) {
		return true;
	}
	teller->story = &story;
	story_make(&story, teller->options, source, say, teller);
	const bool is_read = story_read(&story);
	story_free(&story);
	rows_counted(&teller->rows);
	return is_read;
}

int
agent_command(const struct options *options, struct source *source)
{
	static const struct column columns[] = {
		{ "seq", 10 }, { "recorded", 29 }, { "kind", 14 }, { "text", 0 }
	};
	struct teller teller = {
		.options = options,
		.rows = rows_of(options, NULL, columns, sizeof columns / sizeof columns[0]),
	};
	struct story story;
	int code = 0;

	const bool is_counted = count_first(&teller, source);
	teller.story = &story;
	story_make(&story, options, source, say, &teller);
	if (!is_counted || !story_read(&story)) {
		code = source_failed(source);
	} else if (teller.told == 0) {
		code = story_is_empty(&story);
	} else {
		end_story(&teller, &story.timeline);
	}
	story_free(&story);
	return print_flush() ? code : 1;
}
