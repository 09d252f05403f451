/* The packets: sent by clients, taken and echoed by the peer, taken back, each with the time it was
 * sent at. */
#include <assert.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "bench/turn_load.h"
#include "protocol/address_io.h"
#include "protocol/turn.h"

enum {
	BATCH = 64,
	COALESCED_MAX = 65536,
	PEER_BUFFER_BYTES = 8 << 20,
	STUCK_NS = 50 * 1000 * 1000, /* what is not there by then is waited for no more */
	LOST_STUCKS = 40,            /* and at the end, nothing of it comes any more */
	KEEP_EVERY = 4096,           /* rounds */
};

/* What one recvmmsg takes; with GRO each may be a run of datagrams of one size. */
struct intake {
	struct mmsghdr headers[BATCH];
	struct iovec vectors[BATCH];
	struct sockaddr_storage sources[BATCH];
	union {
		uint8_t bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr aligned;
	} controls[BATCH];
	uint8_t memory[BATCH][COALESCED_MAX];
};

static struct intake intake;

void
load_peer_open(struct load *load)
{
	struct sockaddr_storage where;
	socklen_t length = address_to_sockaddr(&load->peer_address, &where);
	const int buffer = PEER_BUFFER_BYTES;
	const int one = 1;

	load->peer = socket(where.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (load->peer < 0 || bind(load->peer, (struct sockaddr *)&where, length) != 0) {
		load_fail("cannot bind the peer's socket");
	}
	if (setsockopt(load->peer, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) != 0) {
		setsockopt(load->peer, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
	}
	if (load->gso) {
		setsockopt(load->peer, IPPROTO_UDP, UDP_GRO, &one, sizeof one);
	}
	length = sizeof where;
	getsockname(load->peer, (struct sockaddr *)&where, &length);
	load->peer_address = address_from_sockaddr(&where);
}

static int
take_batch(const struct load *load, int fd, bool named)
{
	for (size_t i = 0; i < BATCH; i++) {
		intake.vectors[i] = (struct iovec){ intake.memory[i], COALESCED_MAX };
		intake.headers[i].msg_hdr = (struct msghdr){
			.msg_name = named ? &intake.sources[i] : NULL,
			.msg_namelen = named ? sizeof intake.sources[i] : 0,
			.msg_iov = &intake.vectors[i],
			.msg_iovlen = 1,
			.msg_control = load->gso ? &intake.controls[i] : NULL,
			.msg_controllen = load->gso ? sizeof intake.controls[i] : 0,
		};
	}
	return recvmmsg(fd, intake.headers, BATCH, MSG_DONTWAIT, NULL);
}

/* The size of the datagrams that lie in one place, all but the last. */
static size_t
segment_of(int place)
{
	struct msghdr *header = &intake.headers[place].msg_hdr;
	int size = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
			memcpy(&size, CMSG_DATA(c), sizeof size);
		}
	}
	return size > 0 ? (size_t)size : intake.headers[place].msg_len;
}

/* The time is the first and the last of its bytes: what is put around a payload must not reach into
 * it. */
static void
note_packet(struct load *load, const uint8_t *payload, size_t count, uint64_t at_ns)
{
	uint64_t sent_ns = 0;

	if (count != load->bytes ||
	    memcmp(payload, payload + count - sizeof sent_ns, sizeof sent_ns) != 0) {
		load_fail("a packet came that is not as it was sent");
	}
	memcpy(&sent_ns, payload, sizeof sent_ns);
	load_delay_add(&load->delays, at_ns - sent_ns);
}

/* Sends a batch back as it came. */
static void
echo(struct load *load, int count)
{
	for (int i = 0; i < count; i++) {
		struct msghdr *header = &intake.headers[i].msg_hdr;
		const size_t segment = segment_of(i);
		const uint16_t size = (uint16_t)segment;
		intake.vectors[i].iov_len = intake.headers[i].msg_len;
		header->msg_control = NULL;
		header->msg_controllen = 0;
		if (segment < intake.headers[i].msg_len) {
			header->msg_control = &intake.controls[i];
			header->msg_controllen = CMSG_SPACE(sizeof size);
			struct cmsghdr *c = CMSG_FIRSTHDR(header);
			c->cmsg_level = IPPROTO_UDP;
			c->cmsg_type = UDP_SEGMENT;
			c->cmsg_len = CMSG_LEN(sizeof size);
			memcpy(CMSG_DATA(c), &size, sizeof size);
		}
		load->echoed += (intake.headers[i].msg_len + segment - 1) / segment;
		load->echoed_bytes += intake.headers[i].msg_len;
	}
	for (int done = 0; done < count;) {
		const int sent =
			sendmmsg(load->peer, intake.headers + done, (unsigned)(count - done), 0);
		done += sent > 0 ? sent : 1;
	}
}

