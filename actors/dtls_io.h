/* The DTLS clients of a relay: their sessions, by the address their datagrams come from.
 *
 * A stranger's datagram leaves nothing behind: it is a ClientHello, which is answered by a cookie,
 * or it is dropped; only one that brings the cookie back gets a session (D4). From there on the
 * table of streams.h says who is let in and who has held no allocation for too long, as for TCP.
 * Nothing is queued: what the kernel does not take is lost, as any datagram. */
#ifndef IFSWARM_ACTORS_DTLS_IO_H
#define IFSWARM_ACTORS_DTLS_IO_H

#include "actors/tls_io.h"

struct dtls_io;

/* What the sessions ask of the relay's process. */
struct dtls_owner {
	void *context;
	/* A message of that client; it stays where it is as long as its datagram does. */
	void (*message)(void *context, uint32_t listener, const struct address *client,
			struct span message);
	/* Sends a datagram to that client. */
	void (*send)(void *context, uint32_t listener, const struct address *client,
		     struct span sealed);
	bool (*holds)(void *context, uint32_t listener, const struct address *client);
	/* A stranger may be answered now: none is too often (E3). */
	bool (*may_answer)(void *context, const struct address *client);
	/* The session, over which messages came, has ended. */
	void (*gone)(void *context, uint32_t listener, const struct address *client);
};

/* NULL without memory. */
struct dtls_io *dtls_open(const struct dtls_owner *owner, uint64_t seed);
void dtls_close(struct dtls_io *io);
/* The certificate of new sessions; borrowed until there is another. */
void dtls_serve(struct dtls_io *io, struct tls_server *server);

/* A round begins: so many handshakes are made in it, for other datagrams wait meanwhile. */
void dtls_begin(struct dtls_io *io, uint64_t now_us);
/* False once that is so: what came is better left waiting. */
bool dtls_has_time(const struct dtls_io *io);
/* A datagram, which is unsealed in its place: there is room for DATAGRAM_BYTES_MAX. */
void dtls_take(struct dtls_io *io, uint32_t listener, const struct address *client,
	       uint8_t *datagram, size_t count);
/* Once a second: repeats what was lost, and ends who holds nothing for too long. */
void dtls_tick(struct dtls_io *io, uint64_t now_us);

/* Sends a message to that client, if it has a session. A message longer than a record is lost. */
void dtls_send(struct dtls_io *io, uint32_t listener, const struct address *to,
	       struct span message);

#endif
