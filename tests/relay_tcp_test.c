/* TCP allocations (RFC 6062): who gets one, whom it reaches, and what becomes of its connections.
 */
#include "tests/relay_world.h"

static const char DATA[] = "203.0.113.1:1001"; /* ann's second connection */
static const char PEER[] = "198.51.100.1:80";
static const uint64_t SECOND_US = 1000000;

static struct world *
world_of_tcp(void)
{
	struct world *world = world_new(false);

	relay_free(world->relay);
	world->config.serves_tcp = true;
	new_relay(world);
	greet(world);
	world->over_tcp = true;
	return world;
}

static int
allocate_tcp(struct world *world, const char *user, const char *client)
{
	return request(world, client,
		       (struct ask){ .method = TURN_ALLOCATE, .user = user, .transport = 6 });
}

static int
connect_to(struct world *world, const char *peer)
{
	return request(world, ANN,
		       (struct ask){ .method = TURN_CONNECT, .user = "ann", .peers = { peer } });
}

static int
bind_as(struct world *world, const char *user, const char *client, uint32_t connection)
{
	return request(world, client,
		       (struct ask){ .method = TURN_CONNECTION_BIND,
				     .user = user,
				     .connection = connection });
}

static uint32_t
told_id(struct world *world)
{
	const struct stun_message message = last_reply(world);
	uint32_t id = 0;

	assert_true(stun_has(&message, STUN_CONNECTION_ID));
	memcpy(&id, message.values[STUN_CONNECTION_ID].at, sizeof id);
	assert_int_not_equal(id, 0);
	return id;
}

/* Ann's Connect to that peer has succeeded: its CONNECTION-ID. */
static uint32_t
given_connection(struct world *world, const char *peer)
{
	assert_int_equal(connect_to(world, peer), -1); /* not before it is there */
	assert_true(relay_tcp_connected(world->relay, world->tcp_last));
	assert_int_equal(world->replies, 0); /* not before it is durable */
	pump(world);
	assert_int_equal(world->replies, 1);
	return told_id(world);
}

static void
pass_time(struct world *world, uint64_t seconds)
{
	world->now_us += seconds * SECOND_US;
	world->replies = 0;
	relay_tick(world->relay, world->now_us);
	pump(world);
}

static int
error_of_last(struct world *world)
{
	const struct stun_message message = last_reply(world);

	return (int)stun_error_code(&message);
}

static void
threat_F3_tcp_is_relayed_over_tcp_alone(void **unused)
{
	(void)unused;
	struct world *world = world_of_tcp();

	assert_int_equal(request(world, ANN,
				 (struct ask){ .method = TURN_ALLOCATE,
					       .user = "ann",
					       .transport = 6,
					       .even_port = 1 }),
			 400);
	assert_int_equal(request(world, ANN,
				 (struct ask){ .method = TURN_ALLOCATE,
					       .user = "ann",
					       .transport = 6,
					       .token = "12345678" }),
			 400);
	assert_int_equal(request(world, ANN,
				 (struct ask){ .method = TURN_ALLOCATE,
					       .user = "ann",
					       .transport = 6,
					       .dont_fragment = true }),
			 400);
	assert_int_equal(allocate_tcp(world, "ann", ANN), 0);
	assert_true(world->last_socket >= RELAY_SOCKETS_MAX);
	assert_int_equal(request(world, ANN,
				 (struct ask){ .method = TURN_CHANNEL_BIND,
					       .user = "ann",
					       .channel = 0x4000,
					       .peers = { PEER } }),
			 400);
	world->over_tcp = false;
	assert_int_equal(allocate_tcp(world, "bob", BOB), 442);
	assert_int_equal(bind_as(world, "bob", BOB, 1), 400); /* threat_D3 */
	world_free(world);
}

