/* An allocation of two families, and one whose client moves: within its relay, or to another. */
#include "tests/allocation_world.h"

/* RFC 8656 sections 7.2 and 8.2: one allocation, one quota, one end; peers of either family. */
static void
an_allocation_may_have_two_families(void **unused)
{
	(void)unused;
	struct world world = world_new();
	struct command both = allocate_of(1, "ann", "203.0.113.1:1000", 50000, 1);
	struct command again = allocate_of(2, "bob", "203.0.113.2:1000", 50001, 1);
	struct command refresh = refresh_of(1, 0);

	both.allocate.relayed_also = address_of("[2001:db8::1]:50000");
	assert_int_equal(run(&world, both), ACCEPTED);
	const struct allocation *held = &world.live->table.rows[0];
	const struct id ann = held->user;
	assert_int_equal(allocation_count_user(&world.live->table, &ann, world.now_us), 1);
	again.allocate.relayed_also = both.allocate.relayed_also;
	assert_int_equal(run(&world, again), REFUSED_CAPACITY);
	again.allocate.relayed_also = again.allocate.relayed;
	assert_int_equal(run(&world, again), REFUSED_MALFORMED);
	assert_int_equal(run(&world, permit_of(1, "198.51.100.1:1", "[2001:db8:1::1]:1")),
			 ACCEPTED);
	assert_int_equal(run(&world, bind_of(1, 0x4000, "[2001:db8:1::2]:7")), ACCEPTED);
	assert_int_equal(run(&world, bind_of(1, 0x4000, "198.51.100.2:7")), REFUSED_CHANNEL);
	assert_rebuilt(&world);

	/* A longer life for one is one for both; neither shortens the other's. */
	const uint64_t until_us = held->expires_us;
	refresh.refresh.family = ADDRESS_IPV6;
	refresh.refresh.lifetime_s = 1200;
	assert_int_equal(run(&world, refresh), ACCEPTED);
	assert_true(held->expires_us > until_us);
	refresh.refresh.family = ADDRESS_IPV4;
	refresh.refresh.lifetime_s = 600;
	assert_int_equal(run(&world, refresh), ACCEPTED);
	assert_true(held->expires_us > until_us);

	/* What is given up takes its peers along, and their channels' numbers are free. */
	refresh.refresh.family = ADDRESS_IPV6;
	refresh.refresh.lifetime_s = 0;
	assert_int_equal(run(&world, refresh), ACCEPTED);
	assert_int_equal(world.events.count, 1);
	assert_int_equal(world.events.items[0].type, EVENT_TURN_ADDRESS_RELEASED);
	assert_true(address_equal(&world.events.items[0].turn_address_released.relayed,
				  &both.allocate.relayed_also));
	assert_int_equal(run(&world, permit_of(1, "[2001:db8:1::1]:1", NULL)), REFUSED_PEER_FAMILY);
	assert_int_equal(run(&world, bind_of(1, 0x4000, "198.51.100.2:7")), ACCEPTED);
	assert_int_equal(peer_count(&world.live->table, 0, PEER_KIND_CHANNEL, world.now_us), 1);
	assert_int_equal(run(&world, refresh), REFUSED_PEER_FAMILY);
	again.allocate.relayed_also = both.allocate.relayed_also;
	assert_int_equal(run(&world, again), ACCEPTED);
	assert_rebuilt(&world);
	assert_int_equal(run(&world, refresh_of(1, 0)), ACCEPTED);
	world_free(&world);
}

static void
threat_F15_a_ticket_is_good_for_one_move(void **unused)
{
	(void)unused;
	struct world world = world_new();
	const struct address home = address_of("203.0.113.1:1000");
	const struct address away = address_of("198.51.100.77:2000");
	const struct address server = address_of("192.0.2.1:3478");
	const struct allocation_table *table = &world.live->table;

	given(&world);
	assert_int_equal(run(&world, allocate_of(2, "bob", "203.0.113.2:1", 50001, 1)), ACCEPTED);
	assert_int_equal(run(&world, move_of(3, 0, "198.51.100.77:2000")), REFUSED_NO_ALLOCATION);
	assert_int_equal(run(&world, move_of(1, 1, "198.51.100.77:2000")), REFUSED_TICKET);
	assert_int_equal(run(&world, move_of(1, 0, "203.0.113.2:1")), REFUSED_NO_ALLOCATION);
	assert_int_equal(allocation_find_client(table, &home, &server, CLIENT_UDP, 1), 0);

	assert_int_equal(run(&world, move_of(1, 0, "198.51.100.77:2000")), ACCEPTED);
	assert_int_equal(world.events.count, 2);
	const struct event_turn_allocation_moved *moved =
		&world.events.items[0].turn_allocation_moved;
	assert_true(address_equal(&moved->client_before, &home));
	assert_true(address_equal(&moved->client, &away));
	assert_int_equal(moved->moves, 1);
	assert_int_equal(allocation_find_client(table, &home, &server, CLIENT_UDP, 1), ROW_NONE);
	assert_int_equal(allocation_find_client(table, &away, &server, CLIENT_UDP, 1), 0);
	assert_int_equal(run(&world, move_of(1, 0, "198.51.100.78:2000")), REFUSED_TICKET);
	assert_rebuilt(&world);
	assert_int_equal(run(&world, move_of(1, 1, "198.51.100.78:2000")), ACCEPTED);
	assert_rebuilt(&world);
	/* The former place is free for another allocation. */
	assert_int_equal(run(&world, allocate_of(4, "cyd", "203.0.113.1:1000", 50004, 1)),
			 ACCEPTED);
	assert_int_equal(run(&world, refresh_of(1, 0)), ACCEPTED);
	assert_rebuilt(&world);
	world_free(&world);
}

