/* Sections of report.html: bytes over time, refusals, acts, events by type. */
#include <inttypes.h>
#include <stdlib.h>

#include "protocol/verdict.h"
#include "replay/moment.h"
#include "replay/picture.h"
#include "replay/report_html.h"
#include "replay/report_words.h"
#include "replay/words.h"

/* --- bytes relayed --- */

static uint64_t
highest_bar(const struct report *r)
{
	uint64_t highest = 0;

	for (uint32_t i = 0; i < REPORT_BARS; i++) {
		const uint64_t sum = r->bars_up[i] + r->bars_down[i];
		highest = sum > highest ? sum : highest;
	}
	return highest;
}

static void
traffic_words(struct scroll *out, const struct report *r)
{
	char up[WORDS_BYTES_MAX], down[WORDS_BYTES_MAX], number[REPORT_NUMBER_MAX];

	scroll_add(out,
		   "<div class=\"legend\"><span><i class=\"key up\"></i>client to peer: %s</span>"
		   "<span><i class=\"key down\"></i>peer to client: %s</span>",
		   words_bytes(up, sizeof up, r->bytes_up),
		   words_bytes(down, sizeof down, r->bytes_down));
	scroll_add(out, "<span>%s packets</span></div>\n",
		   report_number(number, r->packets_up + r->packets_down));
}

static void
traffic(struct scroll *out, const struct report *r, uint32_t *number)
{
	const uint64_t highest = highest_bar(r);
	const uint64_t width = (r->scope.to_us - r->scope.from_us) / REPORT_BARS;
	char bytes[WORDS_BYTES_MAX], span[MOMENT_PRINT_MAX], count[REPORT_NUMBER_MAX];

	scroll_put(out, "<section>\n<h2 id=\"traffic\">Bytes relayed over time</h2>\n");
	scroll_add(out, "<p>%s relays were allocated", report_number(count, r->allocations));
	scroll_add(out, "; %s of those that ended had never relayed a packet.</p>\n",
		   report_number(count, r->never_used));
	if (highest == 0) {
		scroll_put(out, "<p>Nothing was relayed in this range.</p>\n</section>\n");
		return;
	}
	traffic_words(out, r);
	scroll_put(out, "<figure style=\"margin:0\">\n");
	picture_begin(out, "columns", REPORT_BARS, 100, *number);
	scroll_put(out, "Bytes relayed over time");
	picture_describe(out, *number);
	words_bytes(bytes, sizeof bytes, highest);
	scroll_add(out, "%d columns of equal time; the highest stands for %s.", (int)REPORT_BARS,
		   bytes);
	picture_ready(out);
	picture_columns(out, r->bars_up, r->bars_down, highest);
	picture_end(out);
	(*number)++;
	picture_axis(out, r);
	scroll_add(out,
		   "<figcaption class=\"note\">The highest column is %s in %s. Relays report every "
		   "minute "
		   "and when they end: a column holds what was reported then.</figcaption>\n"
		   "</figure>\n</section>\n",
		   bytes, moment_print_span(span, sizeof span, width));
}

/* --- refusals --- */

struct refusal {
	uint64_t requests;
	unsigned service, verdict;
};

static int
by_requests(const void *one, const void *other)
{
	const struct refusal *a = one, *b = other;

	if (a->requests != b->requests) {
		return a->requests < b->requests ? 1 : -1;
	}
	return a->service != b->service ? (int)a->service - (int)b->service
					: (int)a->verdict - (int)b->verdict;
}

static void
refusal_row(struct scroll *out, const struct refusal *one, uint64_t most, uint32_t number)
{
	enum verdict verdict = ACCEPTED;
	const bool is_known = verdict_from_number(one->verdict, &verdict);
	char count[REPORT_NUMBER_MAX];
	const char *code = is_known ? verdict_code(verdict) : "OTHER";

	scroll_put(out, "<tr><th scope=\"row\">");
	scroll_html_word(out, is_known ? verdict_text(verdict) : "another reason");
	scroll_add(out, "<br><span class=\"mono note\">%s %s</span></th><td>",
		   one->service == 0 ? "signaling" : "TURN", code);
	picture_begin(out, "part", 1000, 10, number);
	scroll_put(out, code);
	picture_describe(out, number);
	scroll_add(out, "%s requests refused", report_number(count, one->requests));
	picture_ready(out);
	picture_part(out, one->requests, most, 10);
	picture_end(out);
	scroll_add(out, "</td><td class=\"r\">%s</td></tr>\n", count);
}

