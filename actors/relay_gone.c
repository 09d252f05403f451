/* Clients whose connection closed (TCP, TLS, DTLS): what they held ends, once, and is accounted
 * for. */
#include <assert.h>

#include "actors/relay_state.h"

bool
relay_ask_end(struct relay *relay, uint32_t row, enum end_reason reason)
{
	const struct allocation *allocation = &relay->view->table.rows[row];
	struct relay_row *own = &relay->rows[row];
	struct command command = {
		.type = COMMAND_END,
		.trace_id = allocation->trace,
		.end = { .allocation = allocation->id, .reason = reason },
	};

	own->releasing = true;
	if (own->ending) {
		return true;
	}
	relay_report_row(relay, row, UINT64_MAX);
	own->ending = !own->dirty && relay->sink->ask(relay->sink->context, &command);
	own->end = command.command_id;
	return own->ending;
}

void
relay_end_gone(struct relay *relay, uint32_t row)
{
	relay->rows[row].gone = true;
	relay->owes_gone |= !relay_ask_end(relay, row, END_CLIENT_GONE);
}

void
relay_gone_tick(struct relay *relay)
{
	if (!relay->owes_gone) {
		return;
	}
	relay->owes_gone = false;
	for (uint32_t row = 0; row < relay->view->table.rows_fresh; row++) {
		if (relay->rows[row].gone && !id_is_none(&relay->view->table.rows[row].id)) {
			relay_end_gone(relay, row);
		}
	}
}

/* What it has asked and not heard of yet: an allocation that comes of it ends at once. */
static void
mark_pending(struct relay *relay, uint32_t listener, const struct address *client)
{
	uint32_t left = relay->pending.max - relay->pending.free_count;

	for (uint32_t i = 0; left > 0; i++) {
		struct pending *pending = &relay->pending.items[i];

		left -= pending->used;
		if (pending->used && pending->reply.listener == listener &&
		    address_equal(&pending->reply.client, client)) {
			pending->client_gone = true;
		}
	}
}

void
relay_client_gone(struct relay *relay, uint32_t listener, const struct address *client)
{
	assert(listener < relay->config.listener_count);
	assert(relay->config.transports[listener] != CLIENT_UDP);
	const uint32_t row = allocation_find_client(
		&relay->view->table, client, &relay->config.listeners[listener],
		relay->config.transports[listener], relay->config.number);

	mark_pending(relay, listener, client);
	relay_tcp_client_gone(relay, listener, client);
	if (row != ROW_NONE && !relay->rows[row].gone && !relay->rows[row].mobile) {
		relay_end_gone(relay, row);
	}
}

bool
relay_client_holds(const struct relay *relay, uint32_t listener, const struct address *client,
		   uint64_t now_us)
{
	return relay_find_row(relay, listener, client, now_us) != ROW_NONE ||
	       relay_tcp_of_client(relay, listener, client) != TCP_PEER_NONE;
}
