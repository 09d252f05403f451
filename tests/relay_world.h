/* A relay and its allocation actor in one process, without a socket: the tests send datagrams as
 * clients and peers would, and look at what leaves. */
#ifndef IFSWARM_TESTS_RELAY_WORLD_H
#define IFSWARM_TESTS_RELAY_WORLD_H

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

enum { QUEUE_MAX = 4096, LISTENER = 0, LISTENER_V6 = 1, LISTENER_TCP = 2, DATAGRAM_MAX = 4096 };
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
	uint64_t actor_ahead_us; /* its clock is read later */
	struct event_list events;
	struct integrity integrity;
	uint16_t next_port;
	bool port_is_gone;
	bool also_is_gone; /* there is no port of the second family */
	bool line_is_full; /* nothing can be asked of the actor */
	bool over_tcp;     /* IPv4 clients come over TCP */
	uint32_t sockets_open;
	uint32_t next_socket;
	uint32_t handed; /* sockets given to another relay */
	uint32_t told;   /* messages to other relays; the last one, to whom, and what beside it */
	struct fetch_message last_told;
	uint64_t told_to;
	uint32_t told_socket;
	enum fetch_sent told_how; /* what becomes of the next ones */
	size_t replies;
	uint32_t last_socket;
	uint8_t reply[DATAGRAM_MAX]; /* the last thing a client got */
	size_t reply_bytes;
	uint8_t transaction;
	char nonce[NONCE_BYTES_MAX];
	size_t nonce_bytes;
	struct usage logged; /* the sums of all TURN_RELAY_USAGE events */
	uint64_t refused_events;
	size_t tcp_closed; /* TCP connections with peers: what the relay asked for */
	size_t tcp_joined;
	size_t tcp_resumed;
	uint32_t tcp_last;
};

static struct outbox outbox; /* of one world after the other: its queues are large */

static inline struct address
address_of(const char *text)
{
	struct address address;

	assert_null(address_parse(&address, text));
	return address;
}

/* --- the worldly half, played --- */

static inline bool
sink_ask(void *context, struct command *command)
{
	struct world *world = context;

	if (world->line_is_full) {
		return false;
	}
	assert_true(world->queued < QUEUE_MAX);
	world->commands++;
	memset(&command->command_id, 0, sizeof command->command_id);
	for (size_t i = 0; i < 8; i++) {
		command->command_id.bytes[8 + i] = (uint8_t)(world->commands >> (56 - 8 * i));
	}
	world->queue[world->queued++] = *command;
	return true;
}

static inline void
take_reply(struct world *world, struct span bytes)
{
	assert_true(bytes.count <= sizeof world->reply);
	memcpy(world->reply, bytes.at, bytes.count);
	world->reply_bytes = bytes.count;
	world->replies++;
}

static inline void
sink_reply(void *context, uint32_t listener, const struct address *to, struct span bytes)
{
	(void)listener;
	(void)to;
	take_reply(context, bytes);
}

static inline uint32_t
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

static inline void
sink_close(void *context, uint32_t socket)
{
	struct world *world = context;

	(void)socket;
	assert_true(world->sockets_open > 0);
	world->sockets_open--;
}

static inline void
sink_hand(void *context, uint32_t socket, uint64_t relay)
{
	struct world *world = context;

	(void)socket;
	(void)relay;
	world->handed++;
}

static inline enum fetch_sent
sink_tell(void *context, uint64_t relay, const struct fetch_message *message, uint32_t socket)
{
	struct world *world = context;

	world->told++;
	world->last_told = *message;
	world->told_to = relay;
	world->told_socket = socket;
	return world->told_how;
}

static inline void
tcp_close(void *context, uint32_t number)
{
	struct world *world = context;

	world->tcp_closed++;
	world->tcp_last = number;
}

static inline void
tcp_join(void *context, uint32_t number, uint32_t listener, const struct address *client)
{
	struct world *world = context;

	(void)listener;
	(void)client;
	world->tcp_joined++;
	world->tcp_last = number;
}

static inline void
tcp_resume(void *context, uint32_t listener, const struct address *client)
{
	struct world *world = context;

	(void)listener;
	(void)client;
	world->tcp_resumed++;
}

/* --- the world --- */

