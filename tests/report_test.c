#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#include "replay/report.h"
#include "tests/disclosed_fixture.h"

enum { PAGE_MAX = 4 * 1024 * 1024 };
static const uint64_t start_us = UINT64_C(1790000000000000);

/* A page kept in memory. */
struct page {
	size_t count;
	char text[PAGE_MAX];
};
static struct page html, text, again;

static bool
keep(void *context, const char *bytes, size_t count)
{
	struct page *page = context;

	assert_true(page->count + count < PAGE_MAX);
	memcpy(page->text + page->count, bytes, count);
	page->count += count;
	page->text[page->count] = '\0';
	return true;
}

static bool
refuse(void *context, const char *bytes, size_t count)
{
	unsigned *calls = context;

	(void)bytes;
	(void)count;
	++*calls;
	return false;
}

static struct report_scope
scope_of(uint64_t from, uint64_t end, uint64_t seconds)
{
	return (struct report_scope){
		.origin = "ifswarm.local/test",
		.size = 1000,
		.root = { { 1, 2, 3 } },
		.from = from,
		.end = end,
		.from_us = start_us,
		.to_us = start_us + seconds * 1000000,
		.profile = PROFILE_NONE,
	};
}

static void
write_both(struct report *report)
{
	html.count = text.count = 0;
	assert_true(report_html(report, keep, &html));
	assert_true(report_text(report, keep, &text));
}

/* --- what may be fed --- */

struct feeder {
	struct report *report;
	struct sample sample;
	uint64_t seq;
};

static void
feed(struct feeder *f, uint64_t second)
{
	sample_wrap(&f->sample, f->seq++, start_us + second * 1000000);
	report_feed(f->report, &f->sample.disclosed);
}

static void
begin(struct feeder *f, enum event_type type)
{
	f->sample.event = (struct event){ .type = type };
}

static struct id
handle(const char *kind, const char *name)
{
	struct id id = { { 0 } };

	snprintf((char *)id.bytes, sizeof id.bytes, "%s%s", kind, name);
	return id;
}

static void
come(struct feeder *f, uint64_t second, const char *agent, const char *room)
{
	begin(f, EVENT_AGENT_REGISTERED);
	struct event_agent_registered *e = &f->sample.event.agent_registered;
	e->agent = handle("a", agent);
	e->room = handle("r", room);
	name_set(&e->agent_name, agent, strlen(agent));
	name_set(&e->room_name, room, strlen(room));
	feed(f, second);
}

static void
go(struct feeder *f, uint64_t second, const char *agent, const char *room)
{
	begin(f, EVENT_AGENT_DISCONNECTED);
	struct event_agent_disconnected *e = &f->sample.event.agent_disconnected;
	e->agent = handle("a", agent);
	e->room = handle("r", room);
	e->reason = LEAVE_CLOSED;
	name_set(&e->agent_name, agent, strlen(agent));
	feed(f, second);
}

static void
signal_to(struct feeder *f, uint64_t second, const char *from, const char *to)
{
	begin(f, EVENT_SDP_OFFER_RELAYED);
	f->sample.event.sdp_offer_relayed.from = handle("a", from);
	f->sample.event.sdp_offer_relayed.to = handle("a", to);
	feed(f, second);
}

static void
use_relay(struct feeder *f, uint64_t second, uint64_t up, uint64_t down)
{
	begin(f, EVENT_TURN_RELAY_USAGE);
	f->sample.event.turn_relay_usage.user = handle("a", "alice");
	f->sample.event.turn_relay_usage.bytes_up = up;
	f->sample.event.turn_relay_usage.bytes_down = down;
	feed(f, second);
}

static void
be_refused(struct feeder *f, uint64_t second, uint64_t verdict, uint64_t count)
{
	begin(f, EVENT_SIGNALING_REQUEST_REFUSED);
	f->sample.event.signaling_request_refused.verdict = verdict;
	f->sample.event.signaling_request_refused.count = count;
	feed(f, second);
}

/* Two agents of whom one stays; a stranger in another room; traffic, refusals, a hold, an erasure,
 * a step back; seq 20 to 24 do not come. */
static void
feed_story(struct feeder *f)
{
	come(f, 0, "alice", "lobby");
	come(f, 60, "bob", "lobby");
	come(f, 60, "carol", "elsewhere");
	signal_to(f, 61, "alice", "bob");
	signal_to(f, 62, "bob", "alice");
	use_relay(f, 100, 1500, 500);
	be_refused(f, 110, 42, 7);
	be_refused(f, 111, 250, 2);
	go(f, 180, "alice", "lobby");
	begin(f, EVENT_HOLD_PLACED);
	name_set(&f->sample.event.hold_placed.agent_name, "bob", 3);
	name_set(&f->sample.event.hold_placed.reason, "case 17", 7);
	feed(f, 190);
	begin(f, EVENT_MONTH_ERASED);
	f->sample.event.month_erased = (struct event_month_erased){ 202608, 12, 34, 1 };
	feed(f, 191);
	begin(f, EVENT_CLOCK_STEPPED_BACK);
	f->sample.event.clock_stepped_back.by_us = 2500000;
	feed(f, 192);
	f->seq = 25;
	begin(f, EVENT_CLAIM_REPORTED);
	feed(f, 200);
}

