/* The allocation actor: every refusal of RFC 8656 that it owns, and the promise that what is
 * rebuilt from its events, with or without the personal parts, equals what lived. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actors/allocation.h"
#include "actors/outbox.h"

enum { DUMP_BYTES = 4 * 1024 * 1024 };
static const uint64_t START_US = (uint64_t)1800000000 * 1000 * 1000;

/* The live state, one rebuilt from the encoded events, and one rebuilt without their personal
 * parts. */
struct world {
	struct allocation_state *live;
	struct allocation_state *replayed;
	struct allocation_state *keyless;
	uint64_t now_us;
	uint64_t commands;
	struct event_list events;
	uint8_t *dumps[2];
};

static struct allocation_limits
small_limits(uint64_t seed)
{
	return (struct allocation_limits){
		.allocations_max = 8,
		.peers_max = 200,
		.names_max = 5,
		.user_quota = 2,
		.total_quota = 6,
		.lifetime_max_s = 3600,
		.seed = seed,
	};
}

static struct world
world_new(void)
{
	struct allocation_limits a = small_limits(1);
	struct allocation_limits b = small_limits(0xABCDEF);
	struct allocation_limits c = small_limits(77);

	return (struct world){
		.live = allocation_new(&a),
		.replayed = allocation_new(&b),
		.keyless = allocation_new(&c),
		.now_us = START_US,
		.dumps = { malloc(DUMP_BYTES), malloc(DUMP_BYTES) },
	};
}

static void
world_free(struct world *world)
{
	allocation_free(world->live);
	allocation_free(world->replayed);
	allocation_free(world->keyless);
	free(world->dumps[0]);
	free(world->dumps[1]);
}

static struct id
id_of(uint64_t kind, uint64_t number)
{
	struct id id = { { 0 } };

	for (size_t i = 0; i < 8; i++) {
		id.bytes[i] = (uint8_t)(kind >> (56 - 8 * i));
		id.bytes[8 + i] = (uint8_t)(number >> (56 - 8 * i));
	}
	return id;
}

static struct address
address_of(const char *text)
{
	struct address address;

	assert_null(address_parse(&address, text));
	return address;
}

static void
replay(struct world *world, const struct event *event)
{
	uint8_t memory[2048];
	struct mp_writer w = mp_writer_of(memory, sizeof memory);
	struct event_wire wire;
	struct event read;

	event_write(&w, event);
	assert_false(w.bad);
	struct mp_reader r = mp_reader_of(mp_written(&w));
	event_wire_read(&r, &wire);
	assert_true(mp_reader_is_done(&r));
	assert_true(event_from_wire(&wire, &read));
	allocation_apply(world->replayed, &read);
	wire.part[0].count = 0;
	assert_true(event_from_wire(&wire, &read));
	allocation_apply(world->keyless, &read);
}

static enum verdict
run(struct world *world, struct command command)
{
	if (command.front == 0 && command.type < COMMAND_ATTACH) {
		command.front = 1;
	}
	command.now_us = world->now_us;
	command.command_id = id_of(world->now_us / 1000, ++world->commands);
	world->events.count = 0;
	const enum verdict verdict = allocation_decide(world->live, &command, &world->events);
	if (verdict != ACCEPTED) {
		world->events.count = 0;
	}
	for (uint32_t i = 0; i < world->events.count; i++) {
		allocation_apply(world->live, &world->events.items[i]);
		replay(world, &world->events.items[i]);
	}
	return verdict;
}

static struct span
dump_of(const struct allocation_state *state, uint8_t *memory)
{
	struct mp_writer w = mp_writer_of(memory, DUMP_BYTES);

	allocation_dump(state, &w);
	assert_false(w.bad);
	return mp_written(&w);
}

static void
assert_same(struct world *world, const struct allocation_state *other)
{
	const struct span a = dump_of(world->live, world->dumps[0]);
	const struct span b = dump_of(other, world->dumps[1]);

	assert_int_equal(a.count, b.count);
	assert_memory_equal(a.at, b.at, a.count);
}

