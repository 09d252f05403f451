/* Pairs of ports and their tokens (RFC 8656 sections 7.2, 18.6, 18.9): who may have the second
 * port, and until when it is kept. */
#include "tests/relay_world.h"

static const char CAM[] = "203.0.113.3:3000";

/* Bob has the first of a pair; its token. */
static void
pair(struct world *world, const char *client, char token[8])
{
	assert_int_equal(
		request(world, client, (struct ask){ ALLOCATE, .transport = 17, .even_port = 2 }),
		0);
	const struct stun_message reply = last_reply(world);
	assert_int_equal(reply.values[STUN_RESERVATION_TOKEN].count, 8);
	memcpy(token, reply.values[STUN_RESERVATION_TOKEN].at, 8);
}

static uint16_t
relayed_port(struct world *world)
{
	const struct stun_message reply = last_reply(world);
	struct address relayed;

	assert_true(stun_address(&reply, STUN_XOR_RELAYED_ADDRESS, &relayed));
	return relayed.port;
}

static int
claim(struct world *world, const char *user, const char *client, const char token[8])
{
	return request(
		world, client,
		(struct ask){
			.method = TURN_ALLOCATE, .user = user, .transport = 17, .token = token });
}

static void
the_token_gives_the_next_port(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	char token[8];

	world->next_port = 50001;
	pair(world, BOB, token);
	assert_int_equal(relayed_port(world), 50002);
	assert_int_equal(world->sockets_open, 2);
	assert_int_equal(claim(world, "bob", CAM, token), 0);
	assert_int_equal(relayed_port(world), 50003);
	assert_int_equal(world->sockets_open, 2);
	/* It is used up. */
	assert_int_equal(claim(world, "bob", "203.0.113.4:1", token), 508);
	assert_int_equal(world->actor->table.rows_used, 2);
	world_free(world);
}

static void
a_retransmission_tells_the_same_token(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	const struct ask ask = { ALLOCATE, .transport = 17, .even_port = 2, .transaction = 9 };
	uint8_t memory[DATAGRAM_MAX];
	uint8_t first[DATAGRAM_MAX];

	fetch_nonce(world, BOB);
	const struct span datagram = write_request(world, &ask, memory);
	client_sends(world, BOB, datagram);
	pump(world);
	const size_t bytes = world->reply_bytes;
	memcpy(first, world->reply, bytes);
	client_sends(world, BOB, datagram);
	assert_int_equal(world->reply_bytes, bytes);
	assert_memory_equal(world->reply, first, bytes);
	assert_int_equal(world->sockets_open, 2);
	world_free(world);
}

static void
threat_D9_the_second_port_is_kept_for_30_s(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	char token[8];

	pair(world, BOB, token);
	world->now_us += 29999999;
	relay_tick(world->relay, world->now_us);
	assert_int_equal(world->sockets_open, 2);
	world->now_us += 1;
	assert_int_equal(claim(world, "bob", CAM, token), 508); /* before the tick, too */
	relay_tick(world->relay, world->now_us);
	assert_int_equal(world->sockets_open, 1);
	world_free(world);
}

static void
threat_D9_an_even_port_alone_keeps_nothing(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	world->next_port = 50001;
	assert_int_equal(
		request(world, BOB, (struct ask){ ALLOCATE, .transport = 17, .even_port = 1 }), 0);
	assert_int_equal(relayed_port(world), 50002);
	assert_int_equal(world->sockets_open, 1);
	const struct stun_message reply = last_reply(world);
	assert_false(stun_has(&reply, STUN_RESERVATION_TOKEN));
	world_free(world);
}

static void
threat_D9_a_user_keeps_few_ports_whatever_it_releases(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	const struct ask release = { .method = TURN_REFRESH, .user = "bob", .lifetime = -1 };
	char token[8];

	for (unsigned i = 0; i < RESERVATIONS_PER_USER_MAX; i++) {
		pair(world, BOB, token);
		assert_int_equal(request(world, BOB, release), 0);
	}
	assert_int_equal(world->sockets_open, RESERVATIONS_PER_USER_MAX);
	assert_int_equal(
		request(world, BOB, (struct ask){ ALLOCATE, .transport = 17, .even_port = 2 }),
		508);
	allocate(world, "bob", BOB); /* without a pair there is room */
	assert_int_equal(request(world, ANN,
				 (struct ask){ .method = TURN_ALLOCATE,
					       .user = "ann",
					       .transport = 17,
					       .even_port = 2 }),
			 0);
	world->now_us += 30 * 1000000;
	relay_tick(world->relay, world->now_us);
	assert_int_equal(world->sockets_open, 2);
	world_free(world);
}

static void
a_token_is_for_the_user_it_was_given_to(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	char token[8];
	char other[8];

	pair(world, BOB, token);
	assert_int_equal(claim(world, "ann", ANN, token), 508);
	memcpy(other, token, sizeof other);
	other[7] ^= 1;
	assert_int_equal(claim(world, "bob", CAM, other), 508);
	assert_int_equal(claim(world, "bob", CAM, token), 0);
	world_free(world);
}

static void
what_is_refused_keeps_nothing(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	char client[] = "203.0.113.9:1000";

	/* A quota of four. */
	for (unsigned i = 0; i < 4; i++) {
		client[12] = (char)('1' + i);
		allocate(world, "bob", client);
	}
	assert_int_equal(
		request(world, BOB, (struct ask){ ALLOCATE, .transport = 17, .even_port = 2 }),
		486);
	assert_int_equal(world->sockets_open, 4);
	world->port_is_gone = true;
	assert_int_equal(request(world, ANN,
				 (struct ask){ .method = TURN_ALLOCATE,
					       .user = "ann",
					       .transport = 17,
					       .even_port = 2 }),
			 508);
	world->port_is_gone = false;
	world->line_is_full = true;
	assert_int_equal(request(world, ANN,
				 (struct ask){ .method = TURN_ALLOCATE,
					       .user = "ann",
					       .transport = 17,
					       .even_port = 2 }),
			 -1);
	world->line_is_full = false;
	assert_int_equal(world->sockets_open, 4);
	assert_int_equal(relay_allocations(world->relay), 4);
	world_free(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_token_gives_the_next_port),
		cmocka_unit_test(a_retransmission_tells_the_same_token),
		cmocka_unit_test(threat_D9_the_second_port_is_kept_for_30_s),
		cmocka_unit_test(threat_D9_an_even_port_alone_keeps_nothing),
		cmocka_unit_test(threat_D9_a_user_keeps_few_ports_whatever_it_releases),
		cmocka_unit_test(a_token_is_for_the_user_it_was_given_to),
		cmocka_unit_test(what_is_refused_keeps_nothing),
	};

	return cmocka_run_group_tests_name("relay_reserve", tests, world_setup, world_teardown);
}
