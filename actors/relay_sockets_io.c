#include "actors/relay_sockets_io.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actors/relay_batch_io.h"
#include "actors/relay_icmp_io.h"
#include "actors/relay_post_io.h"
#include "protocol/address.h"
#include "protocol/address_io.h"
#include "protocol/log_line_io.h"
#include "protocol/record.h"

enum {
	LISTENER_BUFFER_BYTES = 4 * 1024 * 1024,
	RELAYED_BUFFER_BYTES = 256 * 1024,
	TRIES_RANDOM = 32,
	TRIES_IN_TURN = 4096, /* when the range is nearly full */
	FDS_BESIDE = 256,     /* files, mailboxes, listeners */
};

uint64_t
watch_pack(uint32_t kind, uint32_t number)
{
	return (uint64_t)kind << 32 | number;
}

static void
raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

bool
relay_sockets_open(struct relay_sockets *sockets, const struct relay_ips *ips, int epoll)
{
	*sockets = (struct relay_sockets){ .ips = ips, .epoll = epoll };
	sockets->fds = malloc(RELAY_SOCKETS_MAX * sizeof *sockets->fds);
	sockets->free = malloc(RELAY_SOCKETS_MAX * sizeof *sockets->free);
	sockets->wanted = malloc(RELAY_SOCKETS_MAX);
	sockets->drops = calloc(RELAY_SOCKETS_MAX, sizeof *sockets->drops);
	if (sockets->fds == NULL || sockets->free == NULL || sockets->wanted == NULL ||
	    sockets->drops == NULL) {
		return false;
	}
	for (uint32_t i = 0; i < RELAY_SOCKETS_MAX; i++) {
		sockets->fds[i] = -1;
		sockets->free[i] = RELAY_SOCKETS_MAX - 1 - i;
	}
	sockets->free_count = RELAY_SOCKETS_MAX;
	raise_fd_limit();
	return true;
}

void
relay_sockets_close(struct relay_sockets *sockets)
{
	for (uint32_t i = 0; i < RELAY_SOCKETS_MAX; i++) {
		if (sockets->fds[i] >= 0) {
			close(sockets->fds[i]);
		}
	}
	free(sockets->fds);
	free(sockets->free);
	free(sockets->wanted);
	free(sockets->drops);
}

/* A datagram that is too long for a path is fragmented on its way, unless DONT-FRAGMENT says not
 * (relay_icmp_io.h). */
static void
let_fragment(int fd, int family)
{
	const int dont = IP_PMTUDISC_DONT;

	if (family == AF_INET) {
		setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &dont, sizeof dont);
	} else {
		setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &dont, sizeof dont);
	}
}

static void
read_buffers(int fd, int *receive, int *send)
{
	socklen_t length = sizeof *receive;

	*receive = 0;
	*send = 0;
	getsockopt(fd, SOL_SOCKET, SO_RCVBUF, receive, &length);
	length = sizeof *send;
	getsockopt(fd, SOL_SOCKET, SO_SNDBUF, send, &length);
}

static void
set_buffers(int fd, int bytes)
{
	/* The forced form passes the sysctl limit and needs CAP_NET_ADMIN; without it the plain
	 * form. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0) {
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
	}
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) != 0) {
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
	}
}

/* -1 if that port cannot be had. */
static int
open_bound(const struct address *local)
{
	struct sockaddr_storage where;
	const socklen_t length = address_to_sockaddr(local, &where);
	const int one = 1;
	const int fd = socket(where.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0) {
		return -1;
	}
	if (where.ss_family == AF_INET6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
	}
	if (bind(fd, (const struct sockaddr *)&where, length) != 0) {
		close(fd);
		return -1;
	}
	let_fragment(fd, where.ss_family);
	relay_icmp_watch(fd, where.ss_family);
	set_buffers(fd, RELAYED_BUFFER_BYTES);
	batch_coalesce(fd);
	return fd;
}

static uint64_t
files_left(uint64_t beside)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
		return UINT64_MAX;
	}
	return limit.rlim_cur > beside ? limit.rlim_cur - beside : 0;
}

