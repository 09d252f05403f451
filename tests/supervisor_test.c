/* supervisor.c as tables: what happened, and what is to be done next. Times are seconds and tenths.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "actors/supervisor.h"

enum { WITNESS, SESSION, ALLOCATION, RELAY, GATEWAY, CHILDREN };
static const unsigned groups[CHILDREN] = { 0, 1, 1, 2, 3 };

#define TENTH UINT64_C(100000)

/* What the world does at a moment; DOES: asks what is to be done, expects it, and tells that it was
 * done. */
enum happening { END, ANSWERS, EXITS, DESPAIRS, STOP, DOES, IDLE };

struct step {
	uint64_t tenths;
	enum happening happening;
	size_t child;
	enum action_kind action;
};

static struct supervisor
family(void)
{
	struct supervisor s = { 0 };

	for (size_t i = 0; i < CHILDREN; i++) {
		assert_int_equal(supervisor_add(&s, groups[i]), i);
	}
	return s;
}

static void
walk(struct supervisor *s, const char *what, const struct step *steps)
{
	for (size_t i = 0; steps[i].happening != END; i++) {
		const struct step *step = &steps[i];
		const uint64_t now_us = 1000 * TENTH + step->tenths * TENTH;
		struct action action;

		supervisor_wake(s, now_us);
		switch (step->happening) {
		case ANSWERS:
			supervisor_answered(s, step->child, now_us);
			break;
		case EXITS:
			supervisor_exited(s, step->child, now_us);
			break;
		case DESPAIRS:
			supervisor_exited(s, step->child, now_us);
			supervisor_hopeless(s, step->child);
			break;
		case STOP:
			supervisor_stop(s);
			break;
		case DOES:
		case IDLE:
			action = supervisor_next(s, now_us);
			if (action.kind != step->action || action.child != step->child) {
				fail_msg("%s: step %zu: wanted action %d of child %zu, got %d of "
					 "%zu",
					 what, i, (int)step->action, step->child, (int)action.kind,
					 action.child);
			}
			supervisor_did(s, action, now_us);
			break;
		case END:
			break;
		}
	}
}

#define START(t, c)                                                                                \
	{                                                                                          \
		t, DOES, c, ACTION_START                                                           \
	}
#define NOTHING(t)                                                                                 \
	{                                                                                          \
		t, IDLE, 0, ACTION_NONE                                                            \
	}
#define ALL_RUN                                                                                    \
	START(0, WITNESS), { 0, ANSWERS, WITNESS, 0 }, START(0, SESSION), START(0, ALLOCATION),    \
		{ 0, ANSWERS, SESSION, 0 }, { 0, ANSWERS, ALLOCATION, 0 }, START(0, RELAY),        \
		{ 0, ANSWERS, RELAY, 0 }, START(0, GATEWAY), { 0, ANSWERS, GATEWAY, 0 },           \
		NOTHING(0)
/* Beats of everybody but one, so that time passes for it alone. */
#define BEAT(t)                                                                                    \
	{ t, ANSWERS, WITNESS, 0 }, { t, ANSWERS, SESSION, 0 }, { t, ANSWERS, ALLOCATION, 0 },     \
	{                                                                                          \
		t, ANSWERS, GATEWAY, 0                                                             \
	}

