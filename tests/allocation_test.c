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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_command_has_its_answer),
		cmocka_unit_test(a_revoked_agent_gets_no_allocation_until_it_is_restored),
		cmocka_unit_test(no_more_are_revoked_than_the_table_holds),
		cmocka_unit_test(an_expelled_agent_is_forgotten),
		cmocka_unit_test(threat_F8_permissions_end_after_300_s_and_channels_after_600),
		cmocka_unit_test(the_end_says_what_was_relayed),
		cmocka_unit_test(what_was_accepted_is_recognised),
	};

	return cmocka_run_group_tests_name("allocation", tests, NULL, NULL);
}
