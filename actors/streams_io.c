#include "actors/streams_io.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "actors/streams.h"
#include "protocol/address_io.h"
#include "protocol/log_line_io.h"
#include "protocol/stream.h"

enum {
	READY_MAX = 64,
	ACCEPTS_MAX = 64, /* in a round, before others get their turn */
	LISTENERS_MAX = 128,
	READ_BYTES = 64 * 1024,
	IN_BYTES = STREAM_MESSAGE_BYTES_MAX + 4, /* what of a message is there */
	DATA_BYTES = 64 * 1024,                  /* relayed data is queued up to here */
	OUT_BYTES = 96 * 1024,                   /* and replies up to here */
	LISTENING = 1,                           /* in an event's upper half */
};

/* The worldly side of a stream, by its number. */
struct connection {
	int fd;
	uint32_t in_count;
	uint32_t out_count;
	bool watches_out;
};

struct streams_io {
	struct streams_owner owner;
	struct streams table;
	struct connection connections[STREAMS_MAX];
	uint8_t *memory; /* for each connection IN_BYTES and OUT_BYTES */
	int epoll;
	int listeners[LISTENERS_MAX];
	bool listener_rests[LISTENERS_MAX]; /* no descriptor was left: not watched until the tick */
	uint64_t now_us;
	uint64_t turned_away;
	uint8_t read[IN_BYTES + READ_BYTES];
};

static uint8_t *
in_of(const struct streams_io *io, uint32_t at)
{
	return io->memory + (size_t)at * (IN_BYTES + OUT_BYTES);
}

