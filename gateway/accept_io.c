#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/gateway_io.h"
#include "protocol/log_line_io.h"
#include "protocol/time_io.h"

enum { PAUSE_US = 200 * 1000 };

static void
pause_accepting(struct gateway *gateway, int cause)
{
	/* The listener stays readable: to look again at once would be a busy loop (threat D15). */
	log_warning("cannot take a connection: %s: raise the limit of open files (ulimit -n)",
		    strerror(cause));
	accept_stop(gateway);
	gateway->accept_again_us = time_monotonic_us() + PAUSE_US;
}

static void
adopt(struct gateway *gateway, int fd)
{
	const int yes = 1;

	if (gateway->sockets >= SOCKETS_MAX) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
	gateway->sockets++;
	/* On failure libwebsockets has closed it. */
	if (lws_adopt_socket_vhost(gateway->vhost, fd) == NULL) {
		gateway->sockets--;
	}
}

/* One connection a turn, so that gateways that share the listener share the work. */
static void
on_readable(uv_poll_t *poll, int status, int events)
{
	struct gateway *gateway = poll->data;
	uv_os_fd_t listener;

	(void)events;
	if (status < 0 || uv_fileno((const uv_handle_t *)poll, &listener) != 0) {
		return;
	}
	const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		adopt(gateway, fd);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		pause_accepting(gateway, errno);
	}
}

bool
accept_start(struct gateway *gateway)
{
	for (size_t i = 0; i < gateway->start->socket_count; i++) {
		uv_poll_t *poll = &gateway->listeners[i];

		if (poll->loop == NULL &&
		    uv_poll_init(&gateway->loop, poll, gateway->start->sockets[i]) != 0) {
			log_error("--listen-fd %d is not a listening socket",
				  gateway->start->sockets[i]);
			return false;
		}
		poll->data = gateway;
		uv_poll_start(poll, UV_READABLE, on_readable);
	}
	gateway->accepting = true;
	return true;
}

void
accept_stop(struct gateway *gateway)
{
	for (size_t i = 0; i < gateway->start->socket_count; i++) {
		uv_poll_stop(&gateway->listeners[i]);
	}
	gateway->accepting = false;
}

void
accept_tick(struct gateway *gateway, uint64_t now_us)
{
	if (!gateway->accepting && gateway->phase == GATEWAY_SERVES &&
	    now_us >= gateway->accept_again_us) {
		accept_start(gateway);
	}
}
