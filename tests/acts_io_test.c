/* A question about people is an event, durable before it is answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/read_io.h"
#include "tests/replay_fixture.h"

enum { QUESTIONS_MAX = 8 };

struct recorded {
	size_t count;
	struct event_query_made question[QUESTIONS_MAX];
};

static bool
visit(void *context, const struct event *event, const struct entry *entry)
{
	struct recorded *recorded = context;

	(void)entry;
	if (event->type == EVENT_QUERY_MADE) {
		assert_true(recorded->count < QUESTIONS_MAX);
		recorded->question[recorded->count++] = event->query_made;
	}
	return true;
}

static struct recorded
recorded_questions(void)
{
	struct recorded recorded = { 0 };
	struct log_reader *reader;
	struct log_keys *keys;
	char fault[512];

	assert_true(log_reader_open(fixture_truth, &reader, fault, sizeof fault));
	assert_true(log_keys_open(reader, NULL, &keys, fault, sizeof fault));
	assert_true(log_read_events(reader, keys, 0, UINT64_MAX, LOG_STREAM(STREAM_WITNESS), visit,
				    &recorded));
	log_keys_close(keys);
	log_reader_close(reader);
	return recorded;
}

/* Whether the answer holds a word. */
static bool
answer_has(const char *arguments, const char *word)
{
	char line[1024];

	snprintf(line, sizeof line, "%s/ifreplay --data-dir %s %s 2>&1 | grep -q '%s'", IFSWARM_BIN,
		 fixture_truth, arguments, word);
	return system(line) == 0;
}

static void
a_question_is_recorded_with_who_asked(void **state)
{
	(void)state;
	assert_true(answer_has("agent alice --from 3", "was given the relay"));
	const struct recorded first = recorded_questions();
	assert_int_equal(first.count, 1);
	assert_true(text_equal(&first.question[0].command, "agent"));
	assert_true(text_equal(&first.question[0].scope, "--from 3"));
	assert_memory_equal(first.question[0].asked.bytes, "alice", 5);
	assert_true(first.question[0].operator_name.length > 0);

	assert_true(answer_has("log --limit 2 --type query_made", "command=agent"));
	const struct recorded second = recorded_questions();
	assert_int_equal(second.count, 2);
	assert_true(id_equal(&first.question[0].operator, & second.question[1].operator));
	assert_int_equal(second.question[1].asked.length, 0);
}

static void
what_asks_about_nobody_is_not(void **state)
{
	const size_t before = recorded_questions().count;

	(void)state;
	assert_true(answer_has("verify", "it holds"));
	assert_true(answer_has("prove 0", "tlog-proof"));
	assert_int_equal(recorded_questions().count, before);
}

static void
without_a_record_names_stay_sealed(void **state)
{
	const size_t before = recorded_questions().count;
	struct fixture f;

	(void)state;
	/* Another writer holds the log, and no cluster answers. */
	fixture_open(&f, fixture_truth);
	assert_true(answer_has("log --type agent_registered", "names stay sealed"));
	assert_false(answer_has("log --type agent_registered", "alice"));
	fixture_close(&f);
	assert_int_equal(recorded_questions().count, before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question_is_recorded_with_who_asked),
		cmocka_unit_test(what_asks_about_nobody_is_not),
		cmocka_unit_test(without_a_record_names_stay_sealed),
	};

	return cmocka_run_group_tests(tests, fixture_set_up, fixture_tear_down);
}