static void
threat_F3_nor_where_several_relays_share_a_clients_connections(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	relay_free(world->relay);
	world->config.serves_tcp = true;
	world->config.scattered_port = world->config.listeners[LISTENER_TCP].port;
	new_relay(world);
	greet(world);
	world->over_tcp = true;
	assert_int_equal(allocate_tcp(world, "ann", ANN), 442);
	assert_int_equal(bind_as(world, "ann", DATA, 1), 400);
	world_free(world);
}

static void
no_datagram_leaves_a_tcp_allocation(void **unused)
{
	(void)unused;
	struct world *world = world_of_tcp();
	uint8_t memory[DATAGRAM_MAX];
	const struct transaction transaction = { { 1 } };
	const struct address peer = address_of(PEER);
	struct stun_writer w =
		stun_writer_of(memory, sizeof memory, TURN_SEND, STUN_INDICATION, &transaction);

	assert_int_equal(allocate_tcp(world, "ann", ANN), 0);
	assert_int_equal(request(world, ANN,
				 (struct ask){ .method = TURN_CREATE_PERMISSION,
					       .user = "ann",
					       .peers = { PEER } }),
			 0);
	stun_put_address(&w, STUN_XOR_PEER_ADDRESS, &peer);
	stun_put(&w, STUN_DATA, "hello", 5);
	assert_int_equal(client_sends(world, ANN, stun_written(&w)).action, RELAY_DROP);
	world_free(world);
}

static void
threat_B15_whom_a_connect_may_reach(void **unused)
{
	(void)unused;
	static const struct {
		const char *peer;
		int code;
	} rows[] = {
		{ "127.0.0.1:22", 403 },       { "10.0.0.1:80", 403 },
		{ "169.254.169.254:80", 403 }, { "192.0.2.1:3478", 403 }, /* our own port */
		{ "192.0.2.1:22", 403 },       { "[2001:db8::9]:80", 443 },
		{ "198.51.100.1", 400 },
	};
	struct world *world = world_of_tcp();

	assert_int_equal(connect_to(world, PEER), 437);
	assert_int_equal(allocate_tcp(world, "ann", ANN), 0);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		print_message("%s\n", rows[i].peer);
		assert_int_equal(connect_to(world, rows[i].peer), rows[i].code);
	}
	assert_int_equal(request(world, ANN, (struct ask){ .method = TURN_CONNECT, .user = "ann" }),
			 400);
	assert_int_equal(world->tcp_closed, 0);
	world_free(world);
}

/* Refused at once, or never answered: one reply, at one time. */
static void
threat_B15_every_failure_looks_the_same(void **unused)
{
	(void)unused;
	for (int refused_at_once = 0; refused_at_once < 2; refused_at_once++) {
		struct world *world = world_of_tcp();

		assert_int_equal(allocate_tcp(world, "ann", ANN), 0);
		assert_int_equal(connect_to(world, PEER), -1);
		if (refused_at_once) {
			relay_tcp_failed(world->relay, world->tcp_last);
		}
		pass_time(world, TCP_CONNECT_S - 1);
		assert_int_equal(world->replies, 0);
		assert_int_equal(connect_to(world, PEER), 446); /* threat_F16, as while it waits */
		pass_time(world, 1);
		assert_int_equal(world->replies, 1);
		assert_int_equal(error_of_last(world), 447); /* threat_F16 */
		assert_int_equal(world->tcp_closed, 1);
		assert_int_equal(connect_to(world, PEER), -1);
		world_free(world);
	}
}

static void
the_same_connect_again_is_asked_once(void **unused)
{
	(void)unused;
	struct world *world = world_of_tcp();
	const struct ask ask = {
		.method = TURN_CONNECT, .user = "ann", .peers = { PEER }, .transaction = 7
	};

	assert_int_equal(allocate_tcp(world, "ann", ANN), 0);
	assert_int_equal(request(world, ANN, ask), -1);
	assert_int_equal(request(world, ANN, ask), -1);
	pass_time(world, TCP_CONNECT_S);
	assert_int_equal(world->replies, 1);
	world_free(world);
}