static void
attach_relay(struct world *world, uint64_t number)
{
	struct command attach = own(COMMAND_ATTACH);

	attach.front = number;
	attach.attach.instance = id_of(3, number);
	assert_int_equal(run(world, attach), ACCEPTED);
}

/* Relay 1 has the allocation, a client of relay 2 shows the ticket: relay 2 calls, relay 1 yields.
 */
static void
an_allocation_goes_to_the_relay_that_calls_it_when_its_own_yields(void **unused)
{
	(void)unused;
	struct world world = world_new();
	const struct address away = address_of("198.51.100.77:2000");
	const struct address server = address_of("192.0.2.1:3478");
	const struct allocation *held = &world.live->table.rows[0];
	const struct command call = by_relay(move_of(1, 0, "198.51.100.77:2000"), 2);
	struct command yield = move_of(1, 0, "198.51.100.77:2000");

	attach_relay(&world, 1);
	attach_relay(&world, 2);
	given(&world);
	yield.move.relay = 2;
	assert_int_equal(run(&world, call), ACCEPTED);
	assert_int_equal(world.events.count, 0);
	assert_int_equal(held->relay, 1);
	assert_int_equal(run(&world, by_relay(move_of(1, 1, "198.51.100.77:2000"), 2)),
			 REFUSED_TICKET);
	assert_int_equal(run(&world, by_relay(yield, 2)), REFUSED_NO_ALLOCATION);
	yield.move.relay = 3;
	assert_int_equal(run(&world, yield), REFUSED_NO_ALLOCATION); /* no such relay */
	yield.move.relay = 2;
	assert_int_equal(run(&world, yield), ACCEPTED);
	assert_int_equal(world.events.count, 2);
	assert_int_equal(world.events.items[1].type, EVENT_TURN_ALLOCATION_MOVED);
	assert_int_equal(world.events.items[1].turn_allocation_moved.relay, 2);
	assert_int_equal(held->relay, 2);
	assert_int_equal(allocation_find_client(&world.live->table, &away, &server, CLIENT_UDP, 2),
			 0);
	assert_rebuilt(&world);
	/* No command of relay 2 is taken for one that was accepted. */
	assert_true(id_is_none(&world.live->relays.items[2].last_command));

	/* What the former one still says of it is not its to say; a call that is repeated is good.
	 */
	assert_int_equal(run(&world, refresh_of(1, 600)), REFUSED_NO_ALLOCATION);
	assert_int_equal(run(&world, yield), REFUSED_NO_ALLOCATION);
	assert_int_equal(run(&world, call), ACCEPTED);
	assert_int_equal(world.events.count, 0);
	assert_int_equal(run(&world, by_relay(permit_of(1, "198.51.100.9:1", NULL), 2)), ACCEPTED);
	assert_int_equal(run(&world, by_relay(refresh_of(1, 0), 2)), ACCEPTED);
	assert_rebuilt(&world);
	world_free(&world);
}

static void
where_it_is_called_to_there_may_be_no_other_one(void **unused)
{
	(void)unused;
	struct world world = world_new();
	const struct command call = by_relay(move_of(1, 0, "198.51.100.77:2000"), 2);
	struct command yield = move_of(1, 0, "198.51.100.77:2000");

	attach_relay(&world, 1);
	attach_relay(&world, 2);
	given(&world);
	yield.move.relay = 2;
	assert_int_equal(run(&world, call), ACCEPTED);
	assert_int_equal(
		run(&world, by_relay(allocate_of(2, "bob", "198.51.100.77:2000", 50001, 1), 2)),
		ACCEPTED);
	assert_int_equal(run(&world, call), REFUSED_NO_ALLOCATION);
	assert_int_equal(run(&world, yield), REFUSED_NO_ALLOCATION);
	assert_int_equal(world.live->table.rows[0].relay, 1);
	world_free(&world);
}

static void
threat_D6_a_move_counts_for_the_address_quota(void **unused)
{
	(void)unused;
	struct world world = world_new();

	world.live->limits.address_quota = 1;
	given(&world);
	assert_int_equal(run(&world, allocate_of(2, "bob", "203.0.113.2:1", 50001, 1)), ACCEPTED);
	assert_int_equal(run(&world, move_of(1, 0, "203.0.113.2:2")), REFUSED_QUOTA);
	assert_int_equal(run(&world, move_of(1, 0, "203.0.113.1:2")), ACCEPTED);
	world_free(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_allocation_may_have_two_families),
		cmocka_unit_test(threat_F15_a_ticket_is_good_for_one_move),
		cmocka_unit_test(threat_D6_a_move_counts_for_the_address_quota),
		cmocka_unit_test(an_allocation_goes_to_the_relay_that_calls_it_when_its_own_yields),
		cmocka_unit_test(where_it_is_called_to_there_may_be_no_other_one),
	};

	return cmocka_run_group_tests_name("allocation_move", tests, NULL, NULL);
}
