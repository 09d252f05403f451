#include "actors/streams_io.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actors/connection_io.h"
#include "actors/streams.h"
#include "protocol/address_io.h"
#include "protocol/log_line_io.h"
#include "protocol/proxy.h"
#include "protocol/stream.h"

enum {
	READY_MAX = 64,
	ACCEPTS_MAX = 64, /* in a round, before others get their turn */
	/* Likewise: one costs a millisecond or two of this thread, and datagrams wait meanwhile. */
	HANDSHAKES_MAX = 4,
	DOORS_MAX = 192,
	TLS_HANDSHAKE = 0x16, /* the first byte of a ClientHello's record; no message begins so */
	LISTENING = 1,        /* in an event's upper half */
};

enum mode { MODE_MESSAGES, MODE_HELD, MODE_RESUMED, MODE_JOINED };

/* The worldly side of a stream, by its number. */
struct place {
	struct connection connection;
	uint32_t secured; /* the listener it belongs to if its first byte is of TLS; NOT_SPOKEN
			   * once that is decided */
	bool is_proxied;  /* its proxy has not said yet whose it is */
	enum mode mode;
	enum streams_wish wish; /* of a joined one */
	uint32_t watched;       /* events of epoll; 0: not watched */
};

struct streams_io {
	struct streams_owner owner;
	struct streams table;
	struct place places[STREAMS_MAX];
	uint8_t *memory; /* CONNECTION_MEMORY_BYTES for each */
	const struct tls_server *tls;
	int epoll;
	size_t door_count;
	struct streams_door doors[DOORS_MAX];
	bool door_rests[DOORS_MAX]; /* no descriptor was left: not watched until the tick */
	uint64_t now_us;
	uint64_t turned_away;
	size_t proxy_count;
	struct address_range proxies[STREAMS_PROXIES_MAX];
	uint64_t no_proxy;        /* came where only those may */
	unsigned handshakes_left; /* in this round */
	unsigned resumed;         /* since the last one */
	uint8_t read[CONNECTION_READ_BYTES];
};

static uint8_t *
memory_of(const struct streams_io *io, uint32_t at)
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

static bool
watch(const struct streams_io *io, int operation, int fd, uint32_t events, uint64_t number)
{
	struct epoll_event event = { .events = events, .data.u64 = number };

	return epoll_ctl(io->epoll, operation, fd, &event) == 0;
}

static uint64_t
number_of_door(size_t door)
{
	return (uint64_t)LISTENING << 32 | door;
}

bool
streams_listen(struct streams_io *io, const struct streams_door *door)
{
	assert(io->door_count < DOORS_MAX);
	assert(door->plain != NOT_SPOKEN || door->tls != NOT_SPOKEN);
	const size_t at = io->door_count++;

	io->doors[at] = *door;
	return watch(io, EPOLL_CTL_ADD, door->fd, EPOLLIN, number_of_door(at));
}

void
streams_trust(struct streams_io *io, const struct address_range *proxies)
{
	assert(io->proxy_count < STREAMS_PROXIES_MAX);
	io->proxies[io->proxy_count++] = *proxies;
}

void
streams_serve_tls(struct streams_io *io, const struct tls_server *tls)
{
	io->tls = tls;
}

/* --- ends --- */

/* The owner hears of it last: what it does may look at the table. */
static void
end(struct streams_io *io, uint32_t at)
{
	const struct stream stream = io->table.items[at];

	connection_close(&io->places[at].connection);
	streams_remove(&io->table, at);
	madvise(memory_of(io, at), CONNECTION_MEMORY_BYTES, MADV_DONTNEED);
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
	const uint32_t out = place->connection.out_count > 0 ? EPOLLOUT : 0;

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
static bool
watch_place(struct streams_io *io, uint32_t at)
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
	return watch(io, operation, place->connection.fd, wanted, at);
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
	watch_place(io, at);
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

static bool
is_trusted(const struct streams_io *io, const struct address *proxy)
{
	for (size_t i = 0; i < io->proxy_count; i++) {
		if (address_range_contains(&io->proxies[i], proxy)) {
			return true;
		}
	}
	return false;
}

/* As much of the header as is there, and nothing behind it: that is the client's, and may be TLS.
 * False if the connection is to end. */
static bool
read_header(struct streams_io *io, uint32_t at)
{
	struct place *place = &io->places[at];
	struct connection *connection = &place->connection;
	struct proxy_header header = { .needed = 1 };
	enum proxy_verdict verdict = PROXY_WAIT;

	while (verdict == PROXY_WAIT) {
		const struct span known = { connection->memory, connection->in_count };
		verdict = proxy_read(known, &header);
		if (verdict != PROXY_WAIT) {
			break;
		}
		const ssize_t got = recv(connection->fd, connection->memory + connection->in_count,
					 header.needed - connection->in_count, MSG_DONTWAIT);
		if (got <= 0) {
			return got < 0 && (errno == EAGAIN || errno == EINTR);
		}
		connection->in_count += (uint32_t)got;
	}
	if (verdict == PROXY_BROKEN ||
	    (verdict == PROXY_CLIENT && !streams_name_client(&io->table, at, &header.client))) {
		io->turned_away += verdict == PROXY_CLIENT;
		return false;
	}
	connection->in_count = 0;
	place->is_proxied = false;
	return true;
}

static bool
secure(struct streams_io *io, uint32_t at)
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
	return secure(io, at);
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
	watch_place(io, at);
	return true;
}