/* --- the pages say --- */

static const struct {
	const char *name;
	const char *in_text;
	const char *in_html;
} story_rows[] = {
	{ "how many events", "events                  13\n", "<dd>13</dd>" },
	{ "how many agents", "agents                  3\n", "<dt>agents</dt><dd>3</dd>" },
	{ "how many rooms", "rooms                   2\n", "<dt>rooms</dt><dd>2</dd>" },
	{ "how long one was there, who left", "3 min 0 s", "<td class=\"r\">3 min 0 s</td>" },
	{ "and one who stayed", "4 min 0 s", "<td class=\"r\">4 min 0 s</td>" },
	{ "who met whom, and for how long", "bob                          2 min 0 s, 2 signals",
	  "<td>bob</td><td class=\"r\">2 min 0 s</td><td class=\"r\">2</td>" },
	{ "how much was relayed", "client to peer          1.5 kB", "client to peer: 1.5 kB" },
	{ "why was refused", "7  signaling  AGENT_ID_TAKEN", "signaling AGENT_ID_TAKEN" },
	{ "a verdict that is not known", "2  signaling  OTHER", "signaling OTHER" },
	{ "a hold", "hold placed: on bob, until it is released. Reason: case 17",
	  "<b>hold placed</b> on bob, until it is released. Reason: case 17" },
	{ "a month erased", "month erased: keys up to month 202608: 12 keys and 34",
	  "12 keys of 0 subjects, 34 sealed parts" },
	{ "a gap", "which                   12 to 24", "<dt>Which</dt><dd>12&#8211;24" },
	{ "and one at the end", "26 to 29", ", 26&#8211;29" },
	{ "how many are missing", "not disclosed           17", "<dd>17 entries" },
	{ "the clock", "clock set back          1\n", "once, by 2.500 s at most" },
	{ "claims apart", "claims by agents        1\n", "<dt>Claims</dt><dd>1," },
	{ "which log", "ifswarm.local/test", "<b>ifswarm.local/test</b>" },
	{ "what is not proved", "leaves no trace in", "leaves no trace in any hash" },
	{ "that a page alone proves nothing", "This page by itself proves nothing",
	  "This page by itself proves nothing" },
};

static void
a_story_is_told(void **state)
{
	const struct report_scope scope = scope_of(0, 30, 300);
	struct feeder f = { .report = report_make(&scope) };

	(void)state;
	feed_story(&f);
	write_both(f.report);
	for (size_t i = 0; i < sizeof story_rows / sizeof story_rows[0]; i++) {
		if (strstr(text.text, story_rows[i].in_text) == NULL) {
			fail_msg("report.txt: %s: no '%s' in\n%s", story_rows[i].name,
				 story_rows[i].in_text, text.text);
		}
		if (strstr(html.text, story_rows[i].in_html) == NULL) {
			fail_msg("report.html: %s: no '%s'", story_rows[i].name,
				 story_rows[i].in_html);
		}
	}
	report_free(f.report);
}

static void
the_same_events_give_the_same_bytes(void **state)
{
	const struct report_scope scope = scope_of(0, 30, 300);
	struct feeder one = { .report = report_make(&scope) };
	struct feeder two = { .report = report_make(&scope) };

	(void)state;
	feed_story(&one);
	feed_story(&two);
	html.count = again.count = 0;
	assert_true(report_html(one.report, keep, &html));
	assert_true(report_html(two.report, keep, &again));
	assert_string_equal(html.text, again.text);
	again.count = 0;
	assert_true(report_html(two.report, keep, &again));
	assert_string_equal(html.text, again.text);
	report_free(one.report);
	report_free(two.report);
}

/* --- well-formed, whatever the names --- */

static const char *
is_void_element(const char *name, size_t count)
{
	static const char *const names[] = { "meta", "br", "col", "!DOCTYPE" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strlen(names[i]) == count && memcmp(names[i], name, count) == 0) {
			return names[i];
		}
	}
	return NULL;
}

