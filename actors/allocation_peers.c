/* Peers: who may send to a relayed address, and over which channel. */
#include <assert.h>
#include <string.h>

#include "actors/allocation_decide.h"
#include "protocol/turn.h"

static const uint64_t SECOND_US = 1000 * 1000;

/* CreatePermission, RFC 8656 section 10.2. */

void
allocation_permit_peers(const struct command_permit *permit,
			const struct address *out[PERMIT_PEERS_MAX])
{
	const struct address *peers[] = { &permit->peer1, &permit->peer2, &permit->peer3,
					  &permit->peer4, &permit->peer5, &permit->peer6,
					  &permit->peer7, &permit->peer8 };

	_Static_assert(sizeof peers / sizeof peers[0] == PERMIT_PEERS_MAX,
		       "the command has them all");
	memcpy(out, peers, sizeof peers);
}

/* The number for the permission of an address: its own if it is installed (or was by an event
 * emitted just before), else the next. */
static uint64_t
number_permission(const struct allocation_state *state, uint32_t row, const struct address *peer,
		  uint64_t now_us, const struct event_list *out, uint32_t *fresh)
{
	const uint32_t at = permission_find(&state->table, row, peer, now_us);

	if (at != PEER_NONE) {
		return state->table.peers[at].number;
	}
	for (uint32_t i = 0; i < out->count; i++) {
		const struct event_turn_permission_installed *e =
			&out->items[i].turn_permission_installed;
		if (address_equal_ip(&e->peer, peer)) {
			return e->number;
		}
	}
	return state->table.rows[row].peer_next_number + (*fresh)++;
}

static void
emit_permission(const struct allocation_state *state, uint32_t row, const struct address *peer,
		const struct command *command, uint32_t *fresh, struct event_list *out)
{
	const struct allocation *allocation = &state->table.rows[row];
	const uint64_t number = number_permission(state, row, peer, command->now_us, out, fresh);
	struct event_turn_permission_installed *e =
		&allocation_emit(out, EVENT_TURN_PERMISSION_INSTALLED, command, &allocation->trace)
			 ->turn_permission_installed;

	e->allocation = allocation->id;
	e->user = allocation->user;
	e->number = number;
	e->expires_us = command->now_us + PERMISSION_LIFETIME_S * SECOND_US;
	e->peer = *peer;
	e->peer.port = 0;
}

/* Room for `fresh` more permissions and, if there is one, a new channel. */
static bool
has_room(const struct allocation_state *state, uint32_t row, uint32_t fresh, uint32_t channels,
	 uint64_t now_us)
{
	const struct allocation_table *table = &state->table;

	return table->peers_max - table->peers_used >= fresh + channels &&
	       peer_count(table, row, PEER_KIND_PERMISSION, now_us) + fresh <=
		       PEERS_PER_ALLOCATION_MAX &&
	       peer_count(table, row, PEER_KIND_CHANNEL, now_us) + channels <=
		       PEERS_PER_ALLOCATION_MAX;
}

static enum verdict
check_peer(const struct allocation *allocation, const struct address *peer)
{
	if (peer->family == ADDRESS_NONE) {
		return REFUSED_MALFORMED;
	}
	return allocation_has_family(allocation, peer->family) ? ACCEPTED : REFUSED_PEER_FAMILY;
}

enum verdict
allocation_decide_permit(const struct allocation_state *state, const struct command *command,
			 struct event_list *out)
{
	const struct address *peers[PERMIT_PEERS_MAX];
	const uint32_t row = allocation_find_live(state, command, &command->permit.allocation);
	uint32_t fresh = 0;

	if (row == ROW_NONE) {
		return REFUSED_NO_ALLOCATION;
	}
	allocation_permit_peers(&command->permit, peers);
	for (size_t i = 0; i < PERMIT_PEERS_MAX && (i == 0 || peers[i]->family != ADDRESS_NONE);
	     i++) {
		const enum verdict verdict = check_peer(&state->table.rows[row], peers[i]);
		if (verdict != ACCEPTED) {
			return verdict;
		}
		emit_permission(state, row, peers[i], command, &fresh, out);
	}
	return has_room(state, row, fresh, 0, command->now_us) ? ACCEPTED : REFUSED_CAPACITY;
}

/* ChannelBind, RFC 8656 section 12.2. */

enum verdict
allocation_decide_bind(const struct allocation_state *state, const struct command *command,
		       struct event_list *out)
{
	const struct command_bind_channel *c = &command->bind_channel;
	const uint32_t row = allocation_find_live(state, command, &c->allocation);
	uint32_t fresh = 0;

	if (row == ROW_NONE) {
		return REFUSED_NO_ALLOCATION;
	}
	if (!turn_channel_is_valid(c->channel, state->limits.legacy_channels)) {
		return REFUSED_CHANNEL;
	}
	const struct allocation *allocation = &state->table.rows[row];
	const enum verdict verdict = check_peer(allocation, &c->peer);
	if (verdict != ACCEPTED) {
		return verdict;
	}
	/* The number must be free or this peer's, and the peer free or this number's. */
	const uint32_t at = channel_find(&state->table, row, (uint16_t)c->channel, command->now_us);
	if (at != channel_find_peer(&state->table, row, &c->peer, command->now_us)) {
		return REFUSED_CHANNEL;
	}
	emit_permission(state, row, &c->peer, command, &fresh, out);
	if (!has_room(state, row, fresh, at == PEER_NONE, command->now_us)) {
		return REFUSED_CAPACITY;
	}
	struct event *event =
		allocation_emit(out, EVENT_TURN_CHANNEL_BOUND, command, &allocation->trace);
	event->cause_back = 1;
	event->turn_channel_bound = (struct event_turn_channel_bound){
		.allocation = allocation->id,
		.user = allocation->user,
		.number = at != PEER_NONE ? state->table.peers[at].number
					  : allocation->peer_next_number + fresh,
		.channel = c->channel,
		.expires_us = command->now_us + CHANNEL_LIFETIME_S * SECOND_US,
		.peer = c->peer,
	};
	return ACCEPTED;
}
