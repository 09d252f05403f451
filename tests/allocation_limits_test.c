/* What there may be only so much of: quotas, lifetimes, peers, places. */
#include "tests/allocation_world.h"

static void
threat_D6_quota_is_per_address_and_exact(void **unused)
{
	(void)unused;
	struct world world = world_new();

	world.live->limits.address_quota = 2;
	assert_int_equal(run(&world, allocate_of(1, "ann", "203.0.113.1:1", 50000, 1)), ACCEPTED);
	assert_int_equal(run(&world, allocate_of(2, "bob", "203.0.113.1:2", 50001, 2)), ACCEPTED);
	assert_int_equal(run(&world, allocate_of(2, "bob", "203.0.113.1:2", 50001, 2)), ACCEPTED);
	assert_int_equal(run(&world, allocate_of(3, "eve", "203.0.113.1:3", 50002, 3)),
			 REFUSED_QUOTA);
	assert_int_equal(run(&world, allocate_of(3, "eve", "203.0.113.2:3", 50002, 3)), ACCEPTED);
	assert_int_equal(run(&world, refresh_of(1, 0)), ACCEPTED);
	assert_int_equal(run(&world, allocate_of(4, "eve", "203.0.113.1:4", 50000, 4)), ACCEPTED);
	world.now_us += 600 * 1000000ull;
	assert_int_equal(run(&world, allocate_of(5, "ann", "203.0.113.1:5", 50003, 5)), ACCEPTED);
	assert_rebuilt(&world);
	world_free(&world);
}

/* Whoever has an IPv6 address has its /64. */
static void
threat_D6_a_network_of_64_bits_is_one_source(void **unused)
{
	(void)unused;
	struct world world = world_new();

	world.live->limits.address_quota = 1;
	assert_int_equal(run(&world, allocate_of(1, "ann", "[2001:db8:0:1::1]:1", 50000, 1)),
			 ACCEPTED);
	assert_int_equal(run(&world, allocate_of(2, "bob", "[2001:db8:0:1:ff::2]:2", 50001, 2)),
			 REFUSED_QUOTA);
	assert_int_equal(run(&world, allocate_of(2, "bob", "[2001:db8:0:2::1]:2", 50001, 2)),
			 ACCEPTED);
	assert_rebuilt(&world);
	world_free(&world);
}

static void
threat_D5_quota_is_per_user_and_exact(void **unused)
{
	(void)unused;
	struct world world = world_new();

	assert_int_equal(run(&world, allocate_of(1, "ann", "203.0.113.1:1", 50000, 1)), ACCEPTED);
	assert_int_equal(run(&world, allocate_of(2, "ann", "203.0.113.1:2", 50001, 2)), ACCEPTED);
	assert_int_equal(run(&world, allocate_of(2, "ann", "203.0.113.1:2", 50001, 2)), ACCEPTED);
	assert_int_equal(run(&world, allocate_of(3, "ann", "203.0.113.1:3", 50002, 3)),
			 REFUSED_QUOTA);
	assert_int_equal(run(&world, allocate_of(3, "bob", "203.0.113.1:3", 50002, 3)), ACCEPTED);
	assert_int_equal(run(&world, refresh_of(1, 0)), ACCEPTED);
	assert_int_equal(run(&world, allocate_of(4, "ann", "203.0.113.1:4", 50000, 4)), ACCEPTED);
	world.now_us += 600 * 1000000ull;
	assert_int_equal(run(&world, allocate_of(5, "ann", "203.0.113.1:5", 50003, 5)), ACCEPTED);
	assert_rebuilt(&world);
	world_free(&world);
}

/* bps-capacity is shared out in parts of max-bps: who does not get one whole is refused. */
static void
a_capacity_is_spoken_for_by_who_holds_an_allocation(void **unused)
{
	static const struct {
		uint64_t share, capacity;
		uint32_t fit;
	} rows[] = { { 1000, 3000, 3 }, { 1000, 3999, 3 }, { 1000, 1000, 1 }, { 1000, 0, 6 } };

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct world world = world_new();

		world.live->limits.bytes_per_s = rows[i].share;
		world.live->limits.capacity_per_s = rows[i].capacity;
		for (uint8_t n = 0; n <= rows[i].fit; n++) {
			char user[] = "u0", client[] = "203.0.113.1:1";
			user[1] = client[12] = (char)('1' + n);
			assert_int_equal(run(&world, allocate_of(1u + n, user, client,
								 (uint16_t)(50000 + n), 1)),
					 n < rows[i].fit ? ACCEPTED : REFUSED_CAPACITY);
		}
		assert_int_equal(run(&world, refresh_of(1, 0)), ACCEPTED);
		assert_int_equal(run(&world, allocate_of(90, "x", "203.0.113.9:1", 50090, 1)),
				 ACCEPTED);
		world_free(&world);
	}
}

