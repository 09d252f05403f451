/* Who is let in over TCP, who is found, and who has to go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "actors/streams.h"
#include "protocol/limits.h"

enum { SECOND = 1000 * 1000, LISTENER = 3 };
static const uint64_t START_US = (uint64_t)1800000000 * SECOND;
static struct streams streams;

static struct address
client(unsigned ip, unsigned port)
{
	return (struct address){ ADDRESS_IPV4,
				 { 203, 0, (uint8_t)(ip >> 8), (uint8_t)ip },
				 (uint16_t)port };
}

static uint32_t
admit(unsigned ip, unsigned port)
{
	const struct address address = client(ip, port);

	return streams_admit(&streams, LISTENER, &address, START_US);
}

static int
begin(void **unused)
{
	(void)unused;
	return streams_init(&streams, 7) ? 0 : -1;
}

static int
end(void **unused)
{
	(void)unused;
	streams_free(&streams);
	return 0;
}

static void
a_connection_is_found_until_it_is_removed(void **unused)
{
	const struct address ann = client(1, 1000);
	const struct address other = client(1, 1001);

	(void)unused;
	const uint32_t at = admit(1, 1000);
	assert_int_not_equal(at, STREAM_NONE);
	assert_int_equal(streams_find(&streams, LISTENER, &ann), at);
	assert_int_equal(streams_find(&streams, LISTENER + 1, &ann), STREAM_NONE);
	assert_int_equal(streams_find(&streams, LISTENER, &other), STREAM_NONE);
	assert_int_equal(admit(1, 1000), STREAM_NONE); /* the kernel has no two of them */
	streams_remove(&streams, at);
	assert_int_equal(streams_find(&streams, LISTENER, &ann), STREAM_NONE);
	assert_int_equal(streams.idle_count, 0);
}

static void
a_connection_that_turns_out_to_be_tls_is_found_there_alone(void **unused)
{
	const struct address ann = client(1, 1000);

	(void)unused;
	const uint32_t at = admit(1, 1000);
	streams_move(&streams, at, LISTENER + 1);
	assert_int_equal(streams_find(&streams, LISTENER, &ann), STREAM_NONE);
	assert_int_equal(streams_find(&streams, LISTENER + 1, &ann), at);
	streams_remove(&streams, at);
	assert_int_equal(streams_find(&streams, LISTENER + 1, &ann), STREAM_NONE);
	assert_int_equal(streams.idle_count, 0);
}

static void
threat_D13_one_source_has_so_many_connections_without_an_allocation(void **unused)
{
	uint32_t first = STREAM_NONE;

	(void)unused;
	for (unsigned i = 0; i < STREAMS_IDLE_PER_SOURCE_MAX; i++) {
		first = admit(1, 1000 + i);
		assert_int_not_equal(first, STREAM_NONE);
	}
	assert_int_equal(admit(1, 5000), STREAM_NONE);
	assert_int_not_equal(admit(2, 5000), STREAM_NONE);
	assert_false(streams_look(&streams, first, true, START_US));
	assert_int_not_equal(admit(1, 5000), STREAM_NONE);
}

/* Who has an IPv6 address has a whole /64 of them. */
static void
threat_D13_a_network_of_64_bits_is_one_source(void **unused)
{
	struct address one = { ADDRESS_IPV6, { 0x20, 0x01, 0x0D, 0xB8, 0, 1, 0, 1 }, 1000 };

	(void)unused;
	for (unsigned i = 0; i < STREAMS_IDLE_PER_SOURCE_MAX; i++) {
		one.bytes[15] = (uint8_t)i;
		assert_int_not_equal(streams_admit(&streams, LISTENER, &one, START_US),
				     STREAM_NONE);
	}
	one.bytes[8] = 1;
	assert_int_equal(streams_admit(&streams, LISTENER, &one, START_US), STREAM_NONE);
	one.bytes[7] = 2;
	assert_int_not_equal(streams_admit(&streams, LISTENER, &one, START_US), STREAM_NONE);
}

