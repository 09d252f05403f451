#include "replay/picture.h"

#include <assert.h>
#include <inttypes.h>

#include "replay/moment.h"
#include "replay/report_words.h"

void
picture_begin(struct scroll *out, const char *class, unsigned width, unsigned height,
	      uint32_t number)
{
	scroll_add(
		out,
		"<svg class=\"%s\" viewBox=\"0 0 %u %u\" preserveAspectRatio=\"none\" role=\"img\" "
		"aria-labelledby=\"t%" PRIu32 " d%" PRIu32 "\"><title id=\"t%" PRIu32 "\">",
		class, width, height, number, number, number);
}

void
picture_describe(struct scroll *out, uint32_t number)
{
	scroll_add(out, "</title><desc id=\"d%" PRIu32 "\">", number);
}

void
picture_ready(struct scroll *out)
{
	scroll_put(out, "</desc>");
}

void
picture_end(struct scroll *out)
{
	scroll_put(out, "</svg>");
}

/* Neighbours are one rectangle: fewer bytes, and no hairlines between them. */
void
picture_strip(struct scroll *out, const struct report_strip *strip, unsigned height)
{
	for (uint32_t i = 0; i < REPORT_BUCKETS; i++) {
		const uint32_t first = i;

		while (i < REPORT_BUCKETS && report_is_marked(strip, i)) {
			i++;
		}
		if (i > first) {
			scroll_add(out,
				   "<rect x=\"%" PRIu32 "\" y=\"0\" width=\"%" PRIu32
				   "\" height=\"%u\"/>",
				   first, i - first, height);
		}
	}
}

void
picture_part(struct scroll *out, uint64_t part, uint64_t whole, unsigned height)
{
	const double width = whole > 0 ? 1000.0 * (double)part / (double)whole : 0;

	scroll_add(out, "<rect x=\"0\" y=\"0\" width=\"%.1f\" height=\"%u\"/>",
		   part > 0 && width < 4 ? 4 : width, height);
}

static double
column(struct scroll *out, const char *class, uint32_t place, double from, double height)
{
	if (height > 0) {
		scroll_add(out,
			   "<rect class=\"%s\" x=\"%" PRIu32
			   ".1\" y=\"%.2f\" width=\"0.8\" height=\"%.2f\"/>",
			   class, place, from - height, height);
	}
	return from - height;
}

void
picture_columns(struct scroll *out, const uint64_t *lower, const uint64_t *upper, uint64_t highest)
{
	const double unit = highest > 0 ? 100.0 / (double)highest : 0;

	for (uint32_t i = 0; i < REPORT_BARS; i++) {
		const double top = column(out, "up", i, 100, unit * (double)lower[i]);
		column(out, "down", i, top, unit * (double)upper[i]);
	}
}

void
picture_axis(struct scroll *out, const struct report *r)
{
	const uint64_t width = r->scope.to_us - r->scope.from_us;
	char tick[MOMENT_PRINT_MAX];

	scroll_put(out, "<div class=\"axis\" aria-hidden=\"true\">");
	for (uint64_t i = 0; i <= 4; i++) {
		scroll_add(out, "<span>%s</span>",
			   report_tick(tick, sizeof tick, r, r->scope.from_us + width / 4 * i));
	}
	scroll_put(out, "</div>");
}

/* --- matrix --- */

enum { CELL = 26, LABEL_WIDTH = 190, HEAD = 24, LABEL_COLUMNS = 24, SHADES = 5 };

/* By the logarithm of the time shared: minutes and days both show. 1 for a pair that only
 * signalled. */
static unsigned
shade_of(const struct report_pair *pair, uint64_t longest_us)
{
	unsigned levels = 0, all = 0;

	for (uint64_t us = longest_us; us > 1000; us /= 2) {
		all++;
	}
	for (uint64_t us = pair->together_us; us > 1000; us /= 2) {
		levels++;
	}
	return all == 0 ? 1 : 1 + levels * (SHADES - 1) / all;
}

