/* ICMP errors on their way to the client (RFC 8656 section 11.5, THREATS E7). */
#include "tests/relay_world.h"

static struct relay_icmp
icmp_of(const char *peer, uint8_t type, uint8_t code, uint32_t mtu)
{
	return (struct relay_icmp){
		.peer = address_of(peer), .type = type, .code = code, .mtu = mtu
	};
}

/* The 8 bytes of the ICMP attribute that Ann is told; NULL if nothing is. */
static const uint8_t *
told(struct world *world, struct relay_icmp icmp)
{
	static struct stun_message message;
	const struct address ann = address_of(ANN);
	const struct relay_answer answer =
		relay_handle_icmp(world->relay, world->last_socket, &icmp, world->now_us);

	if (answer.action == RELAY_DROP) {
		return NULL;
	}
	assert_int_equal(answer.action, RELAY_TO_CLIENT);
	assert_true(address_equal(&answer.to, &ann));
	assert_true(stun_read(answer.bytes, &message));
	assert_int_equal(message.method, TURN_DATA);
	assert_int_equal(message.class, STUN_INDICATION);
	assert_false(stun_has(&message, STUN_DATA));
	assert_true(address_equal(&message.peers[0], &icmp.peer));
	assert_true(stun_has(&message, STUN_ICMP));
	return message.values[STUN_ICMP].at;
}

static void
a_client_is_told_what_the_network_says(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	const uint8_t refused[8] = { 0, 0, 3 << 1, 3, 0, 0, 0, 0 };
	const uint8_t too_long[8] = { 0, 0, 3 << 1, 4, 0, 0, 0x05, 0x14 };

	given(world);
	const uint8_t *value = told(world, icmp_of("198.51.100.1:9", 3, 3, 77));
	assert_non_null(value);
	assert_memory_equal(value, refused, sizeof refused);
	world->now_us += 1000000;
	value = told(world, icmp_of("198.51.100.2:7000", 3, 4, 1300));
	assert_non_null(value);
	assert_memory_equal(value, too_long, sizeof too_long);
	world_free(world);
}

static void
threat_E7_only_of_permitted_peers_and_known_kinds(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	static const struct {
		const char *peer;
		uint8_t type;
		bool is_told;
	} rows_e7[] = {
		{ "198.51.100.1:9", 3, true },    { "198.51.100.1:9", 11, true },
		{ "198.51.100.1:9", 5, false },   { "198.51.100.1:9", 12, false },
		{ "198.51.100.3:9", 3, false },   { "10.0.0.1:9", 3, false },
		{ "[2001:4860::1]:9", 1, false },
	};

	given(world);
	for (size_t i = 0; i < sizeof rows_e7 / sizeof rows_e7[0]; i++) {
		world->now_us += 1000000;
		assert_int_equal(told(world, icmp_of(rows_e7[i].peer, rows_e7[i].type, 0, 0)) !=
					 NULL,
				 rows_e7[i].is_told);
	}
	/* A permission that has ended, an allocation that is released. */
	world->now_us += 301 * 1000000ull;
	assert_null(told(world, icmp_of("198.51.100.1:9", 3, 3, 0)));
	assert_int_equal(request(world, ANN, (struct ask){ REFRESH, .lifetime = -1 }), 0);
	assert_null(told(world, icmp_of("198.51.100.1:9", 3, 3, 0)));
	world_free(world);
}

static void
threat_E7_no_storm(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	unsigned count = 0;

	given(world);
	for (unsigned i = 0; i < 1000; i++) {
		count += told(world, icmp_of("198.51.100.1:9", 3, 3, 0)) != NULL;
		world->now_us += 1000;
	}
	assert_int_equal(count, 10);
	world_free(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_is_told_what_the_network_says),
		cmocka_unit_test(threat_E7_only_of_permitted_peers_and_known_kinds),
		cmocka_unit_test(threat_E7_no_storm),
	};

	return cmocka_run_group_tests_name("relay_icmp", tests, world_setup, world_teardown);
}
