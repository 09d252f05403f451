/* The whole path of a request: parsed, authenticated, decided by the allocation actor, answered;
 * and the data beside it. An input is a story of steps by four clients and their peers; what is
 * asked there is signed as its user would, so that the story gets behind the authentication.
 * Whatever is told: answers are well-formed, what the log counts is what was relayed, and after the
 * longest lifetime nothing is left.
 *
 * A step: one byte (kind, client, user), one byte n, n bytes. */
#include "protocol/stun.h"
#include "tests/relay_world.h"

enum { STORY_MAX = 4096, NEAR_SOCKETS = 16, CONNECTIONS = 8, HOURS_AT_END = 2 };
static const uint64_t SECOND_US = 1000 * 1000;
static const uint64_t HOUR_US = 3600 * SECOND_US;

static const char *const peers[] = { "198.51.100.1:1", "198.51.100.2:7000", "[2001:db8:2::1]:9",
				     "10.0.0.1:1" };
static const char *const clients[] = { "203.0.113.1:1000", "203.0.113.2:2000",
				       "[2001:db8:1::1]:3000", "203.0.113.4:4" };

enum step {
	STEP_DATAGRAM,   /* any bytes */
	STEP_REQUEST,    /* a method and attributes, signed */
	STEP_INDICATION, /* attributes of a Send indication */
	STEP_CHANNEL,    /* ChannelData */
	STEP_PEER,       /* a peer's datagram at a relayed socket */
	STEP_TIME,       /* seconds pass */
	STEP_TCP,        /* what happens to TCP connections (enum tcp_step) */
	STEP_WORLD,      /* what the world lets happen from here on */
	STEPS
};

enum tcp_step {
	TCP_CLIENT_GONE,
	TCP_CONNECTED,
	TCP_CANNOT,
	TCP_ATTEMPTED,
	TCP_ENDED,
	TCP_PASSED,
	TCP_STEPS
};

/* A TCP connection with a peer (RFC 6062), as long as the relay knows it. */
struct connection {
	uint32_t number;
	bool is_there;
	bool is_connecting;
};

struct story {
	struct world *world;
	struct span rest;
	struct usage relayed;
	bool line_was_full; /* what is counted may then be lost */
	struct connection connections[CONNECTIONS];
	uint32_t connection_id; /* the last one that a client was told */
	unsigned client;
	const char *user;
};

static struct story *told; /* the story that is being told */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "relay_fuzz: %s\n", what);
		abort();
	}
}

static void
check_reply(const struct world *world)
{
	struct stun_message message;

	must(stun_read((struct span){ world->reply, world->reply_bytes }, &message) &&
		     message.malformed == 0,
	     "an answer is malformed");
	must(message.class != STUN_REQUEST, "an answer is a request");
}

static void
note_connection(struct story *story, uint32_t number, bool is_connecting)
{
	story->connections[number % CONNECTIONS] = (struct connection){
		.number = number, .is_there = true, .is_connecting = is_connecting
	};
}

static void
forget_connection(void *world, uint32_t number)
{
	struct connection *connection = &told->connections[number % CONNECTIONS];

	(void)world;
	connection->is_there &= connection->number != number;
}

static void
hear_nothing(void *world, uint32_t listener, const struct address *client)
{
	(void)world;
	(void)listener;
	(void)client;
}

static void
hear_join(void *world, uint32_t number, uint32_t listener, const struct address *client)
{
	(void)number;
	hear_nothing(world, listener, client);
}

static bool
is_over_tcp(const struct story *story)
{
	return (story->client & 1) != 0;
}

static void
note_connection_id(struct story *story)
{
	struct stun_message message;

	if (stun_read((struct span){ story->world->reply, story->world->reply_bytes }, &message) &&
	    stun_has(&message, STUN_CONNECTION_ID)) {
		memcpy(&story->connection_id, message.values[STUN_CONNECTION_ID].at,
		       sizeof story->connection_id);
	}
}

/* Lets the actor decide, and looks at what clients heard. */
static void
hear(struct story *story)
{
	struct world *world = story->world;

	pump(world);
	if (world->replies > 0) {
		check_reply(world);
		note_connection_id(story);
		world->replies = 0;
	}
}

static void
client_tells(struct story *story, struct span bytes)
{
	struct world *world = story->world;

	world->over_tcp = is_over_tcp(story);
	const struct relay_answer answer = client_sends(world, clients[story->client], bytes);
	if (answer.action == RELAY_TO_PEER) {
		story->relayed.packets_up++;
		story->relayed.bytes_up += answer.bytes.count;
	}
	if (answer.action == RELAY_CONNECT) {
		note_connection(story, answer.pending, true);
	}
	hear(story);
}

