/* What a relay answers: every refusal of RFC 8656 over UDP, and the rows of THREATS A to F that are
 * about requests. */
#include "tests/relay_world.h"

struct row {
	const char *name;
	const char *client;
	struct ask ask;
	int code;
};

static const struct row rows[] = {
	{ "threat_C1: no credentials", BOB, { .method = TURN_ALLOCATE, .transport = 17 }, 401 },
	{ "threat_C5: an unknown user",
	  BOB,
	  { .method = TURN_ALLOCATE, .user = "eve", .transport = 17 },
	  401 },
	{ "threat_C5: a wrong password",
	  BOB,
	  { ALLOCATE, .password = "guess", .transport = 17 },
	  401 },
	{ "threat_C3: an invented nonce", BOB, { ALLOCATE, .transport = 17, .stale = true }, 438 },
	{ "allocate", BOB, { ALLOCATE, .transport = 17 }, 0 },
	{ "threat_F2: allocate twice",
	  ANN,
	  { .method = TURN_ALLOCATE, .user = "ann", .transport = 17 },
	  437 },
	{ "threat_F3: no transport", BOB, { ALLOCATE }, 400 },
	{ "threat_F3: transport 1", BOB, { ALLOCATE, .transport = 1 }, 442 },
	{ "threat_F3: transport TCP", BOB, { ALLOCATE, .transport = 6 }, 442 },
	{ "threat_F4: even port and token",
	  BOB,
	  { ALLOCATE, .transport = 17, .even_port = 1, .token = "12345678" },
	  400 },
	{ "threat_F4: family and token",
	  BOB,
	  { ALLOCATE, .transport = 17, .family = 1, .token = "12345678" },
	  400 },
	{ "threat_F4: additional family and token",
	  BOB,
	  { ALLOCATE, .transport = 17, .additional = 2, .token = "12345678" },
	  400 },
	{ "threat_F4: additional family and family",
	  BOB,
	  { ALLOCATE, .transport = 17, .additional = 2, .family = 1 },
	  400 },
	{ "threat_F4: additional family and reserved port",
	  BOB,
	  { ALLOCATE, .transport = 17, .additional = 2, .even_port = 2 },
	  400 },
	{ "threat_F4: additional family IPv4",
	  BOB,
	  { ALLOCATE, .transport = 17, .additional = 1 },
	  400 },
	{ "threat_F5: a family that is not served",
	  BOB,
	  { ALLOCATE, .transport = 17, .family = 2 },
	  440 },
	{ "threat_A11: family 3", BOB, { ALLOCATE, .transport = 17, .family = 3 }, 440 },
	{ "threat_F11: do not fragment, which is served",
	  BOB,
	  { ALLOCATE, .transport = 17, .dont_fragment = true },
	  0 },
	{ "threat_F12: an unknown required attribute",
	  BOB,
	  { ALLOCATE, .transport = 17, .unknown = 0x7FFF },
	  420 },
	{ "threat_F12: an unknown optional attribute",
	  BOB,
	  { ALLOCATE, .transport = 17, .unknown = 0x8FFF },
	  0 },
	{ "a token nobody reserved", BOB, { ALLOCATE, .transport = 17, .token = "12345678" }, 508 },
	{ "an even port", BOB, { ALLOCATE, .transport = 17, .even_port = 1 }, 0 },
	{ "a pair of ports", BOB, { ALLOCATE, .transport = 17, .even_port = 2 }, 0 },
	{ "threat_F14: an additional family we have not",
	  BOB,
	  { ALLOCATE, .transport = 17, .additional = 2 },
	  0 },
	{ "threat_A10: LIFETIME of 3 bytes",
	  BOB,
	  { ALLOCATE, .transport = 17, .odd = STUN_LIFETIME },
	  400 },
	{ "threat_A10: RESERVATION-TOKEN of 3 bytes",
	  BOB,
	  { ALLOCATE, .transport = 17, .odd = STUN_RESERVATION_TOKEN },
	  400 },
	{ "threat_A10: EVEN-PORT of 3 bytes",
	  BOB,
	  { ALLOCATE, .transport = 17, .odd = STUN_EVEN_PORT },
	  400 },
	{ "threat_A10: XOR-PEER-ADDRESS of 3 bytes",
	  ANN,
	  { PERMISSION, .odd = STUN_XOR_PEER_ADDRESS },
	  400 },
	{ "threat_A10: CHANNEL-NUMBER of 3 bytes",
	  ANN,
	  { CHANNEL, .odd = STUN_CHANNEL_NUMBER, PEER("198.51.100.3:1") },
	  400 },
	{ "threat_A19: an unknown method", ANN, { .method = 0x0FF, .user = "ann" }, -1 },
	{ "refresh", ANN, { REFRESH, .lifetime = 600 }, 0 },
	{ "refresh without a lifetime", ANN, { REFRESH }, 0 },
	{ "threat_F6: release", ANN, { REFRESH, .lifetime = -1 }, 0 },
	{ "refresh of the other family", ANN, { REFRESH, .family = 2 }, 443 },
	{ "refresh of its family", ANN, { REFRESH, .family = 1 }, 0 },
	{ "threat_D3: refresh without an allocation",
	  BOB,
	  { .method = TURN_REFRESH, .user = "bob" },
	  437 },
	{ "threat_C10: refresh by another user",
	  ANN,
	  { .method = TURN_REFRESH, .user = "bob" },
	  441 },
	{ "threat_C10: permission by another user",
	  ANN,
	  { .method = TURN_CREATE_PERMISSION, .user = "bob", PEER("198.51.100.3:1") },
	  441 },
	{ "permission", ANN, { PERMISSION, PEER("198.51.100.3:1") }, 0 },
	{ "permission without an allocation",
	  BOB,
	  { .method = TURN_CREATE_PERMISSION, .user = "bob", PEER("198.51.100.3:1") },
	  437 },
	{ "permission for nobody", ANN, { PERMISSION }, 400 },
	{ "permission for eight",
	  ANN,
	  { PERMISSION,
	    .peers = { "198.51.100.1:1", "198.51.100.2:1", "198.51.100.3:1", "198.51.100.4:1",
		       "198.51.100.5:1", "198.51.100.6:1", "198.51.100.7:1", "198.51.100.8:1" } },
	  0 },
	{ "permission for nine",
	  ANN,
	  { PERMISSION, .peers = { "198.51.100.1:1", "198.51.100.2:1", "198.51.100.3:1",
				   "198.51.100.4:1", "198.51.100.5:1", "198.51.100.6:1",
				   "198.51.100.7:1", "198.51.100.8:1", "198.51.100.9:1" } },
	  508 },
	{ "threat_B1: loopback", ANN, { PERMISSION, PEER("127.0.0.1:1") }, 403 },
	{ "threat_B1: this network", ANN, { PERMISSION, PEER("0.1.2.3:1") }, 403 },
	{ "threat_B3: loopback in IPv6 clothes",
	  ANN,
	  { PERMISSION, PEER("[::ffff:127.0.0.1]:1") },
	  403 },
	{ "threat_B5: a private network", ANN, { PERMISSION, PEER("10.0.0.1:1") }, 403 },
	{ "threat_B7: cloud metadata", ANN, { PERMISSION, PEER("169.254.169.254:1") }, 403 },
	{ "threat_B8: our own listener",
	  ANN,
	  { CHANNEL, .channel = 0x4001, PEER("192.0.2.1:3478") },
	  403 },
	{ "threat_B9: our own relayed port",
	  ANN,
	  { CHANNEL, .channel = 0x4001, PEER("192.0.2.1:50000") },
	  0 },
	{ "threat_B16: a peer of the other family",
	  ANN,
	  { PERMISSION, PEER("[2001:4860::1]:1") },
	  443 },
	{ "threat_B16: a channel to the other family",
	  ANN,
	  { CHANNEL, .channel = 0x4001, PEER("[2001:4860::1]:1") },
	  443 },
	{ "channel", ANN, { CHANNEL, .channel = 0x4001, PEER("198.51.100.3:1") }, 0 },
	{ "channel again", ANN, { CHANNEL, .channel = 0x4000, PEER("198.51.100.2:7000") }, 0 },
	{ "threat_B5: a channel to a private network",
	  ANN,
	  { CHANNEL, .channel = 0x4001, PEER("10.0.0.1:1") },
	  403 },
	{ "channel without a number", ANN, { CHANNEL, PEER("198.51.100.3:1") }, 400 },
	{ "channel without a peer", ANN, { CHANNEL, .channel = 0x4001 }, 400 },
	{ "threat_F7: channel 0x5000",
	  ANN,
	  { CHANNEL, .channel = 0x5000, PEER("198.51.100.3:1") },
	  400 },
	{ "threat_F7: channel 0x3fff",
	  ANN,
	  { CHANNEL, .channel = 0x3FFF, PEER("198.51.100.3:1") },
	  400 },
	{ "threat_F7: the number is another's",
	  ANN,
	  { CHANNEL, .channel = 0x4000, PEER("198.51.100.3:1") },
	  400 },
	{ "threat_F7: the peer has another",
	  ANN,
	  { CHANNEL, .channel = 0x4001, PEER("198.51.100.2:7000") },
	  400 },
	{ "channel without an allocation",
	  BOB,
	  { .method = TURN_CHANNEL_BIND, .user = "bob", .channel = 0x4001, PEER("198.51.100.3:1") },
	  437 },
	{ "binding", BOB, { .method = TURN_BINDING }, 0 },
	{ "threat_E4: CHANGE-REQUEST", BOB, { .method = TURN_BINDING, .unknown = 0x0003 }, 420 },
	{ "threat_E4: RESPONSE-PORT", BOB, { .method = TURN_BINDING, .unknown = 0x0027 }, 420 },
	{ "threat_E4: PADDING", BOB, { .method = TURN_BINDING, .unknown = 0x0026 }, 420 },
};

