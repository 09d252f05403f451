/* Clients that move (RFC 8016): what a ticket is good for, what flows where, and what it is not
 * good for (THREATS F15). */
#include "actors/relay_ticket.h"
#include "tests/relay_world.h"

static const char AWAY[] = "198.51.100.200:4000";

static struct world *
mobile_world(void)
{
	struct world *world = world_new(false);

	world->config.mobility = true;
	relay_free(world->relay);
	new_relay(world);
	return world;
}

/* The ticket of the last reply, or "" . */
static const char *
ticket_told(struct world *world)
{
	static char ticket[TICKET_BYTES + 1];
	const struct stun_message reply = last_reply(world);
	const struct span value = reply.values[STUN_MOBILITY_TICKET];

	ticket[0] = '\0';
	if (stun_has(&reply, STUN_MOBILITY_TICKET)) {
		assert_int_equal(value.count, TICKET_BYTES);
		memcpy(ticket, value.at, TICKET_BYTES);
		ticket[TICKET_BYTES] = '\0';
	}
	return ticket;
}

/* Ann's allocation with a permission for 198.51.100.1; her ticket is written to `ticket`. */
static void
allocate_mobile(struct world *world, char ticket[TICKET_BYTES + 1])
{
	assert_int_equal(request(world, ANN,
				 (struct ask){ .method = TURN_ALLOCATE,
					       .user = "ann",
					       .transport = 17,
					       .ticket = "" }),
			 0);
	memcpy(ticket, ticket_told(world), TICKET_BYTES + 1);
	assert_int_equal(strlen(ticket), TICKET_BYTES);
	assert_int_equal(request(world, ANN, (struct ask){ PERMISSION, PEER("198.51.100.1:1") }),
			 0);
}

static bool
sends(struct world *world, const char *client)
{
	return client_sends_data(world, client, "198.51.100.1:9", "x", false).action ==
	       RELAY_TO_PEER;
}

static bool
peer_reaches(struct world *world, const char *client)
{
	uint8_t memory[RELAY_HEADROOM + 4 + RELAY_TAILROOM] = { 0 };
	const struct address source = address_of("198.51.100.1:9");
	const struct address expected = address_of(client);
	const struct relay_answer answer =
		relay_handle_peer(world->relay, world->last_socket, &source,
				  memory + RELAY_HEADROOM, 4, world->now_us);

	return answer.action == RELAY_TO_CLIENT && address_equal(&answer.to, &expected);
}

static void
a_client_takes_its_allocation_along(void **unused)
{
	(void)unused;
	struct world *world = mobile_world();
	char first[TICKET_BYTES + 1];
	char second[TICKET_BYTES + 1];

	allocate_mobile(world, first);
	assert_true(sends(world, ANN));
	assert_false(sends(world, AWAY));
	assert_true(peer_reaches(world, ANN));
	assert_int_equal(request(world, AWAY, (struct ask){ REFRESH, .ticket = first }), 0);
	memcpy(second, ticket_told(world), sizeof second);
	assert_int_equal(strlen(second), TICKET_BYTES);
	assert_string_not_equal(second, first);
	assert_true(last_reply(world).lifetime_s > 0);
	assert_true(sends(world, AWAY));
	assert_true(peer_reaches(world, AWAY));
	/* And home again, with what it has now. */
	assert_int_equal(request(world, ANN, (struct ask){ REFRESH, .ticket = second }), 0);
	assert_true(sends(world, ANN));
	assert_int_equal(request(world, ANN, (struct ask){ REFRESH, .lifetime = -1 }), 0);
	assert_int_equal(world->sockets_open, 0);
	assert_int_equal(world->logged.packets_up, 3);
	assert_int_equal(world->logged.packets_down, 2);
	world_free(world);
}