static const struct {
	const char *what;
	struct step steps[80];
} rows[] = {
	{ "they start in order, each group after the one before has answered",
	  { START(0, WITNESS),
	    NOTHING(1),
	    { 2, ANSWERS, WITNESS, 0 },
	    START(2, SESSION),
	    START(2, ALLOCATION),
	    NOTHING(3),
	    { 4, ANSWERS, SESSION, 0 },
	    NOTHING(4),
	    { 5, ANSWERS, ALLOCATION, 0 },
	    START(5, RELAY),
	    NOTHING(6),
	    { 7, ANSWERS, RELAY, 0 },
	    START(7, GATEWAY),
	    { 8, ANSWERS, GATEWAY, 0 },
	    NOTHING(9) } },
	{ "who dies is restarted at once, then later and later",
	  { ALL_RUN,
	    { 10, EXITS, RELAY, 0 },
	    START(10, RELAY),
	    { 11, ANSWERS, RELAY, 0 },
	    { 12, EXITS, RELAY, 0 },
	    NOTHING(12),
	    START(13, RELAY),
	    { 14, ANSWERS, RELAY, 0 },
	    { 15, EXITS, RELAY, 0 },
	    NOTHING(16),
	    START(17, RELAY),
	    { 18, EXITS, RELAY, 0 },
	    NOTHING(21),
	    START(22, RELAY) } },
	{ "a witness that dies keeps nobody else from being restarted",
	  { ALL_RUN,
	    { 10, EXITS, WITNESS, 0 },
	    { 10, EXITS, GATEWAY, 0 },
	    START(10, WITNESS),
	    START(10, GATEWAY) } },
	{ "a child that does not answer for 10 s is killed and restarted",
	  { ALL_RUN,
	    BEAT(15),
	    BEAT(30),
	    BEAT(45),
	    BEAT(60),
	    BEAT(75),
	    BEAT(90),
	    NOTHING(100),
	    { 101, DOES, RELAY, ACTION_KILL_UNHEALTHY },
	    NOTHING(102),
	    { 103, EXITS, RELAY, 0 },
	    START(103, RELAY) } },
	{ "a supervisor that slept for an hour kills nobody",
	  { ALL_RUN,
	    NOTHING(36000),
	    NOTHING(36015),
	    BEAT(36020),
	    { 36020, ANSWERS, RELAY, 0 },
	    NOTHING(36030) } },
	{ "a child that never answered is given up after 5 exits",
	  { START(0, WITNESS),
	    { 1, EXITS, WITNESS, 0 },
	    START(1, WITNESS),
	    { 2, EXITS, WITNESS, 0 },
	    START(3, WITNESS),
	    { 4, EXITS, WITNESS, 0 },
	    START(6, WITNESS),
	    { 7, EXITS, WITNESS, 0 },
	    START(11, WITNESS),
	    { 12, EXITS, WITNESS, 0 },
	    { 12, DOES, WITNESS, ACTION_GIVE_UP },
	    NOTHING(13),
	    { 13, STOP, 0, 0 },
	    NOTHING(13) } },
	{ "a child that says at once that another start would end alike is given up",
	  { START(0, WITNESS),
	    { 0, ANSWERS, WITNESS, 0 },
	    START(0, SESSION),
	    START(0, ALLOCATION),
	    { 1, DESPAIRS, SESSION, 0 },
	    { 1, DOES, SESSION, ACTION_GIVE_UP } } },
	{ "one that has served is started again, and may despair once and serve then",
	  { ALL_RUN,
	    { 10, DESPAIRS, SESSION, 0 },
	    START(10, SESSION),
	    { 11, EXITS, SESSION, 0 },
	    START(12, SESSION) } },
	{ "they stop in order: gateways, relays, deciders, witness",
	  { ALL_RUN,
	    { 10, STOP, 0, 0 },
	    { 10, DOES, GATEWAY, ACTION_TERMINATE },
	    NOTHING(11),
	    { 12, EXITS, GATEWAY, 0 },
	    { 12, DOES, RELAY, ACTION_TERMINATE },
	    { 13, EXITS, RELAY, 0 },
	    { 13, DOES, SESSION, ACTION_TERMINATE },
	    { 13, DOES, ALLOCATION, ACTION_TERMINATE },
	    NOTHING(14),
	    { 14, EXITS, ALLOCATION, 0 },
	    NOTHING(14),
	    { 15, EXITS, SESSION, 0 },
	    { 15, DOES, WITNESS, ACTION_TERMINATE },
	    { 16, EXITS, WITNESS, 0 },
	    NOTHING(16) } },
	{ "who does not stop in 10 s is killed, once",
	  { ALL_RUN,
	    { 10, STOP, 0, 0 },
	    { 10, DOES, GATEWAY, ACTION_TERMINATE },
	    NOTHING(25),
	    NOTHING(40),
	    NOTHING(55),
	    NOTHING(70),
	    NOTHING(85),
	    NOTHING(100),
	    NOTHING(110),
	    { 111, DOES, GATEWAY, ACTION_KILL_STUCK },
	    NOTHING(112),
	    { 113, EXITS, GATEWAY, 0 },
	    { 113, DOES, RELAY, ACTION_TERMINATE } } },
	{ "who dies while all stop stays dead",
	  { ALL_RUN,
	    { 10, EXITS, RELAY, 0 },
	    { 10, STOP, 0, 0 },
	    { 10, DOES, GATEWAY, ACTION_TERMINATE },
	    { 11, EXITS, GATEWAY, 0 },
	    { 11, EXITS, WITNESS, 0 },
	    { 11, DOES, SESSION, ACTION_TERMINATE },
	    { 11, DOES, ALLOCATION, ACTION_TERMINATE },
	    NOTHING(12) } },
	{ "a stop while they start ends those that run",
	  { START(0, WITNESS),
	    { 1, STOP, 0, 0 },
	    { 1, DOES, WITNESS, ACTION_TERMINATE },
	    { 2, STOP, 0, 0 },
	    NOTHING(2),
	    { 3, EXITS, WITNESS, 0 },
	    NOTHING(3) } },
};

