#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "actors/mailbox_nng_io.h"

enum { CLOSE_HANG_S = 2 };

void
mailbox_must(int result, const char *what)
{
	if (result != 0) {
		fprintf(stderr, "mailbox: %s: %s\n", what, nng_strerror(result));
		abort();
	}
}

void *
mailbox_allocate(size_t count, size_t size)
{
	void *memory = calloc(count, size);

	if (memory == NULL) {
		fprintf(stderr, "mailbox: out of memory at start\n");
		abort();
	}
	return memory;
}

void
handover_open(struct handover *handover, size_t size)
{
	handover->ring = mailbox_allocate(size, sizeof handover->ring[0]);
	handover->size = size;
	handover->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
	if (handover->fd < 0 || pthread_mutex_init(&handover->lock, NULL) != 0) {
		perror("mailbox: eventfd");
		abort();
	}
}

void
handover_close(struct handover *handover)
{
	close(handover->fd);
	pthread_mutex_destroy(&handover->lock);
	free(handover->ring);
}

void
handover_put(struct handover *handover, uint32_t index)
{
	const uint64_t one = 1;

	pthread_mutex_lock(&handover->lock);
	assert(handover->count < handover->size);
	handover->ring[(handover->head + handover->count++) % handover->size] = index;
	pthread_mutex_unlock(&handover->lock);
	if (write(handover->fd, &one, sizeof one) != sizeof one) {
		abort();
	}
}

bool
handover_take(struct handover *handover, uint32_t *index)
{
	uint64_t one = 0;

	if (read(handover->fd, &one, sizeof one) != sizeof one) {
		return false;
	}
	pthread_mutex_lock(&handover->lock);
	assert(handover->count > 0);
	*index = handover->ring[handover->head];
	handover->head = (handover->head + 1) % handover->size;
	handover->count--;
	pthread_mutex_unlock(&handover->lock);
	return true;
}

nng_msg *
mailbox_message(struct span bytes)
{
	nng_msg *message = NULL;

	mailbox_must(nng_msg_alloc(&message, 0), "a message");
	mailbox_must(nng_msg_append(message, bytes.at, bytes.count), "a message");
	return message;
}

struct span
mailbox_bytes(nng_msg *message)
{
	return (struct span){ nng_msg_body(message), nng_msg_len(message) };
}

/* Takes the place of libc's for this process, nng's calls too. Whoever is gone before it is greeted
 * gives EPIPE, which nng 1.5.2 (and 1.12 still) takes for "closed by ourselves" (posix_debug.c maps
 * it to NNG_ECLOSED): a dialer then never tries again (dialer_connect_cb), and a listener never
 * accepts again (listener_accept_cb), so that one client killed while it connects would make a
 * server deaf. As ECONNRESET both go on. */
ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
	const ssize_t sent = syscall(SYS_sendmsg, fd, message, flags);

	if (sent < 0 && errno == EPIPE) {
		errno = ECONNRESET;
	}
	return sent;
}

static void *
close_socket(void *socket)
{
	nng_close(*(nng_socket *)socket);
	return NULL;
}

bool
mailbox_close_socket(nng_socket *socket)
{
	struct timespec until;
	pthread_t closer;

	mailbox_must(pthread_create(&closer, NULL, close_socket, socket) == 0 ? 0 : NNG_ENOMEM,
		     "cannot start a thread");
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += CLOSE_HANG_S;
	return pthread_timedjoin_np(closer, NULL, &until) == 0;
}

size_t
mailbox_ask(const char *url, struct span request, void *out, size_t size, int timeout_ms)
{
	char fault[MAILBOX_URL_MAX];
	struct mailbox_client *client = mailbox_dial(url, 1, fault, sizeof fault);
	struct span reply = { 0 };
	size_t lane = 0;

	if (client == NULL) {
		return 0;
	}
	mailbox_request(client, 0, request);
	struct pollfd waits = { .fd = mailbox_client_fd(client), .events = POLLIN };
	if (poll(&waits, 1, timeout_ms) == 1 && mailbox_reply(client, &lane, &reply) &&
	    reply.count <= size) {
		memcpy(out, reply.at, reply.count);
	} else {
		reply.count = 0;
	}
	mailbox_hang_up(client);
	return reply.count;
}

void
mailbox_url(char *out, size_t size, const char *run_dir, const char *name)
{
	const int length = snprintf(out, size, "ipc://%s/%s.ipc", run_dir, name);

	assert(length > 0 && (size_t)length < size);
}
