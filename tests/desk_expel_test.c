/* The desk when an operator ends an agent: what waits for what. */
#include "tests/desk_world.h"

static void
ask_expel(const char *name, uint64_t ticket)
{
	struct mp_writer w = mp_writer_of(memory, sizeof memory);

	mp_put_array(&w, 2);
	mp_put_u64(&w, REQUEST_EXPEL);
	mp_put_str(&w, name, strlen(name));
	take(&w, ticket);
}

/* What the last answer tells the front of it: the `over` of its EXPEL notice, and what it is to
 * answer with. */
static uint64_t
told_expel(struct id *asked)
{
	struct mp_reader r = mp_reader_of((struct span){ answer, answer_count });
	struct notice notice;
	struct span body;

	mp_get_array(&r, 6);
	for (int i = 0; i < 5; i++) {
		mp_get_u64(&r);
	}
	for (size_t left = mp_get_array(&r, 9); left > 0; left--) {
		notice_read(&r, &notice, &body);
	}
	assert_false(r.bad);
	assert_int_equal(notice.type, NOTICE_EXPEL);
	*asked = notice.command_id;
	return notice.expel.over;
}

static uint64_t
asks_what_is_expelled(uint64_t front, uint8_t of, struct id *asked)
{
	uint64_t ticket = 0;

	listen_for(front, of, 0, 60);
	assert_int_equal(answered(&ticket), ACCEPTED);
	return told_expel(asked);
}

static void
say_expelled(uint64_t front, uint8_t of, uint64_t batch, const struct id *asked)
{
	ask((struct asked){ .front = front,
			    .of = of,
			    .batch = batch,
			    .command = { .type = COMMAND_EXPELLED,
					 .command_id = { { 7, (uint8_t)batch } },
					 .expelled.expel = *asked },
			    .ticket = 70 });
}

/* Its three numbers: ended, forgotten, size. */
static void
assert_expelled(uint64_t expected_ticket, uint64_t forgotten, uint64_t size)
{
	uint64_t ticket = 0;

	assert_int_equal(answered(&ticket), ACCEPTED);
	assert_int_equal(ticket, expected_ticket);
	struct mp_reader r = mp_reader_of((struct span){ answer, answer_count });
	assert_int_equal(mp_get_array(&r, 3), 3);
	mp_get_u64(&r);
	assert_int_equal(mp_get_u64(&r), EPOCH);
	assert_int_equal(mp_get_array(&r, 3), 3);
	assert_int_equal(mp_get_u64(&r), 0);
	assert_int_equal(mp_get_u64(&r), forgotten);
	assert_int_equal(mp_get_u64(&r), size);
	assert_true(mp_reader_is_done(&r));
}

static void
take_snapshot(void)
{
	struct mp_writer w = mp_writer_of(memory, sizeof memory);

	assert_true(desk_snapshot(desk, &w));
}

static void
an_expulsion_needs_no_front(void **unused)
{
	uint64_t ticket = 0;

	(void)unused;
	to_forget = 2;
	ask_expel("ann", 90);
	assert_int_equal(answered(&ticket), -1);
	assert_true(desk_is_busy(desk)); /* what comes now is of another append */
	make_durable();
	assert_false(desk_is_busy(desk));
	assert_int_equal(answered(&ticket), -1); /* an older snapshot may still be on its way */
	take_snapshot();
	assert_expelled(90, 2, 8);
	assert_int_equal(answered(&ticket), -1);
}

static void
an_expulsion_waits_for_what_fronts_have_to_say(void **unused)
{
	uint64_t ticket = 0;
	struct id asked;
	struct id first;
	const struct id other = { { 9 } };

	(void)unused;
	attach(1, 1);
	to_forget = 1;
	ask_expel("ann", 90);
	assert_int_equal(to_forget, 1);
	assert_int_equal(asks_what_is_expelled(1, 1, &first), 0);
	say_expelled(1, 1, 1, &other);
	assert_int_equal(answered(&ticket), ACCEPTED);
	assert_int_equal(to_forget, 1); /* that was an answer to something else */
	say_expelled(1, 1, 2, &first);
	assert_int_equal(to_forget, 0);
	make_durable();
	assert_int_equal(answered(&ticket), ACCEPTED);
	assert_int_equal(told_expel(&asked), 1);
	take_snapshot();
	assert_false(id_equal(&first, &asked));
	say_expelled(1, 1, 3, &asked);
	assert_int_equal(answered(&ticket), ACCEPTED);
	assert_int_equal(ticket, 70);
	assert_int_equal(answered(&ticket), -1); /* that notice is not acknowledged */
	listen_for(1, 1, 3, 61);
	assert_expelled(90, 1, 8);
}

static void
a_front_that_attaches_hears_of_the_expulsion(void **unused)
{
	struct id asked;

	(void)unused;
	attach(1, 1);
	to_forget = 1;
	ask_expel("ann", 90);
	attach(1, 2); /* another instance, before the first one answered */
	assert_int_equal(asks_what_is_expelled(1, 2, &asked), 0);
	say_expelled(1, 2, 1, &asked);
	assert_int_equal(to_forget, 0);
}

static void
a_front_that_does_not_come_back_is_not_waited_for(void **unused)
{
	const struct id gone = instance(1);

	(void)unused;
	fronts_attach(&toy, 1, &gone); /* the log knows it from before */
	to_forget = 1;
	ask_expel("ann", 90);
	now_us += DESK_LOST_US - 1;
	desk_tick(desk, now_us);
	assert_int_equal(to_forget, 1);
	now_us += 1;
	desk_tick(desk, now_us);
	assert_int_equal(to_forget, 0);
	make_durable();
	take_snapshot();
	assert_expelled(90, 1, 8);
}

static void
one_is_expelled_at_a_time(void **unused)
{
	uint64_t ticket = 0;

	(void)unused;
	attach(1, 1);
	ask_expel("ann", 90);
	ask_expel("bob", 91);
	assert_int_equal(answered(&ticket), REFUSED_FULL);
	assert_int_equal(ticket, 91);
	ask_expel("ann", 92); /* who asked has lost patience, and asks again */
	assert_int_equal(answered(&ticket), REFUSED_FULL);
	assert_int_equal(ticket, 90);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_expulsion_needs_no_front),
		TEST(an_expulsion_waits_for_what_fronts_have_to_say),
		TEST(a_front_that_attaches_hears_of_the_expulsion),
		TEST(a_front_that_does_not_come_back_is_not_waited_for),
		TEST(one_is_expelled_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
