/* The desk: every request that a front may send wrong, and the order of durable things. */
#include "tests/desk_world.h"

static void
requests_that_cannot_be_read_are_refused(void **unused)
{
	static const struct {
		const char *when;
		uint8_t bytes[24];
		size_t count;
	} rows[] = {
		{ "nothing", { 0 }, 0 },
		{ "no array", { 0x05 }, 1 },
		{ "an unknown request", { 0x91, 0x63 }, 2 },
		{ "an attach that ends early", { 0x93, 0x01, 0x01 }, 3 },
		{ "an attach without an instance", { 0x93, 0x01, 0x01, 0xC0 }, 4 },
		{ "an attach of front 0",
		  { 0x93, 0x01, 0x00, 0xC4, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7 },
		  21 },
		{ "an attach of front 99",
		  { 0x93, 0x01, 99, 0xC4, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7 },
		  21 },
		{ "an attach with something behind it",
		  { 0x93, 0x01, 1, 0xC4, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 0 },
		  22 },
		{ "an expulsion of nobody", { 0x92, 0x07, 0xA0 }, 3 },
		{ "an expulsion of a control character", { 0x92, 0x07, 0xA1, 0x07 }, 4 },
		{ "an expulsion with something behind it", { 0x92, 0x07, 0xA1, 'x', 0xC0 }, 5 },
		{ "an expulsion of a number", { 0x92, 0x07, 0x07 }, 3 },
		{ "commands without a front", { 0x92, 0x02, 0xC0 }, 3 },
		{ "a length that is not the shortest", { 0x93, 0xCC, 0x01 }, 3 },
	};
	uint64_t ticket = 0;

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		print_message("%s\n", rows[i].when);
		desk_take(desk, (struct span){ rows[i].bytes, rows[i].count }, 77, now_us);
		assert_int_equal(answered(&ticket), REFUSED_MALFORMED);
		assert_int_equal(ticket, 77);
		assert_true(desk_is_idle(desk));
	}
}

static void
fronts_that_may_not_speak_are_refused(void **unused)
{
	uint64_t ticket = 0;

	(void)unused;
	send_leave(1, 1, EPOCH, 1, 1);
	assert_int_equal(answered(&ticket), REFUSED_NOT_ATTACHED);
	attach(1, 1);
	send_leave(1, 1, EPOCH - 1, 1, 1);
	assert_int_equal(answered(&ticket), REFUSED_STALE_EPOCH);
	send_leave(1, 9, EPOCH, 1, 1);
	assert_int_equal(answered(&ticket), REFUSED_NOT_ATTACHED);
	assert_true(desk_is_idle(desk));
}

static void
a_front_cannot_give_the_actors_own_commands(void **unused)
{
	uint64_t ticket = 0;

	(void)unused;
	attach(1, 1);
	ask((struct asked){ .front = 1,
			    .of = 1,
			    .batch = 1,
			    .command = { .type = COMMAND_CLOSE, .command_id = { { 1 } } } });
	assert_int_equal(answered(&ticket), REFUSED_MALFORMED);
}

static void
nothing_is_told_before_it_is_durable(void **unused)
{
	uint64_t ticket = 0;

	(void)unused;
	attach(1, 1);
	attach(2, 2);
	hear_welcome(1, 1);
	hear_welcome(2, 2);
	listen_for(2, 2, 1, 51);
	send_leave(1, 1, EPOCH, 1, 1);
	assert_int_equal(answered(&ticket), -1);
	make_durable();
	assert_int_equal(answered(&ticket), ACCEPTED);
	assert_int_equal(ticket, 2);
	assert_int_equal(said().done, 1);
	assert_int_equal(answered(&ticket), ACCEPTED);
	assert_int_equal(ticket, 51);
	assert_int_equal(said().notices, 1);
	assert_int_equal(answered(&ticket), -1);
}

/* A change costs a front one request and one reply: the older request is answered with what became
 * of it, the one that carried it goes on waiting. */
static void
one_answer_tells_what_became_durable(void **unused)
{
	uint64_t ticket = 0;

	(void)unused;
	attach(2, 2);
	hear_welcome(2, 2);
	listen_for(2, 2, 1, 51);
	send_leave(2, 2, EPOCH, 1, 1);
	make_durable();
	assert_int_equal(answered(&ticket), ACCEPTED);
	assert_int_equal(ticket, 51);
	assert_int_equal(said().done, 1);
	assert_int_equal(said().first, 2);
	assert_int_equal(said().notices, 1);
	assert_int_equal(answered(&ticket), -1);
	send_leave(2, 2, EPOCH, 2, 2);
	assert_int_equal(answered(&ticket), -1);
	make_durable();
	assert_int_equal(answered(&ticket), ACCEPTED);
	assert_int_equal(said().done, 2);
	/* What was told and is not acknowledged yet comes once. */
	assert_int_equal(said().first, 3);
	assert_int_equal(said().notices, 1);
	assert_int_equal(answered(&ticket), -1);
}

