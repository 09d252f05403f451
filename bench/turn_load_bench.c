/* A load for any TURN server over UDP, and what it costs that server: CPU time for each relayed
 * packet.
 *
 *   turn_load_bench --server 127.0.0.1:3478 --user NAME --password WORD --pid PID
 *                   [--allocations 100] [--bytes 172] [--rate 20000] [--seconds 5] [--echo]
 *
 * Each allocation has one channel to a peer of ours on loopback; `rate` is ChannelData a second
 * over all of them. With --echo the peer sends everything back. The CPU time is the process's, from
 * /proc/PID/stat, so coturn and ifswarm are measured the same way: start either, give its pid. */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "protocol/address.h"
#include "protocol/address_io.h"
#include "protocol/stun.h"
#include "protocol/turn.h"

enum {
	CLIENTS_MAX = 1000,
	BATCH = 64,
	DATAGRAM = 2048,
	CHANNEL = 0x4000,
	TRIES = 5,
	WAIT_MS = 500
};

struct load {
	struct address server;
	const char *user;
	const char *password;
	int pid;
	size_t allocations;
	size_t bytes;
	double rate;
	double seconds;
	bool echo;

	struct integrity integrity;
	struct integrity_key key;
	char realm[256];
	char nonce[256];
	uint64_t transactions;
	int clients[CLIENTS_MAX];
	int peer;
	struct address peer_address;
	int epoll;
	uint64_t sent;
	uint64_t at_peer;
	uint64_t echoed;
	uint64_t at_client;
};

static void
fail(const char *what)
{
	fprintf(stderr, "turn_load_bench: %s\n", what);
	exit(1);
}

static double
now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* User and system time of a process, in seconds. */
static double
cpu_of(int pid)
{
	char path[64];
	char text[1024];
	unsigned long user = 0;
	unsigned long system = 0;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	FILE *file = fopen(path, "r");
	if (file == NULL || fgets(text, sizeof text, file) == NULL) {
		fail("cannot read /proc/PID/stat: is --pid right?");
	}
	fclose(file);
	const char *after = strrchr(text, ')');
	assert(after != NULL);
	sscanf(after + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static int
open_udp(const struct address *local, int buffer)
{
	struct sockaddr_storage where;
	const socklen_t length = address_to_sockaddr(local, &where);
	const int fd = socket(where.ss_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&where, length) != 0) {
		fail("cannot bind a socket");
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
	return fd;
}

static struct stun_writer
begin(struct load *load, uint8_t *memory, uint16_t method)
{
	struct transaction transaction = { { 'l', 'o', 'a', 'd' } };

	load->transactions++;
	memcpy(transaction.bytes + 4, &load->transactions, sizeof load->transactions);
	return stun_writer_of(memory, DATAGRAM, method, STUN_REQUEST, &transaction);
}

static void
sign(struct load *load, struct stun_writer *w)
{
	stun_put(w, STUN_USERNAME, load->user, strlen(load->user));
	stun_put(w, STUN_REALM, load->realm, strlen(load->realm));
	stun_put(w, STUN_NONCE, load->nonce, strlen(load->nonce));
	stun_put_integrity(w, &load->integrity, INTEGRITY_SHA1, &load->key);
}

static bool
ask(int fd, struct span request, uint8_t *memory, struct stun_message *out)
{
	for (int i = 0; i < TRIES; i++) {
		struct pollfd waits = { .fd = fd, .events = POLLIN };
		if (send(fd, request.at, request.count, 0) < 0 || poll(&waits, 1, WAIT_MS) <= 0) {
			continue;
		}
		const ssize_t count = recv(fd, memory, DATAGRAM, 0);
		if (count > 0 && stun_read((struct span){ memory, (size_t)count }, out)) {
			return true;
		}
	}
	return false;
}

static void
take_word(struct span value, char *out, size_t size)
{
	if (value.count >= size) {
		fail("realm or nonce is too long");
	}
	memcpy(out, value.at, value.count);
	out[value.count] = '\0';
}

static void
learn_realm(struct load *load, int fd)
{
	uint8_t request[DATAGRAM];
	uint8_t reply[DATAGRAM];
	struct stun_message message;
	struct stun_writer w = begin(load, request, TURN_ALLOCATE);

	stun_put_u32(&w, STUN_REQUESTED_TRANSPORT, 17u << 24);
	if (!ask(fd, stun_written(&w), reply, &message) || stun_error_code(&message) != 401) {
		fail("the server does not answer an Allocate with a challenge");
	}
	take_word(message.values[STUN_REALM], load->realm, sizeof load->realm);
	take_word(message.values[STUN_NONCE], load->nonce, sizeof load->nonce);
	load->key = integrity_long_term_key(
		&load->integrity, PASSWORD_MD5,
		(struct span){ (const uint8_t *)load->user, strlen(load->user) },
		(struct span){ (const uint8_t *)load->realm, strlen(load->realm) },
		(struct span){ (const uint8_t *)load->password, strlen(load->password) });
}

static void
succeed(struct load *load, int fd, struct stun_writer *w, const char *what)
{
	uint8_t reply[DATAGRAM];
	struct stun_message message;

	sign(load, w);
	assert(!w->bad);
	if (!ask(fd, stun_written(w), reply, &message) || message.class != STUN_SUCCESS) {
		fprintf(stderr, "turn_load_bench: %s: error %u\n", what, stun_error_code(&message));
		exit(1);
	}
}

static void
open_client(struct load *load, size_t index)
{
	struct address any = load->server;
	struct sockaddr_storage where;
	uint8_t request[DATAGRAM];

	any.port = 0;
	const int fd = open_udp(&any, 1 << 20);
	const socklen_t length = address_to_sockaddr(&load->server, &where);
	if (connect(fd, (struct sockaddr *)&where, length) != 0) {
		fail("cannot connect a socket");
	}
	learn_realm(load, fd);
	struct stun_writer w = begin(load, request, TURN_ALLOCATE);
	stun_put_u32(&w, STUN_REQUESTED_TRANSPORT, 17u << 24);
	succeed(load, fd, &w, "Allocate");
	w = begin(load, request, TURN_CHANNEL_BIND);
	stun_put_u32(&w, STUN_CHANNEL_NUMBER, (uint32_t)CHANNEL << 16);
	stun_put_address(&w, STUN_XOR_PEER_ADDRESS, &load->peer_address);
	succeed(load, fd, &w, "ChannelBind");
	load->clients[index] = fd;
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = (uint32_t)index };
	epoll_ctl(load->epoll, EPOLL_CTL_ADD, fd, &event);
}

static void
open_all(struct load *load)
{
	struct sockaddr_storage where = { 0 };
	socklen_t length = sizeof where;
	struct address any = load->server;

	any.port = 0;
	load->epoll = epoll_create1(0);
	load->peer = open_udp(&any, 8 << 20);
	getsockname(load->peer, (struct sockaddr *)&where, &length);
	load->peer_address = address_from_sockaddr(&where);
	integrity_open(&load->integrity);
	for (size_t i = 0; i < load->allocations; i++) {
		open_client(load, i);
	}
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = UINT32_MAX };
	epoll_ctl(load->epoll, EPOLL_CTL_ADD, load->peer, &event);
}