static uint8_t *
out_of(const struct streams_io *io, uint32_t at)
{
	return in_of(io, at) + IN_BYTES;
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
		mmap(NULL, (size_t)STREAMS_MAX * (IN_BYTES + OUT_BYTES), PROT_READ | PROT_WRITE,
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
			close(io->connections[at].fd);
		}
	}
	if (io->memory != MAP_FAILED) {
		munmap(io->memory, (size_t)STREAMS_MAX * (IN_BYTES + OUT_BYTES));
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
number_of_listener(uint32_t listener)
{
	return (uint64_t)LISTENING << 32 | listener;
}

bool
streams_listen(struct streams_io *io, int fd, uint32_t listener)
{
	assert(listener < LISTENERS_MAX);
	io->listeners[listener] = fd;
	return watch(io, EPOLL_CTL_ADD, fd, EPOLLIN, number_of_listener(listener));
}

/* --- ends --- */

/* The owner hears of it last: what it does may look at the table. */
static void
end(struct streams_io *io, uint32_t at)
{
	const struct stream stream = io->table.items[at];

	close(io->connections[at].fd);
	streams_remove(&io->table, at);
	madvise(in_of(io, at), IN_BYTES + OUT_BYTES, MADV_DONTNEED);
	if (stream.heard) {
		io->owner.gone(io->owner.context, stream.listener, &stream.client);
	}
}

/* Ends in the next round: it is in use now. */
static void
end_soon(const struct streams_io *io, uint32_t at)
{
	shutdown(io->connections[at].fd, SHUT_RDWR);
}

/* --- out --- */

static void
watch_out(struct streams_io *io, uint32_t at)
{
	struct connection *connection = &io->connections[at];
	const bool wanted = connection->out_count > 0;

	if (wanted != connection->watches_out) {
		watch(io, EPOLL_CTL_MOD, connection->fd, wanted ? EPOLLIN | EPOLLOUT : EPOLLIN, at);
		connection->watches_out = wanted;
	}
}

/* How much the kernel took; 0 also if the connection is broken, which reading will tell. */
static size_t
push(const struct connection *connection, struct span message, size_t padding)
{
	static const uint8_t zeros[4];
	struct iovec parts[] = { { (void *)(uintptr_t)message.at, message.count },
				 { (void *)(uintptr_t)zeros, padding } };
	const struct msghdr header = { .msg_iov = parts, .msg_iovlen = padding > 0 ? 2 : 1 };
	const ssize_t sent = sendmsg(connection->fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);

	return sent < 0 ? 0 : (size_t)sent;
}

static void
queue(struct streams_io *io, uint32_t at, struct span message, size_t padding, size_t sent)
{
	struct connection *connection = &io->connections[at];
	uint8_t *to = out_of(io, at) + connection->out_count;
	const size_t taken = sent < message.count ? sent : message.count;

	memcpy(to, message.at + taken, message.count - taken);
	memset(to + message.count - taken, 0, padding - (sent - taken));
	connection->out_count += (uint32_t)(message.count + padding - sent);
	watch_out(io, at);
}

void
streams_send(struct streams_io *io, uint32_t listener, const struct address *to,
	     struct span message, bool is_data)
{
	const uint32_t at = streams_find(&io->table, listener, to);

	if (at == STREAM_NONE) {
		return;
	}
	struct connection *connection = &io->connections[at];
	const size_t padding = stream_padding(message);
	const size_t count = message.count + padding;
	if (connection->out_count == 0) {
		const size_t sent = push(connection, message, padding);
		/* Data of which nothing went out is still whole: it waits like any other. */
		if (sent < count) {
			queue(io, at, message, padding, sent);
		}
	} else if (connection->out_count + count <= (is_data ? DATA_BYTES : OUT_BYTES)) {
		queue(io, at, message, padding, 0);
	} else if (!is_data) {
		end_soon(io, at);
	}
}

static void
write_more(struct streams_io *io, uint32_t at)
{
	struct connection *connection = &io->connections[at];
	uint8_t *out = out_of(io, at);
	const size_t sent = push(connection, (struct span){ out, connection->out_count }, 0);

	memmove(out, out + sent, connection->out_count - sent);
	connection->out_count -= (uint32_t)sent;
	watch_out(io, at);
}

/* --- in --- */

/* What is left of `count` bytes behind the whole messages; false if the stream is broken. */
static bool
take_messages(struct streams_io *io, uint32_t at, size_t count, size_t *left)
{
	struct stream *stream = &io->table.items[at];
	size_t used = 0;
	size_t taken = 0;
	enum stream_verdict verdict;

	while ((verdict = stream_next((struct span){ io->read + used, count - used }, &taken)) ==
	       STREAM_MESSAGE) {
		stream->heard = true;
		io->owner.message(io->owner.context, stream->listener, &stream->client,
				  (struct span){ io->read + used, taken });
		used += taken;
	}
	io->owner.flush(io->owner.context);
	*left = count - used;
	return verdict == STREAM_WAIT;
}

/* False if the connection is to end. */
static bool
read_more(struct streams_io *io, uint32_t at)
{
	struct connection *connection = &io->connections[at];
	size_t left = 0;

	memcpy(io->read, in_of(io, at), connection->in_count);
	const ssize_t got =
		recv(connection->fd, io->read + connection->in_count, READ_BYTES, MSG_DONTWAIT);
	if (got <= 0) {
		return got < 0 && (errno == EAGAIN || errno == EINTR);
	}
	const size_t count = connection->in_count + (size_t)got;
	if (!take_messages(io, at, count, &left)) {
		return false;
	}
	assert(left < IN_BYTES);
	memcpy(in_of(io, at), io->read + count - left, left);
	connection->in_count = (uint32_t)left;
	return true;
}

/* --- new ones --- */

static void
admit(struct streams_io *io, uint32_t listener, int fd, const struct sockaddr_storage *from)
{
	const struct address client = address_from_sockaddr(from);
	const uint32_t at = streams_admit(&io->table, listener, &client, io->now_us);
	const int one = 1;

	if (at == STREAM_NONE) {
		io->turned_away++;
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	io->connections[at] = (struct connection){ .fd = fd };
	if (!watch(io, EPOLL_CTL_ADD, fd, EPOLLIN, at)) {
		end(io, at);
	}
}

static bool
is_out_of_descriptors(int fault)
{
	return fault == EMFILE || fault == ENFILE || fault == ENOBUFS || fault == ENOMEM;
}

static void
accept_some(struct streams_io *io, uint32_t listener)
{
	for (int i = 0; i < ACCEPTS_MAX; i++) {
		struct sockaddr_storage from = { 0 };
		socklen_t length = sizeof from;
		const int fd = accept4(io->listeners[listener], (struct sockaddr *)&from, &length,
				       SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			admit(io, listener, fd, &from);
			continue;
		}
		if (is_out_of_descriptors(errno)) {
			/* It would be ready again at once, and for nothing (D15). */
			watch(io, EPOLL_CTL_MOD, io->listeners[listener], 0,
			      number_of_listener(listener));
			io->listener_rests[listener] = true;
			log_warning("no descriptor for a TCP client: raise LimitNOFILE");
		}
		return;
	}
}

/* --- rounds --- */

static void
serve(struct streams_io *io, uint32_t at, uint32_t events)
{
	if (!io->table.items[at].used) {
		return;
	}
	if ((events & EPOLLOUT) != 0) {
		write_more(io, at);
	}
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !read_more(io, at)) {
		end(io, at);
	}
}

void
streams_run(struct streams_io *io, uint64_t now_us)
{
	struct epoll_event events[READY_MAX];
	const int ready = epoll_wait(io->epoll, events, READY_MAX, 0);

	io->now_us = now_us;
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
wake_listeners(struct streams_io *io)
{
	for (uint32_t i = 0; i < LISTENERS_MAX; i++) {
		if (io->listener_rests[i]) {
			io->listener_rests[i] = !watch(io, EPOLL_CTL_MOD, io->listeners[i], EPOLLIN,
						       number_of_listener(i));
		}
	}
	if (io->turned_away > 0) {
		log_warning("%llu TCP connections were turned away: at most %d without an "
			    "allocation, %d from one address",
			    (unsigned long long)io->turned_away, STREAMS_IDLE_MAX,
			    STREAMS_IDLE_PER_SOURCE_MAX);
		io->turned_away = 0;
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
	wake_listeners(io);
}
