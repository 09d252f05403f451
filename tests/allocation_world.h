/* An allocation actor whose events are replayed at once, with and without their personal parts. */
#ifndef IFSWARM_TESTS_ALLOCATION_WORLD_H
#define IFSWARM_TESTS_ALLOCATION_WORLD_H

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

static inline struct allocation_limits
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

static inline struct world
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

static inline void
world_free(struct world *world)
{
	allocation_free(world->live);
	allocation_free(world->replayed);
	allocation_free(world->keyless);
	free(world->dumps[0]);
	free(world->dumps[1]);
}

static inline struct id
id_of(uint64_t kind, uint64_t number)
{
	struct id id = { { 0 } };

	for (size_t i = 0; i < 8; i++) {
		id.bytes[i] = (uint8_t)(kind >> (56 - 8 * i));
		id.bytes[8 + i] = (uint8_t)(number >> (56 - 8 * i));
	}
	return id;
}

static inline struct address
address_of(const char *text)
{
	struct address address;

	assert_null(address_parse(&address, text));
	return address;
}

static inline void
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

static inline enum verdict
run(struct world *world, struct command command)
{
	if (command.front == 0 && !command_is_own(command.type)) {
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

static inline struct span
dump_of(const struct allocation_state *state, uint8_t *memory)
{
	struct mp_writer w = mp_writer_of(memory, DUMP_BYTES);

	allocation_dump(state, &w);
	assert_false(w.bad);
	return mp_written(&w);
}

static inline void
assert_same(struct world *world, const struct allocation_state *other)
{
	const struct span a = dump_of(world->live, world->dumps[0]);
	const struct span b = dump_of(other, world->dumps[1]);

	assert_int_equal(a.count, b.count);
	assert_memory_equal(a.at, b.at, a.count);
}

static inline void
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

static inline void
assert_rebuilt(struct world *world)
{
	assert_same(world, world->replayed);
	assert_same(world, world->keyless);
	assert_restores(world);
}

static inline struct command
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

static inline struct command
refresh_of(uint64_t number, uint64_t lifetime_s)
{
	return (struct command){ .type = COMMAND_REFRESH,
				 .refresh = { .allocation = id_of(1, number),
					      .lifetime_s = lifetime_s } };
}

static inline struct command
move_of(uint64_t number, uint64_t moves, const char *client)
{
	struct command command = { .type = COMMAND_MOVE };
	struct command_move *c = &command.move;

	c->allocation = id_of(1, number);
	c->moves = moves;
	c->client = address_of(client);
	c->server = address_of("192.0.2.1:3478");
	c->transaction.bytes[0] = 0xAA;
	c->lifetime_s = 600;
	return command;
}

static inline struct command
permit_of(uint64_t number, const char *one, const char *two)
{
	struct command command = { .type = COMMAND_PERMIT, .permit.allocation = id_of(1, number) };

	command.permit.peer1 = address_of(one);
	if (two != NULL) {
		command.permit.peer2 = address_of(two);
	}
	return command;
}

static inline struct command
bind_of(uint64_t number, uint64_t channel, const char *peer)
{
	return (struct command){
		.type = COMMAND_BIND_CHANNEL,
		.bind_channel = { .allocation = id_of(1, number),
				  .channel = channel,
				  .peer = address_of(peer) },
	};
}

static inline struct command
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

static inline struct command
end_of(uint64_t number, uint64_t reason)
{
	return (struct command){ .type = COMMAND_END,
				 .end = { .allocation = id_of(1, number), .reason = reason } };
}

static inline struct command
own(enum command_type type)
{
	return (struct command){ .type = type };
}

static inline struct command
revoke_of(uint64_t id, const char *agent, bool undo)
{
	struct command command = own(COMMAND_REVOKE);

	command.revoke.agent = id_of(3, id);
	command.revoke.undo = undo;
	name_set(&command.revoke.agent_name, agent, strlen(agent));
	return command;
}

static inline struct command
expel_of(const char *agent, bool over)
{
	struct command command = { .type = COMMAND_EXPEL, .expel.over = over };

	name_set(&command.expel.agent_name, agent, strlen(agent));
	return command;
}

static inline struct command
by_relay(struct command command, uint64_t relay)
{
	command.front = relay;
	return command;
}

static inline struct command
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

/* Given: relay 1 has allocation 1 (ann, 203.0.113.1:1000, port 50000) with a permission for
 * 198.51.100.1 (number 1) and channel 0x4000 to 198.51.100.2:7000 (permission 2, channel 3). */
static inline void
given(struct world *world)
{
	assert_int_equal(run(world, allocate_of(1, "ann", "203.0.113.1:1000", 50000, 1)), ACCEPTED);
	assert_int_equal(run(world, permit_of(1, "198.51.100.1:5000", NULL)), ACCEPTED);
	assert_int_equal(run(world, bind_of(1, 0x4000, "198.51.100.2:7000")), ACCEPTED);
}

#endif
