/* A token bucket: what it lets through in a second, at once, and over time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "actors/bucket.h"
#include "protocol/limits.h"

static const uint64_t START_US = 1800000000ull * 1000000;

/* How many packets of that size pass if one comes every `every_us`. */
static uint64_t
passed(struct bucket *bucket, uint64_t rate, size_t bytes, uint64_t every_us, uint64_t seconds)
{
	uint64_t count = 0;

	for (uint64_t at = 0; at < seconds * 1000000; at += every_us) {
		count += bucket_take(bucket, rate, bytes, START_US + at);
	}
	return count;
}

static void
what_passes_is_the_rate_and_one_bucketful(void **unused)
{
	static const struct {
		const char *what;
		uint64_t rate;
		size_t bytes;
		uint64_t every_us;
		uint64_t expected; /* packets in 10 s */
	} rows[] = {
		{ "below the rate all pass", 100000, 1000, 10000, 1000 },
		{ "twice the rate: 10 s of it and what it holds", 100000, 1000, 5000, 1100 - 1 },
		{ "a rate that is no round number", 99999, 1000, 5000, 1098 },
		{ "low rates hold one datagram", 1000, 1000, 1000, 75 },
		{ "empty datagrams are free", 1, 0, 1000, 10000 },
		{ "the highest rate", BYTES_PER_S_MAX, 65535, 1000, 10000 },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct bucket bucket = { 0 };
		const uint64_t count =
			passed(&bucket, rows[i].rate, rows[i].bytes, rows[i].every_us, 10);
		const uint64_t holds =
			rows[i].rate > DATAGRAM_BYTES_MAX ? rows[i].rate : DATAGRAM_BYTES_MAX;

		print_message("  %s: %lu\n", rows[i].what, (unsigned long)count);
		assert_true(count * rows[i].bytes <= 10 * rows[i].rate + holds);
		assert_true(count + 2 >= rows[i].expected && count <= rows[i].expected + 2);
	}
}

static void
the_largest_datagram_passes_at_the_lowest_rate(void **unused)
{
	struct bucket bucket = { 0 };

	(void)unused;
	assert_true(bucket_take(&bucket, 1, DATAGRAM_BYTES_MAX, START_US));
	assert_false(bucket_take(&bucket, 1, 1, START_US));
	assert_true(bucket_take(&bucket, 1, 1, START_US + 1000000));
	assert_false(bucket_take(&bucket, 1, 1, START_US + 1000000));
}

static void
a_clock_that_goes_back_gives_nothing_and_takes_nothing(void **unused)
{
	struct bucket bucket = { 0 };

	(void)unused;
	assert_true(bucket_take(&bucket, 100000, 100000, START_US));
	assert_false(bucket_take(&bucket, 100000, 1, START_US - 5000000));
	assert_true(bucket_take(&bucket, 100000, 1000, START_US - 5000000 + 10000));
	assert_true(bucket_take(&bucket, 100000, 100000, UINT64_MAX));
}

/* Pieces of a stream, as large as they come: in the long run not one byte more than datagrams get.
 */
static void
a_stream_waits_until_what_it_took_too_much_has_come_in(void **unused)
{
	enum { RATE = 100000, PIECE = 65000, SECONDS = 60 };
	struct bucket bucket = { 0 };
	uint64_t bytes = 0;
	uint64_t now_us = START_US;

	(void)unused;
	for (; now_us < START_US + SECONDS * 1000000; now_us += 1000) {
		while (bucket_has(&bucket, RATE, now_us)) {
			bucket_take_all(&bucket, RATE, PIECE, now_us);
			bytes += PIECE;
			assert_true(bytes <= RATE + PIECE + (now_us - START_US) / 10);
		}
	}
	assert_true(bytes >= (uint64_t)SECONDS * RATE);
	/* In debt it lets no datagram through, and after a pause it is full again. */
	bucket_take_all(&bucket, RATE, 2 * PIECE, now_us);
	assert_false(bucket_take(&bucket, RATE, 1, now_us));
	assert_false(bucket_has(&bucket, RATE, now_us));
	now_us += 3600 * (uint64_t)1000000;
	assert_true(bucket_take(&bucket, RATE, RATE, now_us));
	assert_false(bucket_has(&bucket, RATE, now_us));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_passes_is_the_rate_and_one_bucketful),
		cmocka_unit_test(the_largest_datagram_passes_at_the_lowest_rate),
		cmocka_unit_test(a_clock_that_goes_back_gives_nothing_and_takes_nothing),
		cmocka_unit_test(a_stream_waits_until_what_it_took_too_much_has_come_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