/* Every element is closed in its turn, every attribute quoted; NULL, or where it is not. */
static const char *
fault_in(const char *page)
{
	const char *open[64];
	size_t depth = 0;

	for (const char *at = strchr(page, '<'); at != NULL; at = strchr(at, '<')) {
		const bool is_end = at[1] == '/';
		const char *name = at + 1 + is_end;
		const size_t count = strcspn(name, " />");
		const char *end = name + count;

		while (*end != '\0' && *end != '>') {
			end = *end == '"' ? strchr(end + 1, '"') : end;
			if (end == NULL) {
				return at;
			}
			end++;
		}
		if (is_end && (depth == 0 || memcmp(open[--depth], name, count) != 0)) {
			return at;
		}
		if (!is_end && end[-1] != '/' && is_void_element(name, count) == NULL) {
			assert_true(depth < 64);
			open[depth++] = name;
		}
		at = end;
	}
	return depth == 0 ? NULL : open[depth - 1];
}

/* threat_A12 for readers of pages: a name is text, whatever it says. */
static const char *const hostile[] = {
	"<script>alert(1)</script>",
	"\"><img src=x onerror=alert(1)>",
	"' onmouseover='alert(1)",
	"</title></style></svg><svg onload=alert(1)>",
	"&lt;b&gt; &#x3C;script&#x3E;",
	"<!-- ",
	"]]>",
	"\x1B]0;title\x07",
	"\xE2\x80\xAEtxt.exe",
	"\xFF\xFE bytes",
	"%s%n%x",
	"javascript:alert(1)",
};

static void
hostile_names_are_text(void **state)
{
	struct report_scope scope = scope_of(0, 100, 300);
	struct feeder f = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
		const char *name = hostile[i];
		scope.origin = scope.filter = scope.requester = scope.purpose = name;
		f = (struct feeder){ .report = report_make(&scope) };
		come(&f, 0, name, name);
		come(&f, 1, "bob", name);
		begin(&f, EVENT_HOLD_PLACED);
		name_set(&f.sample.event.hold_placed.agent_name, name, strlen(name));
		name_set(&f.sample.event.hold_placed.reason, name, strlen(name));
		feed(&f, 2);
		begin(&f, EVENT_LOG_SUSPENDED);
		text_set(&f.sample.event.log_suspended.why, name);
		feed(&f, 3);
		write_both(f.report);
		const char *fault = fault_in(html.text);
		if (fault != NULL) {
			fail_msg("%s: not well-formed at %.80s", name, fault);
		}
		assert_null(strstr(html.text, "<script"));
		assert_null(strstr(html.text, "<img"));
		assert_null(strstr(html.text, "<svg onload"));
		assert_null(strpbrk(html.text, "\x1B\x07\xFF"));
		assert_null(strpbrk(text.text, "\x1B\x07\xFF"));
		assert_null(strstr(html.text, "\xE2\x80\xAE"));
		assert_null(strstr(text.text, "\xE2\x80\xAE"));
		report_free(f.report);
	}
}

static void
the_page_needs_nothing_from_elsewhere(void **state)
{
	static const char *const forbidden[] = { "http:",   "https:",  "src=",  "href=",  "url(",
						 "@import", "<script", "<link", "<iframe" };
	const struct report_scope scope = scope_of(0, 30, 300);
	struct feeder f = { .report = report_make(&scope) };

	(void)state;
	feed_story(&f);
	write_both(f.report);
	for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++) {
		if (strstr(html.text, forbidden[i]) != NULL) {
			fail_msg("the page has %s", forbidden[i]);
		}
	}
	assert_non_null(
		strstr(html.text, "Content-Security-Policy\" content=\"default-src 'none'"));
	assert_null(fault_in(html.text));
	report_free(f.report);
}

/* --- bounds --- */

static void
many_agents_are_and_more(void **state)
{
	enum { AGENTS = 20000 };
	const struct report_scope scope = scope_of(0, 2 * AGENTS, 2 * AGENTS);
	struct feeder f = { .report = report_make(&scope) };
	char name[32], room[32];

	(void)state;
	for (unsigned i = 0; i < AGENTS; i++) {
		snprintf(name, sizeof name, "g%u", i);
		snprintf(room, sizeof room, "r%u", i / 8);
		come(&f, i, name, room);
	}
	for (unsigned i = 0; i < AGENTS; i++) {
		snprintf(name, sizeof name, "g%u", i);
		snprintf(room, sizeof room, "r%u", i / 8);
		go(&f, AGENTS + i, name, room);
	}
	write_both(f.report);
	assert_non_null(strstr(html.text, "more agents: all of them stand in the log"));
	assert_true(html.count < 200000);
	assert_null(fault_in(html.text));
	assert_non_null(strstr(html.text, "found no room in its tables"));
	report_free(f.report);
}

static void
an_empty_range_is_a_page(void **state)
{
	const struct report_scope scope = scope_of(5, 5, 0);
	struct report *report = report_make(&scope);

	(void)state;
	write_both(report);
	assert_null(fault_in(html.text));
	assert_non_null(strstr(html.text, "No agent took part"));
	assert_non_null(strstr(html.text, "No request was refused"));
	report_free(report);
}

