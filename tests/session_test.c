/* Session: who may do what, who hears of it, and that the log alone gives the state again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actors/session.h"

enum { TEXT_MAX = 2048, DUMP_MAX = 256 * 1024 };

/* What a test's outbox is: the notices in words. */
struct outbox {
	char text[TEXT_MAX];
};

static void
say(char *text, const char *format, ...)
{
	const size_t used = strlen(text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text + used, TEXT_MAX - used, format, arguments);
	va_end(arguments);
}

static void
say_roster(char *text, struct span body)
{
	struct mp_reader r = mp_reader_of(body);
	const size_t count = mp_get_array(&r, AGENTS_MAX);

	say(text, " [");
	for (size_t i = 0; i < count; i++) {
		const struct span name = mp_get_str(&r, NAME_BYTES_MAX);
		say(text, "%s%.*s", i > 0 ? " " : "", (int)name.count, (const char *)name.at);
	}
	assert_true(mp_reader_is_done(&r));
	say(text, "]");
}

#define NAME(name) (int)(name).length, (name).bytes

void
outbox_post(struct outbox *outbox, uint64_t front, const struct notice *notice, struct span body)
{
	char *text = outbox->text;

	say(text, "%s%llu:", text[0] == '\0' ? "" : "; ", (unsigned long long)front);
	switch ((int)notice->type) {
	case NOTICE_REGISTERED:
		say(text, "registered %llu %.*s", (unsigned long long)notice->registered.connection,
		    NAME(notice->registered.agent_name));
		if (body.count > 0) {
			say_roster(text, body);
		}
		break;
	case NOTICE_REFUSED:
		say(text, "refused %llu %s %.*s", (unsigned long long)notice->refused.connection,
		    verdict_name((enum verdict)notice->refused.verdict),
		    NAME(notice->refused.about));
		break;
	case NOTICE_DELIVER:
		say(text, "deliver %llu %.*s", (unsigned long long)notice->deliver.connection,
		    (int)body.count, (const char *)body.at);
		break;
	case NOTICE_JOINED:
		say(text, "joined %.*s%s", NAME(notice->joined.agent_name),
		    notice->joined.again ? " again" : "");
		break;
	case NOTICE_LEFT:
		say(text, "left %.*s", NAME(notice->left.agent_name));
		break;
	case NOTICE_CLOSE:
		say(text, "close %llu", (unsigned long long)notice->close.connection);
		break;
	default:
		fail_msg("notice %d is not session's", (int)notice->type);
	}
}

/* --- commands in words -------------------------------------------------------------------------
 */

struct world {
	struct core core;
	struct id instances[3]; /* attached, by gateway */
	uint64_t commands;
	struct outbox outbox;
	struct event_list events;
	struct session_state *state;
};

static struct id
id_of(uint8_t kind, uint64_t number)
{
	struct id id = { { kind } };

	for (int i = 0; i < 8; i++) {
		id.bytes[8 + i] = (uint8_t)(number >> (56 - 8 * i));
	}
	return id;
}

/* "_" is the empty name, "^" one with a control character, "*" one of the greatest length. */
static struct name
name_in(const char *word)
{
	struct name name;

	if (strcmp(word, "*") == 0) {
		memset(name.bytes, 'n', sizeof name.bytes);
		name.length = NAME_BYTES_MAX;
		return name;
	}
	name_set(&name, word, strcmp(word, "_") == 0 ? 0 : strlen(word));
	if (strcmp(word, "^") == 0) {
		name.bytes[0] = 7;
	}
	return name;
}