static void
every_request_has_its_answer(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct world *world = world_new(false);
		given(world);
		const int code = request(world, rows[i].client, rows[i].ask);
		if (code != rows[i].code) {
			print_error("%s: %d instead of %d\n", rows[i].name, code, rows[i].code);
		}
		assert_int_equal(code, rows[i].code);
		const bool is_pair = rows[i].ask.even_port == 2 && code == 0;
		assert_int_equal(world->sockets_open, world->actor->table.rows_used + is_pair);
		assert_int_equal(relay_allocations(world->relay), world->actor->table.rows_used);
		world_free(world);
	}
}

static void
an_allocation_is_told(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	struct address address;

	allocate(world, "ann", ANN);
	const struct stun_message reply = last_reply(world);
	assert_true(stun_address(&reply, STUN_XOR_RELAYED_ADDRESS, &address));
	const struct address relayed = address_of("192.0.2.1:50000");
	assert_true(address_equal(&address, &relayed));
	assert_true(stun_address(&reply, STUN_XOR_MAPPED_ADDRESS, &address));
	const struct address mapped = address_of(ANN);
	assert_true(address_equal(&address, &mapped));
	assert_int_equal(reply.lifetime_s, 600);
	assert_true(stun_has(&reply, STUN_MESSAGE_INTEGRITY));
	assert_true(stun_has(&reply, STUN_SOFTWARE));
	world_free(world);
}

