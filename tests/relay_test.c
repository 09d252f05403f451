/* The relay and the allocation actor together, without a socket: STUN requests in, what leaves is
 * looked at. Every refusal of RFC 8656 over UDP and the rows of THREATS A, B, C, D, E and F that
 * are theirs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actors/outbox.h"
#include "actors/relay.h"
#include "protocol/turn.h"

enum { QUEUE_MAX = 4096, LISTENER = 0, LISTENER_V6 = 1, DATAGRAM_MAX = 4096 };
static const uint64_t START_US = (uint64_t)1800000000 * 1000 * 1000;
static const char REALM[] = "ifswarm";

struct world {
	struct relay *relay;
	struct relay_config config;
	struct relay_sink sink;
	struct allocation_state *actor;
	struct outbox *outbox;
	struct command queue[QUEUE_MAX];
	size_t queued;
	uint64_t commands;
	uint64_t acknowledged;
	uint64_t now_us;
	struct event_list events;
	struct integrity integrity;
	uint16_t next_port;
	bool port_is_gone;
	uint32_t sockets_open;
	uint32_t next_socket;
	size_t replies;
	uint32_t last_socket;
	uint8_t reply[DATAGRAM_MAX]; /* the last thing a client got */
	size_t reply_bytes;
	uint8_t transaction;
	char nonce[NONCE_BYTES_MAX];
	size_t nonce_bytes;
	struct usage logged; /* the sums of all TURN_RELAY_USAGE events */
	uint64_t refused_events;
};

static struct outbox outbox; /* of one world after the other: its queues are large */

static struct address
address_of(const char *text)
{
	struct address address;

	assert_null(address_parse(&address, text));
	return address;
}

/* --- the worldly half, played -------------------------------------------------------------------
 */

static bool
sink_ask(void *context, struct command *command)
{
	struct world *world = context;

	assert_true(world->queued < QUEUE_MAX);
	world->commands++;
	memset(&command->command_id, 0, sizeof command->command_id);
	for (size_t i = 0; i < 8; i++) {
		command->command_id.bytes[8 + i] = (uint8_t)(world->commands >> (56 - 8 * i));
	}
	world->queue[world->queued++] = *command;
	return true;
}

static void
take_reply(struct world *world, struct span bytes)
{
	assert_true(bytes.count <= sizeof world->reply);
	memcpy(world->reply, bytes.at, bytes.count);
	world->reply_bytes = bytes.count;
	world->replies++;
}

static void
sink_reply(void *context, uint32_t listener, const struct address *to, struct span bytes)
{
	(void)listener;
	(void)to;
	take_reply(context, bytes);
}

static uint32_t
sink_open(void *context, const struct address *relayed)
{
	struct world *world = context;

	(void)relayed;
	if (world->port_is_gone) {
		return SOCKET_NONE;
	}
	world->sockets_open++;
	return world->next_socket++;
}

static void
sink_close(void *context, uint32_t socket)
{
	struct world *world = context;

	(void)socket;
	assert_true(world->sockets_open > 0);
	world->sockets_open--;
}

/* --- the world ----------------------------------------------------------------------------------
 */

static void
new_relay(struct world *world)
{
	world->sink = (struct relay_sink){ world, sink_ask, sink_reply, sink_open, sink_close };
	world->relay = relay_new(&world->config, &world->sink);
}

static struct world *
world_new(bool open)
{
	struct world *world = calloc(1, sizeof *world);
	struct relay_config *config = &world->config;
	const struct nonce_key key = { { 7 } };
	struct allocation_limits limits = { .allocations_max = 64,
					    .peers_max = 1000,
					    .names_max = 100,
					    .user_quota = 4,
					    .total_quota = 40,
					    .lifetime_max_s = 3600,
					    .seed = 1 };

	integrity_open(&world->integrity);
	config->number = 1;
	config->listener_count = 2;
	config->listeners[0] = address_of("192.0.2.1:3478");
	config->listeners[1] = address_of("[2001:db8::1]:3478");
	config->serves_ipv4 = true;
	config->usage_interval_s = 60;
	config->unauthenticated_rate = 200;
	config->limits = limits;
	config->seed[0] = 3;
	assert_null(credentials_init(&config->credentials, REALM, &key, 600));
	assert_null(credentials_add_user(&config->credentials, &world->integrity, "ann:secret"));
	assert_null(credentials_add_user(&config->credentials, &world->integrity, "bob:other"));
	config->credentials.open = open;
	peer_policy_init(&config->policy, 49152, 65535);
	peer_policy_add_listener(&config->policy, &config->listeners[0]);
	peer_policy_add_relayed(&config->policy, &config->listeners[0]);
	assert_null(peer_policy_add_allow(&config->policy, "198.51.100.0/24"));
	world->actor = allocation_new(&limits);
	world->outbox = &outbox;
	outbox_drop(&outbox, 1);
	outbox_attach(world->outbox, 1, false, 1);
	world->now_us = START_US;
	world->next_port = 50000;
	new_relay(world);
	return world;
}

