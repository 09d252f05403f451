/* A reserved port at another relay: what is asked of whom, who gets the port, what is refused, and
 * what a stranger can make relays do (THREATS F17). This world's relay is the first; the others are
 * played. */
#include "tests/relay_world.h"

enum { OTHER = 2, AGAIN_US = 100 * 1000 };
static const char CAM[] = "203.0.113.3:3000";
static const char DAN[] = "203.0.113.4:4000";
static const struct nonce_key KEY = { { 7 } };

/* One that the other relay has given to that user. */
static void
token_of(struct world *world, const char *user, uint64_t relay, uint8_t token[8])
{
	static uint8_t fresh;
	const struct id random = { { ++fresh } };
	struct name name = { 0 };

	name_set(&name, user, strlen(user));
	token_write(token, &world->integrity, &KEY, relay, &random, &name, world->now_us);
}

static int
claim(struct world *world, const char *client, const uint8_t token[8])
{
	return request(world, client,
		       (struct ask){ ALLOCATE, .transport = 17, .token = (const char *)token });
}

/* What the other relay says about the last thing it was asked. */
static void
other_says(struct world *world, enum fetch_kind kind, uint32_t socket)
{
	struct fetch_message message = { .kind = kind, .from = OTHER };

	memcpy(message.token, world->last_told.token, sizeof message.token);
	message.relayed = address_of("192.0.2.1:51003");
	world->replies = 0;
	world->sockets_open += socket != SOCKET_NONE;
	relay_handle_fetch(world->relay, &message, socket, world->now_us);
	pump(world);
}

/* The error of the last answer, 0 for a success. */
static int
answered(struct world *world)
{
	assert_int_equal(world->replies, 1);
	const struct stun_message reply = last_reply(world);
	return reply.class == STUN_SUCCESS ? 0 : (int)stun_error_code(&reply);
}

/* The first of the two relays, which asks for a port and has not heard yet. */
static struct world *
world_that_waits(void)
{
	struct world *world = world_new(false);
	uint8_t token[8];

	token_of(world, "bob", OTHER, token);
	assert_int_equal(claim(world, CAM, token), -1);
	assert_int_equal(world->told, 1);
	assert_int_equal(world->told_to, OTHER);
	assert_int_equal(world->last_told.kind, FETCH_ASKED);
	assert_int_equal(world->last_told.from, 1);
	assert_memory_equal(world->last_told.token, token, sizeof token);
	assert_int_equal(world->told_socket, SOCKET_NONE);
	return world;
}

static void
a_port_that_another_relay_gives_is_allocated(void **unused)
{
	(void)unused;
	struct world *world = world_that_waits();
	struct address relayed;

	other_says(world, FETCH_GIVEN, 40);
	assert_int_equal(answered(world), 0);
	const struct stun_message reply = last_reply(world);
	assert_true(stun_address(&reply, STUN_XOR_RELAYED_ADDRESS, &relayed));
	assert_int_equal(relayed.port, 51003);
	assert_false(stun_has(&reply, STUN_RESERVATION_TOKEN));
	assert_int_equal(world->actor->table.rows_used, 1);
	assert_int_equal(world->sockets_open, 1);
	/* And is closed with the allocation. */
	assert_int_equal(
		request(world, CAM,
			(struct ask){ .method = TURN_REFRESH, .user = "bob", .lifetime = -1 }),
		0);
	assert_int_equal(world->sockets_open, 0);
	world_free(world);
}

static void
what_another_relay_does_not_have_is_508(void **unused)
{
	static const struct {
		const char *name;
		enum fetch_kind kind;
	} rows[] = {
		{ "it has none", FETCH_NONE },
		{ "its socket could not be taken", FETCH_GIVEN },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct world *world = world_that_waits();

		print_message("%s\n", rows[i].name);
		other_says(world, rows[i].kind, SOCKET_NONE);
		assert_int_equal(answered(world), 508);
		assert_int_equal(world->commands, 0);
		allocate(world, "bob", CAM); /* nothing of it is left */
		world_free(world);
	}
}

static void
a_relay_that_does_not_answer_is_waited_for_a_second(void **unused)
{
	(void)unused;
	struct world *world = world_that_waits();

	world->replies = 0;
	world->now_us += RESERVATION_FETCH_MS * 1000 - 1;
	relay_fetch_tick(world->relay, world->now_us);
	assert_int_equal(world->replies, 0);
	world->now_us += 1;
	relay_fetch_tick(world->relay, world->now_us);
	assert_int_equal(answered(world), 508);
	/* What comes too late is closed, and nobody's. */
	other_says(world, FETCH_GIVEN, 40);
	assert_int_equal(world->replies, 0);
	assert_int_equal(world->sockets_open, 0);
	assert_int_equal(relay_allocations(world->relay), 0);
	world_free(world);
}