static void
threat_F1_a_retransmission_is_the_same_success(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	const struct ask ask = { ALLOCATE, .transport = 17, .transaction = 9 };
	uint8_t memory[DATAGRAM_MAX];
	uint8_t first[DATAGRAM_MAX];

	fetch_nonce(world, BOB);
	const struct span datagram = write_request(world, &ask, memory);
	world->replies = 0;
	client_sends(world, BOB, datagram);
	assert_int_equal(client_sends(world, BOB, datagram).action, RELAY_DROP); /* asked already */
	assert_int_equal(world->queued, 1);
	pump(world);
	assert_int_equal(world->replies, 1);
	const size_t bytes = world->reply_bytes;
	memcpy(first, world->reply, bytes);
	client_sends(world, BOB, datagram);
	assert_int_equal(world->queued, 0);
	assert_int_equal(world->replies, 2);
	assert_int_equal(world->reply_bytes, bytes);
	assert_memory_equal(world->reply, first, bytes);
	assert_int_equal(world->sockets_open, 1);
	world_free(world);
}

static void
threat_F6_a_release_is_final(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	const struct ask release = { REFRESH, .lifetime = -1 };

	given(world);
	assert_int_equal(request(world, ANN, release), 0);
	assert_int_equal(last_reply(world).lifetime_s, 0);
	assert_int_equal(world->sockets_open, 0);
	assert_int_equal(request(world, ANN, release), 437);
	allocate(world, "ann", ANN);
	world_free(world);
}

static void
threat_D7_lifetimes_are_clipped(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	given(world);
	assert_int_equal(request(world, ANN, (struct ask){ REFRESH, .lifetime = 0x7FFFFFFF }), 0);
	assert_int_equal(last_reply(world).lifetime_s, 3600);
	assert_int_equal(request(world, ANN, (struct ask){ REFRESH, .lifetime = 1 }), 0);
	assert_int_equal(last_reply(world).lifetime_s, 600);
	world_free(world);
}

