/* The sockets of TCP allocations that listen: bound, accepted from, given up. */
#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actors/relay_tcp_inside_io.h"
#include "actors/relay_tcp_sockets_io.h"
#include "protocol/address_io.h"
#include "protocol/log_line_io.h"

enum {
	ACCEPTS_MAX = 16, /* in a round, before others get their turn */
	TRIES_RANDOM = 64,
	TRIES_IN_TURN = 4096, /* when the range is nearly full */
};

void
relay_tcp_doors_init(struct relay_tcp_io *io)
{
	for (uint32_t i = 0; i < TCP_ALLOCATIONS_MAX; i++) {
		io->doors[i].fd = -1;
		io->free[i] = TCP_ALLOCATIONS_MAX - 1 - i;
	}
	io->free_count = TCP_ALLOCATIONS_MAX;
}

void
relay_tcp_doors_close(struct relay_tcp_io *io)
{
	for (uint32_t i = 0; i < TCP_ALLOCATIONS_MAX; i++) {
		if (io->doors[i].fd >= 0) {
			close(io->doors[i].fd);
		}
	}
}

static uint32_t
bind_port(struct relay_tcp_io *io, size_t ip, uint16_t port, struct address *relayed)
{
	const struct relay_ip *item = &io->process->ips.items[ip];
	const uint32_t number = io->free[io->free_count - 1];
	struct door *door = &io->doors[number];
	struct address local = item->ip;

	local.port = port;
	const int fd = relay_tcp_listen_at(&local);
	if (fd < 0) {
		return SOCKET_NONE;
	}
	if (!relay_tcp_watch(io, EPOLL_CTL_ADD, fd, EPOLLIN,
			     watch_pack(RELAY_TCP_LISTENING, number))) {
		close(fd);
		return SOCKET_NONE;
	}
	io->free_count--;
	*door = (struct door){ .fd = fd, .local = local };
	*relayed = item->external;
	relayed->port = port;
	return RELAY_SOCKETS_MAX + number;
}

uint32_t
relay_tcp_io_bind(struct relay_tcp_io *io, size_t ip, struct address *relayed)
{
	const struct relay_ips *ips = &io->process->ips;
	const uint32_t ports = (uint32_t)ips->port_max - ips->port_min + 1;
	const uint32_t start = relay_random_u32() % ports;

	for (uint32_t i = 0; i < TRIES_RANDOM + TRIES_IN_TURN && io->free_count > 0; i++) {
		const uint32_t at =
			i < TRIES_RANDOM ? relay_random_u32() % ports : (start + i) % ports;
		const uint32_t socket = bind_port(io, ip, (uint16_t)(ips->port_min + at), relayed);
		if (socket != SOCKET_NONE) {
			return socket;
		}
		if (errno == EMFILE || errno == ENFILE) {
			return SOCKET_NONE;
		}
	}
	return SOCKET_NONE;
}

static uint32_t
door_at(uint32_t socket)
{
	assert(socket >= RELAY_SOCKETS_MAX);
	assert(socket < RELAY_SOCKETS_ALL);
	return socket - RELAY_SOCKETS_MAX;
}

void
relay_tcp_io_release(struct relay_tcp_io *io, uint32_t socket)
{
	struct door *door = &io->doors[door_at(socket)];

	assert(door->fd >= 0);
	close(door->fd);
	*door = (struct door){ .fd = -1 };
	io->free[io->free_count++] = door_at(socket);
}

const struct address *
relay_tcp_door_local(const struct relay_tcp_io *io, uint32_t socket)
{
	return &io->doors[door_at(socket)].local;
}

void
relay_tcp_accept(struct relay_tcp_io *io, uint32_t number)
{
	struct door *door = &io->doors[number];
	struct relay_process *process = io->process;

	for (int i = 0; i < ACCEPTS_MAX && door->fd >= 0; i++) {
		struct sockaddr_storage from = { 0 };
		socklen_t length = sizeof from;
		const int fd = accept4(door->fd, (struct sockaddr *)&from, &length,
				       SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS) {
				/* It would be ready again at once, and for nothing (D15). */
				relay_tcp_watch(io, EPOLL_CTL_MOD, door->fd, 0,
						watch_pack(RELAY_TCP_LISTENING, number));
				door->rests = true;
				log_warning("no descriptor for a peer's connection: raise "
					    "LimitNOFILE");
			}
			return;
		}
		struct address peer = address_from_sockaddr(&from);
		relay_ips_outward(&io->process->ips, &peer);
		const uint32_t taken = relay_tcp_attempted(
			process->relay, RELAY_SOCKETS_MAX + number, &peer, process->now_us);
		if (taken == SOCKET_NONE) {
			close(fd);
		} else {
			relay_tcp_open_place(io, taken, fd);
		}
	}
}

void
relay_tcp_wake_doors(struct relay_tcp_io *io)
{
	for (uint32_t number = 0; number < TCP_ALLOCATIONS_MAX; number++) {
		struct door *door = &io->doors[number];
		if (door->rests) {
			door->rests = !relay_tcp_watch(io, EPOLL_CTL_MOD, door->fd, EPOLLIN,
						       watch_pack(RELAY_TCP_LISTENING, number));
		}
	}
}
