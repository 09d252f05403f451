/* What an operator decides while calls run, as the relay carries it out. */
#include "tests/relay_world.h"

#include "protocol/credential_name.h"

static enum relay_action
sends_on_channel(struct world *world)
{
	static const uint8_t bytes[] = { 0x40, 0, 0, 4, 1, 2, 3, 4 };

	return client_sends(world, ANN, (struct span){ bytes, sizeof bytes }).action;
}

static enum relay_action
sends_to(struct world *world, const char *peer)
{
	uint8_t memory[DATAGRAM_MAX];
	const struct transaction transaction = { { 1 } };
	struct stun_writer w =
		stun_writer_of(memory, sizeof memory, TURN_SEND, STUN_INDICATION, &transaction);
	const struct address to = address_of(peer);

	stun_put_address(&w, STUN_XOR_PEER_ADDRESS, &to);
	stun_put(&w, STUN_DATA, "data", 4);
	return client_sends(world, ANN, stun_written(&w)).action;
}

static enum relay_action
hears_from(struct world *world, const char *peer)
{
	uint8_t memory[RELAY_HEADROOM + 4 + RELAY_TAILROOM] = { 0 };
	const struct address source = address_of(peer);

	return relay_handle_peer(world->relay, world->last_socket, &source, memory + RELAY_HEADROOM,
				 4, world->now_us)
		.action;
}

/* Denied as every test network is, but for that range. */
static void
reload_policy(struct world *world, const char *allowed)
{
	struct peer_policy *policy = &world->config.policy;

	policy->rule_count = 0;
	assert_null(peer_policy_add_allow(policy, allowed));
	relay_reload(world->relay, &world->config);
}

static void
tick(struct world *world, uint64_t seconds)
{
	world->now_us += seconds * 1000000;
	relay_tick(world->relay, world->now_us);
	pump(world);
}

static uint32_t
live_peers(struct world *world)
{
	const struct address ann = address_of(ANN);
	const uint32_t row = allocation_find_client(&world->actor->table, &ann,
						    &world->config.listeners[0], CLIENT_UDP, 1);

	assert_int_not_equal(row, ROW_NONE);
	return peer_count(&world->actor->table, row, false, world->now_us) +
	       peer_count(&world->actor->table, row, true, world->now_us);
}

static void
threat_B14_what_a_reload_forbids_is_cut_off_and_ends_within_a_second(void **unused)
{
	static const struct {
		const char *what;
		const char *allowed;
		enum relay_action channel; /* to 198.51.100.2:7000 */
		enum relay_action send;    /* to 198.51.100.1:9 */
		uint32_t live;             /* of two permissions and a channel */
	} rows[] = {
		{ "nothing", "198.51.100.0/24", RELAY_TO_PEER, RELAY_TO_PEER, 3 },
		{ "the channel's peer", "198.51.100.1", RELAY_DROP, RELAY_TO_PEER, 1 },
		{ "the permission's peer", "198.51.100.2", RELAY_TO_PEER, RELAY_DROP, 2 },
		{ "both", "198.51.100.3", RELAY_DROP, RELAY_DROP, 0 },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct world *world = world_new(false);

		given(world);
		assert_int_equal(live_peers(world), 3);
		assert_int_equal(sends_on_channel(world), RELAY_TO_PEER);
		reload_policy(world, rows[i].allowed);
		for (int round = 0; round < 3; round++) { /* at once, after a second, for good */
			assert_int_equal(sends_on_channel(world), rows[i].channel);
			assert_int_equal(sends_to(world, "198.51.100.1:9"), rows[i].send);
			assert_int_equal(hears_from(world, "198.51.100.2:7000"),
					 rows[i].channel == RELAY_DROP ? RELAY_DROP
								       : RELAY_TO_CLIENT);
			tick(world, 1);
		}
		assert_int_equal(live_peers(world), rows[i].live);
		relay_report_all(world->relay);
		pump(world);
		assert_int_equal(world->logged.packets_up,
				 relay_counted(world->relay, RELAY_COUNT_PACKETS_UP));
		world_free(world);
	}
}

static void
threat_B14_what_was_asked_before_the_reload_and_decided_after_it_ends_too(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	uint8_t memory[DATAGRAM_MAX];
	const struct ask ask = { CHANNEL, .channel = 0x4000, PEER("198.51.100.2:7000") };

	allocate(world, "ann", ANN);
	fetch_nonce(world, ANN);
	client_sends(world, ANN, write_request(world, &ask, memory));
	reload_policy(world, "198.51.100.3");
	relay_tick(world->relay, world->now_us); /* finds nothing yet */
	pump(world);
	assert_int_equal(sends_on_channel(world), RELAY_DROP);
	tick(world, 1);
	assert_int_equal(live_peers(world), 0);
	world_free(world);
}