static void
world_free(struct world *world)
{
	relay_free(world->relay);
	allocation_free(world->actor);
	integrity_close(&world->integrity);
	free(world);
}

static void
deliver_notices(struct world *world)
{
	static uint8_t memory[4 * 1024 * 1024];
	struct mp_writer w = mp_writer_of(memory, sizeof memory);

	outbox_write(world->outbox, 1, UINT64_MAX, &w);
	assert_false(w.bad);
	struct mp_reader r = mp_reader_of(mp_written(&w));
	const uint64_t first = mp_get_u64(&r);
	const size_t count = mp_get_array(&r, NOTICES_PER_REPLY_MAX);
	for (size_t i = 0; i < count; i++) {
		struct notice notice;
		struct span body = { 0 };
		notice_read(&r, &notice, &body);
		assert_false(r.bad);
		relay_handle_notice(world->relay, &notice, body, world->now_us);
	}
	if (count > 0) {
		assert_true(outbox_acknowledge(world->outbox, 1, first + count - 1));
	}
}

static void
note_events(struct world *world)
{
	for (uint32_t i = 0; i < world->events.count; i++) {
		const struct event *event = &world->events.items[i];
		if (event->type == EVENT_TURN_RELAY_USAGE) {
			world->logged.packets_up += event->turn_relay_usage.packets_up;
			world->logged.bytes_up += event->turn_relay_usage.bytes_up;
			world->logged.packets_down += event->turn_relay_usage.packets_down;
			world->logged.bytes_down += event->turn_relay_usage.bytes_down;
		}
		world->refused_events += event->type == EVENT_TURN_REQUEST_REFUSED;
	}
}

static enum verdict
decide(struct world *world, struct command *command)
{
	command->now_us = world->now_us;
	world->events.count = 0;
	const enum verdict verdict = allocation_decide(world->actor, command, &world->events);
	if (verdict != ACCEPTED) {
		world->events.count = 0;
	}
	for (uint32_t i = 0; i < world->events.count; i++) {
		allocation_apply(world->actor, &world->events.items[i]);
	}
	note_events(world);
	outbox_begin(world->outbox, command, 0);
	allocation_tell(world->actor, command, (struct span){ 0 }, verdict, &world->events,
			world->outbox);
	return verdict;
}

/* Lets the actor decide all that was asked, and the relay hear of it. */
static void
pump(struct world *world)
{
	while (world->queued > 0) {
		const size_t count = world->queued;
		for (size_t i = 0; i < count; i++) {
			world->queue[i].front = 1;
			decide(world, &world->queue[i]);
		}
		memmove(world->queue, world->queue + count,
			(world->queued - count) * sizeof world->queue[0]);
		world->queued -= count;
		deliver_notices(world);
	}
}

static void
sweep(struct world *world)
{
	struct command command = { .type = COMMAND_SWEEP };

	decide(world, &command);
	deliver_notices(world);
	pump(world);
}

static void
greet(struct world *world)
{
	const struct command command = { .type = COMMAND_ATTACH };
	const struct notice welcome = { .type = NOTICE_WELCOME };

	outbox_attach(world->outbox, 1, false, 1);
	outbox_begin(world->outbox, &command, 0);
	allocation_greet(world->actor, 1, world->outbox);
	outbox_post(world->outbox, 1, &welcome, (struct span){ 0 });
	deliver_notices(world);
	pump(world);
}

/* --- a client -----------------------------------------------------------------------------------
 */