/* Each type alone, full and bare: no section trips over anything. */
static void
every_type_can_be_fed(void **state)
{
	struct report_scope scope = scope_of(0, 1000, 1000);
	struct sample sample;

	(void)state;
	for (int bare = 0; bare < 2; bare++) {
		struct report *report = report_make(&scope);
		for (size_t i = 0; i < event_types(); i++) {
			if (bare == 0) {
				sample_make(&sample, event_describe_at(i)->type, i, "alice");
			} else {
				sample_make_bare(&sample, event_describe_at(i)->type, i);
			}
			report_feed(report, &sample.disclosed);
		}
		sample.disclosed.event = NULL;
		sample.entry.seq++;
		report_feed(report, &sample.disclosed);
		write_both(report);
		assert_null(fault_in(html.text));
		assert_non_null(strstr(text.text, "types that this program does not know"));
		report_free(report);
	}
}

/* Who is seen leaving first was there before the range. */
static void
a_range_may_begin_in_the_middle(void **state)
{
	const struct report_scope scope = scope_of(500, 502, 100);
	struct feeder f = { .report = report_make(&scope), .seq = 500 };

	(void)state;
	go(&f, 50, "alice", "lobby");
	signal_to(&f, 60, "bob", "alice");
	write_both(f.report);
	assert_non_null(
		strstr(text.text, "alice                    ##############################."));
	assert_non_null(strstr(text.text, "50 s"));
	assert_non_null(strstr(text.text, "handle 61626f620000"));
	report_free(f.report);
}

static void
a_writer_that_stops_is_left_alone(void **state)
{
	const struct report_scope scope = scope_of(0, 30, 300);
	struct feeder f = { .report = report_make(&scope) };
	unsigned calls = 0;

	(void)state;
	feed_story(&f);
	assert_false(report_html(f.report, refuse, &calls));
	assert_int_equal(calls, 1);
	report_free(f.report);
}

/* No line of report.txt is longer than 100 columns where no name is. */
static void
text_keeps_to_its_width(void **state)
{
	const struct report_scope scope = scope_of(0, 30, 300);
	struct feeder f = { .report = report_make(&scope) };

	(void)state;
	feed_story(&f);
	write_both(f.report);
	for (const char *line = text.text; *line != '\0';) {
		const size_t count = strcspn(line, "\n");
		if (count > 100) {
			fail_msg("%.*s", (int)count, line);
		}
		line += count + (line[count] == '\n');
	}
	report_free(f.report);
}

static const struct {
	const char *name;
	struct anchored anchored;
	const char *line; /* of report.txt, and with a capital and tags of report.html */
} seen_by[] = {
	{ "nobody", { 0 }, "by nobody: all of this is on the log's own word" },
	{ "a witness",
	  { .cosigned_size = 1200, .count = 1, .by = { { "w.example", 1790000000 } } },
	  "w.example, 2026-09-21 14:13:20 UTC" },
	{ "up to where",
	  { .cosigned_size = 1200, .count = 1, .by = { { "w.example", 1790000000 } } },
	  "up to size 1200" },
	{ "an authority",
	  { .stamped_size = 7,
	    .stamped_us = UINT64_C(1790000000000000),
	    .authority = "tsa.example" },
	  "size 7, by tsa.example, recorded 2026-09-21 14:13:20 UTC" },
};

static void
who_else_has_seen_it_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof seen_by / sizeof seen_by[0]; i++) {
		struct report_scope scope = scope_of(0, 10, 10);

		scope.anchored = &seen_by[i].anchored;
		struct report *report = report_make(&scope);
		write_both(report);
		if (strstr(text.text, seen_by[i].line) == NULL) {
			fail_msg("%s: not in report.txt", seen_by[i].name);
		}
		/* Without what HTML writes otherwise. */
		const char *plain =
			strchr(seen_by[i].line, '\'') == NULL ? seen_by[i].line : "by nobody";
		if (strstr(html.text, plain) == NULL) {
			fail_msg("%s: not in report.html", seen_by[i].name);
		}
		report_free(report);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_story_is_told),
		cmocka_unit_test(the_same_events_give_the_same_bytes),
		cmocka_unit_test(hostile_names_are_text),
		cmocka_unit_test(the_page_needs_nothing_from_elsewhere),
		cmocka_unit_test(many_agents_are_and_more),
		cmocka_unit_test(an_empty_range_is_a_page),
		cmocka_unit_test(every_type_can_be_fed),
		cmocka_unit_test(a_range_may_begin_in_the_middle),
		cmocka_unit_test(who_else_has_seen_it_is_told),
		cmocka_unit_test(a_writer_that_stops_is_left_alone),
		cmocka_unit_test(text_keeps_to_its_width),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
