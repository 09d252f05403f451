/* The chart of who was connected to whom: each row a short story and how it is drawn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/chart.h"
#include "replay/words.h"

enum { PAGE_MAX = 65536, WIDTH = 80 };

/* Alice is 1, bob 2, and so on; all in one room unless a story says another. */
static const char *const people[] = { "", "alice", "bob", "carol" };

static struct chart chart;
static struct filter filter;
static struct options options;
static struct entry entry;
static char drawn[PAGE_MAX];

static struct id
id_of(uint8_t kind, uint8_t number)
{
	return (struct id){ { kind, [15] = number } };
}

/* As the log says them elsewhere. */
static const struct name *
known(void *context, const struct id *handle)
{
	static struct name name;
	const char *word = people[handle->bytes[15] % 4];

	(void)context;
	name_set(&name, word, strlen(word));
	return name.length > 0 ? &name : NULL;
}

static void
feed(const struct event *event)
{
	who_concerns_agent(&filter.agent, event);
	who_concerns_agent(&filter.peer, event);
	chart_feed(&chart, &entry, event);
	entry.seq++;
}

static void
join(uint8_t agent, uint8_t room, const char *name)
{
	struct event event = { .type = EVENT_AGENT_REGISTERED };

	event.agent_registered.agent = id_of('a', agent);
	event.agent_registered.room = id_of('r', room);
	name_set(&event.agent_registered.agent_name, name, strlen(name));
	feed(&event);
}

static void
leave(uint8_t agent, uint8_t room)
{
	struct event event = { .type = EVENT_AGENT_DISCONNECTED };

	event.agent_disconnected.agent = id_of('a', agent);
	event.agent_disconnected.room = id_of('r', room);
	feed(&event);
}

static void
sent(enum event_type type, uint8_t from, uint8_t to)
{
	struct event event = { .type = type };

	event.sdp_offer_relayed.from = id_of('a', from);
	event.sdp_offer_relayed.to = id_of('a', to);
	event.sdp_offer_relayed.room = id_of('r', 1);
	feed(&event);
}

static void
allocate(uint8_t user)
{
	char name[32];
	struct event event = { .type = EVENT_TURN_ALLOCATION_CREATED };

	event.turn_allocation_created.allocation = id_of('t', user);
	event.turn_allocation_created.user = id_of('u', user);
	snprintf(name, sizeof name, "1790003600:%s", people[user]);
	name_set(&event.turn_allocation_created.user_name, name, strlen(name));
	feed(&event);
}

static void
use(uint8_t user, uint64_t bytes)
{
	struct event event = { .type = EVENT_TURN_RELAY_USAGE };

	event.turn_relay_usage.allocation = id_of('t', user);
	event.turn_relay_usage.user = id_of('u', user);
	event.turn_relay_usage.bytes_up = bytes;
	feed(&event);
}

static void
release(uint8_t user)
{
	struct event event = { .type = EVENT_TURN_ALLOCATION_ENDED };

	event.turn_allocation_ended.allocation = id_of('t', user);
	feed(&event);
}

/* A story in words: "+1" alice comes, "-1" she goes, "1o2" she offers to bob, "1a2" she answers,
 * "1c2" sends a candidate, "*1" she is given a relay, "#1" it relayed 1000 bytes, "/1" it ends; "."
 * a second passes; "|" here begins what was asked for. */
static void
tell(const char *story)
{
	for (const char *at = story; *at != '\0'; at++) {
		const uint8_t who = at[1] == '\0' ? 0 : (uint8_t)(at[1] - '0');

		switch (*at) {
		case '+':
			join(who, 1, people[who]);
			at++;
			break;
		case '-':
			leave(who, 1);
			at++;
			break;
		case '*':
			allocate(who);
			at++;
			break;
		case '#':
			use(who, 1000);
			at++;
			break;
		case '/':
			release(who);
			at++;
			break;
		case '|':
			chart.is_quiet = false;
			chart.from_us = entry.recorded_us;
			break;
		case '.':
			entry.recorded_us += 1000000;
			break;
		default:
			sent(at[1] == 'o'   ? EVENT_SDP_OFFER_RELAYED
			     : at[1] == 'a' ? EVENT_SDP_ANSWER_RELAYED
					    : EVENT_ICE_CANDIDATE_RELAYED,
			     (uint8_t)(at[0] - '0'), (uint8_t)(at[2] - '0'));
			at += 2;
			break;
		}
	}
}