static void
given_a_connection_that_breaks_then_who_has_a_ticket_goes_on_from_another(void **unused)
{
	(void)unused;
	struct world *world = mobile_world();
	const struct address before = address_of(ANN);
	char ticket[TICKET_BYTES + 1];

	world->over_tcp = true;
	allocate_mobile(world, ticket);
	relay_client_gone(world->relay, LISTENER_TCP, &before);
	pump(world);
	assert_int_equal(world->sockets_open, 1);
	assert_int_equal(request(world, AWAY, (struct ask){ REFRESH, .ticket = ticket }), 0);
	assert_true(peer_reaches(world, AWAY));
	/* Who asked for no ticket has nothing to come back with. */
	allocate(world, "bob", BOB);
	const struct address bob = address_of(BOB);
	relay_client_gone(world->relay, LISTENER_TCP, &bob);
	pump(world);
	assert_int_equal(world->sockets_open, 1);
	world_free(world);
}

static void
threat_F15_made_before_broken(void **unused)
{
	(void)unused;
	struct world *world = mobile_world();
	char ticket[TICKET_BYTES + 1];
	uint8_t memory[DATAGRAM_MAX];
	const struct ask ask = { REFRESH, .ticket = ticket };

	allocate_mobile(world, ticket);
	fetch_nonce(world, AWAY);
	client_sends(world, AWAY, write_request(world, &ask, memory));
	assert_true(sends(world, ANN)); /* until it is decided */
	assert_true(peer_reaches(world, ANN));
	pump(world);
	/* The former address is nobody's: what still comes from there is dropped, or 437. */
	assert_false(sends(world, ANN));
	assert_true(sends(world, AWAY));
	assert_int_equal(request(world, ANN, (struct ask){ REFRESH }), 437);
	assert_int_equal(world->actor->table.rows_used, 1);
	assert_int_equal(world->sockets_open, 1);
	world_free(world);
}

static void
threat_F15_what_a_ticket_is_not_good_for(void **unused)
{
	(void)unused;
	struct world *world = mobile_world();
	char ticket[TICKET_BYTES + 1];
	char broken[TICKET_BYTES + 1];

	allocate_mobile(world, ticket);
	const struct ask of_bob = { .method = TURN_REFRESH, .user = "bob", .ticket = ticket };
	assert_int_equal(request(world, AWAY, of_bob), 441);
	for (size_t i = 0; i < TICKET_BYTES; i++) {
		memcpy(broken, ticket, sizeof broken);
		broken[i] = broken[i] == 'A' ? 'B' : 'A';
		const int code = request(world, AWAY, (struct ask){ REFRESH, .ticket = broken });
		assert_true(code == 400 || code == 437);
	}
	assert_int_equal(request(world, AWAY, (struct ask){ REFRESH, .ticket = "short" }), 400);
	assert_int_equal(request(world, AWAY, (struct ask){ REFRESH, .ticket = "" }), 400);
	assert_int_equal(request(world, AWAY, (struct ask){ REFRESH }), 437);
	/* Who has one already cannot take a second one there. */
	allocate(world, "ann", AWAY);
	assert_int_equal(request(world, AWAY, (struct ask){ REFRESH, .ticket = ticket }), 437);
	assert_true(sends(world, ANN));
	assert_int_equal(world->actor->table.rows_used, 2);
	world_free(world);
}

static void
threat_F15_a_used_ticket_is_worthless(void **unused)
{
	(void)unused;
	struct world *world = mobile_world();
	char ticket[TICKET_BYTES + 1];
	char next[TICKET_BYTES + 1];
	const struct ask move = { REFRESH, .ticket = ticket, .transaction = 9 };

	allocate_mobile(world, ticket);
	assert_int_equal(request(world, AWAY, move), 0);
	memcpy(next, ticket_told(world), sizeof next);
	/* The same request once more: its answer was lost. */
	assert_int_equal(request(world, AWAY, move), 0);
	assert_string_equal(ticket_told(world), next);
	assert_int_equal(world->actor->table.rows[0].moves, 1);
	/* Replayed from elsewhere, and by another request. */
	assert_int_equal(request(world, ANN, move), 400);
	assert_int_equal(request(world, AWAY, (struct ask){ REFRESH, .ticket = ticket }), 400);
	assert_true(sends(world, AWAY));
	/* One that is shown where the allocation is refreshes it, and stays good. */
	assert_int_equal(request(world, AWAY, (struct ask){ REFRESH, .ticket = next }), 0);
	assert_string_equal(ticket_told(world), next);
	world_free(world);
}

