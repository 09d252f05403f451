/* What becomes of TCP connections with peers (RFC 6062) once they are asked for: decided, bound,
 * counted, ended. An end is silent at once, and closes when it is durable. */
#include <assert.h>

#include "actors/relay_state.h"

static const uint64_t SECOND_US = 1000000;

/* Forgets it; the worldly half closes what is there of it. */
static void
drop(struct relay *relay, uint32_t number)
{
	tcp_peers_release(&relay->tcp, number);
	relay->sink->tcp->close(relay->sink->context, number);
}

static void
send(struct relay *relay, const struct relay_answer *answer)
{
	relay->sink->reply(relay->sink->context, answer->from, &answer->to, answer->bytes);
}

/* --- the end --- */

static bool
ask_end(struct relay *relay, uint32_t number)
{
	struct tcp_peer *peer = tcp_peer_at(&relay->tcp, number);
	struct command command = {
		.type = COMMAND_END_CONNECTION,
		.trace_id = relay->view->table.rows[peer->row].trace,
		.end_connection = { .allocation = peer->allocation,
				    .number = relay->view->table.peers[peer->at].number,
				    .reason = peer->reason },
	};

	relay_report_row(relay, peer->row, UINT64_MAX);
	if (relay->rows[peer->row].dirty || !relay->sink->ask(relay->sink->context, &command)) {
		return false; /* a tick tries again */
	}
	tcp_peers_ask(&relay->tcp, number, &command.command_id);
	return true;
}

/* Silent from here on; closed when its end is durable. */
static void
begin_end(struct relay *relay, uint32_t number, enum connection_end reason)
{
	struct tcp_peer *peer = tcp_peer_at(&relay->tcp, number);
	const struct id none = { { 0 } };

	tcp_peers_ask(&relay->tcp, number, &none);
	peer->stage = TCP_ENDING;
	peer->reason = reason;
	ask_end(relay, number);
}

void
relay_tcp_ended(struct relay *relay, uint32_t number, enum connection_end reason)
{
	const enum tcp_stage stage = tcp_peer_at(&relay->tcp, number)->stage;

	if (stage == TCP_WAITING || stage == TCP_BINDING || stage == TCP_FLOWING) {
		begin_end(relay, number, reason);
	}
}

void
relay_tcp_client_gone(struct relay *relay, uint32_t listener, const struct address *client)
{
	const uint32_t number = tcp_peers_find_client(&relay->tcp, listener, client);

	if (number != TCP_PEER_NONE) {
		tcp_peers_unbind(&relay->tcp, number);
		relay_tcp_ended(relay, number, CONNECTION_END_CLIENT);
	}
}

void
relay_tcp_allocation_ended(struct relay *relay, const struct id *allocation)
{
	uint32_t number;

	while ((number = tcp_peers_first(&relay->tcp, allocation)) != TCP_PEER_NONE) {
		drop(relay, number);
	}
}

void
relay_tcp_forbidden(struct relay *relay, const struct id *allocation, uint64_t now_us)
{
	uint32_t number = tcp_peers_first(&relay->tcp, allocation);

	while (number != TCP_PEER_NONE) {
		const struct tcp_peer *peer = &relay->tcp.items[number];
		const uint32_t next = tcp_peers_next(&relay->tcp, number);
		const struct allocation_table *table = &relay->view->table;
		if (peer->stage >= TCP_WAITING &&
		    (table->peers[peer->at].expires_us <= now_us ||
		     !allocation_has_family(&table->rows[peer->row], peer->peer.family))) {
			drop(relay, number);
		}
		number = next;
	}
}

/* --- what is decided --- */

static void
opened(struct relay *relay, uint32_t number, uint64_t now_us)
{
	struct tcp_peer *peer = tcp_peer_at(&relay->tcp, number);
	const struct allocation_table *table = &relay->view->table;
	const uint32_t row = allocation_find(table, &peer->allocation);
	const uint32_t at =
		row == ROW_NONE ? PEER_NONE : connection_find(table, row, &peer->peer, now_us);

	if (at == PEER_NONE) {
		drop(relay, number); /* its allocation ended meanwhile */
		return;
	}
	peer->row = row;
	peer->at = at;
	peer->stage = TCP_WAITING;
	peer->since_us = now_us;
	const struct relay_answer answer =
		peer->attempted
			? relay_indicate_attempt(relay, row, &peer->peer, peer->connection_id)
			: relay_reply_connection(relay, &peer->reply, peer->connection_id);
	send(relay, &answer);
}

static void
refused(struct relay *relay, uint32_t number, enum verdict verdict, uint64_t now_us)
{
	struct tcp_peer *peer = tcp_peer_at(&relay->tcp, number);

	if (!peer->attempted || peer->stage == TCP_BINDING) {
		relay_note_refusal(relay, &peer->reply, verdict, &peer->user, &peer->peer, false,
				   now_us);
		const struct relay_answer answer = relay_reply_error(relay, &peer->reply, verdict);
		send(relay, &answer);
	}
	if (peer->stage != TCP_BINDING) {
		drop(relay, number);
		return;
	}
	const uint32_t listener = peer->listener;
	const struct address client = peer->client;
	tcp_peers_unbind(&relay->tcp, number);
	peer->stage = TCP_WAITING;
	relay->sink->tcp->resume(relay->sink->context, listener, &client);
}

