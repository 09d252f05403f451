/* The data path: one datagram in, one out, over the view alone. No heap, no lock, no clock, no log.
 */
#include <assert.h>
#include <string.h>

#include "actors/relay_state.h"
#include "protocol/turn.h"

enum { INDICATIONS_PER_ID = 256 }; /* a fresh one costs an HMAC */

void
relay_count_up(struct relay *relay, uint32_t row, uint32_t peer, size_t bytes)
{
	relay->usage[peer].packets_up++;
	relay->usage[peer].bytes_up += bytes;
	relay->rows[row].dirty = true;
	relay->counts[RELAY_COUNT_PACKETS_UP]++;
	relay->counts[RELAY_COUNT_BYTES_UP] += bytes;
}

void
relay_count_down(struct relay *relay, uint32_t row, uint32_t peer, size_t bytes)
{
	relay->usage[peer].packets_down++;
	relay->usage[peer].bytes_down += bytes;
	relay->rows[row].dirty = true;
	relay->counts[RELAY_COUNT_PACKETS_DOWN]++;
	relay->counts[RELAY_COUNT_BYTES_DOWN] += bytes;
}

/* False: beyond max-bps, each way by itself. */
static inline bool
is_within_rate(struct relay *relay, struct bucket *bucket, size_t bytes, uint64_t now_us)
{
	return relay->config.bytes_per_s == 0 ||
	       bucket_take(bucket, relay->config.bytes_per_s, bytes, now_us);
}

/* A row over which data may flow: alive, and no release under way. */
static bool
is_open(const struct relay *relay, uint32_t row)
{
	return row != ROW_NONE && !relay->rows[row].releasing;
}

/* RFC 8656 section 12.6: to the channel's peer. The policy was asked when it was bound. */
static struct relay_answer
route_channel(struct relay *relay, uint32_t listener, const struct address *source,
	      struct span datagram, uint64_t now_us)
{
	struct channel_data channel;

	if (!turn_channel_read(datagram, &channel)) {
		return relay_drop(relay, RELAY_COUNT_NOT_STUN); /* A6, A7 */
	}
	const uint32_t row = relay_find_row(relay, listener, source, now_us);
	if (!is_open(relay, row)) {
		return relay_drop(relay, RELAY_COUNT_NO_ROUTE);
	}
	const struct allocation_table *table = &relay->view->table;
	const uint32_t peer = channel_find(table, row, channel.channel, now_us);
	if (peer == PEER_NONE) {
		return relay_drop(relay, RELAY_COUNT_NO_ROUTE);
	}
	if (relay_is_forbidden(relay, &table->peers[peer].address)) {
		return relay_drop(relay, RELAY_COUNT_DENIED); /* B14 */
	}
	const struct address *to = &table->peers[peer].address;
	const uint32_t socket = relay_row_socket(&relay->rows[row], to->family);
	if (socket >= RELAY_SOCKETS_MAX) { /* none, or one of TCP */
		return relay_drop(relay, RELAY_COUNT_NO_ROUTE);
	}
	if (!is_within_rate(relay, &relay->rows[row].up, channel.data.count, now_us)) {
		return relay_drop(relay, RELAY_COUNT_OVER_RATE);
	}
	relay_count_up(relay, row, peer, channel.data.count);
	return (struct relay_answer){
		.action = RELAY_TO_PEER, .from = socket, .to = *to, .bytes = channel.data
	};
}

/* RFC 8656 section 11.2. An indication that cannot be served is dropped: nobody waits for an
 * answer. */
static struct relay_answer
route_send(struct relay *relay, uint32_t listener, const struct address *source,
	   const struct stun_message *message, uint64_t now_us)
{
	const bool is_whole = message->peer_count > 0 && stun_has(message, STUN_DATA) &&
			      message->unknown_count == 0 && message->malformed == 0;

	if (message->method != TURN_SEND || !is_whole) {
		return relay_drop(relay, RELAY_COUNT_NOT_STUN);
	}
	const uint32_t row = relay_find_row(relay, listener, source, now_us);
	if (!is_open(relay, row)) {
		return relay_drop(relay, RELAY_COUNT_NO_ROUTE);
	}
	const struct address *to = &message->peers[0]; /* the first wins, A14 */
	const uint32_t peer = permission_find(&relay->view->table, row, to, now_us);
	if (peer == PEER_NONE || to->port == 0) {
		return relay_drop(relay, RELAY_COUNT_NO_ROUTE);
	}
	/* A permission is for an IP; our own ports on it are not for relaying (B8). */
	if (!peer_is_allowed(peer_policy_decide(&relay->config.policy, to).decision)) {
		return relay_drop(relay, RELAY_COUNT_DENIED);
	}
	const uint32_t socket = relay_row_socket(&relay->rows[row], to->family);
	if (socket >= RELAY_SOCKETS_MAX) { /* none, or one of TCP */
		return relay_drop(relay, RELAY_COUNT_NO_ROUTE);
	}
	if (!is_within_rate(relay, &relay->rows[row].up, message->values[STUN_DATA].count,
			    now_us)) {
		return relay_drop(relay, RELAY_COUNT_OVER_RATE);
	}
	relay_count_up(relay, row, peer, message->values[STUN_DATA].count);
	return (struct relay_answer){ .action = RELAY_TO_PEER,
				      .from = socket,
				      .to = *to,
				      .bytes = message->values[STUN_DATA],
				      .dont_fragment = stun_has(message, STUN_DONT_FRAGMENT) };
}

