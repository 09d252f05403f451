/* The view: what the allocation actor tells, applied; usage that is told before anything forgets
 * it; the answers that come of it. */
#include <assert.h>
#include <string.h>

#include "actors/relay_state.h"
#include "protocol/turn.h"

bool
relay_is_transaction_of(const struct allocation *allocation, const struct reply_to *to)
{
	return memcmp(&allocation->transaction, &to->transaction, sizeof to->transaction) == 0;
}

uint32_t
relay_find_row(const struct relay *relay, uint32_t listener, const struct address *client,
	       uint64_t now_us)
{
	const struct allocation_table *table = &relay->view->table;
	const uint32_t row =
		allocation_find_client(table, client, &relay->config.listeners[listener],
				       relay->config.transports[listener], relay->config.number);

	return row != ROW_NONE && allocation_is_live(&table->rows[row], now_us) &&
			       !relay->rows[row].gone
		       ? row
		       : ROW_NONE;
}

void
relay_row_releasing(struct relay *relay, uint32_t row, bool releasing)
{
	relay->rows[row].releasing = releasing;
}

/* The allocation an event is about, if its row exists in the view. */
static uint32_t
row_of(const struct relay *relay, const struct event *event)
{
	const struct allocation_table *table = &relay->view->table;

	switch ((uint64_t)event->type) {
	case EVENT_TURN_ALLOCATION_REFRESHED:
		return allocation_find(table, &event->turn_allocation_refreshed.allocation);
	case EVENT_TURN_ALLOCATION_MOVED:
		return allocation_find(table, &event->turn_allocation_moved.allocation);
	case EVENT_TURN_ADDRESS_RELEASED:
		return allocation_find(table, &event->turn_address_released.allocation);
	case EVENT_TURN_PERMISSION_INSTALLED:
		return allocation_find(table, &event->turn_permission_installed.allocation);
	case EVENT_TURN_CHANNEL_BOUND:
		return allocation_find(table, &event->turn_channel_bound.allocation);
	case EVENT_TURN_PEER_FORBIDDEN:
		return allocation_find(table, &event->turn_peer_forbidden.allocation);
	case EVENT_TURN_CONNECTION_OPENED:
		return allocation_find(table, &event->turn_connection_opened.allocation);
	case EVENT_TURN_CONNECTION_ENDED:
		return allocation_find(table, &event->turn_connection_ended.allocation);
	case EVENT_TURN_ALLOCATION_ENDED:
		return allocation_find(table, &event->turn_allocation_ended.allocation);
	case EVENT_TURN_ALLOCATION_CREATED:
		return allocation_find(table, &event->turn_allocation_created.allocation);
	default:
		return ROW_NONE;
	}
}

static void
apply_created(struct relay *relay, const struct event *event)
{
	const bool known = row_of(relay, event) != ROW_NONE;

	allocation_apply(relay->view, event);
	const uint32_t row = row_of(relay, event);
	if (!known && row != ROW_NONE) {
		relay_row_take_bound(relay, row);
		relay_end_if_expelled(relay, row);
	}
}

static void
apply_ended(struct relay *relay, const struct event *event)
{
	const uint32_t row = row_of(relay, event);

	if (row != ROW_NONE) {
		relay_report_row(relay, row, UINT64_MAX);
		relay_usage_forget(relay, row);
		relay_row_close(relay, row, ADDRESS_IPV4);
		relay_row_close(relay, row, ADDRESS_IPV6);
		relay_tcp_allocation_ended(relay, &event->turn_allocation_ended.allocation);
	}
	allocation_apply(relay->view, event);
}

/* Its END was refused: it is another relay's, or nobody's. The notice that said so came under the
 * id of a command that had been refused before the actor was restarted, and was taken for that
 * one's (link.c). */
static void
forget_row(struct relay *relay, const struct id *command_id)
{
	const struct allocation_table *table = &relay->view->table;

	for (uint32_t row = 0; row < table->rows_fresh; row++) {
		if (!id_is_none(&table->rows[row].id) && relay->rows[row].ending &&
		    id_equal(&relay->rows[row].end, command_id)) {
			const struct event ended = {
				.type = EVENT_TURN_ALLOCATION_ENDED,
				.turn_allocation_ended = { .allocation = table->rows[row].id,
							   .reason = END_EXPIRED },
			};
			apply_ended(relay, &ended);
			return;
		}
	}
}

/* The allocation has gone with its client to another relay. */
static bool
is_elsewhere(const struct relay *relay, const struct event *event)
{
	const uint64_t to = event->turn_allocation_moved.relay;

	return to != 0 && to != relay->config.number;
}

