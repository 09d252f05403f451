/* Session: who may do what, and who hears of it. */
#include "tests/session_world.h"

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
	/* while the cluster is drained */
	{ "a newcomer is sent away", PAIR, "drained 1 11 C den", REFUSED_DRAINING, "",
	  "1:refused 11 REFUSED_DRAINING " },
	{ "who is here may say so again", PAIR, "drained 1 10 A den", ACCEPTED, "",
	  "1:registered 10 A [B]" },
	{ "who lost its gateway may come back", PAIR "; attach 1 7", "drained 2 21 A den", ACCEPTED,
	  "agent_disconnected (gateway lost); agent_registered <- 1", "2:registered 21 A" },
	{ "a name that is taken stays taken", PAIR, "drained 2 21 A den", REFUSED_TAKEN, "",
	  "2:refused 21 REFUSED_TAKEN A" },
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
	/* an operator ends an agent: "expel 0 OVER NAME" */
	{ "an expulsion that is announced changes nothing", PAIR, "expel 0 0 A", ACCEPTED, "", "" },
	{ "an agent is expelled from all its rooms; gateways hear it from the desk",
	  PAIR "; register 1 11 A attic", "expel 0 1 A", ACCEPTED,
	  "agent_disconnected (expelled); agent_disconnected (expelled)", "" },
	{ "then it is forgotten", PAIR "; expel 0 1 A", "expel 0 1 A", ACCEPTED,
	  "subject_forgotten", "" },
	{ "then nothing is left to do", PAIR "; expel 0 1 A; expel 0 1 A", "expel 0 1 A", ACCEPTED,
	  "", "" },
	{ "one that left is forgotten too", PAIR "; leave 1 10 1", "expel 0 1 A", ACCEPTED,
	  "subject_forgotten", "" },
	{ "an agent of a lost gateway is expelled", PAIR "; attach 1 7", "expel 0 1 A", ACCEPTED,
	  "agent_disconnected (expelled)", "" },
	{ "nobody knows that name", PAIR, "expel 0 1 X", ACCEPTED, "", "" },
	{ "a room of that name stays", PAIR "; register 1 11 den attic; leave 1 11 1",
	  "expel 0 1 den", ACCEPTED, "subject_forgotten", "" },
	{ "it may come again", PAIR "; expel 0 1 A; expel 0 1 A", "register 2 21 A den", ACCEPTED,
	  "agent_registered", "2:registered 21 A" },
	{ "what its connection still says is refused", PAIR "; expel 0 1 A; expel 0 1 A",
	  "offer 1 10 A B", REFUSED_NOT_REGISTERED, "", "1:refused 10 REFUSED_NOT_REGISTERED " },
	{ "that its connection closed is no news", PAIR "; expel 0 1 A; expel 0 1 A",
	  "leave 1 10 1", ACCEPTED, "", "" },
	{ "a gateway cannot say that it was expelled", PAIR, "leave 1 10 7", REFUSED_MALFORMED, "",
	  "" },
	{ "a gateway cannot expel", PAIR, "expel 1 1 A", REFUSED_MALFORMED, "", "" },
	{ "a gateway has done its part", PAIR, "expelled 1 0", ACCEPTED, "", "" },
	{ "the digest is logged", PAIR, "digest", ACCEPTED, "session_state_digest", "" },
};

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

/* Told again after a restart. */

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
	{ "a registration that was expelled since", PAIR, "register 1 11 C den",
	  "expel 0 1 C; expel 0 1 C", "1:close 11 expelled" },
	{ "a leave of one that was expelled since", PAIR, "leave 1 10 1", "expel 0 1 A",
	  "1:left ; 2:left " },
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

static struct id
handle_of(struct world *world, const char *words)
{
	const struct command command = command_in(world, words);

	assert_int_equal(run(world, &command), ACCEPTED);
	assert_int_equal(world->events.items[world->events.count - 1].type, EVENT_AGENT_REGISTERED);
	return world->events.items[world->events.count - 1].agent_registered.agent;
}

static void
a_new_life_has_a_fresh_handle(void **unused)
{
	static struct world world;

	(void)unused;
	begin(&world, small);
	prepare(&world, BOTH);
	const struct id first = handle_of(&world, "register 1 10 A den");
	prepare(&world, "leave 1 10 1");
	const struct id again = handle_of(&world, "register 1 11 A den");
	assert_true(id_equal(&first, &again));
	prepare(&world, "expel 0 1 A; expel 0 1 A");
	const struct id another = handle_of(&world, "register 1 12 A den");
	assert_false(id_equal(&first, &another));
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
		cmocka_unit_test(a_new_life_has_a_fresh_handle),
		cmocka_unit_test(the_roster_names_everybody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
