/* An allocation that goes from one relay to another with its client (RFC 8016), because the kernel
 * brought the client's Refresh there.
 *
 *   - The new relay believes the ticket and calls: a MOVE for an allocation that it does not have.
 *     The actor changes nothing, and has the relay that has it told to yield.
 *   - That one relays nothing more, reports what it has counted, hands its sockets over, and asks
 *     the MOVE itself. So all counts stand in the log before the allocation is another's.
 *   - The actor decides once. The old relay's row leaves its view; the new one hears the whole row,
 *     takes the sockets, and answers its client.
 *
 * The allocation is one relay's at every moment: whose `relay` says, in the log too. Whatever is
 * lost in between (a relay dies, two call at once) costs the client a retransmission of its
 * Refresh, which begins anew. The former 5-tuple is served until the old relay yields, not, as
 * within one relay, until the move is decided; from there on it is nobody's. */
#include <assert.h>

#include "actors/relay_state.h"
#include "protocol/turn.h"

static const uint64_t CALL_US = 1000 * 1000; /* then a retransmission calls again */

/* --- the relay that calls --- */

struct relay_answer
relay_call_allocation(struct relay *relay, const struct relay_request *request,
		      const struct id *allocation, uint32_t moves)
{
	const uint32_t listener = request->reply.listener;
	const struct stun_message *message = request->message;
	struct command command = {
		.type = COMMAND_MOVE,
		.move = { .allocation = *allocation,
			  .moves = moves,
			  .client = request->reply.client,
			  .server = relay->config.listeners[listener],
			  .client_transport = relay->config.transports[listener],
			  .transaction = request->reply.transaction,
			  .lifetime_s = stun_has(message, STUN_LIFETIME) ? message->lifetime_s
									 : ALLOCATION_LIFETIME_S,
			  .until_s = relay_until_s(relay, &request->credential) },
	};

	return relay_ask(relay, request, &command,
			 &(struct asked){ .allocation = *allocation, .calls = true });
}

void
relay_call_accepted(struct relay *relay, uint32_t pending, uint64_t now_us)
{
	struct pending *waiting = &relay->pending.items[pending];

	relay->called += waiting->called_us == 0;
	waiting->called_us = now_us;
}

static void
forget_call(struct relay *relay, uint32_t pending)
{
	assert(relay->called > 0);
	relay->called--;
	pending_release(&relay->pending, pending);
}

/* All of the row that this request asked for is there; ROW_NONE if not. */
static uint32_t
row_come(const struct relay *relay, const struct pending *pending)
{
	const uint32_t row = allocation_find(&relay->view->table, &pending->allocation);
	const struct allocation *allocation =
		row == ROW_NONE ? NULL : &relay->view->table.rows[row];

	return allocation != NULL && allocation->moves > 0 && !relay->rows[row].releasing &&
			       relay_is_transaction_of(allocation, &pending->reply)
		       ? row
		       : ROW_NONE;
}

static void
answer_call(struct relay *relay, const struct pending *pending, uint32_t row, uint64_t now_us)
{
	const struct relay_answer answer =
		relay_reply_success(relay, &pending->reply, &relay->view->table.rows[row],
				    (struct reply_wishes){ .ticket = true }, now_us);

	if (!pending->client_gone) {
		relay->sink->reply(relay->sink->context, answer.from, &answer.to, answer.bytes);
	}
}

void
relay_calls_settle(struct relay *relay, uint64_t now_us)
{
	for (uint32_t i = 0; relay->called > 0 && i < relay->pending.max; i++) {
		const struct pending *pending = &relay->pending.items[i];
		const uint32_t row = pending->used && pending->called_us != 0
					     ? row_come(relay, pending)
					     : ROW_NONE;
		if (row != ROW_NONE) {
			answer_call(relay, pending, row, now_us);
			forget_call(relay, i);
		}
	}
}

void
relay_row_arrived(struct relay *relay, uint32_t row)
{
	struct relay_row *own = &relay->rows[row];

	own->told = relay->view->table.rows[row].usage;
	own->mobile = true;
	relay_end_if_revoked(relay, row);
	if (!relay_row_is_ending(own)) {
		relay_row_wait(relay, row);
	}
}

/* --- the relay that yields --- */

static void
hand_sockets(struct relay *relay, uint32_t row, uint64_t to)
{
	for (size_t i = 0; i < 2; i++) {
		const uint32_t socket = relay->rows[row].sockets[i];
		if (socket != SOCKET_NONE) {
			relay->sink->hand(relay->sink->context, socket, to);
		}
	}
}

static bool
may_yield(const struct relay *relay, uint32_t row, const struct notice_yield *notice)
{
	return row != ROW_NONE && !relay->rows[row].releasing &&
	       relay->view->table.rows[row].moves == notice->moves &&
	       relay->view->table.rows[row].transport == TURN_TRANSPORT_UDP;
}

void
relay_handle_yield(struct relay *relay, const struct notice_yield *notice)
{
	const uint32_t row = allocation_find(&relay->view->table, &notice->allocation);
	const struct reply_to nobody = { .listener = LISTENER_NONE,
					 .client = notice->client,
					 .transaction = notice->transaction };
	struct command command = {
		.type = COMMAND_MOVE,
		.move = { .allocation = notice->allocation,
			  .moves = notice->moves,
			  .client = notice->client,
			  .server = notice->server,
			  .client_transport = notice->client_transport,
			  .transaction = notice->transaction,
			  .lifetime_s = notice->lifetime_s,
			  .until_s = notice->until_s,
			  .relay = notice->relay },
	};

	/* Said twice, by two relays, or too late: who called calls again. */
	const uint32_t at = may_yield(relay, row, notice) ? pending_claim(&relay->pending, &nobody)
							  : PENDING_NONE;
	if (at == PENDING_NONE) {
		return;
	}
	relay->rows[row].releasing = true;
	relay_report_row(relay, row, UINT64_MAX);
	if (relay->rows[row].dirty || !relay->sink->ask(relay->sink->context, &command)) {
		relay->rows[row].releasing = false;
		pending_release(&relay->pending, at);
		return;
	}
	hand_sockets(relay, row, notice->relay);
	pending_asked(&relay->pending, at, &command.command_id);
	relay->pending.items[at].allocation = notice->allocation;
	relay->pending.items[at].yields = true;
}

/* Refused: meanwhile the client has taken another allocation where it wanted to have this one. It
 * does not go on here, for a refusal is not durable: if the actor dies now, the same command may be
 * accepted by the next one, and what was relayed since would be nobody's to report. */
void
relay_yield_decided(struct relay *relay, uint32_t pending)
{
	const struct id allocation = relay->pending.items[pending].allocation;
	const uint32_t row = allocation_find(&relay->view->table, &allocation);

	pending_release(&relay->pending, pending);
	if (row != ROW_NONE && !relay_row_is_ending(&relay->rows[row])) {
		relay_end_gone(relay, row);
	}
}

void
relay_row_left(struct relay *relay, uint32_t row)
{
	relay_report_row(relay, row, UINT64_MAX);
	relay_row_close(relay, row, ADDRESS_IPV4);
	relay_row_close(relay, row, ADDRESS_IPV6);
}

void
relay_move_tick(struct relay *relay, uint64_t now_us)
{
	relay_rows_tick(relay, now_us);
	relay_calls_settle(relay, now_us);
	for (uint32_t i = 0; relay->called > 0 && i < relay->pending.max; i++) {
		const struct pending *pending = &relay->pending.items[i];
		if (pending->used && pending->called_us != 0 &&
		    now_us - pending->called_us >= CALL_US) {
			forget_call(relay, i);
		}
	}
}