static struct command
command_in(struct world *world, const char *words)
{
	char verb[16] = "", one[64] = "_", two[64] = "_";
	unsigned front = 0, connection = 0;
	struct command c = { .now_us = 1735689600000000 + world->commands };

	const int count =
		sscanf(words, "%15s %u %u %63s %63s", verb, &front, &connection, one, two);
	assert_true(count >= 1);
	c.front = front;
	c.instance = world->instances[front <= 2 ? front : 0];
	c.command_id = id_of(0, ++world->commands);
	c.trace_id = id_of(4, connection);
	if (strcmp(verb, "attach") == 0) {
		c.type = COMMAND_ATTACH;
		c.attach.instance = connection == 0 ? (struct id){ { 0 } } : id_of(3, connection);
		c.instance = c.attach.instance;
	} else if (strcmp(verb, "register") == 0) {
		c.type = COMMAND_REGISTER;
		c.register_agent = (struct command_register_agent){
			.connection = connection,
			.agent_name = name_in(one),
			.room_name = name_in(two),
			.agent = id_of(1, world->commands),
			.room = id_of(2, world->commands),
		};
	} else if (strcmp(verb, "leave") == 0) {
		c.type = COMMAND_LEAVE;
		c.leave = (struct command_leave){ .connection = connection,
						  .reason = (uint64_t)atoi(one) };
	} else if (strcmp(verb, "refused") == 0) {
		c.type = COMMAND_SIGNALING_REFUSED;
		c.signaling_refused =
			(struct command_signaling_refused){ .verdict = connection,
							    .count = (uint64_t)atoi(one),
							    .day = id_of(5, world->commands) };
	} else if (strcmp(verb, "sweep") == 0) {
		c.type = COMMAND_SWEEP;
	} else if (strcmp(verb, "close") == 0) {
		c.type = COMMAND_CLOSE;
	} else if (strcmp(verb, "digest") == 0) {
		c.type = COMMAND_DIGEST;
	} else {
		c.type = COMMAND_SIGNAL;
		c.signal = (struct command_signal){ .connection = connection,
						    .from = name_in(one),
						    .to = name_in(two),
						    .bytes = 5 };
		c.signal.kind = verb[0] == 'o'   ? SIGNAL_OFFER
				: verb[0] == 'a' ? SIGNAL_ANSWER
				: verb[0] == 'c' ? SIGNAL_CANDIDATE
						 : 9;
	}
	return c;
}

/* What the desk does with a command, without a log. */
static enum verdict
run(struct world *world, const struct command *command)
{
	static const struct span frame = { (const uint8_t *)"frame", 5 };
	enum verdict verdict = ACCEPTED;

	world->events.count = 0;
	world->outbox.text[0] = '\0';
	if (!session_repeats(world->state, command)) {
		verdict = session_decide(world->state, command, &world->events);
	}
	assert_true(verdict == ACCEPTED || world->events.count == 0);
	for (uint32_t i = 0; i < world->events.count; i++) {
		session_apply(world->state, &world->events.items[i]);
	}
	if (verdict == ACCEPTED && command->type == COMMAND_ATTACH && command->front <= 2) {
		world->instances[command->front] = command->attach.instance;
	}
	session_tell(world->state, command, frame, verdict, &world->events, &world->outbox);
	return verdict;
}

static void
begin(struct world *world, struct session_sizes sizes)
{
	memset(world, 0, sizeof *world);
	world->state = session_new(&sizes, 99);
	assert_non_null(world->state);
}

/* Steps separated by ';' that are all accepted. */
static void
prepare(struct world *world, const char *given)
{
	char text[512];
	char *rest = text;

	snprintf(text, sizeof text, "%s", given);
	for (char *step = strtok_r(text, ";", &rest); step != NULL;
	     step = strtok_r(NULL, ";", &rest)) {
		const struct command command = command_in(world, step);
		assert_int_equal(run(world, &command), ACCEPTED);
	}
}

static void
say_events(char *text, const struct event_list *events)
{
	text[0] = '\0';
	for (uint32_t i = 0; i < events->count; i++) {
		const struct event *event = &events->items[i];

		say(text, "%s%s", i > 0 ? "; " : "", event_describe(event->type)->name);
		if (event->type == EVENT_AGENT_DISCONNECTED) {
			say(text, " (%s)", leave_reason_name(event->agent_disconnected.reason));
		}
		if (event->cause_back > 0) {
			say(text, " <- %u", event->cause_back);
		}
	}
}

