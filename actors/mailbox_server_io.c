/* The server's end of the mailbox: a slot for each request that may be unanswered. */
#include <assert.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/supplemental/util/platform.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "actors/mailbox_nng_io.h"

enum { CLOSE_WAIT_MS = 500, CLOSE_STEP_MS = 50 };

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
	struct mailbox_server *server = mailbox_allocate(1, sizeof *server);

	mailbox_must(nng_rep0_open(&server->socket), "a socket");
	mailbox_must(nng_socket_set_size(server->socket, NNG_OPT_RECVMAXSZ, MESSAGE_BYTES_MAX),
		     "its limit");
	const int result = nng_listen(server->socket, url, NULL, 0);
	if (result != 0) {
		snprintf(fault, fault_size, "cannot listen on %s: %s", url, nng_strerror(result));
		nng_close(server->socket);
		free(server);
		return NULL;
	}
	handover_open(&server->handover, slots);
	server->slots = mailbox_allocate(slots, sizeof server->slots[0]);
	server->count = slots;
	for (uint32_t i = 0; i < slots; i++) {
		struct slot *slot = &server->slots[i];
		slot->server = server;
		slot->index = i;
		mailbox_must(nng_ctx_open(&slot->context, server->socket), "a context");
		mailbox_must(nng_aio_alloc(&slot->aio, slot_event, slot), "an operation");
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
	*bytes = mailbox_bytes(server->slots[*slot].message);
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
	nng_aio_set_msg(slot->aio, mailbox_message(bytes));
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
	if (!mailbox_close_socket(&server->socket)) {
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
