/* Refresh, RFC 8656 section 8.2: an allocation lives longer, gives up one of its two relayed
 * addresses, ends, or goes on with a client that has moved (RFC 8016). */
#include <string.h>

#include "actors/allocation_decide.h"
#include "protocol/turn.h"

static void
emit_refreshed(const struct allocation_state *state, const struct allocation *allocation,
	       const struct command *command, uint64_t least_us, struct event_list *out)
{
	const uint64_t until_us = allocation_expires_us(state, command, command->refresh.lifetime_s,
							command->refresh.until_s);

	allocation_emit(out, EVENT_TURN_ALLOCATION_REFRESHED, command, &allocation->trace)
		->turn_allocation_refreshed = (struct event_turn_allocation_refreshed){
		.allocation = allocation->id,
		.expires_us = until_us > least_us ? until_us : least_us,
	};
}

/* Of one of two relayed addresses. Both have one end: a longer life for one is one for both, and
 * neither shortens the other's. The last address is released with its allocation, which the relay
 * asks for by naming none. */
static enum verdict
refresh_family(const struct allocation_state *state, const struct allocation *allocation,
	       const struct command *command, struct event_list *out)
{
	const uint64_t family = command->refresh.family;

	if (family > ADDRESS_IPV6 || !allocation_has_family(allocation, (uint8_t)family) ||
	    allocation->relayed_also.family == ADDRESS_NONE) {
		return REFUSED_PEER_FAMILY;
	}
	if (command->refresh.lifetime_s != 0) {
		emit_refreshed(state, allocation, command, allocation->expires_us, out);
		return ACCEPTED;
	}
	allocation_emit(out, EVENT_TURN_ADDRESS_RELEASED, command, &allocation->trace)
		->turn_address_released = (struct event_turn_address_released){
		.allocation = allocation->id,
		.relayed = allocation->relayed.family == family ? allocation->relayed
								: allocation->relayed_also,
	};
	return ACCEPTED;
}

enum verdict
allocation_decide_refresh(const struct allocation_state *state, const struct command *command,
			  struct event_list *out)
{
	const uint32_t row = allocation_find_live(state, command, &command->refresh.allocation);

	if (row == ROW_NONE) {
		return REFUSED_NO_ALLOCATION;
	}
	const struct allocation *allocation = &state->table.rows[row];
	if (command->refresh.family != ADDRESS_NONE) {
		return refresh_family(state, allocation, command, out);
	}
	if (command->refresh.lifetime_s == 0) {
		allocation_emit_end(allocation, END_RELEASED, command, out);
		return ACCEPTED;
	}
	emit_refreshed(state, allocation, command, 0, out);
	return ACCEPTED;
}

/* The relay at which its client is then. */
static uint64_t
relay_of(const struct command *command)
{
	return command->move.relay == 0 ? command->front : command->move.relay;
}

/* Where it wants to be there may be no other one, and room for one more of that source: asked when
 * its relay is called, and not again when that yields, for then it relays nothing any more. */
static enum verdict
check_place(const struct allocation_state *state, const struct command *command,
	    const struct allocation *allocation)
{
	const struct command_move *c = &command->move;
	const struct address from = address_source(&allocation->client);
	const struct address to = address_source(&c->client);
	const uint64_t quota = state->limits.address_quota;

	if (allocation_find_client(&state->table, &c->client, &c->server, c->client_transport,
				   relay_of(command)) != ROW_NONE) {
		return REFUSED_NO_ALLOCATION; /* 437 Allocation Mismatch */
	}
	if (quota > 0 && c->relay == 0 && !address_equal(&from, &to) &&
	    allocation_count_source(&state->table, &c->client, command->now_us) >= quota) {
		return REFUSED_QUOTA;
	}
	return ACCEPTED;
}

