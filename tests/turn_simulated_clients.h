/* The TURN simulator's clients, and the operator who expels them: what each does next is drawn. */
#ifndef IFSWARM_TESTS_TURN_SIMULATED_CLIENTS_H
#define IFSWARM_TESTS_TURN_SIMULATED_CLIENTS_H

#include "tests/turn_simulated.h"

/* --- who clients are --- */

static void
agent_name(struct name *out, size_t client)
{
	char word[48];
	const int length = snprintf(word, sizeof word, "client-%zu-%llu;", client,
				    (unsigned long long)world.lives[client]);

	name_set(out, word, (size_t)length);
}

/* As a client does that was handed a credential when it registered. */
static void
sign(struct stun_writer *w, size_t client, const struct address *source)
{
	const uint64_t later_s = (uint64_t)1800000000 + 3600;
	char nonce[NONCE_BYTES_MAX];
	struct credential_pair pair;
	struct name agent;

	agent_name(&agent, client);
	assert_true(credential_make(&pair, &world.integrity, SECRET, &agent, later_s));
	const struct span user = { (const uint8_t *)pair.username, strlen(pair.username) };
	const struct span realm = { (const uint8_t *)"ifswarm", 7 };
	const struct span password = { (const uint8_t *)pair.password, strlen(pair.password) };
	const struct integrity_key key =
		integrity_long_term_key(&world.integrity, PASSWORD_MD5, user, realm, password);
	const size_t count = nonce_write(nonce, &world.integrity, &NONCE_KEY, source, 0, later_s);
	stun_put(w, STUN_USERNAME, user.at, user.count);
	stun_put(w, STUN_REALM, realm.at, realm.count);
	stun_put(w, STUN_NONCE, nonce, count);
	stun_put_integrity(w, &world.integrity, INTEGRITY_SHA1, &key);
}

/* --- expulsions --- */

static void
expel_somebody(void)
{
	const size_t client = draw(CLIENTS);
	struct name name;

	agent_name(&name, client);
	if (world.agents_are_expelled && sim_expel(&name)) {
		world.lives[client]++;
	}
}

static bool
begins_a_life(const struct event *event, const struct name *name)
{
	return event->type == EVENT_TURN_ALLOCATION_CREATED &&
	       credential_name_is_of(&event->turn_allocation_created.user_name, name);
}

static void
run_operator(void)
{
	sim_run_expulsions(EVENT_USER_FORGOTTEN, begins_a_life);
}

/* --- what clients do
 * ------------------------------------------------------------------------------------------ */

static struct address
client_address(size_t r, size_t client)
{
	return address_v4(203, (uint8_t)client, (uint16_t)(1000 + r));
}

static uint32_t
listener_of(size_t client)
{
	return client % 2 == 0 ? LISTENER_UDP : LISTENER_TCP;
}

/* It may come again from the same address at once. */
static void
close_connection(size_t r)
{
	const size_t client = draw(CLIENTS / 2) * 2 + 1;
	const struct address source = client_address(r, client);
	struct relay *relay = world.relays[r].relay;

	relay_client_gone(relay, LISTENER_TCP, &source);
	if (!is_mobile(client) && relay_client_holds(relay, LISTENER_TCP, &source, sim.now_us)) {
		SIM_FAIL("a client whose connection closed holds something");
	}
}

static uint32_t
bind_port(struct sim_relay *relay, struct address *relayed)
{
	*relayed = relay->config.listeners[LISTENER_UDP];
	relayed->port = relay->next_port++;
	if (relay->next_port < 50000) {
		relay->next_port = 50000;
	}
	relay->sockets_open++;
	return relay->next_socket++ % RELAY_SOCKETS_MAX;
}

static void
bind_ports(struct sim_relay *relay, const struct relay_answer *asked)
{
	struct relay_ports ports = { .also = SOCKET_NONE };

	ports.socket = bind_port(relay, &ports.relayed);
	if (asked->port_pair) {
		ports.also = bind_port(relay, &ports.relayed_also);
	}
	relay_bound(relay->relay, asked->pending, &ports, sim.now_us);
}

