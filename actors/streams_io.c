#include "actors/streams_io.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actors/streams_inside_io.h"
#include "protocol/stream.h"

enum {
	READY_MAX = 64,
	/* In a round: one costs a millisecond or two of this thread, and datagrams wait meanwhile.
	 */
	HANDSHAKES_MAX = 4,
	TLS_HANDSHAKE = 0x16, /* the first byte of a ClientHello's record; no message begins so */
};

uint8_t *
streams_memory_of(const struct streams_io *io, uint32_t at)
{
	return io->memory + (size_t)at * CONNECTION_MEMORY_BYTES;
}

struct streams_io *
streams_open(const struct streams_owner *owner, uint64_t seed)
{
	struct streams_io *io = calloc(1, sizeof *io);

	if (io == NULL) {
		return NULL;
	}
	io->owner = *owner;
	io->epoll = epoll_create1(EPOLL_CLOEXEC);
	io->memory =
		mmap(NULL, (size_t)STREAMS_MAX * CONNECTION_MEMORY_BYTES, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (!streams_init(&io->table, seed) || io->epoll < 0 || io->memory == MAP_FAILED) {
		streams_close(io);
		return NULL;
	}
	return io;
}

void
streams_close(struct streams_io *io)
{
	for (uint32_t at = 0; io->table.items != NULL && at < STREAMS_MAX; at++) {
		if (io->table.items[at].used) {
			connection_close(&io->places[at].connection);
		}
	}
	if (io->memory != MAP_FAILED) {
		munmap(io->memory, (size_t)STREAMS_MAX * CONNECTION_MEMORY_BYTES);
	}
	if (io->epoll >= 0) {
		close(io->epoll);
	}
	streams_free(&io->table);
	free(io);
}

int
streams_fd(const struct streams_io *io)
{
	return io->epoll;
}

bool
streams_watch(const struct streams_io *io, int operation, int fd, uint32_t events, uint64_t number)
{
	struct epoll_event event = { .events = events, .data.u64 = number };

	return epoll_ctl(io->epoll, operation, fd, &event) == 0;
}

void
streams_serve_tls(struct streams_io *io, const struct tls_server *tls)
{
	io->tls = tls;
}

/* --- ends --- */

/* The owner hears of it last: what it does may look at the table. */
void
streams_end_at(struct streams_io *io, uint32_t at)
{
	const struct stream stream = io->table.items[at];

	connection_close(&io->places[at].connection);
	streams_remove(&io->table, at);
	madvise(streams_memory_of(io, at), CONNECTION_MEMORY_BYTES, MADV_DONTNEED);
	if (stream.heard) {
		io->owner.gone(io->owner.context, stream.listener, &stream.client);
	}
}

/* Ends in the next round: it is in use now. */
static void
end_soon(const struct streams_io *io, uint32_t at)
{
	shutdown(io->places[at].connection.fd, SHUT_RDWR);
}

/* --- out --- */

static uint32_t
events_wanted(const struct place *place)
{
	const uint32_t out = connection_waits(&place->connection) ? EPOLLOUT : 0;

	switch (place->mode) {
	case MODE_MESSAGES:
		return EPOLLIN | out;
	case MODE_HELD:
	case MODE_RESUMED:
		return out;
	case MODE_JOINED:
		break;
	}
	if (place->wish == STREAMS_SILENT) {
		return 0;
	}
	return place->wish == STREAMS_WANT_READ ? EPOLLIN | out : out;
}

/* Whoever waits for nothing is not watched at all: epoll would tell of its end over and over. */
bool
streams_watch_place(struct streams_io *io, uint32_t at)
{
	struct place *place = &io->places[at];
	const uint32_t wanted = events_wanted(place);
	const int operation = place->watched == 0 ? EPOLL_CTL_ADD
			      : wanted == 0       ? EPOLL_CTL_DEL
						  : EPOLL_CTL_MOD;

	if (wanted == place->watched) {
		return true;
	}
	place->watched = wanted;
	return streams_watch(io, operation, place->connection.fd, wanted, at);
}

void
streams_send(struct streams_io *io, uint32_t listener, const struct address *to,
	     struct span message, bool is_data)
{
	const uint32_t at = streams_find(&io->table, listener, to);

	if (at == STREAM_NONE) {
		return;
	}
	if (!connection_send(&io->places[at].connection, message, is_data)) {
		end_soon(io, at);
	}
	if (!io->is_given[at]) {
		io->is_given[at] = true;
		io->given[io->given_count++] = at;
	}
}

void
streams_flush(struct streams_io *io)
{
	for (uint32_t i = 0; i < io->given_count; i++) {
		const uint32_t at = io->given[i];
		io->is_given[at] = false;
		if (!io->table.items[at].used) {
			continue;
		}
		if (!connection_flush(&io->places[at].connection)) {
			end_soon(io, at);
		}
		streams_watch_place(io, at);
	}
	io->given_count = 0;
}

/* --- in --- */

/* What is left of `count` bytes behind the whole messages; false if the stream is broken. */
static bool
take_messages(struct streams_io *io, uint32_t at, size_t count, struct span *left)
{
	struct stream *stream = &io->table.items[at];
	size_t used = 0;
	size_t taken = 0;
	enum stream_verdict verdict;

	if (!stream->heard && !stream_may_begin((struct span){ io->read, count })) {
		return false;
	}
	while ((verdict = stream_next((struct span){ io->read + used, count - used }, &taken)) ==
		       STREAM_MESSAGE &&
	       io->places[at].mode == MODE_MESSAGES) {
		stream->heard = true;
		io->owner.message(io->owner.context, stream->listener, &stream->client,
				  (struct span){ io->read + used, taken });
		used += taken;
	}
	io->owner.flush(io->owner.context);
	*left = (struct span){ io->read + used, count - used };
	/* What stands behind a message that holds the rest back is bytes perhaps. */
	return io->places[at].mode == MODE_MESSAGES ? verdict == STREAM_WAIT
						    : left->count < CONNECTION_IN_BYTES;
}

bool
streams_secure(struct streams_io *io, uint32_t at)
{
	return io->tls != NULL && connection_secure(&io->places[at].connection, io->tls);
}

/* Where both are spoken, by the first byte. False if the connection is to end. */
static bool
decide_door(struct streams_io *io, uint32_t at)
{
	struct place *place = &io->places[at];
	const uint32_t secured = place->secured;
	uint8_t first = 0;
	const ssize_t got =
		recv(place->connection.fd, &first, sizeof first, MSG_PEEK | MSG_DONTWAIT);

	if (got <= 0) {
		return got < 0 && (errno == EAGAIN || errno == EINTR);
	}
	place->secured = NOT_SPOKEN;
	if (first != TLS_HANDSHAKE) {
		return true;
	}
	streams_move(&io->table, at, secured);
	return streams_secure(io, at);
}

/* False if the connection is to end. */
static bool
read_more(struct streams_io *io, uint32_t at)
{
	struct connection *connection = &io->places[at].connection;
	struct span left;
	size_t count = 0;

	if (connection_is_shaking_hands(connection)) {
		if (io->handshakes_left == 0) {
			return true; /* the next round finds it ready again */
		}
		io->handshakes_left--;
	}
	const bool goes_on = connection_read(connection, io->read, &count);
	if (!take_messages(io, at, count, &left) || !goes_on) {
		return false;
	}
	connection_keep(connection, left);
	streams_watch_place(io, at);
	return true;
}

/* --- rounds --- */

static void
serve(struct streams_io *io, uint32_t at, uint32_t events)
{
	struct place *place = &io->places[at];

	if (!io->table.items[at].used) {
		return;
	}
	const bool is_broken = (events & (EPOLLHUP | EPOLLERR)) != 0;

	if ((events & EPOLLOUT) != 0) {
		if (!connection_push(&place->connection)) {
			end_soon(io, at);
		}
		streams_watch_place(io, at);
	}
	if (place->mode == MODE_JOINED) {
		const struct stream stream = io->table.items[at];
		io->owner.joined(io->owner.context, stream.listener, &stream.client, is_broken);
		return;
	}
	if (place->mode != MODE_MESSAGES) {
		if (is_broken) {
			streams_end_at(io, at);
		}
		return;
	}
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) {
		return;
	}
	if (place->is_proxied && !streams_read_header(io, at)) {
		streams_end_at(io, at);
		return;
	}
	if (place->is_proxied) {
		return; /* more of it will come */
	}
	if ((place->secured != NOT_SPOKEN && !decide_door(io, at)) || !read_more(io, at)) {
		streams_end_at(io, at);
	}
}

