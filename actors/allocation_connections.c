/* TCP connections of an allocation with its peers (RFC 6062): the relay has made or taken them, and
 * has checked what only it knows; here they are counted and written down. */
#include "actors/allocation_decide.h"
#include "protocol/turn.h"

enum verdict
allocation_decide_open(const struct allocation_state *state, const struct command *command,
		       struct event_list *out)
{
	const struct command_open_connection *c = &command->open_connection;
	const struct allocation_table *table = &state->table;
	const uint32_t row = allocation_find_live(state, command, &c->allocation);

	if (row == ROW_NONE || table->rows[row].transport != TURN_TRANSPORT_TCP) {
		return REFUSED_NO_ALLOCATION;
	}
	if (c->peer.family == ADDRESS_NONE || c->attempted > 1) {
		return REFUSED_MALFORMED;
	}
	const struct allocation *allocation = &table->rows[row];
	if (!allocation_has_family(allocation, c->peer.family)) {
		return REFUSED_PEER_FAMILY;
	}
	if (connection_find(table, row, &c->peer, command->now_us) != PEER_NONE) {
		return REFUSED_CONNECTION_EXISTS;
	}
	if (peer_count(table, row, PEER_KIND_CONNECTION, command->now_us) >=
		    TCP_PEERS_PER_ALLOCATION_MAX ||
	    table->peers_used == table->peers_max) {
		return REFUSED_CAPACITY;
	}
	allocation_emit(out, EVENT_TURN_CONNECTION_OPENED, command, &allocation->trace)
		->turn_connection_opened = (struct event_turn_connection_opened){
		.allocation = allocation->id,
		.user = allocation->user,
		.number = allocation->peer_next_number,
		.attempted = c->attempted,
		.peer = c->peer,
	};
	return ACCEPTED;
}

/* The asking relay's own live connection of that number. */
static bool
is_connection(const struct allocation_state *state, const struct command *command, uint32_t row,
	      uint64_t number)
{
	const uint32_t at = peer_find_number(&state->table, row, number);

	return at != PEER_NONE && peer_kind_of(&state->table.peers[at]) == PEER_KIND_CONNECTION &&
	       state->table.peers[at].expires_us > command->now_us;
}

enum verdict
allocation_decide_bind_connection(const struct allocation_state *state,
				  const struct command *command, struct event_list *out)
{
	const struct command_bind_connection *c = &command->bind_connection;
	const uint32_t row = allocation_find_live(state, command, &c->allocation);

	if (row == ROW_NONE || !is_connection(state, command, row, c->number)) {
		return REFUSED_BAD_REQUEST; /* 400, RFC 6062 section 5.4 */
	}
	if (c->client.family == ADDRESS_NONE || c->client_transport > CLIENT_DTLS) {
		return REFUSED_MALFORMED;
	}
	const struct allocation *allocation = &state->table.rows[row];
	allocation_emit(out, EVENT_TURN_CONNECTION_BOUND, command, &allocation->trace)
		->turn_connection_bound = (struct event_turn_connection_bound){
		.allocation = allocation->id,
		.user = allocation->user,
		.number = c->number,
		.client_transport = c->client_transport,
		.client = c->client,
	};
	return ACCEPTED;
}

/* Also of an allocation that has expired and is not swept yet. */
enum verdict
allocation_decide_end_connection(const struct allocation_state *state,
				 const struct command *command, struct event_list *out)
{
	const struct command_end_connection *c = &command->end_connection;
	const uint32_t row = allocation_find(&state->table, &c->allocation);

	if (row == ROW_NONE || state->table.rows[row].relay != command->front) {
		return REFUSED_NO_ALLOCATION;
	}
	if (c->reason < CONNECTION_END_PEER || c->reason > CONNECTION_END_UNUSED) {
		return REFUSED_MALFORMED;
	}
	if (!is_connection(state, command, row, c->number)) {
		return ACCEPTED; /* it has ended already, or this was asked twice */
	}
	allocation_emit(out, EVENT_TURN_CONNECTION_ENDED, command, &state->table.rows[row].trace)
		->turn_connection_ended = (struct event_turn_connection_ended){
		.allocation = c->allocation,
		.number = c->number,
		.reason = c->reason,
	};
	return ACCEPTED;
}