static void
begin(const char *agent, const char *peer)
{
	memset(&options, 0, sizeof options);
	options.agent = agent;
	options.peer = peer;
	filter_make(&filter, &options);
	chart_make(&chart, &filter, known, NULL);
	memset(&entry, 0, sizeof entry);
	entry.recorded_us = UINT64_C(1790000000000000);
}

/* Only the rows; a blank and a letter for each column of the bars. */
static void
draw(unsigned width, bool is_ascii)
{
	struct paper paper;
	size_t at = 0;

	chart_close(&chart, entry.recorded_us);
	const struct chart_page page = chart_page_make(&chart, width, is_ascii);
	for (uint32_t i = 0; i < chart.lane_count; i++) {
		if (chart.lanes[i].is_drawn) {
			chart_page_row(&page, &chart.lanes[i], &paper);
			at += (size_t)snprintf(drawn + at, sizeof drawn - at, "%s", paper.text);
		}
	}
	drawn[at] = '\0';
}

static void
end(void)
{
	chart_free(&chart);
	filter_free(&filter);
}

/* What is drawn, run by run: "---   --" is "- -"; with the sum and the label behind it. */
static void
shorten(char *out)
{
	const char *at = drawn;
	char last = '\0';

	for (bool is_bar = true; *at != '\0'; at++) {
		const bool is_first = at == drawn || at[-1] == '\n';
		is_bar = is_first || (is_bar && !(strchr("|>", *at) != NULL));
		if (is_first || *at != last || (!is_bar && *at != ' ')) {
			*out++ = *at;
		}
		last = *at;
	}
	*out = '\0';
}

static const struct {
	const char *name, *agent, *peer, *given, *then;
} stories[] = {
	{ "one who stays", NULL, NULL, "+1...", "|-> 3.000 s alice\n" },
	{ "one who leaves and comes again", NULL, NULL, "+1..-1..+1..-1", "|- -| 4.000 s alice\n" },
	{ "an offer without an answer", NULL, NULL, "+1+2..1o2..-2",
	  "|-> 4.000 s alice\n|-| 4.000 s bob\n| .| 0.000 s alice with bob\n" },
	{ "an answer connects until one leaves", NULL, NULL, "+1+2..1o2..2a1..1c2-2..",
	  "|-> 8.000 s alice\n|- | 6.000 s bob\n| .= | 2.000 s alice with bob\n" },
	{ "a second registration parts them", NULL, NULL, "+1+21o22a1..+2..",
	  "|-> 4.000 s alice\n|-> 4.000 s bob\n|= | 2.000 s alice with bob\n" },
	{ "a second offer changes nothing", NULL, NULL, "+1+21o22a1..1o2..2a1..",
	  "|-> 6.000 s alice\n|-> 6.000 s bob\n|=> 6.000 s alice with bob\n" },
	{ "a relay, measured and not", NULL, NULL, "*1..#1..../1..",
	  "|#-| 1.0 kB alice, relayed\n" },
	{ "only who is asked for", "alice", NULL, "+1+2+31o22a1..1o32o3..-1",
	  "|-| 4.000 s alice\n|=| 4.000 s alice with bob\n| .| 0.000 s alice with carol\n" },
	{ "only two", "bob", "alice", "+1+2+31o22a12o33a2..",
	  "|-> 2.000 s alice\n|-> 2.000 s bob\n|=> 2.000 s alice with bob\n" },
	{ "others' leaving ends what is drawn", "alice", NULL, "+1+21o22a1..-2..",
	  "|-> 4.000 s alice\n|= | 2.000 s alice with bob\n" },
	{ "what was before is not drawn", NULL, NULL, "~+1+21o22a1..-2..|..",
	  "|-> 2.000 s alice\n" },
	{ "what lasts from before is drawn from there", NULL, NULL, "~+1+21o22a1..|..-2..",
	  "|-> 4.000 s alice\n|- | 2.000 s bob\n|= | 2.000 s alice with bob\n" },
};

static void
stories_are_drawn(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof stories / sizeof stories[0]; i++) {
		const bool has_past = *stories[i].given == '~';
		char found[PAGE_MAX];

		begin(stories[i].agent, stories[i].peer);
		chart.is_quiet = has_past;
		tell(stories[i].given + has_past);
		draw(WIDTH, true);
		end();
		shorten(found);
		if (strcmp(found, stories[i].then) != 0) {
			fail_msg("%s:\n%s%s", stories[i].name, found, drawn);
		}
	}
}

