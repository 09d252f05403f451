/* The TURN simulator's relays: each with its worldly half played, where a socket is a number, and
 * with the mailbox between relays. Replies are checked as they come: no success that is not
 * durable. */
#ifndef IFSWARM_TESTS_TURN_SIMULATED_H
#define IFSWARM_TESTS_TURN_SIMULATED_H

#include <assert.h>

#include "tests/simulated.h"

#include "actors/relay.h"
#include "actors/relay_ticket.h"
#include "protocol/credential_name.h"
#include "protocol/turn.h"

enum { RELAYS = 2, POST_MAX = 10, CLIENTS = 6, DATAGRAM = 1500 };
enum { LISTENER_UDP, LISTENER_TCP };

/* What one relay has told another that has not heard it yet. */
struct sim_post {
	size_t count;
	struct {
		struct fetch_message message;
		bool has_socket;
	} items[POST_MAX];
};

struct sim_relay {
	struct relay *relay;
	struct relay_config config;
	struct relay_sink sink;
	size_t number; /* from 0 */
	uint32_t next_socket;
	uint32_t sockets_open;
	uint16_t next_port;
	bool denies; /* the peer 198.51.100.0 */
	uint32_t last_socket[CLIENTS];
};

static const char SECRET[] = "a secret of the simulator";
static const struct nonce_key NONCE_KEY = { { 7 } };

static struct world {
	struct integrity integrity;
	bool relays_may_die;
	bool agents_are_expelled;
	uint64_t lives[CLIENTS]; /* who is expelled comes again as another */
	struct sim_relay relays[RELAYS];
	uint64_t relayed_up; /* bytes */
	uint64_t transactions;
	size_t successes;
	bool has_ticket[CLIENTS]; /* the one told last */
	char tickets[CLIENTS][TICKET_BYTES];
	bool has_token[CLIENTS];
	uint8_t tokens[CLIENTS][8];    /* the one told last */
	struct sim_post posts[RELAYS]; /* to each relay */
} world;
static size_t forbidden; /* peers, over all seeds */
static size_t handed;    /* sockets, from one relay to another */
static size_t moves;     /* that came of it */
static size_t fetched;   /* reserved ports that one relay had from another */

static struct address
address_v4(uint8_t a, uint8_t d, uint16_t port)
{
	return (struct address){ ADDRESS_IPV4, { a, 51, 100, d }, port };
}

static const struct allocation_limits *
limits(void)
{
	static struct allocation_limits limits = { .allocations_max = 64,
						   .peers_max = 512,
						   .names_max = 64,
						   .user_quota = 0,
						   .lifetime_max_s = 60,
						   .seed = 1 };
	return &limits;
}

static struct core
fresh(uint64_t seed)
{
	struct allocation_limits own = *limits();

	own.seed = seed;
	return allocation_core(allocation_new(&own));
}

static void
discard(struct core core)
{
	allocation_free(core.state);
}

/* --- a relay's worldly half, played
 * ------------------------------------------------------------------------ */

static bool
on_ask(void *context, struct command *command)
{
	struct sim_relay *relay = context;

	return sim_put(relay->number, command, (struct span){ 0 });
}

static bool
is_mobile(size_t client)
{
	return client % 3 == 0;
}

/* `to` is client_address() of somebody. */
static void
take_ticket(const struct address *to, const struct stun_message *message)
{
	const size_t client = to->bytes[3];
	const struct span ticket = message->values[STUN_MOBILITY_TICKET];

	assert_true(client < CLIENTS);
	if (stun_has(message, STUN_MOBILITY_TICKET)) {
		assert_int_equal(ticket.count, TICKET_BYTES);
		memcpy(world.tickets[client], ticket.at, TICKET_BYTES);
		world.has_ticket[client] = true;
	}
}

static void
take_token(const struct address *to, const struct stun_message *message)
{
	const size_t client = to->bytes[3];

	if (stun_has(message, STUN_RESERVATION_TOKEN)) {
		memcpy(world.tokens[client], message->values[STUN_RESERVATION_TOKEN].at,
		       sizeof world.tokens[client]);
		world.has_token[client] = true;
	}
}

/* A success of a request that changed something: some event must have made it so. */
static void
check_reply(const struct address *to, struct span bytes)
{
	struct stun_message message;

	assert_true(stun_read(bytes, &message));
	if (message.class == STUN_SUCCESS && message.method == TURN_ALLOCATE) {
		bool durable = false;
		for (size_t i = 0; i < sim.actor.logged && !durable; i++) {
			const struct event *event = &sim.actor.log[i].event;
			durable = event->type == EVENT_TURN_ALLOCATION_CREATED &&
				  memcmp(&event->turn_allocation_created.transaction,
					 &message.transaction, sizeof message.transaction) == 0;
		}
		if (!durable) {
			SIM_FAIL("an Allocate was answered before it was durable");
		}
	}
	world.successes += message.class == STUN_SUCCESS;
	take_ticket(to, &message);
	take_token(to, &message);
}

