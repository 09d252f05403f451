#include "actors/relay_tcp_sockets_io.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/address_io.h"

enum { BACKLOG = 16 };

/* -1 without a descriptor. */
static int
open_socket(const struct address *local)
{
	const int family = local->family == ADDRESS_IPV4 ? AF_INET : AF_INET6;
	const int one = 1;
	const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0) {
		return -1;
	}
	if (family == AF_INET6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
	}
	/* What is left of closed connections at that port is in nobody's way. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	return fd;
}

/* The port is shared with connections of ours alone, and only once it listens: until then, whoever
 * else wants it finds it taken. */
int
relay_tcp_listen_at(const struct address *local)
{
	struct sockaddr_storage where;
	const socklen_t length = address_to_sockaddr(local, &where);
	const int one = 1;
	const int fd = open_socket(local);

	if (fd >= 0 &&
	    (bind(fd, (const struct sockaddr *)&where, length) != 0 || listen(fd, BACKLOG) != 0 ||
	     setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) != 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* From the relayed address, which listens: both share it. */
int
relay_tcp_connect_from(const struct address *local, const struct address *to)
{
	struct sockaddr_storage from;
	struct sockaddr_storage there;
	const socklen_t from_length = address_to_sockaddr(local, &from);
	const socklen_t there_length = address_to_sockaddr(to, &there);
	const int one = 1;
	const int fd = open_socket(local);

	if (fd < 0) {
		return -1;
	}
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) != 0 ||
	    bind(fd, (const struct sockaddr *)&from, from_length) != 0 ||
	    (connect(fd, (const struct sockaddr *)&there, there_length) != 0 &&
	     errno != EINPROGRESS)) {
		close(fd);
		return -1;
	}
	return fd;
}
