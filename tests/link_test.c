/* The front's end of the line: which request goes when, and what its replies do, in any order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actors/link.h"

enum { EPOCH = 5, BYTES = 4096 };

static struct link *link;
static uint8_t *memory;
static uint8_t bytes[BYTES];
static uint8_t replies[LINK_LANES][BYTES]; /* they stay until their notices were taken */

static int
given(void **unused)
{
	const struct id instance = { { 1 } };

	(void)unused;
	link = calloc(1, sizeof *link);
	memory = malloc(LINK_BYTES_MAX);
	link_init(link, 1, &instance, memory);
	return 0;
}

static int
afterwards(void **unused)
{
	(void)unused;
	free(link);
	free(memory);
	return 0;
}

/* What a request holds; `is_attach` alone if it is one. */
struct asked {
	bool is_attach;
	uint64_t number;
	uint64_t acknowledged;
	uint64_t batch;
	size_t commands;
};

static bool
asks(size_t lane, bool is_idle, struct asked *out)
{
	struct mp_writer w = mp_writer_of(bytes, sizeof bytes);

	*out = (struct asked){ 0 };
	if (!link_request(link, lane, is_idle, &w)) {
		return false;
	}
	struct mp_reader r = mp_reader_of(mp_written(&w));
	mp_get_array(&r, 8);
	out->is_attach = mp_get_u64(&r) == REQUEST_ATTACH;
	mp_get_u64(&r);
	mp_get_id(&r);
	if (!out->is_attach) {
		assert_int_equal(mp_get_u64(&r), EPOCH);
		out->number = mp_get_u64(&r);
		out->acknowledged = mp_get_u64(&r);
		out->batch = mp_get_u64(&r);
		out->commands = mp_get_array(&r, COMMANDS_PER_REQUEST_MAX);
	}
	assert_false(r.bad);
	return true;
}

static void
refused(size_t lane, enum verdict verdict)
{
	struct mp_writer w = mp_writer_of(replies[lane], BYTES);

	mp_put_array(&w, 2);
	mp_put_u64(&w, verdict);
	mp_put_u64(&w, EPOCH);
	link_reply(link, lane, mp_written(&w));
}

static void
answered(size_t lane, uint64_t done, uint64_t settled, uint64_t first, size_t count)
{
	struct mp_writer w = mp_writer_of(replies[lane], BYTES);
	struct notice notice = { .type = NOTICE_WELCOME };

	mp_put_array(&w, 6);
	mp_put_u64(&w, ACCEPTED);
	mp_put_u64(&w, EPOCH);
	mp_put_u64(&w, done);
	mp_put_u64(&w, settled);
	mp_put_u64(&w, first);
	mp_put_array(&w, count);
	for (size_t i = 0; i < count; i++) {
		notice.welcome.epoch = first + i;
		notice_write(&w, &notice, (struct span){ 0 });
	}
	assert_false(w.bad);
	link_reply(link, lane, mp_written(&w));
}

/* The notices that are handed out now: how many, which must be numbered from `from`. */
static size_t
told(uint64_t from)
{
	struct notice notice;
	struct span body;
	size_t count = 0;

	while (link_notice(link, &notice, &body)) {
		assert_int_equal(notice.welcome.epoch, from + count);
		count++;
	}
	return count;
}

static void
put(uint8_t number)
{
	const struct command command = { .type = COMMAND_LEAVE, .command_id = { { number } } };

	assert_true(link_put(link, &command, (struct span){ 0 }));
}

/* Attached, with a request of lane 0 that the actor holds. */
static void
given_it_listens(void)
{
	struct asked asked;

	assert_true(asks(0, false, &asked));
	assert_true(asked.is_attach);
	refused(0, ACCEPTED); /* an attach is answered by verdict and epoch */
	assert_true(asks(0, false, &asked));
	assert_int_equal(asked.number, 1);
	assert_int_equal(asked.batch, 0);
}

static void
one_request_listens_and_no_more_goes_without_need(void **unused)
{
	struct asked asked;

	(void)unused;
	given_it_listens();
	assert_false(asks(1, false, &asked));
	assert_false(asks(1, true, &asked)); /* there is nothing to acknowledge */
}

