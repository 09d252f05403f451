/* The doors of streams_io.c: who is let in, and whose a connection behind a proxy is. */
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actors/streams_inside_io.h"
#include "protocol/address_io.h"
#include "protocol/log_line_io.h"
#include "protocol/proxy.h"

enum { ACCEPTS_MAX = 64 }; /* in a round, before others get their turn */

static uint64_t
number_of_door(size_t door)
{
	return (uint64_t)STREAMS_LISTENING << 32 | door;
}

bool
streams_listen(struct streams_io *io, const struct streams_door *door)
{
	assert(io->door_count < STREAMS_DOORS_MAX);
	assert(door->plain != NOT_SPOKEN || door->tls != NOT_SPOKEN);
	const size_t at = io->door_count++;

	io->doors[at] = *door;
	return streams_watch(io, EPOLL_CTL_ADD, door->fd, EPOLLIN, number_of_door(at));
}

void
streams_trust(struct streams_io *io, const struct address_range *proxies)
{
	assert(io->proxy_count < STREAMS_PROXIES_MAX);
	io->proxies[io->proxy_count++] = *proxies;
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
bool
streams_read_header(struct streams_io *io, uint32_t at)
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
	connection_open(&io->places[at].connection, fd, streams_memory_of(io, at));
	if ((!is_plain && !streams_secure(io, at)) || !streams_watch_place(io, at)) {
		streams_end_at(io, at);
	}
}

static bool
is_out_of_descriptors(int fault)
{
	return fault == EMFILE || fault == ENFILE || fault == ENOBUFS || fault == ENOMEM;
}

void
streams_accept(struct streams_io *io, size_t at)
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
			streams_watch(io, EPOLL_CTL_MOD, door->fd, 0, number_of_door(at));
			io->door_rests[at] = true;
			log_warning("no descriptor for a TCP client: raise LimitNOFILE");
		}
		return;
	}
}

void
streams_wake_doors(struct streams_io *io)
{
	for (size_t i = 0; i < io->door_count; i++) {
		if (io->door_rests[i]) {
			io->door_rests[i] = !streams_watch(io, EPOLL_CTL_MOD, io->doors[i].fd,
							   EPOLLIN, number_of_door(i));
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
