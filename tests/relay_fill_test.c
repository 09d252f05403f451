/* Whatever was taken comes back: filled, freed and filled again, the relay and the allocation actor
 * hold as many each time. */
#include "tests/relay_world.h"

enum { ROUNDS = 100, TRIED = 70, ROOM = 64, STEP_US = 20 * 1000 };

static int
asks(struct world *world, unsigned client, struct ask ask)
{
	char address[64];

	snprintf(address, sizeof address, "203.0.113.7:%u", 10000 + client);
	world->now_us += STEP_US; /* no faster than strangers may ask */
	return request(world, address, ask);
}

static unsigned
fill(struct world *world)
{
	unsigned count = 0;

	for (unsigned client = 0; client < TRIED; client++) {
		const int code = asks(world, client,
				      (struct ask){ .method = TURN_ALLOCATE,
						    .user = client % 2 == 0 ? "ann" : "bob",
						    .transport = 17 });
		if (code != 0) {
			assert_int_equal(code, 508);
			continue;
		}
		count++;
		assert_int_equal(asks(world, client,
				      (struct ask){ .method = TURN_CHANNEL_BIND,
						    .user = client % 2 == 0 ? "ann" : "bob",
						    .channel = 0x4000,
						    .peers = { "198.51.100.1:7000" } }),
				 0);
	}
	return count;
}

static void
release(struct world *world, unsigned count)
{
	for (unsigned client = 0; client < count; client++) {
		assert_int_equal(asks(world, client,
				      (struct ask){ .method = TURN_REFRESH,
						    .user = client % 2 == 0 ? "ann" : "bob",
						    .lifetime = -1 }),
				 0);
	}
}

static void
threat_D10_filled_and_freed_a_hundred_times(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	world->actor->limits.user_quota = 0;
	world->actor->limits.total_quota = 0;
	greet(world);
	for (unsigned round = 0; round < ROUNDS; round++) {
		assert_int_equal(fill(world), ROOM);
		assert_int_equal(world->sockets_open, ROOM);
		release(world, ROOM);
		assert_int_equal(world->actor->table.rows_used, 0);
		assert_int_equal(world->actor->table.peers_used, 0);
		assert_int_equal(relay_allocations(world->relay), 0);
		assert_int_equal(world->sockets_open, 0);
	}
	world_free(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threat_D10_filled_and_freed_a_hundred_times),
	};

	return cmocka_run_group_tests_name("relay_fill", tests, world_setup, world_teardown);
}