struct row {
	const char *name;
	const char *given;
	const char *when;
	enum verdict verdict;
	const char *events;
	const char *notices;
};

#define BOTH "attach 1 1; attach 2 2"
#define PAIR BOTH "; register 1 10 A den; register 2 20 B den"

static const struct row rows[] = {
	/* attach */
	{ "a gateway attaches", "", "attach 1 1", ACCEPTED, "gateway_attached", "" },
	{ "it attaches again after session restarted", "attach 1 1", "attach 1 1", ACCEPTED, "",
	  "" },
	{ "an instance must be named", "", "attach 1 0", REFUSED_MALFORMED, "", "" },
	{ "there are no gateways beyond the limit", "", "attach 99 1", REFUSED_MALFORMED, "", "" },
	{ "nothing is taken before attach", "", "register 1 10 A den", REFUSED_NOT_ATTACHED, "",
	  "1:refused 10 REFUSED_NOT_ATTACHED " },
	/* register */
	{ "the first agent is alone", BOTH, "register 1 10 A den", ACCEPTED, "agent_registered",
	  "1:registered 10 A []" },
	{ "the second is told of the first, and the first's gateway of it",
	  BOTH "; register 1 10 A den", "register 2 20 B den", ACCEPTED, "agent_registered",
	  "2:registered 20 B [A]; 1:joined B" },
	{ "a gateway that has the roster is not sent it again", PAIR, "register 1 11 C den",
	  ACCEPTED, "agent_registered", "1:registered 11 C; 2:joined C" },
	{ "rooms do not hear one another", PAIR, "register 1 11 C attic", ACCEPTED,
	  "agent_registered", "1:registered 11 C []" },
	{ "one name may be in two rooms", PAIR, "register 1 11 A attic", ACCEPTED,
	  "agent_registered", "1:registered 11 A []" },
	{ "the longest name is good", BOTH, "register 1 10 * *", ACCEPTED, "agent_registered",
	  NULL },
	{ "the same again changes nothing", BOTH "; register 1 10 A den", "register 1 10 A den",
	  ACCEPTED, "", "1:registered 10 A []" },
	{ "one connection has one name", PAIR, "register 1 10 C den", REFUSED_REGISTERED, "",
	  "1:refused 10 REFUSED_REGISTERED " },
	{ "one connection has one room", PAIR, "register 1 10 A attic", REFUSED_REGISTERED, "",
	  "1:refused 10 REFUSED_REGISTERED " },
	{ "threat_H7: a name that is connected is taken", PAIR, "register 2 21 A den",
	  REFUSED_TAKEN, "", "2:refused 21 REFUSED_TAKEN A" },
	{ "an agent of a lost gateway gives its name up", PAIR "; attach 1 7",
	  "register 2 21 A den", ACCEPTED,
	  "agent_disconnected (gateway lost); agent_registered <- 1", "2:registered 21 A" },
	{ "other gateways hear that it came again", PAIR "; attach 1 7; register 1 12 C den",
	  "register 2 21 A den", ACCEPTED,
	  "agent_disconnected (gateway lost); agent_registered <- 1",
	  "2:registered 21 A; 1:joined A again" },
	{ "threat_H11: an empty name", BOTH, "register 1 10 _ den", REFUSED_NAME, "",
	  "1:refused 10 REFUSED_NAME " },
	{ "threat_H11: a name with a control character", BOTH, "register 1 10 ^ den", REFUSED_NAME,
	  "", "1:refused 10 REFUSED_NAME " },
	{ "threat_H11: an empty room", BOTH, "register 1 10 A _", REFUSED_ROOM, "",
	  "1:refused 10 REFUSED_ROOM " },
	{ "threat_H11: a room with a control character", BOTH, "register 1 10 A ^", REFUSED_ROOM,
	  "", "1:refused 10 REFUSED_ROOM " },
	{ "all places for agents are taken", PAIR "; register 1 11 C den; register 1 12 D den",
	  "register 1 13 E den", REFUSED_FULL, "", "1:refused 13 REFUSED_FULL " },
	{ "threat_H11: all places for rooms are taken", PAIR "; register 1 11 C attic",
	  "register 1 12 D loft", REFUSED_FULL, "", "1:refused 12 REFUSED_FULL " },
	{ "a place is free again after somebody left",
	  PAIR "; register 1 11 C den; register 1 12 D den; leave 1 11 1", "register 1 13 E den",
	  ACCEPTED, "agent_registered", "1:registered 13 E; 2:joined E" },
	/* leave */
	{ "an agent leaves", PAIR, "leave 1 10 1", ACCEPTED, "agent_disconnected (closed)",
	  "1:left A; 2:left A" },
	{ "threat_H5: an agent that is too slow", PAIR, "leave 1 10 3", ACCEPTED,
	  "agent_disconnected (too slow)", "1:left A; 2:left A" },
	{ "a connection that never registered leaves", PAIR, "leave 1 99 1", ACCEPTED, "", "" },
	{ "a gateway cannot say that it was lost", PAIR, "leave 1 10 2", REFUSED_MALFORMED, "",
	  "" },
	{ "a connection of another gateway is not its own", PAIR, "leave 2 10 1", ACCEPTED, "",
	  "" },
	/* signal */
	{ "an offer is relayed", PAIR, "offer 1 10 A B", ACCEPTED, "sdp_offer_relayed",
	  "2:deliver 20 frame" },
	{ "a second offer is relayed again", PAIR "; offer 1 10 A B", "offer 1 10 A B", ACCEPTED,
	  "sdp_offer_relayed", "2:deliver 20 frame" },
	{ "an answer is relayed", PAIR, "answer 2 20 B A", ACCEPTED, "sdp_answer_relayed",
	  "1:deliver 10 frame" },
	{ "a candidate is relayed", PAIR, "candidate 1 10 A B", ACCEPTED, "ice_candidate_relayed",
	  "2:deliver 20 frame" },
	{ "threat_H8: an offer to nobody", PAIR, "offer 1 10 A X", REFUSED_NO_SUCH_AGENT, "",
	  "1:refused 10 REFUSED_NO_SUCH_AGENT X" },
	{ "threat_H8: an answer to nobody", PAIR, "answer 1 10 A X", REFUSED_NO_SUCH_AGENT, "",
	  "1:refused 10 REFUSED_NO_SUCH_AGENT X" },
	{ "a candidate to nobody is dropped", PAIR, "candidate 1 10 A X", ACCEPTED, "", "" },
	{ "an offer into another room", BOTH "; register 1 10 A den; register 2 20 B attic",
	  "offer 1 10 A B", REFUSED_NO_SUCH_AGENT, "", "1:refused 10 REFUSED_NO_SUCH_AGENT B" },
	{ "an offer to an agent of a lost gateway", PAIR "; attach 2 7", "offer 1 10 A B",
	  REFUSED_NO_SUCH_AGENT, "", "1:refused 10 REFUSED_NO_SUCH_AGENT B" },
	{ "an offer in another's name", PAIR, "offer 1 10 B A", REFUSED_SPOOFED, "",
	  "1:refused 10 REFUSED_SPOOFED B" },
	{ "an offer before register", PAIR, "offer 1 11 A B", REFUSED_NOT_REGISTERED, "",
	  "1:refused 11 REFUSED_NOT_REGISTERED " },
	{ "an offer after leaving", PAIR "; leave 1 10 1", "offer 1 10 A B", REFUSED_NOT_REGISTERED,
	  "", "1:refused 10 REFUSED_NOT_REGISTERED " },
	{ "a signal of no known kind", PAIR, "shout 1 10 A B", REFUSED_MALFORMED, "",
	  "1:refused 10 REFUSED_MALFORMED " },
	/* refusals that are reported */
	{ "folded refusals are logged", BOTH, "refused 1 48 7", ACCEPTED,
	  "signaling_request_refused", "" },
	{ "the day keeps its handle", BOTH "; refused 1 48 7", "refused 2 47 1", ACCEPTED,
	  "signaling_request_refused", "" },
	{ "none refused is nothing to report", BOTH, "refused 1 48 0", REFUSED_MALFORMED, "", "" },
	{ "accepted is no refusal", BOTH, "refused 1 0 7", REFUSED_MALFORMED, "", "" },
	{ "a verdict that does not exist", BOTH, "refused 1 999 7", REFUSED_MALFORMED, "", "" },
	/* time, and the end */
	{ "nobody is swept while all gateways live", PAIR, "sweep", ACCEPTED, "", "" },
	{ "agents of a lost gateway are swept", PAIR "; attach 1 7", "sweep", ACCEPTED,
	  "agent_disconnected (gateway lost)", "2:left A" },
	{ "at the end all leave", PAIR, "close", ACCEPTED,
	  "agent_disconnected (shutdown); agent_disconnected (shutdown)",
	  "1:close 10; 2:close 20" },
	{ "a gateway cannot sweep", PAIR, "sweep 1", REFUSED_MALFORMED, "", "" },
	{ "a gateway cannot close", PAIR, "close 1", REFUSED_MALFORMED, "", "" },
	{ "a gateway cannot log a digest", PAIR, "digest 1", REFUSED_MALFORMED, "", "" },
	{ "the digest is logged", PAIR, "digest", ACCEPTED, "session_state_digest", "" },
};