/* --- new ones --- */

/* Where both are spoken it is plain until it says otherwise. */
static void
admit(struct streams_io *io, const struct streams_door *door, int fd,
      const struct sockaddr_storage *from)
{
	const bool is_plain = door->plain != NOT_SPOKEN;
	const struct address client = address_from_sockaddr(from);
	const uint32_t listener = is_plain ? door->plain : door->tls;
	const int one = 1;

	if (door->is_proxied && !is_trusted(io, &client)) {
		io->no_proxy++;
		close(fd);
		return;
	}
	const uint32_t at = door->is_proxied
				    ? streams_admit_proxy(&io->table, listener, &client, io->now_us)
				    : streams_admit(&io->table, listener, &client, io->now_us);
	if (at == STREAM_NONE) {
		io->turned_away++;
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	io->places[at] = (struct place){ .secured = is_plain ? door->tls : NOT_SPOKEN,
					 .is_proxied = door->is_proxied };
	connection_open(&io->places[at].connection, fd, memory_of(io, at));
	if ((!is_plain && !secure(io, at)) || !watch_place(io, at)) {
		end(io, at);
	}
}

static bool
is_out_of_descriptors(int fault)
{
	return fault == EMFILE || fault == ENFILE || fault == ENOBUFS || fault == ENOMEM;
}

static void
accept_some(struct streams_io *io, size_t at)
{
	const struct streams_door *door = &io->doors[at];

	for (int i = 0; i < ACCEPTS_MAX; i++) {
		struct sockaddr_storage from = { 0 };
		socklen_t length = sizeof from;
		const int fd = accept4(door->fd, (struct sockaddr *)&from, &length,
				       SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			admit(io, door, fd, &from);
			continue;
		}
		if (is_out_of_descriptors(errno)) {
			/* It would be ready again at once, and for nothing (D15). */
			watch(io, EPOLL_CTL_MOD, door->fd, 0, number_of_door(at));
			io->door_rests[at] = true;
			log_warning("no descriptor for a TCP client: raise LimitNOFILE");
		}
		return;
	}
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
		connection_push(&place->connection);
		watch_place(io, at);
	}
	if (place->mode == MODE_JOINED) {
		const struct stream stream = io->table.items[at];
		io->owner.joined(io->owner.context, stream.listener, &stream.client, is_broken);
		return;
	}
	if (place->mode != MODE_MESSAGES) {
		if (is_broken) {
			end(io, at);
		}
		return;
	}
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) {
		return;
	}
	if (place->is_proxied && !read_header(io, at)) {
		end(io, at);
		return;
	}
	if (place->is_proxied) {
		return; /* more of it will come */
	}
	if ((place->secured != NOT_SPOKEN && !decide_door(io, at)) || !read_more(io, at)) {
		end(io, at);
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
				end(io, at);
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
		if (events[i].data.u64 >> 32 != LISTENING) {
			serve(io, number, events[i].events);
		}
	}
	/* Last: a number that was given up in this round is given out again in the next one. */
	for (int i = 0; i < ready; i++) {
		if (events[i].data.u64 >> 32 == LISTENING) {
			accept_some(io, (uint32_t)events[i].data.u64);
		}
	}
}

static void
wake_doors(struct streams_io *io)
{
	for (size_t i = 0; i < io->door_count; i++) {
		if (io->door_rests[i]) {
			io->door_rests[i] = !watch(io, EPOLL_CTL_MOD, io->doors[i].fd, EPOLLIN,
						   number_of_door(i));
		}
	}
	if (io->turned_away > 0) {
		log_warning("%llu TCP connections were turned away: at most %d without an "
			    "allocation, %d from one address",
			    (unsigned long long)io->turned_away, STREAMS_IDLE_MAX,
			    STREAMS_IDLE_PER_SOURCE_MAX);
		io->turned_away = 0;
	}
	if (io->no_proxy > 0) {
		log_warning("%llu TCP connections came to tcp-proxy-port and from no proxy: they "
			    "were closed; name the proxies in tcp-proxy-from",
			    (unsigned long long)io->no_proxy);
		io->no_proxy = 0;
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
			end(io, at);
		}
	}
	wake_doors(io);
}

/* --- bytes and no messages --- */

void
streams_hold(struct streams_io *io, uint32_t listener, const struct address *client)
{
	const uint32_t at = streams_find(&io->table, listener, client);

	assert(at != STREAM_NONE);
	io->places[at].mode = MODE_HELD;
	watch_place(io, at);
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
	watch_place(io, at);
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
		watch_place(io, at);
	}
}

void
streams_end(struct streams_io *io, uint32_t listener, const struct address *client)
{
	const uint32_t at = streams_find(&io->table, listener, client);

	if (at != STREAM_NONE) {
		end(io, at);
	}
}