static void
one_allocation_tries_so_many_at_once(void **unused)
{
	(void)unused;
	struct world *world = world_of_tcp();
	char peer[32];

	assert_int_equal(allocate_tcp(world, "ann", ANN), 0);
	for (int port = 1; port <= TCP_PEERS_PER_ALLOCATION_MAX; port++) {
		snprintf(peer, sizeof peer, "198.51.100.1:%d", port);
		assert_int_equal(connect_to(world, peer), -1);
		relay_tcp_failed(world->relay, world->tcp_last);
	}
	assert_int_equal(connect_to(world, "198.51.100.1:99"), 508);
	world_free(world);
}

static void
a_connection_is_bound_and_its_bytes_are_counted(void **unused)
{
	(void)unused;
	struct world *world = world_of_tcp();
	const struct address data = address_of(DATA);

	assert_int_equal(allocate_tcp(world, "ann", ANN), 0);
	const uint32_t id = given_connection(world, PEER);
	const uint32_t number = world->tcp_last;
	assert_false(relay_tcp_flows(world->relay, number));
	assert_int_equal(bind_as(world, "ann", DATA, id), 0);
	assert_int_equal(world->tcp_joined, 1);
	assert_int_equal(world->tcp_last, number);
	assert_int_equal(relay_tcp_of_client(world->relay, LISTENER_TCP, &data), number);
	assert_true(relay_client_holds(world->relay, LISTENER_TCP, &data, world->now_us));
	assert_true(relay_tcp_flows(world->relay, number));
	relay_tcp_passed(world->relay, number, true, 100, world->now_us);
	relay_tcp_passed(world->relay, number, false, 7, world->now_us);
	relay_tcp_ended(world->relay, number, CONNECTION_END_PEER);
	assert_int_equal(world->tcp_closed, 0); /* not before it is durable */
	pump(world);
	assert_int_equal(world->tcp_closed, 1);
	assert_int_equal(world->logged.bytes_up, 100);
	assert_int_equal(world->logged.bytes_down, 7);
	assert_int_equal(relay_tcp_of_client(world->relay, LISTENER_TCP, &data), UINT32_MAX);
	world_free(world);
}

/* max-bps: nothing is dropped, what is too much is not read. */
static void
beyond_its_rate_a_connection_is_held_back_each_way(void **unused)
{
	(void)unused;
	struct world *world = world_of_tcp();

	world->config.bytes_per_s = 100000;
	relay_reload(world->relay, &world->config);
	assert_int_equal(allocate_tcp(world, "ann", ANN), 0);
	const uint32_t id = given_connection(world, PEER);
	const uint32_t number = world->tcp_last;
	assert_int_equal(bind_as(world, "ann", DATA, id), 0);
	const uint32_t other_id = given_connection(world, "198.51.100.1:81");
	const uint32_t other = world->tcp_last;
	assert_int_equal(bind_as(world, "ann", "203.0.113.1:1002", other_id), 0);

	assert_true(relay_tcp_has_rate(world->relay, number, true, world->now_us));
	relay_tcp_passed(world->relay, number, true, 99999, world->now_us);
	assert_true(relay_tcp_has_rate(world->relay, number, true, world->now_us));
	relay_tcp_passed(world->relay, number, true, 50001, world->now_us);
	assert_false(relay_tcp_has_rate(world->relay, number, true, world->now_us));
	assert_false(relay_tcp_has_rate(world->relay, other, true, world->now_us)); /* shared */
	assert_true(relay_tcp_has_rate(world->relay, number, false, world->now_us));
	world->now_us += SECOND_US / 2;
	assert_false(relay_tcp_has_rate(world->relay, number, true, world->now_us));
	world->now_us += 100;
	assert_true(relay_tcp_has_rate(world->relay, number, true, world->now_us));
	assert_true(relay_tcp_flows(world->relay, number));
	relay_tcp_ended(world->relay, number, CONNECTION_END_PEER);
	pump(world);
	assert_int_equal(world->logged.bytes_up, 150000);
	world_free(world);
}