static void
on_reply(void *context, uint32_t listener, const struct address *to, struct span bytes)
{
	(void)context;
	(void)listener;
	check_reply(to, bytes);
}

static uint32_t
on_open(void *context, const struct address *relayed)
{
	struct sim_relay *relay = context;

	(void)relayed;
	relay->sockets_open++;
	return relay->next_socket++ % RELAY_SOCKETS_MAX;
}

static void
on_close(void *context, uint32_t socket)
{
	struct sim_relay *relay = context;

	(void)socket;
	assert_true(relay->sockets_open > 0);
	relay->sockets_open--;
}

static void
on_hand(void *context, uint32_t socket, uint64_t to)
{
	(void)context;
	(void)socket;
	handed++;
	assert_in_range(to, 1, RELAYS);
}

static enum fetch_sent
on_tell(void *context, uint64_t to, const struct fetch_message *message, uint32_t socket)
{
	struct sim_post *post = &world.posts[to - 1];

	(void)context;
	assert_in_range(to, 1, RELAYS);
	if (world.relays_may_die && draw(20) == 0) {
		return FETCH_NOBODY;
	}
	if (post->count == POST_MAX || draw(10) == 0) {
		return FETCH_LATER;
	}
	post->items[post->count].message = *message;
	post->items[post->count++].has_socket = socket != SOCKET_NONE;
	return FETCH_SENT;
}

/* The oldest, with a socket if one was beside it. */
static void
take_post(size_t r)
{
	struct sim_relay *relay = &world.relays[r];
	struct sim_post *post = &world.posts[r];
	uint32_t socket = SOCKET_NONE;

	if (post->count == 0) {
		return;
	}
	const struct fetch_message message = post->items[0].message;
	if (post->items[0].has_socket) {
		socket = relay->next_socket++ % RELAY_SOCKETS_MAX;
		relay->sockets_open++;
		fetched++;
	}
	post->count--;
	memmove(&post->items[0], &post->items[1], post->count * sizeof post->items[0]);
	relay_handle_fetch(relay->relay, &message, socket, sim.now_us);
}

static void
start_relay(size_t r)
{
	struct sim_relay *relay = &world.relays[r];
	struct relay_config *config = &relay->config;
	const uint16_t port = relay->next_port;

	relay_free(relay->relay);
	*relay = (struct sim_relay){ .number = r, .next_port = port == 0 ? 50000 : port };
	config->number = r + 1;
	config->listener_count = 2;
	config->listeners[LISTENER_UDP] = address_v4(192, (uint8_t)r, 3478);
	config->listeners[LISTENER_TCP] = config->listeners[LISTENER_UDP];
	config->transports[LISTENER_TCP] = CLIENT_TCP;
	config->serves_ipv4 = true;
	config->mobility = true;
	config->usage_interval_s = 5;
	config->unauthenticated_rate = 0;
	config->limits = *limits();
	for (size_t i = 0; i < 8; i++) {
		config->seed[i] =
			(uint8_t)draw(256); /* one incarnation's ids are never another's */
	}
	assert_null(credentials_init(&config->credentials, "ifswarm", &NONCE_KEY, 600));
	assert_null(credentials_add_secret(&config->credentials, SECRET));
	peer_policy_init(&config->policy, 49152, 65535);
	assert_null(peer_policy_add_allow(&config->policy, "198.51.100.0/24"));
	relay->sink = (struct relay_sink){ relay,    on_ask, on_reply, on_open,
					   on_close, NULL,   on_hand,  on_tell };
	relay->relay = relay_new(config, &relay->sink);
	world.posts[r].count = 0; /* and the sockets in it with it */
	sim_start_front(r);
}

static void
take_notices(size_t r)
{
	struct notice notice;
	struct span body;

	while (link_notice(&sim.fronts[r].link, &notice, &body)) {
		/* With events, or without because they came before; a refusal has none. */
		if (notice.type == NOTICE_DECIDED && notice.decided.verdict == ACCEPTED &&
		    body.count > 0 && !sim_is_durable(&notice.command_id)) {
			SIM_FAIL("a decision was told before it was durable");
		}
		relay_handle_notice(world.relays[r].relay, &notice, body, sim.now_us);
	}
}

#endif