/* apply purges what has ended; what was counted for it is reported before. */
static void
apply(struct relay *relay, const struct event *event)
{
	if (event->type == EVENT_TURN_ALLOCATION_CREATED) {
		apply_created(relay, event);
		return;
	}
	if (event->type == EVENT_TURN_ALLOCATION_ENDED) {
		apply_ended(relay, event);
		return;
	}
	const uint32_t row = row_of(relay, event);
	if (row != ROW_NONE) {
		relay_report_row(relay, row, event->occurred_us);
	}
	if (event->type == EVENT_TURN_ALLOCATION_MOVED && row != ROW_NONE &&
	    is_elsewhere(relay, event)) {
		relay_row_left(relay, row);
	}
	allocation_apply(relay->view, event);
	if (event->type == EVENT_TURN_ADDRESS_RELEASED && row != ROW_NONE) {
		relay_report_row(relay, row, UINT64_MAX); /* they are dead before their time */
		relay_row_close(relay, row, event->turn_address_released.relayed.family);
		relay_tcp_forbidden(relay, &event->turn_address_released.allocation,
				    event->occurred_us);
	} else if (event->type == EVENT_TURN_AGENT_REVOKED) {
		relay_kill_agent(relay, &event->turn_agent_revoked.agent_name, END_REVOKED);
	} else if (event->type == EVENT_TURN_ALLOCATION_MOVED && row != ROW_NONE &&
		   !is_elsewhere(relay, event)) {
		relay_row_moved(relay, row);
	} else if (event->type == EVENT_TURN_PERMISSION_INSTALLED) {
		relay_enforce_installed(relay, &event->turn_permission_installed.peer);
	} else if (event->type == EVENT_TURN_CHANNEL_BOUND) {
		relay_enforce_installed(relay, &event->turn_channel_bound.peer);
	} else if (event->type == EVENT_TURN_PEER_FORBIDDEN) {
		relay_tcp_forbidden(relay, &event->turn_peer_forbidden.allocation,
				    event->occurred_us);
	}
}

static void
apply_body(struct relay *relay, struct span body)
{
	struct mp_reader r = mp_reader_of(body);
	struct event event;

	if (body.count == 0) {
		return;
	}
	for (size_t left = mp_get_array(&r, EVENTS_PER_APPEND_MAX); left > 0 && !r.bad; left--) {
		event_read(&r, &event);
		if (r.bad) {
			return;
		}
		if (relay->greeting) {
			allocation_apply(relay->next, &event);
		} else {
			apply(relay, &event);
		}
	}
}

/* A restarted relay gets its ports back; releases that are still asked go on holding the data back.
 */
static void
complete_rows(struct relay *relay)
{
	const struct allocation_table *table = &relay->view->table;

	for (uint32_t row = 0; row < table->rows_fresh; row++) {
		if (!id_is_none(&table->rows[row].id)) {
			relay_row_open(relay, row);
		}
	}
	for (uint32_t i = 0; i < relay->pending.max; i++) {
		const struct pending *pending = &relay->pending.items[i];
		const uint32_t row =
			pending->used ? allocation_find(table, &pending->allocation) : ROW_NONE;
		if (row != ROW_NONE && (pending->releases || pending->yields)) {
			relay->rows[row].releasing = true;
		}
	}
}

static void
end_revoked(struct relay *relay)
{
	for (uint32_t row = 0; row < relay->view->table.rows_fresh; row++) {
		relay_end_if_revoked(relay, row);
	}
}

static void
take_view(struct relay *relay, uint64_t now_us)
{
	struct allocation_state *old = relay->view;
	struct relay_row *old_rows = relay->rows;

	relay_report_all(relay);
	relay->expelled = (struct name){ 0 }; /* said again after the greeting, if it still is */
	relay->expel_owed = (struct id){ { 0 } };
	relay->view = relay->next;
	relay->next = old;
	relay->rows = relay->spare_rows;
	relay->spare_rows = old_rows;
	relay->greeting = false;
	relay->has_view = true;
	relay->forbidding = true; /* the policy may have changed since these peers were permitted */
	relay_rows_move(relay, old, old_rows);
	relay_usage_carry(relay, old, old_rows);
	complete_rows(relay);
	relay_tcp_view_taken(relay, now_us);
	end_revoked(relay);
	allocation_clear(old);
}

/* The row that shows that the request was accepted; ROW_NONE if nothing does. A command that was
 * refused before the actor was restarted looks accepted after it, without having had its effect. */
