/* The page's frame and its first sections: what it is about, who was there, who met whom. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "replay/moment.h"
#include "replay/picture.h"
#include "replay/report_html.h"
#include "replay/report_style.h"
#include "replay/report_words.h"
#include "replay/words.h"
#include "store/base64.h"

void
report_html_fact(struct scroll *out, const char *name)
{
	scroll_add(out, "<dt>%s</dt><dd>", name);
}

/* --- head --- */

static void
head(struct scroll *out, const struct report *r)
{
	scroll_put(out,
		   "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		   "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		   "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
		   "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		   "<meta name=\"referrer\" content=\"no-referrer\">\n<title>Evidence report: ");
	scroll_html(out, r->scope.origin, strlen(r->scope.origin));
	scroll_put(out, "</title>\n<style>\n");
	scroll_put(out, report_style);
	scroll_put(out, "</style>\n</head>\n<body>\n");
}

static void
title(struct scroll *out, const struct report *r)
{
	char from[MOMENT_PRINT_MAX], to[MOMENT_PRINT_MAX];

	scroll_put(out, "<header>\n<h1>Evidence report</h1>\n<p class=\"lead\">What the log <b>");
	scroll_html(out, r->scope.origin, strlen(r->scope.origin));
	scroll_add(out,
		   "</b> recorded from <span class=\"nowrap\">%s</span> to "
		   "<span class=\"nowrap\">%s</span></p>\n",
		   report_moment(from, sizeof from, r->scope.from_us),
		   report_moment(to, sizeof to, r->scope.to_us));
}

static void
card(struct scroll *out, bool is_alert, const char *number, const char *what)
{
	scroll_add(out, "<div%s><dt>%s</dt><dd>%s</dd></div>\n", is_alert ? " class=\"alert\"" : "",
		   what, number);
}

static void
cards(struct scroll *out, const struct report *r)
{
	char number[REPORT_NUMBER_MAX], bytes[WORDS_BYTES_MAX];

	scroll_put(out, "<dl class=\"cards\">\n");
	card(out, false, report_number(number, r->events), "events");
	card(out, false, report_number(number, r->agent_count),
	     r->scope.profile == PROFILE_ENVELOPE ? "handles of agents" : "agents");
	card(out, false, report_number(number, r->rooms_seen.count), "rooms");
	card(out, false, report_number(number, r->signals), "signals passed on");
	card(out, false, report_number(number, r->allocations), "relays allocated");
	card(out, false, words_bytes(bytes, sizeof bytes, r->bytes_up + r->bytes_down), "relayed");
	card(out, false, report_number(number, r->refused_requests), "requests refused");
	card(out, r->missing > 0, report_number(number, r->missing), "entries not disclosed");
	scroll_put(out, "</dl>\n</header>\n<main>\n");
}

/* --- scope --- */

static void
optional_fact(struct scroll *out, const char *name, const char *value)
{
	if (value != NULL && value[0] != '\0') {
		report_html_fact(out, name);
		scroll_html(out, value, strlen(value));
		scroll_put(out, "</dd>\n");
	}
}

static void
scope(struct scroll *out, const struct report *r)
{
	char root[48], first[REPORT_NUMBER_MAX], last[REPORT_NUMBER_MAX];
	char value[REPORT_ANCHORED_MAX], name[32];
	const char *what = NULL;

	scroll_put(out, "<section>\n<h2 id=\"scope\">Scope</h2>\n<dl class=\"facts\">\n");
	report_html_fact(out, "Entries");
	if (r->scope.end > r->scope.from) {
		scroll_add(out, "%s to %s</dd>\n", report_number(first, r->scope.from),
			   report_number(last, r->scope.end - 1));
	} else {
		scroll_put(out, "none</dd>\n");
	}
	optional_fact(out, "Asked for", r->scope.filter);
	optional_fact(out, "Requested by", r->scope.requester);
	optional_fact(out, "Purpose", r->scope.purpose);
	report_html_fact(out, "Profile");
	scroll_add(out, "%s</dd>\n", report_profile(r->scope.profile));
	report_html_fact(out, "Log");
	scroll_put(out, "<span class=\"mono\">");
	scroll_html(out, r->scope.origin, strlen(r->scope.origin));
	scroll_put(out, "</span></dd>\n");
	if (r->scope.size > 0) {
		base64_write(root, r->scope.root.bytes, sizeof r->scope.root.bytes);
		report_html_fact(out, "Checkpoint");
		scroll_add(out, "size %" PRIu64 ", root <span class=\"mono\">%s</span></dd>\n",
			   r->scope.size, root);
	}
	for (unsigned n = 0; report_anchored(r->scope.anchored, n, &what, value); n++) {
		snprintf(name, sizeof name, "%c%s", toupper((unsigned char)what[0]), what + 1);
		report_html_fact(out, name);
		scroll_html(out, value, strlen(value));
		scroll_put(out, "</dd>\n");
	}
	report_html_fact(out, "Times");
	scroll_put(out, "UTC, as the log's clock recorded them</dd>\n</dl>\n</section>\n");
}

/* --- who was there --- */

enum { STRIP_HEIGHT = 10 };

