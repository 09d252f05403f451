/* Relayed ports, from the kernel: which are given out, and whether all come back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "actors/relay_sockets_io.h"
#include "protocol/address.h"

/* Below the kernel's ephemeral ports and above those of the end-to-end tests (lib/cluster.mjs),
 * which may run beside this one: so hardly anybody else is there. */
enum { FIRST_PORT = 28000, PORTS = 200, DRAWN = 10000, ROUNDS = 100 };

struct house {
	struct relay_ips ips;
	struct relay_sockets sockets;
	int epoll;
};

static void
move_in(struct house *house)
{
	memset(house, 0, sizeof *house);
	house->ips.count = 1;
	assert_null(address_parse(&house->ips.items[0].ip, "127.0.0.1:1"));
	house->ips.items[0].ip.port = 0;
	house->ips.items[0].external = house->ips.items[0].ip;
	house->ips.port_min = FIRST_PORT;
	house->ips.port_max = FIRST_PORT + PORTS - 1;
	house->epoll = epoll_create1(EPOLL_CLOEXEC);
	assert_true(house->epoll >= 0);
	assert_true(relay_sockets_open(&house->sockets, &house->ips, house->epoll));
}

static void
move_out(struct house *house)
{
	relay_sockets_close(&house->sockets);
	close(house->epoll);
}

/* How many there are to be had; all of them are given back. */
static unsigned
fill_and_free(struct house *house)
{
	uint32_t numbers[PORTS + 1];
	struct address relayed;
	unsigned count = 0;

	while (count <= PORTS && (numbers[count] = relay_sockets_bind(&house->sockets, 0, false,
								      &relayed)) != SOCKET_NONE) {
		assert_in_range(relayed.port, FIRST_PORT, FIRST_PORT + PORTS - 1);
		count++;
	}
	for (unsigned i = 0; i < count; i++) {
		relay_sockets_release(&house->sockets, numbers[i]);
	}
	return count;
}

static void
threat_D10_the_range_is_as_large_every_time(void **unused)
{
	struct house house;

	(void)unused;
	move_in(&house);
	const unsigned first = fill_and_free(&house);
	assert_true(first > PORTS / 2);
	for (unsigned round = 1; round < ROUNDS; round++) {
		assert_int_equal(fill_and_free(&house), first);
	}
	move_out(&house);
}

/* Pearson's chi-square over the ports that can be had: its mean is one less than they are, its
 * variance twice that; six deviations above come by chance once in seven million runs. */
static void
threat_D11_ports_are_random(void **unused)
{
	unsigned seen[PORTS] = { 0 };
	struct house house;
	unsigned bins = 0;
	double sum = 0;

	(void)unused;
	move_in(&house);
	for (unsigned i = 0; i < DRAWN; i++) {
		struct address relayed;
		const uint32_t number = relay_sockets_bind(&house.sockets, 0, false, &relayed);

		assert_int_not_equal(number, SOCKET_NONE);
		seen[relayed.port - FIRST_PORT]++;
		relay_sockets_release(&house.sockets, number);
	}
	move_out(&house);
	for (size_t i = 0; i < PORTS; i++) {
		bins += seen[i] > 0; /* somebody else's port is never seen */
	}
	assert_true(bins > PORTS / 2);
	const double expected = (double)DRAWN / bins;
	for (size_t i = 0; i < PORTS; i++) {
		const double off = seen[i] - expected;
		sum += seen[i] > 0 ? off * off / expected : 0;
	}
	const double above = sum - (bins - 1.0);
	assert_true(above < 0 || above * above < 6.0 * 6.0 * 2.0 * (bins - 1.0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threat_D10_the_range_is_as_large_every_time),
		cmocka_unit_test(threat_D11_ports_are_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