static void
threat_B14_a_full_line_is_tried_again(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	given(world);
	reload_policy(world, "198.51.100.3");
	world->line_is_full = true;
	tick(world, 1);
	assert_int_equal(live_peers(world), 3);
	assert_int_equal(sends_on_channel(world), RELAY_DROP);
	world->line_is_full = false;
	tick(world, 1);
	assert_int_equal(live_peers(world), 0);
	world_free(world);
}

static void
a_restarted_relay_applies_the_policy_it_starts_with(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	given(world);
	world->config.policy.rule_count = 0;
	assert_null(peer_policy_add_deny(&world->config.policy, "198.51.100.0/24"));
	relay_free(world->relay);
	new_relay(world);
	greet(world);
	assert_int_equal(sends_on_channel(world), RELAY_DROP);
	tick(world, 1);
	assert_int_equal(live_peers(world), 0);
	world_free(world);
}

static uint32_t
lifetime_told(struct world *world)
{
	const struct stun_message message = last_reply(world);

	assert_true(stun_has(&message, STUN_LIFETIME));
	return message.lifetime_s;
}

/* Zoe's credential ends 100 s after the start; it is asked with at `asked_s`. */
static const struct {
	const char *when;
	bool is_strict;
	unsigned asked_s;
	uint16_t method;
	uint32_t lifetime;
} expiry_rows[] = {
	{ "as ever without the option", false, 0, TURN_ALLOCATE, 600 },
	{ "threat_C12: an allocation ends with its credential and the grace", true, 0,
	  TURN_ALLOCATE, 130 },
	{ "threat_C12: a refresh goes no further", true, 40, TURN_REFRESH, 90 },
	{ "as ever without the option", false, 40, TURN_REFRESH, 600 },
};

static void
zoe(char username[32], char password[CREDENTIAL_PASSWORD_BYTES + 1], struct world *world,
    uint64_t expires_s)
{
	static const char secret[] = "shared";

	snprintf(username, 32, "%llu:zoe", (unsigned long long)expires_s);
	credential_name_password(password, &world->integrity,
				 (struct span){ (const uint8_t *)secret, strlen(secret) },
				 (struct span){ (const uint8_t *)username, strlen(username) });
}

static void
threat_C12_a_call_outlives_its_credential_only_without_strict_expiry(void **unused)
{
	static const char client[] = "203.0.113.26:26";
	char username[32], password[CREDENTIAL_PASSWORD_BYTES + 1];
	struct ask ask = { .transport = 17, .user = username, .password = password };

	(void)unused;
	for (size_t i = 0; i < sizeof expiry_rows / sizeof expiry_rows[0]; i++) {
		struct world *world = world_new(false);
		const uint64_t start_s = START_US / 1000000;

		print_message("  %s\n", expiry_rows[i].when);
		assert_null(credentials_add_secret(&world->config.credentials, "shared"));
		world->config.strict_expiry = expiry_rows[i].is_strict;
		relay_reload(world->relay, &world->config);
		zoe(username, password, world, start_s + 100);
		ask.method = TURN_ALLOCATE;
		assert_int_equal(request(world, client, ask), 0);
		tick(world, expiry_rows[i].asked_s);
		if (expiry_rows[i].method == TURN_REFRESH) {
			ask.method = TURN_REFRESH;
			assert_int_equal(request(world, client, ask), 0);
		}
		assert_int_equal(lifetime_told(world), expiry_rows[i].lifetime);

		/* Whoever comes with a new one in time goes on. */
		tick(world, 110 - expiry_rows[i].asked_s);
		ask.method = TURN_REFRESH;
		assert_int_equal(request(world, client, ask), 401);
		zoe(username, password, world, start_s + 10000);
		assert_int_equal(request(world, client, ask), 0);
		assert_int_equal(lifetime_told(world), 600);
		world_free(world);
	}
}

static void
reloaded_users_and_lifetimes_count_from_the_next_request(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	given(world);
	world->config.credentials.user_count = 0;
	assert_null(
		credentials_add_user(&world->config.credentials, &world->integrity, "ann:secret"));
	relay_reload(world->relay, &world->config);
	assert_int_equal(request(world, BOB, (struct ask){ ALLOCATE, .transport = 17 }), 401);
	assert_int_equal(request(world, ANN, (struct ask){ REFRESH, .lifetime = 600 }), 0);
	assert_int_equal(sends_on_channel(world), RELAY_TO_PEER);
	world_free(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			threat_B14_what_a_reload_forbids_is_cut_off_and_ends_within_a_second),
		cmocka_unit_test(
			threat_B14_what_was_asked_before_the_reload_and_decided_after_it_ends_too),
		cmocka_unit_test(threat_B14_a_full_line_is_tried_again),
		cmocka_unit_test(a_restarted_relay_applies_the_policy_it_starts_with),
		cmocka_unit_test(
			threat_C12_a_call_outlives_its_credential_only_without_strict_expiry),
		cmocka_unit_test(reloaded_users_and_lifetimes_count_from_the_next_request),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
