/* What the network says of datagrams that were sent to peers: ICMP errors from a relayed socket's
 * error queue, and fragmentation, which a client may forbid for one datagram (RFC 8656
 * sections 11.5 and 15). */
#ifndef IFSWARM_ACTORS_RELAY_ICMP_IO_H
#define IFSWARM_ACTORS_RELAY_ICMP_IO_H

#include "actors/relay.h"

enum { ICMP_READS_MAX = 16 }; /* of one socket before others get their turn */

/* The kernel keeps the errors of this socket for relay_icmp_read. */
void relay_icmp_watch(int fd, int family);
/* The oldest error that a peer's network sent; false if there is none. What the kernel itself
 * refused to send is passed over. */
bool relay_icmp_read(int fd, struct relay_icmp *out);
/* Whether what is sent next may be cut on its way. */
void relay_icmp_let_fragment(int fd, uint8_t family, bool may);

#endif
