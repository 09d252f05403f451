/* TCP connections with peers (RFC 6062). A Connect or a peer's own attempt is checked as
 * CreatePermission is, made by the worldly half, and told to the allocation actor; the client hears
 * of it when that is durable, and comes for it over a connection of its own with a ConnectionBind.
 *
 * A Connect that fails is answered with 447 when TCP_CONNECT_S are over, whether the peer refused
 * at once or never answered, and however the kernel put it: what can be learnt is which peers
 * accept, and nothing of the others (THREATS B15). Until then it counts as a connection, so one
 * allocation makes no more than TCP_PEERS_PER_ALLOCATION_MAX of them in that time. */
#include <assert.h>
#include <string.h>

#include "actors/relay_state.h"
#include "protocol/turn.h"

static const uint64_t SECOND_US = 1000000;

bool
relay_serves_tcp_at(const struct relay *relay, uint32_t listener)
{
	const struct relay_config *config = &relay->config;
	const enum client_transport transport = config->transports[listener];

	return config->serves_tcp && (transport == CLIENT_TCP || transport == CLIENT_TLS) &&
	       config->listeners[listener].port != config->scattered_port;
}

/* Random, and nobody's yet. */
static uint32_t
fresh_connection_id(struct relay *relay)
{
	uint32_t value;

	do {
		const struct id random = relay_fresh_id(relay);
		memcpy(&value, random.bytes, sizeof value);
	} while (value == 0 || tcp_peers_find_id(&relay->tcp, value) != TCP_PEER_NONE);
	return value;
}

static bool
has_room(const struct relay *relay, const struct id *allocation)
{
	return relay->tcp.free_count > 0 &&
	       tcp_peers_count(&relay->tcp, allocation) < TCP_PEERS_PER_ALLOCATION_MAX;
}

static bool
is_allowed(const struct relay *relay, const struct address *peer)
{
	return peer_is_allowed(peer_policy_decide(&relay->config.policy, peer).decision);
}

static uint32_t
claim(struct relay *relay, uint32_t row, const struct address *peer, bool attempted,
      uint64_t now_us)
{
	const struct allocation *allocation = &relay->view->table.rows[row];
	const struct tcp_peer made = {
		.attempted = attempted,
		.allocation = allocation->id,
		.user = allocation->user_name,
		.peer = *peer,
		.connection_id = fresh_connection_id(relay),
		.since_us = now_us,
	};

	return tcp_peers_claim(&relay->tcp, &made);
}

/* --- Connect, RFC 6062 section 5.2 --- */

static enum verdict
check_connect(const struct relay *relay, const struct stun_message *message, uint32_t row)
{
	const struct allocation *allocation = &relay->view->table.rows[row];

	if (allocation->transport != TURN_TRANSPORT_TCP) {
		return REFUSED_NO_ALLOCATION;
	}
	if (message->peer_count == 0 || message->peers[0].port == 0) {
		return REFUSED_BAD_REQUEST;
	}
	if (!allocation_has_family(allocation, message->peers[0].family)) {
		return REFUSED_PEER_FAMILY;
	}
	if (!is_allowed(relay, &message->peers[0])) {
		return REFUSED_FORBIDDEN;
	}
	if (tcp_peers_find_peer(&relay->tcp, &allocation->id, &message->peers[0]) !=
	    TCP_PEER_NONE) {
		return REFUSED_CONNECTION_EXISTS;
	}
	return has_room(relay, &allocation->id) ? ACCEPTED : REFUSED_CAPACITY;
}

/* The same request again: its answer will come. */
static bool
is_repeated(const struct relay *relay, const struct relay_request *request, uint32_t row)
{
	const struct stun_message *message = request->message;
	const struct id *id = &relay->view->table.rows[row].id;
	const uint32_t number = message->peer_count == 0
					? TCP_PEER_NONE
					: tcp_peers_find_peer(&relay->tcp, id, &message->peers[0]);
	const struct tcp_peer *peer = number == TCP_PEER_NONE ? NULL : &relay->tcp.items[number];

	return peer != NULL && peer->stage < TCP_WAITING && !peer->attempted &&
	       memcmp(&peer->reply.transaction, &request->reply.transaction,
		      sizeof peer->reply.transaction) == 0;
}

struct relay_answer
relay_handle_connect(struct relay *relay, const struct relay_request *request, uint32_t row)
{
	const struct stun_message *message = request->message;

	if (is_repeated(relay, request, row)) {
		return (struct relay_answer){ .action = RELAY_DROP };
	}
	const enum verdict verdict = check_connect(relay, message, row);

	if (verdict != ACCEPTED) {
		return relay_refuse_peer(relay, request, verdict,
					 message->peer_count > 0 ? &message->peers[0] : NULL);
	}
	const uint32_t number = claim(relay, row, &message->peers[0], false, request->now_us);
	tcp_peer_at(&relay->tcp, number)->stage = TCP_CONNECTING;
	tcp_peer_at(&relay->tcp, number)->reply = request->reply;
	return (struct relay_answer){ .action = RELAY_CONNECT,
				      .from = relay_row_socket(&relay->rows[row],
							       message->peers[0].family),
				      .to = message->peers[0],
				      .pending = number };
}

