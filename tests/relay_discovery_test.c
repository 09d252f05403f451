/* How clients learn what their NAT does (RFC 5780): from where a Binding is answered, what it says,
 * and that it is no gift to strangers. */
#include "tests/relay_world.h"

enum { ONE_ALT = 3, TWO, TWO_ALT, LISTENERS };
static const char CLIENT[] = "203.0.113.9:9000";

/* Two addresses, each with two ports, beside the world's own listeners. */
static struct world *
four_sockets(void)
{
	static const char *const listeners[] = { "192.0.2.1:3479", "192.0.2.2:3478",
						 "192.0.2.2:3479" };
	struct world *world = world_new(false);
	struct relay_config *config = &world->config;

	relay_free(world->relay);
	for (size_t i = 0; i < sizeof listeners / sizeof listeners[0]; i++) {
		config->transports[config->listener_count] = CLIENT_UDP;
		config->listeners[config->listener_count++] = address_of(listeners[i]);
	}
	assert_int_equal(config->listener_count, LISTENERS);
	memcpy(config->outside, config->listeners, sizeof config->outside);
	config->discovery = true;
	config->discovery_ports[0] = 3478;
	config->discovery_ports[1] = 3479;
	new_relay(world);
	return world;
}

/* A Binding with up to two attributes. */
static struct relay_answer
ask_at(struct world *world, uint32_t listener, enum stun_attribute first, struct span value,
       enum stun_attribute second)
{
	static uint8_t memory[DATAGRAM_MAX];
	const struct transaction transaction = { { 5 } };
	const struct address client = address_of(CLIENT);
	struct stun_writer w =
		stun_writer_of(memory, sizeof memory, TURN_BINDING, STUN_REQUEST, &transaction);

	if (first != STUN_ATTRIBUTES) {
		stun_put(&w, first, value.at, value.count);
	}
	if (second != STUN_ATTRIBUTES) {
		stun_put(&w, second, "\x12\x34\0\0", 4);
	}
	assert_false(w.bad);
	const struct relay_answer answer = relay_handle_client(world->relay, listener, &client,
							       stun_written(&w), world->now_us);
	if (answer.action == RELAY_REPLY) {
		take_reply(world, answer.bytes);
	}
	return answer;
}

static struct relay_answer
ask_change(struct world *world, uint32_t listener, uint8_t flags)
{
	const uint8_t value[4] = { 0, 0, 0, flags };

	return ask_at(world, listener, STUN_CHANGE_REQUEST, (struct span){ value, sizeof value },
		      STUN_ATTRIBUTES);
}

static void
assert_address(struct world *world, enum stun_attribute attribute, const char *text)
{
	const struct stun_message reply = last_reply(world);
	const struct address expected = address_of(text);
	struct address found;

	assert_true(stun_has(&reply, attribute));
	assert_true(address_from_wire(&found, reply.values[attribute], NULL));
	assert_true(address_equal(&found, &expected));
}

static void
an_answer_says_from_where_and_what_else_there_is(void **unused)
{
	(void)unused;
	struct world *world = four_sockets();
	const struct span nothing = { NULL, 0 };

	assert_int_equal(ask_at(world, LISTENER, STUN_ATTRIBUTES, nothing, STUN_ATTRIBUTES).from,
			 LISTENER);
	assert_address(world, STUN_RESPONSE_ORIGIN, "192.0.2.1:3478");
	assert_address(world, STUN_OTHER_ADDRESS, "192.0.2.2:3479");
	assert_address(world, STUN_MAPPED_ADDRESS, CLIENT);
	assert_int_equal(ask_at(world, TWO_ALT, STUN_ATTRIBUTES, nothing, STUN_ATTRIBUTES).from,
			 TWO_ALT);
	assert_address(world, STUN_OTHER_ADDRESS, "192.0.2.1:3478");
	world_free(world);
}

/* Behind a NAT clients know the listeners by what it calls them; with one name for both addresses
 * there is no second one. */
static void
an_answer_names_what_is_seen_from_outside(void **unused)
{
	(void)unused;
	struct world *world = four_sockets();
	const struct span nothing = { NULL, 0 };

	relay_free(world->relay);
	for (size_t i = 0; i < LISTENERS; i++) {
		const struct address *local = &world->config.listeners[i];
		struct address *outside = &world->config.outside[i];

		*outside = address_of(local->bytes[3] == 1 ? "198.18.0.1:1" : "198.18.0.2:1");
		outside->port = local->port;
	}
	new_relay(world);
	ask_at(world, LISTENER, STUN_ATTRIBUTES, nothing, STUN_ATTRIBUTES);
	assert_address(world, STUN_RESPONSE_ORIGIN, "198.18.0.1:3478");
	assert_address(world, STUN_OTHER_ADDRESS, "198.18.0.2:3479");
	assert_int_equal(ask_change(world, LISTENER, 6).from, TWO_ALT);
	assert_address(world, STUN_RESPONSE_ORIGIN, "198.18.0.2:3479");

	relay_free(world->relay);
	world->config.outside[TWO] = address_of("198.18.0.1:3478");
	world->config.outside[TWO_ALT] = address_of("198.18.0.1:3479");
	new_relay(world);
	ask_at(world, LISTENER, STUN_ATTRIBUTES, nothing, STUN_ATTRIBUTES);
	const struct stun_message reply = last_reply(world);
	assert_false(stun_has(&reply, STUN_OTHER_ADDRESS));
	world_free(world);
}