/* Attributes, each as its place in the table, a length, a value; as many as fit. */
static void
put_attributes(struct stun_writer *w, struct span from)
{
	while (from.count >= 2 && from.count - 2 >= from.at[1]) {
		const struct span value = { from.at + 2, from.at[1] };
		stun_put(w, from.at[0] % STUN_ATTRIBUTES, value.at, value.count);
		from = (struct span){ value.at + value.count, from.count - 2 - value.count };
	}
}

static void
request_step(struct story *story, struct span bytes)
{
	static const uint16_t methods[] = { TURN_ALLOCATE,          TURN_REFRESH,
					    TURN_CREATE_PERMISSION, TURN_CHANNEL_BIND,
					    TURN_BINDING,           TURN_CONNECT,
					    TURN_CONNECTION_BIND };
	const struct ask ask = { .user = story->user };
	struct world *world = story->world;
	uint8_t memory[DATAGRAM_MAX];
	struct transaction transaction = { { ++world->transaction } };

	if (bytes.count == 0) {
		return;
	}
	world->over_tcp = is_over_tcp(story);
	fetch_nonce(world, clients[story->client]);
	world->replies = 0;
	struct stun_writer w = stun_writer_of(
		memory, sizeof memory, methods[bytes.at[0] % (sizeof methods / sizeof methods[0])],
		STUN_REQUEST, &transaction);
	put_attributes(&w, (struct span){ bytes.at + 1, bytes.count - 1 });
	if (bytes.count == 1 && w.at != NULL) {
		stun_put(&w, STUN_CONNECTION_ID, &story->connection_id,
			 sizeof story->connection_id);
	}
	sign(world, &w, &ask);
	if (!w.bad) {
		client_tells(story, stun_written(&w));
	}
}

static void
indication_step(struct story *story, struct span bytes)
{
	uint8_t memory[DATAGRAM_MAX];
	const struct transaction transaction = { { 1 } };
	struct stun_writer w =
		stun_writer_of(memory, sizeof memory, TURN_SEND, STUN_INDICATION, &transaction);

	put_attributes(&w, bytes);
	if (!w.bad) {
		client_tells(story, stun_written(&w));
	}
}

static void
channel_step(struct story *story, struct span bytes)
{
	uint8_t memory[4 + UINT8_MAX] = { 0x40 };

	if (bytes.count == 0) {
		return;
	}
	memory[1] = bytes.at[0] & 3;
	memory[3] = (uint8_t)(bytes.count - 1);
	memcpy(memory + 4, bytes.at + 1, bytes.count - 1);
	client_tells(story, (struct span){ memory, 4 + bytes.count - 1 });
}

static void
peer_step(struct story *story, struct span bytes)
{
	uint8_t memory[RELAY_HEADROOM + UINT8_MAX + RELAY_TAILROOM];

	if (bytes.count < 2) {
		return;
	}
	const struct address source = address_of(peers[bytes.at[0] & 3]);
	const size_t count = bytes.count - 2;
	memcpy(memory + RELAY_HEADROOM, bytes.at + 2, count);
	const struct relay_answer answer =
		relay_handle_peer(story->world->relay, bytes.at[1] % NEAR_SOCKETS, &source,
				  memory + RELAY_HEADROOM, count, story->world->now_us);
	if (answer.action == RELAY_TO_CLIENT) {
		story->relayed.packets_down++;
		story->relayed.bytes_down += count;
	}
}

static void
attempt(struct story *story, const struct address *peer, uint8_t socket)
{
	const uint32_t number =
		relay_tcp_attempted(story->world->relay, RELAY_SOCKETS_MAX + socket % NEAR_SOCKETS,
				    peer, story->world->now_us);

	if (number != UINT32_MAX) {
		note_connection(story, number, false);
	}
}

static void
pass(struct story *story, uint32_t number, uint8_t count)
{
	const bool up = count & 1;
	uint64_t *packets = up ? &story->relayed.packets_up : &story->relayed.packets_down;
	uint64_t *bytes = up ? &story->relayed.bytes_up : &story->relayed.bytes_down;

	if (!relay_tcp_flows(story->world->relay, number)) {
		return;
	}
	relay_tcp_passed(story->world->relay, number, up, count, story->world->now_us);
	*packets += 1;
	*bytes += count;
}

static void
connection_step(struct story *story, enum tcp_step what, uint8_t number, uint8_t count)
{
	struct connection *connection = &story->connections[number % CONNECTIONS];
	struct relay *relay = story->world->relay;

	if (!connection->is_there ||
	    connection->is_connecting != (what == TCP_CONNECTED || what == TCP_CANNOT)) {
		return;
	}
	if (what == TCP_CONNECTED) {
		connection->is_connecting = false;
		connection->is_there = relay_tcp_connected(relay, connection->number);
	} else if (what == TCP_CANNOT) {
		connection->is_there = false;
		relay_tcp_failed(relay, connection->number);
	} else if (what == TCP_ENDED) {
		relay_tcp_ended(relay, connection->number, CONNECTION_END_PEER);
	} else if (what == TCP_PASSED) {
		pass(story, connection->number, count);
	}
}

