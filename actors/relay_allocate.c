/* Allocate, RFC 8656 section 7.2: its checks in the order of the RFC, then a bound socket, then the
 * question to the allocation actor. The relay binds the port before it asks: a port is a fact, and
 * only the relay can know it. */
#include <assert.h>
#include <string.h>

#include "actors/relay_state.h"
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
	switch (message->requested_family) {
	case TURN_FAMILY_IPV4:
		return ADDRESS_IPV4;
	case TURN_FAMILY_IPV6:
		return ADDRESS_IPV6;
	default:
		return ADDRESS_NONE;
	}
}

static bool
is_served(const struct relay *relay, uint8_t family)
{
	return (family == ADDRESS_IPV4 && relay->config.serves_ipv4) ||
	       (family == ADDRESS_IPV6 && relay->config.serves_ipv6);
}

static enum verdict
check(const struct relay *relay, const struct stun_message *message)
{
	if (!stun_has(message, STUN_REQUESTED_TRANSPORT)) {
		return REFUSED_BAD_REQUEST;
	}
	if (message->transport != TURN_TRANSPORT_UDP) {
		return REFUSED_TRANSPORT;
	}
	if (is_contradictory(message)) {
		return REFUSED_BAD_REQUEST;
	}
	if (stun_has(message, STUN_RESERVATION_TOKEN)) {
		return REFUSED_CAPACITY; /* we reserve nothing, so no token is good */
	}
	if (!is_served(relay, family_of(message))) {
		return REFUSED_FAMILY;
	}
	if (stun_has(message, STUN_EVEN_PORT) && message->even_port_reserve) {
		return REFUSED_CAPACITY;
	}
	return ACCEPTED;
}

static struct relay_answer
refuse(struct relay *relay, const struct relay_request *request, enum verdict verdict)
{
	relay_note_refusal(relay, &request->reply, verdict, &request->credential.user, NULL, false,
			   request->now_us);
	return relay_reply_error(relay, &request->reply, verdict);
}

/* DONT-FRAGMENT is treated as an attribute we do not know (F11). */
static struct relay_answer
refuse_dont_fragment(struct relay *relay, const struct relay_request *request)
{
	struct stun_message message = *request->message;
	const struct relay_request copy = { &message, request->now_us, request->reply,
					    request->credential };

	message.unknown_count = 1;
	message.unknown[0] = stun_attribute_number(STUN_DONT_FRAGMENT);
	relay_note_refusal(relay, &request->reply, REFUSED_UNKNOWN_ATTRIBUTE,
			   &request->credential.user, NULL, false, request->now_us);
	return relay_reply_unknown(relay, &copy);
}

static bool
is_same_transaction(const struct allocation *allocation, const struct relay_request *request)
{
	return memcmp(allocation->transaction.bytes, request->reply.transaction.bytes,
		      sizeof allocation->transaction.bytes) == 0;
}

static struct relay_answer
want_socket(struct relay *relay, const struct relay_request *request)
{
	const struct stun_message *message = request->message;
	const uint32_t at = pending_claim(&relay->pending, &request->reply);

	if (at == PENDING_NONE) {
		return relay_drop(relay, RELAY_COUNT_PENDING_FULL);
	}
	struct pending *pending = &relay->pending.items[at];
	pending->user = request->credential.user;
	pending->trace = request->credential.trace;
	pending->lifetime_s = message->lifetime_s;
	pending->wants_ipv6_as_well = stun_has(message, STUN_ADDITIONAL_ADDRESS_FAMILY);
	return (struct relay_answer){
		.action = RELAY_BIND,
		.from = request->reply.listener,
		.pending = at,
		.family = family_of(message),
		.even_port = stun_has(message, STUN_EVEN_PORT),
	};
}

struct relay_answer
relay_handle_allocate(struct relay *relay, const struct relay_request *request)
{
	const struct stun_message *message = request->message;
	const uint32_t row = relay_find_row(relay, request->reply.listener, &request->reply.client,
					    request->now_us);

	if (row != ROW_NONE) {
		const struct allocation *allocation = &relay->view->table.rows[row];
		if (!is_same_transaction(allocation, request)) {
			return refuse(relay, request, REFUSED_NO_ALLOCATION); /* 437, F2 */
		}
		return relay_reply_success(relay, &request->reply, allocation, false,
					   stun_has(message, STUN_ADDITIONAL_ADDRESS_FAMILY),
					   request->now_us);
	}
	if (stun_has(message, STUN_REQUESTED_TRANSPORT) && stun_has(message, STUN_DONT_FRAGMENT) &&
	    message->transport == TURN_TRANSPORT_UDP) {
		return refuse_dont_fragment(relay, request);
	}
	const enum verdict verdict = check(relay, message);
	if (verdict != ACCEPTED) {
		return refuse(relay, request, verdict);
	}
	return want_socket(relay, request);
}

/* An expired allocation of this client still holds its place until the sweep: the actor ends it
 * when it decides this, so its usage must be told before. */
static void
report_expired(struct relay *relay, const struct reply_to *reply)
{
	const struct allocation_table *table = &relay->view->table;
	const uint32_t row = allocation_find_client(table, &reply->client,
						    &relay->config.listeners[reply->listener],
						    relay->config.number);

	if (row != ROW_NONE) {
		relay_report_row(relay, row, UINT64_MAX);
	}
}

void
relay_bound(struct relay *relay, uint32_t at, uint32_t socket, const struct address *relayed)
{
	assert(at < relay->pending.max);
	struct pending *pending = &relay->pending.items[at];
	const struct reply_to reply = pending->reply;

	assert(pending->used);
	assert(!pending->asked);
	report_expired(relay, &reply);
	pending->socket = socket;
	pending->relayed = *relayed;
	pending->allocation = relay_fresh_id(relay);
	struct command command = {
		.type = COMMAND_ALLOCATE,
		.trace_id = id_is_none(&pending->trace) ? relay_fresh_id(relay) : pending->trace,
		.allocate = { .allocation = pending->allocation,
			      .user = relay_fresh_id(relay),
			      .user_name = pending->user,
			      .client = reply.client,
			      .server = relay->config.listeners[reply.listener],
			      .relayed = *relayed,
			      .transaction = reply.transaction,
			      .transport = TURN_TRANSPORT_UDP,
			      .lifetime_s = pending->lifetime_s },
	};
	if (!relay->sink->ask(relay->sink->context, &command)) {
		relay->sink->close(relay->sink->context, socket);
		pending_release(&relay->pending, at);
		relay->counts[RELAY_COUNT_PENDING_FULL]++;
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