static const struct session_sizes small = { .agents = 4, .rooms = 2, .names = 6, .recent = 5 };

static void
commands_are_decided_and_told(void **unused)
{
	static struct world world;
	char events[TEXT_MAX];

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		print_message("  %s\n", rows[i].name);
		begin(&world, small);
		prepare(&world, rows[i].given);
		const struct command command = command_in(&world, rows[i].when);
		assert_int_equal(run(&world, &command), rows[i].verdict);
		say_events(events, &world.events);
		assert_string_equal(events, rows[i].events);
		if (rows[i].notices != NULL) {
			assert_string_equal(world.outbox.text, rows[i].notices);
		}
		session_free(world.state);
	}
}

/* --- told again after a restart ----------------------------------------------------------------
 */

static const struct {
	const char *name;
	const char *given;
	const char *when;
	const char *then; /* accepted between the command and its repetition */
	const char *notices;
} repetitions[] = {
	{ "a registration brings the whole roster", PAIR, "register 1 11 C den",
	  "register 1 12 D den", "1:registered 11 C [A B D]; 2:joined C" },
	{ "a registration of one that left since", PAIR, "register 1 11 C den", "leave 1 11 1",
	  "1:registered 11 C; 2:joined C" },
	{ "a leave of a room that is closed since", PAIR, "leave 1 10 1", "leave 2 20 1",
	  "1:left A" },
	{ "a leave", PAIR, "leave 1 10 1", "", "1:left A; 2:left A" },
	{ "an offer", PAIR, "offer 1 10 A B", "leave 1 10 1", "2:deliver 20 frame" },
	{ "an offer to one that left since", PAIR, "offer 1 10 A B", "leave 2 20 1", "" },
	{ "folded refusals", PAIR, "refused 1 48 7", "", "" },
};