static void
a_retransmission_asks_nobody_again(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	uint8_t memory[DATAGRAM_MAX];
	uint8_t token[8];

	token_of(world, "bob", OTHER, token);
	fetch_nonce(world, CAM);
	const struct span datagram = write_request(
		world, &(struct ask){ ALLOCATE, .transport = 17, .token = (const char *)token },
		memory);
	client_sends(world, CAM, datagram);
	client_sends(world, CAM, datagram);
	assert_int_equal(world->told, 1);
	other_says(world, FETCH_GIVEN, 40);
	assert_int_equal(answered(world), 0);
	client_sends(world, CAM, datagram); /* the same success */
	assert_int_equal(world->told, 1);
	assert_int_equal(world->actor->table.rows_used, 1);
	world_free(world);
}

static void
what_found_a_queue_full_is_asked_again(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	uint8_t token[8];

	world->told_how = FETCH_LATER;
	token_of(world, "bob", OTHER, token);
	assert_int_equal(claim(world, CAM, token), -1);
	world->told_how = FETCH_SENT;
	world->now_us += AGAIN_US - 1;
	relay_fetch_tick(world->relay, world->now_us);
	assert_int_equal(world->told, 1);
	world->now_us += 1;
	relay_fetch_tick(world->relay, world->now_us);
	relay_fetch_tick(world->relay, world->now_us);
	assert_int_equal(world->told, 2);
	assert_int_equal(world->told_to, OTHER);
	assert_memory_equal(world->last_told.token, token, sizeof token);
	assert_int_equal(world->last_told.user.length, 3);
	other_says(world, FETCH_GIVEN, 40);
	assert_int_equal(answered(world), 0);
	other_says(world, FETCH_NONE, SOCKET_NONE); /* to the other question */
	assert_int_equal(world->replies, 0);
	assert_int_equal(relay_allocations(world->relay), 1);
	world_free(world);
}

static void
a_relay_that_does_not_run_keeps_nothing(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	uint8_t token[8];

	world->told_how = FETCH_NOBODY;
	token_of(world, "bob", OTHER, token);
	assert_int_equal(claim(world, CAM, token), 508);
	/* Likewise if it ends while it is asked. */
	world->told_how = FETCH_SENT;
	assert_int_equal(claim(world, CAM, token), -1);
	world->told_how = FETCH_NOBODY;
	world->now_us += AGAIN_US;
	relay_fetch_tick(world->relay, world->now_us);
	assert_int_equal(answered(world), 508);
	assert_int_equal(world->commands, 0);
	world_free(world);
}

static void
threat_F17_a_wrong_token_makes_no_relay_talk(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	uint8_t of_ann[8];
	uint8_t forged[8];
	uint8_t own[8];
	uint8_t old[8];

	token_of(world, "ann", OTHER, of_ann);
	token_of(world, "bob", OTHER, forged);
	forged[7] ^= 1;
	token_of(world, "bob", 1, own); /* ours would be known */
	token_of(world, "bob", OTHER, old);
	assert_int_equal(claim(world, CAM, of_ann), 508);
	assert_int_equal(claim(world, CAM, forged), 508);
	assert_int_equal(claim(world, CAM, own), 508);
	assert_int_equal(request(world, CAM,
				 (struct ask){ ALLOCATE, .password = "wrong", .transport = 17,
					       .token = (const char *)old }),
			 401);
	world->now_us += 2 * RESERVATION_S * 1000000;
	assert_int_equal(claim(world, CAM, old), 508);
	assert_int_equal(world->told, 0);
	world_free(world);
}

static void
threat_F17_few_ports_are_waited_for_at_once(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	char client[] = "203.0.113.9:1000";
	uint8_t token[8];

	for (unsigned i = 0; i < RESERVATIONS_FETCHED_MAX; i++) {
		client[13] = (char)('0' + i / 10);
		client[14] = (char)('0' + i % 10);
		token_of(world, "bob", OTHER, token);
		assert_int_equal(claim(world, client, token), -1);
	}
	token_of(world, "bob", OTHER, token);
	assert_int_equal(claim(world, CAM, token), -1);
	assert_int_equal(world->told, RESERVATIONS_FETCHED_MAX);
	assert_int_equal(relay_counted(world->relay, RELAY_COUNT_PENDING_FULL), 1);
	allocate(world, "ann", ANN); /* others are served */
	world->now_us += RESERVATION_FETCH_MS * 1000;
	world->replies = 0;
	relay_fetch_tick(world->relay, world->now_us);
	assert_int_equal(world->replies, RESERVATIONS_FETCHED_MAX);
	assert_int_equal(claim(world, CAM, token), -1);
	assert_int_equal(world->told, RESERVATIONS_FETCHED_MAX + 1);
	world_free(world);
}

