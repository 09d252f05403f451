/* Bars stand before their names, which may hold anything: a character that a terminal shows two
 * columns wide, or not at all, shifts nothing. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "replay/chart.h"
#include "replay/moment.h"
#include "replay/words.h"

enum {
	SUM_WIDTH = 12,   /* of a span or a volume, right-aligned */
	FRAME_WIDTH = 5,  /* two bars and blanks around the sum */
	LABEL_WIDTH = 12, /* at least; at most a third of the page */
	LABEL_MAX = 4 * 4 * NAME_BYTES_MAX + 16,
	TICK_WIDTH = 12, /* "14:13:20.003" */
};

struct glyphs {
	const char *frame, *still, *axis;
	const char *level[3][3]; /* by kind and level */
};

static const struct glyphs *
glyphs_of(const struct chart_page *page)
{
	static const struct glyphs ascii = {
		"|", ">", "+", { { " ", "-", "-" }, { " ", ".", "=" }, { " ", "-", "#" } }
	};
	static const struct glyphs drawn = {
		"│", "▶", "┬", { { " ", "─", "─" }, { " ", "┄", "━" }, { " ", "─", "█" } }
	};

	return page->is_ascii ? &ascii : &drawn;
}

/* --- labels --- */

/* Escaped text as it is shown: all of it, or in a locale of ASCII its other bytes as \xNN. */
static void
write_label(const struct chart_page *page, char *out, size_t size, const char *text)
{
	size_t at = 0;

	for (; *text != '\0' && at + 5 < size; text++) {
		const bool is_plain = !page->is_ascii || (uint8_t)*text < 0x80;
		at += (size_t)snprintf(out + at, size - at, is_plain ? "%c" : "\\x%02x",
				       is_plain ? *text : (uint8_t)*text);
	}
	out[at] = '\0';
}

static void
name_party(const struct chart *chart, uint32_t party, char *out, size_t size)
{
	const struct chart_party *one = &chart->parties[party];

	if (one->name.length > 0) {
		words_escape(out, size, one->name.bytes, one->name.length);
		return;
	}
	hex_write(out, one->handle.bytes, 8);
}

static void
label_of(const struct chart_page *page, const struct chart_lane *lane, char out[LABEL_MAX])
{
	char one[4 * NAME_BYTES_MAX + 1], other[4 * NAME_BYTES_MAX + 1] = "";
	char both[sizeof one + sizeof other + 16];

	name_party(page->chart, lane->party[0], one, sizeof one);
	if (lane->kind == CHART_CONNECTED) {
		name_party(page->chart, lane->party[1], other, sizeof other);
	}
	snprintf(both, sizeof both, "%s%s%s", one,
		 lane->kind == CHART_CONNECTED ? " with "
		 : lane->kind == CHART_RELAY   ? ", relayed"
					       : "",
		 other);
	write_label(page, out, LABEL_MAX, both);
}

/* Columns that text may take: two for what is not ASCII. */
static unsigned
step(const char *at)
{
	const uint8_t byte = (uint8_t)*at;

	return byte < 0x80 ? 1 : (byte & 0xC0) == 0xC0 ? 2 : 0;
}

static unsigned
label_width(const char *text)
{
	unsigned width = 0;

	for (; *text != '\0'; text++) {
		width += step(text);
	}
	return width;
}

static void
cut_label(char *text, unsigned width)
{
	unsigned used = 0;
	size_t fits = 0;

	if (label_width(text) <= width) {
		return;
	}
	for (size_t i = 0; text[i] != '\0'; i++) {
		if (step(text + i) > 0 && used + 2 <= width) {
			fits = i;
		}
		used += step(text + i);
	}
	memcpy(text + fits, "..", 3);
}

/* --- columns --- */

struct chart_page
chart_page_make(const struct chart *chart, unsigned width, bool is_ascii)
{
	struct chart_page page = { .chart = chart, .is_ascii = is_ascii, .label = LABEL_WIDTH };
	const unsigned most = width / 3 > LABEL_WIDTH ? width / 3 : LABEL_WIDTH;
	char text[LABEL_MAX];

	assert(width >= CHART_WIDTH_MIN && width <= CHART_WIDTH_MAX);
	for (uint32_t i = 0; i < chart->lane_count && page.label < most; i++) {
		if (chart->lanes[i].is_drawn) {
			label_of(&page, &chart->lanes[i], text);
			page.label =
				label_width(text) > page.label ? label_width(text) : page.label;
		}
	}
	page.label = page.label > most ? most : page.label;
	page.bars = width - page.label - SUM_WIDTH - FRAME_WIDTH;
	return page;
}

/* --- the head --- */

