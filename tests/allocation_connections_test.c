/* TCP connections of allocations with peers (RFC 6062): each answer, and the same state rebuilt. */
#include "tests/allocation_world.h"

static struct command
open_of(uint64_t number, const char *peer)
{
	return (struct command){ .type = COMMAND_OPEN_CONNECTION,
				 .open_connection = { .allocation = id_of(1, number),
						      .peer = address_of(peer) } };
}

static struct command
bind_connection_of(uint64_t number, uint64_t connection)
{
	return (struct command){
		.type = COMMAND_BIND_CONNECTION,
		.bind_connection = { .allocation = id_of(1, number),
				     .number = connection,
				     .client_transport = CLIENT_TCP,
				     .client = address_of("203.0.113.1:1001") },
	};
}

static struct command
end_connection_of(uint64_t number, uint64_t connection, uint64_t reason)
{
	return (struct command){ .type = COMMAND_END_CONNECTION,
				 .end_connection = { .allocation = id_of(1, number),
						     .number = connection,
						     .reason = reason } };
}

/* Allocation 1 relays TCP, with connection 1 to 198.51.100.1:80; allocation 2 is ann's over UDP. */
static void
given_tcp(struct world *world)
{
	struct command allocate = allocate_of(1, "ann", "203.0.113.1:1000", 50000, 1);

	allocate.allocate.transport = 6;
	allocate.allocate.client_transport = CLIENT_TCP;
	assert_int_equal(run(world, allocate), ACCEPTED);
	assert_int_equal(run(world, allocate_of(2, "ann", "203.0.113.1:2000", 50000, 2)), ACCEPTED);
	assert_int_equal(run(world, open_of(1, "198.51.100.1:80")), ACCEPTED);
}

struct row {
	const char *name;
	struct command command;
	enum verdict verdict;
	enum event_type type; /* of the one event; 0: none */
};

static void
every_command_has_its_answer(void **unused)
{
	(void)unused;
	const struct row rows[] = {
		{ "another port of that host", open_of(1, "198.51.100.1:81"), ACCEPTED,
		  EVENT_TURN_CONNECTION_OPENED },
		{ "threat_F16: the same peer twice", open_of(1, "198.51.100.1:80"),
		  REFUSED_CONNECTION_EXISTS, 0 },
		{ "a peer of the other family", open_of(1, "[2001:db8::9]:80"), REFUSED_PEER_FAMILY,
		  0 },
		{ "no such allocation", open_of(9, "198.51.100.1:81"), REFUSED_NO_ALLOCATION, 0 },
		{ "an allocation over UDP", open_of(2, "198.51.100.1:81"), REFUSED_NO_ALLOCATION,
		  0 },
		{ "another relay's", by_relay(open_of(1, "198.51.100.1:81"), 2),
		  REFUSED_NO_ALLOCATION, 0 },
		{ "a bind", bind_connection_of(1, 1), ACCEPTED, EVENT_TURN_CONNECTION_BOUND },
		{ "a bind of none", bind_connection_of(1, 2), REFUSED_BAD_REQUEST, 0 },
		{ "an end", end_connection_of(1, 1, CONNECTION_END_PEER), ACCEPTED,
		  EVENT_TURN_CONNECTION_ENDED },
		{ "an end of none", end_connection_of(1, 2, CONNECTION_END_PEER), ACCEPTED, 0 },
		{ "an end without a reason", end_connection_of(1, 1, 0), REFUSED_MALFORMED, 0 },
		{ "another relay's end",
		  by_relay(end_connection_of(1, 1, CONNECTION_END_CLIENT), 2),
		  REFUSED_NO_ALLOCATION, 0 },
		{ "what flowed over it", usage_of(1, 1, 3), ACCEPTED, EVENT_TURN_RELAY_USAGE },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct world world = world_new();

		given_tcp(&world);
		print_message("%s\n", rows[i].name);
		assert_int_equal(run(&world, rows[i].command), rows[i].verdict);
		assert_int_equal(world.events.count, rows[i].type != 0);
		if (rows[i].type != 0) {
			assert_int_equal(world.events.items[0].type, rows[i].type);
		}
		assert_rebuilt(&world);
		world_free(&world);
	}
}

static void
one_allocation_has_so_many_and_no_more(void **unused)
{
	(void)unused;
	struct world world = world_new();
	char peer[32];

	given_tcp(&world);
	for (int port = 1; port < TCP_PEERS_PER_ALLOCATION_MAX; port++) {
		snprintf(peer, sizeof peer, "198.51.100.2:%d", port);
		assert_int_equal(run(&world, open_of(1, peer)), ACCEPTED);
	}
	assert_int_equal(run(&world, open_of(1, "198.51.100.3:1")), REFUSED_CAPACITY);
	assert_int_equal(run(&world, end_connection_of(1, 1, CONNECTION_END_UNUSED)), ACCEPTED);
	assert_int_equal(run(&world, open_of(1, "198.51.100.1:80")), ACCEPTED);
	assert_int_equal(world.events.items[0].turn_connection_opened.number,
			 TCP_PEERS_PER_ALLOCATION_MAX + 1);
	assert_rebuilt(&world);
	world_free(&world);
}

static void
a_relay_that_attaches_hears_of_the_live_ones(void **unused)
{
	(void)unused;
	static struct outbox outbox;
	static uint8_t memory[1024 * 1024];
	struct mp_writer w = mp_writer_of(memory, sizeof memory);
	struct world world = world_new();
	const struct command attach = own(COMMAND_ATTACH);
	size_t opened = 0;

	given_tcp(&world);
	assert_int_equal(run(&world, open_of(1, "198.51.100.1:81")), ACCEPTED);
	assert_int_equal(run(&world, end_connection_of(1, 1, CONNECTION_END_PEER)), ACCEPTED);
	outbox_attach(&outbox, 1, false, 1);
	outbox_begin(&outbox, &attach, 0);
	allocation_greet(world.live, 1, &outbox);
	outbox_write(&outbox, 1, UINT64_MAX, &w);
	struct mp_reader r = mp_reader_of(mp_written(&w));
	mp_get_u64(&r);
	for (size_t left = mp_get_array(&r, NOTICES_PER_REPLY_MAX); left > 0; left--) {
		struct notice notice;
		struct span body = { 0 };
		struct event event;

		notice_read(&r, &notice, &body);
		struct mp_reader events = mp_reader_of(body);
		for (size_t n = body.count == 0 ? 0 : mp_get_array(&events, 100); n > 0; n--) {
			event_read(&events, &event);
			opened += event.type == EVENT_TURN_CONNECTION_OPENED;
		}
	}
	assert_int_equal(opened, 1);
	outbox_drop(&outbox, 1);
	world_free(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_command_has_its_answer),
		cmocka_unit_test(one_allocation_has_so_many_and_no_more),
		cmocka_unit_test(a_relay_that_attaches_hears_of_the_live_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