static void
threat_D10_the_same_number_fits_each_time(void **unused)
{
	(void)unused;
	struct world world = world_new();

	for (uint64_t round = 0; round < 100; round++) {
		char client[] = "203.0.113.1:1", user[] = "u0";
		for (uint64_t i = 0; i < 6; i++) {
			client[12] = user[1] = (char)('1' + i);
			assert_int_equal(run(&world, allocate_of(1 + 10 * round + i, user, client,
								 (uint16_t)(50000 + i), 1)),
					 ACCEPTED);
		}
		assert_int_equal(
			run(&world, allocate_of(9 + 10 * round, "x", "203.0.113.7:1", 50010, 1)),
			REFUSED_CAPACITY);
		for (uint64_t i = 0; i < 6; i++) {
			assert_int_equal(run(&world, refresh_of(1 + 10 * round + i, 0)), ACCEPTED);
		}
	}
	assert_rebuilt(&world);
	world_free(&world);
}

static void
threat_D8_an_allocation_has_so_many_peers(void **unused)
{
	(void)unused;
	struct world world = world_new();
	char peer[32];

	assert_int_equal(run(&world, allocate_of(1, "ann", "203.0.113.1:1", 50000, 1)), ACCEPTED);
	for (unsigned i = 0; i < PEERS_PER_ALLOCATION_MAX; i++) {
		snprintf(peer, sizeof peer, "198.51.100.%u:5000", i + 1);
		assert_int_equal(run(&world, bind_of(1, 0x4000 + i, peer)), ACCEPTED);
	}
	assert_int_equal(run(&world, bind_of(1, 0x4FFF, "198.51.100.1:5001")), REFUSED_CAPACITY);
	assert_int_equal(run(&world, permit_of(1, "203.0.113.3:1", NULL)), REFUSED_CAPACITY);
	assert_int_equal(run(&world, permit_of(1, "198.51.100.1:1", "203.0.113.3:1")),
			 REFUSED_CAPACITY);
	assert_int_equal(run(&world, permit_of(1, "198.51.100.1:1", "198.51.100.2:1")), ACCEPTED);
	assert_rebuilt(&world);
	/* The pool of all allocations is bounded as well: 200 places, 128 of them taken. */
	assert_int_equal(run(&world, allocate_of(2, "bob", "203.0.113.2:1", 50001, 1)), ACCEPTED);
	unsigned bound = 0;
	for (unsigned i = 0; i < PEERS_PER_ALLOCATION_MAX; i++) {
		snprintf(peer, sizeof peer, "198.51.100.%u:5000", i + 1);
		bound += run(&world, bind_of(2, 0x4000 + i, peer)) == ACCEPTED;
	}
	assert_int_equal(bound, 36);
	assert_int_equal(run(&world, refresh_of(1, 0)), ACCEPTED);
	assert_int_equal(run(&world, bind_of(2, 0x4FFF, "203.0.113.3:1")), ACCEPTED);
	assert_rebuilt(&world);
	world_free(&world);
}

static void
threat_D7_lifetimes_are_clipped(void **unused)
{
	(void)unused;
	struct world world = world_new();

	given(&world);
	assert_int_equal(run(&world, refresh_of(1, 0xFFFFFFFF)), ACCEPTED);
	assert_true(world.events.items[0].turn_allocation_refreshed.expires_us ==
		    world.now_us + 3600000000u);
	assert_int_equal(run(&world, refresh_of(1, 1)), ACCEPTED);
	assert_true(world.events.items[0].turn_allocation_refreshed.expires_us ==
		    world.now_us + 600000000u);
	world_free(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threat_D6_quota_is_per_address_and_exact),
		cmocka_unit_test(threat_D6_a_network_of_64_bits_is_one_source),
		cmocka_unit_test(threat_D5_quota_is_per_user_and_exact),
		cmocka_unit_test(threat_D7_lifetimes_are_clipped),
		cmocka_unit_test(threat_D8_an_allocation_has_so_many_peers),
		cmocka_unit_test(a_capacity_is_spoken_for_by_who_holds_an_allocation),
		cmocka_unit_test(threat_D10_the_same_number_fits_each_time),
	};

	return cmocka_run_group_tests_name("allocation_limits", tests, NULL, NULL);
}
