/* The sockets of the view's rows: taken from the request that had them bound, moved to the next
 * view, bound again after a restart, closed with what they were for. */
#include <assert.h>

#include "actors/relay_state.h"

static const uint64_t PORT_US = 5 * 1000 * 1000; /* then a port that is waited for is lost */

static uint32_t
listener_of(const struct relay *relay, const struct allocation *allocation)
{
	for (uint32_t i = 0; i < relay->config.listener_count; i++) {
		if (relay->config.transports[i] == allocation->client_transport &&
		    address_equal(&relay->config.listeners[i], &allocation->server)) {
			return i;
		}
	}
	return LISTENER_NONE;
}

/* The socket that was bound for that address by this request; SOCKET_NONE. */
static uint32_t
socket_of(const struct pending *pending, const struct address *relayed, uint64_t transport)
{
	if (!pending->used || pending->transport != transport) {
		return SOCKET_NONE;
	}
	if (pending->socket != SOCKET_NONE && address_equal(&pending->relayed, relayed)) {
		return pending->socket;
	}
	return pending->socket_also != SOCKET_NONE && address_equal(&pending->relayed_also, relayed)
		       ? pending->socket_also
		       : SOCKET_NONE;
}

/* The socket that was bound for the Allocate whose answer this is. */
static uint32_t
socket_decided(const struct relay *relay, const struct address *relayed, uint64_t transport)
{
	return relay->deciding == PENDING_NONE
		       ? SOCKET_NONE
		       : socket_of(&relay->pending.items[relay->deciding], relayed, transport);
}

/* The socket that was bound for an Allocate that is still being decided, whichever it is. */
static uint32_t
socket_asked(const struct relay *relay, const struct address *relayed, uint64_t transport)
{
	for (uint32_t i = 0; i < relay->pending.max; i++) {
		const uint32_t socket = socket_of(&relay->pending.items[i], relayed, transport);
		if (socket != SOCKET_NONE) {
			return socket;
		}
	}
	return SOCKET_NONE;
}

static void
row_begin(struct relay *relay, uint32_t row)
{
	relay->rows[row] = (struct relay_row){
		.sockets = { SOCKET_NONE, SOCKET_NONE },
		.listener = listener_of(relay, &relay->view->table.rows[row]),
		.told = relay->view->table.rows[row].usage,
	};
}

static void
row_take_socket(struct relay *relay, uint32_t row, const struct address *relayed, uint32_t socket)
{
	if (relayed->family != ADDRESS_NONE && socket != SOCKET_NONE) {
		assert(socket < RELAY_SOCKETS_ALL);
		relay->rows[row].sockets[relayed->family == ADDRESS_IPV6] = socket;
		relay->socket_rows[socket] = row;
	}
}

static void
close_socket(struct relay *relay, uint32_t socket)
{
	if (socket != SOCKET_NONE) {
		relay->socket_rows[socket] = ROW_NONE;
		relay->sink->close(relay->sink->context, socket);
	}
}

void
relay_row_close(struct relay *relay, uint32_t row, uint8_t family)
{
	uint32_t *socket = &relay->rows[row].sockets[family == ADDRESS_IPV6];

	close_socket(relay, *socket);
	*socket = SOCKET_NONE;
}

static bool
is_bound(const struct relay_row *row)
{
	return row->sockets[0] != SOCKET_NONE || row->sockets[1] != SOCKET_NONE;
}

void
relay_row_take_bound(struct relay *relay, uint32_t row)
{
	const struct allocation *allocation = &relay->view->table.rows[row];

	row_begin(relay, row);
	row_take_socket(relay, row, &allocation->relayed,
			socket_decided(relay, &allocation->relayed, allocation->transport));
	row_take_socket(relay, row, &allocation->relayed_also,
			socket_decided(relay, &allocation->relayed_also, allocation->transport));
	/* Without one it comes from another relay, and the rest of it is on its way. */
	relay->rows[row].releasing = !is_bound(&relay->rows[row]);
}

/* With sockets it has moved within this relay. */
void
relay_row_moved(struct relay *relay, uint32_t row)
{
	relay->rows[row].listener = listener_of(relay, &relay->view->table.rows[row]);
	if (!is_bound(&relay->rows[row])) {
		relay_row_arrived(relay, row);
	}
}

/* Of a row of the former view; what it has no address for any more is closed. */
static void
move_socket(struct relay *relay, uint32_t now, const struct address *relayed, uint32_t socket)
{
	const bool is_held = relayed->family != ADDRESS_NONE && now != ROW_NONE &&
			     allocation_has_family(&relay->view->table.rows[now], relayed->family);

	if (is_held) {
		row_take_socket(relay, now, relayed, socket);
	} else {
		close_socket(relay, socket);
	}
}

/* What a relay knows of a row beyond the view. A row whose end is asked stays ended, with sockets
 * or, where it came from another relay, still without: the actor that was restarted decides it. */
static void
carry_row(struct relay *relay, uint32_t now, const struct relay_row *former)
{
	struct relay_row *own = &relay->rows[now];

	own->ending = former->ending;
	own->end = former->end;
	own->gone = former->gone;
	own->mobile = former->mobile;
	own->kill = former->kill;
	own->told = former->told;
	own->releasing = relay_row_is_ending(former);
}

