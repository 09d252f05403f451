/* What the allocation actor decides: every refusal of RFC 8656 that it owns. */
#include "tests/allocation_world.h"

struct row {
	const char *name;
	uint64_t after_s;
	struct command when;
	enum verdict verdict;
	uint32_t events;
};

static void
check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct world world = world_new();
		given(&world);
		world.now_us += rows[i].after_s * 1000000;
		const enum verdict verdict = run(&world, rows[i].when);
		if (verdict != rows[i].verdict || world.events.count != rows[i].events) {
			print_error("%s: %s with %u events\n", rows[i].name, verdict_name(verdict),
				    world.events.count);
		}
		assert_int_equal(verdict, rows[i].verdict);
		assert_int_equal(world.events.count, rows[i].events);
		assert_rebuilt(&world);
		world_free(&world);
	}
}

static struct command
without_client(struct command command)
{
	command.allocate.client = (struct address){ 0 };
	return command;
}

static struct command
over_tcp(struct command command)
{
	command.allocate.transport = 1;
	return command;
}

static void
every_command_has_its_answer(void **unused)
{
	(void)unused;
	const struct row rows[] = {
		{ "another client gets its own", 0,
		  allocate_of(2, "bob", "203.0.113.2:1", 50001, 9), ACCEPTED, 1 },
		{ "threat_F1: a retransmitted Allocate is the same success", 0,
		  allocate_of(2, "ann", "203.0.113.1:1000", 50001, 1), ACCEPTED, 0 },
		{ "threat_F2: a second Allocate is a mismatch", 0,
		  allocate_of(2, "ann", "203.0.113.1:1000", 50001, 2), REFUSED_NO_ALLOCATION, 0 },
		{ "the same client at another relay is another 5-tuple", 0,
		  by_relay(allocate_of(2, "ann", "203.0.113.1:1000", 50001, 2), 2), ACCEPTED, 1 },
		{ "an expired allocation gives way before the sweep", 601,
		  allocate_of(2, "ann", "203.0.113.1:1000", 50001, 2), ACCEPTED, 2 },
		{ "an unreadable Allocate", 0,
		  without_client(allocate_of(2, "bob", "203.0.113.2:1", 50001, 9)),
		  REFUSED_MALFORMED, 0 },
		{ "threat_F3: only UDP and TCP are relayed", 0,
		  over_tcp(allocate_of(2, "bob", "203.0.113.2:1", 50001, 9)), REFUSED_TRANSPORT,
		  0 },
		{ "an allocation id is used once", 0,
		  allocate_of(1, "bob", "203.0.113.2:1", 50001, 9), REFUSED_MALFORMED, 0 },
		{ "a relayed address is held once", 0,
		  allocate_of(2, "bob", "203.0.113.2:1", 50000, 9), REFUSED_CAPACITY, 0 },
		{ "a relay number beyond the last", 0,
		  by_relay(allocate_of(2, "bob", "203.0.113.2:1", 50001, 9), FRONTS_MAX + 1),
		  REFUSED_MALFORMED, 0 },
		{ "refresh", 0, refresh_of(1, 600), ACCEPTED, 1 },
		{ "threat_F6: refresh to 0 releases", 0, refresh_of(1, 0), ACCEPTED, 1 },
		{ "refresh of nothing", 0, refresh_of(2, 600), REFUSED_NO_ALLOCATION, 0 },
		{ "refresh by another relay", 0, by_relay(refresh_of(1, 600), 2),
		  REFUSED_NO_ALLOCATION, 0 },
		{ "refresh after expiry", 600, refresh_of(1, 600), REFUSED_NO_ALLOCATION, 0 },
		{ "refresh just before expiry", 599, refresh_of(1, 600), ACCEPTED, 1 },
		{ "permit two", 0, permit_of(1, "198.51.100.7:1", "198.51.100.8:1"), ACCEPTED, 2 },
		{ "permit the same IP twice", 0, permit_of(1, "198.51.100.7:1", "198.51.100.7:2"),
		  ACCEPTED, 2 },
		{ "permit again", 0, permit_of(1, "198.51.100.1:9", NULL), ACCEPTED, 1 },
		{ "threat_B16: a peer of the other family", 0,
		  permit_of(1, "[2001:db8::1]:1", NULL), REFUSED_PEER_FAMILY, 0 },
		{ "threat_B16: the second peer of the other family refuses both", 0,
		  permit_of(1, "198.51.100.7:1", "[2001:db8::1]:1"), REFUSED_PEER_FAMILY, 0 },
		{ "permit without an allocation", 0, permit_of(2, "198.51.100.7:1", NULL),
		  REFUSED_NO_ALLOCATION, 0 },
		{ "permit after expiry", 600, permit_of(1, "198.51.100.7:1", NULL),
		  REFUSED_NO_ALLOCATION, 0 },
		{ "bind: permission and channel", 0, bind_of(1, 0x4001, "198.51.100.3:7000"),
		  ACCEPTED, 2 },
		{ "bind again refreshes both", 0, bind_of(1, 0x4000, "198.51.100.2:7000"), ACCEPTED,
		  2 },
		{ "the same IP at another port is another channel", 0,
		  bind_of(1, 0x4001, "198.51.100.2:7001"), ACCEPTED, 2 },
		{ "threat_F7: the number is another peer's", 0,
		  bind_of(1, 0x4000, "198.51.100.3:7000"), REFUSED_CHANNEL, 0 },
		{ "threat_F7: the peer has another number", 0,
		  bind_of(1, 0x4001, "198.51.100.2:7000"), REFUSED_CHANNEL, 0 },
		{ "threat_F7: 0x5000 is no channel", 0, bind_of(1, 0x5000, "198.51.100.3:7000"),
		  REFUSED_CHANNEL, 0 },
		{ "threat_F7: 0x3fff is no channel", 0, bind_of(1, 0x3FFF, "198.51.100.3:7000"),
		  REFUSED_CHANNEL, 0 },
		{ "threat_B16: bind to the other family", 0, bind_of(1, 0x4001, "[2001:db8::1]:1"),
		  REFUSED_PEER_FAMILY, 0 },
		{ "bind without an allocation", 0, bind_of(2, 0x4001, "198.51.100.3:7000"),
		  REFUSED_NO_ALLOCATION, 0 },
		{ "usage", 0, usage_of(1, 1, 3), ACCEPTED, 1 },
		{ "usage of an expired allocation still counts", 603, usage_of(1, 1, 3), ACCEPTED,
		  1 },
		{ "usage of a peer that never was", 0, usage_of(1, 4, 3), REFUSED_MALFORMED, 0 },
		{ "usage of peer 0", 0, usage_of(1, 0, 3), REFUSED_MALFORMED, 0 },
		{ "usage of nothing relayed", 0, usage_of(1, 1, 0), REFUSED_MALFORMED, 0 },
		{ "usage without an allocation", 0, usage_of(2, 1, 3), REFUSED_NO_ALLOCATION, 0 },
		{ "usage by another relay", 0, by_relay(usage_of(1, 1, 3), 2),
		  REFUSED_NO_ALLOCATION, 0 },
		{ "the port is lost", 0, end_of(1, END_PORT_LOST), ACCEPTED, 1 },
		{ "a relay cannot say that it expired", 0, end_of(1, END_EXPIRED),
		  REFUSED_MALFORMED, 0 },
		{ "its client is gone", 0, end_of(1, END_CLIENT_GONE), ACCEPTED, 1 },
		{ "its agent is expelled", 0, end_of(1, END_EXPELLED), ACCEPTED, 1 },
		{ "a relay has done its part", 0, by_relay(own(COMMAND_EXPELLED), 1), ACCEPTED, 0 },
		{ "an expulsion that is announced changes nothing", 0, expel_of("ann", false),
		  ACCEPTED, 0 },
		{ "what relays left ends", 0, expel_of("ann", true), ACCEPTED, 1 },
		{ "nobody knows that agent", 0, expel_of("an", true), ACCEPTED, 0 },
		{ "a relay cannot expel", 0, by_relay(expel_of("ann", true), 1), REFUSED_MALFORMED,
		  0 },
		{ "an operator ended it", 0, end_of(1, END_KILLED), ACCEPTED, 1 },
		{ "its agent was revoked", 0, end_of(1, END_REVOKED), ACCEPTED, 1 },
		{ "an agent is revoked", 0, revoke_of(1, "ann", false), ACCEPTED, 1 },
		{ "nobody is restored", 0, revoke_of(1, "ann", true), ACCEPTED, 0 },
		{ "no name is revoked", 0, revoke_of(1, "", false), REFUSED_MALFORMED, 0 },
		{ "a relay cannot revoke", 0, by_relay(revoke_of(1, "ann", false), 1),
		  REFUSED_MALFORMED, 0 },
		{ "end of nothing", 0, end_of(2, END_PORT_LOST), REFUSED_NO_ALLOCATION, 0 },
		{ "strangers were refused", 0, refused_of(3), ACCEPTED, 1 },
		{ "nobody was refused", 0, refused_of(0), REFUSED_MALFORMED, 0 },
		{ "a sweep with nothing to do", 604, own(COMMAND_SWEEP), ACCEPTED, 0 },
		{ "a sweep after the grace", 605, own(COMMAND_SWEEP), ACCEPTED, 1 },
		{ "close", 0, own(COMMAND_CLOSE), ACCEPTED, 1 },
		{ "digest", 0, own(COMMAND_DIGEST), ACCEPTED, 1 },
		{ "a session's command", 0, own(COMMAND_LEAVE), REFUSED_MALFORMED, 0 },
	};
	check_rows(rows, sizeof rows / sizeof rows[0]);
}

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