static void
threat_F16_a_connection_is_its_users_alone(void **unused)
{
	(void)unused;
	struct world *world = world_of_tcp();

	assert_int_equal(allocate_tcp(world, "ann", ANN), 0);
	const uint32_t id = given_connection(world, PEER);
	assert_int_equal(bind_as(world, "bob", BOB, id), 400);
	assert_int_equal(bind_as(world, "ann", DATA, id + 1), 400);
	assert_int_equal(bind_as(world, "ann", DATA, 0), 400);
	assert_int_equal(bind_as(world, "ann", ANN, id), 400); /* over the one of its allocation */
	assert_int_equal(connect_to(world, PEER), 446);
	assert_int_equal(bind_as(world, "ann", DATA, id), 0);
	assert_int_equal(bind_as(world, "ann", "203.0.113.1:1002", id), 400);
	world_free(world);
}

static void
threat_F16_nobody_comes_for_it(void **unused)
{
	(void)unused;
	struct world *world = world_of_tcp();

	assert_int_equal(allocate_tcp(world, "ann", ANN), 0);
	const uint32_t id = given_connection(world, PEER);
	world->now_us += TCP_BIND_S * SECOND_US;
	assert_int_equal(bind_as(world, "ann", DATA, id), 400);
	pass_time(world, 0);
	assert_int_equal(world->tcp_closed, 1);
	assert_int_equal(bind_as(world, "ann", DATA, id), 400);
	assert_int_equal(connect_to(world, PEER), -1);
	world_free(world);
}

static void
a_peer_connects_with_a_permission(void **unused)
{
	(void)unused;
	struct world *world = world_of_tcp();
	const struct address peer = address_of("198.51.100.1:5555");
	const struct address other = address_of("198.51.100.2:5555");

	assert_int_equal(allocate_tcp(world, "ann", ANN), 0);
	const uint32_t socket = world->last_socket;
	assert_int_equal(relay_tcp_attempted(world->relay, socket, &peer, world->now_us),
			 UINT32_MAX);
	assert_int_equal(request(world, ANN,
				 (struct ask){ .method = TURN_CREATE_PERMISSION,
					       .user = "ann",
					       .peers = { PEER } }),
			 0);
	assert_int_equal(relay_tcp_attempted(world->relay, socket, &other, world->now_us),
			 UINT32_MAX);
	world->replies = 0;
	assert_int_not_equal(relay_tcp_attempted(world->relay, socket, &peer, world->now_us),
			     UINT32_MAX);
	assert_int_equal(world->replies, 0);
	pump(world);
	assert_int_equal(world->replies, 1);
	const struct stun_message message = last_reply(world);
	assert_int_equal(message.class, STUN_INDICATION);
	assert_int_equal(message.method, TURN_CONNECTION_ATTEMPT);
	assert_true(address_equal(&message.peers[0], &peer));
	assert_int_equal(bind_as(world, "ann", DATA, told_id(world)), 0);
	world_free(world);
}

static void
a_client_that_leaves_ends_it(void **unused)
{
	(void)unused;
	struct world *world = world_of_tcp();
	const struct address data = address_of(DATA);

	assert_int_equal(allocate_tcp(world, "ann", ANN), 0);
	const uint32_t id = given_connection(world, PEER);
	assert_int_equal(bind_as(world, "ann", DATA, id), 0);
	relay_client_gone(world->relay, LISTENER_TCP, &data);
	assert_int_equal(world->queue[world->queued - 1].end_connection.reason,
			 CONNECTION_END_CLIENT);
	pump(world);
	assert_int_equal(world->tcp_closed, 1);
	world_free(world);
}

static void
the_end_of_the_allocation_ends_all(void **unused)
{
	(void)unused;
	struct world *world = world_of_tcp();

	assert_int_equal(allocate_tcp(world, "ann", ANN), 0);
	const uint32_t id = given_connection(world, PEER);
	given_connection(world, "198.51.100.1:81");
	assert_int_equal(connect_to(world, "198.51.100.1:82"), -1);
	assert_int_equal(bind_as(world, "ann", DATA, id), 0);
	assert_int_equal(
		request(world, ANN,
			(struct ask){ .method = TURN_REFRESH, .user = "ann", .lifetime = -1 }),
		0);
	assert_int_equal(world->tcp_closed, 3);
	assert_int_equal(world->sockets_open, 0);
	world_free(world);
}

