/* Datagrams through real sockets: runs leave as one, come as what they were, and are not lost where
 * the kernel takes none. */
#include "actors/relay_batch_io.h"

#include <errno.h>
#include <netinet/udp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "actors/relay.h"
#include "protocol/address_io.h"

enum { PEERS = 2, SEEN_MAX = 64, BYTES_MAX = 256 };

/* What the next calls of the kernel are answered with. */
static struct {
	int run_error;  /* to every message that is a run; 0: none */
	int next_error; /* to the next message, once */
} faults;

int __real_sendmmsg(int fd, struct mmsghdr *headers, unsigned count, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *header, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *headers, unsigned count, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *header, int flags);

static bool
is_refused(const struct msghdr *header)
{
	const int once = faults.next_error;

	faults.next_error = 0;
	errno = once != 0 ? once : faults.run_error;
	return once != 0 || (faults.run_error != 0 && header->msg_control != NULL);
}

ssize_t
__wrap_sendmsg(int fd, const struct msghdr *header, int flags)
{
	return is_refused(header) ? -1 : __real_sendmsg(fd, header, flags);
}

/* Up to the first one that is refused, as the kernel does. */
int
__wrap_sendmmsg(int fd, struct mmsghdr *headers, unsigned count, int flags)
{
	unsigned taken = 0;

	while (taken < count && !is_refused(&headers[taken].msg_hdr)) {
		taken++;
	}
	return taken == 0 ? -1 : __real_sendmmsg(fd, headers, taken, flags);
}

struct room {
	struct batch_in *in;
	struct batch_out *out;
	int sender;
	int peers[PEERS];
	struct address addresses[PEERS];
	uint8_t seen[PEERS][SEEN_MAX][BYTES_MAX];
	size_t seen_bytes[PEERS][SEEN_MAX];
	uint32_t seen_count[PEERS];
	uint32_t pieces[PEERS];
};

static int
open_socket(struct address *address)
{
	const struct sockaddr_in any = { .sin_family = AF_INET,
					 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_storage where = { 0 };
	socklen_t length = sizeof where;
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&any, sizeof any), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&where, &length), 0);
	*address = address_from_sockaddr(&where);
	return fd;
}

static struct room *
move_in(bool coalesce)
{
	struct room *room = calloc(1, sizeof *room);
	struct address own;

	assert_non_null(room);
	memset(&faults, 0, sizeof faults);
	room->in = batch_in_new();
	room->out = batch_out_new();
	room->sender = open_socket(&own);
	for (int i = 0; i < PEERS; i++) {
		room->peers[i] = open_socket(&room->addresses[i]);
		if (coalesce) {
			batch_coalesce(room->peers[i]);
		}
	}
	return room;
}

static void
move_out(struct room *room)
{
	batch_in_free(room->in);
	batch_out_free(room->out);
	close(room->sender);
	for (int i = 0; i < PEERS; i++) {
		close(room->peers[i]);
	}
	free(room);
}

/* Takes what came to that peer apart; loopback has delivered it by now. */
static void
look(struct room *room, int peer)
{
	const uint32_t count = batch_receive(room->in, room->peers[peer], 0, BATCH_MAX);

	for (uint32_t i = 0; i < count; i++) {
		const struct batch_piece piece = batch_piece_at(room->in, i);
		size_t at = 0;
		do {
			const size_t bytes = run_cut(piece.bytes, piece.segment, at);
			const uint32_t seen = room->seen_count[peer]++;
			assert_true(seen < SEEN_MAX);
			assert_true(bytes <= BYTES_MAX);
			memcpy(room->seen[peer][seen], piece.data + at, bytes);
			room->seen_bytes[peer][seen] = bytes;
			at += bytes;
		} while (at < piece.bytes);
	}
	room->pieces[peer] += count;
}

static void
add(struct room *room, int peer, const uint8_t *memory, size_t bytes)
{
	batch_add(room->out, room->sender, &room->addresses[peer], (struct span){ memory, bytes });
}

static void
expect(const struct room *room, int peer, uint32_t at, const uint8_t *bytes, size_t count)
{
	assert_true(at < room->seen_count[peer]);
	assert_int_equal(room->seen_bytes[peer][at], count);
	assert_memory_equal(room->seen[peer][at], bytes, count);
}

static uint8_t sample[64][BYTES_MAX];

static void
fill_sample(void)
{
	for (size_t i = 0; i < sizeof sample; i++) {
		((uint8_t *)sample)[i] = (uint8_t)(i * 31 + i / BYTES_MAX);
	}
}

static void
a_run_leaves_as_one_and_comes_as_its_datagrams(void **unused)
{
	static const size_t sizes[] = { 100, 100, 100, 33, 0, 50 };

	(void)unused;
	fill_sample();
	for (int coalesce = 0; coalesce < 2; coalesce++) {
		struct room *room = move_in(coalesce == 1);
		for (uint32_t i = 0; i < 6; i++) {
			add(room, 0, sample[i], sizes[i]);
		}
		batch_send(room->out);
		look(room, 0);
		assert_int_equal(room->seen_count[0], 6);
		assert_int_equal(room->pieces[0], coalesce == 1 ? 3 : 6);
		for (uint32_t i = 0; i < 6; i++) {
			expect(room, 0, i, sample[i], sizes[i]);
		}
		assert_int_equal(batch_counted(room->out)->datagrams, 6);
		assert_int_equal(batch_counted(room->out)->calls, 3);
		assert_int_equal(batch_counted(room->out)->lost, 0);
		move_out(room);
	}
}

