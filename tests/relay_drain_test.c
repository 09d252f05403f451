/* A relay that is drained: new clients are sent away, and what is held goes on. */
#include "tests/relay_world.h"

static int
allocate_as(struct world *world, const char *user, const char *client)
{
	return request(world, client,
		       (struct ask){ .method = TURN_ALLOCATE, .user = user, .transport = 17 });
}

static void
drain_to(struct world *world, const char *word)
{
	assert_null(drain_parse(word, &world->config.drain));
	relay_reload(world->relay, &world->config);
}

static void
new_clients_are_sent_where_the_operator_says(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	struct address to;

	greet(world);
	drain_to(world, "192.0.2.9:3500 turn2.example.org");
	assert_int_equal(allocate_as(world, "bob", BOB), 300);
	const struct stun_message message = last_reply(world);
	assert_true(stun_has(&message, STUN_MESSAGE_INTEGRITY));
	assert_true(address_from_wire(&to, message.values[STUN_ALTERNATE_SERVER], NULL));
	const struct address wanted = address_of("192.0.2.9:3500");
	assert_true(address_equal(&to, &wanted));
	assert_false(stun_has(&message, STUN_ALTERNATE_DOMAIN)); /* no certificate is compared */
	assert_int_equal(world->actor->table.rows_used, 0);
	world_free(world);
}

static void
over_tls_its_name_is_told_too(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	relay_free(world->relay);
	world->config.transports[LISTENER_TCP] = CLIENT_TLS;
	new_relay(world);
	greet(world);
	world->over_tcp = true;
	drain_to(world, "192.0.2.9 turn2.example.org");
	assert_int_equal(allocate_as(world, "bob", BOB), 300);
	const struct stun_message message = last_reply(world);
	const struct span domain = message.values[STUN_ALTERNATE_DOMAIN];
	assert_int_equal(domain.count, strlen("turn2.example.org"));
	assert_memory_equal(domain.at, "turn2.example.org", domain.count);
	world_free(world);
}

static void
without_anywhere_to_go_it_is_refused(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	greet(world);
	drain_to(world, "[2001:db8::9]:3478"); /* of the other family */
	assert_int_equal(allocate_as(world, "bob", BOB), 508);
	drain_to(world, "on");
	assert_int_equal(allocate_as(world, "bob", BOB), 508);
	drain_to(world, "");
	assert_int_equal(allocate_as(world, "bob", BOB), 0);
	world_free(world);
}

static void
what_is_held_goes_on(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	greet(world);
	given(world);
	drain_to(world, "192.0.2.9");
	assert_int_equal(
		request(world, ANN,
			(struct ask){ .method = TURN_REFRESH, .user = "ann", .lifetime = 1000 }),
		0);
	assert_int_equal(request(world, ANN,
				 (struct ask){ .method = TURN_CREATE_PERMISSION,
					       .user = "ann",
					       .peers = { "198.51.100.7:1" } }),
			 0);
	/* Who proves nothing hears what everybody hears. */
	assert_int_equal(
		request(world, BOB, (struct ask){ .method = TURN_ALLOCATE, .transport = 17 }), 401);
	world_free(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_clients_are_sent_where_the_operator_says),
		cmocka_unit_test(over_tls_its_name_is_told_too),
		cmocka_unit_test(without_anywhere_to_go_it_is_refused),
		cmocka_unit_test(what_is_held_goes_on),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
