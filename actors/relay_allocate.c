/* Allocate, RFC 8656 section 7.2: its checks in the order of the RFC, then a bound socket, then the
 * question to the allocation actor. The relay binds the port before it asks: a port is a fact, and
 * only the relay can know it. */
#include <assert.h>

#include "actors/relay_state.h"
#include "protocol/credential_name.h"
#include "protocol/turn.h"

/* What cannot go together (THREATS F4). */
static bool
is_contradictory(const struct stun_message *message)
{
	const bool token = stun_has(message, STUN_RESERVATION_TOKEN);
	const bool even = stun_has(message, STUN_EVEN_PORT);
	const bool family = stun_has(message, STUN_REQUESTED_ADDRESS_FAMILY);
	const bool additional = stun_has(message, STUN_ADDITIONAL_ADDRESS_FAMILY);

	if (token && (even || family || additional)) {
		return true;
	}
	if (!additional) {
		return false;
	}
	return family || (even && message->even_port_reserve) ||
	       message->additional_family != TURN_FAMILY_IPV6;
}

static uint8_t
family_of(const struct stun_message *message)
{
	if (!stun_has(message, STUN_REQUESTED_ADDRESS_FAMILY)) {
		return ADDRESS_IPV4;
	}
	return turn_family(message->requested_family);
}

static bool
is_served(const struct relay *relay, uint8_t family)
{
	return (family == ADDRESS_IPV4 && relay->config.serves_ipv4) ||
	       (family == ADDRESS_IPV6 && relay->config.serves_ipv6);
}

/* TCP is relayed for who comes over TCP or TLS, and has no pairs of ports (RFC 6062 section 5.1).
 */
static enum verdict
check_transport(const struct relay *relay, const struct relay_request *request)
{
	const struct stun_message *message = request->message;

	if (!stun_has(message, STUN_REQUESTED_TRANSPORT)) {
		return REFUSED_BAD_REQUEST;
	}
	if (message->transport == TURN_TRANSPORT_UDP) {
		return ACCEPTED;
	}
	if (message->transport != TURN_TRANSPORT_TCP ||
	    !relay_serves_tcp_at(relay, request->reply.listener)) {
		return REFUSED_TRANSPORT;
	}
	return stun_has(message, STUN_EVEN_PORT) || stun_has(message, STUN_RESERVATION_TOKEN) ||
			       stun_has(message, STUN_DONT_FRAGMENT)
		       ? REFUSED_BAD_REQUEST
		       : ACCEPTED;
}

static enum verdict
check(const struct relay *relay, const struct relay_request *request)
{
	const struct stun_message *message = request->message;
	const enum verdict verdict = check_transport(relay, request);

	if (verdict != ACCEPTED) {
		return verdict;
	}
	if (is_contradictory(message)) {
		return REFUSED_BAD_REQUEST;
	}
	if (stun_has(message, STUN_MOBILITY_TICKET) &&
	    (!relay->config.mobility || message->transport != TURN_TRANSPORT_UDP)) {
		return REFUSED_MOBILITY; /* RFC 8016 section 3.1 */
	}
	/* Of two families one is enough (F14). */
	return is_served(relay, family_of(message)) ||
			       (stun_has(message, STUN_ADDITIONAL_ADDRESS_FAMILY) &&
				is_served(relay, ADDRESS_IPV6))
		       ? ACCEPTED
		       : REFUSED_FAMILY;
}

uint32_t
relay_allocate_pending(struct relay *relay, const struct relay_request *request)
{
	const struct stun_message *message = request->message;
	const uint32_t at = pending_claim(&relay->pending, &request->reply);

	if (at != PENDING_NONE) {
		struct pending *pending = &relay->pending.items[at];
		pending->user = request->credential.user;
		pending->trace = request->credential.trace;
		pending->transport = message->transport;
		pending->lifetime_s = message->lifetime_s;
		pending->until_s = relay_until_s(relay, &request->credential);
		pending->wants_both = stun_has(message, STUN_ADDITIONAL_ADDRESS_FAMILY);
		pending->wants_ticket = stun_has(message, STUN_MOBILITY_TICKET);
		pending->reserves = message->even_port_reserve;
	}
	return at;
}

