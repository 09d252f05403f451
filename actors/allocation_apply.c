/* The only way the state changes: each event is a fact, about which nothing is asked any more. What
 * does not fit the state can only come from a forged log; it is ignored, and the state's digest
 * tells. */
#include <assert.h>
#include <string.h>

#include "actors/allocation.h"

static void
note(struct allocation_state *state, uint64_t relay, const struct event *event)
{
	if (front_is_valid(relay)) {
		fronts_note(&state->relays, relay, &event->command_id);
	}
}

/* The row an event is about, with its relay's command noted; ROW_NONE if there is none. */
static uint32_t
find(struct allocation_state *state, const struct id *id, const struct event *event)
{
	const uint32_t row = allocation_find(&state->table, id);

	if (row != ROW_NONE) {
		note(state, state->table.rows[row].relay, event);
	}
	return row;
}

static void
apply_attached(struct allocation_state *state, const struct event *event)
{
	const struct event_relay_attached *e = &event->relay_attached;

	if (front_is_valid(e->relay)) {
		fronts_attach(&state->relays, e->relay, &e->instance);
	}
}

static void
apply_created(struct allocation_state *state, const struct event *event)
{
	const struct event_turn_allocation_created *e = &event->turn_allocation_created;
	const struct allocation_table *table = &state->table;

	if (id_is_none(&e->allocation) || id_is_none(&e->user) ||
	    table->rows_used == table->rows_max ||
	    allocation_find(table, &e->allocation) != ROW_NONE) {
		return;
	}
	note(state, e->relay, event);
	directory_note(state->names, DIRECTORY_USER, &e->user, &e->user_name);
	const struct allocation allocation = {
		.id = e->allocation,
		.user = e->user,
		.trace = event->trace_id,
		.user_name = e->user_name,
		.client = e->client,
		.server = e->server,
		.relayed = e->relayed,
		.relayed_also = e->relayed_also,
		.transaction = e->transaction,
		.relay = e->relay,
		.transport = e->transport,
		.client_transport = e->client_transport,
		.created_us = event->occurred_us,
		.expires_us = e->expires_us,
		.peer_next_number = 1,
	};
	allocation_claim(&state->table, &allocation);
}

static void
apply_refreshed(struct allocation_state *state, const struct event *event)
{
	const struct event_turn_allocation_refreshed *e = &event->turn_allocation_refreshed;
	const uint32_t row = find(state, &e->allocation, event);

	if (row != ROW_NONE) {
		peer_purge(&state->table, row, event->occurred_us);
		state->table.rows[row].expires_us = e->expires_us;
	}
}

static void
apply_moved(struct allocation_state *state, const struct event *event)
{
	const struct event_turn_allocation_moved *e = &event->turn_allocation_moved;
	const uint32_t row = find(state, &e->allocation, event);

	if (row == ROW_NONE || e->moves > UINT32_MAX || e->relay > RELAYS_MAX) {
		return;
	}
	struct allocation *allocation = &state->table.rows[row];
	const struct client_place place = {
		.relay = e->relay == 0 ? allocation->relay : e->relay,
		.client = e->client,
		.server = e->server,
		.transport = e->client_transport,
	};
	if (state->limits.relay != 0 && place.relay != state->limits.relay) {
		allocation_release(&state->table, row); /* out of this relay's view */
		return;
	}
	allocation_move(&state->table, row, &place);
	allocation->moves = (uint32_t)e->moves;
	allocation->transaction = e->transaction;
}

static void
apply_address_released(struct allocation_state *state, const struct event *event)
{
	const struct event_turn_address_released *e = &event->turn_address_released;
	const uint32_t row = find(state, &e->allocation, event);

	if (row != ROW_NONE && state->table.rows[row].relayed_also.family != ADDRESS_NONE) {
		allocation_drop_relayed(&state->table, row, &e->relayed);
	}
}

/* A permission or channel is installed or refreshed: known by its number, never by its address. */
static void
install(struct allocation_state *state, uint32_t row, const struct event *event, struct peer peer)
{
	struct allocation_table *table = &state->table;
	struct allocation *allocation = &table->rows[row];

	peer_purge(table, row, event->occurred_us);
	const uint32_t at = peer_find_number(table, row, peer.number);
	if (at != PEER_NONE) {
		table->peers[at].expires_us = peer.expires_us;
		return;
	}
	if (peer.number < allocation->peer_next_number || table->peers_used == table->peers_max) {
		return;
	}
	peer_claim(table, row, &peer);
	allocation->peer_next_number = peer.number + 1;
}

static void
apply_permission(struct allocation_state *state, const struct event *event)
{
	const struct event_turn_permission_installed *e = &event->turn_permission_installed;
	const uint32_t row = find(state, &e->allocation, event);

	if (row != ROW_NONE && e->number < UINT32_MAX) {
		install(state, row, event,
			(struct peer){ .expires_us = e->expires_us,
				       .address = e->peer,
				       .number = (uint32_t)e->number });
	}
}