/* What happens, the number of a connection, socket or peer, a count. */
static void
tcp_step(struct story *story, struct span bytes)
{
	const enum tcp_step what = bytes.count > 0 ? bytes.at[0] % TCP_STEPS : TCP_CLIENT_GONE;
	const uint8_t number = bytes.count > 1 ? bytes.at[1] : 0;
	const struct address client = address_of(clients[story->client]);
	const struct address peer = address_of(peers[number & 3]);

	if (what == TCP_CLIENT_GONE && is_over_tcp(story)) {
		relay_client_gone(story->world->relay, LISTENER_TCP, &client);
	} else if (what == TCP_ATTEMPTED) {
		attempt(story, &peer, number >> 2);
	} else if (what != TCP_CLIENT_GONE) {
		connection_step(story, what, number, bytes.count > 2 ? bytes.at[2] : 1);
	}
	hear(story);
}

static void
time_passes(struct story *story, uint64_t us)
{
	story->world->now_us += us;
	relay_tick(story->world->relay, story->world->now_us);
	pump(story->world);
	sweep(story->world);
	story->world->replies = 0;
}

static void
world_step(struct story *story, uint8_t what)
{
	struct world *world = story->world;

	world->port_is_gone = what & 1;
	world->also_is_gone = what & 2;
	world->line_is_full = what & 4;
	story->line_was_full |= world->line_is_full;
	world->config.strict_expiry = what & 8;
	if (what & 16) {
		relay_reload(world->relay, &world->config);
	}
	if (what & 32) {
		greet(world);
	}
	pump(world);
}

static void
take_step(struct story *story, uint8_t head, struct span bytes)
{
	story->client = head >> 3 & 3;
	story->user = head & 32 ? "bob" : "ann";
	switch ((enum step)(head % STEPS)) {
	case STEP_DATAGRAM:
		client_tells(story, bytes);
		break;
	case STEP_REQUEST:
		request_step(story, bytes);
		break;
	case STEP_INDICATION:
		indication_step(story, bytes);
		break;
	case STEP_CHANNEL:
		channel_step(story, bytes);
		break;
	case STEP_PEER:
		peer_step(story, bytes);
		break;
	case STEP_TIME:
		time_passes(story, bytes.count * SECOND_US * (head & 64 ? 60 : 1));
		break;
	case STEP_TCP:
		tcp_step(story, bytes);
		break;
	case STEP_WORLD:
		world_step(story, bytes.count > 0 ? bytes.at[0] : 0);
		break;
	case STEPS:
		break;
	}
}

static bool
is_logged(const struct story *story, uint64_t logged, uint64_t relayed)
{
	return logged == relayed || (story->line_was_full && logged < relayed);
}

/* Everything ends in time, and the log has counted what went through. */
static void
end(struct story *story)
{
	struct world *world = story->world;

	world->line_is_full = false;
	for (int hours = 0; hours < HOURS_AT_END; hours++) {
		time_passes(story, HOUR_US);
		time_passes(story, 30 * SECOND_US);
	}
	must(relay_allocations(world->relay) == 0, "an allocation does not end");
	must(world->sockets_open == 0, "a socket stays open");
	must(is_logged(story, world->logged.packets_up, story->relayed.packets_up) &&
		     is_logged(story, world->logged.bytes_up, story->relayed.bytes_up),
	     "the log has not what went to peers");
	must(is_logged(story, world->logged.packets_down, story->relayed.packets_down) &&
		     is_logged(story, world->logged.bytes_down, story->relayed.bytes_down),
	     "the log has not what came from peers");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool is_ready;

	if (size > STORY_MAX) {
		return 0;
	}
	if (!is_ready) {
		outbox_init(&outbox);
		is_ready = true;
	}
	static const struct relay_tcp_sink tcp = { forget_connection, hear_join, hear_nothing };
	struct story story = { .world = world_new(false), .rest = { data, size } };
	told = &story;
	story.world->config.serves_ipv6 = true;
	story.world->config.serves_tcp = true;
	story.world->config.mobility = true;
	story.world->config.unauthenticated_rate = 0;
	relay_free(story.world->relay);
	new_relay(story.world);
	story.world->sink.tcp = &tcp;
	greet(story.world);
	while (story.rest.count >= 2 && story.rest.count - 2 >= story.rest.at[1]) {
		const struct span bytes = { story.rest.at + 2, story.rest.at[1] };
		take_step(&story, story.rest.at[0], bytes);
		story.rest =
			(struct span){ bytes.at + bytes.count, story.rest.count - 2 - bytes.count };
	}
	end(&story);
	world_free(story.world);
	return 0;
}
