/* What a relay relays: data both ways, and what stands in its way. */
#include "tests/relay_talk.h"

static void
data_flows_both_ways(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	const struct address second = address_of("198.51.100.2:7000");
	uint8_t out[DATAGRAM_MAX];
	struct stun_message message;
	struct channel_data channel;

	given(world);
	const struct relay_answer up = channel_data(world, ANN, 0x4000, "hello");
	assert_int_equal(up.action, RELAY_TO_PEER);
	assert_true(address_equal(&up.to, &second));
	assert_int_equal(up.from, world->last_socket);
	assert_int_equal(send_indication(world, "198.51.100.1:9", "hello", false), RELAY_TO_PEER);
	/* threat_F11: served, for that datagram alone. */
	assert_int_equal(send_indication(world, "198.51.100.1:9", "hello", true), RELAY_TO_PEER);

	size_t count = peer_sends(world, "198.51.100.2:7000", "answer", out);
	assert_int_equal(count, 10);
	assert_true(turn_channel_read((struct span){ out, count }, &channel));
	assert_int_equal(channel.channel, 0x4000);
	assert_memory_equal(channel.data.at, "answer", 6);

	/* threat_F9: the permission is for the IP, whatever the port. */
	count = peer_sends(world, "198.51.100.1:4711", "answer", out);
	assert_true(stun_read((struct span){ out, count }, &message));
	assert_int_equal(message.method, TURN_DATA);
	assert_int_equal(message.class, STUN_INDICATION);
	const struct address first = address_of("198.51.100.1:4711");
	assert_true(address_equal(&message.peers[0], &first));
	assert_int_equal(message.values[STUN_DATA].count, 6);
	assert_memory_equal(message.values[STUN_DATA].at, "answer", 6);
	/* threat_A20: padding is zero. */
	assert_int_equal(count % 4, 0);
	assert_int_equal(out[count - 1] | out[count - 2], 0);
	world_free(world);
}

/* Who gets a Data indication learns no seed of the tables from it, and not how much others relay.
 */
static void
indications_differ_and_tell_nothing(void **unused)
{
	enum { INDICATIONS = 600 };
	static struct transaction seen[INDICATIONS];

	(void)unused;
	struct world *world = world_new(false);
	struct stun_message message;
	uint8_t out[DATAGRAM_MAX];

	memset(world->config.seed, 0x5A, sizeof world->config.seed);
	relay_free(world->relay);
	new_relay(world);
	greet(world);
	given(world);
	for (size_t i = 0; i < INDICATIONS; i++) {
		const size_t count = peer_sends(world, "198.51.100.1:4711", "x", out);

		assert_true(stun_read((struct span){ out, count }, &message));
		seen[i] = message.transaction;
		assert_memory_not_equal(seen[i].bytes, world->config.seed, 4);
		assert_memory_not_equal(seen[i].bytes + 4, "\0\0\0\0\0\0", 6);
		for (size_t j = 0; j < i; j++) {
			assert_memory_not_equal(seen[i].bytes, seen[j].bytes, sizeof seen[j].bytes);
		}
	}
	world_free(world);
}

static void
what_has_no_route_is_dropped(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	uint8_t out[DATAGRAM_MAX];

	given(world);
	assert_int_equal(channel_data(world, ANN, 0x4001, "x").action, RELAY_DROP);
	assert_int_equal(channel_data(world, BOB, 0x4000, "x").action, RELAY_DROP); /* threat_D3 */
	assert_int_equal(channel_data(world, ANN, 0x3FFF, "x").action, RELAY_DROP); /* threat_A7 */
	assert_int_equal(channel_data(world, ANN, 0x5000, "x").action, RELAY_DROP);
	assert_int_equal(channel_data(world, ANN, 0x7FFF, "x").action, RELAY_DROP);
	assert_int_equal(send_indication(world, "198.51.100.3:9", "x", false),
			 RELAY_DROP); /* threat_F8 */
	assert_int_equal(peer_sends(world, "198.51.100.3:9", "x", out), 0);
	assert_int_equal(relay_counted(world->relay, RELAY_COUNT_PACKETS_UP), 0);
	assert_int_equal(relay_counted(world->relay, RELAY_COUNT_PACKETS_DOWN), 0);
	world_free(world);
}

static void
threat_A6_channel_data_lengths(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	uint8_t memory[16] = { 0x40, 0x00, 0x00, 0x05, 'h', 'e', 'l', 'l', 'o', 0, 0, 0 };

	given(world);
	struct relay_answer answer = client_sends(world, ANN, (struct span){ memory, 12 });
	assert_int_equal(answer.action, RELAY_TO_PEER);
	assert_int_equal(answer.bytes.count, 5);
	assert_int_equal(client_sends(world, ANN, (struct span){ memory, 8 }).action, RELAY_DROP);
	world_free(world);
}

/* threat_B8: a permission for our own IP (B9 allows its relayed ports) opens no door to our
 * listeners. */