static void
assert_restores(struct world *world)
{
	const struct allocation_limits limits = small_limits(5);
	struct allocation_state *restored = allocation_new(&limits);
	uint8_t *personal = malloc(DUMP_BYTES);
	uint8_t *again = malloc(DUMP_BYTES);
	struct mp_writer w = mp_writer_of(personal, DUMP_BYTES);
	struct mp_writer v = mp_writer_of(again, DUMP_BYTES);
	const struct span dump = dump_of(world->live, world->dumps[0]);

	allocation_dump_personal(world->live, &w);
	assert_true(allocation_restore(restored, dump, mp_written(&w)));
	assert_same(world, restored);
	allocation_dump_personal(restored, &v);
	assert_int_equal(mp_written(&v).count, mp_written(&w).count);
	assert_memory_equal(again, personal, mp_written(&w).count);
	allocation_clear(restored);
	assert_true(allocation_restore(restored, dump_of(world->live, world->dumps[0]),
				       (struct span){ 0 }));
	assert_same(world, restored);
	allocation_free(restored);
	free(personal);
	free(again);
}

static void
assert_rebuilt(struct world *world)
{
	assert_same(world, world->replayed);
	assert_same(world, world->keyless);
	assert_restores(world);
}

/* --- commands -----------------------------------------------------------------------------------
 */

static struct command
allocate_of(uint64_t number, const char *user, const char *client, uint16_t port,
	    uint8_t transaction)
{
	struct command command = { .type = COMMAND_ALLOCATE, .trace_id = id_of(9, number) };
	struct command_allocate *c = &command.allocate;

	c->allocation = id_of(1, number);
	c->user = id_of(2, number);
	name_set(&c->user_name, user, strlen(user));
	c->client = address_of(client);
	c->server = address_of("192.0.2.1:3478");
	c->relayed = address_of("192.0.2.1");
	c->relayed.port = port;
	c->transaction.bytes[0] = transaction;
	c->transport = 17;
	return command;
}

static struct command
refresh_of(uint64_t number, uint64_t lifetime_s)
{
	return (struct command){ .type = COMMAND_REFRESH,
				 .refresh = { .allocation = id_of(1, number),
					      .lifetime_s = lifetime_s } };
}

static struct command
permit_of(uint64_t number, const char *one, const char *two)
{
	struct command command = { .type = COMMAND_PERMIT, .permit.allocation = id_of(1, number) };

	command.permit.peer1 = address_of(one);
	if (two != NULL) {
		command.permit.peer2 = address_of(two);
	}
	return command;
}

static struct command
bind_of(uint64_t number, uint64_t channel, const char *peer)
{
	return (struct command){
		.type = COMMAND_BIND_CHANNEL,
		.bind_channel = { .allocation = id_of(1, number),
				  .channel = channel,
				  .peer = address_of(peer) },
	};
}

static struct command
usage_of(uint64_t number, uint64_t peer, uint64_t packets)
{
	return (struct command){
		.type = COMMAND_REPORT_USAGE,
		.report_usage = { .allocation = id_of(1, number),
				  .number = peer,
				  .peer = address_of("198.51.100.1:5000"),
				  .packets_up = packets,
				  .bytes_up = packets * 100 },
	};
}

static struct command
end_of(uint64_t number, uint64_t reason)
{
	return (struct command){ .type = COMMAND_END,
				 .end = { .allocation = id_of(1, number), .reason = reason } };
}

static struct command
own(enum command_type type)
{
	return (struct command){ .type = type };
}

static struct command
by_relay(struct command command, uint64_t relay)
{
	command.front = relay;
	return command;
}

static struct command
refused_of(uint64_t count)
{
	return (struct command){
		.type = COMMAND_TURN_REFUSED,
		.turn_refused = { .verdict = REFUSED_UNAUTHENTICATED,
				  .method = 3,
				  .count = count,
				  .day = id_of(4, count),
				  .source = address_of("203.0.113.9:1") },
	};
}