static void
threat_D7_no_more_is_told_than_was_granted(void **unused)
{
	static const uint64_t ahead_us[] = { 1, 50 * 1000, 400 * 1000 };

	(void)unused;
	for (size_t i = 0; i < sizeof ahead_us / sizeof ahead_us[0]; i++) {
		struct world *world = world_new(false);

		given(world);
		world->actor_ahead_us = ahead_us[i];
		assert_int_equal(
			request(world, ANN, (struct ask){ REFRESH, .lifetime = 0x7FFFFFFF }), 0);
		assert_int_equal(last_reply(world).lifetime_s, 3600);
		world_free(world);
	}
}

static void
threat_B13_one_bad_peer_refuses_all(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	given(world);
	const uint32_t before = world->actor->table.peers_used;
	assert_int_equal(
		request(world, ANN,
			(struct ask){ PERMISSION, .peers = { "198.51.100.5:1", "10.0.0.1:1",
							     "198.51.100.6:1" } }),
		403);
	assert_int_equal(world->actor->table.peers_used, before);
	world_free(world);
}

static void
threat_D5_quota(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	for (unsigned i = 0; i < 5; i++) {
		char client[] = "203.0.113.9:1000";
		client[12] = (char)('1' + i);
		const int code = request(world, client, (struct ask){ ALLOCATE, .transport = 17 });
		assert_int_equal(code, i < 4 ? 0 : 486);
	}
	assert_int_equal(world->sockets_open, 4);
	world->port_is_gone = true;
	assert_int_equal(
		request(world, ANN,
			(struct ask){ .method = TURN_ALLOCATE, .user = "ann", .transport = 17 }),
		508);
	assert_int_equal(world->sockets_open, 4);
	world_free(world);
}

static void
threat_E1_a_challenge_does_not_amplify(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	uint8_t memory[DATAGRAM_MAX];
	const struct ask bare = { .method = TURN_ALLOCATE };
	const struct span datagram = write_request(world, &bare, memory);

	assert_int_equal(datagram.count, 20);
	client_sends(world, BOB, datagram);
	const struct stun_message reply = last_reply(world);
	assert_false(stun_has(&reply, STUN_SOFTWARE));
	assert_int_equal(reply.values[STUN_ERROR_CODE].count, 4);
	print_message("401: %zu bytes for %zu, ratio %.2f\n", world->reply_bytes, datagram.count,
		      (double)world->reply_bytes / (double)datagram.count);
	assert_true(world->reply_bytes * 10 < datagram.count * 36);
	world_free(world);
}

static void
threat_E2_a_binding_is_answered_in_32_to_44_bytes(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	assert_int_equal(request(world, BOB, (struct ask){ .method = TURN_BINDING }), 0);
	assert_int_equal(world->reply_bytes, 32);
	assert_int_equal(request(world, "[2001:db8::9]:1", (struct ask){ .method = TURN_BINDING }),
			 0);
	assert_int_equal(world->reply_bytes, 44);
	world_free(world);
}

static void
threat_E3_a_flood_falls_silent(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	world->replies = 0;
	for (unsigned i = 0; i < 1000; i++) {
		uint8_t memory[DATAGRAM_MAX];
		const struct ask ask = { .method = i % 2 == 0 ? TURN_BINDING : TURN_ALLOCATE };
		client_sends(world, BOB, write_request(world, &ask, memory));
	}
	assert_int_equal(world->replies, 200);
	assert_int_equal(relay_counted(world->relay, RELAY_COUNT_LIMITED), 800);
	/* What comes before a request of DTLS counts too: the cookies of its strangers. */
	const struct address flooding = address_of(BOB);
	const struct address other = address_of(ANN);
	assert_false(relay_may_answer(world->relay, &flooding, world->now_us));
	assert_true(relay_may_answer(world->relay, &other, world->now_us));
	assert_int_equal(relay_counted(world->relay, RELAY_COUNT_LIMITED), 801);
	allocate(world, "ann", ANN); /* somebody else is not concerned */
	world->now_us += 1000000;
	assert_int_equal(request(world, BOB, (struct ask){ .method = TURN_BINDING }), 0);
	world_free(world);
}

