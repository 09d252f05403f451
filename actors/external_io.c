#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actors/external.h"
#include "protocol/address.h"
#include "protocol/log_line_io.h"
#include "protocol/stun.h"
#include "protocol/time_io.h"
#include "protocol/turn.h"

enum { WAIT_US = 2000 * 1000, AGAIN_US = 500 * 1000, REPLY_BYTES = 1500, HOST_BYTES = 256 };

struct asked {
	const char *server;
	int fd; /* connected to it, so that nobody else can answer; -1: it cannot be reached */
	struct transaction transaction;
	struct address answer;
};

/* "HOST", "HOST:PORT", "192.0.2.1", "[2001:db8::1]:3478". IPv4 alone is asked for by name: that is
 * what NATs change. */
static int
connect_to(const char *server)
{
	char host[HOST_BYTES];
	const char *colon = strrchr(server, ':');
	const bool has_port = colon != NULL && (strchr(server, ':') == colon || server[0] == '[');
	const struct addrinfo hints = { .ai_family = server[0] == '[' ? AF_INET6 : AF_INET,
					.ai_socktype = SOCK_DGRAM };
	struct addrinfo *found = NULL;
	int fd = -1;

	snprintf(host, sizeof host, "%.*s",
		 (int)(has_port ? (size_t)(colon - server) : strlen(server)), server);
	const size_t length = strlen(host);
	const bool is_bracketed = length > 2 && host[0] == '[' && host[length - 1] == ']';

	if (is_bracketed) {
		host[length - 1] = '\0';
	}
	if (getaddrinfo(is_bracketed ? host + 1 : host, has_port ? colon + 1 : "3478", &hints,
			&found) != 0) {
		return -1;
	}
	fd = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
		close(fd);
		fd = -1;
	}
	freeaddrinfo(found);
	return fd;
}

static void
send_binding(const struct asked *asked)
{
	uint8_t bytes[STUN_HEADER_BYTES];
	struct stun_writer w = stun_writer_of(bytes, sizeof bytes, TURN_BINDING, STUN_REQUEST,
					      &asked->transaction);
	const struct span written = stun_written(&w);

	if (asked->fd >= 0 && asked->answer.family == ADDRESS_NONE) {
		send(asked->fd, written.at, written.count, MSG_NOSIGNAL);
	}
}

static void
take_answer(struct asked *asked)
{
	uint8_t bytes[REPLY_BYTES];
	struct stun_message message;
	struct address address;
	const ssize_t count = recv(asked->fd, bytes, sizeof bytes, 0);

	if (count <= 0 || !stun_read((struct span){ bytes, (size_t)count }, &message) ||
	    message.class != STUN_SUCCESS || message.method != TURN_BINDING ||
	    memcmp(&message.transaction, &asked->transaction, sizeof asked->transaction) != 0) {
		return;
	}
	if (stun_address(&message, STUN_XOR_MAPPED_ADDRESS, &address) ||
	    stun_address(&message, STUN_MAPPED_ADDRESS, &address)) {
		asked->answer = address;
	}
}

static size_t
answered(const struct asked *asked, size_t count)
{
	size_t sum = 0;

	for (size_t i = 0; i < count; i++) {
		sum += asked[i].answer.family != ADDRESS_NONE;
	}
	return sum;
}

static void
wait_for_answers(struct asked *asked, size_t count)
{
	const uint64_t start_us = time_monotonic_us();
	bool is_sent_again = false;

	while (answered(asked, count) < count && time_monotonic_us() - start_us < WAIT_US) {
		struct pollfd waits[SETTING_ITEMS_MAX];

		for (size_t i = 0; i < count; i++) {
			const bool is_open = asked[i].answer.family == ADDRESS_NONE;
			waits[i] = (struct pollfd){ .fd = is_open ? asked[i].fd : -1,
						    .events = POLLIN };
		}
		poll(waits, count, AGAIN_US / 1000);
		for (size_t i = 0; i < count; i++) {
			if (waits[i].revents != 0) {
				take_answer(&asked[i]);
			}
		}
		if (!is_sent_again && time_monotonic_us() - start_us >= AGAIN_US) {
			is_sent_again = true;
			for (size_t i = 0; i < count; i++) {
				send_binding(&asked[i]);
			}
		}
	}
}

size_t
external_ask(const struct setting_list *servers, struct address *out, size_t *votes)
{
	static struct asked asked[SETTING_ITEMS_MAX];
	static struct address answers[SETTING_ITEMS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < servers->count; i++) {
		struct asked *next = &asked[count];

		*next = (struct asked){ .server = servers->items[i].bytes };
		next->fd = connect_to(next->server);
		if (next->fd < 0 || getrandom(&next->transaction, sizeof next->transaction, 0) !=
					    (ssize_t)sizeof next->transaction) {
			log_warning("stun-server %s cannot be found", next->server);
		} else {
			send_binding(next);
			count++;
		}
	}
	wait_for_answers(asked, count);
	for (size_t i = 0; i < count; i++) {
		answers[i] = asked[i].answer;
		if (answers[i].family == ADDRESS_NONE) {
			log_warning("stun-server %s does not answer", asked[i].server);
		}
		close(asked[i].fd);
	}
	*votes = external_vote(answers, count, out);
	return answered(asked, count);
}