static struct relay_answer
client_sends(struct world *world, const char *client, struct span datagram)
{
	const struct address source = address_of(client);
	struct relay_answer answer = relay_handle_client(
		world->relay, source.family == ADDRESS_IPV6 ? LISTENER_V6 : LISTENER, &source,
		datagram, world->now_us);

	if (answer.action == RELAY_BIND) {
		struct address relayed = world->config.listeners[0];
		relayed.port = world->next_port++;
		if (world->port_is_gone) {
			answer = relay_unbound(world->relay, answer.pending, world->now_us);
		} else {
			world->sockets_open++;
			world->last_socket = world->next_socket;
			relay_bound(world->relay, answer.pending, world->next_socket++, &relayed);
		}
	}
	if (answer.action == RELAY_REPLY) {
		take_reply(world, answer.bytes);
	}
	return answer;
}

/* What is put into a request; zero: not there. */
struct ask {
	uint16_t method;
	const char *user;     /* NULL: no credentials at all */
	const char *password; /* NULL: the right one */
	int transport;        /* REQUESTED-TRANSPORT */
	int lifetime;         /* LIFETIME, -1 stands for 0 */
	int family;           /* REQUESTED-ADDRESS-FAMILY */
	int additional;       /* ADDITIONAL-ADDRESS-FAMILY */
	int even_port;        /* EVEN-PORT: 1 with R clear, 2 with R set */
	bool token;           /* RESERVATION-TOKEN */
	bool dont_fragment;
	unsigned channel;
	const char *peers[20];
	unsigned unknown;        /* an attribute of that number */
	uint8_t transaction;     /* 0: a fresh one */
	bool stale;              /* with a nonce that is not ours */
	enum stun_attribute odd; /* an attribute with 3 bytes, where that is wrong */
};

static void
put_unknown(struct stun_writer *w, unsigned number)
{
	stun_put_u32(w, STUN_SOFTWARE, 0); /* 8 bytes; then its number is changed */
	w->at[-8] = (uint8_t)(number >> 8);
	w->at[-7] = (uint8_t)number;
}

static void
put_family(struct stun_writer *w, enum stun_attribute attribute, int family)
{
	if (family != 0) {
		stun_put_u32(w, attribute, (uint32_t)family << 24);
	}
}

static void
put_wishes(struct stun_writer *w, const struct ask *ask)
{
	const uint8_t even = ask->even_port == 2 ? 0x80 : 0;

	if (ask->transport != 0) {
		stun_put_u32(w, STUN_REQUESTED_TRANSPORT, (uint32_t)ask->transport << 24);
	}
	if (ask->lifetime != 0) {
		stun_put_u32(w, STUN_LIFETIME, ask->lifetime < 0 ? 0 : (uint32_t)ask->lifetime);
	}
	put_family(w, STUN_REQUESTED_ADDRESS_FAMILY, ask->family);
	put_family(w, STUN_ADDITIONAL_ADDRESS_FAMILY, ask->additional);
	if (ask->even_port != 0) {
		stun_put(w, STUN_EVEN_PORT, &even, 1);
	}
	if (ask->token) {
		stun_put(w, STUN_RESERVATION_TOKEN, "12345678", 8);
	}
	if (ask->dont_fragment) {
		stun_put(w, STUN_DONT_FRAGMENT, "", 0);
	}
	if (ask->channel != 0) {
		stun_put_u32(w, STUN_CHANNEL_NUMBER, ask->channel << 16);
	}
	for (size_t i = 0; ask->peers[i] != NULL; i++) {
		const struct address peer = address_of(ask->peers[i]);
		stun_put_address(w, STUN_XOR_PEER_ADDRESS, &peer);
	}
	if (ask->unknown != 0) {
		put_unknown(w, ask->unknown);
	}
	if (ask->odd != 0) {
		stun_put(w, ask->odd, "abc", 3);
	}
}

