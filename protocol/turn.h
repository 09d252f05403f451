/* The numbers of TURN (RFC 8656, RFC 6062), and ChannelData: four bytes before the payload. */
#ifndef IFSWARM_PROTOCOL_TURN_H
#define IFSWARM_PROTOCOL_TURN_H

#include "protocol/types.h"

enum turn_method {
	TURN_BINDING = 0x001,
	TURN_ALLOCATE = 0x003,
	TURN_REFRESH = 0x004,
	TURN_SEND = 0x006,
	TURN_DATA = 0x007,
	TURN_CREATE_PERMISSION = 0x008,
	TURN_CHANNEL_BIND = 0x009,
	TURN_CONNECT = 0x00A, /* RFC 6062 */
	TURN_CONNECTION_BIND = 0x00B,
	TURN_CONNECTION_ATTEMPT = 0x00C,
};

/* "Allocate", "ChannelBind"; NULL for a method this server does not speak (A19). */
const char *turn_method_name(uint64_t method);

enum { TURN_TRANSPORT_UDP = 17, TURN_TRANSPORT_TCP = 6 };
enum { TURN_FAMILY_IPV4 = 1, TURN_FAMILY_IPV6 = 2 };

/* ADDRESS_IPV4 or ADDRESS_IPV6 for what stands in REQUESTED-ADDRESS-FAMILY; ADDRESS_NONE for
 * another number. */
uint8_t turn_family(uint8_t on_the_wire);

enum { CHANNEL_HEADER_BYTES = 4 };

struct channel_data {
	uint16_t channel;
	struct span data; /* without padding */
};

/* May be bound: RFC 8656 section 12.1 has 0x4000 to 0x4FFF, with `legacy` also the rest of what RFC
 * 5766 section 11 had, to 0x7FFF. */
bool turn_channel_is_valid(uint64_t channel, bool legacy);
/* Reads a datagram; false (drop) if the number cannot be a channel's, of either RFC or the length
 * is beyond the datagram (A6, A7). Bytes beyond the length are padding and ignored. */
bool turn_channel_read(struct span datagram, struct channel_data *out);
void turn_channel_write(uint8_t out[CHANNEL_HEADER_BYTES], uint16_t channel, size_t count);

/* The lifetime to grant (RFC 8656 section 7.2): as asked, no less than the default, no more than
 * `most_s` (D7). asked_s 0 stands for no LIFETIME; a Refresh with LIFETIME 0 is a release and not
 * this function's business. */
uint64_t turn_lifetime_s(uint64_t asked_s, uint64_t most_s);

#endif
