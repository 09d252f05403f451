/* Requests: who asks is proved first, then what is asked is checked in the order of RFC 8656, and
 * what remains is the allocation actor's to decide. */
#include <assert.h>
#include <string.h>

#include "actors/relay_state.h"
#include "protocol/turn.h"

struct relay_answer
relay_refuse_peer(struct relay *relay, const struct relay_request *request, enum verdict verdict,
		  const struct address *peer)
{
	relay_note_refusal(relay, &request->reply, verdict, &request->credential.user, peer, false,
			   request->now_us);
	return relay_reply_error(relay, &request->reply, verdict);
}

struct relay_answer
relay_refuse(struct relay *relay, const struct relay_request *request, enum verdict verdict)
{
	return relay_refuse_peer(relay, request, verdict, NULL);
}

struct relay_answer
relay_ask(struct relay *relay, const struct relay_request *request, struct command *command,
	  const struct asked *asked)
{
	const uint32_t at = pending_claim(&relay->pending, &request->reply);

	if (at == PENDING_NONE) {
		return relay_drop(relay, RELAY_COUNT_PENDING_FULL);
	}
	struct pending *pending = &relay->pending.items[at];
	pending->allocation = asked->allocation;
	pending->releases = asked->releases;
	pending->gives_up = asked->gives_up;
	pending->calls = asked->calls;
	pending->wants_ticket = stun_has(request->message, STUN_MOBILITY_TICKET);
	pending->user = request->credential.user;
	assert(asked->peers <= PERMIT_PEERS_MAX);
	pending->peer_count = asked->peers;
	memcpy(pending->peers, request->message->peers, asked->peers * sizeof pending->peers[0]);
	pending->channel = command->type == COMMAND_BIND_CHANNEL ? request->message->channel : 0;
	if (!relay->sink->ask(relay->sink->context, command)) {
		pending_release(&relay->pending, at);
		return relay_drop(relay, RELAY_COUNT_PENDING_FULL);
	}
	pending_asked(&relay->pending, at, &command->command_id);
	return (struct relay_answer){ .action = RELAY_DROP };
}

uint64_t
relay_until_s(const struct relay *relay, const struct credential *credential)
{
	return relay->config.strict_expiry && credential->is_timed
		       ? credential->expires_s + CREDENTIAL_GRACE_S
		       : 0;
}

/* CreatePermission and ChannelBind, RFC 8656 sections 10.2 and 12.2. */

/* ACCEPTED, or why this peer may not be one. */
static enum verdict
check_peer(struct relay *relay, const struct allocation *allocation, const struct address *peer)
{
	if (!allocation_has_family(allocation, peer->family)) {
		return REFUSED_PEER_FAMILY;
	}
	if (!peer_is_allowed(peer_policy_decide(&relay->config.policy, peer).decision)) {
		return REFUSED_FORBIDDEN;
	}
	return ACCEPTED;
}

static void
put_peers(struct command_permit *permit, const struct stun_message *message)
{
	struct address *peers[PERMIT_PEERS_MAX] = { &permit->peer1, &permit->peer2, &permit->peer3,
						    &permit->peer4, &permit->peer5, &permit->peer6,
						    &permit->peer7, &permit->peer8 };

	for (size_t i = 0; i < message->peer_count; i++) {
		*peers[i] = message->peers[i];
		peers[i]->port = 0;
	}
}