/* A flood of resumes changes nothing and leaves nothing behind. */
static void
threat_F15_a_flood_of_resumes(void **unused)
{
	(void)unused;
	struct world *world = mobile_world();
	char ticket[TICKET_BYTES + 1];
	char client[32];

	allocate_mobile(world, ticket);
	assert_int_equal(request(world, AWAY, (struct ask){ REFRESH, .ticket = ticket }), 0);
	for (unsigned i = 0; i < 300; i++) {
		snprintf(client, sizeof client, "198.51.100.201:%u", 1000 + i);
		assert_int_equal(request(world, client, (struct ask){ REFRESH, .ticket = ticket }),
				 400);
		world->now_us += 10 * 1000;
	}
	assert_true(sends(world, AWAY));
	assert_int_equal(world->actor->table.rows_used, 1);
	assert_int_equal(world->sockets_open, 1);
	world_free(world);
}

static void
it_must_be_asked_for_and_switched_on(void **unused)
{
	(void)unused;
	struct world *world = mobile_world();
	char ticket[TICKET_BYTES + 1];

	allocate(world, "bob", BOB);
	assert_string_equal(ticket_told(world), "");
	allocate_mobile(world, ticket);
	world->config.mobility = false;
	relay_reload(world->relay, &world->config);
	assert_int_equal(request(world, AWAY, (struct ask){ REFRESH, .ticket = ticket }), 405);
	assert_int_equal(request(world, AWAY,
				 (struct ask){ .method = TURN_ALLOCATE,
					       .user = "ann",
					       .transport = 17,
					       .ticket = "" }),
			 405);
	assert_true(sends(world, ANN));
	world_free(world);
}

static void
tickets_outlive_restarts(void **unused)
{
	(void)unused;
	struct world *world = mobile_world();
	char ticket[TICKET_BYTES + 1];
	char used[TICKET_BYTES + 1];

	allocate_mobile(world, used);
	assert_int_equal(request(world, AWAY, (struct ask){ REFRESH, .ticket = used }), 0);
	memcpy(ticket, ticket_told(world), sizeof ticket);
	greet(world); /* the actor's restart */
	assert_true(sends(world, AWAY));
	relay_free(world->relay);
	new_relay(world);
	greet(world); /* the relay's */
	assert_true(sends(world, AWAY));
	assert_int_equal(request(world, ANN, (struct ask){ REFRESH, .ticket = used }), 400);
	assert_int_equal(request(world, ANN, (struct ask){ REFRESH, .ticket = ticket }), 0);
	assert_true(sends(world, ANN));
	assert_false(sends(world, AWAY));
	world_free(world);
}

static void
a_release_may_come_from_elsewhere(void **unused)
{
	(void)unused;
	struct world *world = mobile_world();
	char ticket[TICKET_BYTES + 1];
	const struct ask release = { REFRESH, .ticket = ticket, .lifetime = -1 };

	allocate_mobile(world, ticket);
	assert_true(sends(world, ANN));
	assert_int_equal(request(world, AWAY, release), 0);
	assert_string_equal(ticket_told(world), "");
	assert_int_equal(world->actor->table.rows_used, 0);
	assert_int_equal(world->logged.packets_up, 1);
	world_free(world);
}

/* Over TCP, before the connection it had is closed. */
static void
a_move_leaves_the_old_connection_behind(void **unused)
{
	(void)unused;
	struct world *world = mobile_world();
	char ticket[TICKET_BYTES + 1];
	const struct address ann = address_of(ANN);

	world->over_tcp = true;
	allocate_mobile(world, ticket);
	assert_int_equal(request(world, AWAY, (struct ask){ REFRESH, .ticket = ticket }), 0);
	relay_client_gone(world->relay, LISTENER_TCP, &ann);
	pump(world);
	assert_true(sends(world, AWAY));
	world->over_tcp = false;
	assert_int_equal(request(world, ANN, (struct ask){ REFRESH, .ticket = ticket_told(world) }),
			 0); /* and from TCP to UDP */
	assert_true(sends(world, ANN));
	world_free(world);
}