static void
an_answer_comes_from_where_it_was_wanted(void **unused)
{
	(void)unused;
	struct world *world = four_sockets();
	static const struct {
		uint32_t at;
		uint8_t flags;
		uint32_t from;
		const char *origin;
	} cases[] = {
		{ LISTENER, 0, LISTENER, "192.0.2.1:3478" },
		{ LISTENER, 2, ONE_ALT, "192.0.2.1:3479" },
		{ LISTENER, 4, TWO, "192.0.2.2:3478" },
		{ LISTENER, 6, TWO_ALT, "192.0.2.2:3479" },
		{ TWO_ALT, 6, LISTENER, "192.0.2.1:3478" },
		{ ONE_ALT, 4, TWO_ALT, "192.0.2.2:3479" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(ask_change(world, cases[i].at, cases[i].flags).from,
				 cases[i].from);
		assert_address(world, STUN_RESPONSE_ORIGIN, cases[i].origin);
	}
	world_free(world);
}

static void
an_answer_goes_to_the_port_that_was_named_and_no_other_host(void **unused)
{
	(void)unused;
	struct world *world = four_sockets();
	const struct span nothing = { NULL, 0 };
	const struct relay_answer answer =
		ask_at(world, LISTENER, STUN_ATTRIBUTES, nothing, STUN_RESPONSE_PORT);
	const struct address client = address_of(CLIENT);

	assert_int_equal(answer.to.port, 0x1234);
	assert_true(address_equal_ip(&answer.to, &client));
	world_free(world);
}

static void
threat_E4_padding_is_no_longer_than_it_came(void **unused)
{
	(void)unused;
	struct world *world = four_sockets();
	static const uint8_t bytes[1400];

	for (size_t count = 0; count <= sizeof bytes; count += 100) {
		const struct span padding = { bytes, count };
		ask_at(world, LISTENER, STUN_PADDING, padding, STUN_ATTRIBUTES);
		const struct stun_message reply = last_reply(world);
		assert_int_equal(reply.class, STUN_SUCCESS);
		assert_true(stun_has(&reply, STUN_PADDING) &&
			    reply.values[STUN_PADDING].count <= count);
	}
	const struct span padding = { bytes, 100 };
	ask_at(world, LISTENER, STUN_PADDING, padding, STUN_RESPONSE_PORT);
	const struct stun_message reply = last_reply(world);
	assert_int_equal(stun_error_code(&reply), 400);
	world_free(world);
}

static void
threat_E4_unknown_where_there_is_no_second_address(void **unused)
{
	(void)unused;
	struct world *world = four_sockets();
	const struct address six = address_of("[2001:db8::9]:9");
	uint8_t memory[DATAGRAM_MAX];
	const struct transaction transaction = { { 5 } };
	struct stun_writer w =
		stun_writer_of(memory, sizeof memory, TURN_BINDING, STUN_REQUEST, &transaction);

	/* Over TCP, over IPv6 with its one address, and in an Allocate. */
	ask_change(world, LISTENER_TCP, 6);
	struct stun_message reply = last_reply(world);
	assert_int_equal(stun_error_code(&reply), 420);
	stun_put_u32(&w, STUN_CHANGE_REQUEST, 6);
	take_reply(world, relay_handle_client(world->relay, LISTENER_V6, &six, stun_written(&w),
					      world->now_us)
				  .bytes);
	reply = last_reply(world);
	assert_int_equal(stun_error_code(&reply), 420);
	assert_int_equal(request(world, ANN,
				 (struct ask){ .method = TURN_ALLOCATE,
					       .user = "ann",
					       .transport = 17,
					       .unknown = 0x0003 }),
			 420);
	world_free(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_says_from_where_and_what_else_there_is),
		cmocka_unit_test(an_answer_names_what_is_seen_from_outside),
		cmocka_unit_test(an_answer_comes_from_where_it_was_wanted),
		cmocka_unit_test(an_answer_goes_to_the_port_that_was_named_and_no_other_host),
		cmocka_unit_test(threat_E4_padding_is_no_longer_than_it_came),
		cmocka_unit_test(threat_E4_unknown_where_there_is_no_second_address),
	};

	return cmocka_run_group_tests_name("relay_discovery", tests, world_setup, world_teardown);
}