/* As short as the width of the range allows: "14:13:20.003", "14:13:20" or "09-21 14:13". */
static void
print_tick(char *out, size_t size, const struct chart *chart, uint64_t us)
{
	const uint64_t width_s = (chart->end_us - chart->begin_us) / 1000000;
	char whole[MOMENT_PRINT_MAX];

	moment_print(whole, sizeof whole, us);
	snprintf(out, size, "%.*s",
		 width_s < 60      ? TICK_WIDTH
		 : width_s < 86400 ? 8
				   : 11,
		 width_s < 86400 ? whole + 11 : whole + 5);
	char *t = strchr(out, 'T');
	if (t != NULL) {
		*t = ' ';
	}
}

/* How many times stand above the bars, besides the first. */
static unsigned
parts_of(const struct chart_page *page)
{
	const unsigned room = page->bars / (TICK_WIDTH + 2);

	return room < 3 ? 1 : room > 5 ? 4 : room - 1;
}

static void
add_ticks(const struct chart_page *page, struct paper *out)
{
	const struct chart *chart = page->chart;
	const unsigned parts = parts_of(page);
	const uint64_t width = chart->end_us - chart->begin_us;
	char tick[MOMENT_PRINT_MAX];

	for (unsigned i = 0; i <= parts; i++) {
		const unsigned column = i * (page->bars + 1) / parts;
		print_tick(tick, sizeof tick, chart,
			   i == parts ? chart->end_us : chart->begin_us + width / parts * i);
		const unsigned back = i == 0       ? 0
				      : i == parts ? (unsigned)strlen(tick) - 1
						   : (unsigned)strlen(tick) / 2;
		paper_to_column(out, column > back ? column - back : 0);
		paper_add(out, "%s", tick);
	}
	paper_add(out, "\n");
}

static void
add_rule(const struct chart_page *page, struct paper *out)
{
	const struct glyphs *glyphs = glyphs_of(page);

	for (unsigned column = 0, next = 0; column <= page->bars + 1; column++) {
		const bool is_tick = column == next * (page->bars + 1) / parts_of(page);
		next += is_tick;
		paper_add(out, "%s", is_tick ? glyphs->axis : glyphs->level[CHART_THERE][1]);
	}
	paper_add(out, "\n");
}

void
chart_page_head(const struct chart_page *page, struct paper *out)
{
	const struct chart *chart = page->chart;
	char from[MOMENT_PRINT_MAX], to[MOMENT_PRINT_MAX], span[MOMENT_PRINT_MAX];

	paper_clear(out);
	paper_add(out, "%s to %s (%s)\n\n", moment_print(from, sizeof from, chart->begin_us),
		  moment_print(to, sizeof to, chart->end_us),
		  moment_print_span(span, sizeof span, chart->end_us - chart->begin_us));
	add_ticks(page, out);
	add_rule(page, out);
}

/* --- rows --- */

static void
add_sum(const struct chart_lane *lane, struct paper *out)
{
	char shown[MOMENT_PRINT_MAX + WORDS_BYTES_MAX];
	const uint64_t up = lane->bytes_up, down = lane->bytes_down;

	if (lane->kind == CHART_RELAY) {
		words_bytes(shown, sizeof shown, up > UINT64_MAX - down ? UINT64_MAX : up + down);
	} else {
		moment_print_span(shown, sizeof shown, lane->span_us);
	}
	paper_add(out, " %*s  ", SUM_WIDTH, shown);
}

void
chart_page_row(const struct chart_page *page, const struct chart_lane *lane, struct paper *out)
{
	const struct glyphs *glyphs = glyphs_of(page);
	char label[LABEL_MAX];

	paper_clear(out);
	paper_add(out, "%s", glyphs->frame);
	for (unsigned i = 0; i < page->bars; i++) {
		const enum chart_level level = chart_level_at(page->chart, lane, i, page->bars);
		paper_add(out, "%s", glyphs->level[lane->kind][level]);
	}
	paper_add(out, "%s", lane->level != CHART_NOTHING ? glyphs->still : glyphs->frame);
	add_sum(lane, out);
	label_of(page, lane, label);
	cut_label(label, page->label);
	paper_add(out, "%s\n", label);
}

void
chart_page_legend(const struct chart_page *page, struct paper *out)
{
	const struct glyphs *g = glyphs_of(page);

	paper_clear(out);
	paper_add(out,
		  "\n%s there  %s offered  %s connected: answered, and neither has left the room\n"
		  "%s has a relay  %s what it relayed was measured  %s still so at the end\n",
		  g->level[CHART_THERE][CHART_FULL], g->level[CHART_CONNECTED][CHART_FAINT],
		  g->level[CHART_CONNECTED][CHART_FULL], g->level[CHART_RELAY][CHART_FAINT],
		  g->level[CHART_RELAY][CHART_FULL], g->still);
}
