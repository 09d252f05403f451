/* Which of several listeners takes a connection, asked of the kernel itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actors/sockets_steer_io.h"
#include "protocol/address.h"
#include "protocol/address_io.h"

enum { RELAYS = 3, ADDRESSES = 24, TIMES = 6, PATIENCE_MS = 30000 };

static struct address
at(const char *ip, uint16_t port)
{
	struct address address;

	assert_null(address_parse(&address, ip));
	address.port = port;
	return address;
}

static int
open_bound(const struct address *address)
{
	struct sockaddr_storage where;
	const socklen_t length = address_to_sockaddr(address, &where);
	const int one = 1;
	const int fd = socket(where.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&where, length), 0);
	return fd;
}

/* At one free port of that IP; returns where. */
static struct address
open_group(int fds[RELAYS], const char *ip)
{
	struct address address = at(ip, 0);

	for (size_t i = 0; i < RELAYS; i++) {
		struct sockaddr_storage where;
		socklen_t length = sizeof where;

		fds[i] = open_bound(&address);
		assert_int_equal(listen(fds[i], 64), 0);
		assert_int_equal(getsockname(fds[i], (struct sockaddr *)&where, &length), 0);
		address = address_from_sockaddr(&where);
	}
	return address;
}

static void
close_group(const int fds[RELAYS])
{
	for (size_t i = 0; i < RELAYS; i++) {
		close(fds[i]);
	}
}

/* Connects from that IP and says which of the group was given it. */
static size_t
lands_at(const int fds[RELAYS], const struct address *group, const char *ip)
{
	const struct address from = at(ip, 0);
	struct sockaddr_storage to;
	const socklen_t length = address_to_sockaddr(group, &to);
	const int client = open_bound(&from);
	struct pollfd ready[RELAYS];
	size_t at = 0;

	assert_int_equal(connect(client, (const struct sockaddr *)&to, length), 0);
	for (size_t i = 0; i < RELAYS; i++) {
		ready[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
	}
	assert_int_equal(poll(ready, RELAYS, PATIENCE_MS), 1);
	while (ready[at].revents == 0) {
		at++;
	}
	const int taken = accept(fds[at], NULL, NULL);
	assert_true(taken >= 0);
	close(taken);
	close(client);
	return at;
}

/* The `i`-th client's IP. */
static const char *
client(int i)
{
	static char ip[16];

	snprintf(ip, sizeof ip, "127.0.0.%d", 2 + i);
	return ip;
}

static void
all_connections_of_one_address_reach_one_listener(void **state)
{
	int fds[RELAYS];
	size_t clients[RELAYS] = { 0 };
	const struct address group = open_group(fds, "127.0.0.1");

	(void)state;
	assert_true(sockets_steer_by_source(fds[0], ADDRESS_IPV4, RELAYS));
	for (int i = 0; i < ADDRESSES; i++) {
		const size_t first = lands_at(fds, &group, client(i));
		clients[first]++;
		for (int again = 1; again < TIMES; again++) {
			assert_int_equal(lands_at(fds, &group, client(i)), first);
		}
	}
	for (size_t i = 0; i < RELAYS; i++) {
		assert_in_range(clients[i], 1, ADDRESSES / 2);
	}
	close_group(fds);
}

/* A client's data connection may come over TLS where its control connection came over TCP. */
static void
two_groups_deal_out_alike(void **state)
{
	int plain[RELAYS];
	int tls[RELAYS];
	const struct address of_plain = open_group(plain, "127.0.0.1");
	const struct address of_tls = open_group(tls, "127.0.0.1");

	(void)state;
	assert_true(sockets_steer_by_source(plain[0], ADDRESS_IPV4, RELAYS));
	assert_true(sockets_steer_by_source(tls[RELAYS - 1], ADDRESS_IPV4, RELAYS));
	for (int i = 0; i < ADDRESSES; i++) {
		assert_int_equal(lands_at(plain, &of_plain, client(i)),
				 lands_at(tls, &of_tls, client(i)));
	}
	close_group(plain);
	close_group(tls);
}

static bool
has_ipv6(void)
{
	const struct address address = at("::1", 0);
	struct sockaddr_storage where;
	const socklen_t length = address_to_sockaddr(&address, &where);
	const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const bool has = bind(fd, (const struct sockaddr *)&where, length) == 0;

	close(fd);
	return has;
}

static void
over_ipv6_too(void **state)
{
	int fds[RELAYS];

	(void)state;
	if (!has_ipv6()) {
		skip();
	}
	const struct address group = open_group(fds, "::1");
	assert_true(sockets_steer_by_source(fds[0], ADDRESS_IPV6, RELAYS));
	const size_t first = lands_at(fds, &group, "::1");
	for (int again = 1; again < 4 * TIMES; again++) {
		assert_int_equal(lands_at(fds, &group, "::1"), first);
	}
	close_group(fds);
}

static void
a_socket_in_no_group_is_not_steered(void **state)
{
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_false(sockets_steer_by_source(fd, ADDRESS_IPV4, RELAYS));
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_connections_of_one_address_reach_one_listener),
		cmocka_unit_test(two_groups_deal_out_alike),
		cmocka_unit_test(over_ipv6_too),
		cmocka_unit_test(a_socket_in_no_group_is_not_steered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