/* --- the table ----------------------------------------------------------------------------------
 */

/* Given: relay 1 has allocation 1 (ann, 203.0.113.1:1000, port 50000) with a permission for
 * 198.51.100.1 (number 1) and channel 0x4000 to 198.51.100.2:7000 (permission 2, channel 3). */
static void
given(struct world *world)
{
	assert_int_equal(run(world, allocate_of(1, "ann", "203.0.113.1:1000", 50000, 1)), ACCEPTED);
	assert_int_equal(run(world, permit_of(1, "198.51.100.1:5000", NULL)), ACCEPTED);
	assert_int_equal(run(world, bind_of(1, 0x4000, "198.51.100.2:7000")), ACCEPTED);
}

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
	command.allocate.transport = 6;
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
		{ "threat_F3: only UDP is relayed", 0,
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

/* --- what relays hear ---------------------------------------------------------------------------
 */

static size_t
read_notices(struct outbox *outbox, uint64_t front, struct notice *notices,
	     struct allocation_state *view)
{
	uint8_t *memory = malloc(DUMP_BYTES);
	struct mp_writer w = mp_writer_of(memory, DUMP_BYTES);
	size_t count = 0;

	outbox_write(outbox, front, UINT64_MAX, &w);
	struct mp_reader r = mp_reader_of(mp_written(&w));
	mp_get_u64(&r);
	for (size_t left = mp_get_array(&r, 1000); left > 0; left--) {
		struct span body = { 0 };
		notice_read(&r, &notices[count++], &body);
		assert_false(r.bad);
		struct mp_reader events = mp_reader_of(body);
		for (size_t n = body.count == 0 ? 0 : mp_get_array(&events, 64); n > 0; n--) {
			struct event event;
			event_read(&events, &event);
			assert_false(events.bad);
			allocation_apply(view, &event);
		}
	}
	free(memory);
	return count;
}

static void
a_relay_hears_of_its_own(void **unused)
{
	(void)unused;
	struct world world = world_new();
	struct outbox *outbox = calloc(1, sizeof *outbox);
	struct allocation_limits small = small_limits(3);
	struct allocation_state *view = allocation_new(&small);
	struct notice notices[16];
	const struct command tick = own(COMMAND_SWEEP);
	const struct address other = address_of("198.51.100.2:7000");

	assert_true(outbox_init(outbox));
	given(&world);
	assert_int_equal(run(&world, by_relay(allocate_of(2, "bob", "203.0.113.2:1", 50001, 1), 2)),
			 ACCEPTED);
	outbox_attach(outbox, 1, false, 1);
	outbox_begin(outbox, &tick, 0);
	allocation_greet(world.live, 1, outbox);
	assert_int_equal(read_notices(outbox, 1, notices, view), 2);
	assert_int_equal(notices[0].type, NOTICE_HAPPENED);
	assert_int_equal(notices[0].happened.count, 0);
	assert_int_equal(view->table.rows_used, 1);
	assert_int_equal(view->table.peers_used, 3);
	assert_int_not_equal(channel_find_peer(&view->table, 0, &other, world.now_us), PEER_NONE);

	world.now_us += 700 * 1000000ull;
	run(&world, tick);
	assert_int_equal(world.events.count, 2);
	outbox_attach(outbox, 1, false, 1);
	outbox_begin(outbox, &tick, 0);
	allocation_tell(world.live, &tick, (struct span){ 0 }, ACCEPTED, &world.events, outbox);
	assert_int_equal(read_notices(outbox, 1, notices, view), 1);
	assert_int_equal(view->table.rows_used, 0);
	assert_int_equal(read_notices(outbox, 2, notices, view), 1);
	outbox_free(outbox);
	free(outbox);
	allocation_free(view);
	world_free(&world);
}

/* --- the random walk ----------------------------------------------------------------------------
 */

static uint64_t
random_next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static struct command
random_command(uint64_t *seed, uint64_t *allocations)
{
	static const char *const users[] = { "ann", "bob", "cyd", "" };
	const uint64_t pick = random_next(seed);
	const uint64_t which =
		*allocations == 0 ? 1
				  : *allocations - pick / 7 % (*allocations < 9 ? *allocations : 9);
	char client[32], peer[32];

	snprintf(client, sizeof client, "203.0.113.%u:7", (unsigned)(pick / 11 % 9 + 1));
	snprintf(peer, sizeof peer, "198.51.100.%u:%u", (unsigned)(pick / 13 % 5 + 1),
		 (unsigned)(pick / 17 % 3 + 1));
	switch (pick % 10) {
	case 0:
	case 1:
		++*allocations;
		return by_relay(allocate_of(*allocations, users[pick / 19 % 4], client,
					    (uint16_t)(50000 + pick / 23 % 8), (uint8_t)pick),
				pick / 29 % 2 + 1);
	case 2:
		return by_relay(refresh_of(which, pick / 31 % 4 * 500), pick / 29 % 2 + 1);
	case 3:
	case 4:
		return by_relay(permit_of(which, peer, pick % 4 == 0 ? client : NULL),
				pick / 29 % 2 + 1);
	case 5:
	case 6:
		return by_relay(bind_of(which, 0x4000 + pick / 37 % 6, peer), pick / 29 % 2 + 1);
	case 7:
		return by_relay(usage_of(which, pick / 41 % 4, pick / 43 % 3), pick / 29 % 2 + 1);
	case 8:
		return pick % 3 == 0 ? end_of(which, END_PORT_LOST) : refused_of(pick / 47 % 3);
	default:
		return own(pick % 97 == 0 ? COMMAND_CLOSE : COMMAND_SWEEP);
	}
}

static void
what_is_rebuilt_equals_what_lives(void **unused)
{
	(void)unused;
	for (uint64_t start = 1; start <= 20; start++) {
		struct world world = world_new();
		uint64_t seed = start * 0x9E3779B97F4A7C15u;
		uint64_t allocations = 0;

		for (unsigned step = 0; step < 600; step++) {
			world.now_us += random_next(&seed) % 40 * 1000000;
			run(&world, random_command(&seed, &allocations));
			assert_same(&world, world.replayed);
			assert_same(&world, world.keyless);
			if (step % 100 == 99) {
				assert_restores(&world);
			}
		}
		world_free(&world);
	}
}

static void
a_broken_dump_is_not_restored(void **unused)
{
	(void)unused;
	struct world world = world_new();
	struct allocation_limits small = small_limits(3);
	struct allocation_state *state = allocation_new(&small);

	given(&world);
	const struct span dump = dump_of(world.live, world.dumps[0]);
	for (size_t cut = 0; cut < dump.count; cut++) {
		allocation_clear(state);
		assert_false(allocation_restore(state, (struct span){ dump.at, cut },
						(struct span){ 0 }));
	}
	allocation_free(state);
	world_free(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_command_has_its_answer),
		cmocka_unit_test(threat_D5_quota_is_per_user_and_exact),
		cmocka_unit_test(threat_D7_lifetimes_are_clipped),
		cmocka_unit_test(threat_D8_an_allocation_has_so_many_peers),
		cmocka_unit_test(threat_D10_the_same_number_fits_each_time),
		cmocka_unit_test(threat_F8_permissions_end_after_300_s_and_channels_after_600),
		cmocka_unit_test(the_end_says_what_was_relayed),
		cmocka_unit_test(what_was_accepted_is_recognised),
		cmocka_unit_test(a_relay_hears_of_its_own),
		cmocka_unit_test(what_is_rebuilt_equals_what_lives),
		cmocka_unit_test(a_broken_dump_is_not_restored),
	};

	return cmocka_run_group_tests_name("allocation", tests, NULL, NULL);
}