static void
sign(struct world *world, struct stun_writer *w, const struct ask *ask)
{
	const char *right = strcmp(ask->user, "ann") == 0 ? "secret" : "other";
	const char *password = ask->password == NULL ? right : ask->password;
	const struct span user = { (const uint8_t *)ask->user, strlen(ask->user) };
	const struct span realm = { (const uint8_t *)REALM, strlen(REALM) };
	const struct span secret = { (const uint8_t *)password, strlen(password) };
	const struct integrity_key key =
		integrity_long_term_key(&world->integrity, PASSWORD_MD5, user, realm, secret);

	stun_put(w, STUN_USERNAME, ask->user, strlen(ask->user));
	stun_put(w, STUN_REALM, REALM, strlen(REALM));
	stun_put(w, STUN_NONCE, ask->stale ? "0123456789abcdef" : world->nonce,
		 ask->stale ? 16 : world->nonce_bytes);
	stun_put_integrity(w, &world->integrity, INTEGRITY_SHA1, &key);
}

static struct span
write_request(struct world *world, const struct ask *ask, uint8_t *memory)
{
	struct transaction transaction = { { 0 } };

	transaction.bytes[0] = ask->transaction != 0 ? ask->transaction : ++world->transaction;
	transaction.bytes[1] = ask->transaction != 0;
	struct stun_writer w =
		stun_writer_of(memory, DATAGRAM_MAX, ask->method, STUN_REQUEST, &transaction);
	put_wishes(&w, ask);
	if (ask->user != NULL) {
		sign(world, &w, ask);
	}
	assert_false(w.bad);
	return stun_written(&w);
}

static void
fetch_nonce(struct world *world, const char *client)
{
	uint8_t memory[DATAGRAM_MAX];
	const struct ask ask = { .method = TURN_ALLOCATE };
	struct stun_message message;

	client_sends(world, client, write_request(world, &ask, memory));
	assert_true(stun_read((struct span){ world->reply, world->reply_bytes }, &message));
	assert_int_equal(stun_error_code(&message), 401);
	const struct span nonce = message.values[STUN_NONCE];
	assert_true(nonce.count <= sizeof world->nonce);
	memcpy(world->nonce, nonce.at, nonce.count);
	world->nonce_bytes = nonce.count;
}

/* Sends the request, lets everybody do their part: 0 for a success, the error code, or -1 for
 * silence. */
static int
request(struct world *world, const char *client, struct ask ask)
{
	uint8_t memory[DATAGRAM_MAX];
	struct stun_message message;

	if (ask.user != NULL && !world->config.credentials.open) {
		fetch_nonce(world, client);
	}
	world->replies = 0;
	client_sends(world, client, write_request(world, &ask, memory));
	pump(world);
	if (world->replies == 0) {
		return -1;
	}
	assert_int_equal(world->replies, 1);
	assert_true(stun_read((struct span){ world->reply, world->reply_bytes }, &message));
	assert_int_equal(message.malformed, 0);
	return message.class == STUN_SUCCESS ? 0 : (int)stun_error_code(&message);
}

static struct stun_message
last_reply(struct world *world)
{
	struct stun_message message;

	assert_true(stun_read((struct span){ world->reply, world->reply_bytes }, &message));
	return message;
}

static const char ANN[] = "203.0.113.1:1000";
static const char BOB[] = "203.0.113.2:2000";

static void
allocate(struct world *world, const char *user, const char *client)
{
	assert_int_equal(
		request(world, client,
			(struct ask){ .method = TURN_ALLOCATE, .user = user, .transport = 17 }),
		0);
}

/* Ann has an allocation, a permission for 198.51.100.1 and channel 0x4000 to 198.51.100.2:7000. */
static void
given(struct world *world)
{
	allocate(world, "ann", ANN);
	assert_int_equal(request(world, ANN,
				 (struct ask){ .method = TURN_CREATE_PERMISSION,
					       .user = "ann",
					       .peers = { "198.51.100.1:1" } }),
			 0);
	assert_int_equal(request(world, ANN,
				 (struct ask){ .method = TURN_CHANNEL_BIND,
					       .user = "ann",
					       .channel = 0x4000,
					       .peers = { "198.51.100.2:7000" } }),
			 0);
}

/* --- requests and their answers -----------------------------------------------------------------
 */

struct row {
	const char *name;
	const char *client;
	struct ask ask;
	int code;
};

