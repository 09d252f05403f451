/* What a socket's error queue says of a datagram that was sent: the control part of a message
 * beside it, as the kernel packs it (struct cmsghdr, in it struct sock_extended_err). Type and code
 * are somebody else's words: any host on the way may have written them.
 *
 * The two structures are given here by their numbers, since this file knows no socket;
 * relay_icmp_io.c asserts that they are the kernel's. */
#ifndef IFSWARM_ACTORS_RELAY_ERRQUEUE_H
#define IFSWARM_ACTORS_RELAY_ERRQUEUE_H

#include "actors/relay.h"

enum {
	ERRQUEUE_IPV4_LEVEL = 0,
	ERRQUEUE_IPV4_TYPE = 11,
	ERRQUEUE_IPV6_LEVEL = 41,
	ERRQUEUE_IPV6_TYPE = 25,
	ERRQUEUE_ORIGIN_ICMP = 2,
	ERRQUEUE_ORIGIN_ICMP6 = 3,
};

/* Its value follows, and is padded as its length is. */
struct errqueue_part {
	size_t length; /* of header and value */
	int level;
	int type;
};

struct errqueue_error {
	uint32_t number;
	uint8_t origin;
	uint8_t type;
	uint8_t code;
	uint8_t pad;
	uint32_t info;
	uint32_t data;
};

/* True if it holds an ICMP error: then everything of `out` is set but the peer, which is the
 * message's own name. False for what the kernel itself says, and for what is cut off. */
bool relay_errqueue_read(struct span control, struct relay_icmp *out);

#endif
