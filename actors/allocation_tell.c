/* What relays hear: answers, what time brought about, and at attach the whole of their view. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "actors/allocation.h"

enum {
	EVENT_BYTES_MAX = 1024, /* an encoded event of stream 2; the longest has one name */
	NOTICE_EVENTS_MAX = 48,
	NOTICE_BODY_BYTES = NOTICE_EVENTS_MAX * EVENT_BYTES_MAX,
};
_Static_assert((int)NOTICE_EVENTS_MAX > (int)EVENTS_PER_COMMAND_MAX, "a decision fits one notice");
_Static_assert((int)EVENT_BYTES_MAX > (int)NAME_BYTES_MAX + 400,
	       "ids, addresses and numbers beside the name");

/* Events on their way to one front, posted when the notice is full. */
struct bundle {
	struct outbox *outbox;
	uint64_t front;
	uint32_t count;
	struct mp_writer events;
	uint8_t memory[NOTICE_BODY_BYTES];
};

static void
bundle_begin(struct bundle *bundle, struct outbox *outbox, uint64_t front)
{
	bundle->outbox = outbox;
	bundle->front = front;
	bundle->count = 0;
	bundle->events = mp_writer_of(bundle->memory, sizeof bundle->memory);
}

/* Posts what gathered as an array of events; a notice without events has no body. */
static void
bundle_post(struct bundle *bundle, struct notice notice)
{
	uint8_t body[NOTICE_BODY_BYTES + 8];
	struct mp_writer w = mp_writer_of(body, sizeof body);

	if (bundle->count > 0) {
		mp_put_array(&w, bundle->count);
		mp_put_raw(&w, mp_written(&bundle->events));
	}
	assert(!bundle->events.bad);
	assert(!w.bad);
	outbox_post(bundle->outbox, bundle->front, &notice, mp_written(&w));
	bundle_begin(bundle, bundle->outbox, bundle->front);
}

static void
bundle_post_happened(struct bundle *bundle)
{
	if (bundle->count > 0) {
		bundle_post(bundle, (struct notice){ .type = NOTICE_HAPPENED,
						     .happened.count = bundle->count });
	}
}

static void
bundle_add(struct bundle *bundle, const struct event *event)
{
	event_write(&bundle->events, event);
	bundle->count++;
	if (bundle->count == NOTICE_EVENTS_MAX) {
		bundle_post_happened(bundle);
	}
}

/* Each relay hears of the ends of its own, and all of them may know a user. */
static bool
concerns(const struct allocation_state *state, const struct event *event, uint64_t front)
{
	const bool is_for_all = event->type == EVENT_USER_FORGOTTEN ||
				event->type == EVENT_TURN_AGENT_REVOKED ||
				event->type == EVENT_TURN_AGENT_RESTORED;

	return (is_for_all && fronts_is_known(&state->relays, front)) ||
	       (event->type == EVENT_TURN_ALLOCATION_ENDED &&
		event->turn_allocation_ended.relay == front);
}

/* What the sweep, the close, an expulsion or a revocation led to. */
static void
tell_ends(const struct allocation_state *state, const struct event_list *events,
	  struct outbox *outbox)
{
	struct bundle bundle;

	for (uint64_t front = 1; front <= RELAYS_MAX; front++) {
		bundle_begin(&bundle, outbox, front);
		for (uint32_t i = 0; i < events->count; i++) {
			const struct event *event = &events->items[i];
			if (concerns(state, event, front)) {
				bundle_add(&bundle, event);
			}
		}
		bundle_post_happened(&bundle);
	}
}

static struct event
event_about(const struct allocation *allocation, enum event_type type)
{
	return (struct event){ .type = type, .trace_id = allocation->trace };
}

static void
add_created(struct bundle *bundle, const struct allocation *allocation)
{
	struct event event = event_about(allocation, EVENT_TURN_ALLOCATION_CREATED);

	event.occurred_us = allocation->created_us;
	event.turn_allocation_created = (struct event_turn_allocation_created){
		.allocation = allocation->id,
		.user = allocation->user,
		.relay = allocation->relay,
		.transport = allocation->transport,
		.server = allocation->server,
		.relayed = allocation->relayed,
		.transaction = allocation->transaction,
		.expires_us = allocation->expires_us,
		.user_name = allocation->user_name,
		.client = allocation->client,
		.client_transport = allocation->client_transport,
		.relayed_also = allocation->relayed_also,
	};
	bundle_add(bundle, &event);
}

/* So that the view knows how often, and tells a used ticket. */
static void
add_moved(struct bundle *bundle, const struct allocation *allocation)
{
	struct event event = event_about(allocation, EVENT_TURN_ALLOCATION_MOVED);

	event.turn_allocation_moved = (struct event_turn_allocation_moved){
		.allocation = allocation->id,
		.user = allocation->user,
		.moves = allocation->moves,
		.server = allocation->server,
		.client_transport = allocation->client_transport,
		.transaction = allocation->transaction,
		.client = allocation->client,
		.relay = allocation->relay,
	};
	if (allocation->moves > 0) {
		bundle_add(bundle, &event);
	}
}

/* One that has ended is not told: the event that would rebuild it knows no end. */
static void
add_connection(struct bundle *bundle, const struct allocation *allocation, const struct peer *peer)
{
	struct event event = event_about(allocation, EVENT_TURN_CONNECTION_OPENED);

	event.turn_connection_opened = (struct event_turn_connection_opened){
		.allocation = allocation->id,
		.user = allocation->user,
		.number = peer->number,
		.peer = peer->address,
	};
	if (peer->expires_us == UINT64_MAX) {
		bundle_add(bundle, &event);
	}
}

