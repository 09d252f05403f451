/* ICMP errors about what was sent to a peer are told to the client (RFC 8656 section 11.5): in a
 * Data indication without data, only of peers that it may send to, and not often (THREATS E7). */
#include <string.h>

#include "actors/relay_state.h"
#include "protocol/turn.h"

enum { ICMP4_UNREACHABLE = 3, ICMP4_FRAGMENT = 4, ICMP4_EXCEEDED = 11 };
enum { ICMP6_UNREACHABLE = 1, ICMP6_TOO_BIG = 2, ICMP6_EXCEEDED = 3 };

/* RFC 8656 section 11.5: of the others nothing is told. */
static bool
is_told(const struct relay_icmp *icmp)
{
	if (icmp->peer.family == ADDRESS_IPV4) {
		return icmp->type == ICMP4_UNREACHABLE || icmp->type == ICMP4_EXCEEDED;
	}
	return icmp->peer.family == ADDRESS_IPV6 &&
	       (icmp->type == ICMP6_UNREACHABLE || icmp->type == ICMP6_TOO_BIG ||
		icmp->type == ICMP6_EXCEEDED);
}

/* Error data is the MTU of the next hop, and else nothing. */
static uint32_t
error_data(const struct relay_icmp *icmp)
{
	const bool says_mtu =
		icmp->peer.family == ADDRESS_IPV4
			? icmp->type == ICMP4_UNREACHABLE && icmp->code == ICMP4_FRAGMENT
			: icmp->type == ICMP6_TOO_BIG;

	return says_mtu ? icmp->mtu : 0;
}

/* RFC 8656 section 18.13: 16 bits of nothing, 7 of the type, 9 of the code, and the data. */
static void
put_icmp(struct stun_writer *w, const struct relay_icmp *icmp)
{
	const uint32_t data = error_data(icmp);
	const uint8_t value[8] = { 0,
				   0,
				   (uint8_t)(icmp->type << 1),
				   icmp->code,
				   (uint8_t)(data >> 24),
				   (uint8_t)(data >> 16),
				   (uint8_t)(data >> 8),
				   (uint8_t)data };

	stun_put(w, STUN_ICMP, value, sizeof value);
}

static struct relay_answer
indicate(struct relay *relay, uint32_t row, const struct relay_icmp *icmp)
{
	const struct id random = relay_fresh_id(relay);
	struct transaction transaction;

	memcpy(transaction.bytes, random.bytes, sizeof transaction.bytes);
	struct stun_writer w = stun_writer_of(relay->reply, sizeof relay->reply, TURN_DATA,
					      STUN_INDICATION, &transaction);
	stun_put_address(&w, STUN_XOR_PEER_ADDRESS, &icmp->peer);
	put_icmp(&w, icmp);
	return (struct relay_answer){ .action = RELAY_TO_CLIENT,
				      .from = relay->rows[row].listener,
				      .to = relay->view->table.rows[row].client,
				      .bytes = stun_written(&w) };
}

struct relay_answer
relay_handle_icmp(struct relay *relay, uint32_t socket, const struct relay_icmp *icmp,
		  uint64_t now_us)
{
	const uint32_t row = relay->socket_rows[socket];
	const struct allocation_table *table = &relay->view->table;
	const struct relay_answer drop = { .action = RELAY_DROP };

	if (row == ROW_NONE || relay->rows[row].releasing ||
	    relay->rows[row].listener == LISTENER_NONE ||
	    !allocation_is_live(&table->rows[row], now_us) || !is_told(icmp) ||
	    permission_find(table, row, &icmp->peer, now_us) == PEER_NONE ||
	    relay_is_forbidden(relay, &icmp->peer)) {
		return drop;
	}
	if (now_us < relay->rows[row].icmp_us) {
		return drop;
	}
	relay->rows[row].icmp_us = now_us + ICMP_INTERVAL_MS * 1000ull;
	return indicate(relay, row, icmp);
}