static uint32_t
row_shown(const struct relay *relay, const struct pending *pending, uint64_t now_us)
{
	const struct allocation_table *table = &relay->view->table;
	const struct reply_to *to = &pending->reply;
	uint32_t row = allocation_find(table, &pending->allocation);

	if (row == ROW_NONE && to->method == TURN_ALLOCATE) {
		/* The same request had been accepted before this relay was restarted; another one
		 * of this client's stands in its way. */
		row = relay_find_row(relay, to->listener, &to->client, now_us);
		return row != ROW_NONE && relay_is_transaction_of(&table->rows[row], to) ? row
											 : ROW_NONE;
	}
	for (size_t i = 0; row != ROW_NONE && i < pending->peer_count; i++) {
		if (permission_find(table, row, &pending->peers[i], now_us) == PEER_NONE) {
			return ROW_NONE;
		}
	}
	const bool wants_channel = row != ROW_NONE && pending->channel != 0;
	return wants_channel && channel_find(table, row, pending->channel, now_us) == PEER_NONE
		       ? ROW_NONE
		       : row;
}

/* The answer to the client, from the view that has just been changed. */
static struct relay_answer
answer_pending(struct relay *relay, const struct pending *pending, enum verdict verdict,
	       uint64_t now_us)
{
	const struct allocation_table *table = &relay->view->table;
	const struct reply_to *to = &pending->reply;
	const bool released = pending->releases;

	if (verdict != ACCEPTED) {
		relay_note_refusal(relay, to, verdict, &pending->user, NULL, false, now_us);
		return relay_reply_error(relay, to, verdict);
	}
	const uint32_t row = row_shown(relay, pending, now_us);
	/* "Accepted" without its effect: it was decided before a crash, and refused then. */
	if ((row == ROW_NONE) != released) {
		return relay_reply_error(relay, to,
					 pending->peer_count > 0 ? REFUSED_SERVER_ERROR
								 : REFUSED_NO_ALLOCATION);
	}
	const struct reply_wishes wishes = {
		.released = released || pending->gives_up != ADDRESS_NONE,
		.both = pending->wants_both,
		.ticket = pending->wants_ticket,
	};
	return relay_reply_success(relay, to, row == ROW_NONE ? NULL : &table->rows[row], wishes,
				   now_us);
}

static void
handle_decided(struct relay *relay, const struct notice *notice, uint64_t now_us)
{
	const uint32_t at = relay->deciding;
	enum verdict verdict;

	if (!verdict_from_number(notice->decided.verdict, &verdict)) {
		verdict = REFUSED_SERVER_ERROR;
	}
	if (at == PENDING_NONE) {
		/* A TCP connection with a peer, a report, an end, or a relay before this one asked.
		 */
		if (verdict == REFUSED_NO_ALLOCATION) {
			forget_row(relay, &notice->command_id);
		}
		relay_tcp_decided(relay, &notice->command_id, verdict, now_us);
		return;
	}
	const struct pending *pending = &relay->pending.items[at];
	const uint32_t row = allocation_find(&relay->view->table, &pending->allocation);
	if (pending->yields) {
		relay_yield_decided(relay, at);
		return;
	}
	if (pending->calls && verdict == ACCEPTED) {
		relay_call_accepted(relay, at, now_us);
		relay_calls_settle(relay, now_us);
		return;
	}
	if (row != ROW_NONE && pending->releases) {
		/* Refused, or the row would be gone. */
		relay->rows[row].releasing = relay_row_is_ending(&relay->rows[row]);
	}
	if (row != ROW_NONE && pending->client_gone && !relay->rows[row].gone) {
		relay_end_gone(relay, row);
	}
	const struct relay_answer answer = answer_pending(relay, pending, verdict, now_us);
	relay_socket_close_free(relay, pending->socket);
	relay_socket_close_free(relay, pending->socket_also);
	if (pending->reserves && row == ROW_NONE) {
		relay_unreserve(relay, &pending->allocation);
	}
	const bool is_heard = !pending->client_gone;
	pending_release(&relay->pending, at);
	if (is_heard) {
		relay->sink->reply(relay->sink->context, answer.from, &answer.to, answer.bytes);
	}
}

void
relay_handle_notice(struct relay *relay, const struct notice *notice, struct span body,
		    uint64_t now_us)
{
	if (notice->type == NOTICE_HAPPENED && notice->happened.count == 0) {
		allocation_clear(relay->next);
		relay->greeting = true;
		return;
	}
	if (notice->type == NOTICE_WELCOME) {
		if (relay->greeting) {
			take_view(relay, now_us);
			relay_calls_settle(relay, now_us);
		}
		return;
	}
	if (notice->type == NOTICE_EXPEL) {
		relay_handle_expel(relay, &notice->expel, &notice->command_id, now_us);
		return;
	}
	if (notice->type == NOTICE_YIELD) {
		relay_handle_yield(relay, &notice->yield);
		return;
	}
	if (notice->type != NOTICE_DECIDED) {
		apply_body(relay, body);
		relay_calls_settle(relay, now_us);
		return;
	}
	relay->deciding = pending_find_command(&relay->pending, &notice->command_id);
	apply_body(relay, body);
	handle_decided(relay, notice, now_us);
	relay->deciding = PENDING_NONE;
}
