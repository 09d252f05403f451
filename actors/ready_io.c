#include "actors/ready_io.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "protocol/address.h"
#include "protocol/address_io.h"
#include "protocol/record.h"

/* Where a client on this host connects: a wildcard is reached at loopback. */
static struct address
reachable(const char *ip, uint64_t port)
{
	static const uint8_t zero[16];
	struct address address = { 0 };

	address_parse(&address, strcmp(ip, "localhost") == 0 ? "127.0.0.1" : ip);
	address.port = (uint16_t)port;
	if (memcmp(address.bytes, zero, sizeof zero) != 0) {
		return address;
	}
	if (address.family == ADDRESS_IPV4) {
		address.bytes[0] = 127;
		address.bytes[3] = 1;
	} else {
		address.bytes[15] = 1;
	}
	return address;
}

static int
connect_to(const struct address *address)
{
	const struct timeval limit = { .tv_sec = 1 };
	struct sockaddr_storage where;
	const socklen_t length = address_to_sockaddr(address, &where);
	const int fd = socket(where.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		return -1;
	}
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
	    connect(fd, (const struct sockaddr *)&where, length) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* "HTTP/1.1 200" may come in pieces. */
static bool
answers_200(int fd, const char *host)
{
	char text[256];
	size_t used = 0;
	const int length =
		snprintf(text, sizeof text,
			 "GET /ready HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host);

	if (send(fd, text, (size_t)length, MSG_NOSIGNAL) != length) {
		return false;
	}
	while (used < strlen("HTTP/1.1 200")) {
		const ssize_t got = recv(fd, text + used, sizeof text - 1 - used, 0);

		if (got <= 0) {
			return false;
		}
		used += (size_t)got;
	}
	text[used] = '\0';
	return strncmp(text, "HTTP/1.", 7) == 0 && strncmp(text + 8, " 200", 4) == 0;
}

bool
ready_ask(const struct settings *settings)
{
	const struct address address = reachable(settings->host.bytes, settings->port);
	char host[ADDRESS_PRINT_MAX];

	if (settings->tls_cert.bytes[0] != '\0') {
		return true;
	}
	address_print(host, sizeof host, &address);
	const int fd = connect_to(&address);

	if (fd < 0) {
		return false;
	}
	const bool ready = answers_200(fd, host);

	close(fd);
	return ready;
}

void
ready_print(const struct settings *settings)
{
	const struct address gateway = reachable(settings->host.bytes, settings->port);
	const struct address relay =
		reachable(settings->listening_ip.items[0].bytes, settings->listening_port);
	char ws[ADDRESS_PRINT_MAX];
	char turn[ADDRESS_PRINT_MAX];
	char turns[ADDRESS_PRINT_MAX + 8] = "";

	address_print(ws, sizeof ws, &gateway);
	address_print(turn, sizeof turn, &relay);
	if (settings_serve_tls(settings)) {
		struct address secured = relay;

		secured.port = (uint16_t)settings->tls_listening_port;
		strcpy(turns, " turns:");
		address_print(turns + strlen(turns), ADDRESS_PRINT_MAX, &secured);
	}
	printf("ready %s://%s turn:%s%s data %s\n",
	       settings->tls_cert.bytes[0] == '\0' ? "ws" : "wss", ws, turn, turns,
	       settings->data_dir.bytes);
	fflush(stdout);
}
