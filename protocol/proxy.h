/* The header that a proxy puts before a client's TCP stream (PROXY protocol, version 2): whose
 * connection it is. Binary only: version 1 is text that others write, too.
 *
 * Strict and bounded: TCP over IPv4 or IPv6, or LOCAL (the proxy itself, say to see whether we are
 * there); whole TLVs behind the addresses, which are passed over; PROXY_BYTES_MAX in all. Anything
 * else is broken, and the connection is closed: whoever speaks as a trusted proxy and is none must
 * not be taken for one. */
#ifndef IFSWARM_PROTOCOL_PROXY_H
#define IFSWARM_PROTOCOL_PROXY_H

#include "protocol/types.h"

enum { PROXY_HEAD_BYTES = 16, PROXY_BYTES_MAX = PROXY_HEAD_BYTES + 2048 };

enum proxy_verdict {
	PROXY_WAIT,   /* the header has `needed` bytes at least */
	PROXY_CLIENT, /* `client` is whose connection it is; the header has `needed` bytes */
	PROXY_LOCAL,  /* the proxy's own; likewise */
	PROXY_BROKEN,
};

struct proxy_header {
	size_t needed;
	struct address client;
};

/* Of the first bytes of a stream; never asks for more than belong to the header. */
enum proxy_verdict proxy_read(struct span bytes, struct proxy_header *out);

#endif