static void
apply_channel(struct allocation_state *state, const struct event *event)
{
	const struct event_turn_channel_bound *e = &event->turn_channel_bound;
	const uint32_t row = find(state, &e->allocation, event);

	if (row != ROW_NONE && e->number < UINT32_MAX && e->channel >= CHANNEL_NUMBER_MIN &&
	    e->channel <= CHANNEL_NUMBER_LEGACY_MAX) {
		install(state, row, event,
			(struct peer){ .expires_us = e->expires_us,
				       .address = e->peer,
				       .number = (uint32_t)e->number,
				       .channel = (uint16_t)e->channel });
	}
}

static void
apply_connection(struct allocation_state *state, const struct event *event)
{
	const struct event_turn_connection_opened *e = &event->turn_connection_opened;
	const uint32_t row = find(state, &e->allocation, event);

	if (row != ROW_NONE && e->number < UINT32_MAX) {
		install(state, row, event,
			(struct peer){ .expires_us = UINT64_MAX,
				       .address = e->peer,
				       .number = (uint32_t)e->number,
				       .channel = PEER_CONNECTION });
	}
}

/* It is dead from here on, and leaves the table as everything does that has expired. */
static void
apply_peer_ended(struct allocation_state *state, const struct event *event,
		 const struct id *allocation, uint64_t number)
{
	const uint32_t row = find(state, allocation, event);
	const uint32_t at =
		row == ROW_NONE ? PEER_NONE : peer_find_number(&state->table, row, number);

	if (at != PEER_NONE && state->table.peers[at].expires_us > event->occurred_us) {
		state->table.peers[at].expires_us = event->occurred_us;
	}
}

static void
apply_usage(struct allocation_state *state, const struct event *event)
{
	const struct event_turn_relay_usage *e = &event->turn_relay_usage;
	const uint32_t row = find(state, &e->allocation, event);

	if (row != ROW_NONE) {
		struct usage *usage = &state->table.rows[row].usage;
		usage->packets_up += e->packets_up;
		usage->bytes_up += e->bytes_up;
		usage->packets_down += e->packets_down;
		usage->bytes_down += e->bytes_down;
	}
}

static void
apply_ended(struct allocation_state *state, const struct event *event)
{
	const struct event_turn_allocation_ended *e = &event->turn_allocation_ended;
	const uint32_t row = allocation_find(&state->table, &e->allocation);

	if (row == ROW_NONE) {
		return;
	}
	/* Expiry and shutdown are commands of the actor's own: their ids say nothing about the
	 * relay's. An expulsion may be either. */
	if (e->reason == END_RELEASED || e->reason == END_PORT_LOST ||
	    e->reason == END_CLIENT_GONE || e->reason == END_KILLED || e->reason == END_REVOKED) {
		note(state, e->relay, event);
	}
	allocation_release(&state->table, row);
}

static void
apply_refused(struct allocation_state *state, const struct event *event)
{
	const struct event_turn_request_refused *e = &event->turn_request_refused;
	const struct name day = directory_day(event->occurred_us);

	note(state, e->relay, event);
	if (!id_is_none(&e->day)) {
		directory_note(state->names, DIRECTORY_DAY, &e->day, &day);
	}
}

void
allocation_apply(void *opaque, const struct event *event)
{
	struct allocation_state *state = opaque;

	switch ((uint64_t)event->type) {
	case EVENT_RELAY_ATTACHED:
		apply_attached(state, event);
		break;
	case EVENT_TURN_ALLOCATION_CREATED:
		apply_created(state, event);
		break;
	case EVENT_TURN_ALLOCATION_REFRESHED:
		apply_refreshed(state, event);
		break;
	case EVENT_TURN_ALLOCATION_MOVED:
		apply_moved(state, event);
		break;
	case EVENT_TURN_ADDRESS_RELEASED:
		apply_address_released(state, event);
		break;
	case EVENT_TURN_PERMISSION_INSTALLED:
		apply_permission(state, event);
		break;
	case EVENT_TURN_CHANNEL_BOUND:
		apply_channel(state, event);
		break;
	case EVENT_TURN_PEER_FORBIDDEN:
		apply_peer_ended(state, event, &event->turn_peer_forbidden.allocation,
				 event->turn_peer_forbidden.number);
		break;
	case EVENT_TURN_CONNECTION_OPENED:
		apply_connection(state, event);
		break;
	case EVENT_TURN_CONNECTION_BOUND:
		find(state, &event->turn_connection_bound.allocation, event);
		break;
	case EVENT_TURN_CONNECTION_ENDED:
		apply_peer_ended(state, event, &event->turn_connection_ended.allocation,
				 event->turn_connection_ended.number);
		break;
	case EVENT_TURN_RELAY_USAGE:
		apply_usage(state, event);
		break;
	case EVENT_TURN_ALLOCATION_ENDED:
		apply_ended(state, event);
		break;
	case EVENT_TURN_REQUEST_REFUSED:
		apply_refused(state, event);
		break;
	case EVENT_USER_FORGOTTEN:
		directory_forget(state->names, &event->user_forgotten.user);
		revocations_take(state->revoked, &event->user_forgotten.user);
		break;
	case EVENT_TURN_AGENT_REVOKED:
		revocations_put(state->revoked, &event->turn_agent_revoked.agent,
				&event->turn_agent_revoked.agent_name);
		break;
	case EVENT_TURN_AGENT_RESTORED:
		revocations_take(state->revoked, &event->turn_agent_restored.agent);
		break;
	default:
		/* A state digest, or an event of another stream: nothing to remember. */
		break;
	}
}
