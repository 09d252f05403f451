/* Between struct address and what sockets take. */
#ifndef IFSWARM_PROTOCOL_ADDRESS_IO_H
#define IFSWARM_PROTOCOL_ADDRESS_IO_H

#include <sys/socket.h>

#include "protocol/types.h"

/* Canonical; ADDRESS_NONE for a family that is not an IP. */
struct address address_from_sockaddr(const struct sockaddr_storage *socket_address);
/* The length, 0 for ADDRESS_NONE. */
socklen_t address_to_sockaddr(const struct address *address, struct sockaddr_storage *out);

#endif