static inline void
new_relay(struct world *world)
{
	static const struct relay_tcp_sink tcp = { tcp_close, tcp_join, tcp_resume };

	world->sink = (struct relay_sink){ world,      sink_ask, sink_reply, sink_open,
					   sink_close, &tcp,     sink_hand,  sink_tell };
	world->relay = relay_new(&world->config, &world->sink);
}

static inline struct world *
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
	config->listener_count = 3;
	config->listeners[0] = address_of("192.0.2.1:3478");
	config->listeners[1] = address_of("[2001:db8::1]:3478");
	config->listeners[2] = config->listeners[0];
	config->transports[2] = CLIENT_TCP;
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

static inline void
world_free(struct world *world)
{
	relay_free(world->relay);
	allocation_free(world->actor);
	integrity_close(&world->integrity);
	free(world);
}

static inline void
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

static inline void
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

static inline enum verdict
decide(struct world *world, struct command *command)
{
	command->now_us = world->now_us + world->actor_ahead_us;
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
static inline void
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

static inline void
sweep(struct world *world)
{
	struct command command = { .type = COMMAND_SWEEP };

	decide(world, &command);
	deliver_notices(world);
	pump(world);
}

/* Told all, and nothing that comes of it is decided. */
static inline void
greeted(struct world *world)
{
	const struct command command = { .type = COMMAND_ATTACH };
	const struct notice welcome = { .type = NOTICE_WELCOME };

	outbox_attach(world->outbox, 1, false, 1);
	outbox_begin(world->outbox, &command, 0);
	allocation_greet(world->actor, 1, world->outbox);
	outbox_post(world->outbox, 1, &welcome, (struct span){ 0 });
	deliver_notices(world);
}

static inline void
greet(struct world *world)
{
	greeted(world);
	pump(world);
}

/* --- a client --- */

static inline void
bind_also(struct world *world, struct relay_ports *ports)
{
	ports->relayed_also = world->config.listeners[1];
	ports->relayed_also.port = world->next_port++;
	ports->also = world->next_socket++;
	world->sockets_open++;
}

/* Ports in turn; port_is_gone: none at all, also_is_gone: none of the second family. */
static inline struct relay_answer
bind_ports(struct world *world, const struct relay_answer *asked)
{
	struct relay_ports ports = { .socket = SOCKET_NONE, .also = SOCKET_NONE };

	if (world->port_is_gone) {
		return relay_unbound(world->relay, asked->pending, world->now_us);
	}
	if (asked->family == ADDRESS_IPV4 && !world->config.serves_ipv4) {
		bind_also(world, &ports);
		relay_bound(world->relay, asked->pending, &ports, world->now_us);
		return (struct relay_answer){ .action = RELAY_DROP };
	}
	world->next_port =
		(uint16_t)(world->next_port + (asked->even_port && world->next_port % 2));
	ports.relayed = world->config.listeners[asked->family == ADDRESS_IPV6];
	ports.relayed.port = world->next_port++;
	ports.socket = world->next_socket++ + (asked->tcp ? RELAY_SOCKETS_MAX : 0);
	world->last_socket = ports.socket;
	world->sockets_open++;
	if (asked->port_pair) {
		ports.relayed_also = ports.relayed;
		ports.relayed_also.port = world->next_port++;
		ports.also = world->next_socket++;
		world->sockets_open++;
	}
	if (asked->family_also != ADDRESS_NONE && world->config.serves_ipv6 &&
	    !world->also_is_gone) {
		bind_also(world, &ports);
	}
	relay_bound(world->relay, asked->pending, &ports, world->now_us);
	return (struct relay_answer){ .action = RELAY_DROP };
}

static inline struct relay_answer
client_sends(struct world *world, const char *client, struct span datagram)
{
	const struct address source = address_of(client);
	const uint32_t listener = world->over_tcp                 ? LISTENER_TCP
				  : source.family == ADDRESS_IPV6 ? LISTENER_V6
								  : LISTENER;
	struct relay_answer answer =
		relay_handle_client(world->relay, listener, &source, datagram, world->now_us);

	if (answer.action == RELAY_BIND) {
		answer = bind_ports(world, &answer);
	}
	if (answer.action == RELAY_REPLY) {
		take_reply(world, answer.bytes);
	}
	if (answer.action == RELAY_CONNECT) {
		world->tcp_last = answer.pending;
	}
	return answer;
}

/* A Send indication of that client. */
static inline struct relay_answer
client_sends_data(struct world *world, const char *client, const char *peer, const char *text,
		  bool dont_fragment)
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
	struct relay_answer answer = client_sends(world, client, stun_written(&w));
	if (answer.action == RELAY_TO_PEER) {
		assert_int_equal(answer.bytes.count, strlen(text));
		assert_true(address_equal(&answer.to, &to));
		assert_int_equal(answer.dont_fragment, dont_fragment);
	}
	answer.bytes.at = NULL; /* it was in `memory` */
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
	const char *token;    /* RESERVATION-TOKEN: 8 bytes */
	bool dont_fragment;
	const char *ticket; /* MOBILITY-TICKET */
	unsigned channel;
	uint32_t connection; /* CONNECTION-ID, as it was told */
	const char *peers[20];
	unsigned unknown;    /* an attribute of that number */
	uint8_t transaction; /* 0: a fresh one */
	bool stale;          /* with a nonce that is not ours */
	bool fingerprint;
	enum stun_attribute odd; /* an attribute with 3 bytes, where that is wrong */
};