/* Sockets move to the rows of the new view; what is in neither view nor question is closed. */
void
relay_rows_move(struct relay *relay, const struct allocation_state *old,
		const struct relay_row *old_rows)
{
	const struct allocation_table *table = &old->table;

	for (uint32_t row = 0; row < relay->view->table.rows_fresh; row++) {
		row_begin(relay, row);
	}
	for (uint32_t row = 0; row < table->rows_fresh; row++) {
		const struct allocation *allocation = &table->rows[row];
		const struct relay_row *former = &old_rows[row];
		if (id_is_none(&allocation->id)) {
			continue;
		}
		const uint32_t now = allocation_find(&relay->view->table, &allocation->id);
		if (now != ROW_NONE) {
			carry_row(relay, now, former);
		}
		move_socket(relay, now, &allocation->relayed,
			    relay_row_socket(former, allocation->relayed.family));
		if (allocation->relayed_also.family != ADDRESS_NONE) {
			move_socket(relay, now, &allocation->relayed_also,
				    relay_row_socket(former, allocation->relayed_also.family));
		}
	}
}

/* The address's socket again: from the request that is still being decided, or bound anew. */
static bool
open_socket(struct relay *relay, uint32_t row, const struct address *relayed)
{
	uint32_t socket;

	if (relayed->family == ADDRESS_NONE ||
	    relay_row_socket(&relay->rows[row], relayed->family) != SOCKET_NONE) {
		return true;
	}
	socket = socket_asked(relay, relayed, relay->view->table.rows[row].transport);
	if (socket == SOCKET_NONE) {
		socket = relay->sink->open(relay->sink->context, relayed);
	}
	row_take_socket(relay, row, relayed, socket);
	return socket != SOCKET_NONE;
}

/* A client of ours waits for it (relay_move.c). */
static bool
is_called(const struct relay *relay, const struct id *allocation)
{
	bool found = false;

	for (uint32_t i = 0; i < relay->pending.max && !found; i++) {
		const struct pending *pending = &relay->pending.items[i];
		found = pending->used && pending->calls &&
			id_equal(&pending->allocation, allocation);
	}
	return found;
}

static bool
bind_row(struct relay *relay, uint32_t row)
{
	const struct allocation *allocation = &relay->view->table.rows[row];

	return open_socket(relay, row, &allocation->relayed) &&
	       open_socket(relay, row, &allocation->relayed_also);
}

/* Nothing leaves by a socket that is not there. */
static bool
lose_port(struct relay *relay, uint32_t row)
{
	return relay_ask_end(relay, row, END_PORT_LOST);
}

/* The relay it came from, if it came from one, may not have closed its port yet. */
void
relay_row_wait(struct relay *relay, uint32_t row)
{
	struct relay_row *own = &relay->rows[row];
	const bool is_bound_now = bind_row(relay, row);

	own->waits_for_port = !is_bound_now && relay->view->table.rows[row].moves > 0;
	if (is_bound_now || own->waits_for_port) {
		own->releasing = own->waits_for_port || relay_row_is_ending(own);
		relay->owes_port |= own->waits_for_port;
	} else {
		lose_port(relay, row);
	}
}

static void
try_port(struct relay *relay, uint32_t row, uint64_t now_us)
{
	struct relay_row *own = &relay->rows[row];

	own->port_us = own->port_us == 0 ? now_us : own->port_us;
	relay_row_wait(relay, row);
	if (own->waits_for_port && now_us - own->port_us >= PORT_US) {
		own->waits_for_port = !lose_port(relay, row);
	}
}

void
relay_rows_tick(struct relay *relay, uint64_t now_us)
{
	if (!relay->owes_port) {
		return;
	}
	relay->owes_port = false;
	for (uint32_t row = 0; row < relay->view->table.rows_fresh; row++) {
		if (relay->rows[row].waits_for_port &&
		    !id_is_none(&relay->view->table.rows[row].id)) {
			try_port(relay, row, now_us);
		}
	}
}

/* Its client's connection closed with the relay that was here before this one. */
static bool
is_left_behind(const struct relay *relay, uint32_t row)
{
	const struct allocation *allocation = &relay->view->table.rows[row];

	return !is_bound(&relay->rows[row]) && !relay->rows[row].mobile &&
	       allocation->client_transport != CLIENT_UDP &&
	       socket_asked(relay, &allocation->relayed, allocation->transport) == SOCKET_NONE &&
	       !is_called(relay, &allocation->id);
}

/* All of its relayed addresses, or the allocation ends. */
void
relay_row_open(struct relay *relay, uint32_t row)
{
	if (relay_row_is_ending(&relay->rows[row])) {
		return; /* it needs none any more */
	}
	if (is_left_behind(relay, row)) {
		relay_end_gone(relay, row);
		return;
	}
	relay_row_wait(relay, row);
}

/* What was bound for a request and not taken. */
void
relay_socket_close_free(struct relay *relay, uint32_t socket)
{
	if (socket != SOCKET_NONE && relay->socket_rows[socket] == ROW_NONE) {
		close_socket(relay, socket);
	}
}
