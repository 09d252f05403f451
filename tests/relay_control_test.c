/* What an operator decides while calls run, as the relay carries it out. */
#include "tests/relay_world.h"

#include "actors/relay_operate.h"
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
	return client_sends_data(world, ANN, peer, "data", false).action;
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

static int
asks_for_ann(struct world *world)
{
	return request(world, ANN,
		       (struct ask){ .method = TURN_ALLOCATE, .user = "ann", .transport = 17 });
}

static struct span
ask_relay(struct world *world, enum request request, uint64_t from, const char *agent,
	  const struct id *allocation, uint8_t answer[OPERATE_PAGE_BYTES])
{
	uint8_t memory[512];
	struct mp_writer w = mp_writer_of(memory, sizeof memory);
	struct mp_writer out = mp_writer_of(answer, OPERATE_PAGE_BYTES);

	mp_put_array(&w, 3);
	mp_put_u64(&w, request);
	if (request == REQUEST_ALLOCATIONS) {
		mp_put_u64(&w, from);
	}
	mp_put_str(&w, agent, strlen(agent));
	if (request == REQUEST_KILL) {
		mp_put_id(&w, allocation);
	}
	assert_true(relay_operate(world->relay, mp_written(&w), 7, world->now_us, &out));
	assert_false(out.bad);
	return mp_written(&out);
}

/* A reader behind verdict and epoch. */
static struct mp_reader
answered(struct span answer)
{
	struct mp_reader r = mp_reader_of(answer);

	mp_get_array(&r, 4);
	assert_int_equal(mp_get_u64(&r), ACCEPTED);
	assert_int_equal(mp_get_u64(&r), 7);
	return r;
}

static uint64_t
kills(struct world *world, const char *agent, const struct id *allocation)
{
	static uint8_t answer[OPERATE_PAGE_BYTES];
	struct mp_reader r = answered(ask_relay(world, REQUEST_KILL, 0, agent, allocation, answer));
	const uint64_t found = mp_get_u64(&r);

	assert_true(mp_reader_is_done(&r));
	pump(world);
	return found;
}

static struct id
id_of_ann(struct world *world)
{
	const struct address ann = address_of(ANN);
	const uint32_t row = allocation_find_client(&world->actor->table, &ann,
						    &world->config.listeners[0], CLIENT_UDP, 1);

	assert_int_not_equal(row, ROW_NONE);
	return world->actor->table.rows[row].id;
}

static void
what_is_killed_stops_is_accounted_for_and_ends(void **unused)
{
	static const struct id none, other = { { 9 } };

	(void)unused;
	for (int by_name = 0; by_name < 2; by_name++) {
		struct world *world = world_new(false);

		given(world);
		const struct id id = id_of_ann(world);
		assert_int_equal(sends_on_channel(world), RELAY_TO_PEER);
		assert_int_equal(kills(world, by_name ? "an" : "", by_name ? &none : &other), 0);
		world->line_is_full = true;
		assert_int_equal(kills(world, by_name ? "ann" : "", by_name ? &none : &id), 1);
		assert_int_equal(sends_on_channel(world), RELAY_DROP);
		assert_int_equal(world->actor->table.rows_used, 1);
		world->line_is_full = false;
		tick(world, 1);
		assert_int_equal(world->actor->table.rows_used, 0);
		assert_int_equal(kills(world, by_name ? "ann" : "", by_name ? &none : &id), 0);
		assert_int_equal(world->logged.packets_up, 1);
		assert_int_equal(world->sockets_open, 0);
		/* It is no ban. */
		assert_int_equal(asks_for_ann(world), 0);
		world_free(world);
	}
}

static void
revoke(struct world *world, const char *agent, bool undo)
{
	struct command command = { .type = COMMAND_REVOKE,
				   .revoke = { .agent = { { 5 } }, .undo = undo } };

	assert_true(name_set(&command.revoke.agent_name, agent, strlen(agent)));
	decide(world, &command);
	deliver_notices(world);
	pump(world);
}