static struct relay_answer
handle_permission(struct relay *relay, const struct relay_request *request, uint32_t row)
{
	const struct stun_message *message = request->message;
	const struct allocation *allocation = &relay->view->table.rows[row];
	struct command command = { .type = COMMAND_PERMIT,
				   .trace_id = allocation->trace,
				   .permit = { .allocation = allocation->id } };

	if (message->peer_count == 0) {
		return relay_refuse(relay, request, REFUSED_BAD_REQUEST);
	}
	/* All or nothing: one bad peer refuses the request (B13). */
	for (size_t i = 0; i < message->peer_count; i++) {
		const enum verdict verdict = check_peer(relay, allocation, &message->peers[i]);
		if (verdict != ACCEPTED) {
			return relay_refuse_peer(relay, request, verdict, &message->peers[i]);
		}
	}
	if (message->peer_count > PERMIT_PEERS_MAX || message->peers_too_many) {
		return relay_refuse(relay, request, REFUSED_CAPACITY);
	}
	put_peers(&command.permit, message);
	return relay_ask(
		relay, request, &command,
		&(struct asked){ .allocation = allocation->id, .peers = message->peer_count });
}

static struct relay_answer
handle_channel_bind(struct relay *relay, const struct relay_request *request, uint32_t row)
{
	const struct stun_message *message = request->message;
	const struct allocation *allocation = &relay->view->table.rows[row];

	/* Of datagrams alone (RFC 6062 section 5). */
	if (!stun_has(message, STUN_CHANNEL_NUMBER) || message->peer_count == 0 ||
	    allocation->transport != TURN_TRANSPORT_UDP) {
		return relay_refuse(relay, request, REFUSED_BAD_REQUEST);
	}
	if (!turn_channel_is_valid(message->channel, relay->config.limits.legacy_channels)) {
		const bool was_one = turn_channel_is_valid(message->channel, true);
		return relay_refuse(relay, request,
				    was_one ? REFUSED_CHANNEL_LEGACY : REFUSED_CHANNEL);
	}
	const enum verdict verdict = check_peer(relay, allocation, &message->peers[0]);
	if (verdict != ACCEPTED) {
		return relay_refuse_peer(relay, request, verdict, &message->peers[0]);
	}
	struct command command = {
		.type = COMMAND_BIND_CHANNEL,
		.trace_id = allocation->trace,
		.bind_channel = { .allocation = allocation->id,
				  .channel = message->channel,
				  .peer = message->peers[0] },
	};
	return relay_ask(relay, request, &command,
			 &(struct asked){ .allocation = allocation->id, .peers = 1 });
}

static struct relay_answer
handle_authenticated(struct relay *relay, const struct relay_request *request)
{
	const struct stun_message *message = request->message;

	if (message->unknown_count > 0) {
		relay_note_refusal(relay, &request->reply, REFUSED_UNKNOWN_ATTRIBUTE,
				   &request->credential.user, NULL, false, request->now_us);
		return relay_reply_unknown(relay, request);
	}
	if (message->malformed != 0) {
		return relay_refuse(relay, request, REFUSED_BAD_REQUEST);
	}
	const uint32_t row = relay_find_row(relay, request->reply.listener, &request->reply.client,
					    request->now_us);
	if (row != ROW_NONE &&
	    !name_equal(&relay->view->table.rows[row].user_name, &request->credential.user)) {
		return relay_refuse(relay, request, REFUSED_CREDENTIALS); /* 441, C10 */
	}
	if (message->method == TURN_ALLOCATE) {
		return relay_handle_allocate(relay, request);
	}
	if (message->method == TURN_CONNECTION_BIND) {
		return relay_handle_connection_bind(relay, request);
	}
	if (message->method == TURN_REFRESH && stun_has(message, STUN_MOBILITY_TICKET)) {
		return relay_handle_ticket(relay, request, row);
	}
	if (row == ROW_NONE || relay->rows[row].releasing) {
		return relay_refuse(relay, request, REFUSED_NO_ALLOCATION);
	}
	if (message->method == TURN_CONNECT) {
		return relay_handle_connect(relay, request, row);
	}
	if (message->method == TURN_REFRESH) {
		return relay_handle_refresh(relay, request, row);
	}
	return message->method == TURN_CREATE_PERMISSION ? handle_permission(relay, request, row)
							 : handle_channel_bind(relay, request, row);
}