static void
a_change_costs_one_request_and_one_reply(void **unused)
{
	struct asked asked;

	(void)unused;
	given_it_listens();
	put(1);
	assert_true(asks(1, false, &asked));
	assert_int_equal(asked.batch, 1);
	assert_int_equal(asked.commands, 1);
	answered(0, 1, 0, 1, 2);
	assert_int_equal(told(1), 2);
	assert_false(asks(0, false, &asked)); /* the other one listens */
	put(2);
	assert_true(asks(0, false, &asked));
	assert_int_equal(asked.batch, 2);
	assert_int_equal(asked.acknowledged, 2);
	answered(1, 2, 1, 3, 1);
	assert_int_equal(told(3), 1);
}

static void
the_next_batch_waits_until_the_one_before_is_durable(void **unused)
{
	struct asked asked;

	(void)unused;
	given_it_listens();
	put(1);
	assert_true(asks(1, false, &asked));
	put(2);
	put(3);
	answered(0, 0, 0, 1, 1); /* a notice of somebody else's doing */
	assert_int_equal(told(1), 1);
	assert_false(asks(0, false, &asked));
	answered(1, 1, 0, 2, 0);
	assert_true(asks(1, false, &asked));
	assert_int_equal(asked.batch, 2);
	assert_int_equal(asked.commands, 2); /* what gathered goes in one */
}

static void
an_acknowledgement_goes_alone_once_it_is_idle(void **unused)
{
	struct asked asked;

	(void)unused;
	given_it_listens();
	put(1);
	assert_true(asks(1, false, &asked));
	answered(0, 1, 0, 1, 1);
	assert_int_equal(told(1), 1);
	assert_false(asks(0, false, &asked));
	assert_true(asks(0, true, &asked));
	assert_int_equal(asked.acknowledged, 1);
	assert_int_equal(asked.batch, 0);
	assert_false(link_is_settled(link));
	answered(1, 1, 1, 2, 0);
	assert_true(link_is_settled(link));
}

/* Two replies may change places on their way between nng's threads and ours. */
static void
what_comes_behind_a_gap_is_asked_for_again(void **unused)
{
	struct asked asked;

	(void)unused;
	given_it_listens();
	put(1);
	assert_true(asks(1, false, &asked));
	answered(1, 1, 0, 3, 2);
	assert_int_equal(told(3), 0);
	answered(0, 1, 0, 1, 2);
	assert_int_equal(told(1), 2);
	assert_true(asks(0, false, &asked));
	assert_int_equal(asked.number, 2); /* not newer than the last: tell again */
	assert_int_equal(asked.acknowledged, 2);
	answered(0, 1, 0, 3, 2);
	assert_int_equal(told(3), 2);
}

static void
what_is_told_twice_is_handed_out_once(void **unused)
{
	struct asked asked;

	(void)unused;
	given_it_listens();
	answered(0, 0, 0, 1, 2);
	assert_int_equal(told(1), 2);
	assert_true(asks(0, false, &asked));
	answered(0, 0, 0, 1, 4);
	assert_int_equal(told(3), 2);
}

static void
after_a_restart_it_attaches_and_repeats_what_is_not_settled(void **unused)
{
	struct asked asked;

	(void)unused;
	given_it_listens();
	put(1);
	assert_true(asks(1, false, &asked));
	refused(0, REFUSED_STALE_EPOCH);
	assert_true(asks(0, false, &asked));
	assert_true(asked.is_attach);
	refused(1, REFUSED_STALE_EPOCH); /* the other one is refused as well: that is known */
	assert_false(asks(1, false, &asked));
	refused(0, ACCEPTED);
	assert_true(asks(1, false, &asked));
	assert_int_equal(asked.number, 1);
	assert_int_equal(asked.batch, 1);
	assert_int_equal(asked.commands, 1);
}

static void
who_is_given_up_is_lost(void **unused)
{
	struct asked asked;

	(void)unused;
	given_it_listens();
	refused(0, REFUSED_NOT_ATTACHED);
	assert_true(asks(0, false, &asked));
	assert_true(asked.is_attach);
	refused(0, REFUSED_NOT_ATTACHED);
	assert_int_equal(link->state, LINK_LOST);
	assert_false(asks(0, true, &asked));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, given, afterwards)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_request_listens_and_no_more_goes_without_need),
		TEST(a_change_costs_one_request_and_one_reply),
		TEST(the_next_batch_waits_until_the_one_before_is_durable),
		TEST(an_acknowledgement_goes_alone_once_it_is_idle),
		TEST(what_comes_behind_a_gap_is_asked_for_again),
		TEST(what_is_told_twice_is_handed_out_once),
		TEST(after_a_restart_it_attaches_and_repeats_what_is_not_settled),
		TEST(who_is_given_up_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