static void
repetitions_are_told_without_events(void **unused)
{
	static struct world world;

	(void)unused;
	for (size_t i = 0; i < sizeof repetitions / sizeof repetitions[0]; i++) {
		print_message("  %s\n", repetitions[i].name);
		begin(&world, session_sizes_default());
		prepare(&world, repetitions[i].given);
		const struct command command = command_in(&world, repetitions[i].when);
		assert_int_equal(run(&world, &command), ACCEPTED);
		assert_int_equal(world.events.count, 1);
		prepare(&world, repetitions[i].then);
		assert_int_equal(run(&world, &command), ACCEPTED);
		assert_int_equal(world.events.count, 0);
		assert_string_equal(world.outbox.text, repetitions[i].notices);
		session_free(world.state);
	}
}

/* Its front has been told so, and of later things since. */
static void
what_was_refused_stays_refused(void **unused)
{
	static struct world world;

	(void)unused;
	begin(&world, small);
	prepare(&world, PAIR);
	const struct command command = command_in(&world, "offer 1 10 A C");
	assert_int_equal(run(&world, &command), REFUSED_NO_SUCH_AGENT);
	prepare(&world, "register 1 11 C den");
	assert_int_equal(run(&world, &command), REFUSED_NO_SUCH_AGENT);
	assert_int_equal(world.events.count, 0);
	session_free(world.state);
}