/* The name a stranger gave, if it is fit for an audit. */
static struct name
claimed_user(const struct stun_message *message)
{
	struct name name = { 0 };

	if (stun_has(message, STUN_USERNAME)) {
		const struct span given = message->values[STUN_USERNAME];
		if (given.count <= NAME_BYTES_MAX && given.count > 0) {
			name_set(&name, (const char *)given.at, given.count);
		}
		if (!name_is_wellformed(&name)) {
			name = (struct name){ 0 };
		}
	}
	return name;
}

bool
relay_may_answer(struct relay *relay, const struct address *source, uint64_t now_us)
{
	const bool may = limit_take(&relay->limit, source, now_us);

	relay->counts[RELAY_COUNT_LIMITED] += !may;
	return may;
}

static struct relay_answer
challenge(struct relay *relay, const struct relay_request *request, enum verdict verdict)
{
	const struct stun_message *message = request->message;
	const struct name user = claimed_user(message);
	const bool bare = !stun_has(message, STUN_MESSAGE_INTEGRITY) &&
			  !stun_has(message, STUN_MESSAGE_INTEGRITY_SHA256);
	const bool ordinary =
		verdict == REFUSED_STALE_NONCE || (verdict == REFUSED_UNAUTHENTICATED && bare);

	if (!relay_may_answer(relay, &request->reply.client, request->now_us)) {
		return (struct relay_answer){ .action = RELAY_DROP };
	}
	relay_note_refusal(relay, &request->reply, verdict, &user, NULL, ordinary, request->now_us);
	return relay_reply_challenge(relay, request, verdict);
}

static struct relay_answer
handle_binding(struct relay *relay, const struct relay_request *request)
{
	if (!relay_may_answer(relay, &request->reply.client, request->now_us)) {
		return (struct relay_answer){ .action = RELAY_DROP };
	}
	if (request->message->unknown_count > 0) {
		return relay_reply_unknown(relay, request);
	}
	return relay_discovery_binding(relay, request);
}

static bool
is_our_method(uint16_t method)
{
	return method == TURN_ALLOCATE || method == TURN_REFRESH ||
	       method == TURN_CREATE_PERMISSION || method == TURN_CHANNEL_BIND ||
	       method == TURN_CONNECT || method == TURN_CONNECTION_BIND;
}

struct relay_answer
relay_handle_request(struct relay *relay, uint32_t listener, const struct address *source,
		     const struct stun_message *message, uint64_t now_us)
{
	struct relay_request request = {
		.message = message,
		.now_us = now_us,
		.reply = { .method = message->method,
			   .listener = listener,
			   .client = *source,
			   .transaction = message->transaction,
			   .fingerprint = stun_has(message, STUN_FINGERPRINT) },
	};

	relay->counts[RELAY_COUNT_REQUESTS]++;
	if (message->method == TURN_BINDING) {
		return handle_binding(relay, &request);
	}
	if (!is_our_method(message->method)) {
		return relay_drop(relay, RELAY_COUNT_NOT_STUN); /* A19 */
	}
	struct stun_message plain;
	if (relay_discovery_is_asked(message)) {
		plain = *message;
		relay_discovery_disown(&plain);
		request.message = message = &plain;
	}
	if (pending_find_request(&relay->pending, &request.reply) != PENDING_NONE) {
		return (struct relay_answer){
			.action = RELAY_DROP
		}; /* asked already: the answer will come */
	}
	const enum verdict verdict =
		credential_authenticate(&relay->config.credentials, &relay->integrity, message,
					source, now_us / 1000000, &request.credential);
	if (verdict != ACCEPTED) {
		return challenge(relay, &request, verdict);
	}
	if (relay_is_revoked(relay, &request.credential.user)) {
		return challenge(relay, &request, REFUSED_UNAUTHENTICATED);
	}
	request.reply.sign = !relay->config.credentials.open;
	request.reply.hash = request.credential.hash;
	request.reply.key = request.credential.key;
	return handle_authenticated(relay, &request);
}
