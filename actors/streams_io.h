/* The TCP connections of a relay's clients: accepted, read, written, closed.
 *
 * They have an epoll of their own inside the relay's, and are served after all datagrams of a turn,
 * so a crowd of connections never delays UDP. Each holds at most one message that is not whole yet,
 * and a bounded queue of what its client has not taken: relayed data that does not fit is dropped,
 * as on UDP; a reply that does not fit closes the connection. Their memory is one mapping, of which
 * only what is used is real. */
#ifndef IFSWARM_ACTORS_STREAMS_IO_H
#define IFSWARM_ACTORS_STREAMS_IO_H

#include "protocol/types.h"

struct streams_io;

/* What the connections ask of the relay's process. */
struct streams_owner {
	void *context;
	/* A whole message of that client; it stays where it is until `flush`. */
	void (*message)(void *context, uint32_t listener, const struct address *client,
			struct span message);
	void (*flush)(void *context);
	bool (*holds)(void *context, uint32_t listener, const struct address *client);
	/* The connection, over which messages came, has closed. */
	void (*gone)(void *context, uint32_t listener, const struct address *client);
};

/* NULL without memory or descriptors. */
struct streams_io *streams_open(const struct streams_owner *owner, uint64_t seed);
void streams_close(struct streams_io *io);

/* For the relay's epoll: readable when there is something to do. */
int streams_fd(const struct streams_io *io);
/* Accepts from that socket, which stays the caller's, for the listener of that number. */
bool streams_listen(struct streams_io *io, int fd, uint32_t listener);

/* One round of what is ready. */
void streams_run(struct streams_io *io, uint64_t now_us);
/* Once a second: closes who holds nothing for too long. */
void streams_tick(struct streams_io *io, uint64_t now_us);

/* Sends a message to that client, if it is still connected. Calls nothing of the owner. */
void streams_send(struct streams_io *io, uint32_t listener, const struct address *to,
		  struct span message, bool is_data);

#endif