/* Who tells STUN from other things by FINGERPRINT finds it in the answers too (RFC 8489 section 7).
 */
static void
who_sends_a_fingerprint_gets_one(void **unused)
{
	static const struct {
		const char *given, *client;
		struct ask ask;
		int code;
	} cases[] = {
		{ "Binding", BOB, { .method = TURN_BINDING }, 0 },
		{ "a challenge", BOB, { .method = TURN_ALLOCATE, .transport = 17 }, 401 },
		{ "an Allocate", BOB, { ALLOCATE, .transport = 17 }, 0 },
		{ "a refusal", ANN, { PERMISSION, PEER("10.0.0.1:1") }, 403 },
		{ "an unknown attribute", ANN, { REFRESH, .unknown = 0x7FFF }, 420 },
		{ "what the allocation actor refuses",
		  ANN,
		  { CHANNEL, .channel = 0x4000, PEER("198.51.100.9:1") },
		  400 },
	};

	(void)unused;
	for (size_t with = 0; with < 2; with++) {
		struct world *world = world_new(false);

		given(world);
		for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
			struct ask ask = cases[i].ask;

			ask.fingerprint = with == 1;
			assert_int_equal(request(world, cases[i].client, ask), cases[i].code);
			const struct stun_message reply = last_reply(world);
			if (stun_has(&reply, STUN_FINGERPRINT) != (with == 1)) {
				fail_msg("%s", cases[i].given);
			}
		}
		world_free(world);
	}
}

static void
threat_E6_answers_are_not_answered(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	uint8_t memory[DATAGRAM_MAX];
	const struct transaction transaction = { { 1 } };
	const enum stun_class classes[] = { STUN_SUCCESS, STUN_ERROR, STUN_INDICATION };

	for (size_t i = 0; i < 3; i++) {
		struct stun_writer w = stun_writer_of(memory, sizeof memory, TURN_BINDING,
						      classes[i], &transaction);
		assert_int_equal(client_sends(world, BOB, stun_written(&w)).action, RELAY_DROP);
	}
	world_free(world);
}

static void
threat_A1_to_A17_what_is_not_stun_is_dropped(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	uint8_t memory[DATAGRAM_MAX];
	uint8_t copy[DATAGRAM_MAX];
	const struct ask ask = { .method = TURN_BINDING };
	const struct span whole = write_request(world, &ask, memory);
	const size_t lengths[] = { 0, 1, 2, 3, 19 };

	given(world);
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		const struct span cut = { whole.at, lengths[i] };
		assert_int_equal(client_sends(world, ANN, cut).action, RELAY_DROP);
	}
	for (size_t byte = 0; byte < 8; byte++) { /* type, length, cookie */
		memcpy(copy, whole.at, whole.count);
		copy[byte] ^= 0xC0;
		assert_int_equal(
			client_sends(world, ANN, (struct span){ copy, whole.count }).action,
			RELAY_DROP);
	}
	world_free(world);
}

static void
threat_C14_refusals_are_folded(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	for (unsigned i = 0; i < 50; i++) {
		assert_int_equal(
			request(world, BOB,
				(struct ask){ ALLOCATE, .password = "guess", .transport = 17 }),
			401);
	}
	relay_tick(world->relay, world->now_us);
	pump(world);
	assert_int_equal(world->refused_events, 0);
	world->now_us += 10 * 1000000;
	relay_tick(world->relay, world->now_us);
	pump(world);
	/* The wrong passwords, and the bare challenges before them, which were many. */
	assert_int_equal(world->refused_events, 2);
	allocate(world, "ann", ANN);
	world->now_us += 20 * 1000000;
	relay_tick(world->relay, world->now_us);
	pump(world);
	assert_int_equal(world->refused_events, 2);
	world_free(world);
}

static void
threat_C3_a_nonce_is_for_one_client_and_some_time(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	const struct ask ask = { ALLOCATE, .transport = 17 };
	uint8_t memory[DATAGRAM_MAX];
	const char *others[] = { "203.0.113.3:2000", "203.0.113.2:2001" };

	fetch_nonce(world, BOB);
	for (size_t i = 0; i < 2; i++) {
		client_sends(world, others[i], write_request(world, &ask, memory));
		const struct stun_message reply = last_reply(world);
		assert_int_equal(stun_error_code(&reply), 438);
		assert_true(stun_has(&reply, STUN_NONCE));
	}
	world->now_us += 601 * 1000000ull;
	client_sends(world, BOB, write_request(world, &ask, memory));
	const struct stun_message reply = last_reply(world);
	assert_int_equal(stun_error_code(&reply), 438);
	world_free(world);
}

