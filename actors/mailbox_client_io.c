/* The client's end of the mailbox: a lane for each request that may be on its way. */
#include <assert.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdio.h>
#include <stdlib.h>

#include "actors/mailbox_nng_io.h"

enum { RECONNECT_MIN_MS = 5, RECONNECT_MAX_MS = 100 };

enum lane_state { LANE_FREE, LANE_ASKED, LANE_ANSWERED };

struct lane {
	struct mailbox_client *client;
	nng_ctx context;
	nng_aio *sending; /* nobody waits for it: a callback would cost a thread's waking */
	nng_aio *receiving;
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
	const int result = nng_aio_result(lane->receiving);

	if (result == NNG_ECLOSED || result == NNG_ECANCELED) {
		return;
	}
	mailbox_must(result, "a request");
	lane->message = nng_aio_get_msg(lane->receiving);
	lane->state = LANE_ANSWERED;
	handover_put(&lane->client->handover, lane->index);
}

struct mailbox_client *
mailbox_dial(const char *url, size_t lanes, char *fault, size_t fault_size)
{
	struct mailbox_client *client = mailbox_allocate(1, sizeof *client);

	mailbox_must(nng_req0_open(&client->socket), "a socket");
	mailbox_must(nng_socket_set_size(client->socket, NNG_OPT_RECVMAXSZ, MESSAGE_BYTES_MAX),
		     "its limit");
	mailbox_must(nng_socket_set_ms(client->socket, NNG_OPT_RECONNMINT, RECONNECT_MIN_MS),
		     "reconnect time");
	mailbox_must(nng_socket_set_ms(client->socket, NNG_OPT_RECONNMAXT, RECONNECT_MAX_MS),
		     "reconnect time");
	const int result = nng_dial(client->socket, url, NULL, NNG_FLAG_NONBLOCK);
	if (result != 0) {
		snprintf(fault, fault_size, "cannot dial %s: %s", url, nng_strerror(result));
		nng_close(client->socket);
		free(client);
		return NULL;
	}
	handover_open(&client->handover, lanes);
	client->lanes = mailbox_allocate(lanes, sizeof client->lanes[0]);
	client->count = lanes;
	for (uint32_t i = 0; i < lanes; i++) {
		struct lane *lane = &client->lanes[i];
		lane->client = client;
		lane->index = i;
		mailbox_must(nng_ctx_open(&lane->context, client->socket), "a context");
		mailbox_must(nng_aio_alloc(&lane->sending, NULL, NULL), "an operation");
		mailbox_must(nng_aio_alloc(&lane->receiving, lane_event, lane), "an operation");
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
	mailbox_must(nng_ctx_set_ms(client->lanes[lane].context, NNG_OPT_REQ_RESENDTIME, after_ms),
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
	/* The last one has left, for it was answered; a thread of nng may be about to say so. */
	nng_aio_wait(lane->sending);
	lane->state = LANE_ASKED;
	nng_aio_set_msg(lane->sending, mailbox_message(bytes));
	nng_ctx_send(lane->context, lane->sending);
	nng_ctx_recv(lane->context, lane->receiving);
}

/* A message that was not sent is still ours. The operation has ended. */
static void
free_unsent(struct lane *lane)
{
	nng_aio_wait(lane->sending);
	if (nng_aio_result(lane->sending) != 0 && nng_aio_get_msg(lane->sending) != NULL) {
		nng_msg_free(nng_aio_get_msg(lane->sending));
		nng_aio_set_msg(lane->sending, NULL);
	}
}

void
mailbox_cancel(struct mailbox_client *client, size_t index)
{
	assert(index < client->count);
	struct lane *lane = &client->lanes[index];

	if (lane->state == LANE_FREE) {
		return;
	}
	nng_aio_cancel(lane->receiving);
	nng_aio_wait(lane->receiving);
	if (lane->state == LANE_ANSWERED) {
		return; /* it came in time: take it */
	}
	nng_ctx_close(lane->context);
	free_unsent(lane);
	mailbox_must(nng_ctx_open(&lane->context, client->socket), "a context");
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
	*bytes = mailbox_bytes(lane->message);
	return true;
}

void
mailbox_hang_up(struct mailbox_client *client)
{
	if (!mailbox_close_socket(&client->socket)) {
		return;
	}
	for (size_t i = 0; i < client->count; i++) {
		nng_aio_stop(client->lanes[i].receiving);
		nng_aio_free(client->lanes[i].receiving);
		free_unsent(&client->lanes[i]);
		nng_aio_free(client->lanes[i].sending);
		if (client->lanes[i].message != NULL) {
			nng_msg_free(client->lanes[i].message);
		}
	}
	handover_close(&client->handover);
	free(client->lanes);
	free(client);
}