static enum verdict
check_move(const struct allocation_state *state, const struct command *command,
	   const struct allocation *allocation)
{
	const struct command_move *c = &command->move;

	if (c->client.family == ADDRESS_NONE || c->server.family == ADDRESS_NONE ||
	    c->client_transport > CLIENT_DTLS || c->lifetime_s == 0) {
		return REFUSED_MALFORMED;
	}
	if (c->moves != allocation->moves || allocation->moves >= ALLOCATION_MOVES_MAX) {
		return REFUSED_TICKET; /* each is good for one move (F15) */
	}
	/* RFC 8016 is about datagrams: TCP connections with peers stay with their client's. */
	if (allocation->transport != TURN_TRANSPORT_UDP) {
		return REFUSED_MOBILITY;
	}
	return check_place(state, command, allocation);
}

static void
emit_move(const struct allocation *allocation, const struct command *command,
	  struct event_list *out)
{
	const struct command_move *c = &command->move;

	allocation_emit(out, EVENT_TURN_ALLOCATION_MOVED, command, &allocation->trace)
		->turn_allocation_moved = (struct event_turn_allocation_moved){
		.allocation = allocation->id,
		.user = allocation->user,
		.moves = c->moves + 1,
		.server = c->server,
		.client_transport = c->client_transport,
		.transaction = c->transaction,
		.client_before = allocation->client,
		.client = c->client,
		.relay = relay_of(command),
	};
}

static struct event *
emit_lengthened(const struct allocation_state *state, const struct allocation *allocation,
		const struct command *command, struct event_list *out)
{
	const struct command_move *c = &command->move;
	struct event *event =
		allocation_emit(out, EVENT_TURN_ALLOCATION_REFRESHED, command, &allocation->trace);

	event->turn_allocation_refreshed = (struct event_turn_allocation_refreshed){
		.allocation = allocation->id,
		.expires_us = allocation_expires_us(state, command, c->lifetime_s, c->until_s),
	};
	return event;
}

bool
allocation_is_called(const struct allocation_state *state, const struct command *command)
{
	const uint32_t row = command->type == COMMAND_MOVE && command->move.relay == 0
				     ? allocation_find(&state->table, &command->move.allocation)
				     : ROW_NONE;

	return row != ROW_NONE && state->table.rows[row].relay != command->front;
}

static bool
has_moved_so(const struct allocation *allocation, const struct command *command)
{
	const struct command_move *c = &command->move;

	return allocation->relay == command->front && allocation->moves == c->moves + 1 &&
	       address_equal(&allocation->client, &c->client) &&
	       memcmp(&allocation->transaction, &c->transaction, sizeof c->transaction) == 0;
}

enum verdict
allocation_decide_move(const struct allocation_state *state, const struct command *command,
		       struct event_list *out)
{
	const uint32_t row = allocation_find(&state->table, &command->move.allocation);
	const struct allocation *allocation = row == ROW_NONE ? NULL : &state->table.rows[row];
	const bool is_called = allocation_is_called(state, command);

	if (allocation != NULL && has_moved_so(allocation, command)) {
		return ACCEPTED; /* called again after a crash, and it has come */
	}
	if (allocation == NULL || !allocation_is_live(allocation, command->now_us) ||
	    (allocation->relay != command->front && !is_called) ||
	    (command->move.relay != 0 && !fronts_is_known(&state->relays, command->move.relay))) {
		return REFUSED_NO_ALLOCATION;
	}
	const enum verdict verdict = check_move(state, command, allocation);
	if (verdict != ACCEPTED || is_called) {
		return verdict;
	}
	if (relay_of(command) == command->front) {
		emit_move(allocation, command, out);
		emit_lengthened(state, allocation, command, out)->cause_back = 1;
		return ACCEPTED;
	}
	/* The move comes last: from there on the other relay's commands are about it, and none of
	 * ours may be taken for one of those. */
	emit_lengthened(state, allocation, command, out);
	emit_move(allocation, command, out);
	return ACCEPTED;
}