/* --- from relay to relay: this one is number 1, and number 2 is played --- */

static void
attach(struct world *world, uint64_t front)
{
	struct command command = { .type = COMMAND_ATTACH,
				   .front = front,
				   .attach.instance = { { (uint8_t)front } } };

	assert_int_equal(decide(world, &command), ACCEPTED);
}

static void
given_a_second_relay(struct world *world)
{
	outbox_drop(world->outbox, 2);
	outbox_attach(world->outbox, 2, false, 1);
	attach(world, 1);
	attach(world, 2);
}

/* What the second relay's MOVE leads to. */
static void
told_to_yield(struct world *world, const char *client)
{
	const struct notice notice = {
		.type = NOTICE_YIELD,
		.yield = { .allocation = world->actor->table.rows[0].id,
			   .moves = world->actor->table.rows[0].moves,
			   .relay = 2,
			   .client = address_of(client),
			   .server = world->config.listeners[LISTENER],
			   .transaction = { { 77 } },
			   .lifetime_s = 600 },
	};

	relay_handle_notice(world->relay, &notice, (struct span){ 0 }, world->now_us);
	assert_int_equal(world->handed, 1);
}

/* The second relay has answered its client with a new ticket; the first has not heard of it yet. */
static void
given_an_allocation_that_has_just_left_then_its_client_may_come_back(void **unused)
{
	(void)unused;
	struct world *world = mobile_world();
	const struct nonce_key key = { { 7 } };
	struct ticket next = { .moves = 1 };
	char ticket[TICKET_BYTES + 1] = "";
	uint8_t memory[DATAGRAM_MAX];
	const struct ask back = { REFRESH, .ticket = ticket };

	given_a_second_relay(world);
	allocate_mobile(world, ticket);
	assert_true(sends(world, ANN));
	told_to_yield(world, AWAY);
	next.allocation = world->actor->table.rows[0].id;
	name_set(&next.user, "ann", 3);
	ticket_write(ticket, &world->integrity, &key, &next);

	fetch_nonce(world, ANN);
	world->replies = 0;
	client_sends(world, ANN, write_request(world, &back, memory));
	assert_int_equal(world->replies, 0); /* neither refused nor believed yet */
	struct command yields = world->queue[world->queued - 1];
	assert_int_equal(yields.type, COMMAND_MOVE);
	assert_int_equal(yields.move.moves, 1);
	pump(world);
	assert_int_equal(world->actor->table.rows[0].relay, 2);
	assert_int_equal(world->replies, 0);
	yields.front = 2;
	yields.move.relay = 1;
	assert_int_equal(decide(world, &yields), ACCEPTED);
	deliver_notices(world);
	assert_int_equal(world->replies, 1);
	assert_int_equal(last_reply(world).class, STUN_SUCCESS);
	assert_true(sends(world, ANN));
	assert_int_equal(world->logged.packets_up, 1);
	world_free(world);
}

/* It comes while its agent is expelled, and the actor is restarted before it has decided the end.
 */
static void
given_an_end_asked_as_it_arrives_then_nothing_flows_over_a_new_greeting_either(void **unused)
{
	(void)unused;
	struct world *world = mobile_world();
	struct notice expel = { .type = NOTICE_EXPEL, .command_id = { { 9 } } };
	char ticket[TICKET_BYTES + 1];

	given_a_second_relay(world);
	allocate_mobile(world, ticket);
	told_to_yield(world, AWAY);
	struct command back = world->queue[world->queued - 1];
	assert_int_equal(back.type, COMMAND_MOVE);
	pump(world);
	name_set(&expel.expel.agent_name, "ann", 3);
	relay_handle_notice(world->relay, &expel, (struct span){ 0 }, world->now_us);
	world->queued = 0; /* it has none */
	back.front = 2;
	back.move.relay = 1;
	back.move.moves = 1;
	back.move.client = address_of(ANN);
	assert_int_equal(decide(world, &back), ACCEPTED);
	deliver_notices(world);
	assert_int_equal(world->queued, 1);
	struct command end = world->queue[0];
	assert_int_equal(end.type, COMMAND_END);

	world->queued = 0;
	greet(world);
	assert_false(sends(world, ANN));
	end.front = 1;
	assert_int_equal(decide(world, &end), ACCEPTED);
	deliver_notices(world);
	assert_int_equal(world->sockets_open, 0);
	world_free(world);
}

