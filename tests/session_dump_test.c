/* Session: the log alone gives the state again, and so does a dump of it. */
#include "tests/session_world.h"

enum { DUMP_MAX = 256 * 1024 };

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
			/* Empty is what has no length and no family. */
			memset(at, 0,
			       field->kind == FIELD_NAME   ? sizeof(struct name)
			       : field->kind == FIELD_JSON ? sizeof(struct json_text)
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
					     "refused",  "attach",   "expel",     "expel" };
	const char *verb = verbs[next_random(seed, 12)];
	const unsigned front = 1 + next_random(seed, 2);
	const unsigned connection = 10 * front + next_random(seed, 4);
	const char from = (char)('A' + next_random(seed, 6));
	const char to = (char)('A' + next_random(seed, 6));

	if (strcmp(verb, "sweep") == 0) {
		snprintf(out, size, "sweep");
	} else if (strcmp(verb, "attach") == 0) {
		snprintf(out, size, "attach %u %u", front, 1 + next_random(seed, 20) / 18);
	} else if (strcmp(verb, "expel") == 0) {
		snprintf(out, size, "expel 0 1 %c", from);
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

enum { HISTORY_MAX = 4096 };

/* What an erasure does to a log: of those who were forgotten no name and no address is left. */
static void
erase_forgotten(struct event *history, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct id *gone = &history[i].subject_forgotten.agent;

		for (size_t j = 0; history[i].type == EVENT_SUBJECT_FORGOTTEN && j < i; j++) {
			struct event *event = &history[j];

			if (event->type == EVENT_AGENT_REGISTERED &&
			    id_equal(&event->agent_registered.agent, gone)) {
				event->agent_registered.agent_name = (struct name){ 0 };
				event->agent_registered.client = (struct address){ 0 };
			} else if (event->type == EVENT_AGENT_DISCONNECTED &&
				   id_equal(&event->agent_disconnected.agent, gone)) {
				event->agent_disconnected.agent_name = (struct name){ 0 };
			}
		}
	}
}

/* Whoever starts over from the whole of such a log, or goes on from it, is who never stopped. */
static void
a_log_with_erasures_gives_the_state(void **unused)
{
	static struct event history[HISTORY_MAX];
	static struct world world;
	uint32_t seed = 7;

	(void)unused;
	for (int round = 0; round < 8; round++) {
		size_t count = 0;

		begin(&world, small);
		while (count + EVENTS_PER_COMMAND_MAX < HISTORY_MAX) {
			char words[64];

			random_words(&seed, words, sizeof words);
			const struct command command = command_in(&world, words);
			run(&world, &command);
			memcpy(history + count, world.events.items,
			       world.events.count * sizeof history[0]);
			count += world.events.count;
		}
		erase_forgotten(history, count);
		struct session_state *rebuilt = session_new(&small, 1);
		for (size_t i = 0; i < count; i++) {
			session_apply(rebuilt, &history[i]);
		}
		assert_same(world.state, rebuilt, false);
		assert_same(world.state, rebuilt, true);
		session_free(rebuilt);
		session_free(world.state);
	}
}

/* Both in one room, both without a name: each leaves for itself, and the names are free. */
static void
two_who_were_erased_are_not_one(void **unused)
{
	static struct world world;
	struct event_list events;

	(void)unused;
	begin(&world, small);
	prepare(&world, BOTH);
	struct session_state *erased = session_new(&small, 1);
	for (uint32_t i = 0; i < 2; i++) {
		const struct event attached = {
			.type = EVENT_GATEWAY_ATTACHED,
			.gateway_attached = { .gateway = i + 1,
					      .instance = world.instances[i + 1] },
		};
		session_apply(erased, &attached);
	}
	for (uint32_t i = 0; i < 2; i++) {
		const struct command command =
			command_in(&world, i == 0 ? "register 1 10 A den" : "register 2 20 B den");
		run(&world, &command);
		struct event event = world.events.items[0];
		event.agent_registered.agent_name = (struct name){ 0 };
		session_apply(erased, &event);
	}
	assert_same(world.state, erased, false);
	session_free(world.state);
	world.state = erased;
	const struct command leave = command_in(&world, "leave 1 10 1");
	assert_int_equal(run(&world, &leave), ACCEPTED);
	assert_int_equal(world.events.count, 1);
	events = world.events;
	const struct command second = command_in(&world, "leave 2 20 1");
	assert_int_equal(run(&world, &second), ACCEPTED);
	assert_int_equal(world.events.count, 1);
	assert_false(id_equal(&events.items[0].agent_disconnected.agent,
			      &world.events.items[0].agent_disconnected.agent));
	prepare(&world, "register 1 11 A den; register 2 21 B den");
	session_free(world.state);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_log_gives_the_state),
		cmocka_unit_test(a_log_with_erasures_gives_the_state),
		cmocka_unit_test(two_who_were_erased_are_not_one),
		cmocka_unit_test(broken_dumps_are_refused),
		cmocka_unit_test(events_that_contradict_the_state_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