void
relay_sockets_announce(const struct relay_sockets *sockets, uint32_t connections)
{
	const uint64_t beside = FDS_BESIDE + (uint64_t)connections;
	const struct relay_ips *ips = sockets->ips;
	const uint64_t ports = (uint64_t)ips->count * (ips->port_max - ips->port_min + 1u);
	const uint64_t files = files_left(beside);
	const uint64_t asked = ports < ALLOCATIONS_MAX ? ports : ALLOCATIONS_MAX;
	int receive;
	int send;
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	set_buffers(fd, RELAYED_BUFFER_BYTES);
	read_buffers(fd, &receive, &send);
	close(fd);
	log_info("relayed ports %u to %u, addresses: %zu, allocations that fit: %llu, buffers %d "
		 "bytes in, %d out",
		 ips->port_min, ips->port_max, ips->count,
		 (unsigned long long)(files < asked ? files : asked), receive, send);
	if (files < asked) {
		log_warning(
			"open files allow %llu allocations of the %llu that ports allow, beside "
			"%u TCP connections of clients and peers: raise LimitNOFILE (ulimit "
			"-n) to %llu",
			(unsigned long long)files, (unsigned long long)asked, connections,
			(unsigned long long)(asked + beside));
	}
}

static uint32_t
watch(struct relay_sockets *sockets, int fd)
{
	const uint32_t number = sockets->free[sockets->free_count - 1];
	struct epoll_event event = { .events = EPOLLIN,
				     .data.u64 = watch_pack(WATCH_RELAYED, number) };

	if (epoll_ctl(sockets->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
		close(fd);
		return SOCKET_NONE;
	}
	sockets->free_count--;
	sockets->fds[number] = fd;
	sockets->wanted[number] = 1;
	sockets->drops[number] = 0;
	return number;
}

void
relay_sockets_rest(struct relay_sockets *sockets, uint32_t number)
{
	epoll_ctl(sockets->epoll, EPOLL_CTL_DEL, sockets->fds[number], NULL);
}

static uint32_t
bind_port(struct relay_sockets *sockets, size_t ip, uint16_t port, struct address *relayed)
{
	const struct relay_ip *item = &sockets->ips->items[ip];
	struct address local = item->ip;

	local.port = port;
	const int fd = sockets->free_count == 0 ? -1 : open_bound(&local);
	if (fd < 0) {
		return SOCKET_NONE;
	}
	*relayed = item->external;
	relayed->port = port;
	return watch(sockets, fd);
}

uint32_t
relay_random_u32(void)
{
	uint32_t value = 0;

	if (getrandom(&value, sizeof value, 0) != sizeof value) {
		abort(); /* a kernel without randomness: a predictable port must not be given out */
	}
	return value;
}

/* The `index`-th port of the range, or of its even ones. */
static uint16_t
port_at(const struct relay_ips *ips, uint32_t index, bool even)
{
	const uint32_t first = even ? (ips->port_min + 1u) & ~1u : ips->port_min;
	const uint32_t step = even ? 2 : 1;

	return (uint16_t)(first + index * step);
}

static uint32_t
ports_of(const struct relay_ips *ips, bool even)
{
	const uint32_t first = even ? (ips->port_min + 1u) & ~1u : ips->port_min;

	return first > ips->port_max ? 0 : (ips->port_max - first) / (even ? 2 : 1) + 1;
}

/* The first try that succeeds: random ones, then, when the range is nearly full, one after the
 * other. */
static bool
try_ports(struct relay_sockets *sockets, size_t ip, uint32_t ports, bool even,
	  bool (*bind_at)(struct relay_sockets *, size_t, uint16_t, struct relay_ports *),
	  struct relay_ports *out)
{
	if (ports == 0) {
		return false;
	}
	for (int i = 0; i < TRIES_RANDOM; i++) {
		if (bind_at(sockets, ip, port_at(sockets->ips, relay_random_u32() % ports, even),
			    out)) {
			return true;
		}
		if (errno == EMFILE || errno == ENFILE) {
			return false;
		}
	}
	const uint32_t start = relay_random_u32() % ports;
	for (uint32_t i = 0; i < ports && i < TRIES_IN_TURN; i++) {
		if (bind_at(sockets, ip, port_at(sockets->ips, (start + i) % ports, even), out)) {
			return true;
		}
	}
	return false;
}

static bool
bind_one(struct relay_sockets *sockets, size_t ip, uint16_t port, struct relay_ports *out)
{
	out->socket = bind_port(sockets, ip, port, &out->relayed);
	return out->socket != SOCKET_NONE;
}

static bool
bind_two(struct relay_sockets *sockets, size_t ip, uint16_t port, struct relay_ports *out)
{
	if (!bind_one(sockets, ip, port, out)) {
		return false;
	}
	out->also = bind_port(sockets, ip, (uint16_t)(port + 1), &out->relayed_also);
	if (out->also == SOCKET_NONE) {
		relay_sockets_release(sockets, out->socket);
	}
	return out->also != SOCKET_NONE;
}

uint32_t
relay_sockets_bind(struct relay_sockets *sockets, size_t ip, bool even_port,
		   struct address *relayed)
{
	const uint32_t ports = ports_of(sockets->ips, even_port);
	struct relay_ports out = { 0 };

	assert(ip < sockets->ips->count);
	if (!try_ports(sockets, ip, ports, even_port, bind_one, &out)) {
		return SOCKET_NONE;
	}
	*relayed = out.relayed;
	return out.socket;
}

bool
relay_sockets_bind_pair(struct relay_sockets *sockets, size_t ip, struct relay_ports *out)
{
	const uint32_t even = ports_of(sockets->ips, true);
	const bool last_is_alone = sockets->ips->port_max % 2 == 0;

	assert(ip < sockets->ips->count);
	return try_ports(sockets, ip, even > 0 && last_is_alone ? even - 1 : even, true, bind_two,
			 out);
}

static uint32_t
watch_given(struct relay_sockets *sockets, int fd)
{
	const uint32_t drops = relay_socket_drops(fd); /* the other relay has told those */
	const uint32_t number = watch(sockets, fd);

	if (number != SOCKET_NONE) {
		sockets->drops[number] = drops;
	}
	return number;
}

uint32_t
relay_sockets_bind_again(struct relay_sockets *sockets, struct relay_hand *hand,
			 const struct address *relayed)
{
	const size_t ip = relay_ips_find(sockets->ips, relayed);
	struct address local;

	if (ip == sockets->ips->count || sockets->free_count == 0) {
		return SOCKET_NONE;
	}
	local = sockets->ips->items[ip].ip;
	local.port = relayed->port;
	const int handed = relay_hand_take(hand, &local);
	if (handed < 0) {
		return bind_port(sockets, ip, relayed->port, &local);
	}
	return watch_given(sockets, handed);
}

/* That relayed address is, here, where the socket is bound. */
static bool
is_seen_as(const struct relay_ips *ips, const struct address *bound, const struct address *relayed)
{
	size_t at = 0;

	while (at < ips->count && !(address_equal_ip(&ips->items[at].ip, bound) &&
				    address_equal_ip(&ips->items[at].external, relayed))) {
		at++;
	}
	return at < ips->count && bound->port == relayed->port;
}

uint32_t
relay_sockets_adopt(struct relay_sockets *sockets, int fd, const struct address *relayed)
{
	const struct address bound = relay_post_bound(fd);

	if (sockets->free_count == 0 || !is_seen_as(sockets->ips, &bound, relayed)) {
		close(fd);
		return SOCKET_NONE;
	}
	return watch_given(sockets, fd);
}

void
relay_sockets_release(struct relay_sockets *sockets, uint32_t number)
{
	assert(number < RELAY_SOCKETS_MAX);
	assert(sockets->fds[number] >= 0);
	relay_sockets_rest(sockets, number); /* it may live on in another relay */
	close(sockets->fds[number]);
	sockets->fds[number] = -1;
	sockets->free[sockets->free_count++] = number;
}

void
relay_listener_prepare(int fd, const char *transport, const struct address *local)
{
	char text[ADDRESS_PRINT_MAX];
	int receive;
	int send;

	set_buffers(fd, LISTENER_BUFFER_BYTES);
	let_fragment(fd, local->family == ADDRESS_IPV4 ? AF_INET : AF_INET6);
	read_buffers(fd, &receive, &send);
	address_print(text, sizeof text, local);
	log_info("listening on %s %s, buffers %d bytes in, %d out%s", transport, text, receive,
		 send,
		 receive < LISTENER_BUFFER_BYTES ? ": raise net.core.rmem_max for bursts" : "");
}

bool
relay_listener_address(int fd, struct address *out, bool *is_stream)
{
	int type = 0;
	socklen_t type_length = sizeof type;
	struct sockaddr_storage where = { 0 };
	socklen_t length = sizeof where;

	if (getsockname(fd, (struct sockaddr *)&where, &length) != 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_length) != 0) {
		return false;
	}
	*is_stream = type == SOCK_STREAM;
	*out = address_from_sockaddr(&where);
	return out->family != ADDRESS_NONE;
}
