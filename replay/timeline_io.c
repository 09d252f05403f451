/* timeline: who was connected to whom and when, drawn. */
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "replay/chart.h"
#include "replay/commands_io.h"
#include "replay/print_io.h"
#include "replay/rows_io.h"
#include "replay/walk_io.h"

struct drawing {
	const struct options *options;
	struct source *source;
	struct walk walk;
	struct chart chart;
	struct page page;
	uint64_t skip; /* of the drawn ones, before the last --limit */
};

/* --- the range --- */

/* When the first entry of the range was recorded, and its last: until then what lasts has lasted.
 * 0 where nothing was asked for, or nothing is there. */
static bool
find_range(struct drawing *d, uint64_t *end_us)
{
	struct moment after = d->options->to;
	uint64_t size = 0, first = 0, end = 0;

	*end_us = 0;
	if (!log_reader_size(d->source->reader, &size)) {
		return false;
	}
	end = size;
	if (after.is_set && after.value < UINT64_MAX) {
		after.value++;
		if (!source_seek(d->source, &after, size, &end)) {
			return false;
		}
		end = end < size ? end : size;
	}
	if (d->options->from.is_set &&
	    (!source_seek(d->source, &d->options->from, size, &first) ||
	     (first < size && !source_time(d->source, first, &d->chart.from_us)))) {
		return false;
	}
	return end == 0 || source_time(d->source, end - 1, end_us);
}

static bool
visit(void *context, const struct event *event, const struct entry *entry)
{
	struct drawing *d = context;

	d->chart.is_quiet = d->walk.is_before;
	if (event != NULL) {
		chart_feed(&d->chart, entry, event);
	}
	return true;
}

static bool
read_chart(struct drawing *d)
{
	uint64_t end_us = 0;

	if (!find_range(d, &end_us) || !walk_log(&d->walk, visit, d)) {
		return false;
	}
	chart_close(&d->chart, end_us);
	return true;
}

/* --- the rows that are shown --- */

static uint64_t
count_drawn(const struct chart *chart)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < chart->lane_count; i++) {
		count += chart->lanes[i].is_drawn;
	}
	return count;
}

/* The next one of the page, from *place on; NULL after the last. */
static const struct chart_lane *
next_shown(struct drawing *d, uint32_t *place)
{
	while (*place < d->chart.lane_count) {
		const struct chart_lane *lane = &d->chart.lanes[(*place)++];

		if (!lane->is_drawn || (d->skip > 0 && d->skip-- > 0)) {
			continue;
		}
		switch (page_turn(&d->page, lane->seq)) {
		case PAGE_BEFORE:
			break;
		case PAGE_IS_FULL:
			return NULL;
		case PAGE_SHOWS:
			return lane;
		}
	}
	return NULL;
}

static struct cell
cell_party(const struct chart *chart, uint32_t party)
{
	if (party == CHART_NONE) {
		return cell_none();
	}
	const struct chart_party *one = &chart->parties[party];
	return one->name.length > 0 ? cell_name(&one->name) : cell_id(&one->handle);
}

static void
print_rows(struct drawing *d)
{
	static const struct column columns[] = {
		{ "seq", 0 },        { "what", 0 },    { "agent", 0 },      { "peer", 0 },
		{ "from", 0 },       { "to", 0 },      { "span_us", 0 },    { "times", 0 },
		{ "offers", 0 },     { "answers", 0 }, { "candidates", 0 }, { "bytes_up", 0 },
		{ "bytes_down", 0 },
	};
	static const char *const words[] = { "there", "connected", "relay" };
	struct rows rows = rows_unpaged(d->options, NULL, columns, 13);
	const struct chart_lane *lane = NULL;

	for (uint32_t place = 0; (lane = next_shown(d, &place)) != NULL;) {
		const struct cell cells[] = {
			cell_number(lane->seq),
			cell_word(words[lane->kind]),
			cell_party(&d->chart, lane->party[0]),
			cell_party(&d->chart, lane->party[1]),
			cell_time(lane->from_us),
			lane->level != CHART_NOTHING ? cell_none() : cell_time(lane->to_us),
			cell_span(lane->span_us),
			cell_number(lane->times),
			cell_number(lane->offers),
			cell_number(lane->answers),
			cell_number(lane->candidates),
			cell_bytes(lane->bytes_up),
			cell_bytes(lane->bytes_down),
		};
		if (!rows_row(&rows, lane->seq, cells)) {
			break;
		}
	}
}

/* --- the picture --- */

static unsigned
width_of(const struct options *options)
{
	struct winsize window;

	if (options->width > 0) {
		return (unsigned)options->width;
	}
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col == 0) {
		return CHART_WIDTH;
	}
	return window.ws_col < CHART_WIDTH_MIN   ? CHART_WIDTH_MIN
	       : window.ws_col > CHART_WIDTH_MAX ? CHART_WIDTH_MAX
						 : window.ws_col;
}

static bool
is_locale_utf8(void)
{
	const locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
	const bool is_utf8 =
		locale != (locale_t)0 && strcmp(nl_langinfo_l(CODESET, locale), "UTF-8") == 0;

	if (locale != (locale_t)0) {
		freelocale(locale);
	}
	return is_utf8;
}

static void
draw(struct drawing *d)
{
	const struct chart_page page =
		chart_page_make(&d->chart, width_of(d->options), !is_locale_utf8());
	const struct chart_lane *lane = NULL;
	struct paper paper;

	chart_page_head(&page, &paper);
	print_paper(&paper);
	for (uint32_t place = 0; (lane = next_shown(d, &place)) != NULL && ferror(stdout) == 0;) {
		chart_page_row(&page, lane, &paper);
		print_paper(&paper);
	}
	chart_page_legend(&page, &paper);
	print_paper(&paper);
}

static int
show(struct drawing *d)
{
	const uint64_t drawn = count_drawn(&d->chart);
	const bool is_last = !d->page.is_forward && d->page.room > 0;

	if (drawn == 0) {
		fprintf(stderr, "ifreplay: nobody that was asked for was there%s\n",
			d->source->keys == NULL ? ": names are sealed, give a handle" : "");
		return 1;
	}
	d->skip = is_last && drawn > d->page.room ? drawn - d->page.room : 0;
	if (d->options->json || d->options->csv) {
		print_rows(d);
	} else {
		draw(d);
	}
	page_print_more(d->options, &d->page);
	if (d->chart.not_kept > 0) {
		fprintf(stderr,
			"ifreplay: %llu more found no room: narrow it by --agent, --room or --to\n",
			(unsigned long long)d->chart.not_kept);
	}
	return 0;
}

int
timeline_command(const struct options *options, struct source *source)
{
	struct drawing d = { .options = options, .source = source, .page = page_of(options) };

	d.walk = (struct walk){
		.options = options, .source = source, .with_past = true, .with_others = true
	};
	chart_make(&d.chart, &d.walk.filter, source_name_of, source);
	d.chart.follows = walk_follow;
	d.chart.context = &d.walk;
	const int code = read_chart(&d) ? show(&d) : source_failed(source);
	chart_free(&d.chart);
	return print_flush() ? code : 1;
}
