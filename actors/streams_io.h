/* The TCP connections of a relay's clients, plain and over TLS: accepted, read, written, closed.
 *
 * They have an epoll of their own inside the relay's, and are served after all datagrams of a turn,
 * so a crowd of connections never delays UDP; for the same reason few handshakes are made in a
 * round. What each holds is connection_io.h's to say: their memory is one mapping, of which only
 * what is used is real. */
#ifndef IFSWARM_ACTORS_STREAMS_IO_H
#define IFSWARM_ACTORS_STREAMS_IO_H

#include "actors/tls_io.h"
#include "protocol/address.h"

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
	/* A joined connection has bytes or room; broken: neither any more. */
	void (*joined)(void *context, uint32_t listener, const struct address *client, bool broken);
};

/* NULL without memory or descriptors. */
struct streams_io *streams_open(const struct streams_owner *owner, uint64_t seed);
void streams_close(struct streams_io *io);

/* For the relay's epoll: readable when there is something to do. */
int streams_fd(const struct streams_io *io);
/* A listening socket, which stays the caller's, and the numbers of the listeners it is for plain
 * and TLS clients. */
enum { NOT_SPOKEN = UINT32_MAX };
struct streams_door {
	int fd;
	uint32_t plain;
	uint32_t tls;
	bool is_proxied; /* each connection begins with a proxy's header (protocol/proxy.h) */
};
/* Accepts from it. */
bool streams_listen(struct streams_io *io, const struct streams_door *door);
/* Those proxies' own addresses: whoever else comes to such a door is closed. At most
 * STREAMS_PROXIES_MAX. */
enum { STREAMS_PROXIES_MAX = 64 };
void streams_trust(struct streams_io *io, const struct address_range *proxies);
/* The certificate of new connections over TLS; borrowed until there is another. */
void streams_serve_tls(struct streams_io *io, const struct tls_server *tls);

/* One round of what is ready. */
void streams_run(struct streams_io *io, uint64_t now_us);
/* Once a second: closes who holds nothing for too long. */
void streams_tick(struct streams_io *io, uint64_t now_us);

/* Sends a message to that client with the next flush, if it is still connected. Calls nothing of
 * the owner. */
void streams_send(struct streams_io *io, uint32_t listener, const struct address *to,
		  struct span message, bool is_data);
/* What each client was sent leaves in one piece. Before anybody waits for anything. */
void streams_flush(struct streams_io *io);

/* --- a client's connection that carries bytes and no messages (RFC 6062) --- */

struct connection;
/* Takes no more messages from it, and keeps what comes behind the one that is being taken. */
void streams_hold(struct streams_io *io, uint32_t listener, const struct address *client);
/* Takes them again, from the next round on. */
void streams_resume(struct streams_io *io, uint32_t listener, const struct address *client);
/* What was held is bytes from now on, and is the caller's to read and write: borrowed until it is
 * gone. NULL if it is gone already. */
struct connection *streams_join(struct streams_io *io, uint32_t listener,
				const struct address *client);
struct connection *streams_joined(struct streams_io *io, uint32_t listener,
				  const struct address *client);
/* After reading and writing: what is waited for. Sending what is queued always is, unless the
 * connection is silenced. */
enum streams_wish { STREAMS_WANT_READ, STREAMS_WANT_NO_READ, STREAMS_SILENT };
void streams_wish(struct streams_io *io, uint32_t listener, const struct address *client,
		  enum streams_wish wish);
/* Closes it. */
void streams_end(struct streams_io *io, uint32_t listener, const struct address *client);

#endif