static void
threat_B8_a_permission_does_not_open_our_own_ports(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	uint8_t out[DATAGRAM_MAX];

	given(world);
	assert_int_equal(request(world, ANN, (struct ask){ PERMISSION, PEER("192.0.2.1:50001") }),
			 0);
	assert_int_equal(send_indication(world, "192.0.2.1:50001", "x", false), RELAY_TO_PEER);
	assert_int_equal(send_indication(world, "192.0.2.1:3478", "x", false), RELAY_DROP);
	assert_int_equal(send_indication(world, "192.0.2.1:22", "x", false), RELAY_DROP);
	assert_int_equal(peer_sends(world, "192.0.2.1:3478", "x", out), 0);
	assert_int_not_equal(peer_sends(world, "192.0.2.1:50001", "x", out), 0);
	world_free(world);
}

static void
threat_F8_time_ends_permissions_and_channels(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	uint8_t out[DATAGRAM_MAX];

	given(world);
	world->now_us = START_US + 299 * 1000000ull;
	assert_int_equal(send_indication(world, "198.51.100.1:9", "x", false), RELAY_TO_PEER);
	assert_int_not_equal(peer_sends(world, "198.51.100.2:7000", "x", out), 0);
	world->now_us = START_US + 300 * 1000000ull;
	assert_int_equal(send_indication(world, "198.51.100.1:9", "x", false), RELAY_DROP);
	assert_int_equal(peer_sends(world, "198.51.100.2:7000", "x", out), 0);
	assert_int_equal(channel_data(world, ANN, 0x4000, "x").action, RELAY_TO_PEER);
	/* ChannelBind refreshes the permission too. */
	assert_int_equal(
		request(world, ANN,
			(struct ask){ CHANNEL, .channel = 0x4000, PEER("198.51.100.2:7000") }),
		0);
	assert_int_not_equal(peer_sends(world, "198.51.100.2:7000", "x", out), 0);
	assert_int_equal(request(world, ANN, (struct ask){ REFRESH, .lifetime = 3600 }), 0);
	world->now_us = START_US + 899 * 1000000ull;
	assert_int_equal(channel_data(world, ANN, 0x4000, "x").action, RELAY_TO_PEER);
	world->now_us = START_US + 900 * 1000000ull;
	assert_int_equal(channel_data(world, ANN, 0x4000, "x").action, RELAY_DROP);
	world_free(world);
}

/* True if the last refusal tells of a key that would have taken it. */
static bool
names_the_key(struct world *world)
{
	static const char key[] = "legacy-channels";
	const struct stun_message reply = last_reply(world);
	const struct span said = reply.values[STUN_ERROR_CODE];
	char text[256] = { 0 };

	assert_true(said.count < sizeof text + 4);
	memcpy(text, said.at + 4, said.count - 4);
	return strstr(text, key) != NULL;
}

static void
threat_F7_a_refusal_names_the_key_that_would_have_taken_it(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	struct ask ask = { CHANNEL, .channel = 0x5000, PEER("198.51.100.3:7000") };

	allocate(world, "ann", ANN);
	assert_int_equal(request(world, ANN, ask), 400);
	assert_true(names_the_key(world));
	ask.channel = 0x3FFF; /* of no RFC */
	assert_int_equal(request(world, ANN, ask), 400);
	assert_false(names_the_key(world));
	world_free(world);
}

/* threat_F7 is the default: see relay_test.c. */
static void
legacy_channels_are_those_of_rfc_5766(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	const struct ask last = { .method = TURN_CHANNEL_BIND,
				  .user = "ann",
				  .channel = 0x7FFF,
				  .peers = { "198.51.100.3:7000" } };
	struct ask beyond = last;

	world->config.limits.legacy_channels = true;
	world->actor->limits.legacy_channels = true;
	relay_free(world->relay);
	new_relay(world);
	greet(world);
	allocate(world, "ann", ANN);
	assert_int_equal(request(world, ANN, last), 0);
	assert_int_equal(channel_data(world, ANN, 0x7FFF, "x").action, RELAY_TO_PEER);
	beyond.channel = 0x8000;
	assert_int_equal(request(world, ANN, beyond), 400);
	world_free(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_flows_both_ways),
		cmocka_unit_test(indications_differ_and_tell_nothing),
		cmocka_unit_test(what_has_no_route_is_dropped),
		cmocka_unit_test(threat_A6_channel_data_lengths),
		cmocka_unit_test(threat_B8_a_permission_does_not_open_our_own_ports),
		cmocka_unit_test(threat_F8_time_ends_permissions_and_channels),
		cmocka_unit_test(threat_F7_a_refusal_names_the_key_that_would_have_taken_it),
		cmocka_unit_test(legacy_channels_are_those_of_rfc_5766),
	};

	return cmocka_run_group_tests_name("relay_data", tests, world_setup, world_teardown);
}