static void
bound(struct relay *relay, uint32_t number)
{
	struct tcp_peer *peer = tcp_peer_at(&relay->tcp, number);
	const struct relay_answer answer = relay_reply_connection(relay, &peer->reply, 0);

	peer->stage = TCP_FLOWING;
	send(relay, &answer);
	relay->sink->tcp->join(relay->sink->context, number, peer->listener, &peer->client);
}

void
relay_tcp_decided(struct relay *relay, const struct id *command, enum verdict verdict,
		  uint64_t now_us)
{
	const struct id none = { { 0 } };
	const uint32_t number = tcp_peers_find_command(&relay->tcp, command);

	if (number == TCP_PEER_NONE) {
		return;
	}
	tcp_peers_ask(&relay->tcp, number, &none);
	switch (tcp_peer_at(&relay->tcp, number)->stage) {
	case TCP_OPENING:
		if (verdict == ACCEPTED) {
			opened(relay, number, now_us);
		} else {
			refused(relay, number, verdict, now_us);
		}
		break;
	case TCP_BINDING:
		if (verdict == ACCEPTED) {
			bound(relay, number);
		} else {
			refused(relay, number, verdict, now_us);
		}
		break;
	case TCP_ENDING:
		drop(relay, number);
		break;
	case TCP_CONNECTING:
	case TCP_FAILED:
	case TCP_WAITING:
	case TCP_FLOWING:
		break;
	}
}

/* A new view: what it does not know has ended. What is being asked is asked again by the line, and
 * decided anew. */
void
relay_tcp_view_taken(struct relay *relay, uint64_t now_us)
{
	const struct allocation_table *table = &relay->view->table;

	for (uint32_t number = 0; number < TCP_PEERS_MAX; number++) {
		struct tcp_peer *peer = &relay->tcp.items[number];

		if (!peer->used) {
			continue;
		}
		const uint32_t row = allocation_find(table, &peer->allocation);
		const bool is_known = peer->stage >= TCP_WAITING;
		const uint32_t at = row == ROW_NONE || !is_known
					    ? PEER_NONE
					    : connection_find(table, row, &peer->peer, now_us);
		if (row == ROW_NONE || (is_known && at == PEER_NONE)) {
			drop(relay, number);
			continue;
		}
		peer->row = row;
		peer->at = at;
	}
}

/* --- time, and the data --- */

static void
tick_peer(struct relay *relay, uint32_t number, uint64_t now_us)
{
	struct tcp_peer *peer = tcp_peer_at(&relay->tcp, number);
	const uint64_t waited_us = now_us - peer->since_us;

	switch (peer->stage) {
	case TCP_CONNECTING:
	case TCP_FAILED:
		if (waited_us >= TCP_CONNECT_S * SECOND_US) {
			refused(relay, number, REFUSED_CONNECTION_FAILED, now_us);
		}
		break;
	case TCP_WAITING:
		if (waited_us >= TCP_BIND_S * SECOND_US) {
			begin_end(relay, number, CONNECTION_END_UNUSED);
		}
		break;
	case TCP_ENDING:
		if (id_is_none(&peer->command)) {
			ask_end(relay, number);
		}
		break;
	case TCP_OPENING:
	case TCP_BINDING:
	case TCP_FLOWING:
		break;
	}
}

void
relay_tcp_tick(struct relay *relay, uint64_t now_us)
{
	for (uint32_t number = 0; number < TCP_PEERS_MAX && tcp_peers_used(&relay->tcp) > 0;
	     number++) {
		if (relay->tcp.items[number].used) {
			tick_peer(relay, number, now_us);
		}
	}
}

uint32_t
relay_tcp_of_client(const struct relay *relay, uint32_t listener, const struct address *client)
{
	return tcp_peers_find_client(&relay->tcp, listener, client);
}

bool
relay_tcp_flows(const struct relay *relay, uint32_t number)
{
	const struct tcp_peer *peer = &relay->tcp.items[number];

	assert(number < TCP_PEERS_MAX);
	return peer->used && peer->stage == TCP_FLOWING && !relay->rows[peer->row].releasing &&
	       !relay_is_forbidden(relay, &peer->peer);
}

static struct bucket *
bucket_of(struct relay *relay, uint32_t number, bool up)
{
	struct relay_row *row = &relay->rows[tcp_peer_at(&relay->tcp, number)->row];

	return up ? &row->up : &row->down;
}

bool
relay_tcp_has_rate(struct relay *relay, uint32_t number, bool up, uint64_t now_us)
{
	assert(relay->tcp.items[number].stage == TCP_FLOWING);
	return relay->config.bytes_per_s == 0 ||
	       bucket_has(bucket_of(relay, number, up), relay->config.bytes_per_s, now_us);
}

void
relay_tcp_passed(struct relay *relay, uint32_t number, bool up, size_t bytes, uint64_t now_us)
{
	const struct tcp_peer *peer = tcp_peer_at(&relay->tcp, number);

	assert(peer->stage == TCP_FLOWING);
	if (relay->config.bytes_per_s != 0) {
		bucket_take_all(bucket_of(relay, number, up), relay->config.bytes_per_s, bytes,
				now_us);
	}
	if (up) {
		relay_count_up(relay, peer->row, peer->at, bytes);
	} else {
		relay_count_down(relay, peer->row, peer->at, bytes);
	}
}
