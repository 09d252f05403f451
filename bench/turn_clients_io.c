/* The clients' requests: each client goes from step to step, many at once. */
#include <assert.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/turn_load.h"
#include "protocol/address_io.h"
#include "protocol/time_io.h"
#include "protocol/turn.h"

enum {
	TRIES_MAX = 10,
	RETRY_US = 500 * 1000,
	KEEP_US = 200 * 1000 * 1000, /* a permission lasts 300 s */
	CLIENT_BUFFER_BYTES = 1 << 20,
	READY_MAX = 64,
};

/* What is asked in each step, and the step after a success. */
static const struct {
	uint16_t method;
	enum load_step next;
	const char *name;
} steps[] = {
	[LOAD_CHALLENGED] = { TURN_ALLOCATE, LOAD_ALLOCATING, "first Allocate" },
	[LOAD_ALLOCATING] = { TURN_ALLOCATE, LOAD_BINDING, "Allocate" },
	[LOAD_BINDING] = { TURN_CHANNEL_BIND, LOAD_READY, "ChannelBind" },
	[LOAD_REFRESHING] = { TURN_REFRESH, LOAD_REBINDING, "Refresh" },
	[LOAD_REBINDING] = { TURN_CHANNEL_BIND, LOAD_READY, "ChannelBind" },
	[LOAD_RELEASING] = { TURN_REFRESH, LOAD_GONE, "Refresh to 0" },
};

static bool
is_asking(enum load_step step)
{
	return step != LOAD_NEW && step != LOAD_READY && step != LOAD_GONE;
}

static void
put_body(const struct load *load, struct stun_writer *w, enum load_step step)
{
	switch (step) {
	case LOAD_CHALLENGED:
	case LOAD_ALLOCATING:
		stun_put_u32(w, STUN_REQUESTED_TRANSPORT, 17u << 24);
		break;
	case LOAD_BINDING:
	case LOAD_REBINDING:
		stun_put_u32(w, STUN_CHANNEL_NUMBER, (uint32_t)LOAD_CHANNEL << 16);
		stun_put_address(w, STUN_XOR_PEER_ADDRESS, &load->peer_address);
		break;
	case LOAD_RELEASING:
		stun_put_u32(w, STUN_LIFETIME, 0);
		break;
	case LOAD_REFRESHING:
	case LOAD_NEW:
	case LOAD_READY:
	case LOAD_GONE:
		break;
	}
}

static struct transaction
transaction_of(uint64_t number)
{
	struct transaction transaction = { { 'l', 'o', 'a', 'd' } };

	memcpy(transaction.bytes + 4, &number, sizeof number);
	return transaction;
}

static void
ask(struct load *load, struct load_client *client)
{
	uint8_t memory[LOAD_DATAGRAM_MAX];
	const struct transaction transaction = transaction_of(client->number);
	struct stun_writer w = stun_writer_of(memory, sizeof memory, steps[client->step].method,
					      STUN_REQUEST, &transaction);

	if (client->tries++ == TRIES_MAX) {
		load_fail("no answer to %s", steps[client->step].name);
	}
	put_body(load, &w, client->step);
	if (client->step != LOAD_CHALLENGED) {
		stun_put(&w, STUN_USERNAME, load->user, strlen(load->user));
		stun_put(&w, STUN_REALM, load->realm, strlen(load->realm));
		stun_put(&w, STUN_NONCE, client->nonce, strlen(client->nonce));
		stun_put_integrity(&w, &load->integrity, INTEGRITY_SHA1, &load->key);
	}
	assert(!w.bad);
	client->asked_us = time_monotonic_us();
	const struct span request = stun_written(&w);
	if (client->wire == NULL) {
		send(client->fd, request.at, request.count, MSG_DONTWAIT);
	} else {
		load_wire_send(load, client, request, request.count);
	}
}

/* The next step, which may be to rest. */
static void
go(struct load *load, struct load_client *client, enum load_step step)
{
	load->waiting -= is_asking(client->step);
	load->waiting += is_asking(step);
	client->step = step;
	client->tries = 0;
	client->number = ++load->requests;
	if (is_asking(step)) {
		ask(load, client);
	}
}

static void
take_word(struct span value, char out[LOAD_WORD_MAX])
{
	if (value.count >= LOAD_WORD_MAX) {
		load_fail("realm or nonce is too long");
	}
	memcpy(out, value.at, value.count);
	out[value.count] = '\0';
}

static void
learn_realm(struct load *load, struct span realm)
{
	take_word(realm, load->realm);
	load->key = integrity_long_term_key(
		&load->integrity, PASSWORD_MD5,
		(struct span){ (const uint8_t *)load->user, strlen(load->user) },
		(struct span){ (const uint8_t *)load->realm, strlen(load->realm) },
		(struct span){ (const uint8_t *)load->password, strlen(load->password) });
}