/* The nonce at hand is another client's: the first answer brings the right one. */
static void
release(struct load *load, int fd)
{
	uint8_t request[DATAGRAM];
	uint8_t reply[DATAGRAM];
	struct stun_message message;

	for (int i = 0; i < 2; i++) {
		struct stun_writer w = begin(load, request, TURN_REFRESH);
		stun_put_u32(&w, STUN_LIFETIME, 0);
		sign(load, &w);
		if (!ask(fd, stun_written(&w), reply, &message) ||
		    stun_error_code(&message) != 438) {
			return;
		}
		take_word(message.values[STUN_NONCE], load->nonce, sizeof load->nonce);
	}
}

static void
release_all(struct load *load)
{
	for (size_t i = 0; i < load->allocations; i++) {
		release(load, load->clients[i]);
		close(load->clients[i]);
	}
}

static void
read_peer(struct load *load)
{
	static uint8_t memory[BATCH][DATAGRAM];
	static struct sockaddr_storage sources[BATCH];
	struct iovec vectors[BATCH];
	struct mmsghdr headers[BATCH];

	for (size_t i = 0; i < BATCH; i++) {
		vectors[i] = (struct iovec){ memory[i], DATAGRAM };
		headers[i].msg_hdr = (struct msghdr){ .msg_name = &sources[i],
						      .msg_namelen = sizeof sources[i],
						      .msg_iov = &vectors[i],
						      .msg_iovlen = 1 };
	}
	const int count = recvmmsg(load->peer, headers, BATCH, MSG_DONTWAIT, NULL);
	load->at_peer += count > 0 ? (uint64_t)count : 0;
	if (count <= 0 || !load->echo) {
		return;
	}
	for (int i = 0; i < count; i++) {
		vectors[i].iov_len = headers[i].msg_len;
	}
	const int sent = sendmmsg(load->peer, headers, (unsigned)count, MSG_DONTWAIT);
	load->echoed += sent > 0 ? (uint64_t)sent : 0;
}

