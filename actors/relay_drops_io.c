/* Datagrams that the kernel dropped because a socket's buffer was full. */
#include <linux/sock_diag.h>
#include <sys/socket.h>

#include "actors/relay_sockets_io.h"

enum { LOOKED_AT_ONCE = 1024 };

uint32_t
relay_socket_drops(int fd)
{
	uint32_t values[SK_MEMINFO_VARS] = { 0 };
	socklen_t length = sizeof values;

	return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, values, &length) == 0
		       ? values[SK_MEMINFO_DROPS]
		       : 0;
}

/* Since it was last looked at. */
static uint32_t
drops_of(struct relay_sockets *sockets, uint32_t number)
{
	const uint32_t drops = relay_socket_drops(sockets->fds[number]);
	const uint32_t more = drops - sockets->drops[number];

	sockets->drops[number] = drops;
	return more;
}

uint32_t
relay_sockets_drops(struct relay_sockets *sockets)
{
	uint32_t sum = 0;
	uint32_t open = 0;

	for (uint32_t i = 0; i < RELAY_SOCKETS_MAX && open < LOOKED_AT_ONCE; i++) {
		const uint32_t number = sockets->looked_at;
		sockets->looked_at = (number + 1) % RELAY_SOCKETS_MAX;
		if (sockets->fds[number] >= 0) {
			sum += drops_of(sockets, number);
			open++;
		}
	}
	return sum;
}
