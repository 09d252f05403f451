/* Clients over connections: theirs is another 5-tuple than UDP's, and what they held ends with the
 * connection, once. */
#include "tests/relay_world.h"

static size_t
allocations_of(const struct world *world)
{
	return world->actor->table.rows_used;
}

static struct world *
world_over_tcp(void)
{
	struct world *world = world_new(false);

	greet(world);
	world->over_tcp = true;
	return world;
}

static struct relay_answer
channel_of(struct world *world, unsigned channel, const char *text)
{
	uint8_t memory[DATAGRAM_MAX];
	const size_t count = strlen(text);

	turn_channel_write(memory, (uint16_t)channel, count);
	memcpy(memory + CHANNEL_HEADER_BYTES, text, count);
	return client_sends(world, ANN, (struct span){ memory, CHANNEL_HEADER_BYTES + count });
}

static void
ann_is_gone(struct world *world)
{
	const struct address client = address_of(ANN);

	relay_client_gone(world->relay, LISTENER_TCP, &client);
}

static bool
ann_holds(const struct world *world)
{
	const struct address client = address_of(ANN);

	return relay_client_holds(world->relay, LISTENER_TCP, &client, world->now_us);
}

static int
allocate_again(struct world *world)
{
	return request(world, ANN,
		       (struct ask){ .method = TURN_ALLOCATE, .user = "ann", .transport = 17 });
}

static void
threat_D12_a_closed_connection_ends_its_allocation(void **unused)
{
	(void)unused;
	struct world *world = world_over_tcp();

	given(world);
	assert_true(ann_holds(world));
	channel_of(world, 0x4000, "hello");
	ann_is_gone(world);
	assert_false(ann_holds(world));
	assert_int_equal(channel_of(world, 0x4000, "lost").action, RELAY_DROP);
	ann_is_gone(world);
	assert_int_equal(world->queued, 2); /* its usage, its end */
	assert_int_equal(world->queue[1].end.reason, END_CLIENT_GONE);
	pump(world);
	assert_int_equal(world->logged.bytes_up, 5);
	assert_int_equal(allocations_of(world), 0);
	assert_int_equal(world->sockets_open, 0);
	world_free(world);
}

static void
threat_D12_the_quota_comes_back_once(void **unused)
{
	(void)unused;
	struct world *world = world_over_tcp();

	for (uint32_t i = 0; i < 3 * world->config.limits.user_quota; i++) {
		assert_int_equal(allocate_again(world), 0);
		ann_is_gone(world);
		pump(world);
		ann_is_gone(world);
		pump(world);
	}
	assert_int_equal(allocations_of(world), 0);
	world_free(world);
}

static void
a_client_that_comes_back_at_once_starts_anew(void **unused)
{
	(void)unused;
	struct world *world = world_over_tcp();

	given(world);
	ann_is_gone(world);
	assert_int_equal(allocate_again(world), 0);
	assert_true(ann_holds(world));
	assert_int_equal(allocations_of(world), 1);
	assert_int_equal(channel_of(world, 0x4000, "x").action, RELAY_DROP);
	world_free(world);
}

static void
what_is_decided_for_a_client_that_is_gone_ends(void **unused)
{
	(void)unused;
	struct world *world = world_over_tcp();
	uint8_t memory[DATAGRAM_MAX];
	const struct ask ask = { .method = TURN_ALLOCATE, .user = "ann", .transport = 17 };

	fetch_nonce(world, ANN);
	client_sends(world, ANN, write_request(world, &ask, memory));
	world->replies = 0;
	ann_is_gone(world);
	pump(world);
	assert_int_equal(world->replies, 0);
	assert_int_equal(allocations_of(world), 0);
	assert_int_equal(world->sockets_open, 0);
	world_free(world);
}

static void
an_end_that_cannot_be_asked_is_asked_later(void **unused)
{
	(void)unused;
	struct world *world = world_over_tcp();

	given(world);
	channel_of(world, 0x4000, "hello");
	world->line_is_full = true;
	ann_is_gone(world);
	relay_tick(world->relay, world->now_us);
	world->line_is_full = false;
	relay_tick(world->relay, world->now_us);
	relay_tick(world->relay, world->now_us);
	pump(world);
	assert_int_equal(world->logged.bytes_up, 5);
	assert_int_equal(allocations_of(world), 0);
	world_free(world);
}

static void
a_restarted_relay_ends_what_came_over_connections(void **unused)
{
	(void)unused;
	struct world *world = world_over_tcp();

	allocate(world, "ann", ANN);
	world->over_tcp = false;
	allocate(world, "bob", BOB);
	relay_free(world->relay);
	world->sockets_open = 0;
	new_relay(world);
	greet(world);
	assert_int_equal(allocations_of(world), 1);
	assert_int_equal(world->sockets_open, 1);
	world_free(world);
}

static void
a_restarted_actor_leaves_connections_alone(void **unused)
{
	(void)unused;
	struct world *world = world_over_tcp();

	given(world);
	greet(world);
	assert_true(ann_holds(world));
	assert_int_equal(channel_of(world, 0x4000, "x").action, RELAY_TO_PEER);
	world_free(world);
}

static void
udp_and_tcp_are_two_clients(void **unused)
{
	(void)unused;
	struct world *world = world_over_tcp();

	given(world);
	world->over_tcp = false;
	assert_int_equal(channel_of(world, 0x4000, "x").action, RELAY_DROP);
	allocate(world, "ann", ANN);
	assert_int_equal(allocations_of(world), 2);
	world->over_tcp = true;
	ann_is_gone(world);
	pump(world);
	assert_int_equal(allocations_of(world), 1);
	world->over_tcp = false;
	assert_int_equal(request(world, ANN, (struct ask){ REFRESH, .lifetime = 600 }), 0);
	world_free(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threat_D12_a_closed_connection_ends_its_allocation),
		cmocka_unit_test(threat_D12_the_quota_comes_back_once),
		cmocka_unit_test(a_client_that_comes_back_at_once_starts_anew),
		cmocka_unit_test(what_is_decided_for_a_client_that_is_gone_ends),
		cmocka_unit_test(an_end_that_cannot_be_asked_is_asked_later),
		cmocka_unit_test(a_restarted_relay_ends_what_came_over_connections),
		cmocka_unit_test(a_restarted_actor_leaves_connections_alone),
		cmocka_unit_test(udp_and_tcp_are_two_clients),
	};

	return cmocka_run_group_tests_name("relay_gone", tests, world_setup, world_teardown);
}
