/* Refresh, RFC 8656 section 8.2, and with a ticket, RFC 8016 section 3.2: who has moved shows it
 * and goes on with the allocation from where it is now.
 *
 * A move is made before it breaks: until the allocation actor has decided, the former address is
 * the client's, and what is refused changes nothing. From the decision on it is nobody's. */
#include "actors/relay_state.h"
#include "actors/relay_ticket.h"
#include "protocol/turn.h"

static uint64_t
lifetime_asked(const struct stun_message *message)
{
	return stun_has(message, STUN_LIFETIME) ? message->lifetime_s : ALLOCATION_LIFETIME_S;
}

static struct command
refresh_command(const struct relay *relay, const struct relay_request *request,
		const struct allocation *allocation, uint8_t family)
{
	return (struct command){
		.type = COMMAND_REFRESH,
		.trace_id = allocation->trace,
		.refresh = { .allocation = allocation->id,
			     .lifetime_s = lifetime_asked(request->message),
			     .until_s = relay_until_s(relay, &request->credential),
			     .family = family },
	};
}

/* One of two relayed addresses: refreshed, or given up while the other goes on. */
static struct relay_answer
refresh_one(struct relay *relay, const struct relay_request *request,
	    const struct allocation *allocation, uint8_t family)
{
	struct command command = refresh_command(relay, request, allocation, family);
	const bool gives_up = command.refresh.lifetime_s == 0;

	return relay_ask(relay, request, &command,
			 &(struct asked){ .allocation = allocation->id,
					  .gives_up = gives_up ? family : ADDRESS_NONE });
}

/* Nothing is relayed from here on, so that these reports are the last. */
static struct relay_answer
release(struct relay *relay, const struct relay_request *request, uint32_t row)
{
	const struct allocation *allocation = &relay->view->table.rows[row];
	struct command command = refresh_command(relay, request, allocation, ADDRESS_NONE);

	relay_row_releasing(relay, row, true);
	relay_report_row(relay, row, UINT64_MAX);
	const struct relay_answer answer =
		relay_ask(relay, request, &command,
			  &(struct asked){ .allocation = allocation->id, .releases = true });
	if (pending_find_command(&relay->pending, &command.command_id) == PENDING_NONE) {
		relay_row_releasing(relay, row, false);
	}
	return answer;
}

struct relay_answer
relay_handle_refresh(struct relay *relay, const struct relay_request *request, uint32_t row)
{
	const struct stun_message *message = request->message;
	const struct allocation *allocation = &relay->view->table.rows[row];
	const bool is_of_one = stun_has(message, STUN_REQUESTED_ADDRESS_FAMILY);
	const uint8_t family = turn_family(message->requested_family);

	if (is_of_one && !allocation_has_family(allocation, family)) {
		return relay_refuse(relay, request, REFUSED_PEER_FAMILY);
	}
	if (is_of_one && allocation->relayed_also.family != ADDRESS_NONE) {
		return refresh_one(relay, request, allocation, family);
	}
	if (lifetime_asked(message) == 0) {
		return release(relay, request, row);
	}
	struct command command = refresh_command(relay, request, allocation, ADDRESS_NONE);
	return relay_ask(relay, request, &command, &(struct asked){ .allocation = allocation->id });
}

static struct relay_answer
move(struct relay *relay, const struct relay_request *request, const struct allocation *allocation)
{
	const uint32_t listener = request->reply.listener;
	struct command command = {
		.type = COMMAND_MOVE,
		.trace_id = allocation->trace,
		.move = { .allocation = allocation->id,
			  .moves = allocation->moves,
			  .client = request->reply.client,
			  .server = relay->config.listeners[listener],
			  .client_transport = relay->config.transports[listener],
			  .transaction = request->reply.transaction,
			  .lifetime_s = lifetime_asked(request->message),
			  .until_s = relay_until_s(relay, &request->credential) },
	};

	return relay_ask(relay, request, &command, &(struct asked){ .allocation = allocation->id });
}

