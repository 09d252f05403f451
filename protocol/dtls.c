#include "protocol/dtls.h"

/* A record's header: type, version, epoch, sequence number, length; then a handshake message's:
 * type, length, number, offset and length of the fragment. */
enum {
	RECORD_HEADER_BYTES = 13,
	MESSAGE_HEADER_BYTES = 12,
	TYPE_HANDSHAKE = 22,
	VERSION_MAJOR = 0xFE, /* of all versions of DTLS */
	CLIENT_HELLO = 1,
};

bool
dtls_is_client_hello(struct span datagram)
{
	const uint8_t *at = datagram.at;

	return datagram.count > RECORD_HEADER_BYTES + MESSAGE_HEADER_BYTES &&
	       at[0] == TYPE_HANDSHAKE && at[1] == VERSION_MAJOR && at[3] == 0 && at[4] == 0 &&
	       at[RECORD_HEADER_BYTES] == CLIENT_HELLO;
}
