#include "gateway/acceptor_io.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/log_line_io.h"
#include "protocol/time_io.h"

enum { PAUSE_US = 200 * 1000 };

static void
pause_accepting(struct acceptor *acceptor, int cause)
{
	/* The listener stays readable: to look again at once would be a busy loop (threat D15). */
	log_warning("cannot take a connection: %s: raise the limit of open files (ulimit -n)",
		    strerror(cause));
	acceptor_stop(acceptor);
	acceptor->again_us = time_monotonic_us() + PAUSE_US;
}

static void
adopt(struct acceptor *acceptor, int fd)
{
	const int yes = 1;

	if (acceptor->sockets >= acceptor->sockets_max) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
	acceptor->sockets++;
	/* On failure libwebsockets has closed it. */
	if (lws_adopt_socket_vhost(acceptor->vhost, fd) == NULL) {
		acceptor->sockets--;
	}
}

/* One connection a turn, so that gateways that share the listener share the work. */
static void
on_readable(uv_poll_t *poll, int status, int events)
{
	struct acceptor *acceptor = poll->data;
	uv_os_fd_t listener;

	(void)events;
	if (status < 0 || uv_fileno((const uv_handle_t *)poll, &listener) != 0) {
		return;
	}
	const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		adopt(acceptor, fd);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		pause_accepting(acceptor, errno);
	}
}

bool
acceptor_start(struct acceptor *acceptor)
{
	for (size_t i = 0; i < acceptor->start->socket_count; i++) {
		uv_poll_t *poll = &acceptor->listeners[i];

		if (poll->loop == NULL &&
		    uv_poll_init(acceptor->loop, poll, acceptor->start->sockets[i]) != 0) {
			log_error("--listen-fd %d is not a listening socket",
				  acceptor->start->sockets[i]);
			return false;
		}
		poll->data = acceptor;
		uv_poll_start(poll, UV_READABLE, on_readable);
	}
	acceptor->accepting = true;
	return true;
}

void
acceptor_stop(struct acceptor *acceptor)
{
	for (size_t i = 0; i < acceptor->start->socket_count; i++) {
		uv_poll_stop(&acceptor->listeners[i]);
	}
	acceptor->accepting = false;
}

void
acceptor_tick(struct acceptor *acceptor, uint64_t now_us)
{
	if (!acceptor->accepting && now_us >= acceptor->again_us) {
		acceptor_start(acceptor);
	}
}

void
acceptor_closed(struct acceptor *acceptor)
{
	acceptor->sockets--;
}
