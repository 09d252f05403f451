/* Connections of streams_io.c that carry bytes and no messages (RFC 6062). */
#include <assert.h>

#include "actors/streams_inside_io.h"

void
streams_hold(struct streams_io *io, uint32_t listener, const struct address *client)
{
	const uint32_t at = streams_find(&io->table, listener, client);

	assert(at != STREAM_NONE);
	io->places[at].mode = MODE_HELD;
	streams_watch_place(io, at);
}

void
streams_resume(struct streams_io *io, uint32_t listener, const struct address *client)
{
	const uint32_t at = streams_find(&io->table, listener, client);

	if (at != STREAM_NONE && io->places[at].mode == MODE_HELD) {
		io->places[at].mode = MODE_RESUMED;
		io->resumed++;
	}
}

struct connection *
streams_join(struct streams_io *io, uint32_t listener, const struct address *client)
{
	const uint32_t at = streams_find(&io->table, listener, client);

	if (at == STREAM_NONE || io->places[at].mode != MODE_HELD) {
		return NULL;
	}
	io->places[at].mode = MODE_JOINED;
	io->places[at].wish = STREAMS_WANT_READ;
	/* What its client was answered goes before the bytes; a failure is told by the next read.
	 */
	connection_flush(&io->places[at].connection);
	streams_watch_place(io, at);
	return &io->places[at].connection;
}

struct connection *
streams_joined(struct streams_io *io, uint32_t listener, const struct address *client)
{
	const uint32_t at = streams_find(&io->table, listener, client);

	return at != STREAM_NONE && io->places[at].mode == MODE_JOINED ? &io->places[at].connection
								       : NULL;
}

void
streams_wish(struct streams_io *io, uint32_t listener, const struct address *client,
	     enum streams_wish wish)
{
	const uint32_t at = streams_find(&io->table, listener, client);

	if (at != STREAM_NONE) {
		io->places[at].wish = wish;
		streams_watch_place(io, at);
	}
}

void
streams_end(struct streams_io *io, uint32_t listener, const struct address *client)
{
	const uint32_t at = streams_find(&io->table, listener, client);

	if (at != STREAM_NONE) {
		streams_end_at(io, at);
	}
}
