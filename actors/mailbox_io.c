#include "actors/mailbox_io.h"

#include <assert.h>
#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <nng/supplemental/util/platform.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	RECONNECT_MIN_MS = 5,
	RECONNECT_MAX_MS = 100,
	CLOSE_WAIT_MS = 500,
	CLOSE_STEP_MS = 50,
	CLOSE_HANG_S = 2
};

/* What nng's threads hand to ours: indexes of slots or lanes, and an eventfd that counts them. */
struct handover {
	pthread_mutex_t lock;
	int fd;
	uint32_t *ring;
	size_t size;
	size_t head;
	size_t count;
};

static void
nng_must(int result, const char *what)
{
	if (result != 0) {
		fprintf(stderr, "mailbox: %s: %s\n", what, nng_strerror(result));
		abort();
	}
}

static void *
must_allocate(size_t count, size_t size)
{
	void *memory = calloc(count, size);

	if (memory == NULL) {
		fprintf(stderr, "mailbox: out of memory at start\n");
		abort();
	}
	return memory;
}

static void
handover_open(struct handover *handover, size_t size)
{
	handover->ring = must_allocate(size, sizeof handover->ring[0]);
	handover->size = size;
	handover->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
	if (handover->fd < 0 || pthread_mutex_init(&handover->lock, NULL) != 0) {
		perror("mailbox: eventfd");
		abort();
	}
}

static void
handover_close(struct handover *handover)
{
	close(handover->fd);
	pthread_mutex_destroy(&handover->lock);
	free(handover->ring);
}

/* Each slot or lane is in the ring at most once, so it cannot be full. */
static void
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

static bool
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

static nng_msg *
message_of(struct span bytes)
{
	nng_msg *message = NULL;

	nng_must(nng_msg_alloc(&message, 0), "a message");
	nng_must(nng_msg_append(message, bytes.at, bytes.count), "a message");
	return message;
}

static struct span
bytes_of(nng_msg *message)
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

/* nng 1.5.2 may wait for ever in its close for a connection that broke while it was being closed.
 * Whoever closes is about to end, and must come to it: then all that is left to the process's end.
 */
static bool
socket_is_closed(nng_socket *socket)
{
	struct timespec until;
	pthread_t closer;

	nng_must(pthread_create(&closer, NULL, close_socket, socket) == 0 ? 0 : NNG_ENOMEM,
		 "cannot start a thread");
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += CLOSE_HANG_S;
	return pthread_timedjoin_np(closer, NULL, &until) == 0;
}

/* --- server ------------------------------------------------------------------------------------
 */

enum slot_state { SLOT_RECEIVING, SLOT_TAKEN, SLOT_SENDING };

struct slot {
	struct mailbox_server *server;
	nng_ctx context;
	nng_aio *aio;
	nng_msg *message;
	uint32_t index;
	_Atomic enum slot_state state;
};

struct mailbox_server {
	nng_socket socket;
	struct handover handover;
	struct slot *slots;
	size_t count;
};

static void
slot_receive(struct slot *slot)
{
	slot->state = SLOT_RECEIVING;
	nng_ctx_recv(slot->context, slot->aio);
}

/* Runs in a thread of nng. */
static void
slot_event(void *argument)
{
	struct slot *slot = argument;
	const int result = nng_aio_result(slot->aio);

	/* An answer that cannot be sent has lost its reader, who will ask again. */
	if (slot->state == SLOT_SENDING && result != 0) {
		nng_msg_free(nng_aio_get_msg(slot->aio));
	}
	if (result == NNG_ECLOSED || result == NNG_ECANCELED) {
		return;
	}
	if (slot->state == SLOT_RECEIVING && result == 0) {
		slot->message = nng_aio_get_msg(slot->aio);
		slot->state = SLOT_TAKEN;
		handover_put(&slot->server->handover, slot->index);
		return;
	}
	slot_receive(slot);
}