static inline void
put_unknown(struct stun_writer *w, unsigned number)
{
	stun_put_u32(w, STUN_SOFTWARE, 0); /* 8 bytes; then its number is changed */
	w->at[-8] = (uint8_t)(number >> 8);
	w->at[-7] = (uint8_t)number;
}

static inline void
put_family(struct stun_writer *w, enum stun_attribute attribute, int family)
{
	if (family != 0) {
		stun_put_u32(w, attribute, (uint32_t)family << 24);
	}
}

static inline void
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
	if (ask->token != NULL) {
		stun_put(w, STUN_RESERVATION_TOKEN, ask->token, 8);
	}
	if (ask->dont_fragment) {
		stun_put(w, STUN_DONT_FRAGMENT, "", 0);
	}
	if (ask->ticket != NULL) {
		stun_put(w, STUN_MOBILITY_TICKET, ask->ticket, strlen(ask->ticket));
	}
	if (ask->channel != 0) {
		stun_put_u32(w, STUN_CHANNEL_NUMBER, ask->channel << 16);
	}
	for (size_t i = 0; ask->peers[i] != NULL; i++) {
		const struct address peer = address_of(ask->peers[i]);
		stun_put_address(w, STUN_XOR_PEER_ADDRESS, &peer);
	}
	if (ask->connection != 0) {
		stun_put(w, STUN_CONNECTION_ID, &ask->connection, sizeof ask->connection);
	}
	if (ask->unknown != 0) {
		put_unknown(w, ask->unknown);
	}
	if (ask->odd != 0) {
		stun_put(w, ask->odd, "abc", 3);
	}
}

static inline void
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

static inline struct span
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
	if (ask->fingerprint) {
		stun_put_fingerprint(&w);
	}
	assert_false(w.bad);
	return stun_written(&w);
}

static inline void
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
static inline int
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

static inline struct stun_message
last_reply(struct world *world)
{
	struct stun_message message;

	assert_true(stun_read((struct span){ world->reply, world->reply_bytes }, &message));
	return message;
}

static const char ANN[] = "203.0.113.1:1000";
static const char BOB[] = "203.0.113.2:2000";

static inline void
allocate(struct world *world, const char *user, const char *client)
{
	assert_int_equal(
		request(world, client,
			(struct ask){ .method = TURN_ALLOCATE, .user = user, .transport = 17 }),
		0);
}

/* Ann has an allocation, a permission for 198.51.100.1 and channel 0x4000 to 198.51.100.2:7000. */
static inline void
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

#define ALLOCATE      .method = TURN_ALLOCATE, .user = "bob"
#define REFRESH       .method = TURN_REFRESH, .user = "ann"
#define PERMISSION    .method = TURN_CREATE_PERMISSION, .user = "ann"
#define CHANNEL       .method = TURN_CHANNEL_BIND, .user = "ann"
#define PEER(address) .peers = { address }

/* Around a group of tests. */
static inline int
world_setup(void **unused)
{
	(void)unused;
	outbox_init(&outbox);
	return 0;
}

static inline int
world_teardown(void **unused)
{
	(void)unused;
	outbox_free(&outbox);
	return 0;
}

#endif