static bool
read_peer(struct load *load)
{
	const int count = take_batch(load, load->peer, load->echo);
	const uint64_t at_ns = load_now_ns();

	for (int i = 0; i < count; i++) {
		const size_t length = intake.headers[i].msg_len;
		const size_t segment = segment_of(i);
		for (size_t at = 0; at < length; at += segment) {
			load->at_peer++;
			if (!load->echo) {
				note_packet(load, intake.memory[i] + at,
					    length - at < segment ? length - at : segment, at_ns);
			}
		}
		load->at_peer_bytes += length;
	}
	if (count > 0 && load->echo) {
		echo(load, count);
	}
	return count > 0;
}

/* Over a stream there may be padding behind it. */
static void
take_message(struct load *load, struct load_client *client, struct span message, uint64_t at_ns)
{
	if (message.count > CHANNEL_HEADER_BYTES && message.at[0] >= 0x40) {
		const size_t count = (size_t)message.at[2] << 8 | message.at[3];
		load->at_client++;
		load->at_client_bytes += count;
		note_packet(load, message.at + CHANNEL_HEADER_BYTES, count, at_ns);
	} else {
		load_client_take(load, client, message);
	}
}

static void
read_client(struct load *load, struct load_client *client)
{
	const int count = take_batch(load, client->fd, false);
	const uint64_t at_ns = load_now_ns();

	for (int i = 0; i < count; i++) {
		const size_t length = intake.headers[i].msg_len;
		const size_t segment = segment_of(i);
		for (size_t at = 0; at < length; at += segment) {
			const size_t left = length - at;
			const struct span datagram = { intake.memory[i] + at,
						       left < segment ? left : segment };
			take_message(load, client, datagram, at_ns);
		}
	}
}

static bool
read_clients(struct load *load)
{
	struct epoll_event events[BATCH];
	const int ready = epoll_wait(load->epoll, events, BATCH, 0);

	for (int i = 0; i < ready; i++) {
		struct load_client *client = &load->clients[events[i].data.u32];
		if (client->wire == NULL) {
			read_client(load, client);
		} else {
			load_wire_read(load, client, take_message);
		}
	}
	return ready > 0;
}

static bool
read_all(struct load *load, bool clients_too)
{
	const bool got = read_peer(load);

	return (clients_too && read_clients(load)) || got;
}

/* The size is said with each message, not to the socket: requests leave in one piece. */
static void
send_coalesced(int fd, uint8_t *memory, size_t count, uint16_t segment)
{
	union {
		struct cmsghdr aligned;
		uint8_t bytes[CMSG_SPACE(sizeof segment)];
	} control = { 0 };
	struct iovec vector = { memory, count };
	const struct msghdr header = { .msg_iov = &vector,
				       .msg_iovlen = 1,
				       .msg_control = &control,
				       .msg_controllen = sizeof control };

	control.aligned.cmsg_level = IPPROTO_UDP;
	control.aligned.cmsg_type = UDP_SEGMENT;
	control.aligned.cmsg_len = CMSG_LEN(sizeof segment);
	memcpy(CMSG_DATA(&control.aligned), &segment, sizeof segment);
	sendmsg(fd, &header, 0);
}