struct mailbox_server *
mailbox_listen(const char *url, size_t slots, char *fault, size_t fault_size)
{
	struct mailbox_server *server = must_allocate(1, sizeof *server);

	nng_must(nng_rep0_open(&server->socket), "a socket");
	nng_must(nng_socket_set_size(server->socket, NNG_OPT_RECVMAXSZ, MESSAGE_BYTES_MAX),
		 "its limit");
	const int result = nng_listen(server->socket, url, NULL, 0);
	if (result != 0) {
		snprintf(fault, fault_size, "cannot listen on %s: %s", url, nng_strerror(result));
		nng_close(server->socket);
		free(server);
		return NULL;
	}
	handover_open(&server->handover, slots);
	server->slots = must_allocate(slots, sizeof server->slots[0]);
	server->count = slots;
	for (uint32_t i = 0; i < slots; i++) {
		struct slot *slot = &server->slots[i];
		slot->server = server;
		slot->index = i;
		nng_must(nng_ctx_open(&slot->context, server->socket), "a context");
		nng_must(nng_aio_alloc(&slot->aio, slot_event, slot), "an operation");
		slot_receive(slot);
	}
	return server;
}

int
mailbox_server_fd(const struct mailbox_server *server)
{
	return server->handover.fd;
}

uint64_t
mailbox_sender_uid(const struct mailbox_server *server, uint32_t slot)
{
	uint64_t uid = UINT64_MAX;
	const nng_pipe pipe = nng_msg_get_pipe(server->slots[slot].message);

	return nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_UID, &uid) == 0 ? uid : UINT64_MAX;
}

bool
mailbox_sender_is_operator(const struct mailbox_server *server, uint32_t slot)
{
	const uint64_t uid = mailbox_sender_uid(server, slot);

	return uid == 0 || uid == geteuid();
}

bool
mailbox_take(struct mailbox_server *server, uint32_t *slot, struct span *bytes)
{
	if (!handover_take(&server->handover, slot)) {
		return false;
	}
	*bytes = bytes_of(server->slots[*slot].message);
	return true;
}

void
mailbox_answer(struct mailbox_server *server, uint32_t index, struct span bytes)
{
	assert(index < server->count);
	struct slot *slot = &server->slots[index];

	assert(slot->state == SLOT_TAKEN);
	nng_msg_free(slot->message);
	slot->message = NULL;
	slot->state = SLOT_SENDING;
	nng_aio_set_msg(slot->aio, message_of(bytes));
	nng_ctx_send(slot->context, slot->aio);
}

static bool
is_sending(const struct mailbox_server *server)
{
	for (size_t i = 0; i < server->count; i++) {
		if (server->slots[i].state == SLOT_SENDING) {
			return true;
		}
	}
	return false;
}

void
mailbox_close(struct mailbox_server *server)
{
	/* nng's linger for REP does not wait: give the kernel the last answers before the socket
	 * goes. Waiting for the operation itself would never end: once sent, it receives. */
	for (int waited_ms = 0; is_sending(server) && waited_ms < CLOSE_WAIT_MS;
	     waited_ms += CLOSE_STEP_MS) {
		nng_msleep(CLOSE_STEP_MS);
	}
	nng_msleep(CLOSE_STEP_MS);
	if (!socket_is_closed(&server->socket)) {
		return;
	}
	for (size_t i = 0; i < server->count; i++) {
		nng_aio_stop(server->slots[i].aio);
		nng_aio_free(server->slots[i].aio);
		if (server->slots[i].message != NULL) {
			nng_msg_free(server->slots[i].message);
		}
	}
	handover_close(&server->handover);
	free(server->slots);
	free(server);
}

/* --- client ------------------------------------------------------------------------------------
 */

enum lane_state { LANE_FREE, LANE_SENDING, LANE_RECEIVING, LANE_ANSWERED };

struct lane {
	struct mailbox_client *client;
	nng_ctx context;
	nng_aio *aio;
	nng_msg *message;
	uint32_t index;
	_Atomic enum lane_state state;
};

struct mailbox_client {
	nng_socket socket;
	struct handover handover;
	struct lane *lanes;
	size_t count;
};

/* Runs in a thread of nng. */
static void
lane_event(void *argument)
{
	struct lane *lane = argument;
	const int result = nng_aio_result(lane->aio);

	if (lane->state == LANE_SENDING && result != 0) {
		nng_msg_free(nng_aio_get_msg(lane->aio));
	}
	if (result == NNG_ECLOSED || result == NNG_ECANCELED) {
		return;
	}
	nng_must(result, "a request");
	if (lane->state == LANE_SENDING) {
		lane->state = LANE_RECEIVING;
		nng_ctx_recv(lane->context, lane->aio);
		return;
	}
	lane->message = nng_aio_get_msg(lane->aio);
	lane->state = LANE_ANSWERED;
	handover_put(&lane->client->handover, lane->index);
}