static uint64_t
longest_together(const struct report *r, const uint32_t *agents, uint32_t count)
{
	uint64_t longest = 0;

	for (uint32_t i = 0; i < count; i++) {
		for (uint32_t j = 0; j < i; j++) {
			const struct report_pair *pair = report_pair_of(r, agents[i], agents[j]);
			longest = pair != NULL && pair->together_us > longest ? pair->together_us
									      : longest;
		}
	}
	return longest;
}

static void
cell(struct scroll *out, const struct report *r, const uint32_t *agents, uint32_t row,
     uint32_t column_, uint64_t longest)
{
	const struct report_pair *pair = report_pair_of(r, agents[row], agents[column_]);
	const uint32_t x = LABEL_WIDTH + column_ * CELL, y = HEAD + row * CELL;
	char label[REPORT_LABEL_MAX], span[MOMENT_PRINT_MAX], number[REPORT_NUMBER_MAX];

	if (pair == NULL) {
		scroll_add(out,
			   "<rect class=\"%s\" x=\"%" PRIu32 "\" y=\"%" PRIu32
			   "\" width=\"24\" height=\"24\" rx=\"3\"/>",
			   row == column_ ? "self" : "m0", x, y);
		return;
	}
	scroll_add(out,
		   "<rect class=\"m%u\" x=\"%" PRIu32 "\" y=\"%" PRIu32
		   "\" width=\"24\" height=\"24\" rx=\"3\"><title>",
		   shade_of(pair, longest), x, y);
	scroll_html_word(out, report_label(label, &r->agents[agents[row]], 60));
	scroll_put(out, " and ");
	scroll_html_word(out, report_label(label, &r->agents[agents[column_]], 60));
	scroll_add(out, ": %s together, ", moment_print_span(span, sizeof span, pair->together_us));
	scroll_add(out, "%s signals</title></rect>", report_number(number, pair->signals));
}

static void
row_label(struct scroll *out, const struct report *r, uint32_t agent, uint32_t row)
{
	char label[REPORT_LABEL_MAX];

	scroll_add(out, "<text x=\"%d\" y=\"%" PRIu32 "\" text-anchor=\"end\">", LABEL_WIDTH - 28,
		   HEAD + row * CELL + 17);
	scroll_html_word(out, report_label(label, &r->agents[agent], LABEL_COLUMNS));
	scroll_add(out,
		   "</text><text class=\"n\" x=\"%d\" y=\"%" PRIu32
		   "\" text-anchor=\"end\">%" PRIu32 "</text>",
		   LABEL_WIDTH - 8, HEAD + row * CELL + 17, row + 1);
}

void
picture_matrix(struct scroll *out, const struct report *r, const uint32_t *agents, uint32_t count,
	       uint32_t number)
{
	const uint64_t longest = longest_together(r, agents, count);

	assert(count <= PICTURE_MATRIX_MAX);
	scroll_add(out,
		   "<svg class=\"matrix\" viewBox=\"0 0 %" PRIu32 " %" PRIu32 "\" width=\"%" PRIu32
		   "\" role=\"img\" aria-labelledby=\"t%" PRIu32 " d%" PRIu32 "\">",
		   LABEL_WIDTH + count * CELL + 2, HEAD + count * CELL + 2,
		   LABEL_WIDTH + count * CELL + 2, number, number);
	scroll_add(
		out,
		"<title id=\"t%" PRIu32 "\">Who met whom</title><desc id=\"d%" PRIu32
		"\">A square for each two agents; the darker, the longer they were in one room at "
		"the "
		"same time. The table below says the same in words.</desc>",
		number, number);
	for (uint32_t i = 0; i < count; i++) {
		scroll_add(out,
			   "<text class=\"n\" x=\"%" PRIu32
			   "\" y=\"16\" text-anchor=\"middle\">%" PRIu32 "</text>",
			   LABEL_WIDTH + i * CELL + 12, i + 1);
		row_label(out, r, agents[i], i);
		for (uint32_t j = 0; j < count; j++) {
			cell(out, r, agents, i, j, longest);
		}
	}
	picture_end(out);
}
