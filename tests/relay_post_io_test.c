/* Datagrams and sockets from relay to relay, through the kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actors/relay_post_io.h"
#include "actors/relay_sockets_io.h"
#include "protocol/address.h"
#include "protocol/address_io.h"

static char directory[] = "/tmp/relay-post-XXXXXX";
static const uint8_t WORD[] = { 'w', 'o', 'r', 'd' };

/* Two relays with a post each. */
struct pair {
	struct relay_post *first;
	struct relay_post *second;
};

static struct pair
two_posts(void)
{
	struct pair pair = { relay_post_open(directory, "test", 1),
			     relay_post_open(directory, "test", 2) };

	assert_non_null(pair.first);
	assert_non_null(pair.second);
	return pair;
}

static void
close_both(struct pair pair)
{
	char path[64];

	relay_post_close(pair.first);
	relay_post_close(pair.second);
	for (int i = 1; i <= 2; i++) {
		snprintf(path, sizeof path, "%s/relay-%d.test", directory, i);
		unlink(path);
	}
}

static bool
send_word(const struct relay_post *post, uint64_t relay, int fd)
{
	return relay_post_send(post, relay, (struct span){ WORD, sizeof WORD }, fd);
}

static void
a_word_comes_with_a_descriptor_or_without(void **unused)
{
	const struct pair pair = two_posts();
	uint8_t got[RELAY_POST_BYTES_MAX];
	int ends[2];
	int fd;

	(void)unused;
	assert_int_equal(pipe(ends), 0);
	assert_true(send_word(pair.first, 2, -1));
	assert_true(send_word(pair.first, 2, ends[1]));
	assert_int_equal(relay_post_receive(pair.second, got, sizeof got, &fd), sizeof WORD);
	assert_memory_equal(got, WORD, sizeof WORD);
	assert_int_equal(fd, -1);
	assert_int_equal(relay_post_receive(pair.second, got, sizeof got, &fd), sizeof WORD);
	assert_true(fd >= 0);
	assert_int_equal(relay_post_receive(pair.second, got, sizeof got, &ends[1]), 0);
	assert_int_equal(ends[1], -1);
	/* It is the pipe's. */
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(read(ends[0], got, sizeof got), 1);
	close(fd);
	close(ends[0]);
	close_both(pair);
}

static void
who_is_not_there_is_told_from_who_is_busy(void **unused)
{
	struct pair pair = two_posts();
	unsigned sent = 0;

	(void)unused;
	assert_false(send_word(pair.first, 3, -1));
	assert_int_equal(errno, ENOENT);
	while (send_word(pair.first, 2, -1)) {
		sent++;
		assert_true(sent < 1000000);
	}
	assert_int_equal(errno, EAGAIN);
	assert_true(sent > 0);
	relay_post_close(pair.second);
	pair.second = NULL;
	assert_false(send_word(pair.first, 2, -1));
	assert_int_equal(errno, ECONNREFUSED);
	close_both(pair);
}

/* A relayed socket of one relay, given to another one with the same addresses. */
static void
only_a_socket_of_that_relayed_address_is_adopted(void **unused)
{
	struct relay_ips ips = { .count = 1, .port_min = 28400, .port_max = 28599 };
	struct relay_sockets giving;
	struct relay_sockets taking;
	struct address relayed;
	struct address wrong;
	const int epoll = epoll_create1(EPOLL_CLOEXEC);

	(void)unused;
	assert_null(address_parse(&ips.items[0].ip, "127.0.0.1:1"));
	assert_null(address_parse(&ips.items[0].external, "192.0.2.9:1"));
	assert_true(relay_sockets_open(&giving, &ips, epoll));
	assert_true(relay_sockets_open(&taking, &ips, epoll));
	const uint32_t given = relay_sockets_bind(&giving, 0, false, &relayed);
	assert_int_not_equal(given, SOCKET_NONE);
	relayed.port = relay_post_bound(giving.fds[given]).port;
	wrong = relayed;
	wrong.port++;
	assert_int_equal(relay_sockets_adopt(&taking, dup(giving.fds[given]), &wrong), SOCKET_NONE);
	assert_int_equal(relay_sockets_adopt(&taking, dup(giving.fds[given]), &ips.items[0].ip),
			 SOCKET_NONE);
	assert_int_equal(relay_sockets_adopt(&taking, socket(AF_INET, SOCK_STREAM, 0), &relayed),
			 SOCKET_NONE);
	const uint32_t taken = relay_sockets_adopt(&taking, dup(giving.fds[given]), &relayed);
	assert_int_not_equal(taken, SOCKET_NONE);
	relay_sockets_release(&giving, given);
	/* It lives on. */
	assert_int_equal(relay_post_bound(taking.fds[taken]).port, relayed.port);
	relay_sockets_release(&taking, taken);
	relay_sockets_close(&giving);
	relay_sockets_close(&taking);
	close(epoll);
}

static int
make_directory(void **unused)
{
	(void)unused;
	return mkdtemp(directory) == NULL ? -1 : 0;
}

static int
remove_directory(void **unused)
{
	(void)unused;
	return rmdir(directory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_word_comes_with_a_descriptor_or_without),
		cmocka_unit_test(who_is_not_there_is_told_from_who_is_busy),
		cmocka_unit_test(only_a_socket_of_that_relayed_address_is_adopted),
	};

	return cmocka_run_group_tests_name("relay_post_io", tests, make_directory,
					   remove_directory);
}