void
load_client_take(struct load *load, struct load_client *client, struct span answer)
{
	const struct transaction asked = transaction_of(client->number);
	struct stun_message message;

	if (!is_asking(client->step) || !stun_read(answer, &message) ||
	    memcmp(&message.transaction, &asked, sizeof asked) != 0) {
		return; /* the answer to a request that was repeated meanwhile */
	}
	const unsigned code = stun_error_code(&message);
	if (client->step == LOAD_CHALLENGED ? code == 401 : code == 438) {
		if (load->realm[0] == '\0') {
			learn_realm(load, message.values[STUN_REALM]);
		}
		take_word(message.values[STUN_NONCE], client->nonce);
		go(load, client, client->step == LOAD_CHALLENGED ? LOAD_ALLOCATING : client->step);
		return;
	}
	if (client->step == LOAD_ALLOCATING && load->rounds > 0 && (code == 508 || code == 486)) {
		go(load, client, LOAD_GONE);
		return;
	}
	/* A release whose answer was lost finds nothing left. */
	if (message.class != STUN_SUCCESS && !(client->step == LOAD_RELEASING && code == 437)) {
		load_fail("%s: error %u", steps[client->step].name, code);
	}
	go(load, client, steps[client->step].next);
}

/* Sources differ, so ports never run short and no limit for one source is met. */
static int
socket_of(uint32_t index, int kind)
{
	const struct address own = {
		.family = ADDRESS_IPV4,
		.bytes = { 127, 1, (uint8_t)(index / 250), (uint8_t)(index % 250 + 1) },
	};
	struct sockaddr_storage where;
	const socklen_t length = address_to_sockaddr(&own, &where);
	const int fd = socket(AF_INET, kind | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&where, length) != 0) {
		load_fail("cannot open client %u: raise the limit of open files", index);
	}
	return fd;
}

static void
connect_datagrams(const struct load *load, int fd)
{
	const int buffer = CLIENT_BUFFER_BYTES;
	const int one = 1;
	struct sockaddr_storage where;
	const socklen_t length = address_to_sockaddr(&load->server, &where);

	if (connect(fd, (struct sockaddr *)&where, length) != 0) {
		load_fail("cannot connect a client's socket");
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
	if (load->gso) {
		setsockopt(fd, IPPROTO_UDP, UDP_GRO, &one, sizeof one);
	}
}

static void
open_client(struct load *load, uint32_t index)
{
	struct load_client *client = &load->clients[index];
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = index };

	switch (load->transport) {
	case LOAD_UDP:
	case LOAD_DTLS:
		client->fd = socket_of(index, SOCK_DGRAM | SOCK_NONBLOCK);
		connect_datagrams(load, client->fd);
		break;
	case LOAD_TCP:
	case LOAD_TLS:
		client->fd = socket_of(index, SOCK_STREAM);
		break;
	}
	if (load->transport != LOAD_UDP) {
		load_wire_open(load, client);
	}
	if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, client->fd, &event) != 0) {
		load_fail("cannot watch client %u", index);
	}
}

void
load_clients_open(struct load *load)
{
	load->epoll = epoll_create1(EPOLL_CLOEXEC);
	integrity_open(&load->integrity);
	for (uint32_t i = 0; i < load->allocations; i++) {
		open_client(load, i);
	}
}

static void
take_answer(struct load *load, struct load_client *client, struct span message, uint64_t at_ns)
{
	(void)at_ns;
	load_client_take(load, client, message);
}

static void
read_answers(struct load *load, int wait_ms)
{
	struct epoll_event events[READY_MAX];
	const int ready = epoll_wait(load->epoll, events, READY_MAX, wait_ms);

	for (int i = 0; i < ready; i++) {
		struct load_client *client = &load->clients[events[i].data.u32];
		uint8_t memory[LOAD_DATAGRAM_MAX];
		if (client->wire != NULL) {
			load_wire_read(load, client, take_answer);
			continue;
		}
		const ssize_t count = recv(client->fd, memory, sizeof memory, MSG_DONTWAIT);
		if (count > 0) {
			load_client_take(load, client, (struct span){ memory, (size_t)count });
		}
	}
}

static void
repeat_unanswered(struct load *load, uint64_t now_us)
{
	for (uint32_t i = 0; i < load->allocations && load->waiting > 0; i++) {
		struct load_client *client = &load->clients[i];
		if (is_asking(client->step) && now_us - client->asked_us > RETRY_US) {
			ask(load, client);
		}
	}
}

void
load_clients_lead(struct load *load, enum load_step rests)
{
	const enum load_step first = rests == LOAD_READY ? LOAD_CHALLENGED : LOAD_RELEASING;
	uint64_t looked_us = time_monotonic_us();
	uint32_t begun = 0;

	while (begun < load->allocations || load->waiting > 0) {
		while (begun < load->allocations && load->waiting < load->at_once) {
			struct load_client *client = &load->clients[begun++];
			if (rests == LOAD_READY || client->step == LOAD_READY) {
				go(load, client, first);
			}
		}
		read_answers(load, 100);
		const uint64_t now_us = time_monotonic_us();
		if (now_us - looked_us > RETRY_US / 5) {
			repeat_unanswered(load, now_us);
			looked_us = now_us;
		}
	}
}

/* A few at a time: the packets must not wait for it. */
void
load_clients_keep(struct load *load, uint64_t now_us)
{
	static uint32_t next;

	for (uint32_t i = 0; i < READY_MAX && i < load->allocations; i++) {
		struct load_client *client = &load->clients[next++ % load->allocations];
		const uint64_t since_us = now_us - client->asked_us;
		if (client->step == LOAD_READY && since_us > KEEP_US) {
			go(load, client, LOAD_REFRESHING);
		} else if (is_asking(client->step) && since_us > RETRY_US) {
			ask(load, client);
		}
	}
}