/* What the log has of it, for who looks at it live: as one sum, of no peer. */
static void
add_usage(struct bundle *bundle, const struct allocation *allocation)
{
	struct event event = event_about(allocation, EVENT_TURN_RELAY_USAGE);

	event.turn_relay_usage = (struct event_turn_relay_usage){
		.allocation = allocation->id,
		.user = allocation->user,
		.packets_up = allocation->usage.packets_up,
		.bytes_up = allocation->usage.bytes_up,
		.packets_down = allocation->usage.packets_down,
		.bytes_down = allocation->usage.bytes_down,
	};
	if (allocation->usage.packets_up > 0 || allocation->usage.packets_down > 0) {
		bundle_add(bundle, &event);
	}
}

static void
add_peer(struct bundle *bundle, const struct allocation *allocation, const struct peer *peer)
{
	const bool is_channel = peer->channel != 0;
	struct event event = event_about(allocation, is_channel ? EVENT_TURN_CHANNEL_BOUND
								: EVENT_TURN_PERMISSION_INSTALLED);

	if (is_channel) {
		event.turn_channel_bound = (struct event_turn_channel_bound){
			.allocation = allocation->id,
			.user = allocation->user,
			.number = peer->number,
			.channel = peer->channel,
			.expires_us = peer->expires_us,
			.peer = peer->address,
		};
	} else {
		event.turn_permission_installed = (struct event_turn_permission_installed){
			.allocation = allocation->id,
			.user = allocation->user,
			.number = peer->number,
			.expires_us = peer->expires_us,
			.peer = peer->address,
		};
	}
	bundle_add(bundle, &event);
}

/* The move comes last: with it all of the row is there. */
static void
add_row(struct bundle *bundle, const struct allocation_state *state, uint32_t row)
{
	const struct allocation *allocation = &state->table.rows[row];

	add_created(bundle, allocation);
	add_usage(bundle, allocation);
	for (uint32_t at = allocation->peer_first; at != PEER_NONE;
	     at = state->table.peers[at].next) {
		const struct peer *peer = &state->table.peers[at];
		if (peer_kind_of(peer) == PEER_KIND_CONNECTION) {
			add_connection(bundle, allocation, peer);
		} else {
			add_peer(bundle, allocation, peer);
		}
	}
	add_moved(bundle, allocation);
}

void
allocation_greet(const void *opaque, uint64_t front, struct outbox *outbox)
{
	const struct allocation_state *state = opaque;
	const struct allocation_table *table = &state->table;
	struct bundle bundle;

	bundle_begin(&bundle, outbox, front);
	bundle_post(&bundle, (struct notice){ .type = NOTICE_HAPPENED, .happened.count = 0 });
	for (uint32_t i = 0; i < state->revoked->count; i++) {
		const struct revocation *revocation = &state->revoked->items[i];
		struct event event = { .type = EVENT_TURN_AGENT_REVOKED };

		event.turn_agent_revoked = (struct event_turn_agent_revoked){
			.agent = revocation->agent,
			.agent_name = revocation->name,
		};
		bundle_add(&bundle, &event);
	}
	for (uint32_t row = 0; row < table->rows_fresh; row++) {
		const struct allocation *allocation = &table->rows[row];

		if (!id_is_none(&allocation->id) && allocation->relay == front) {
			add_row(&bundle, state, row);
		}
	}
	bundle_post_happened(&bundle);
}

static void
tell_yield(const struct allocation_state *state, const struct command *command,
	   struct outbox *outbox)
{
	const struct command_move *c = &command->move;
	const uint32_t row = allocation_find(&state->table, &c->allocation);
	const struct notice notice = {
		.type = NOTICE_YIELD,
		.yield = { .allocation = c->allocation,
			   .moves = c->moves,
			   .relay = command->front,
			   .client = c->client,
			   .server = c->server,
			   .client_transport = c->client_transport,
			   .transaction = c->transaction,
			   .lifetime_s = c->lifetime_s,
			   .until_s = c->until_s },
	};

	outbox_post(outbox, state->table.rows[row].relay, &notice, (struct span){ 0 });
}

/* To the relay at which the allocation's client is now: all that it had at the other. */
static void
tell_moved(const struct allocation_state *state, const struct command *command,
	   struct outbox *outbox)
{
	const uint32_t row = allocation_find(&state->table, &command->move.allocation);
	struct bundle bundle;

	if (row != ROW_NONE && state->table.rows[row].relay == command->move.relay) {
		bundle_begin(&bundle, outbox, command->move.relay);
		add_row(&bundle, state, row);
		bundle_post_happened(&bundle);
	}
}

void
allocation_tell(const void *opaque, const struct command *command, struct span body,
		enum verdict verdict, const struct event_list *events, struct outbox *outbox)
{
	struct bundle bundle;

	(void)body;
	if (command->type == COMMAND_SWEEP || command->type == COMMAND_CLOSE ||
	    command->type == COMMAND_EXPEL || command->type == COMMAND_REVOKE) {
		tell_ends(opaque, events, outbox);
		return;
	}
	if (command->type == COMMAND_ATTACH || !front_is_valid(command->front)) {
		return;
	}
	if (verdict == ACCEPTED && allocation_is_called(opaque, command)) {
		tell_yield(opaque, command, outbox);
	}
	bundle_begin(&bundle, outbox, command->front);
	for (uint32_t i = 0; i < events->count; i++) {
		bundle_add(&bundle, &events->items[i]);
	}
	bundle_post(&bundle, (struct notice){ .type = NOTICE_DECIDED, .decided.verdict = verdict });
	if (command->type == COMMAND_MOVE && command->move.relay != 0 && events->count > 0) {
		tell_moved(opaque, command, outbox);
	}
}
