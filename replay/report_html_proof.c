/* Sections of report.html: gaps, clocks, what is proved, how to check. */
#include <inttypes.h>

#include "replay/moment.h"
#include "replay/report_html.h"
#include "replay/report_words.h"

static void
number_fact(struct scroll *out, const char *name, uint64_t number, const char *words)
{
	char shown[REPORT_NUMBER_MAX];

	report_html_fact(out, name);
	scroll_add(out, "%s%s</dd>\n", number == 0 ? "none" : report_number(shown, number),
		   number == 0 ? "" : words);
}

static void
gaps(struct scroll *out, const struct report *r)
{
	char number[REPORT_NUMBER_MAX];

	number_fact(out, "Not disclosed", r->missing,
		    r->scope.is_in_bundle
			    ? " entries, each with its hash and the reason in data/omissions.jsonl"
			    : " entries of the range are not in this report");
	if (r->gap_count == 0) {
		return;
	}
	report_html_fact(out, "Which");
	for (uint32_t i = 0; i < r->gap_count; i++) {
		const struct report_gap *gap = &r->gaps[i];
		scroll_add(out, "%s%" PRIu64, i > 0 ? ", " : "", gap->from);
		if (gap->end - gap->from > 1) {
			scroll_add(out, "&#8211;%" PRIu64, gap->end - 1);
		}
	}
	if (r->gaps_not_kept > 0) {
		scroll_add(out, " and %s more gaps", report_number(number, r->gaps_not_kept));
	}
	scroll_put(out, "</dd>\n");
}

static void
not_kept(struct scroll *out, const struct report *r)
{
	const uint64_t all = r->agents_not_kept + r->pairs_not_kept + r->present_not_kept;

	number_fact(
		out, "Beyond this page", all,
		" agents, stays or meetings found no room in its tables: their events are counted, "
		"their names and times are not");
}

static void
clocks(struct scroll *out, const struct report *r)
{
	char half[MOMENT_PRINT_MAX], most[MOMENT_PRINT_MAX], all[MOMENT_PRINT_MAX];
	char span[MOMENT_PRINT_MAX], number[REPORT_NUMBER_MAX];

	scroll_put(out, "<h3>Clocks</h3>\n<dl class=\"facts\">\n");
	report_html_fact(out, "From event to record");
	scroll_add(out, "half %s, 99 of 100 %s, the longest %s</dd>\n",
		   report_delay(half, sizeof half, r, 50), report_delay(most, sizeof most, r, 99),
		   moment_print_span(all, sizeof all, r->delay_longest_us));
	number_fact(out, "Recorded before it occurred", r->early,
		    " events: two clocks on one machine that differ");
	report_html_fact(out, "Clock set back");
	if (r->steps_back == 0) {
		scroll_put(out, "never</dd>\n</dl>\n");
		return;
	}
	scroll_add(out,
		   "<span class=\"bad\">%s%s, by %s at most; recorded times stood still until the "
		   "clock had caught up</span></dd>\n</dl>\n",
		   r->steps_back == 1 ? "once" : report_number(number, r->steps_back),
		   r->steps_back == 1 ? "" : " times",
		   moment_print_span(span, sizeof span, r->step_longest_us));
}

static void
health(struct scroll *out, const struct report *r)
{
	scroll_put(out,
		   "<section>\n<h2 id=\"health\">Gaps and health</h2>\n<dl class=\"facts\">\n");
	gaps(out, r);
	number_fact(out, "Unclean starts", r->unclean_starts,
		    " of the witness: the run before had not ended in order");
	number_fact(out, "Log suspended", r->suspensions, " times: no new work was taken");
	number_fact(out, "Automatic restarts", r->restarts, "");
	number_fact(out, "Health checks failed", r->health_failures, "");
	not_kept(out, r);
	scroll_put(out, "</dl>\n");
	clocks(out, r);
	scroll_put(out, "</section>\n");
}

static void
proof(struct scroll *out, const struct report *r)
{
	scroll_put(out, "<section>\n<h2 id=\"proof\">What is proved, and what is not</h2>\n"
			"<div class=\"holds\"><h3>Proved</h3>\n<ul>\n");
	for (unsigned i = 0; report_proved(r, i) != NULL; i++) {
		scroll_add(out, "<li>%s</li>\n", report_proved(r, i));
	}
	scroll_put(out, "</ul></div>\n<div class=\"open\"><h3>Not proved</h3>\n<ul>\n");
	for (unsigned i = 0; report_not_proved(i) != NULL; i++) {
		scroll_add(out, "<li>%s</li>\n", report_not_proved(i));
	}
	scroll_put(out, "</ul></div>\n</section>\n");
}

static void
check(struct scroll *out, const struct report *r)
{
	scroll_put(out, "<section>\n<h2 id=\"check\">How to check</h2>\n");
	if (r->scope.is_in_bundle) {
		scroll_put(
			out,
			"<p>Unpack the bundle this page came in, and run one of these. Each is "
			"independent of the others. Have the log's key from elsewhere than the "
			"bundle: "
			"it decides.</p>\n<pre>sh verify/verify.sh --log-key KEY\n"
			"python3 verify/verify.py --log-key KEY\nifreplay verify-bundle "
			"BUNDLE.tar</pre>\n"
			"<p>The last line of the first two says HOLDS or DOES NOT HOLD. This page "
			"is one "
			"of the files they check.</p>\n");
	} else {
		scroll_put(out,
			   "<p>On the machine that keeps the log, or with a copy of it:</p>\n"
			   "<pre>ifreplay verify --data-dir DIR\nifreplay export --data-dir "
			   "DIR</pre>\n"
			   "<p>The second makes a bundle with proofs that a stranger can check "
			   "without any "
			   "of these programs.</p>\n");
	}
	scroll_put(out, "</section>\n");
}

void
report_html_proof(struct scroll *out, const struct report *r)
{
	health(out, r);
	proof(out, r);
	check(out, r);
}