static struct relay_answer
want_sockets(struct relay *relay, const struct relay_request *request)
{
	const struct stun_message *message = request->message;

	if (message->even_port_reserve &&
	    !reservations_have_room(&relay->reservations, &request->credential.user)) {
		return relay_refuse(relay, request, REFUSED_CAPACITY);
	}
	const uint32_t at = relay_allocate_pending(relay, request);
	if (at == PENDING_NONE) {
		return relay_drop(relay, RELAY_COUNT_PENDING_FULL);
	}
	const bool both = stun_has(message, STUN_ADDITIONAL_ADDRESS_FAMILY);
	return (struct relay_answer){
		.action = RELAY_BIND,
		.from = request->reply.listener,
		.pending = at,
		.family = family_of(message),
		.family_also = both ? ADDRESS_IPV6 : ADDRESS_NONE,
		.tcp = message->transport == TURN_TRANSPORT_TCP,
		.even_port = stun_has(message, STUN_EVEN_PORT),
		.port_pair = message->even_port_reserve,
	};
}

/* The port was bound when its token was given out: only the question is left. */
static struct relay_answer
take_reserved(struct relay *relay, const struct relay_request *request)
{
	struct reservation *reserved = reservations_find(
		&relay->reservations, request->message->values[STUN_RESERVATION_TOKEN],
		&request->credential.user, request->now_us);

	if (reserved == NULL) {
		return relay_fetch_port(relay, request);
	}
	const uint32_t at = relay_allocate_pending(relay, request);
	if (at == PENDING_NONE) {
		return relay_drop(relay, RELAY_COUNT_PENDING_FULL);
	}
	const struct relay_ports ports = { .socket = reserved->socket,
					   .also = SOCKET_NONE,
					   .relayed = reserved->relayed };
	reservations_remove(&relay->reservations, reserved);
	relay_bound(relay, at, &ports, request->now_us);
	return (struct relay_answer){ .action = RELAY_DROP };
}

/* Nothing new while the server is drained; what is held goes on. */
static struct relay_answer
send_away(struct relay *relay, const struct relay_request *request)
{
	const enum client_transport transport = relay->config.transports[request->reply.listener];
	const bool is_secured = transport == CLIENT_TLS || transport == CLIENT_DTLS;
	struct address alternate;

	if (!drain_alternate(&relay->config.drain, request->reply.client.family, is_secured,
			     &alternate)) {
		return relay_refuse(relay, request, REFUSED_DRAINING);
	}
	relay_note_refusal(relay, &request->reply, REFUSED_ALTERNATE, &request->credential.user,
			   NULL, false, request->now_us);
	return relay_reply_alternate(relay, &request->reply, &alternate);
}

struct relay_answer
relay_handle_allocate(struct relay *relay, const struct relay_request *request)
{
	const struct stun_message *message = request->message;
	const uint32_t row = relay_find_row(relay, request->reply.listener, &request->reply.client,
					    request->now_us);

	if (row != ROW_NONE) {
		const struct allocation *allocation = &relay->view->table.rows[row];
		if (!relay_is_transaction_of(allocation, &request->reply)) {
			return relay_refuse(relay, request, REFUSED_NO_ALLOCATION); /* 437, F2 */
		}
		const struct reply_wishes wishes = {
			.both = stun_has(message, STUN_ADDITIONAL_ADDRESS_FAMILY),
			.ticket = stun_has(message, STUN_MOBILITY_TICKET),
		};
		return relay_reply_success(relay, &request->reply, allocation, wishes,
					   request->now_us);
	}
	if (relay->config.drain.on) {
		return send_away(relay, request);
	}
	const enum verdict verdict = check(relay, request);
	if (verdict != ACCEPTED) {
		return relay_refuse(relay, request, verdict);
	}
	return stun_has(message, STUN_RESERVATION_TOKEN) ? take_reserved(relay, request)
							 : want_sockets(relay, request);
}

/* An expired allocation of this client still holds its place until the sweep: the actor ends it
 * when it decides this, so its usage must be told before. */
static void
report_expired(struct relay *relay, const struct reply_to *reply)
{
	const struct allocation_table *table = &relay->view->table;
	const uint32_t row = allocation_find_client(
		table, &reply->client, &relay->config.listeners[reply->listener],
		relay->config.transports[reply->listener], relay->config.number);

	if (row != ROW_NONE) {
		relay_report_row(relay, row, UINT64_MAX);
	}
}

/* The odd port of the pair, under a token. */
static void
reserve(struct relay *relay, const struct pending *pending, const struct relay_ports *ports,
	uint64_t now_us)
{
	const struct id random = relay_fresh_id(relay);
	struct reservation reservation = {
		.allocation = pending->allocation,
		.socket = ports->also,
		.relayed = ports->relayed_also,
		.user = pending->user,
		.until_us = now_us + RESERVATION_S * 1000000ull,
	};

	token_write(reservation.token, &relay->integrity, &relay->config.credentials.nonce_key,
		    relay->config.number, &random, &pending->user, now_us);
	reservations_add(&relay->reservations, &reservation);
}

