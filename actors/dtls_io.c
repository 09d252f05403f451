#include "actors/dtls_io.h"

#include <assert.h>
#include <stdlib.h>

#include "actors/streams.h"
#include "protocol/dtls.h"
#include "protocol/limits.h"
#include "protocol/log_line_io.h"

/* In a round: one costs a millisecond or two of this thread. */
enum { HANDSHAKES_MAX = 4 };

/* The worldly side of a row of the table, by its number. */
struct client {
	struct dtls_io *io;
	struct tls_session *session;
	bool ended; /* while it was in use */
};

struct dtls_io {
	struct dtls_owner owner;
	struct streams table;
	struct client clients[STREAMS_MAX];
	struct tls_server *server;
	unsigned handshakes_left;
	uint64_t now_us;
	uint64_t turned_away;
};

/* Nobody yet: where an answer goes. */
struct stranger {
	struct dtls_io *io;
	uint32_t listener;
	const struct address *address;
};

struct dtls_io *
dtls_open(const struct dtls_owner *owner, uint64_t seed)
{
	struct dtls_io *io = calloc(1, sizeof *io);

	if (io == NULL) {
		return NULL;
	}
	io->owner = *owner;
	if (!streams_init(&io->table, seed)) {
		dtls_close(io);
		return NULL;
	}
	return io;
}

void
dtls_close(struct dtls_io *io)
{
	for (uint32_t at = 0; io->table.items != NULL && at < STREAMS_MAX; at++) {
		if (io->table.items[at].used) {
			tls_session_close(io->clients[at].session);
		}
	}
	streams_free(&io->table);
	free(io);
}

void
dtls_serve(struct dtls_io *io, struct tls_server *server)
{
	io->server = server;
}

void
dtls_begin(struct dtls_io *io, uint64_t now_us)
{
	io->now_us = now_us;
	io->handshakes_left = HANDSHAKES_MAX;
}

bool
dtls_has_time(const struct dtls_io *io)
{
	return io->handshakes_left > 0;
}

static void
spend_time(struct dtls_io *io)
{
	io->handshakes_left -= io->handshakes_left > 0;
}

static bool
send_to_client(void *context, struct span sealed)
{
	const struct client *client = context;
	struct dtls_io *io = client->io;
	const struct stream *row = &io->table.items[client - io->clients];

	io->owner.send(io->owner.context, row->listener, &row->client, sealed);
	return true;
}

static bool
send_to_stranger(void *context, struct span sealed)
{
	const struct stranger *stranger = context;
	const struct dtls_owner *owner = &stranger->io->owner;

	if (owner->may_answer(owner->context, stranger->address)) {
		owner->send(owner->context, stranger->listener, stranger->address, sealed);
	}
	return true;
}

/* The owner hears of it last: what it does may look at the table. */
static void
end(struct dtls_io *io, uint32_t at)
{
	const struct stream row = io->table.items[at];

	tls_session_close(io->clients[at].session);
	io->clients[at] = (struct client){ 0 };
	streams_remove(&io->table, at);
	if (row.heard) {
		io->owner.gone(io->owner.context, row.listener, &row.client);
	}
}

static void
admit(struct dtls_io *io, uint32_t listener, const struct address *address,
      struct tls_session *session)
{
	const uint32_t at = streams_admit(&io->table, listener, address, io->now_us);

	if (at == STREAM_NONE) {
		io->turned_away++;
		tls_session_close(session);
		return;
	}
	struct client *client = &io->clients[at];

	*client = (struct client){ .io = io, .session = session };
	if (!dtls_session_answer(session, &(struct tls_out){ client, send_to_client })) {
		end(io, at);
	}
}

/* `old`: the session of that client, which has begun anew; only its cookie ends it (RFC 6347
 * section 4.2.8). */
static void
listen_to(struct dtls_io *io, uint32_t listener, const struct address *address,
	  struct span datagram, uint32_t old)
{
	struct stranger stranger = { io, listener, address };
	struct tls_session *session = dtls_server_listen(
		io->server, address, datagram, &(struct tls_out){ &stranger, send_to_stranger });

	if (session == NULL) {
		return;
	}
	spend_time(io);
	if (old != STREAM_NONE) {
		end(io, old);
	}
	admit(io, listener, address, session);
}

static void
on_message(void *context, struct span plain)
{
	const struct client *client = context;
	struct dtls_io *io = client->io;
	struct stream *row = &io->table.items[client - io->clients];

	row->heard = true;
	io->owner.message(io->owner.context, row->listener, &row->client, plain);
}

void
dtls_take(struct dtls_io *io, uint32_t listener, const struct address *address, uint8_t *datagram,
	  size_t count)
{
	const struct span sealed = { datagram, count };
	const bool is_hello = dtls_is_client_hello(sealed);
	const uint32_t at = streams_find(&io->table, listener, address);

	if (at == STREAM_NONE || (is_hello && tls_session_is_open(io->clients[at].session))) {
		if (is_hello) {
			listen_to(io, listener, address, sealed, at);
		}
		return;
	}
	struct client *client = &io->clients[at];

	if (!tls_session_is_open(client->session)) {
		spend_time(io);
	}
	if (!dtls_session_take(client->session, datagram, count, DATAGRAM_BYTES_MAX, on_message,
			       client) ||
	    client->ended) {
		end(io, at);
	}
}

void
dtls_tick(struct dtls_io *io, uint64_t now_us)
{
	for (uint32_t at = 0; at < STREAMS_MAX; at++) {
		const struct stream *row = &io->table.items[at];
		struct client *client = &io->clients[at];

		if (!row->used) {
			continue;
		}
		const bool holds = io->owner.holds(io->owner.context, row->listener, &row->client);
		client->ended |= streams_look(&io->table, at, holds, now_us) ||
				 (!tls_session_is_open(client->session) &&
				  !dtls_session_tick(client->session));
		if (client->ended) {
			end(io, at);
		}
	}
	if (io->turned_away > 0) {
		log_warning("%llu DTLS clients were turned away: at most %d without an allocation, "
			    "%d from one address",
			    (unsigned long long)io->turned_away, STREAMS_IDLE_MAX,
			    STREAMS_IDLE_PER_SOURCE_MAX);
		io->turned_away = 0;
	}
}

void
dtls_send(struct dtls_io *io, uint32_t listener, const struct address *to, struct span message)
{
	const uint32_t at = streams_find(&io->table, listener, to);

	if (at == STREAM_NONE || message.count == 0 || message.count > TLS_RECORD_BYTES) {
		return;
	}
	struct client *client = &io->clients[at];

	/* A late answer to who was at that address before. */
	if (tls_session_is_open(client->session)) {
		client->ended |= !tls_session_send(client->session, message);
	}
}