/* Refused, and accepted by the next actor: that is told under an id that was heard already, so the
 * relay does not hear of it. */
static void
given_a_move_that_is_refused_and_then_made_then_nothing_is_left_of_the_row(void **unused)
{
	(void)unused;
	struct world *world = mobile_world();
	struct notice refused = { .type = NOTICE_DECIDED,
				  .decided = { .verdict = REFUSED_NO_ALLOCATION } };
	char ticket[TICKET_BYTES + 1];

	given_a_second_relay(world);
	allocate_mobile(world, ticket);
	told_to_yield(world, AWAY);
	struct command move = world->queue[world->queued - 1];
	assert_int_equal(move.type, COMMAND_MOVE);
	world->queued = 0;
	refused.command_id = move.command_id;
	relay_handle_notice(world->relay, &refused, (struct span){ 0 }, world->now_us);
	assert_int_equal(world->queued, 1);
	assert_int_equal(world->queue[0].type, COMMAND_END);

	move.front = 1;
	assert_int_equal(decide(world, &move), ACCEPTED);
	outbox_drop(world->outbox, 1);
	outbox_attach(world->outbox, 1, false, 1);
	pump(world);
	assert_int_equal(world->actor->table.rows_used, 1);
	assert_int_equal(relay_allocations(world->relay), 0);
	assert_int_equal(world->sockets_open, 0);
	world_free(world);
}

/* On its way, its ticket is used: shown here too, it is worth nothing. */
static void
threat_F15_a_ticket_on_its_way_is_not_good_here(void **unused)
{
	(void)unused;
	struct world *world = mobile_world();
	char ticket[TICKET_BYTES + 1];

	given_a_second_relay(world);
	allocate_mobile(world, ticket);
	told_to_yield(world, AWAY);
	assert_int_equal(request(world, BOB, (struct ask){ REFRESH, .ticket = ticket }), 437);
	assert_int_equal(world->actor->table.rows[0].relay, 2);
	assert_int_equal(world->actor->table.rows[0].moves, 1);
	world_free(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_takes_its_allocation_along),
		cmocka_unit_test(
			given_a_connection_that_breaks_then_who_has_a_ticket_goes_on_from_another),
		cmocka_unit_test(threat_F15_made_before_broken),
		cmocka_unit_test(threat_F15_what_a_ticket_is_not_good_for),
		cmocka_unit_test(threat_F15_a_used_ticket_is_worthless),
		cmocka_unit_test(threat_F15_a_flood_of_resumes),
		cmocka_unit_test(it_must_be_asked_for_and_switched_on),
		cmocka_unit_test(tickets_outlive_restarts),
		cmocka_unit_test(a_release_may_come_from_elsewhere),
		cmocka_unit_test(a_move_leaves_the_old_connection_behind),
		cmocka_unit_test(
			given_an_allocation_that_has_just_left_then_its_client_may_come_back),
		cmocka_unit_test(
			given_an_end_asked_as_it_arrives_then_nothing_flows_over_a_new_greeting_either),
		cmocka_unit_test(
			given_a_move_that_is_refused_and_then_made_then_nothing_is_left_of_the_row),
		cmocka_unit_test(threat_F15_a_ticket_on_its_way_is_not_good_here),
	};

	return cmocka_run_group_tests_name("relay_move", tests, world_setup, world_teardown);
}