static void
of_two_requests_without_commands_the_older_one_is_answered(void **unused)
{
	uint64_t ticket = 0;

	(void)unused;
	attach(1, 1);
	hear_welcome(1, 1);
	listen_for(1, 1, 1, 51);
	assert_int_equal(answered(&ticket), -1);
	listen_for(1, 1, 1, 52);
	assert_int_equal(answered(&ticket), ACCEPTED);
	assert_int_equal(ticket, 51);
	assert_int_equal(answered(&ticket), -1);
}

static void
what_was_lost_on_its_way_is_told_again(void **unused)
{
	uint64_t ticket = 0;

	(void)unused;
	attach(2, 2);
	hear_welcome(2, 2);
	send_leave(2, 2, EPOCH, 1, 1);
	make_durable();
	assert_int_equal(answered(&ticket), ACCEPTED);
	assert_int_equal(said().notices, 1);
	/* The connection broke before that came: the same request comes over another one. */
	ask((struct asked){ .front = 2,
			    .of = 2,
			    .number = requests,
			    .acknowledged = 1,
			    .batch = 1,
			    .command = { .type = COMMAND_LEAVE, .command_id = { { 1 } } },
			    .ticket = 3 });
	assert_int_equal(answered(&ticket), ACCEPTED);
	assert_int_equal(ticket, 3);
	assert_int_equal(said().done, 1);
	assert_int_equal(said().first, 2);
	assert_int_equal(said().notices, 1);
	assert_true(desk_is_idle(desk));
}

static void
a_command_sent_again_changes_nothing_and_is_told_again(void **unused)
{
	uint64_t ticket = 0;

	(void)unused;
	attach(1, 1);
	hear_welcome(1, 1);
	send_leave(1, 1, EPOCH, 1, 1);
	make_durable();
	assert_int_equal(answered(&ticket), ACCEPTED);
	send_leave(1, 1, EPOCH, 2, 1);
	assert_int_equal(answered(&ticket), ACCEPTED);
	assert_true(desk_is_idle(desk));
	attach(2, 2); /* it was not there yet: what waited for an unknown incarnation is gone */
	hear_welcome(2, 2);
}

static void
an_acknowledgement_of_what_was_not_told_is_refused(void **unused)
{
	uint64_t ticket = 0;

	(void)unused;
	attach(1, 1);
	listen_for(1, 1, 99, 50);
	assert_int_equal(answered(&ticket), REFUSED_MALFORMED);
}

static void
a_silent_front_is_given_up_and_must_come_as_another(void **unused)
{
	uint64_t ticket = 0;

	(void)unused;
	attach(2, 2); /* WELCOME waits for it, and is never fetched */
	now_us += DESK_LOST_US + 1;
	desk_tick(desk, now_us);
	listen_for(2, 2, 0, 50);
	assert_int_equal(answered(&ticket), REFUSED_NOT_ATTACHED);
	struct mp_writer w = request(REQUEST_ATTACH, 3, 2, 2);
	take(&w, 51);
	assert_int_equal(answered(&ticket), REFUSED_NOT_ATTACHED);
	attach(2, 3);
}

static void
a_request_without_notices_is_held_and_then_answered(void **unused)
{
	uint64_t ticket = 0;

	(void)unused;
	attach(1, 1);
	hear_welcome(1, 1);
	listen_for(1, 1, 1, 51);
	assert_int_equal(answered(&ticket), -1);
	now_us += DESK_HOLD_US;
	assert_int_equal(answered(&ticket), ACCEPTED);
	assert_int_equal(said().notices, 0);
}

static void
an_append_that_is_refused_ends_the_actor(void **unused)
{
	const uint8_t refused[] = { 0x91, REFUSED_STALE_EPOCH };
	struct mp_writer w = request(REQUEST_ATTACH, 3, 1, 1);

	(void)unused;
	take(&w, 1);
	w = mp_writer_of(memory, sizeof memory);
	assert_true(desk_append(desk, &w));
	assert_int_equal(desk_appended(desk, (struct span){ refused, sizeof refused }),
			 REFUSED_STALE_EPOCH);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(requests_that_cannot_be_read_are_refused),
		TEST(fronts_that_may_not_speak_are_refused),
		TEST(a_front_cannot_give_the_actors_own_commands),
		TEST(nothing_is_told_before_it_is_durable),
		TEST(a_command_sent_again_changes_nothing_and_is_told_again),
		TEST(an_acknowledgement_of_what_was_not_told_is_refused),
		TEST(a_silent_front_is_given_up_and_must_come_as_another),
		TEST(a_request_without_notices_is_held_and_then_answered),
		TEST(one_answer_tells_what_became_durable),
		TEST(of_two_requests_without_commands_the_older_one_is_answered),
		TEST(what_was_lost_on_its_way_is_told_again),
		TEST(an_append_that_is_refused_ends_the_actor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