/* The row of the allocation a ticket names, if that is the asking user's and lives; else why not.
 */
static enum verdict
find_named(struct relay *relay, const struct relay_request *request, uint32_t *row,
	   struct ticket *named)
{
	const struct allocation_table *table = &relay->view->table;

	if (!relay->config.mobility) {
		return REFUSED_MOBILITY;
	}
	if (!ticket_names(request->message->values[STUN_MOBILITY_TICKET], &relay->integrity,
			  &relay->config.credentials.nonce_key, named)) {
		return REFUSED_TICKET;
	}
	*row = allocation_find(table, &named->allocation);
	if (*row == ROW_NONE || !allocation_is_live(&table->rows[*row], request->now_us) ||
	    relay->rows[*row].releasing) {
		return REFUSED_NO_ALLOCATION;
	}
	if (!name_equal(&table->rows[*row].user_name, &request->credential.user)) {
		return REFUSED_CREDENTIALS;
	}
	/* RFC 8016 is about datagrams: TCP connections with peers stay with their client's. */
	return table->rows[*row].transport == TURN_TRANSPORT_UDP ? ACCEPTED : REFUSED_MOBILITY;
}

/* We gave that ticket to this user, after the last that is heard here of its allocation: then it is
 * another relay's, or nobody's any more, which the actor knows. A client may be back before this
 * relay has heard where it had been. */
static bool
is_elsewhere(struct relay *relay, const struct relay_request *request, struct ticket named)
{
	const struct allocation_table *table = &relay->view->table;
	const uint32_t row = allocation_find(table, &named.allocation);

	named.user = request->credential.user;
	return (row == ROW_NONE || table->rows[row].moves < named.moves) &&
	       ticket_holds(request->message->values[STUN_MOBILITY_TICKET], &relay->integrity,
			    &relay->config.credentials.nonce_key, &named);
}

/* What it may have had there is given up: no allocation of its own is in its way. */
static bool
is_free(const struct relay *relay, uint32_t own)
{
	return own == ROW_NONE || relay->rows[own].releasing;
}

static bool
is_of_move(struct relay *relay, const struct relay_request *request,
	   const struct allocation *allocation, uint32_t moves)
{
	const struct ticket ticket = { allocation->id, moves, allocation->user_name };

	return ticket_holds(request->message->values[STUN_MOBILITY_TICKET], &relay->integrity,
			    &relay->config.credentials.nonce_key, &ticket);
}

struct relay_answer
relay_handle_ticket(struct relay *relay, const struct relay_request *request, uint32_t own)
{
	uint32_t row = ROW_NONE;
	struct ticket named;
	const enum verdict verdict = find_named(relay, request, &row, &named);

	/* Who only wants to end it moves first, or lets it expire. */
	if ((verdict == REFUSED_NO_ALLOCATION || verdict == ACCEPTED) && is_free(relay, own) &&
	    lifetime_asked(request->message) != 0 && is_elsewhere(relay, request, named)) {
		return relay_call_allocation(relay, request, &named.allocation, named.moves);
	}
	if (verdict != ACCEPTED) {
		return relay_refuse(relay, request, verdict);
	}
	const struct allocation *allocation = &relay->view->table.rows[row];
	const bool again = row == own && allocation->moves > 0 &&
			   relay_is_transaction_of(allocation, &request->reply) &&
			   is_of_move(relay, request, allocation, allocation->moves - 1);
	if (again) { /* its answer was lost */
		return relay_reply_success(relay, &request->reply, allocation,
					   (struct reply_wishes){ .ticket = true },
					   request->now_us);
	}
	if (!is_of_move(relay, request, allocation, allocation->moves)) {
		return relay_refuse(relay, request, REFUSED_TICKET); /* F15 */
	}
	if (row == own || lifetime_asked(request->message) == 0) {
		return relay_handle_refresh(relay, request, row);
	}
	if (own != ROW_NONE) {
		return relay_refuse(relay, request, REFUSED_NO_ALLOCATION);
	}
	return move(relay, request, allocation);
}