#define ALLOCATE      .method = TURN_ALLOCATE, .user = "bob"
#define REFRESH       .method = TURN_REFRESH, .user = "ann"
#define PERMISSION    .method = TURN_CREATE_PERMISSION, .user = "ann"
#define CHANNEL       .method = TURN_CHANNEL_BIND, .user = "ann"
#define PEER(address) .peers = { address }

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
	  { ALLOCATE, .transport = 17, .even_port = 1, .token = true },
	  400 },
	{ "threat_F4: family and token",
	  BOB,
	  { ALLOCATE, .transport = 17, .family = 1, .token = true },
	  400 },
	{ "threat_F4: additional family and token",
	  BOB,
	  { ALLOCATE, .transport = 17, .additional = 2, .token = true },
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
	{ "threat_F11: do not fragment",
	  BOB,
	  { ALLOCATE, .transport = 17, .dont_fragment = true },
	  420 },
	{ "threat_F12: an unknown required attribute",
	  BOB,
	  { ALLOCATE, .transport = 17, .unknown = 0x7FFF },
	  420 },
	{ "threat_F12: an unknown optional attribute",
	  BOB,
	  { ALLOCATE, .transport = 17, .unknown = 0x8FFF },
	  0 },
	{ "a token nobody reserved", BOB, { ALLOCATE, .transport = 17, .token = true }, 508 },
	{ "an even port", BOB, { ALLOCATE, .transport = 17, .even_port = 1 }, 0 },
	{ "threat_D9: a reserved pair of ports",
	  BOB,
	  { ALLOCATE, .transport = 17, .even_port = 2 },
	  508 },
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
		assert_int_equal(world->sockets_open, world->actor->table.rows_used);
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
	assert_false(stun_has(&reply, STUN_SOFTWARE));
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

/* --- before authentication ----------------------------------------------------------------------
 */

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
	allocate(world, "ann", ANN); /* somebody else is not concerned */
	world->now_us += 1000000;
	assert_int_equal(request(world, BOB, (struct ask){ .method = TURN_BINDING }), 0);
	world_free(world);
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

/* --- data ---------------------------------------------------------------------------------------
 */

static struct relay_answer
channel_data(struct world *world, const char *client, unsigned channel, const char *text)
{
	uint8_t memory[DATAGRAM_MAX];
	const size_t count = strlen(text);
	const uint8_t head[] = { (uint8_t)(channel >> 8), (uint8_t)channel, 0, (uint8_t)count };

	memcpy(memory, head, sizeof head);
	memcpy(memory + 4, text, count);
	struct relay_answer answer =
		client_sends(world, client, (struct span){ memory, 4 + count });
	if (answer.action == RELAY_TO_PEER) {
		assert_int_equal(answer.bytes.count, count);
		assert_memory_equal(answer.bytes.at, text, count);
	}
	answer.bytes.at = NULL;
	return answer;
}

static enum relay_action
send_indication(struct world *world, const char *peer, const char *text, bool dont_fragment)
{
	uint8_t memory[DATAGRAM_MAX];
	const struct transaction transaction = { { 1 } };
	struct stun_writer w =
		stun_writer_of(memory, sizeof memory, TURN_SEND, STUN_INDICATION, &transaction);
	const struct address to = address_of(peer);

	stun_put_address(&w, STUN_XOR_PEER_ADDRESS, &to);
	if (dont_fragment) {
		stun_put(&w, STUN_DONT_FRAGMENT, "", 0);
	}
	stun_put(&w, STUN_DATA, text, strlen(text));
	const struct relay_answer answer = client_sends(world, ANN, stun_written(&w));
	if (answer.action == RELAY_TO_PEER) {
		assert_int_equal(answer.bytes.count, strlen(text));
		assert_true(address_equal(&answer.to, &to));
	}
	return answer.action;
}

/* What the client gets, in `out`; its length, 0 if nothing. */
static size_t
peer_sends(struct world *world, const char *peer, const char *text, uint8_t *out)
{
	uint8_t memory[RELAY_HEADROOM + 256 + RELAY_TAILROOM];
	const struct address source = address_of(peer);

	memcpy(memory + RELAY_HEADROOM, text, strlen(text));
	const struct relay_answer answer =
		relay_handle_peer(world->relay, world->last_socket, &source,
				  memory + RELAY_HEADROOM, strlen(text), world->now_us);
	if (answer.action == RELAY_DROP) {
		return 0;
	}
	const struct address ann = address_of(ANN);
	assert_int_equal(answer.action, RELAY_TO_CLIENT);
	assert_true(address_equal(&answer.to, &ann));
	memcpy(out, answer.bytes.at, answer.bytes.count);
	return answer.bytes.count;
}

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
	assert_int_equal(send_indication(world, "198.51.100.1:9", "x", true),
			 RELAY_DROP); /* threat_F11 */
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

/* --- usage --------------------------------------------------------------------------------------
 */

static void
assert_logged(struct world *world)
{
	assert_int_equal(world->logged.packets_up,
			 relay_counted(world->relay, RELAY_COUNT_PACKETS_UP));
	assert_int_equal(world->logged.bytes_up, relay_counted(world->relay, RELAY_COUNT_BYTES_UP));
	assert_int_equal(world->logged.packets_down,
			 relay_counted(world->relay, RELAY_COUNT_PACKETS_DOWN));
	assert_int_equal(world->logged.bytes_down,
			 relay_counted(world->relay, RELAY_COUNT_BYTES_DOWN));
}

static void
use(struct world *world)
{
	uint8_t out[DATAGRAM_MAX];

	assert_int_equal(channel_data(world, ANN, 0x4000, "hello").action, RELAY_TO_PEER);
	assert_int_equal(send_indication(world, "198.51.100.1:9", "hi", false), RELAY_TO_PEER);
	assert_int_not_equal(peer_sends(world, "198.51.100.2:7000", "answer", out), 0);
	assert_int_not_equal(peer_sends(world, "198.51.100.1:9", "abc", out), 0);
}

static void
usage_is_logged_at_intervals(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	given(world);
	use(world);
	relay_tick(world->relay, world->now_us);
	pump(world);
	assert_int_equal(world->logged.packets_up, 0);
	world->now_us += 60 * 1000000;
	relay_tick(world->relay, world->now_us);
	pump(world);
	assert_int_equal(world->logged.packets_up, 2);
	assert_logged(world);
	relay_tick(world->relay, world->now_us + 120 * 1000000ull);
	assert_int_equal(world->queued, 0); /* nothing new, nothing told */
	world_free(world);
}

static void
usage_is_logged_before_a_release(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	uint8_t memory[DATAGRAM_MAX];

	given(world);
	use(world);
	fetch_nonce(world, ANN);
	client_sends(world, ANN,
		     write_request(world, &(struct ask){ REFRESH, .lifetime = -1 }, memory));
	/* Nothing is relayed between the last report and the end. */
	assert_int_equal(channel_data(world, ANN, 0x4000, "hello").action, RELAY_DROP);
	pump(world);
	assert_logged(world);
	assert_int_equal(world->logged.packets_down, 2);
	world_free(world);
}

static void
usage_is_logged_after_expiry(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	given(world);
	use(world);
	world->now_us += 601 * 1000000ull;
	assert_int_equal(channel_data(world, ANN, 0x4000, "hello").action, RELAY_DROP);
	sweep(world); /* too early: the relay has its grace */
	assert_int_equal(world->sockets_open, 1);
	relay_tick(world->relay, world->now_us);
	pump(world);
	assert_logged(world);
	world->now_us += 5 * 1000000ull;
	sweep(world);
	assert_int_equal(world->sockets_open, 0);
	assert_int_equal(relay_allocations(world->relay), 0);
	world_free(world);
}

static void
usage_of_a_dead_permission_is_logged_before_it_is_forgotten(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	given(world);
	use(world);
	assert_int_equal(request(world, ANN, (struct ask){ REFRESH, .lifetime = 3600 }), 0);
	world->now_us += 700 * 1000000ull;
	assert_int_equal(request(world, ANN, (struct ask){ PERMISSION, PEER("198.51.100.1:1") }),
			 0);
	pump(world);
	assert_logged(world);
	world_free(world);
}

static void
an_expired_allocation_gives_way_with_its_usage_told(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	given(world);
	use(world);
	world->now_us += 602 * 1000000ull;
	allocate(world, "ann", ANN);
	assert_logged(world);
	assert_int_equal(world->sockets_open, 1);
	assert_int_equal(world->actor->table.rows_used, 1);
	world_free(world);
}

/* --- restarts -----------------------------------------------------------------------------------
 */

static void
a_restarted_actor_greets_and_packets_flow_on(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	given(world);
	use(world);
	greet(world);
	assert_logged(world);
	assert_int_equal(world->sockets_open, 1);
	use(world);
	relay_report_all(world->relay);
	pump(world);
	assert_logged(world);
	world_free(world);
}

static void
a_restarted_relay_gets_its_ports_back(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	given(world);
	relay_free(world->relay);
	world->sockets_open = 0;
	new_relay(world);
	assert_int_equal(channel_data(world, ANN, 0x4000, "x").action, RELAY_DROP);
	world->last_socket = world->next_socket;
	greet(world);
	assert_int_equal(world->sockets_open, 1);
	use(world);
	assert_int_equal(request(world, ANN, (struct ask){ REFRESH, .lifetime = -1 }), 0);
	assert_int_equal(world->sockets_open, 0);
	assert_logged(world);
	world_free(world);
}

static void
a_port_that_is_gone_ends_its_allocation(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	given(world);
	relay_free(world->relay);
	world->sockets_open = 0;
	world->port_is_gone = true;
	new_relay(world);
	greet(world);
	assert_int_equal(world->actor->table.rows_used, 0);
	assert_int_equal(relay_allocations(world->relay), 0);
	world_free(world);
}

static void
what_was_decided_before_the_actor_died_is_answered_after(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	const struct ask ask = { ALLOCATE, .transport = 17 };
	uint8_t memory[DATAGRAM_MAX];

	fetch_nonce(world, BOB);
	client_sends(world, BOB, write_request(world, &ask, memory));
	assert_int_equal(world->queued, 1);
	struct command repeated = world->queue[0];
	world->queue[0].front = 1;
	decide(world, &world->queue[0]); /* logged; then it dies, and its notice with it */
	world->queued = 0;
	world->replies = 0;
	greet(world);
	assert_int_equal(world->sockets_open, 1);
	repeated.front = 1;
	world->events.count = 0;
	outbox_begin(world->outbox, &repeated, 0);
	allocation_tell(world->actor, &repeated, (struct span){ 0 }, ACCEPTED, &world->events,
			world->outbox);
	deliver_notices(world);
	assert_int_equal(world->replies, 1);
	const struct stun_message reply = last_reply(world);
	assert_int_equal(reply.class, STUN_SUCCESS);
	assert_int_equal(reply.lifetime_s, 600);
	assert_int_equal(world->sockets_open, 1);
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
		cmocka_unit_test(threat_B13_one_bad_peer_refuses_all),
		cmocka_unit_test(threat_D5_quota),
		cmocka_unit_test(threat_E1_a_challenge_does_not_amplify),
		cmocka_unit_test(threat_E2_a_binding_is_answered_in_32_to_44_bytes),
		cmocka_unit_test(threat_E3_a_flood_falls_silent),
		cmocka_unit_test(threat_E6_answers_are_not_answered),
		cmocka_unit_test(threat_A1_to_A17_what_is_not_stun_is_dropped),
		cmocka_unit_test(threat_C14_refusals_are_folded),
		cmocka_unit_test(threat_C3_a_nonce_is_for_one_client_and_some_time),
		cmocka_unit_test(threat_C17_open_means_open),
		cmocka_unit_test(data_flows_both_ways),
		cmocka_unit_test(what_has_no_route_is_dropped),
		cmocka_unit_test(threat_A6_channel_data_lengths),
		cmocka_unit_test(threat_B8_a_permission_does_not_open_our_own_ports),
		cmocka_unit_test(threat_F8_time_ends_permissions_and_channels),
		cmocka_unit_test(usage_is_logged_at_intervals),
		cmocka_unit_test(usage_is_logged_before_a_release),
		cmocka_unit_test(usage_is_logged_after_expiry),
		cmocka_unit_test(usage_of_a_dead_permission_is_logged_before_it_is_forgotten),
		cmocka_unit_test(an_expired_allocation_gives_way_with_its_usage_told),
		cmocka_unit_test(a_restarted_actor_greets_and_packets_flow_on),
		cmocka_unit_test(a_restarted_relay_gets_its_ports_back),
		cmocka_unit_test(a_port_that_is_gone_ends_its_allocation),
		cmocka_unit_test(what_was_decided_before_the_actor_died_is_answered_after),
	};

	if (!outbox_init(&outbox)) {
		return 1;
	}
	const int failed = cmocka_run_group_tests_name("relay", tests, NULL, NULL);
	outbox_free(&outbox);
	return failed;
}