/* A name may hold what moves a cursor, turns the reading direction, or is two columns wide: the
 * bars of all rows end in one column, and no such byte comes through. */
static void
names_shift_nothing(void **state)
{
	static const char *const names[] = {
		"\x1b[2J\x1b[31mred",
		"\xe2\x80\xaegnp.exe",
		"=cmd()",
		"\xff\xfe broken",
		"漢字漢字漢字漢字漢字漢字漢字",
		"line\nbreak\r\ttab",
		"a name that is far longer than the third of a page that it may have",
	};
	const size_t count = sizeof names / sizeof names[0];

	(void)state;
	for (unsigned width = CHART_WIDTH_MIN; width <= 130; width += 30) {
		for (int is_ascii = 0; is_ascii <= 1; is_ascii++) {
			begin(NULL, NULL);
			for (size_t i = 0; i < count; i++) {
				join((uint8_t)(i + 1), 1, names[i]);
				entry.recorded_us += 1000000;
			}
			draw(width, is_ascii != 0);
			end();
			size_t lines = 0, bar = 0;
			for (char *line = strtok(drawn, "\n"); line != NULL;
			     line = strtok(NULL, "\n")) {
				const char *still = strstr(line, is_ascii ? ">" : "\u25b6");
				assert_non_null(still);
				const size_t at = (size_t)(still - line) / (is_ascii ? 1 : 3);
				bar = lines == 0 ? at : bar;
				assert_int_equal(is_ascii ? at : bar, bar);
				assert_true(words_width(line) <= width);
				for (const char *c = line; *c != '\0'; c++) {
					assert_true((uint8_t)*c >= ' ' && *c != 0x7f);
					assert_true(!is_ascii || (uint8_t)*c < 0x80);
				}
				assert_null(strstr(line, "\xe2\x80\xae"));
				lines++;
			}
			assert_int_equal(lines, count);
		}
	}
}

/* However far apart: what happened first and last stays where it belongs. */
static void
the_axis_folds(void **state)
{
	static const uint64_t spans[] = { 80, 1000, 60000000, UINT64_C(31536000000000),
					  UINT64_MAX - UINT64_C(1790000000000000) - 1 };

	(void)state;
	for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
		begin(NULL, NULL);
		join(1, 1, "first");
		leave(1, 1);
		entry.recorded_us += spans[i] / 2;
		join(2, 1, "second");
		entry.recorded_us += spans[i] - spans[i] / 2;
		chart_close(&chart, entry.recorded_us);
		assert_int_equal(chart_level_at(&chart, &chart.lanes[0], 0, 40), CHART_FULL);
		assert_int_equal(chart_level_at(&chart, &chart.lanes[0], 39, 40), CHART_NOTHING);
		assert_int_equal(chart_level_at(&chart, &chart.lanes[1], 0, 40), CHART_NOTHING);
		assert_int_equal(chart_level_at(&chart, &chart.lanes[1], 39, 40), CHART_FULL);
		end();
	}
}

/* More than there is room for: counted, and the rest is right. */
static void
what_finds_no_room_is_counted(void **state)
{
	struct event event = { .type = EVENT_AGENT_REGISTERED };

	(void)state;
	begin(NULL, NULL);
	for (uint32_t i = 0; i < CHART_PARTIES_MAX + 5; i++) {
		event.agent_registered.agent = (struct id){ { 'a', 1 } };
		memcpy(event.agent_registered.agent.bytes + 2, &i, sizeof i);
		event.agent_registered.room = id_of('r', 1);
		feed(&event);
		event.type = EVENT_AGENT_DISCONNECTED;
		event.agent_disconnected.agent = (struct id){ { 'a', 1 } };
		memcpy(event.agent_disconnected.agent.bytes + 2, &i, sizeof i);
		event.agent_disconnected.room = id_of('r', 1);
		feed(&event);
		memset(&event, 0, sizeof event);
		event.type = EVENT_AGENT_REGISTERED;
	}
	assert_int_equal(chart.lane_count, CHART_LANES_MAX);
	assert_true(chart.not_kept >= 5);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stories_are_drawn),
		cmocka_unit_test(names_shift_nothing),
		cmocka_unit_test(the_axis_folds),
		cmocka_unit_test(what_finds_no_room_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