struct relay_answer
relay_handle_client(struct relay *relay, uint32_t listener, const struct address *source,
		    struct span datagram, uint64_t now_us)
{
	struct stun_message message;

	assert(listener < relay->config.listener_count);
	switch (stun_classify(datagram)) {
	case DATAGRAM_CHANNEL_DATA:
		return route_channel(relay, listener, source, datagram, now_us);
	case DATAGRAM_STUN:
		break;
	case DATAGRAM_DROP:
		return relay_drop(relay, RELAY_COUNT_NOT_STUN);
	}
	if (!stun_read(datagram, &message)) {
		return relay_drop(relay, RELAY_COUNT_NOT_STUN);
	}
	switch (message.class) {
	case STUN_REQUEST:
		return relay_handle_request(relay, listener, source, &message, now_us);
	case STUN_INDICATION:
		return route_send(relay, listener, source, &message, now_us);
	case STUN_SUCCESS:
	case STUN_ERROR:
		break;
	}
	return relay_drop(relay, RELAY_COUNT_NOT_STUN); /* never an answer to an answer, E6 */
}

static void
write_u16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* The transaction id of an indication is of no use to anybody and must only differ; and it tells
 * nothing, neither a seed nor how much is relayed. */
static struct transaction
next_indication(struct relay *relay)
{
	const uint32_t number = relay->indications++ % INDICATIONS_PER_ID;
	struct transaction transaction;

	if (number == 0) {
		relay->indication = relay_fresh_id(relay);
	}
	memcpy(transaction.bytes, relay->indication.bytes, sizeof transaction.bytes);
	transaction.bytes[0] ^= (uint8_t)number;
	return transaction;
}

/* Puts the head of a Data indication (RFC 8656 section 11.4) before the payload, and padding
 * behind. */
static struct span
wrap_data(struct relay *relay, const struct address *source, uint8_t *data, size_t count)
{
	uint8_t wire[ADDRESS_WIRE_MAX];
	const struct transaction transaction = next_indication(relay);
	const size_t padded = (count + 3) & ~(size_t)3;
	const size_t address_bytes = address_to_wire(wire, source, &transaction);
	const size_t head = STUN_HEADER_BYTES + 4 + address_bytes + 4;
	uint8_t *at = data - head;
	struct stun_writer w =
		stun_writer_of(at, STUN_HEADER_BYTES, TURN_DATA, STUN_INDICATION, &transaction);

	assert(head <= RELAY_HEADROOM);
	assert(!w.bad);
	write_u16(at + 2, head - STUN_HEADER_BYTES + padded);
	at += STUN_HEADER_BYTES;
	write_u16(at, stun_attribute_number(STUN_XOR_PEER_ADDRESS));
	write_u16(at + 2, address_bytes);
	memcpy(at + 4, wire, address_bytes);
	at += 4 + address_bytes;
	write_u16(at, stun_attribute_number(STUN_DATA));
	write_u16(at + 2, count);
	memset(data + count, 0, padded - count);
	return (struct span){ data - head, head + padded };
}

static struct span
wrap_channel(uint16_t channel, uint8_t *data, size_t count)
{
	turn_channel_write(data - CHANNEL_HEADER_BYTES, channel, count);
	return (struct span){ data - CHANNEL_HEADER_BYTES, CHANNEL_HEADER_BYTES + count };
}

struct relay_answer
relay_handle_peer(struct relay *relay, uint32_t socket, const struct address *source, uint8_t *data,
		  size_t count, uint64_t now_us)
{
	assert(socket < RELAY_SOCKETS_MAX);
	const uint32_t row = relay->socket_rows[socket];
	const struct allocation_table *table = &relay->view->table;

	if (!is_open(relay, row) || !allocation_is_live(&table->rows[row], now_us) ||
	    relay->rows[row].listener == LISTENER_NONE) {
		return relay_drop(relay, RELAY_COUNT_NO_ROUTE);
	}
	/* RFC 8656 section 11.3: the permission decides, and is per IP (F9). */
	const uint32_t permission = permission_find(table, row, source, now_us);
	if (permission == PEER_NONE || count > UINT16_MAX - RELAY_HEADROOM) {
		return relay_drop(relay, RELAY_COUNT_NO_ROUTE);
	}
	struct relay_answer answer = { .action = RELAY_TO_CLIENT,
				       .from = relay->rows[row].listener,
				       .to = table->rows[row].client };
	if (relay_is_forbidden(relay, source)) {
		return relay_drop(relay, RELAY_COUNT_DENIED); /* B14 */
	}
	const uint32_t channel = channel_find_peer(table, row, source, now_us);
	if (channel != PEER_NONE) {
		if (!is_within_rate(relay, &relay->rows[row].down, count, now_us)) {
			return relay_drop(relay, RELAY_COUNT_OVER_RATE);
		}
		relay_count_down(relay, row, channel, count);
		answer.bytes = wrap_channel(table->peers[channel].channel, data, count);
		return answer;
	}
	if (!peer_is_allowed(peer_policy_decide(&relay->config.policy, source).decision)) {
		return relay_drop(relay, RELAY_COUNT_DENIED);
	}
	if (!is_within_rate(relay, &relay->rows[row].down, count, now_us)) {
		return relay_drop(relay, RELAY_COUNT_OVER_RATE);
	}
	relay_count_down(relay, row, permission, count);
	answer.bytes = wrap_data(relay, source, data, count);
	return answer;
}