/* As itself and with a credential of another time; nobody else, whatever his name ends in. */
static void
an_expelled_agent_is_forgotten(void **unused)
{
	static const char *const words[] = { "ann", "1800000600:ann", "joann", "1800000600:joann",
					     "bob" };
	(void)unused;
	struct world world = world_new();

	for (uint8_t i = 0; i < 5; i++) {
		char client[] = "203.0.113.1:1";
		client[10] = (char)('1' + i);
		assert_int_equal(run(&world, allocate_of(1u + i, words[i], client,
							 (uint16_t)(50000 + i), i)),
				 ACCEPTED);
	}
	assert_int_equal(run(&world, expel_of("ann", true)), ACCEPTED);
	assert_int_equal(world.events.count, 2);
	assert_int_equal(world.events.items[0].turn_allocation_ended.reason, END_EXPELLED);
	assert_rebuilt(&world);
	assert_int_equal(run(&world, expel_of("ann", true)), ACCEPTED);
	assert_int_equal(world.events.count, 2);
	assert_int_equal(world.events.items[0].type, EVENT_USER_FORGOTTEN);
	assert_int_equal(world.events.items[1].type, EVENT_USER_FORGOTTEN);
	assert_rebuilt(&world);
	assert_int_equal(run(&world, expel_of("ann", true)), ACCEPTED);
	assert_int_equal(world.events.count, 0);
	assert_int_equal(world.live->table.rows_used, 3);
	/* A new life of it, under a new handle. */
	const struct id fresh = id_of(2, 9);
	assert_int_equal(run(&world, allocate_of(9, "ann", "203.0.113.9:1", 50009, 9)), ACCEPTED);
	assert_true(id_equal(&world.events.items[0].turn_allocation_created.user, &fresh));
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
a_revoked_agent_gets_no_allocation_until_it_is_restored(void **unused)
{
	(void)unused;
	struct world world = world_new();

	assert_int_equal(run(&world, revoke_of(1, "ann", false)), ACCEPTED);
	assert_int_equal(run(&world, revoke_of(2, "ann", false)), ACCEPTED);
	assert_int_equal(world.events.count, 0);
	assert_int_equal(run(&world, allocate_of(1, "ann", "203.0.113.1:1", 50000, 1)),
			 REFUSED_UNAUTHENTICATED);
	assert_int_equal(run(&world, allocate_of(2, "bob", "203.0.113.2:1", 50001, 2)), ACCEPTED);
	assert_int_equal(run(&world, revoke_of(3, "cid", false)), ACCEPTED);
	assert_rebuilt(&world);
	assert_int_equal(run(&world, revoke_of(4, "ann", true)), ACCEPTED);
	assert_int_equal(world.events.count, 1);
	assert_rebuilt(&world);
	assert_int_equal(run(&world, allocate_of(1, "ann", "203.0.113.1:1", 50000, 1)), ACCEPTED);
	/* With the name goes its revocation. */
	assert_int_equal(run(&world, expel_of("cid", true)), ACCEPTED);
	assert_int_equal(world.events.items[0].type, EVENT_USER_FORGOTTEN);
	assert_rebuilt(&world);
	assert_int_equal(run(&world, allocate_of(3, "cid", "203.0.113.3:1", 50003, 3)), ACCEPTED);
	world_free(&world);
}

static void
no_more_are_revoked_than_the_table_holds(void **unused)
{
	(void)unused;
	struct world world = world_new();
	char word[] = "a0000";

	for (unsigned i = 0; i <= REVOKED_MAX; i++) {
		snprintf(word, sizeof word, "a%04u", i % 10000);
		assert_int_equal(run(&world, revoke_of(1000 + i, word, false)),
				 i < REVOKED_MAX ? ACCEPTED : REFUSED_FULL);
	}
	assert_rebuilt(&world);
	world_free(&world);
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
threat_F8_permissions_end_after_300_s_and_channels_after_600(void **unused)
{
	(void)unused;
	struct world world = world_new();
	const struct address one = address_of("198.51.100.1:1");
	const struct address two = address_of("198.51.100.2:7000");
	const uint64_t start = world.now_us;
	struct allocation_table *t = &world.live->table;

	given(&world);
	const struct id id = id_of(1, 1);
	const uint32_t row = allocation_find(t, &id);
	assert_int_not_equal(permission_find(t, row, &one, start + 299999999), PEER_NONE);
	assert_int_equal(permission_find(t, row, &one, start + 300000000), PEER_NONE);
	assert_int_not_equal(permission_find(t, row, &two, start + 299999999), PEER_NONE);
	assert_int_not_equal(channel_find(t, row, 0x4000, start + 599999999), PEER_NONE);
	assert_int_not_equal(channel_find_peer(t, row, &two, start + 599999999), PEER_NONE);
	assert_int_equal(channel_find(t, row, 0x4000, start + 600000000), PEER_NONE);
	/* The number is free again for another peer once it is dead. */
	assert_int_equal(run(&world, refresh_of(1, 3600)), ACCEPTED);
	world.now_us = start + 600000000;
	assert_int_equal(run(&world, bind_of(1, 0x4000, "198.51.100.3:7000")), ACCEPTED);
	assert_int_equal(world.events.items[0].turn_permission_installed.number, 4);
	assert_int_equal(world.events.items[1].turn_channel_bound.number, 5);
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

static void
the_end_says_what_was_relayed(void **unused)
{
	(void)unused;
	struct world world = world_new();

	given(&world);
	assert_int_equal(run(&world, usage_of(1, 1, 3)), ACCEPTED);
	assert_int_equal(run(&world, usage_of(1, 3, 4)), ACCEPTED);
	assert_int_equal(run(&world, refresh_of(1, 0)), ACCEPTED);
	const struct event *event = &world.events.items[0];
	const struct id trace = id_of(9, 1);
	assert_true(id_equal(&event->trace_id, &trace));
	assert_int_equal(event->turn_allocation_ended.never_used, 0);
	assert_int_equal(event->turn_allocation_ended.packets_up, 7);
	assert_int_equal(event->turn_allocation_ended.bytes_up, 700);
	assert_int_equal(event->turn_allocation_ended.reason, END_RELEASED);
	assert_int_equal(run(&world, allocate_of(2, "ann", "203.0.113.1:1000", 50000, 1)),
			 ACCEPTED);
	assert_int_equal(run(&world, end_of(2, END_PORT_LOST)), ACCEPTED);
	assert_int_equal(world.events.items[0].turn_allocation_ended.never_used, 1);
	world_free(&world);
}

static void
what_was_accepted_is_recognised(void **unused)
{
	(void)unused;
	struct world world = world_new();
	struct command attach = own(COMMAND_ATTACH);
	struct command command = allocate_of(1, "ann", "203.0.113.1:1", 50000, 1);

	attach.front = 1;
	attach.attach.instance = id_of(3, 1);
	assert_int_equal(run(&world, attach), ACCEPTED);
	assert_int_equal(world.events.count, 1);
	assert_int_equal(run(&world, attach), ACCEPTED);
	assert_int_equal(world.events.count, 0);
	assert_int_equal(run(&world, command), ACCEPTED);
	command.front = 1;
	command.instance = id_of(3, 1);
	command.command_id = id_of(world.now_us / 1000, world.commands);
	assert_true(allocation_repeats(world.live, &command));
	command.command_id = id_of(world.now_us / 1000, world.commands + 1);
	assert_false(allocation_repeats(world.live, &command));
	/* The sweep's ids are the actor's own: they must not make a relay's command look repeated.
	 */
	world.now_us += 700 * 1000000ull;
	assert_int_equal(run(&world, own(COMMAND_SWEEP)), ACCEPTED);
	assert_int_equal(world.events.count, 1);
	assert_false(allocation_repeats(world.live, &command));
	assert_rebuilt(&world);
	world_free(&world);
}

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
		cmocka_unit_test(every_command_has_its_answer),
		cmocka_unit_test(threat_D6_quota_is_per_address_and_exact),
		cmocka_unit_test(threat_D6_a_network_of_64_bits_is_one_source),
		cmocka_unit_test(threat_D5_quota_is_per_user_and_exact),
		cmocka_unit_test(threat_D7_lifetimes_are_clipped),
		cmocka_unit_test(threat_D8_an_allocation_has_so_many_peers),
		cmocka_unit_test(a_capacity_is_spoken_for_by_who_holds_an_allocation),
		cmocka_unit_test(a_revoked_agent_gets_no_allocation_until_it_is_restored),
		cmocka_unit_test(no_more_are_revoked_than_the_table_holds),
		cmocka_unit_test(an_expelled_agent_is_forgotten),
		cmocka_unit_test(threat_D10_the_same_number_fits_each_time),
		cmocka_unit_test(threat_F8_permissions_end_after_300_s_and_channels_after_600),
		cmocka_unit_test(the_end_says_what_was_relayed),
		cmocka_unit_test(what_was_accepted_is_recognised),
		cmocka_unit_test(an_allocation_may_have_two_families),
		cmocka_unit_test(threat_F15_a_ticket_is_good_for_one_move),
		cmocka_unit_test(threat_D6_a_move_counts_for_the_address_quota),
		cmocka_unit_test(an_allocation_goes_to_the_relay_that_calls_it_when_its_own_yields),
		cmocka_unit_test(where_it_is_called_to_there_may_be_no_other_one),
	};

	return cmocka_run_group_tests_name("allocation", tests, NULL, NULL);
}