/* What one client sends at once: one datagram after the other in one piece of memory. */
static void
send_burst(struct load *load, struct load_client *client)
{
	static uint8_t memory[COALESCED_MAX];
	static struct mmsghdr headers[LOAD_BURST_MAX];
	static struct iovec vectors[LOAD_BURST_MAX];
	const size_t size = load->transport == LOAD_TCP || load->transport == LOAD_TLS
				    ? (load->bytes + CHANNEL_HEADER_BYTES + 3u) & ~3u /* padded */
				    : load->bytes + CHANNEL_HEADER_BYTES;
	const uint64_t at_ns = load_now_ns();

	for (uint32_t i = 0; i < load->burst; i++) {
		turn_channel_write(memory + i * size, LOAD_CHANNEL, load->bytes);
		memcpy(memory + i * size + CHANNEL_HEADER_BYTES, &at_ns, sizeof at_ns);
		memcpy(memory + i * size + CHANNEL_HEADER_BYTES + load->bytes - sizeof at_ns,
		       &at_ns, sizeof at_ns);
		vectors[i] = (struct iovec){ memory + i * size, size };
		headers[i].msg_hdr = (struct msghdr){ .msg_iov = &vectors[i], .msg_iovlen = 1 };
	}
	if (client->wire != NULL) {
		load_wire_send(load, client, (struct span){ memory, size * load->burst }, size);
	} else if (load->gso) {
		send_coalesced(client->fd, memory, size * load->burst, (uint16_t)size);
	} else if (load->burst == 1) {
		send(client->fd, memory, size, 0);
	} else {
		sendmmsg(client->fd, headers, load->burst, 0);
	}
	load->sent += load->burst;
	load->sent_bytes += (uint64_t)load->burst * load->bytes;
}

/* How many bursts may leave now. */
struct pace {
	uint64_t start_ns;
	uint64_t written_off; /* packets that were lost */
	uint64_t done_before;
	uint64_t moved_ns; /* when something last arrived */
};

static bool
may_send(const struct load *load, struct pace *pace, uint64_t at_ns)
{
	if (load->rate > 0) {
		return (double)load->sent < (double)(at_ns - pace->start_ns) / 1e9 * load->rate;
	}
	const uint64_t done = load->echo ? load->at_client : load->at_peer;
	if (done != pace->done_before) {
		pace->done_before = done;
		pace->moved_ns = at_ns;
	} else if (at_ns - pace->moved_ns > STUCK_NS) {
		pace->written_off = load->sent - done;
		pace->moved_ns = at_ns;
	}
	return load->sent < done + pace->written_off + load->window;
}

static void
send_due(struct load *load, struct pace *pace, uint32_t *next, uint64_t at_ns)
{
	for (uint32_t i = 0; i < BATCH && may_send(load, pace, at_ns); i += load->burst) {
		send_burst(load, &load->clients[*next]);
		*next = (*next + 1) % load->allocations;
	}
}

static void
watch(const struct load *load, uint64_t since_ns)
{
	static uint64_t lines;
	const double since_s = (double)since_ns / 1e9;

	if (load->watch_s > 0 && since_s >= (double)lines * load->watch_s) {
		fprintf(stderr, "after %.0f s: %llu KiB\n", since_s,
			(unsigned long long)load_pss_bytes(load->pid) / 1024);
		lines++;
	}
}

static bool
all_came(const struct load *load)
{
	return load->at_peer == load->sent && (!load->echo || load->at_client == load->echoed);
}

void
load_run(struct load *load)
{
	struct pace pace = { .start_ns = load_now_ns() };
	const uint64_t end_ns = pace.start_ns + (uint64_t)(load->seconds * 1e9);
	uint64_t at_ns = pace.start_ns;
	uint32_t next = 0;

	assert(load->bytes >= 2 * sizeof at_ns);
	assert((load->bytes + CHANNEL_HEADER_BYTES) * load->burst <= COALESCED_MAX);
	pace.moved_ns = at_ns;
	for (uint64_t round = 0; at_ns < end_ns; round++, at_ns = load_now_ns()) {
		const bool keeps = round % KEEP_EVERY == 0 && !load->plain;
		send_due(load, &pace, &next, at_ns);
		if (keeps) {
			load_clients_keep(load, at_ns / 1000);
			watch(load, at_ns - pace.start_ns);
		}
		read_all(load, load->echo || keeps);
	}
	/* A server that stood still on a busy machine relays and counts the rest yet. */
	for (pace.moved_ns = at_ns;
	     !all_came(load) && at_ns - pace.moved_ns < LOST_STUCKS * (uint64_t)STUCK_NS;
	     at_ns = load_now_ns()) {
		if (read_all(load, true)) {
			pace.moved_ns = at_ns;
		}
	}
}
