/* The limit a TURN server is measured by: a forwarder with one socket for each flow that strips the
 * four bytes of ChannelData on the way up and puts them back on the way down. It knows no TURN:
 * whoever sends is a flow, and every flow goes to the one peer. Batched with recvmmsg and sendmmsg;
 * with --gso runs come and leave coalesced (UDP_GRO, UDP_SEGMENT).
 *
 *   turn_forward_bench IP:PORT PEER_IP:PORT [--gso] */
#include <assert.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "protocol/address.h"
#include "protocol/address_io.h"
#include "protocol/turn.h"

enum {
	BATCH = 64,
	FLOWS_MAX = 16384,
	SLOTS = 65536, /* of the hash table */
	HEADROOM = CHANNEL_HEADER_BYTES,
	PLACE_BYTES = 65536 + 64,
	BUFFER_BYTES = 4 << 20,
	FLOW_BUFFER_BYTES = 256 << 10,
	LISTENER = FLOWS_MAX,
	CHANNEL = 0x4000,
	SEGMENTS_MAX = 64,
};

struct flow {
	int fd;
	struct sockaddr_in client;
};

static struct {
	bool gso;
	int listener;
	int epoll;
	struct sockaddr_storage peer;
	socklen_t peer_length;
	struct flow flows[FLOWS_MAX];
	uint32_t flow_count;
	uint32_t slots[SLOTS]; /* a flow's number and 1; 0: free */
	struct mmsghdr in[BATCH];
	struct iovec in_vectors[BATCH];
	struct sockaddr_in sources[BATCH];
	uint8_t controls[BATCH][CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	uint8_t memory[BATCH][PLACE_BYTES];
	struct mmsghdr out[BATCH];
	struct iovec out_vectors[BATCH * SEGMENTS_MAX * 2];
	uint8_t out_controls[BATCH][CMSG_SPACE(sizeof(uint16_t))] __attribute__((aligned(8)));
	uint8_t header[BATCH][SEGMENTS_MAX][CHANNEL_HEADER_BYTES];
	uint32_t vectors_used;
} f;

static void
fail(const char *what)
{
	fprintf(stderr, "turn_forward_bench: %s\n", what);
	exit(1);
}

static int
open_socket(const struct sockaddr *where, socklen_t length, int buffer, uint32_t number)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = number };
	const int fd = socket(where->sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const int one = 1;

	if (fd < 0 || bind(fd, where, length) != 0 ||
	    epoll_ctl(f.epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
		fail("cannot open a socket");
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
	if (f.gso) {
		setsockopt(fd, IPPROTO_UDP, UDP_GRO, &one, sizeof one);
	}
	return fd;
}

static uint32_t
flow_of(const struct sockaddr_in *client)
{
	uint32_t at = (client->sin_addr.s_addr * 2654435761u ^ client->sin_port * 40503u) % SLOTS;

	for (; f.slots[at] != 0; at = (at + 1) % SLOTS) {
		const struct sockaddr_in *known = &f.flows[f.slots[at] - 1].client;
		if (known->sin_addr.s_addr == client->sin_addr.s_addr &&
		    known->sin_port == client->sin_port) {
			return f.slots[at] - 1;
		}
	}
	if (f.flow_count == FLOWS_MAX) {
		fail("too many flows");
	}
	const struct sockaddr_in any = { .sin_family = AF_INET,
					 .sin_addr.s_addr = htonl(0x7F030001) };
	const uint32_t number = f.flow_count++;
	f.slots[at] = number + 1;
	f.flows[number].client = *client;
	f.flows[number].fd =
		open_socket((const struct sockaddr *)&any, sizeof any, FLOW_BUFFER_BYTES, number);
	return number;
}

static uint32_t
receive(int fd, uint32_t first)
{
	for (uint32_t i = first; i < BATCH; i++) {
		struct msghdr *header = &f.in[i].msg_hdr;
		header->msg_namelen = sizeof f.sources[i];
		header->msg_controllen = f.gso ? sizeof f.controls[i] : 0;
	}
	const int count = recvmmsg(fd, f.in + first, BATCH - first, MSG_DONTWAIT, NULL);
	return count < 0 ? 0 : (uint32_t)count;
}

static size_t
segment_of(uint32_t place)
{
	struct cmsghdr *c = f.gso ? CMSG_FIRSTHDR(&f.in[place].msg_hdr) : NULL;
	int size = 0;

	if (c != NULL && c->cmsg_type == UDP_GRO) {
		memcpy(&size, CMSG_DATA(c), sizeof size);
	}
	return size > 0 ? (size_t)size : f.in[place].msg_len;
}

/* A message of the vectors from `first` on; coalesced if its datagrams are of `size` > 0 bytes. */
static void
put_message(uint32_t at, void *to, socklen_t length, uint32_t first, size_t size)
{
	struct msghdr *header = &f.out[at].msg_hdr;
	const uint16_t segment = (uint16_t)size;

	*header = (struct msghdr){ .msg_name = to,
				   .msg_namelen = length,
				   .msg_iov = &f.out_vectors[first],
				   .msg_iovlen = f.vectors_used - first };
	if (size > 0) {
		header->msg_control = f.out_controls[at];
		header->msg_controllen = sizeof f.out_controls[at];
		struct cmsghdr *c = CMSG_FIRSTHDR(header);
		c->cmsg_level = IPPROTO_UDP;
		c->cmsg_type = UDP_SEGMENT;
		c->cmsg_len = CMSG_LEN(sizeof segment);
		memcpy(CMSG_DATA(c), &segment, sizeof segment);
	}
}

static void
add_vector(uint8_t *at, size_t count)
{
	assert(f.vectors_used < sizeof f.out_vectors / sizeof f.out_vectors[0]);
	f.out_vectors[f.vectors_used++] = (struct iovec){ at, count };
}

static void
send_messages(int fd, uint32_t count)
{
	for (uint32_t done = 0; done < count;) {
		const int sent = sendmmsg(fd, f.out + done, count - done, MSG_DONTWAIT);
		done += sent > 0 ? (uint32_t)sent : 1;
	}
	f.vectors_used = 0;
}

/* Whether place `i` may leave in one message with the run that place `first` begins. */
static bool
joins(uint32_t first, uint32_t i, size_t size)
{
	return f.gso && i - first < SEGMENTS_MAX && f.in[i].msg_len == f.in[first].msg_len &&
	       segment_of(i) == f.in[i].msg_len && size == f.in[i].msg_len;
}

static void
forward_up(void)
{
	const uint32_t count = receive(f.listener, 0);

	for (uint32_t i = 0; i < count;) {
		const uint32_t flow = flow_of(&f.sources[i]);
		uint32_t messages = 0;
		do {
			const size_t size = segment_of(i);
			const uint32_t first = i;
			const uint32_t vectors = f.vectors_used;
			do {
				uint8_t *data = f.in_vectors[i].iov_base;
				for (size_t at = 0; at < f.in[i].msg_len; at += size) {
					const size_t left = f.in[i].msg_len - at;
					add_vector(data + at + CHANNEL_HEADER_BYTES,
						   (left < size ? left : size) -
							   CHANNEL_HEADER_BYTES);
				}
				i++;
			} while (i < count && flow_of(&f.sources[i]) == flow &&
				 joins(first, i, size));
			put_message(messages++, &f.peer, f.peer_length, vectors,
				    f.vectors_used - vectors > 1 ? size - CHANNEL_HEADER_BYTES : 0);
		} while (i < count && flow_of(&f.sources[i]) == flow);
		send_messages(f.flows[flow].fd, messages);
	}
}

/* The header of each datagram lies beside it when they came coalesced. */
static void
wrap(uint32_t place, size_t size)
{
	uint8_t *data = f.in_vectors[place].iov_base;
	const size_t length = f.in[place].msg_len;

	if (size == length) {
		turn_channel_write(data - HEADROOM, CHANNEL, length);
		add_vector(data - HEADROOM, HEADROOM + length);
		return;
	}
	for (size_t at = 0, i = 0; at < length; at += size, i++) {
		const size_t left = length - at;
		assert(i < SEGMENTS_MAX);
		turn_channel_write(f.header[place][i], CHANNEL, left < size ? left : size);
		add_vector(f.header[place][i], HEADROOM);
		add_vector(data + at, left < size ? left : size);
	}
}

static void
forward_down(const struct epoll_event *events, int ready)
{
	uint32_t flows[BATCH];
	uint32_t used = 0;
	uint32_t messages = 0;

	for (int i = 0; i < ready && used < BATCH; i++) {
		if (events[i].data.u32 != LISTENER) {
			const uint32_t flow = events[i].data.u32;
			const uint32_t count = receive(f.flows[flow].fd, used);
			for (uint32_t j = 0; j < count; j++) {
				flows[used++] = flow;
			}
		}
	}
	for (uint32_t i = 0; i < used;) {
		const size_t size = segment_of(i);
		const uint32_t first = i;
		const uint32_t vectors = f.vectors_used;
		do {
			wrap(i, segment_of(i));
			i++;
		} while (i < used && flows[i] == flows[first] && joins(first, i, size));
		struct sockaddr_in *client = &f.flows[flows[first]].client;
		const bool coalesced = i - first > 1 || size < f.in[first].msg_len;
		put_message(messages++, client, sizeof *client, vectors,
			    coalesced ? size + CHANNEL_HEADER_BYTES : 0);
	}
	send_messages(f.listener, messages);
}

int
main(int argc, char **argv)
{
	struct address own;
	struct address peer;
	struct sockaddr_storage where;
	struct epoll_event events[BATCH];
	struct rlimit limit;

	f.gso = argc == 4 && strcmp(argv[3], "--gso") == 0;
	if ((argc != 3 && !f.gso) || address_parse(&own, argv[1]) != NULL ||
	    address_parse(&peer, argv[2]) != NULL) {
		fail("use: turn_forward_bench IP:PORT PEER_IP:PORT [--gso]");
	}
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	f.peer_length = address_to_sockaddr(&peer, &f.peer);
	f.epoll = epoll_create1(EPOLL_CLOEXEC);
	const socklen_t length = address_to_sockaddr(&own, &where);
	f.listener = open_socket((struct sockaddr *)&where, length, BUFFER_BYTES, LISTENER);
	for (uint32_t i = 0; i < BATCH; i++) {
		f.in_vectors[i] = (struct iovec){ f.memory[i] + HEADROOM, PLACE_BYTES - HEADROOM };
		f.in[i].msg_hdr = (struct msghdr){ .msg_name = &f.sources[i],
						   .msg_iov = &f.in_vectors[i],
						   .msg_iovlen = 1,
						   .msg_control = f.gso ? f.controls[i] : NULL };
	}
	for (;;) {
		const int ready = epoll_wait(f.epoll, events, BATCH, -1);
		forward_down(events, ready);
		for (int i = 0; i < ready; i++) {
			if (events[i].data.u32 == LISTENER) {
				forward_up();
			}
		}
	}
}
