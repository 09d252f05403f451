/* Which datagrams leave as one run, what a refused run leaves behind, and where the datagrams of a
 * run that came end. */
#include "actors/relay_runs.h"

#include <errno.h>

#include "tests/relay_world.h"

enum { SIZES_MAX = 80 };

/* How many of the datagrams fit the run that the first begins; a size below 0 has another target.
 */
static uint32_t
run_of(const struct run_limits *limits, const int *sizes, size_t count)
{
	struct run run = run_begin((size_t)sizes[0]);
	size_t at = 1;

	while (at < count && run_take(&run, limits, (size_t)abs(sizes[at]), sizes[at] >= 0)) {
		at++;
	}
	assert_int_equal(run.count, at);
	return run.count;
}

static void
runs_end_where_the_kernel_wants_it(void **unused)
{
	static const struct {
		const char *name;
		int sizes[6];
		size_t count;
		uint32_t expected;
	} rows[] = {
		{ "one alone", { 100 }, 1, 1 },
		{ "all as long as the first", { 100, 100, 100 }, 3, 3 },
		{ "the last is shorter", { 100, 100, 7 }, 3, 3 },
		{ "behind a shorter one nothing", { 100, 7, 7, 100 }, 4, 2 },
		{ "a longer one", { 100, 100, 101 }, 3, 2 },
		{ "another target", { 100, 100, -100, 100 }, 4, 2 },
		{ "an empty one", { 100, 0, 100 }, 3, 1 },
		{ "an empty one at first", { 0, 0, 100 }, 3, 1 },
		{ "more than a datagram's bytes", { 30000, 30000, 30000 }, 3, 2 },
		{ "exactly a datagram's bytes", { 32754, 32753, 1 }, 3, 2 },
	};
	const struct run_limits limits = run_limits_at_start();

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		print_message("%s\n", rows[i].name);
		assert_int_equal(run_of(&limits, rows[i].sizes, rows[i].count), rows[i].expected);
	}
}

static void
runs_have_so_many_datagrams_at_most(void **unused)
{
	const struct run_limits limits = run_limits_at_start();
	int sizes[SIZES_MAX];

	(void)unused;
	for (size_t i = 0; i < SIZES_MAX; i++) {
		sizes[i] = 172;
	}
	assert_int_equal(run_of(&limits, sizes, SIZES_MAX), RUN_DATAGRAMS_MAX);
}

static void
a_refusal_is_remembered_as_far_as_it_goes(void **unused)
{
	static const struct {
		const char *name;
		int error;
		size_t bytes;
		bool one_by_one;
		bool refused;
		size_t segment_max;
	} rows[] = {
		{ "no checksums in the device", EIO, 172, true, true, RUN_BYTES_MAX },
		{ "no such option", ENOPROTOOPT, 172, true, true, RUN_BYTES_MAX },
		{ "an old kernel", EINVAL, 172, true, true, RUN_BYTES_MAX },
		{ "longer than the path takes", EINVAL, 1473, true, false, 1472 },
		{ "likewise, said so", EMSGSIZE, 1473, true, false, 1472 },
		{ "a path made short by somebody", EINVAL, 1100, true, false, RUN_BYTES_MAX },
		{ "a full queue", EAGAIN, 172, false, false, RUN_BYTES_MAX },
		{ "no route", ENETUNREACH, 172, false, false, RUN_BYTES_MAX },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct run_limits limits = run_limits_at_start();
		struct run run = run_begin(rows[i].bytes);
		print_message("%s\n", rows[i].name);
		assert_true(run_take(&run, &limits, rows[i].bytes, true));
		assert_int_equal(run_refused(&limits, &run, rows[i].error), rows[i].one_by_one);
		assert_int_equal(limits.refused, rows[i].refused);
		assert_int_equal(limits.segment_max, rows[i].segment_max);
		run = run_begin(rows[i].bytes);
		assert_int_equal(run_take(&run, &limits, rows[i].bytes, true),
				 !rows[i].refused && rows[i].bytes <= rows[i].segment_max);
	}
}

static void
a_datagram_alone_is_no_run(void **unused)
{
	struct run_limits limits = run_limits_at_start();
	const struct run run = run_begin(1473);

	(void)unused;
	assert_false(run_refused(&limits, &run, EMSGSIZE));
	assert_int_equal(limits.segment_max, RUN_BYTES_MAX);
}

static void
runs_that_came_are_cut_to_the_byte(void **unused)
{
	(void)unused;
	assert_int_equal(run_cut(1000, 400, 0), 400);
	assert_int_equal(run_cut(1000, 400, 400), 400);
	assert_int_equal(run_cut(1000, 400, 800), 200);
	assert_int_equal(run_cut(801, 400, 800), 1);
	assert_int_equal(run_cut(7, 7, 0), 7);
	assert_int_equal(run_cut(0, 0, 0), 0);
}

/* A client says of its first datagram that it is as long as the whole run: no byte of the datagrams
 * behind it may leave with it. */
static void
threat_A6_a_length_beyond_its_datagram_in_a_run(void **unused)
{
	enum { SEGMENT = 12, BYTES = 2 * SEGMENT + 9 };
	struct world *world = world_new(false);
	uint8_t piece[BYTES];
	uint32_t forwarded = 0;

	(void)unused;
	memset(piece, 'x', sizeof piece);
	turn_channel_write(piece, 0x4000, BYTES - CHANNEL_HEADER_BYTES);
	turn_channel_write(piece + SEGMENT, 0x4000, SEGMENT - CHANNEL_HEADER_BYTES);
	turn_channel_write(piece + 2 * SEGMENT, 0x4000, 5);
	given(world);
	for (size_t at = 0; at < BYTES; at += SEGMENT) {
		const struct relay_answer answer = client_sends(
			world, ANN, (struct span){ piece + at, run_cut(BYTES, SEGMENT, at) });
		if (answer.action == RELAY_TO_PEER) {
			assert_int_equal(answer.bytes.count, at == SEGMENT ? 8 : 5);
			forwarded++;
		}
	}
	assert_int_equal(forwarded, 2);
	assert_int_equal(relay_counted(world->relay, RELAY_COUNT_NOT_STUN), 1);
	world_free(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_end_where_the_kernel_wants_it),
		cmocka_unit_test(runs_have_so_many_datagrams_at_most),
		cmocka_unit_test(a_refusal_is_remembered_as_far_as_it_goes),
		cmocka_unit_test(a_datagram_alone_is_no_run),
		cmocka_unit_test(runs_that_came_are_cut_to_the_byte),
		cmocka_unit_test(threat_A6_a_length_beyond_its_datagram_in_a_run),
	};

	return cmocka_run_group_tests_name("relay_runs", tests, world_setup, world_teardown);
}