static struct command
allocate_command(struct relay *relay, const struct pending *pending)
{
	const struct reply_to *reply = &pending->reply;

	return (struct command){
		.type = COMMAND_ALLOCATE,
		.trace_id = id_is_none(&pending->trace) ? relay_fresh_id(relay) : pending->trace,
		.allocate = { .allocation = pending->allocation,
			      .user = relay_fresh_id(relay),
			      .user_name = pending->user,
			      .client = reply->client,
			      .server = relay->config.listeners[reply->listener],
			      .relayed = pending->relayed,
			      .transaction = reply->transaction,
			      .transport = pending->transport,
			      .lifetime_s = pending->lifetime_s,
			      .client_transport = relay->config.transports[reply->listener],
			      .until_s = pending->until_s,
			      .relayed_also = pending->relayed_also },
	};
}

/* What was bound for a request that cannot be asked. */
static void
give_up(struct relay *relay, uint32_t at)
{
	struct pending *pending = &relay->pending.items[at];

	relay->sink->close(relay->sink->context, pending->socket);
	if (pending->socket_also != SOCKET_NONE) {
		relay->sink->close(relay->sink->context, pending->socket_also);
	}
	relay_unreserve(relay, &pending->allocation);
	pending_release(&relay->pending, at);
	relay->counts[RELAY_COUNT_PENDING_FULL]++;
}

/* A port of the other family stands in for the first if that one could not be had. */
static void
take_ports(struct pending *pending, const struct relay_ports *ports)
{
	const bool has_first = ports->socket != SOCKET_NONE;

	assert(has_first || (pending->wants_both && ports->also != SOCKET_NONE));
	pending->socket = has_first ? ports->socket : ports->also;
	pending->relayed = has_first ? ports->relayed : ports->relayed_also;
	if (has_first && pending->wants_both && ports->also != SOCKET_NONE) {
		pending->socket_also = ports->also;
		pending->relayed_also = ports->relayed_also;
	}
}

void
relay_bound(struct relay *relay, uint32_t at, const struct relay_ports *ports, uint64_t now_us)
{
	assert(at < relay->pending.max);
	struct pending *pending = &relay->pending.items[at];

	assert(pending->used);
	assert(!pending->asked);
	report_expired(relay, &pending->reply);
	take_ports(pending, ports);
	pending->allocation = relay_fresh_id(relay);
	if (pending->reserves) {
		assert(ports->also != SOCKET_NONE);
		reserve(relay, pending, ports, now_us);
	}
	struct command command = allocate_command(relay, pending);
	if (!relay->sink->ask(relay->sink->context, &command)) {
		give_up(relay, at);
		return;
	}
	pending_asked(&relay->pending, at, &command.command_id);
}

struct relay_answer
relay_unbound(struct relay *relay, uint32_t at, uint64_t now_us)
{
	assert(at < relay->pending.max);
	assert(relay->pending.items[at].used);
	const struct reply_to reply = relay->pending.items[at].reply;
	const struct name user = relay->pending.items[at].user;

	relay_note_refusal(relay, &reply, REFUSED_CAPACITY, &user, NULL, false, now_us);
	pending_release(&relay->pending, at);
	return relay_reply_error(relay, &reply, REFUSED_CAPACITY);
}

/* Reserved ports that are given up. */

static void
give_back(struct relay *relay, struct reservation *reservation)
{
	relay->sink->close(relay->sink->context, reservation->socket);
	reservations_remove(&relay->reservations, reservation);
}

void
relay_unreserve(struct relay *relay, const struct id *allocation)
{
	for (uint32_t i = 0; i < RESERVATIONS_MAX && relay->reservations.count > 0; i++) {
		struct reservation *reservation = &relay->reservations.items[i];
		if (!id_is_none(&reservation->allocation) &&
		    id_equal(&reservation->allocation, allocation)) {
			give_back(relay, reservation);
		}
	}
}

void
relay_unreserve_agent(struct relay *relay, const struct name *agent)
{
	for (uint32_t i = 0; i < RESERVATIONS_MAX && relay->reservations.count > 0; i++) {
		struct reservation *reservation = &relay->reservations.items[i];
		if (!id_is_none(&reservation->allocation) &&
		    credential_name_is_of(&reservation->user, agent)) {
			give_back(relay, reservation);
		}
	}
}

void
relay_reserve_tick(struct relay *relay, uint64_t now_us)
{
	for (uint32_t i = 0; i < RESERVATIONS_MAX && relay->reservations.count > 0; i++) {
		struct reservation *reservation = &relay->reservations.items[i];
		if (!id_is_none(&reservation->allocation) && reservation->until_us <= now_us) {
			give_back(relay, reservation);
		}
	}
}