static void
agent_row(struct scroll *out, const struct report *r, uint32_t agent, uint32_t number)
{
	const struct report_agent *one = &r->agents[agent];
	char label[REPORT_LABEL_MAX], span[MOMENT_PRINT_MAX], count[REPORT_NUMBER_MAX];

	scroll_put(out, "<tr><th scope=\"row\">");
	scroll_html_word(out, report_label(label, one, 40));
	scroll_put(out, "</th><td>");
	picture_begin(out, "strip", REPORT_BUCKETS, STRIP_HEIGHT, number);
	scroll_html_word(out, label);
	picture_describe(out, number);
	moment_print_span(span, sizeof span, one->connected_us);
	scroll_add(out, "%s sessions, ", report_number(count, one->sessions));
	scroll_add(out, "%s connected, ", span);
	scroll_add(out, "%s signals sent", report_number(count, one->signals));
	picture_ready(out);
	picture_strip(out, &one->present, STRIP_HEIGHT);
	picture_end(out);
	scroll_add(out, "</td><td class=\"r\">%s</td></tr>\n", one->connected_us > 0 ? span : "-");
}

static void
and_more(struct scroll *out, uint64_t shown, uint64_t all, const char *what)
{
	char number[REPORT_NUMBER_MAX];

	if (all > shown) {
		scroll_add(out,
			   "<p class=\"note\">and %s more %s: all of them stand in the log.</p>\n",
			   report_number(number, all - shown), what);
	}
}

static void
who_was_there(struct scroll *out, const struct report *r, uint32_t *number)
{
	uint32_t agents[REPORT_SHOWN_AGENTS];
	const uint32_t count = report_rank_agents(r, agents, REPORT_SHOWN_AGENTS);

	scroll_put(out, "<section>\n<h2 id=\"sessions\">Who was there</h2>\n");
	if (count == 0) {
		scroll_put(out,
			   "<p>No agent took part in anything in this range.</p>\n</section>\n");
		return;
	}
	scroll_put(
		out,
		"<table class=\"bars\">\n<caption>When each agent was connected; the busiest first."
		"</caption>\n<colgroup><col class=\"who\"><col><col class=\"sum\"></colgroup>\n"
		"<thead><tr><th scope=\"col\">Agent</th><th scope=\"col\">");
	picture_axis(out, r);
	scroll_put(out,
		   "</th><th scope=\"col\" class=\"r\">Connected</th></tr></thead>\n<tbody>\n");
	for (uint32_t i = 0; i < count; i++) {
		agent_row(out, r, agents[i], (*number)++);
	}
	scroll_put(out, "</tbody></table>\n");
	and_more(out, count, r->agent_count + r->agents_not_kept, "agents");
	scroll_put(out, "</section>\n");
}

/* --- who met whom --- */

static void
pair_row(struct scroll *out, const struct report *r, const struct report_pair *pair)
{
	char label[REPORT_LABEL_MAX], span[MOMENT_PRINT_MAX], number[REPORT_NUMBER_MAX];

	scroll_put(out, "<tr><th scope=\"row\">");
	scroll_html_word(out, report_label(label, &r->agents[pair->a], 48));
	scroll_put(out, "</th><td>");
	scroll_html_word(out, report_label(label, &r->agents[pair->b], 48));
	scroll_add(out, "</td><td class=\"r\">%s</td>",
		   moment_print_span(span, sizeof span, pair->together_us));
	scroll_add(out, "<td class=\"r\">%s</td></tr>\n", report_number(number, pair->signals));
}

static void
who_met_whom(struct scroll *out, const struct report *r, uint32_t *number)
{
	uint32_t agents[PICTURE_MATRIX_MAX], pairs[REPORT_SHOWN_PAIRS];
	const uint32_t count = report_rank_agents(r, agents, PICTURE_MATRIX_MAX);
	const uint32_t met = report_rank_pairs(r, pairs, REPORT_SHOWN_PAIRS);

	scroll_put(out, "<section>\n<h2 id=\"met\">Who met whom</h2>\n");
	if (met == 0) {
		scroll_put(out, "<p>No two agents were in one room at the same time, and none sent "
				"another a signal.</p>\n</section>\n");
		return;
	}
	scroll_put(out,
		   "<p class=\"note\">A square for each two agents: the darker, the longer they "
		   "were in one room at the same time.</p>\n<div class=\"scroll\" tabindex=\"0\" "
		   "role=\"region\" "
		   "aria-label=\"Who met whom, picture\">\n");
	picture_matrix(out, r, agents, count, (*number)++);
	scroll_put(
		out,
		"\n</div>\n<table>\n<caption>Those who were together the longest.</caption>\n"
		"<thead><tr><th scope=\"col\">Agent</th><th scope=\"col\">met</th>"
		"<th scope=\"col\" class=\"r\">together</th><th scope=\"col\" class=\"r\">signals"
		"</th></tr></thead>\n<tbody>\n");
	for (uint32_t i = 0; i < met; i++) {
		pair_row(out, r, &r->pairs[pairs[i]]);
	}
	scroll_put(out, "</tbody></table>\n");
	and_more(out, met, r->pair_count + r->pairs_not_kept, "pairs");
	scroll_put(out, "</section>\n");
}

bool
report_html(struct report *r, report_write *write, void *context)
{
	struct scroll out;
	uint32_t number = 1;

	report_close(r);
	scroll_begin(&out, write, context);
	head(&out, r);
	title(&out, r);
	cards(&out, r);
	scope(&out, r);
	who_was_there(&out, r, &number);
	who_met_whom(&out, r, &number);
	report_html_counts(&out, r, &number);
	report_html_proof(&out, r);
	scroll_put(&out,
		   "</main>\n<footer><p>Made by ifreplay " IFSWARM_VERSION
		   ". This page loads nothing from anywhere and runs no script.</p></footer>\n"
		   "</body>\n</html>\n");
	return scroll_end(&out);
}