static uint32_t
collect_refusals(const struct report *r, struct refusal *out)
{
	uint32_t count = 0;

	for (unsigned service = 0; service < 2; service++) {
		for (unsigned verdict = 0; verdict < REPORT_VERDICTS_MAX; verdict++) {
			if (r->refused[service][verdict] > 0) {
				out[count++] = (struct refusal){ r->refused[service][verdict],
								 service, verdict };
			}
		}
	}
	qsort(out, count, sizeof out[0], by_requests);
	return count;
}

static void
refusals(struct scroll *out, const struct report *r, uint32_t *number)
{
	struct refusal list[2 * REPORT_VERDICTS_MAX];
	const uint32_t count = collect_refusals(r, list);

	scroll_put(out, "<section>\n<h2 id=\"refusals\">Refusals by reason</h2>\n");
	if (count == 0) {
		scroll_put(out, "<p>No request was refused.</p>\n</section>\n");
		return;
	}
	scroll_put(out,
		   "<table class=\"bars\">\n<caption>Requests that were refused.</caption>\n"
		   "<colgroup><col class=\"who\"><col><col class=\"sum\"></colgroup>\n<thead><tr>"
		   "<th scope=\"col\">Reason</th><th scope=\"col\">Share</th>"
		   "<th scope=\"col\" class=\"r\">Requests</th></tr></thead>\n<tbody>\n");
	for (uint32_t i = 0; i < count; i++) {
		refusal_row(out, &list[i], list[0].requests, (*number)++);
	}
	scroll_put(out, "</tbody></table>\n</section>\n");
}

/* --- acts --- */

static const char *const lane_names[LANES] = {
	[LANE_HOLDS] = "Holds",          [LANE_ERASURES] = "Erasures",
	[LANE_EXPORTS] = "Exports",      [LANE_QUESTIONS] = "Questions asked",
	[LANE_CARE] = "Care of the log",
};

static void
lane_row(struct scroll *out, const struct report *r, enum report_lane lane, uint32_t number)
{
	char count[REPORT_NUMBER_MAX];

	scroll_add(out, "<tr><th scope=\"row\">%s</th><td>", lane_names[lane]);
	picture_begin(out, "strip acts", REPORT_BUCKETS, 10, number);
	scroll_put(out, lane_names[lane]);
	picture_describe(out, number);
	scroll_add(out, "%s events", report_number(count, r->lane_counts[lane]));
	picture_ready(out);
	picture_strip(out, &r->lanes[lane], 10);
	picture_end(out);
	scroll_add(out, "</td><td class=\"r\">%s</td></tr>\n", count);
}

static void
act_rows(struct scroll *out, const struct report *r)
{
	char when[MOMENT_PRINT_MAX], type[64];

	scroll_put(out,
		   "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
		   "aria-label=\"Acts\"><table>\n<caption>In order of time.</caption>\n<thead><tr>"
		   "<th scope=\"col\" class=\"r\">Entry</th><th scope=\"col\">When (UTC)</th>"
		   "<th scope=\"col\">What</th></tr></thead>\n<tbody>\n");
	for (uint32_t i = 0; i < r->act_count; i++) {
		const struct report_act *act = &r->acts[i];
		report_type(type, sizeof type, event_describe(act->type)->name);
		scroll_add(out,
			   "<tr><td class=\"r\">%" PRIu64 "</td><td class=\"nowrap\">%.19s</td>",
			   act->seq, report_moment(when, sizeof when, act->us));
		scroll_add(out, "<td><b>%s</b> ", type);
		scroll_html_word(out, act->text);
		scroll_put(out, "</td></tr>\n");
	}
	scroll_put(out, "</tbody></table></div>\n");
}

