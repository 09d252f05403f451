/* The sockets of TCP allocations (RFC 6062): one that listens for each, those of their peers, and
 * the bytes between a peer's and the client's connection that is bound to it.
 *
 * Each side is read only while nothing waits for the other, so what waits is bounded and nothing is
 * dropped; a peer is not read before a client has come for it. When one side says that it sends no
 * more, the other hears that and may go on; when both have, the connection is over. Like the
 * clients' connections they have an epoll of their own, served after the datagrams. */
#ifndef IFSWARM_ACTORS_RELAY_TCP_IO_H
#define IFSWARM_ACTORS_RELAY_TCP_IO_H

#include "actors/relay.h"

struct relay_process;
struct relay_tcp_io;

/* What struct relay_sink wants; its context is the process. */
extern const struct relay_tcp_sink relay_tcp_io_sink;

/* NULL without memory or descriptors. */
struct relay_tcp_io *relay_tcp_io_open(struct relay_process *process);
void relay_tcp_io_close(struct relay_tcp_io *io);
/* For the relay's epoll: readable when there is something to do. */
int relay_tcp_io_fd(const struct relay_tcp_io *io);

/* Listens at a random free port of the configured range on that IP; SOCKET_NONE if there is none.
 */
uint32_t relay_tcp_io_bind(struct relay_tcp_io *io, size_t ip, struct address *relayed);
void relay_tcp_io_release(struct relay_tcp_io *io, uint32_t socket);
/* RELAY_CONNECT */
void relay_tcp_io_connect(struct relay_tcp_io *io, uint32_t number, uint32_t socket,
			  const struct address *to);
/* A client's joined connection has bytes or room, or is broken. */
void relay_tcp_io_joined(struct relay_tcp_io *io, uint32_t listener, const struct address *client,
			 bool broken);

/* One round of what is ready. */
void relay_tcp_io_run(struct relay_tcp_io *io);
/* Once a second. */
void relay_tcp_io_tick(struct relay_tcp_io *io);

#endif