/* Messages may be there already, of which nothing else will tell. */
static void
go_on(struct streams_io *io)
{
	for (uint32_t at = 0; at < STREAMS_MAX && io->resumed > 0; at++) {
		if (io->table.items[at].used && io->places[at].mode == MODE_RESUMED) {
			io->resumed--;
			io->places[at].mode = MODE_MESSAGES;
			if (!read_more(io, at)) {
				streams_end_at(io, at);
			}
		}
	}
	io->resumed = 0;
}

void
streams_run(struct streams_io *io, uint64_t now_us)
{
	struct epoll_event events[READY_MAX];
	const int ready = epoll_wait(io->epoll, events, READY_MAX, 0);

	io->now_us = now_us;
	io->handshakes_left = HANDSHAKES_MAX;
	if (io->resumed > 0) {
		go_on(io);
	}
	for (int i = 0; i < ready; i++) {
		const uint32_t number = (uint32_t)events[i].data.u64;
		if (events[i].data.u64 >> 32 != STREAMS_LISTENING) {
			serve(io, number, events[i].events);
		}
	}
	/* Last: a number that was given up in this round is given out again in the next one. */
	for (int i = 0; i < ready; i++) {
		if (events[i].data.u64 >> 32 == STREAMS_LISTENING) {
			streams_accept(io, (uint32_t)events[i].data.u64);
		}
	}
}

void
streams_tick(struct streams_io *io, uint64_t now_us)
{
	for (uint32_t at = 0; at < STREAMS_MAX; at++) {
		const struct stream *stream = &io->table.items[at];
		if (stream->used && streams_look(&io->table, at,
						 io->owner.holds(io->owner.context,
								 stream->listener, &stream->client),
						 now_us)) {
			streams_end_at(io, at);
		}
	}
	streams_wake_doors(io);
}