static void
every_row_goes_as_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct supervisor s = family();

		walk(&s, rows[i].what, rows[i].steps);
	}
}

static void
thirty_seconds_of_health_make_failures_forgotten(void **state)
{
	struct supervisor s = family();
	const struct step early[] = { ALL_RUN,
				      { 1, EXITS, RELAY, 0 },
				      START(1, RELAY),
				      { 2, ANSWERS, RELAY, 0 },
				      { 0, END, 0, 0 } };

	(void)state;
	walk(&s, "early", early);
	for (uint64_t tenths = 10; tenths <= 310; tenths += 10) {
		const struct step beat[] = { BEAT(tenths),
					     { tenths, ANSWERS, RELAY, 0 },
					     { 0, END, 0, 0 } };

		walk(&s, "beat", beat);
	}
	const struct step late[] = { { 312, EXITS, RELAY, 0 },
				     START(312, RELAY),
				     { 0, END, 0, 0 } };

	walk(&s, "late", late);
	assert_int_equal(s.children[RELAY].restarts, 2);
}

static void
the_wait_never_exceeds_five_seconds(void **state)
{
	struct supervisor s = family();
	const struct step begin[] = { ALL_RUN, { 0, END, 0, 0 } };
	uint64_t tenths = 10;

	(void)state;
	walk(&s, "begin", begin);
	for (int i = 0; i < 20; i++) {
		const struct step again[] = { { tenths, EXITS, RELAY, 0 }, { 0, END, 0, 0 } };

		walk(&s, "again", again);
		const uint64_t now_us = 1000 * TENTH + tenths * TENTH;
		const uint64_t wait_us = s.children[RELAY].start_us - now_us;

		assert_true(wait_us <= SUPERVISOR_BACKOFF_MAX_US);
		tenths += wait_us / TENTH;
		for (uint64_t t = tenths - wait_us / TENTH; t < tenths; t += 10) {
			const struct step beat[] = { BEAT(t), { 0, END, 0, 0 } };

			walk(&s, "beat", beat);
		}
		const struct step start[] = { START(tenths, RELAY), { 0, END, 0, 0 } };

		walk(&s, "start", start);
	}
	assert_int_equal(s.children[RELAY].restarts, 20);
}

static void
it_knows_when_it_is_ready_and_done(void **state)
{
	struct supervisor s = family();
	const struct step all[] = { ALL_RUN, { 0, END, 0, 0 } };

	(void)state;
	assert_false(supervisor_is_ready(&s));
	walk(&s, "all", all);
	assert_true(supervisor_is_ready(&s));
	assert_false(supervisor_is_done(&s));
	supervisor_stop(&s);
	assert_false(supervisor_is_ready(&s));
	for (size_t i = 0; i < CHILDREN; i++) {
		assert_false(supervisor_is_done(&s));
		assert_false(supervisor_exited(&s, i, 1001 * TENTH));
	}
	assert_true(supervisor_is_done(&s));
	assert_string_equal(child_state_name(s.children[0].state), "stopped");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_goes_as_written),
		cmocka_unit_test(thirty_seconds_of_health_make_failures_forgotten),
		cmocka_unit_test(the_wait_never_exceeds_five_seconds),
		cmocka_unit_test(it_knows_when_it_is_ready_and_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