/* It is there: asks whether it may be, and to have it written down. */
static bool
ask_open(struct relay *relay, uint32_t number)
{
	struct tcp_peer *peer = tcp_peer_at(&relay->tcp, number);
	const uint32_t row = allocation_find(&relay->view->table, &peer->allocation);
	struct command command = {
		.type = COMMAND_OPEN_CONNECTION,
		.open_connection = { .allocation = peer->allocation,
				     .attempted = peer->attempted,
				     .peer = peer->peer },
	};

	if (row == ROW_NONE) {
		return false;
	}
	command.trace_id = relay->view->table.rows[row].trace;
	if (!relay->sink->ask(relay->sink->context, &command)) {
		return false;
	}
	peer->stage = TCP_OPENING;
	tcp_peers_ask(&relay->tcp, number, &command.command_id);
	return true;
}

void
relay_tcp_failed(struct relay *relay, uint32_t number)
{
	tcp_peer_at(&relay->tcp, number)->stage = TCP_FAILED;
}

bool
relay_tcp_connected(struct relay *relay, uint32_t number)
{
	struct tcp_peer *peer = tcp_peer_at(&relay->tcp, number);

	assert(peer->stage == TCP_CONNECTING);
	/* The policy may have been tightened since it was asked for. */
	if (!is_allowed(relay, &peer->peer) || !ask_open(relay, number)) {
		relay_tcp_failed(relay, number);
		return false;
	}
	return true;
}

/* --- ConnectionAttempt, RFC 6062 section 5.3 --- */

uint32_t
relay_tcp_attempted(struct relay *relay, uint32_t socket, const struct address *peer,
		    uint64_t now_us)
{
	assert(socket < RELAY_SOCKETS_ALL);
	const uint32_t row = relay->socket_rows[socket];
	const struct allocation_table *table = &relay->view->table;

	if (row == ROW_NONE || relay->rows[row].releasing ||
	    relay->rows[row].listener == LISTENER_NONE ||
	    !allocation_is_live(&table->rows[row], now_us) ||
	    permission_find(table, row, peer, now_us) == PEER_NONE) {
		relay->counts[RELAY_COUNT_NO_ROUTE]++;
		return TCP_PEER_NONE;
	}
	if (!is_allowed(relay, peer)) {
		relay->counts[RELAY_COUNT_DENIED]++;
		return TCP_PEER_NONE;
	}
	const struct id *id = &table->rows[row].id;
	if (tcp_peers_find_peer(&relay->tcp, id, peer) != TCP_PEER_NONE || !has_room(relay, id)) {
		relay->counts[RELAY_COUNT_PENDING_FULL]++;
		return TCP_PEER_NONE;
	}
	const uint32_t number = claim(relay, row, peer, true, now_us);
	if (!ask_open(relay, number)) {
		tcp_peers_release(&relay->tcp, number);
		relay->counts[RELAY_COUNT_PENDING_FULL]++;
		return TCP_PEER_NONE;
	}
	return number;
}

/* --- ConnectionBind, RFC 6062 section 5.4 --- */

/* The connection that waits for this client; TCP_PEER_NONE. Whose it is is not told to others
 * (F16). */
static uint32_t
find_waiting(const struct relay *relay, const struct relay_request *request)
{
	const struct span value = request->message->values[STUN_CONNECTION_ID];
	uint32_t connection_id;

	if (!stun_has(request->message, STUN_CONNECTION_ID)) {
		return TCP_PEER_NONE;
	}
	memcpy(&connection_id, value.at, sizeof connection_id);
	const uint32_t number = tcp_peers_find_id(&relay->tcp, connection_id);
	if (number == TCP_PEER_NONE) {
		return TCP_PEER_NONE;
	}
	const struct tcp_peer *peer = &relay->tcp.items[number];
	const bool is_waiting = peer->stage == TCP_WAITING &&
				request->now_us - peer->since_us < TCP_BIND_S * SECOND_US &&
				!relay->rows[peer->row].releasing;
	return is_waiting && name_equal(&peer->user, &request->credential.user) ? number
										: TCP_PEER_NONE;
}

struct relay_answer
relay_handle_connection_bind(struct relay *relay, const struct relay_request *request)
{
	const uint32_t listener = request->reply.listener;
	const uint32_t number =
		relay_serves_tcp_at(relay, listener) ? find_waiting(relay, request) : TCP_PEER_NONE;

	/* A connection over which an allocation is held stays that. */
	if (number == TCP_PEER_NONE ||
	    relay_find_row(relay, listener, &request->reply.client, request->now_us) != ROW_NONE) {
		return relay_refuse(relay, request, REFUSED_BAD_REQUEST);
	}
	struct tcp_peer *peer = tcp_peer_at(&relay->tcp, number);
	struct command command = {
		.type = COMMAND_BIND_CONNECTION,
		.trace_id = relay->view->table.rows[peer->row].trace,
		.bind_connection = { .allocation = peer->allocation,
				     .number = relay->view->table.peers[peer->at].number,
				     .client_transport = relay->config.transports[listener],
				     .client = request->reply.client },
	};
	if (!relay->sink->ask(relay->sink->context, &command)) {
		return relay_refuse(relay, request, REFUSED_CAPACITY);
	}
	peer->stage = TCP_BINDING;
	peer->reply = request->reply;
	tcp_peers_ask(&relay->tcp, number, &command.command_id);
	tcp_peers_bind(&relay->tcp, number, listener, &request->reply.client);
	return (struct relay_answer){ .action = RELAY_HOLD,
				      .from = listener,
				      .to = request->reply.client };
}