static void
who_has_gone_meanwhile_gets_no_allocation(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	const struct address source = address_of(CAM);
	uint8_t token[8];

	world->over_tcp = true;
	token_of(world, "bob", OTHER, token);
	assert_int_equal(claim(world, CAM, token), -1);
	relay_client_gone(world->relay, LISTENER_TCP, &source);
	other_says(world, FETCH_GIVEN, 40);
	assert_int_equal(world->replies, 0);
	assert_int_equal(world->sockets_open, 0);
	assert_int_equal(relay_allocations(world->relay), 0);
	world_free(world);
}

/* --- the relay that is asked --- */

/* Bob has the first of a pair here; its token. */
static void
pair(struct world *world, const char *client, uint8_t token[8])
{
	assert_int_equal(
		request(world, client, (struct ask){ ALLOCATE, .transport = 17, .even_port = 2 }),
		0);
	const struct stun_message reply = last_reply(world);
	memcpy(token, reply.values[STUN_RESERVATION_TOKEN].at, 8);
}

static void
other_asks(struct world *world, const char *user, const uint8_t token[8])
{
	struct fetch_message message = { .kind = FETCH_ASKED, .from = OTHER };

	name_set(&message.user, user, strlen(user));
	memcpy(message.token, token, sizeof message.token);
	world->last_told.kind = 0;
	relay_handle_fetch(world->relay, &message, SOCKET_NONE, world->now_us);
	assert_int_equal(world->told_to, OTHER);
	assert_int_equal(world->last_told.from, 1);
	assert_memory_equal(world->last_told.token, token, sizeof message.token);
}

static void
a_port_is_given_once(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	uint8_t token[8];

	world->next_port = 50001;
	pair(world, BOB, token);
	other_asks(world, "bob", token);
	assert_int_equal(world->last_told.kind, FETCH_GIVEN);
	assert_int_equal(world->last_told.relayed.port, 50003);
	assert_int_not_equal(world->told_socket, SOCKET_NONE);
	assert_int_equal(world->sockets_open, 1);
	other_asks(world, "bob", token);
	assert_int_equal(world->last_told.kind, FETCH_NONE);
	assert_int_equal(world->told_socket, SOCKET_NONE);
	assert_int_equal(claim(world, CAM, token), 508); /* here, too */
	world_free(world);
}

static void
a_port_outlives_the_allocation_that_reserved_it(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	uint8_t token[8];

	pair(world, BOB, token);
	assert_int_equal(
		request(world, BOB,
			(struct ask){ .method = TURN_REFRESH, .user = "bob", .lifetime = -1 }),
		0);
	other_asks(world, "bob", token);
	assert_int_equal(world->last_told.kind, FETCH_GIVEN);
	assert_int_equal(world->sockets_open, 0);
	world_free(world);
}

static void
who_cannot_be_told_gets_nothing_and_takes_nothing(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	uint8_t token[8];

	pair(world, BOB, token);
	world->told_how = FETCH_LATER;
	other_asks(world, "bob", token);
	assert_int_equal(world->sockets_open, 2);
	world->told_how = FETCH_NOBODY;
	other_asks(world, "bob", token);
	assert_int_equal(world->sockets_open, 2);
	assert_int_equal(claim(world, DAN, token), 0);
	world_free(world);
}

static void
threat_F17_a_port_is_given_to_its_user_in_its_time(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	uint8_t token[8];

	pair(world, BOB, token);
	other_asks(world, "ann", token);
	assert_int_equal(world->last_told.kind, FETCH_NONE);
	world->now_us += RESERVATION_S * 1000000;
	other_asks(world, "bob", token);
	assert_int_equal(world->last_told.kind, FETCH_NONE);
	assert_int_equal(world->sockets_open, 2);
	relay_tick(world->relay, world->now_us);
	assert_int_equal(world->sockets_open, 1);
	world_free(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_that_another_relay_gives_is_allocated),
		cmocka_unit_test(what_another_relay_does_not_have_is_508),
		cmocka_unit_test(a_relay_that_does_not_answer_is_waited_for_a_second),
		cmocka_unit_test(a_retransmission_asks_nobody_again),
		cmocka_unit_test(what_found_a_queue_full_is_asked_again),
		cmocka_unit_test(a_relay_that_does_not_run_keeps_nothing),
		cmocka_unit_test(threat_F17_a_wrong_token_makes_no_relay_talk),
		cmocka_unit_test(threat_F17_few_ports_are_waited_for_at_once),
		cmocka_unit_test(who_has_gone_meanwhile_gets_no_allocation),
		cmocka_unit_test(a_port_is_given_once),
		cmocka_unit_test(a_port_outlives_the_allocation_that_reserved_it),
		cmocka_unit_test(who_cannot_be_told_gets_nothing_and_takes_nothing),
		cmocka_unit_test(threat_F17_a_port_is_given_to_its_user_in_its_time),
	};

	return cmocka_run_group_tests_name("relay_fetch", tests, world_setup, world_teardown);
}