/* --- the log alone gives the state -------------------------------------------------------------
 */

static size_t
dump_of(const struct session_state *state, bool personal, uint8_t *out)
{
	struct mp_writer w = mp_writer_of(out, DUMP_MAX);

	(personal ? session_dump_personal : session_dump)(state, &w);
	assert_false(w.bad);
	return mp_written(&w).count;
}

static void
assert_same(const struct session_state *a, const struct session_state *b, bool personal)
{
	static uint8_t left[DUMP_MAX], right[DUMP_MAX];
	const size_t bytes = dump_of(a, personal, left);

	assert_int_equal(dump_of(b, personal, right), bytes);
	assert_memory_equal(left, right, bytes);
}

static void
forget_names(struct event *event)
{
	const struct event_description *description = event_describe(event->type);

	for (size_t i = 0; i < description->shape.count; i++) {
		const struct field *field = &description->shape.fields[i];
		uint8_t *at = (uint8_t *)event_fields(event) + field->offset;

		if (field->place == PLACE_SEALED0 || field->place == PLACE_SEALED1) {
			memset(at, 0,
			       field->kind == FIELD_NAME ? sizeof(struct name)
							 : sizeof(struct address));
		}
	}
}

static uint32_t
next_random(uint32_t *seed, uint32_t below)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 8) % below;
}

static void
random_words(uint32_t *seed, char *out, size_t size)
{
	static const char *const verbs[] = { "register", "register", "register",  "leave",
					     "offer",    "answer",   "candidate", "sweep",
					     "refused",  "attach" };
	const char *verb = verbs[next_random(seed, 10)];
	const unsigned front = 1 + next_random(seed, 2);
	const unsigned connection = 10 * front + next_random(seed, 4);
	const char from = (char)('A' + next_random(seed, 6));
	const char to = (char)('A' + next_random(seed, 6));

	if (strcmp(verb, "sweep") == 0) {
		snprintf(out, size, "sweep");
	} else if (strcmp(verb, "attach") == 0) {
		snprintf(out, size, "attach %u %u", front, 1 + next_random(seed, 20) / 18);
	} else if (strcmp(verb, "refused") == 0) {
		snprintf(out, size, "refused %u 48 3", front);
	} else if (strcmp(verb, "leave") == 0) {
		snprintf(out, size, "leave %u %u 1", front, connection);
	} else {
		snprintf(out, size, "%s %u %u %c %c", verb, front, connection, from, to);
	}
}

static void
assert_restores(const struct session_state *live, struct session_sizes sizes)
{
	static uint8_t dump[DUMP_MAX], personal[DUMP_MAX];
	const struct span clear = { dump, dump_of(live, false, dump) };
	const struct span names = { personal, dump_of(live, true, personal) };
	struct session_state *whole = session_new(&sizes, 3);
	struct session_state *nameless = session_new(&sizes, 4);

	assert_true(session_restore(whole, clear, names));
	assert_true(session_restore(nameless, clear, (struct span){ 0 }));
	assert_same(live, whole, false);
	assert_same(live, whole, true);
	assert_same(live, nameless, false);
	session_free(whole);
	session_free(nameless);
}

