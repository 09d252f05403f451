/* report.txt: what report.html says, in 100 columns. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "protocol/verdict.h"
#include "replay/moment.h"
#include "replay/report_words.h"
#include "replay/scroll.h"
#include "replay/words.h"
#include "store/base64.h"

enum { WIDTH = 100, LABEL = 24, FACT = 26, STRIP = 60, MATRIX = 12, BLOCKS = 10 };

static void
heading(struct scroll *out, const char *words)
{
	char line[WIDTH + 1];
	const size_t count = strlen(words);

	memset(line, '-', count);
	line[count] = '\0';
	scroll_add(out, "\n%s\n%s\n", words, line);
}

static void
pad(struct scroll *out, size_t width, size_t column)
{
	scroll_add(out, "%*s", width < column ? (int)(column - width) : 1, "");
}

/* Broken at blanks, its lines after the first indented; terminated, escaped text. A word that is
 * longer than a line stays whole. */
static void
wrapped(struct scroll *out, size_t indent, const char *text)
{
	size_t column = indent;

	while (*text != '\0') {
		const size_t count = strcspn(text, " ");
		char word[REPORT_LABEL_MAX + 64];

		snprintf(word, sizeof word, "%.*s", (int)count, text);
		const size_t width = words_width(word);
		if (column > indent && column + 1 + width > WIDTH) {
			scroll_add(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			scroll_put(out, " ");
			column++;
		}
		scroll_put(out, word);
		column += width;
		text += count + (text[count] == ' ');
	}
	scroll_put(out, "\n");
}

static void
fact(struct scroll *out, const char *name, const char *value)
{
	scroll_add(out, "  %s", name);
	pad(out, strlen(name) + 2, FACT);
	wrapped(out, FACT, value);
}

static void
fact_from_outside(struct scroll *out, const char *name, const char *value)
{
	char shown[REPORT_LABEL_MAX];

	if (value != NULL && value[0] != '\0') {
		fact(out, name, words_escape(shown, sizeof shown, value, strlen(value)));
	}
}

static void
fact_number(struct scroll *out, const char *name, uint64_t number)
{
	char shown[REPORT_NUMBER_MAX];

	fact(out, name, report_number(shown, number));
}

/* --- what it is about --- */

static void
scope(struct scroll *out, const struct report *r)
{
	char from[MOMENT_PRINT_MAX], to[MOMENT_PRINT_MAX], line[256], root[48];
	char value[REPORT_ANCHORED_MAX];
	const char *what = NULL;
	const uint64_t last = r->scope.end > r->scope.from ? r->scope.end - 1 : r->scope.from;

	scroll_put(out, "EVIDENCE REPORT\n===============\n\n");
	fact_from_outside(out, "log", r->scope.origin);
	snprintf(line, sizeof line, "%s to %s", report_moment(from, sizeof from, r->scope.from_us),
		 report_moment(to, sizeof to, r->scope.to_us));
	fact(out, "recorded from", line);
	snprintf(line, sizeof line, "%" PRIu64 " to %" PRIu64, r->scope.from, last);
	fact(out, "entries", line);
	fact_from_outside(out, "asked for", r->scope.filter);
	fact_from_outside(out, "requested by", r->scope.requester);
	fact_from_outside(out, "purpose", r->scope.purpose);
	fact(out, "profile", report_profile(r->scope.profile));
	if (r->scope.size > 0) {
		base64_write(root, r->scope.root.bytes, sizeof r->scope.root.bytes);
		snprintf(line, sizeof line, "size %" PRIu64 ", root %s", r->scope.size, root);
		fact(out, "checkpoint", line);
	}
	for (unsigned n = 0; report_anchored(r->scope.anchored, n, &what, value); n++) {
		fact_from_outside(out, what, value);
	}
}

static void
glance(struct scroll *out, const struct report *r)
{
	char bytes[WORDS_BYTES_MAX];

	heading(out, "At a glance");
	fact_number(out, "events", r->events);
	fact_number(out, "agents", r->agent_count);
	fact_number(out, "rooms", r->rooms_seen.count);
	fact_number(out, "sessions", r->sessions);
	fact_number(out, "signals passed on", r->signals);
	fact_number(out, "relays allocated", r->allocations);
	fact(out, "relayed", words_bytes(bytes, sizeof bytes, r->bytes_up + r->bytes_down));
	fact_number(out, "requests refused", r->refused_requests);
	fact_number(out, "entries not disclosed", r->missing);
}

/* --- who was there, who met whom --- */

static void
strip(struct scroll *out, const struct report_strip *strip)
{
	const uint32_t each = REPORT_BUCKETS / STRIP;
	char line[STRIP + 1];

	for (uint32_t i = 0; i < STRIP; i++) {
		line[i] = '.';
		for (uint32_t j = 0; j < each; j++) {
			line[i] = report_is_marked(strip, i * each + j) ? '#' : line[i];
		}
	}
	line[STRIP] = '\0';
	scroll_add(out, "%s ", line);
}

/* A label in its column, and a blank. */
static void
label(struct scroll *out, const struct report_agent *agent, size_t width)
{
	char text[REPORT_LABEL_MAX];

	report_label(text, agent, width);
	scroll_put(out, text);
	pad(out, words_width(text), width + 1);
}

static void
axis(struct scroll *out, const struct report *r)
{
	char from[MOMENT_PRINT_MAX], to[MOMENT_PRINT_MAX];

	report_tick(from, sizeof from, r, r->scope.from_us);
	report_tick(to, sizeof to, r, r->scope.to_us);
	scroll_add(out, "%*s%s%*s\n", LABEL + 1, "", from, STRIP - (int)strlen(from), to);
}

static void
and_more(struct scroll *out, uint64_t shown, uint64_t all, const char *what)
{
	char number[REPORT_NUMBER_MAX];

	if (all > shown) {
		scroll_add(out, "and %s more %s\n", report_number(number, all - shown), what);
	}
}

static void
who_was_there(struct scroll *out, const struct report *r)
{
	uint32_t agents[REPORT_SHOWN_AGENTS];
	const uint32_t count = report_rank_agents(r, agents, REPORT_SHOWN_AGENTS);
	char span[MOMENT_PRINT_MAX];

	heading(out, "Who was there (connected: #; the busiest first)");
	for (uint32_t i = 0; i < count; i++) {
		const struct report_agent *one = &r->agents[agents[i]];
		label(out, one, LABEL);
		strip(out, &one->present);
		scroll_add(out, "%s\n",
			   one->connected_us > 0
				   ? moment_print_span(span, sizeof span, one->connected_us)
				   : "-");
	}
	axis(out, r);
	and_more(out, count, r->agent_count + r->agents_not_kept, "agents");
}

static void
matrix(struct scroll *out, const struct report *r)
{
	uint32_t agents[MATRIX];
	const uint32_t count = report_rank_agents(r, agents, MATRIX);

	scroll_add(out, "%*s", LABEL + 4, "");
	for (uint32_t i = 0; i < count; i++) {
		scroll_add(out, "%3" PRIu32, i + 1);
	}
	scroll_put(out, "\n");
	for (uint32_t i = 0; i < count; i++) {
		label(out, &r->agents[agents[i]], LABEL);
		scroll_add(out, "%3" PRIu32, i + 1);
		for (uint32_t j = 0; j < count; j++) {
			const struct report_pair *pair = report_pair_of(r, agents[i], agents[j]);
			const char *met = pair == NULL ? "  ." : pair->times > 0 ? "  #" : "  +";
			scroll_put(out, i == j ? "   " : met);
		}
		scroll_put(out, "\n");
	}
}

static void
who_met_whom(struct scroll *out, const struct report *r)
{
	uint32_t pairs[REPORT_SHOWN_PAIRS];
	const uint32_t met = report_rank_pairs(r, pairs, REPORT_SHOWN_PAIRS);
	char span[MOMENT_PRINT_MAX], number[REPORT_NUMBER_MAX];

	heading(out, "Who met whom (in one room: #; signals only: +)");
	if (met == 0) {
		scroll_put(out, "no two agents\n");
		return;
	}
	matrix(out, r);
	scroll_put(out, "\nthe longest together:\n");
	for (uint32_t i = 0; i < met; i++) {
		const struct report_pair *pair = &r->pairs[pairs[i]];
		label(out, &r->agents[pair->a], LABEL + 4);
		label(out, &r->agents[pair->b], LABEL + 4);
		scroll_add(out, "%s, ", moment_print_span(span, sizeof span, pair->together_us));
		scroll_add(out, "%s signals\n", report_number(number, pair->signals));
	}
	and_more(out, met, r->pair_count + r->pairs_not_kept, "pairs");
}

/* --- counts --- */

/* Rows of '#', the highest column BLOCKS high. */
static void
columns(struct scroll *out, const struct report *r, uint64_t highest)
{
	char line[REPORT_BARS + 1];

	for (uint64_t row = BLOCKS; row > 0; row--) {
		for (uint32_t i = 0; i < REPORT_BARS; i++) {
			const uint64_t sum = r->bars_up[i] + r->bars_down[i];
			line[i] = (double)sum * BLOCKS > (double)highest * (double)(row - 1) ? '#'
											     : ' ';
		}
		line[REPORT_BARS] = '\0';
		scroll_add(out, "%*s%s\n", LABEL + 1, row == BLOCKS ? "highest " : "", line);
	}
}

static void
traffic(struct scroll *out, const struct report *r)
{
	char up[WORDS_BYTES_MAX], down[WORDS_BYTES_MAX];
	uint64_t highest = 0;

	heading(out, "Bytes relayed over time");
	for (uint32_t i = 0; i < REPORT_BARS; i++) {
		const uint64_t sum = r->bars_up[i] + r->bars_down[i];
		highest = sum > highest ? sum : highest;
	}
	fact_number(out, "relays allocated", r->allocations);
	fact_number(out, "never used", r->never_used);
	fact(out, "client to peer", words_bytes(up, sizeof up, r->bytes_up));
	fact(out, "peer to client", words_bytes(down, sizeof down, r->bytes_down));
	if (highest > 0) {
		fact(out, "highest column", words_bytes(up, sizeof up, highest));
		columns(out, r, highest);
		axis(out, r);
	}
}

static void
refusals(struct scroll *out, const struct report *r)
{
	char number[REPORT_NUMBER_MAX];

	heading(out, "Refusals by reason");
	for (unsigned service = 0; service < 2; service++) {
		for (unsigned i = 0; i < REPORT_VERDICTS_MAX; i++) {
			enum verdict verdict = ACCEPTED;
			const bool is_known = verdict_from_number(i, &verdict);
			if (r->refused[service][i] == 0) {
				continue;
			}
			scroll_add(out, "%10s  %-10s %-20s %s\n",
				   report_number(number, r->refused[service][i]),
				   service == 0 ? "signaling" : "TURN",
				   is_known ? verdict_code(verdict) : "OTHER",
				   is_known ? verdict_text(verdict) : "another reason");
		}
	}
	if (r->refused_requests == 0) {
		scroll_put(out, "none\n");
	}
}

static void
acts(struct scroll *out, const struct report *r)
{
	static const char *const names[LANES] = { "holds", "erasures", "exports", "questions asked",
						  "care of the log" };
	char when[MOMENT_PRINT_MAX], type[64], line[REPORT_ACT_TEXT_MAX + 128];

	heading(out, "Erasures and holds, and what else was done with the evidence");
	for (unsigned lane = 0; lane < LANES; lane++) {
		scroll_add(out, "%-*s", LABEL + 1, names[lane]);
		strip(out, &r->lanes[lane]);
		scroll_add(out, "%" PRIu64 "\n", r->lane_counts[lane]);
	}
	axis(out, r);
	for (uint32_t i = 0; i < r->act_count; i++) {
		const struct report_act *act = &r->acts[i];
		scroll_add(out, "%8" PRIu64 "  %.19s  ", act->seq,
			   report_moment(when, sizeof when, act->us));
		snprintf(line, sizeof line, "%s: %s",
			 report_type(type, sizeof type, event_describe(act->type)->name),
			 act->text);
		wrapped(out, 31, line);
	}
	and_more(out, 0, r->acts_not_kept, "acts");
}

static void
types(struct scroll *out, const struct report *r)
{
	char number[REPORT_NUMBER_MAX];

	heading(out, "Events by type and outcome");
	for (size_t i = 0; i < event_types(); i++) {
		const struct event_description *one = event_describe_at(i);
		if (r->by_type[i] > 0) {
			scroll_add(out, "%10s  %-30s %s\n", report_number(number, r->by_type[i]),
				   one->name, stream_name(one->stream));
		}
	}
	if (r->unknown_types > 0) {
		scroll_add(out, "%10s  %s\n", report_number(number, r->unknown_types),
			   "types that this program does not know");
	}
	for (unsigned i = 0; i < REPORT_REASONS_MAX; i++) {
		if (r->leaves[i] > 0) {
			scroll_add(out, "%10s  sessions ended: %s\n",
				   report_number(number, r->leaves[i]), leave_reason_name(i));
		}
		if (r->ends[i] > 0) {
			scroll_add(out, "%10s  relays ended: %s\n",
				   report_number(number, r->ends[i]), end_reason_name(i));
		}
	}
	fact_number(out, "claims by agents", r->claims);
}

/* --- health and proof --- */

static void
health(struct scroll *out, const struct report *r)
{
	char line[256], half[MOMENT_PRINT_MAX], most[MOMENT_PRINT_MAX], all[MOMENT_PRINT_MAX];

	heading(out, "Gaps and health");
	fact_number(out, "not disclosed", r->missing);
	for (uint32_t i = 0; i < r->gap_count; i++) {
		snprintf(line, sizeof line, "%" PRIu64 " to %" PRIu64, r->gaps[i].from,
			 r->gaps[i].end - 1);
		fact(out, i == 0 ? "which" : "", line);
	}
	and_more(out, 0, r->gaps_not_kept, "gaps");
	fact_number(out, "unclean starts", r->unclean_starts);
	fact_number(out, "log suspended", r->suspensions);
	fact_number(out, "automatic restarts", r->restarts);
	fact_number(out, "health checks failed", r->health_failures);
	fact_number(out, "beyond these tables",
		    r->agents_not_kept + r->pairs_not_kept + r->present_not_kept);
	snprintf(line, sizeof line, "half %s, 99 of 100 %s, the longest %s",
		 report_delay(half, sizeof half, r, 50), report_delay(most, sizeof most, r, 99),
		 moment_print_span(all, sizeof all, r->delay_longest_us));
	fact(out, "from event to record", line);
	fact_number(out, "recorded too early", r->early);
	fact_number(out, "clock set back", r->steps_back);
	if (r->steps_back > 0) {
		fact(out, "at most by", moment_print_span(all, sizeof all, r->step_longest_us));
	}
}

static void
list(struct scroll *out, const char *text)
{
	scroll_put(out, "  - ");
	wrapped(out, 4, text);
}

static void
proof(struct scroll *out, const struct report *r)
{
	heading(out, "Proved");
	for (unsigned i = 0; report_proved(r, i) != NULL; i++) {
		list(out, report_proved(r, i));
	}
	heading(out, "Not proved");
	for (unsigned i = 0; report_not_proved(i) != NULL; i++) {
		list(out, report_not_proved(i));
	}
	heading(out, "How to check");
	scroll_put(out, r->scope.is_in_bundle ? "  sh verify/verify.sh --log-key KEY\n"
						"  python3 verify/verify.py --log-key KEY\n"
						"  ifreplay verify-bundle BUNDLE.tar\n"
					      : "  ifreplay verify --data-dir DIR\n"
						"  ifreplay export --data-dir DIR BUNDLE.tar\n");
}

bool
report_text(struct report *r, report_write *write, void *context)
{
	struct scroll out;

	report_close(r);
	scroll_begin(&out, write, context);
	scope(&out, r);
	glance(&out, r);
	who_was_there(&out, r);
	who_met_whom(&out, r);
	traffic(&out, r);
	refusals(&out, r);
	acts(&out, r);
	types(&out, r);
	health(&out, r);
	proof(&out, r);
	return scroll_end(&out);
}