static void
a_revoked_agent_is_refused_and_what_it_holds_ends(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	struct command attach = { .type = COMMAND_ATTACH, .front = 1 };

	attach.attach.instance = (struct id){ { 3 } };
	decide(world, &attach);
	given(world);
	revoke(world, "ann", false);
	assert_int_equal(world->actor->table.rows_used, 0);
	assert_int_equal(asks_for_ann(world), 401);
	assert_int_equal(request(world, BOB, (struct ask){ ALLOCATE, .transport = 17 }), 0);
	greet(world); /* over a restart of the actor */
	assert_int_equal(asks_for_ann(world), 401);
	revoke(world, "ann", true);
	assert_int_equal(asks_for_ann(world), 0);
	world_free(world);
}

static void
a_relay_that_was_restarted_ends_what_was_revoked_meanwhile(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	struct event event = { .type = EVENT_TURN_AGENT_REVOKED };

	given(world);
	event.turn_agent_revoked.agent = (struct id){ { 5 } };
	name_set(&event.turn_agent_revoked.agent_name, "ann", 3);
	allocation_apply(world->actor, &event);
	relay_free(world->relay);
	new_relay(world);
	greet(world);
	pump(world);
	assert_int_equal(world->actor->table.rows_used, 0);
	world_free(world);
}

static void
allocations_are_shown_page_by_page_with_what_is_not_reported_yet(void **unused)
{
	static uint8_t answer[OPERATE_PAGE_BYTES];
	(void)unused;
	struct world *world = world_new(false);

	given(world);
	assert_int_equal(sends_on_channel(world), RELAY_TO_PEER);
	for (int round = 0; round < 2; round++) {
		struct mp_reader r =
			answered(ask_relay(world, REQUEST_ALLOCATIONS, 0, "ann", NULL, answer));

		assert_int_equal(mp_get_u64(&r), 0);
		assert_int_equal(mp_get_array(&r, 10), 1);
		assert_int_equal(mp_get_array(&r, 99), OPERATE_ALLOCATION_ELEMENTS);
		const struct id id = mp_get_id(&r), ann = id_of_ann(world);
		assert_true(id_equal(&id, &ann));
		const struct span user = mp_get_str(&r, 256);
		assert_int_equal(user.count, 3);
		struct address client;
		address_read(&r, &client);
		const struct address expected = address_of(ANN);
		assert_true(address_equal(&client, &expected));
		mp_get_u64(&r);
		address_read(&r, &client);
		mp_get_u64(&r);
		address_read(&r, &client);
		address_read(&r, &client);
		assert_int_equal(mp_get_u64(&r), START_US);
		mp_get_u64(&r);
		assert_int_equal(mp_get_u64(&r), 1); /* packets up, whether reported or not */
		assert_int_equal(mp_get_u64(&r), 4);
		assert_int_equal(mp_get_u64(&r), 0);
		assert_int_equal(mp_get_u64(&r), 0);
		assert_int_equal(mp_get_array(&r, 200), 3); /* two permissions and a channel */
		assert_false(r.bad);
		relay_report_all(world->relay);
		pump(world);
	}
	struct mp_reader r =
		answered(ask_relay(world, REQUEST_ALLOCATIONS, 0, "bob", NULL, answer));
	assert_int_equal(mp_get_u64(&r), 0);
	assert_int_equal(mp_get_array(&r, 10), 0);
	r = answered(ask_relay(world, REQUEST_ALLOCATIONS, UINT64_MAX, "", NULL, answer));
	assert_int_equal(mp_get_u64(&r), 0);
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
		cmocka_unit_test(what_is_killed_stops_is_accounted_for_and_ends),
		cmocka_unit_test(a_revoked_agent_is_refused_and_what_it_holds_ends),
		cmocka_unit_test(a_relay_that_was_restarted_ends_what_was_revoked_meanwhile),
		cmocka_unit_test(allocations_are_shown_page_by_page_with_what_is_not_reported_yet),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