struct mailbox_client *
mailbox_dial(const char *url, size_t lanes, char *fault, size_t fault_size)
{
	struct mailbox_client *client = must_allocate(1, sizeof *client);

	nng_must(nng_req0_open(&client->socket), "a socket");
	nng_must(nng_socket_set_size(client->socket, NNG_OPT_RECVMAXSZ, MESSAGE_BYTES_MAX),
		 "its limit");
	nng_must(nng_socket_set_ms(client->socket, NNG_OPT_RECONNMINT, RECONNECT_MIN_MS),
		 "reconnect time");
	nng_must(nng_socket_set_ms(client->socket, NNG_OPT_RECONNMAXT, RECONNECT_MAX_MS),
		 "reconnect time");
	const int result = nng_dial(client->socket, url, NULL, NNG_FLAG_NONBLOCK);
	if (result != 0) {
		snprintf(fault, fault_size, "cannot dial %s: %s", url, nng_strerror(result));
		nng_close(client->socket);
		free(client);
		return NULL;
	}
	handover_open(&client->handover, lanes);
	client->lanes = must_allocate(lanes, sizeof client->lanes[0]);
	client->count = lanes;
	for (uint32_t i = 0; i < lanes; i++) {
		struct lane *lane = &client->lanes[i];
		lane->client = client;
		lane->index = i;
		nng_must(nng_ctx_open(&lane->context, client->socket), "a context");
		nng_must(nng_aio_alloc(&lane->aio, lane_event, lane), "an operation");
	}
	return client;
}

int
mailbox_client_fd(const struct mailbox_client *client)
{
	return client->handover.fd;
}

bool
mailbox_lane_is_free(const struct mailbox_client *client, size_t lane)
{
	assert(lane < client->count);
	return client->lanes[lane].state == LANE_FREE;
}

void
mailbox_lane_resend(struct mailbox_client *client, size_t lane, int after_ms)
{
	assert(lane < client->count);
	nng_must(nng_ctx_set_ms(client->lanes[lane].context, NNG_OPT_REQ_RESENDTIME, after_ms),
		 "resend time");
}

void
mailbox_request(struct mailbox_client *client, size_t index, struct span bytes)
{
	assert(mailbox_lane_is_free(client, index));
	struct lane *lane = &client->lanes[index];

	if (lane->message != NULL) {
		nng_msg_free(lane->message);
		lane->message = NULL;
	}
	lane->state = LANE_SENDING;
	nng_aio_set_msg(lane->aio, message_of(bytes));
	nng_ctx_send(lane->context, lane->aio);
}

void
mailbox_cancel(struct mailbox_client *client, size_t index)
{
	assert(index < client->count);
	struct lane *lane = &client->lanes[index];

	if (lane->state == LANE_FREE) {
		return;
	}
	nng_aio_cancel(lane->aio);
	nng_aio_wait(lane->aio);
	if (lane->state == LANE_ANSWERED) {
		return; /* it came in time: take it */
	}
	nng_ctx_close(lane->context);
	nng_must(nng_ctx_open(&lane->context, client->socket), "a context");
	lane->state = LANE_FREE;
}

bool
mailbox_reply(struct mailbox_client *client, size_t *index, struct span *bytes)
{
	uint32_t at = 0;

	if (!handover_take(&client->handover, &at)) {
		return false;
	}
	struct lane *lane = &client->lanes[at];
	assert(lane->state == LANE_ANSWERED);
	lane->state = LANE_FREE;
	*index = at;
	*bytes = bytes_of(lane->message);
	return true;
}

void
mailbox_hang_up(struct mailbox_client *client)
{
	if (!socket_is_closed(&client->socket)) {
		return;
	}
	for (size_t i = 0; i < client->count; i++) {
		nng_aio_stop(client->lanes[i].aio);
		nng_aio_free(client->lanes[i].aio);
		if (client->lanes[i].message != NULL) {
			nng_msg_free(client->lanes[i].message);
		}
	}
	handover_close(&client->handover);
	free(client->lanes);
	free(client);
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
