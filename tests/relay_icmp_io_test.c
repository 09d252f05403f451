/* A socket's error queue: a peer that nobody listens at is told once for each datagram, with its
 * address. */
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "actors/relay_icmp_io.h"
#include "protocol/address_io.h"

/* Bound to 127.0.0.1 and a port of the kernel's choice. */
static int
open_socket(struct address *own)
{
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	struct sockaddr_in where = { .sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_storage bound = { 0 };
	socklen_t length = sizeof bound;

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&where, sizeof where), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&bound, &length), 0);
	*own = address_from_sockaddr(&bound);
	return fd;
}

static void
threat_E7_a_refusal_is_read_once(void **unused)
{
	struct address own;
	struct address nobody;
	struct relay_icmp icmp;
	struct sockaddr_storage to;

	(void)unused;
	const int gone = open_socket(&nobody);
	const int fd = open_socket(&own);
	close(gone);
	relay_icmp_watch(fd, AF_INET);
	assert_false(relay_icmp_read(fd, &icmp));
	const socklen_t length = address_to_sockaddr(&nobody, &to);
	relay_icmp_let_fragment(fd, ADDRESS_IPV4, false);
	assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, length), 1);
	relay_icmp_let_fragment(fd, ADDRESS_IPV4, true);
	struct pollfd waits = { .fd = fd, .events = POLLIN };
	assert_int_equal(poll(&waits, 1, 10000), 1);
	assert_true((waits.revents & POLLERR) != 0);
	assert_true(relay_icmp_read(fd, &icmp));
	assert_int_equal(icmp.type, 3);
	assert_int_equal(icmp.code, 3);
	assert_true(address_equal(&icmp.peer, &nobody));
	assert_false(relay_icmp_read(fd, &icmp));
	close(fd);
}

/* A datagram too long for the device is not cut: the kernel refuses it, and no ICMP error is made
 * up for it. */
static void
threat_F11_what_may_not_be_fragmented_is_not(void **unused)
{
	struct address own;
	int how = -1;
	socklen_t length = sizeof how;

	(void)unused;
	const int fd = open_socket(&own);
	relay_icmp_let_fragment(fd, ADDRESS_IPV4, false);
	assert_int_equal(getsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &how, &length), 0);
	assert_int_equal(how, IP_PMTUDISC_PROBE);
	relay_icmp_let_fragment(fd, ADDRESS_IPV4, true);
	assert_int_equal(getsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &how, &length), 0);
	assert_int_equal(how, IP_PMTUDISC_DONT);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threat_E7_a_refusal_is_read_once),
		cmocka_unit_test(threat_F11_what_may_not_be_fragmented_is_not),
	};

	return cmocka_run_group_tests_name("relay_icmp_io", tests, NULL, NULL);
}