static void
threat_B14_a_forbidden_peer_is_cut_off(void **unused)
{
	(void)unused;
	struct world *world = world_of_tcp();

	assert_int_equal(allocate_tcp(world, "ann", ANN), 0);
	const uint32_t id = given_connection(world, PEER);
	const uint32_t number = world->tcp_last;
	assert_int_equal(bind_as(world, "ann", DATA, id), 0);
	world->config.policy.rule_count = 0; /* the special-purpose ranges are denied */
	relay_reload(world->relay, &world->config);
	assert_false(relay_tcp_flows(world->relay, number));
	pass_time(world, 1);
	assert_int_equal(world->tcp_closed, 1);
	world_free(world);
}

static void
a_restarted_actor_knows_them_still(void **unused)
{
	(void)unused;
	struct world *world = world_of_tcp();

	assert_int_equal(allocate_tcp(world, "ann", ANN), 0);
	const uint32_t id = given_connection(world, PEER);
	const uint32_t number = world->tcp_last;
	greet(world);
	assert_int_equal(world->tcp_closed, 0);
	assert_int_equal(bind_as(world, "ann", DATA, id), 0);
	relay_tcp_passed(world->relay, number, true, 11, world->now_us);
	greet(world);
	assert_true(relay_tcp_flows(world->relay, number));
	relay_tcp_passed(world->relay, number, true, 12, world->now_us);
	relay_report_all(world->relay);
	pump(world);
	assert_int_equal(world->logged.bytes_up, 23);
	world_free(world);
}

static void
a_full_line_loses_no_end(void **unused)
{
	(void)unused;
	struct world *world = world_of_tcp();

	assert_int_equal(allocate_tcp(world, "ann", ANN), 0);
	const uint32_t id = given_connection(world, PEER);
	assert_int_equal(bind_as(world, "ann", DATA, id), 0);
	const uint32_t number = world->tcp_last;
	relay_tcp_passed(world->relay, number, true, 5, world->now_us);
	world->line_is_full = true;
	relay_tcp_ended(world->relay, number, CONNECTION_END_PEER);
	world->line_is_full = false;
	assert_int_equal(world->tcp_closed, 0);
	pass_time(world, 1);
	assert_int_equal(world->tcp_closed, 1);
	assert_int_equal(world->logged.bytes_up, 5);
	world_free(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threat_F3_tcp_is_relayed_over_tcp_alone),
		cmocka_unit_test(threat_F3_nor_where_several_relays_share_a_clients_connections),
		cmocka_unit_test(no_datagram_leaves_a_tcp_allocation),
		cmocka_unit_test(threat_B15_whom_a_connect_may_reach),
		cmocka_unit_test(threat_B15_every_failure_looks_the_same),
		cmocka_unit_test(the_same_connect_again_is_asked_once),
		cmocka_unit_test(one_allocation_tries_so_many_at_once),
		cmocka_unit_test(a_connection_is_bound_and_its_bytes_are_counted),
		cmocka_unit_test(beyond_its_rate_a_connection_is_held_back_each_way),
		cmocka_unit_test(threat_F16_a_connection_is_its_users_alone),
		cmocka_unit_test(threat_F16_nobody_comes_for_it),
		cmocka_unit_test(a_peer_connects_with_a_permission),
		cmocka_unit_test(a_client_that_leaves_ends_it),
		cmocka_unit_test(the_end_of_the_allocation_ends_all),
		cmocka_unit_test(threat_B14_a_forbidden_peer_is_cut_off),
		cmocka_unit_test(a_restarted_actor_knows_them_still),
		cmocka_unit_test(a_full_line_loses_no_end),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
