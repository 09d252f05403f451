/* What a relay counts, on its way to /metrics. */
#include "tests/relay_world.h"

#include "gateway/turn_metrics.h"

static char page[TURN_METRICS_BYTES_MAX];

static size_t
write_page(struct world *world)
{
	struct turn_tally tally;
	struct turn_tally read = { 0 };
	uint8_t memory[TURN_TALLY_BYTES_MAX];
	struct mp_writer w = mp_writer_of(memory, sizeof memory);

	relay_tally(world->relay, 5, world->now_us, &tally);
	turn_tally_write(&w, &tally);
	assert_false(w.bad);
	struct mp_reader r = mp_reader_of(mp_written(&w));
	turn_tally_read(&r, &read);
	assert_true(mp_reader_is_done(&r));
	assert_memory_equal(&tally, &read, sizeof tally);
	return turn_metrics_write(page, sizeof page, &read, 1, 40);
}

static size_t
lines(void)
{
	size_t count = 0;

	for (const char *at = page; (at = strchr(at, '\n')) != NULL; at++) {
		count++;
	}
	return count;
}

static void
assert_line(const char *line)
{
	if (strstr(page, line) == NULL) {
		print_error("%s is missing in\n%s", line, page);
	}
	assert_non_null(strstr(page, line));
}

static void
what_happened_is_counted(void **unused)
{
	static const uint8_t data[] = { 0x40, 0, 0, 4, 1, 2, 3, 4 };

	(void)unused;
	struct world *world = world_new(false);

	given(world);
	client_sends(world, ANN, (struct span){ data, sizeof data });
	assert_int_equal(request(world, BOB, (struct ask){ ALLOCATE, .transport = 6 }), 442);
	write_page(world);
	assert_line("ifswarm_turn_allocations{relay=\"1\",transport=\"udp\",family=\"ipv4\"} 1\n");
	assert_line("ifswarm_turn_allocations{relay=\"1\",transport=\"tls\",family=\"both\"} 0\n");
	assert_line("ifswarm_turn_allocations_limit 40\n");
	assert_line("ifswarm_turn_packets_total{relay=\"1\",direction=\"up\"} 1\n");
	assert_line("ifswarm_turn_bytes_total{relay=\"1\",direction=\"up\"} 4\n");
	assert_line("ifswarm_turn_bytes_total{relay=\"1\",direction=\"down\"} 0\n");
	assert_line(
		"ifswarm_turn_refused_total{relay=\"1\",code=\"442\",reason=\"TRANSPORT\"} 1\n");
	assert_line("ifswarm_turn_refused_total{relay=\"1\",code=\"401\","
		    "reason=\"UNAUTHENTICATED\"} 0\n");
	assert_line("ifswarm_turn_kernel_drops_total{relay=\"1\"} 5\n");
	world_free(world);
}

static void
threat_D16_a_hundred_thousand_users_add_no_series(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	char user[32];

	world->config.unauthenticated_rate = 0;
	relay_reload(world->relay, &world->config);
	write_page(world);
	const size_t before = lines();

	fetch_nonce(world, BOB);
	for (unsigned i = 0; i < 100000; i++) {
		uint8_t memory[DATAGRAM_MAX];
		snprintf(user, sizeof user, "1800009999:user%u", i);
		const struct ask ask = {
			.method = TURN_ALLOCATE, .user = user, .password = "wrong", .transport = 17
		};
		client_sends(world, BOB, write_request(world, &ask, memory));
	}
	write_page(world);
	assert_line("ifswarm_turn_refused_total{relay=\"1\",code=\"401\","
		    "reason=\"UNAUTHENTICATED\"} 100000\n");
	assert_int_equal(lines(), before);
	assert_null(strstr(page, "user1"));
	world_free(world);
}

static void
sixteen_relays_fit(void **unused)
{
	static struct turn_tally tallies[RELAYS_MAX];

	(void)unused;
	for (size_t i = 0; i < RELAYS_MAX; i++) {
		memset(&tallies[i], 0xFF, sizeof tallies[i]);
		tallies[i].relay = i + 1;
	}
	assert_true(turn_metrics_write(page, sizeof page, tallies, RELAYS_MAX, UINT64_MAX) > 0);
}

static void
what_is_no_tally_is_refused(void **unused)
{
	static const uint8_t bytes[] = { 0x92, 1, 2 };
	struct turn_tally tally;
	struct mp_reader r = mp_reader_of((struct span){ bytes, sizeof bytes });

	(void)unused;
	turn_tally_read(&r, &tally);
	assert_true(r.bad);
}

static void
beyond_max_bps_is_dropped_each_way_and_counted(void **unused)
{
	static const uint8_t data[] = { 0x40, 0, 0, 4, 1, 2, 3, 4 };

	(void)unused;
	struct world *world = world_new(false);
	uint64_t passed = 0;

	world->config.bytes_per_s = 1000;
	relay_reload(world->relay, &world->config);
	given(world);
	for (unsigned i = 0; i < 20000; i++) {
		passed += client_sends(world, ANN, (struct span){ data, sizeof data }).action ==
			  RELAY_TO_PEER;
	}
	assert_int_equal(passed, DATAGRAM_BYTES_MAX / 4);
	world->now_us += 1000000;
	passed = 0;
	for (unsigned i = 0; i < 1000; i++) {
		passed += client_sends(world, ANN, (struct span){ data, sizeof data }).action ==
			  RELAY_TO_PEER;
	}
	assert_in_range(passed, 250, 251);
	write_page(world);
	char line[96];
	snprintf(line, sizeof line,
		 "ifswarm_turn_dropped_total{relay=\"1\",reason=\"over_rate\"} %u\n",
		 (unsigned)(21000 - DATAGRAM_BYTES_MAX / 4 - passed));
	assert_line(line);
	/* The other way is not used up. */
	uint8_t memory[RELAY_HEADROOM + 4 + RELAY_TAILROOM] = { 0 };
	const struct address peer = address_of("198.51.100.2:7000");
	assert_int_equal(relay_handle_peer(world->relay, world->last_socket, &peer,
					   memory + RELAY_HEADROOM, 4, world->now_us)
				 .action,
			 RELAY_TO_CLIENT);
	world_free(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_happened_is_counted),
		cmocka_unit_test(threat_D16_a_hundred_thousand_users_add_no_series),
		cmocka_unit_test(sixteen_relays_fit),
		cmocka_unit_test(what_is_no_tally_is_refused),
		cmocka_unit_test(beyond_max_bps_is_dropped_each_way_and_counted),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