static void
the_log_gives_the_state(void **unused)
{
	const struct session_sizes sizes = { .agents = 6, .rooms = 3, .names = 5, .recent = 7 };
	static struct world world;
	uint32_t seed = 20250131;

	(void)unused;
	begin(&world, sizes);
	struct session_state *rebuilt = session_new(&sizes, 1);
	struct session_state *nameless = session_new(&sizes, 2);
	for (int step = 0; step < 20000; step++) {
		char words[64];

		random_words(&seed, words, sizeof words);
		const struct command command = command_in(&world, words);
		run(&world, &command);
		for (uint32_t i = 0; i < world.events.count; i++) {
			struct event event = world.events.items[i];

			session_apply(rebuilt, &event);
			forget_names(&event);
			session_apply(nameless, &event);
		}
		if (step % 10 == 0) {
			assert_same(world.state, rebuilt, false);
			assert_same(world.state, rebuilt, true);
			assert_same(world.state, nameless, false);
		}
		if (step % 100 == 0) {
			assert_restores(world.state, sizes);
		}
	}
	session_free(world.state);
	session_free(rebuilt);
	session_free(nameless);
}

static void
broken_dumps_are_refused(void **unused)
{
	static uint8_t dump[DUMP_MAX], personal[DUMP_MAX];
	static struct world world;

	(void)unused;
	begin(&world, small);
	prepare(&world, PAIR "; register 1 11 C attic; offer 1 10 A B; refused 1 48 7");
	const size_t bytes = dump_of(world.state, false, dump);
	const size_t names = dump_of(world.state, true, personal);
	for (size_t cut = 0; cut < bytes; cut++) {
		struct session_state *state = session_new(&small, 5);
		assert_false(session_restore(state, (struct span){ dump, cut },
					     (struct span){ personal, names }));
		session_free(state);
	}
	for (size_t cut = 1; cut < names; cut++) {
		struct session_state *state = session_new(&small, 5);
		assert_false(session_restore(state, (struct span){ dump, bytes },
					     (struct span){ personal, cut }));
		session_free(state);
	}
	session_free(world.state);
}

/* A forged log may hold any event: it must end in a finding, not in a crash. */
static void
events_that_contradict_the_state_change_nothing(void **unused)
{
	static struct world world;
	struct session_state *before = session_new(&small, 1);

	(void)unused;
	begin(&world, small);
	for (size_t i = 0; i < event_types(); i++) {
		struct event event = { .type = event_describe_at(i)->type };

		if (event.type != EVENT_SIGNALING_REQUEST_REFUSED) {
			session_apply(world.state, &event);
		}
	}
	assert_same(world.state, before, false);
	session_free(before);
	session_free(world.state);
}

static void
the_roster_names_everybody(void **unused)
{
	static struct world world;
	uint8_t memory[256];
	struct mp_writer w = mp_writer_of(memory, sizeof memory);

	(void)unused;
	begin(&world, small);
	prepare(&world, PAIR);
	session_roster(world.state, &w);
	struct mp_reader r = mp_reader_of(mp_written(&w));
	assert_int_equal(mp_get_array(&r, 10), 2);
	for (uint64_t i = 1; i <= 2; i++) {
		assert_int_equal(mp_get_array(&r, 3), 3);
		assert_int_equal(mp_get_str(&r, 10).count, 3);
		assert_int_equal(mp_get_str(&r, 10).at[0], 'A' + i - 1);
		assert_int_equal(mp_get_u64(&r), i);
	}
	assert_true(mp_reader_is_done(&r));
	session_free(world.state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_decided_and_told),
		cmocka_unit_test(repetitions_are_told_without_events),
		cmocka_unit_test(what_was_refused_stays_refused),
		cmocka_unit_test(the_log_gives_the_state),
		cmocka_unit_test(broken_dumps_are_refused),
		cmocka_unit_test(events_that_contradict_the_state_change_nothing),
		cmocka_unit_test(the_roster_names_everybody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