static void
read_client(struct load *load, size_t index)
{
	static uint8_t memory[BATCH][DATAGRAM];
	struct iovec vectors[BATCH];
	struct mmsghdr headers[BATCH];

	memset(headers, 0, sizeof headers);
	for (size_t i = 0; i < BATCH; i++) {
		vectors[i] = (struct iovec){ memory[i], DATAGRAM };
		headers[i].msg_hdr.msg_iov = &vectors[i];
		headers[i].msg_hdr.msg_iovlen = 1;
	}
	const int count = recvmmsg(load->clients[index], headers, BATCH, MSG_DONTWAIT, NULL);
	load->at_client += count > 0 ? (uint64_t)count : 0;
}

static void
read_all(struct load *load)
{
	struct epoll_event events[BATCH];
	int ready;

	do {
		ready = epoll_wait(load->epoll, events, BATCH, 0);
		for (int i = 0; i < ready; i++) {
			if (events[i].data.u32 == UINT32_MAX) {
				read_peer(load);
			} else {
				read_client(load, events[i].data.u32);
			}
		}
	} while (ready == BATCH);
}

static void
run(struct load *load)
{
	uint8_t datagram[DATAGRAM] = { 0 };
	const double start = now_s();
	double now = start;

	turn_channel_write(datagram, CHANNEL, load->bytes);
	while ((now = now_s()) < start + load->seconds) {
		const uint64_t due = (uint64_t)((now - start) * load->rate);
		for (int i = 0; load->sent < due && i < BATCH; i++) {
			send(load->clients[load->sent % load->allocations], datagram,
			     load->bytes + CHANNEL_HEADER_BYTES, MSG_DONTWAIT);
			load->sent++;
		}
		read_all(load);
		if (load->sent >= due) {
			usleep(500);
		}
	}
	for (int i = 0; i < 100; i++) {
		read_all(load);
		usleep(1000);
	}
}

static void
report(const struct load *load, double cpu_s)
{
	const uint64_t relayed = load->at_peer + load->at_client;

	printf("%zu allocations, %zu bytes, %s: %.0f packets/s relayed, %.2f us CPU each (%.0f%% "
	       "of a core), "
	       "lost %.2f%% up, %.2f%% down\n",
	       load->allocations, load->bytes, load->echo ? "echo" : "up",
	       (double)relayed / load->seconds, cpu_s * 1e6 / (double)relayed,
	       100 * cpu_s / load->seconds,
	       100.0 * (double)(load->sent - load->at_peer) / (double)load->sent,
	       load->echoed == 0
		       ? 0
		       : 100.0 * (double)(load->echoed - load->at_client) / (double)load->echoed);
}

static void
read_options(struct load *load, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *name = argv[i];
		const char *value = i + 1 < argc ? argv[i + 1] : "";
		if (strcmp(name, "--echo") == 0) {
			load->echo = true;
			continue;
		}
		i++;
		if (strcmp(name, "--server") == 0 && address_parse(&load->server, value) == NULL) {
			continue;
		}
		if (strcmp(name, "--user") == 0) {
			load->user = value;
		} else if (strcmp(name, "--password") == 0) {
			load->password = value;
		} else if (strcmp(name, "--pid") == 0) {
			load->pid = atoi(value);
		} else if (strcmp(name, "--allocations") == 0) {
			load->allocations = (size_t)atoi(value);
		} else if (strcmp(name, "--bytes") == 0) {
			load->bytes = (size_t)atoi(value);
		} else if (strcmp(name, "--rate") == 0) {
			load->rate = atof(value);
		} else if (strcmp(name, "--seconds") == 0) {
			load->seconds = atof(value);
		} else {
			fail("see the head of bench/turn_load_bench.c for the options");
		}
	}
}

int
main(int argc, char **argv)
{
	static struct load load = { .allocations = 100, .bytes = 172, .rate = 20000, .seconds = 5 };

	read_options(&load, argc, argv);
	if (load.server.port == 0 || load.user == NULL || load.password == NULL || load.pid == 0 ||
	    load.allocations == 0 || load.allocations > CLIENTS_MAX ||
	    load.bytes > DATAGRAM - CHANNEL_HEADER_BYTES) {
		fail("--server, --user, --password and --pid are needed");
	}
	open_all(&load);
	const double before = cpu_of(load.pid);
	run(&load);
	report(&load, cpu_of(load.pid) - before);
	release_all(&load);
	return 0;
}
