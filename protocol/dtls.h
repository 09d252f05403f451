/* What is looked at of a DTLS datagram (RFC 6347 section 4.1) before any state is kept for its
 * sender. */
#ifndef IFSWARM_PROTOCOL_DTLS_H
#define IFSWARM_PROTOCOL_DTLS_H

#include "protocol/types.h"

/* It begins with the start of an unencrypted ClientHello: the one thing a stranger may say (D4). */
bool dtls_is_client_hello(struct span datagram);

#endif
