/* One client's TCP connection as bytes, with or without TLS: what came of a message that is not
 * whole yet, and a bounded queue of what its client has not taken.
 *
 * What is sent gathers at the queue's end and leaves with the next flush, in one call of the
 * system. With TLS each message is a record of its own: there are clients that read no further.
 *
 * Relayed data that does not fit into the queue is dropped, as on UDP; a reply that does not fit
 * ends the connection. With TLS all but the fresh end of the queue is sealed bytes, which cannot be
 * dropped any more: so the decision comes before. Handshakes and alerts are replies. */
#ifndef IFSWARM_ACTORS_CONNECTION_IO_H
#define IFSWARM_ACTORS_CONNECTION_IO_H

#include "actors/tls_io.h"
#include "protocol/limits.h"

enum {
	CONNECTION_IN_BYTES = STREAM_MESSAGE_BYTES_MAX + 4, /* what of a message is there */
	CONNECTION_DATA_BYTES = 64 * 1024,                  /* relayed data is queued up to here */
	CONNECTION_OUT_BYTES = 96 * 1024,                   /* and replies up to here */
	CONNECTION_MEMORY_BYTES = CONNECTION_IN_BYTES + CONNECTION_OUT_BYTES,
	CONNECTION_FRESH_BYTES = 64 * 1024, /* read at once */
	CONNECTION_READ_BYTES = CONNECTION_IN_BYTES + CONNECTION_FRESH_BYTES,
};

struct connection {
	int fd;
	uint8_t *memory; /* CONNECTION_MEMORY_BYTES, borrowed: of a message, then the queue */
	uint32_t in_count;
	uint32_t out_count;
	uint32_t fresh_count;    /* of these, at the end: not flushed yet, and not sealed */
	uint32_t fresh_messages; /* so many messages are they */
	struct tls_session *tls; /* NULL: plain */
};

/* Takes the socket over. `connection` must stay where it is. */
void connection_open(struct connection *connection, int fd, uint8_t *memory);
/* From now on over TLS; false without memory. */
bool connection_secure(struct connection *connection, const struct tls_server *server);
/* Flushes, says goodbye over TLS, and closes the socket. */
void connection_close(struct connection *connection);

/* A handshake is under way: the next bytes cost more than others. */
bool connection_is_shaking_hands(const struct connection *connection);

/* What was kept, and what is there behind it. False if it has ended; what came before that is
 * there. */
bool connection_read(struct connection *connection, uint8_t out[CONNECTION_READ_BYTES],
		     size_t *count);
/* The start of a message, for the next time: less than CONNECTION_IN_BYTES. */
void connection_keep(struct connection *connection, struct span start);

/* Queues a message with its padding for the next flush, or drops it if it is data. False if the
 * connection has to end: it is a reply that does not fit. */
bool connection_send(struct connection *connection, struct span message, bool is_data);
/* Sends what is fresh, unless something before it waits for the kernel. False if the connection has
 * to end. */
bool connection_flush(struct connection *connection);
/* Something waits until the kernel takes it: then it is to be pushed. */
bool connection_waits(const struct connection *connection);
/* Sends all that is queued, as far as the kernel takes it. False if the connection has to end. */
bool connection_push(struct connection *connection);

/* --- bytes that are no messages ---
 *
 * They are passed on from one connection to another, and none is dropped: whoever writes asks
 * first, and leaves the rest unread meanwhile. */

/* What one connection_take gives may be written: nothing else waits. */
bool connection_has_room(const struct connection *connection);
/* What was kept, or else what is there. False if it has ended; what came before that is there. */
bool connection_take(struct connection *connection, uint8_t out[CONNECTION_READ_BYTES],
		     size_t *count);
/* Sends or queues them, if there is room, without a flush; false if the connection has to end. */
bool connection_write(struct connection *connection, struct span bytes);
/* Nothing more is written, and nothing waits: says so to the other side, which may still be read.
 */
void connection_finish(struct connection *connection);

#endif
