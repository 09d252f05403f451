/* One allocation with two relayed addresses (RFC 8656 section 7.2): what the client is given, what
 * flows over which, how one is given up, and what a restart keeps. */
#include "tests/relay_world.h"

static const char PEER_V4[] = "198.51.100.1:9";
static const char PEER_V6[] = "[2001:4860::1]:9";

static struct world *
dual_world(void)
{
	struct world *world = world_new(false);

	world->config.serves_ipv6 = true;
	assert_null(peer_policy_add_allow(&world->config.policy, "2001:4860::/32"));
	relay_free(world->relay);
	new_relay(world);
	return world;
}

static int
allocate_both(struct world *world)
{
	return request(
		world, ANN,
		(struct ask){
			.method = TURN_ALLOCATE, .user = "ann", .transport = 17, .additional = 2 });
}

/* The families of the XOR-RELAYED-ADDRESS attributes of the last reply, as a number: 4, 6, 46. */
static unsigned
families_told(const struct world *world)
{
	unsigned families = 0;

	for (size_t at = STUN_HEADER_BYTES; at + 4 <= world->reply_bytes;) {
		const size_t count = (size_t)(world->reply[at + 2] << 8 | world->reply[at + 3]);
		if (world->reply[at] == 0 && world->reply[at + 1] == 0x16) {
			families = families * 10 + (world->reply[at + 5] == 1 ? 4 : 6);
		}
		at += 4 + ((count + 3) & ~(size_t)3);
	}
	return families;
}

/* Family (as on the wire) and code of ADDRESS-ERROR-CODE; 0 if there is none. */
static unsigned
address_error(struct world *world)
{
	const struct stun_message reply = last_reply(world);

	if (!stun_has(&reply, STUN_ADDRESS_ERROR_CODE)) {
		return 0;
	}
	const uint8_t *at = reply.values[STUN_ADDRESS_ERROR_CODE].at;
	return at[0] * 1000u + (at[2] & 7u) * 100 + at[3];
}

/* The socket a Send indication leaves by; SOCKET_NONE if it is dropped. */
static uint32_t
send_leaves_by(struct world *world, const char *peer)
{
	const struct relay_answer answer = client_sends_data(world, ANN, peer, "x", false);

	return answer.action == RELAY_TO_PEER ? answer.from : SOCKET_NONE;
}

static enum relay_action
peer_sends(struct world *world, uint32_t socket, const char *peer)
{
	uint8_t memory[RELAY_HEADROOM + 4 + RELAY_TAILROOM] = { 0 };
	const struct address source = address_of(peer);

	return relay_handle_peer(world->relay, socket, &source, memory + RELAY_HEADROOM, 4,
				 world->now_us)
		.action;
}

static void
both_families_are_given_and_used(void **unused)
{
	(void)unused;
	struct world *world = dual_world();

	assert_int_equal(allocate_both(world), 0);
	assert_int_equal(families_told(world), 46);
	assert_int_equal(address_error(world), 0);
	assert_int_equal(world->sockets_open, 2);
	const uint32_t v4 = world->last_socket;
	const uint32_t v6 = world->last_socket + 1;
	assert_int_equal(
		request(world, ANN, (struct ask){ PERMISSION, .peers = { PEER_V4, PEER_V6 } }), 0);
	assert_int_equal(send_leaves_by(world, PEER_V4), v4);
	assert_int_equal(send_leaves_by(world, PEER_V6), v6);
	assert_int_equal(peer_sends(world, v4, PEER_V4), RELAY_TO_CLIENT);
	assert_int_equal(peer_sends(world, v6, PEER_V6), RELAY_TO_CLIENT);
	assert_int_equal(request(world, ANN, (struct ask){ REFRESH, .lifetime = -1 }), 0);
	assert_int_equal(world->sockets_open, 0);
	assert_int_equal(world->logged.packets_up, 2);
	assert_int_equal(world->logged.packets_down, 2);
	world_free(world);
}

static void
a_retransmission_gets_the_same(void **unused)
{
	(void)unused;
	struct world *world = dual_world();
	const struct ask ask = { .method = TURN_ALLOCATE,
				 .user = "ann",
				 .transport = 17,
				 .additional = 2,
				 .transaction = 77 };

	assert_int_equal(request(world, ANN, ask), 0);
	assert_int_equal(request(world, ANN, ask), 0);
	assert_int_equal(families_told(world), 46);
	assert_int_equal(world->actor->table.rows_used, 1);
	world_free(world);
}

static void
threat_F14_one_family_is_unavailable(void **unused)
{
	(void)unused;
	static const struct {
		const char *name;
		bool ipv4, ipv6, also_is_gone;
		int code;
		unsigned families;
		unsigned error;
	} rows_f14[] = {
		{ "no IPv6 here", true, false, false, 0, 4, 2440 },
		{ "no IPv4 here", false, true, false, 0, 6, 1440 },
		{ "no IPv6 port is left", true, true, true, 0, 4, 2508 },
		{ "neither", false, false, false, 440, 0, 0 },
	};

	for (size_t i = 0; i < sizeof rows_f14 / sizeof rows_f14[0]; i++) {
		struct world *world = dual_world();
		print_message("%s\n", rows_f14[i].name);
		world->config.serves_ipv4 = rows_f14[i].ipv4;
		world->config.serves_ipv6 = rows_f14[i].ipv6;
		world->also_is_gone = rows_f14[i].also_is_gone;
		relay_free(world->relay);
		new_relay(world);
		assert_int_equal(allocate_both(world), rows_f14[i].code);
		assert_int_equal(families_told(world), rows_f14[i].families);
		assert_int_equal(address_error(world), rows_f14[i].error);
		world_free(world);
	}
}