static void
acts(struct scroll *out, const struct report *r, uint32_t *number)
{
	char count[REPORT_NUMBER_MAX], keys[REPORT_NUMBER_MAX], parts[REPORT_NUMBER_MAX];

	scroll_put(out,
		   "<section>\n<h2 id=\"acts\">Erasures and holds</h2>\n"
		   "<p>What people did with the evidence is evidence too.</p>\n"
		   "<table class=\"bars\">\n<colgroup><col class=\"who\"><col><col class=\"sum\">"
		   "</colgroup>\n<thead><tr><th scope=\"col\">Act</th><th scope=\"col\">");
	picture_axis(out, r);
	scroll_put(out, "</th><th scope=\"col\" class=\"r\">Events</th></tr></thead>\n<tbody>\n");
	for (unsigned lane = 0; lane < LANES; lane++) {
		lane_row(out, r, (enum report_lane)lane, (*number)++);
	}
	scroll_put(out, "</tbody></table>\n");
	if (r->keys_erased + r->parts_erased > 0) {
		scroll_add(
			out,
			"<p>Destroyed in this range: %s keys of %s subjects, %s sealed parts. What "
			"they sealed cannot be read by anybody any more; the entries and their "
			"hashes "
			"stay.</p>\n",
			report_number(keys, r->keys_erased),
			report_number(count, r->subjects_erased),
			report_number(parts, r->parts_erased));
	}
	if (r->act_count > 0) {
		act_rows(out, r);
	}
	if (r->acts_not_kept > 0) {
		scroll_add(out, "<p class=\"note\">and %s more acts.</p>\n",
			   report_number(count, r->acts_not_kept));
	}
	scroll_put(out, "</section>\n");
}

/* --- events by type --- */

static void
reasons(struct scroll *out, const char *what, const uint64_t *counts,
	const char *(*name_of)(uint64_t))
{
	char number[REPORT_NUMBER_MAX];
	bool is_first = true;

	for (unsigned i = 0; i < REPORT_REASONS_MAX; i++) {
		if (counts[i] > 0) {
			scroll_add(out, "%s%s %s", is_first ? what : ", ",
				   report_number(number, counts[i]), name_of(i));
			is_first = false;
		}
	}
	scroll_put(out, is_first ? "" : "</dd>\n");
}

static void
types(struct scroll *out, const struct report *r)
{
	char number[REPORT_NUMBER_MAX], type[64];

	scroll_put(out, "<section>\n<h2 id=\"types\">Events by type and outcome</h2>\n<dl "
			"class=\"facts\">\n");
	reasons(out, "<dt>Sessions ended</dt><dd>", r->leaves, leave_reason_name);
	reasons(out, "<dt>Relays ended</dt><dd>", r->ends, end_reason_name);
	scroll_add(out, "<dt>Refused requests</dt><dd>%s</dd>\n",
		   report_number(number, r->refused_requests));
	scroll_add(out,
		   "<dt>Claims</dt><dd>%s, the reporters' own words: counted here and used nowhere "
		   "else</dd>\n</dl>\n",
		   report_number(number, r->claims));
	scroll_put(out, "<table>\n<caption>Each event type that occurs.</caption>\n<thead><tr>"
			"<th scope=\"col\">Event</th><th scope=\"col\">Written by</th>"
			"<th scope=\"col\" class=\"r\">Events</th></tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < event_types(); i++) {
		const struct event_description *one = event_describe_at(i);
		if (r->by_type[i] > 0) {
			scroll_add(out,
				   "<tr><th scope=\"row\">%s</th><td>%s</td><td "
				   "class=\"r\">%s</td></tr>\n",
				   report_type(type, sizeof type, one->name),
				   stream_name(one->stream), report_number(number, r->by_type[i]));
		}
	}
	if (r->unknown_types > 0) {
		scroll_add(
			out,
			"<tr><th scope=\"row\">types that this program does not know</th><td></td>"
			"<td class=\"r\">%s</td></tr>\n",
			report_number(number, r->unknown_types));
	}
	scroll_put(out, "</tbody></table>\n</section>\n");
}

void
report_html_counts(struct scroll *out, const struct report *r, uint32_t *number)
{
	traffic(out, r, number);
	refusals(out, r, number);
	acts(out, r, number);
	types(out, r);
}
