/* The two kinds of socket that a TCP allocation has (RFC 6062): one that listens at its relayed
 * address, and those that connect from there. */
#ifndef IFSWARM_ACTORS_RELAY_TCP_SOCKETS_IO_H
#define IFSWARM_ACTORS_RELAY_TCP_SOCKETS_IO_H

#include "protocol/types.h"

/* -1, with errno, if that port cannot be had. */
int relay_tcp_listen_at(const struct address *local);
/* From an address that listens, connecting; -1 if that cannot be. */
int relay_tcp_connect_from(const struct address *local, const struct address *to);

#endif