static void
one_family_is_given_up(void **unused)
{
	(void)unused;
	struct world *world = dual_world();

	assert_int_equal(allocate_both(world), 0);
	const uint32_t v4 = world->last_socket;
	assert_int_equal(
		request(world, ANN, (struct ask){ PERMISSION, .peers = { PEER_V4, PEER_V6 } }), 0);
	assert_int_equal(
		request(world, ANN, (struct ask){ CHANNEL, .channel = 0x4000, PEER(PEER_V6) }), 0);
	assert_int_equal(send_leaves_by(world, PEER_V6), v4 + 1);
	assert_int_equal(request(world, ANN, (struct ask){ REFRESH, .family = 3 }), 443);
	assert_int_equal(request(world, ANN, (struct ask){ REFRESH, .family = 2, .lifetime = -1 }),
			 0);
	assert_int_equal(last_reply(world).lifetime_s, 0);
	assert_int_equal(world->sockets_open, 1);
	assert_int_equal(world->logged.packets_up, 1); /* told before it was forgotten */

	assert_int_equal(request(world, ANN, (struct ask){ REFRESH, .family = 2 }), 443);
	assert_int_equal(request(world, ANN, (struct ask){ PERMISSION, PEER(PEER_V6) }), 443);
	assert_int_equal(send_leaves_by(world, PEER_V6), SOCKET_NONE);
	assert_int_equal(send_leaves_by(world, PEER_V4), v4);
	assert_int_equal(
		request(world, ANN, (struct ask){ CHANNEL, .channel = 0x4000, PEER(PEER_V4) }), 0);
	assert_int_equal(request(world, ANN, (struct ask){ REFRESH, .family = 1, .lifetime = -1 }),
			 0);
	assert_int_equal(world->sockets_open, 0);
	assert_int_equal(world->actor->table.rows_used, 0);
	assert_int_equal(world->logged.packets_up, 2);
	world_free(world);
}

/* The first of the two may be the one that goes. */
static void
the_other_family_goes_on(void **unused)
{
	(void)unused;
	struct world *world = dual_world();

	assert_int_equal(allocate_both(world), 0);
	const uint32_t v6 = world->last_socket + 1;
	assert_int_equal(request(world, ANN, (struct ask){ PERMISSION, PEER(PEER_V6) }), 0);
	assert_int_equal(request(world, ANN, (struct ask){ REFRESH, .family = 1, .lifetime = -1 }),
			 0);
	assert_int_equal(world->sockets_open, 1);
	assert_int_equal(send_leaves_by(world, PEER_V6), v6);
	greet(world); /* the actor has forgotten nothing */
	assert_int_equal(send_leaves_by(world, PEER_V6), v6);
	assert_int_equal(peer_sends(world, v6, PEER_V6), RELAY_TO_CLIENT);
	world_free(world);
}

static void
both_are_there_after_a_restart(void **unused)
{
	(void)unused;
	struct world *world = dual_world();

	assert_int_equal(allocate_both(world), 0);
	assert_int_equal(
		request(world, ANN, (struct ask){ PERMISSION, .peers = { PEER_V4, PEER_V6 } }), 0);
	const uint32_t v4 = world->last_socket;
	greet(world);
	assert_int_equal(send_leaves_by(world, PEER_V4), v4);
	assert_int_equal(send_leaves_by(world, PEER_V6), v4 + 1);
	assert_int_equal(world->sockets_open, 2);
	relay_free(world->relay);
	world->sockets_open = 0; /* the process took them along */
	new_relay(world);
	greet(world);
	assert_int_equal(world->sockets_open, 2);
	assert_int_not_equal(send_leaves_by(world, PEER_V4), SOCKET_NONE);
	assert_int_not_equal(send_leaves_by(world, PEER_V6), SOCKET_NONE);
	assert_int_not_equal(send_leaves_by(world, PEER_V6), send_leaves_by(world, PEER_V4));
	relay_free(world->relay);
	world->port_is_gone = true; /* both or none: the allocation ends */
	new_relay(world);
	greet(world);
	assert_int_equal(world->actor->table.rows_used, 0);
	world_free(world);
}

static void
what_cannot_be_asked_is_closed(void **unused)
{
	(void)unused;
	struct world *world = dual_world();

	world->line_is_full = true;
	assert_int_equal(allocate_both(world), -1);
	assert_int_equal(world->sockets_open, 0);
	world_free(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_families_are_given_and_used),
		cmocka_unit_test(a_retransmission_gets_the_same),
		cmocka_unit_test(threat_F14_one_family_is_unavailable),
		cmocka_unit_test(one_family_is_given_up),
		cmocka_unit_test(the_other_family_goes_on),
		cmocka_unit_test(both_are_there_after_a_restart),
		cmocka_unit_test(what_cannot_be_asked_is_closed),
	};

	return cmocka_run_group_tests_name("relay_dual", tests, world_setup, world_teardown);
}