static void
threat_D13_all_together_have_so_many_too_and_leave_room(void **unused)
{
	unsigned in = 0;

	(void)unused;
	for (unsigned i = 0; i < STREAMS_IDLE_MAX + 100; i++) {
		in += admit(i, 1000) != STREAM_NONE;
	}
	assert_int_equal(in, STREAMS_IDLE_MAX);
	assert_int_equal(streams.idle_count, STREAMS_IDLE_MAX);
	for (uint32_t at = 0; at < STREAMS_IDLE_MAX; at++) {
		streams_look(&streams, at, true, START_US);
	}
	for (unsigned i = 0; i < STREAMS_MAX; i++) {
		in += admit(10000 + i, 1000) != STREAM_NONE;
	}
	assert_int_equal(in, STREAMS_MAX);
}

static void
threat_D13_who_holds_nothing_for_too_long_has_to_go(void **unused)
{
	static const struct {
		const char *given;
		unsigned after_s;
		bool holds;
		bool goes;
	} rows[] = {
		{ "just before", STREAM_IDLE_S - 1, false, false },
		{ "with an allocation", STREAM_IDLE_S, true, false },
		{ "much later still", 10 * STREAM_IDLE_S, true, false },
		{ "it has just ended", 11 * STREAM_IDLE_S, false, false },
		{ "just before again", 12 * STREAM_IDLE_S - 1, false, false },
		{ "too long", 12 * STREAM_IDLE_S, false, true },
	};

	(void)unused;
	const uint32_t at = admit(1, 1);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const uint64_t now_us = START_US + (uint64_t)rows[i].after_s * SECOND;
		if (streams_look(&streams, at, rows[i].holds, now_us) != rows[i].goes) {
			fail_msg("%s", rows[i].given);
		}
	}
}

static void
a_clock_that_is_set_back_closes_nobody(void **unused)
{
	(void)unused;
	const uint32_t at = admit(1, 1);

	assert_false(streams_look(&streams, at, false, START_US - 3600ull * SECOND));
	assert_false(streams_look(&streams, at, false, START_US - 3599ull * SECOND));
	assert_true(streams_look(&streams, at, false, START_US - 3500ull * SECOND));
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, begin, end)

static void
a_proxy_names_its_clients(void **unused)
{
	const struct address proxy = client(9, 1);
	const struct address ann = client(1, 1000);
	const struct address many = client(2, 5000);
	uint32_t last = STREAM_NONE;

	(void)unused;
	/* One proxy stands for many clients. */
	for (unsigned i = 0; i <= STREAMS_IDLE_PER_SOURCE_MAX; i++) {
		const struct address from = client(9, 1 + i);
		last = streams_admit_proxy(&streams, LISTENER, &from, START_US);
		assert_int_not_equal(last, STREAM_NONE);
	}
	assert_true(streams_name_client(&streams, last, &ann));
	assert_int_equal(streams_find(&streams, LISTENER, &ann), last);
	/* The same client twice, and one that has too many already. */
	const uint32_t first = streams_find(&streams, LISTENER, &proxy);
	assert_false(streams_name_client(&streams, first, &ann));
	for (unsigned i = 0; i < STREAMS_IDLE_PER_SOURCE_MAX; i++) {
		assert_int_not_equal(admit(2, 1 + i), STREAM_NONE);
	}
	assert_false(streams_name_client(&streams, first, &many));
	assert_int_equal(streams_find(&streams, LISTENER, &proxy), first);
	streams_remove(&streams, last);
	assert_int_equal(streams_find(&streams, LISTENER, &ann), STREAM_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(a_proxy_names_its_clients),
		ROW(a_connection_is_found_until_it_is_removed),
		ROW(a_connection_that_turns_out_to_be_tls_is_found_there_alone),
		ROW(threat_D13_one_source_has_so_many_connections_without_an_allocation),
		ROW(threat_D13_a_network_of_64_bits_is_one_source),
		ROW(threat_D13_all_together_have_so_many_too_and_leave_room),
		ROW(threat_D13_who_holds_nothing_for_too_long_has_to_go),
		ROW(a_clock_that_is_set_back_closes_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