static void
send_datagram(size_t r, size_t client, struct span datagram)
{
	struct sim_relay *relay = &world.relays[r];
	const struct address source = client_address(r, client);
	struct relay_answer answer = relay_handle_client(relay->relay, listener_of(client), &source,
							 datagram, sim.now_us);

	switch (answer.action) {
	case RELAY_DROP:
	case RELAY_TO_CLIENT:
	case RELAY_CONNECT: /* no client here relays TCP */
	case RELAY_HOLD:
		break;
	case RELAY_REPLY:
		check_reply(&answer.to, answer.bytes);
		break;
	case RELAY_TO_PEER:
		if (relay->denies && answer.to.bytes[3] == 0) {
			SIM_FAIL("relay %zu sent to a peer that is forbidden", r + 1);
		}
		world.relayed_up += answer.bytes.count;
		break;
	case RELAY_BIND:
		bind_ports(relay, &answer);
		break;
	}
}

/* A pair of ports, the odd one of a pair that was given last, or just a port. */
static void
put_port_wish(struct stun_writer *w, size_t client)
{
	const uint64_t choice = draw(6);

	if (choice == 0) {
		stun_put(w, STUN_EVEN_PORT, "\x80", 1);
	} else if (choice < 3 && world.has_token[client]) {
		stun_put(w, STUN_RESERVATION_TOKEN, world.tokens[client],
			 sizeof world.tokens[client]);
		world.has_token[client] = draw(2) == 0;
	}
}

/* Good, used, or of an allocation that has ended: wherever the client is now. */
static void
put_ticket(struct stun_writer *w, size_t client)
{
	if (world.has_ticket[client] && draw(8) != 0) {
		stun_put(w, STUN_MOBILITY_TICKET, world.tickets[client], TICKET_BYTES);
	}
}

/* 0: it sends data. Who may move does so more often than others allocate. */
static uint16_t
draw_method(size_t client)
{
	static const uint16_t methods[] = { TURN_ALLOCATE,     TURN_ALLOCATE,
					    TURN_REFRESH,      TURN_CREATE_PERMISSION,
					    TURN_CHANNEL_BIND, TURN_CHANNEL_BIND };
	const uint64_t choice = draw(12);
	const uint16_t method = choice < sizeof methods / sizeof methods[0] ? methods[choice] : 0;

	return method == TURN_ALLOCATE && is_mobile(client) && draw(4) != 0 ? TURN_REFRESH : method;
}

static void
client_acts(size_t r)
{
	uint8_t memory[DATAGRAM];
	const size_t client = draw(CLIENTS);
	const uint16_t method = draw_method(client);
	const struct address peer = address_v4(198, (uint8_t)draw(3), (uint16_t)(2000 + draw(2)));
	const struct address source = client_address(r, client);
	struct transaction transaction = { { 0 } };

	if (method == 0) {
		/* ChannelData on one of a few channels, bound or not. */
		const uint8_t data[] = { 0x40, (uint8_t)draw(4), 0, 8, 1, 2, 3, 4, 5, 6, 7, 8 };
		send_datagram(r, client, (struct span){ data, sizeof data });
		return;
	}
	world.transactions += draw(8) != 0; /* or the one before comes again */
	memcpy(transaction.bytes, &world.transactions, sizeof world.transactions);
	struct stun_writer w =
		stun_writer_of(memory, sizeof memory, method, STUN_REQUEST, &transaction);
	if (method == TURN_ALLOCATE) {
		stun_put_u32(&w, STUN_REQUESTED_TRANSPORT, (uint32_t)TURN_TRANSPORT_UDP << 24);
		put_port_wish(&w, client);
		if (is_mobile(client)) {
			stun_put(&w, STUN_MOBILITY_TICKET, "", 0);
		}
	} else if (method == TURN_REFRESH) {
		stun_put_u32(&w, STUN_LIFETIME, draw(4) == 0 ? 0 : 60);
		put_ticket(&w, client);
	} else if (method == TURN_CHANNEL_BIND) {
		stun_put_u32(&w, STUN_CHANNEL_NUMBER, (uint32_t)(0x4000 + draw(4)) << 16);
		stun_put_address(&w, STUN_XOR_PEER_ADDRESS, &peer);
	} else {
		stun_put_address(&w, STUN_XOR_PEER_ADDRESS, &peer);
	}
	sign(&w, client, &source);
	assert_false(w.bad);
	send_datagram(r, client, stun_written(&w));
}

#endif
