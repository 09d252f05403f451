/* Which relay takes a client's TCP connection: with several relays the kernel deals connections out
 * by their 5-tuples, and a client's second one (RFC 6062, ConnectionBind) would reach a relay that
 * does not know the first. Here they are dealt out by the client's source alone, so that all of
 * them, over TCP and TLS, at whichever of our addresses and ports, reach one relay. */
#ifndef IFSWARM_ACTORS_SOCKETS_STEER_IO_H
#define IFSWARM_ACTORS_SOCKETS_STEER_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `listening` is any socket of a TCP SO_REUSEPORT group of `count` sockets that listen, which
 * belong to relays in the order in which they began to. From now on the group's connections of one
 * IPv4 address, or of one /64 of IPv6 (address_source), all go to the same of them. The kernel
 * keeps that as long as the group. False if it will not have it; then errno says why, and nothing
 * has changed. `family` is ADDRESS_IPV4 or ADDRESS_IPV6. */
bool sockets_steer_by_source(int listening, uint8_t family, size_t count);

#endif