static void
threat_C17_open_means_open(void **unused)
{
	(void)unused;
	struct world *world = world_new(true);

	assert_int_equal(
		request(world, BOB, (struct ask){ .method = TURN_ALLOCATE, .transport = 17 }), 0);
	const struct stun_message reply = last_reply(world);
	assert_false(stun_has(&reply, STUN_MESSAGE_INTEGRITY));
	world_free(world);
}

static void
threat_C16_words_without_a_key_change_nothing(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	const struct transaction transaction = { { 77 } };
	uint8_t memory[DATAGRAM_MAX];
	struct stun_message message;
	struct stun_writer w;

	allocate(world, "ann", ANN);
	w = stun_writer_of(memory, sizeof memory, TURN_REFRESH, STUN_REQUEST, &transaction);
	stun_put_u32(&w, STUN_LIFETIME, 0);
	stun_put(&w, STUN_USERNAME, "bob", 3);
	stun_put(&w, STUN_REALM, "elsewhere", 9);
	stun_put(&w, STUN_NONCE, world->nonce, world->nonce_bytes);
	client_sends(world, ANN, stun_written(&w));
	pump(world);
	message = last_reply(world);
	assert_int_equal(message.class, STUN_ERROR);
	/* The allocation lives on, and it is still ann's. */
	assert_int_equal(request(world, ANN, (struct ask){ REFRESH, .lifetime = 600 }), 0);
	world_free(world);
}

static void
threat_E1_software_is_told_after_authentication_alone(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	struct stun_message reply;

	assert_int_equal(request(world, BOB, (struct ask){ .method = TURN_ALLOCATE }), 401);
	reply = last_reply(world);
	assert_false(stun_has(&reply, STUN_SOFTWARE));
	assert_int_equal(request(world, BOB, (struct ask){ .method = TURN_BINDING }), 0);
	reply = last_reply(world);
	assert_false(stun_has(&reply, STUN_SOFTWARE));
	allocate(world, "bob", BOB);
	reply = last_reply(world);
	assert_true(stun_has(&reply, STUN_SOFTWARE));
	/* One integrity, of the kind the client chose (C9). */
	assert_true(stun_has(&reply, STUN_MESSAGE_INTEGRITY));
	assert_false(stun_has(&reply, STUN_MESSAGE_INTEGRITY_SHA256));
	world->config.no_software = true;
	relay_reload(world->relay, &world->config);
	assert_int_equal(request(world, BOB, (struct ask){ .method = TURN_REFRESH, .user = "bob" }),
			 0);
	reply = last_reply(world);
	assert_false(stun_has(&reply, STUN_SOFTWARE));
	world_free(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_request_has_its_answer),
		cmocka_unit_test(an_allocation_is_told),
		cmocka_unit_test(threat_F1_a_retransmission_is_the_same_success),
		cmocka_unit_test(threat_F6_a_release_is_final),
		cmocka_unit_test(threat_D7_lifetimes_are_clipped),
		cmocka_unit_test(threat_D7_no_more_is_told_than_was_granted),
		cmocka_unit_test(threat_B13_one_bad_peer_refuses_all),
		cmocka_unit_test(threat_D5_quota),
		cmocka_unit_test(threat_E1_a_challenge_does_not_amplify),
		cmocka_unit_test(threat_E2_a_binding_is_answered_in_32_to_44_bytes),
		cmocka_unit_test(threat_E3_a_flood_falls_silent),
		cmocka_unit_test(who_sends_a_fingerprint_gets_one),
		cmocka_unit_test(threat_E6_answers_are_not_answered),
		cmocka_unit_test(threat_A1_to_A17_what_is_not_stun_is_dropped),
		cmocka_unit_test(threat_C14_refusals_are_folded),
		cmocka_unit_test(threat_C3_a_nonce_is_for_one_client_and_some_time),
		cmocka_unit_test(threat_C16_words_without_a_key_change_nothing),
		cmocka_unit_test(threat_C17_open_means_open),
		cmocka_unit_test(threat_E1_software_is_told_after_authentication_alone),
	};

	return cmocka_run_group_tests_name("relay", tests, world_setup, world_teardown);
}