static void
mixed_targets_and_sockets_keep_their_order(void **unused)
{
	struct address other_address;

	(void)unused;
	fill_sample();
	struct room *room = move_in(true);
	const int other = open_socket(&other_address);

	for (uint32_t i = 0; i < 12; i++) {
		if (i % 3 == 0) {
			batch_add_copy(room->out, other, &room->addresses[i % 2],
				       (struct span){ sample[i], 60 });
		} else {
			add(room, (int)(i % 2), sample[i], 60);
		}
	}
	batch_send(room->out);
	for (int peer = 0; peer < PEERS; peer++) {
		look(room, peer);
		assert_int_equal(room->seen_count[peer], 6);
		uint32_t last[2] = { 0, 0 };
		for (uint32_t seen = 0; seen < 6; seen++) {
			uint32_t i = 0;
			while (memcmp(sample[i], room->seen[peer][seen], 60) != 0) {
				i++;
			}
			assert_int_equal(i % 2, peer);
			assert_true(i >= last[i % 3 == 0]); /* of each sender in its order */
			last[i % 3 == 0] = i;
		}
	}
	close(other);
	move_out(room);
}

static void
headers_between_datagrams_of_a_run_are_copied(void **unused)
{
	uint8_t memory[RELAY_HEADROOM + 40 + RELAY_TAILROOM];
	uint8_t kept[sizeof memory];

	(void)unused;
	struct room *room = move_in(false);
	for (size_t i = 0; i < sizeof memory; i++) {
		kept[i] = memory[i] = (uint8_t)i;
	}
	const struct span payload = { memory + RELAY_HEADROOM, 40 };
	batch_add_wrapped(room->out, room->sender, &room->addresses[0],
			  (struct span){ payload.at - 36, 36 + 40 + 2 }, payload);
	batch_add_wrapped(room->out, room->sender, &room->addresses[0],
			  (struct span){ payload.at - 4, 4 + 40 }, payload);
	memset(memory, 0xEE, RELAY_HEADROOM);
	memset(memory + RELAY_HEADROOM + 40, 0xEE, RELAY_TAILROOM);
	batch_send(room->out);
	look(room, 0);
	assert_int_equal(room->seen_count[0], 2);
	expect(room, 0, 0, kept + RELAY_HEADROOM - 36, 78);
	expect(room, 0, 1, kept + RELAY_HEADROOM - 4, 44);
	move_out(room);
}

/* Sends four runs of four to either peer in turn, and finds every datagram there. */
static void
send_runs(struct room *room)
{
	for (uint32_t i = 0; i < 16; i++) {
		add(room, (int)(i / 4 % 2), sample[i], i % 4 == 3 ? 20 : 80);
	}
	batch_send(room->out);
	for (int peer = 0; peer < PEERS; peer++) {
		const uint32_t before = room->seen_count[peer];
		look(room, peer);
		assert_int_equal(room->seen_count[peer], before + 8);
		for (uint32_t j = 0; j < 8; j++) {
			const uint32_t i = j + 4 * (uint32_t)peer + (j < 4 ? 0 : 4);
			expect(room, peer, before + j, sample[i], i % 4 == 3 ? 20 : 80);
		}
	}
}

static void
a_kernel_that_refuses_runs_loses_nothing(void **unused)
{
	static const int errors[] = { EIO, EINVAL, EOPNOTSUPP, EMSGSIZE };

	(void)unused;
	fill_sample();
	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
		struct room *room = move_in(true);
		faults.run_error = errors[i];
		send_runs(room);
		assert_int_equal(batch_counted(room->out)->refused, 4);
		assert_int_equal(batch_counted(room->out)->calls, 16);
		/* It is not asked again, except by what may be one path's matter. */
		send_runs(room);
		assert_int_equal(batch_counted(room->out)->refused, errors[i] == EMSGSIZE ? 8 : 4);
		assert_int_equal(batch_counted(room->out)->lost, 0);
		assert_int_equal(batch_counted(room->out)->datagrams, 32);
		move_out(room);
	}
}

static void
what_an_earlier_datagram_ran_into_costs_no_other(void **unused)
{
	(void)unused;
	fill_sample();
	struct room *room = move_in(false);
	faults.next_error = ECONNREFUSED;
	send_runs(room);
	assert_int_equal(batch_counted(room->out)->lost, 0);
	move_out(room);
}

static void
what_the_kernel_does_not_take_is_counted(void **unused)
{
	(void)unused;
	fill_sample();
	struct room *room = move_in(false);
	faults.next_error = EAGAIN;
	for (uint32_t i = 0; i < 4; i++) {
		add(room, (int)(i / 3), sample[i], 80);
	}
	batch_send(room->out);
	look(room, 1);
	assert_int_equal(batch_counted(room->out)->lost, 3); /* the run; not who comes behind */
	assert_int_equal(room->seen_count[1], 1);
	move_out(room);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_run_leaves_as_one_and_comes_as_its_datagrams),
		cmocka_unit_test(mixed_targets_and_sockets_keep_their_order),
		cmocka_unit_test(headers_between_datagrams_of_a_run_are_copied),
		cmocka_unit_test(a_kernel_that_refuses_runs_loses_nothing),
		cmocka_unit_test(what_an_earlier_datagram_ran_into_costs_no_other),
		cmocka_unit_test(what_the_kernel_does_not_take_is_counted),
	};

	return cmocka_run_group_tests_name("relay_batch_io", tests, NULL, NULL);
}
