#include <assert.h>
#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>

#include "actors/relay.h"
#include "actors/relay_batch_io.h"
#include "protocol/address_io.h"
#include "protocol/log_line_io.h"

enum {
	PARCELS_MAX = 256,
	PARCEL_NONE = UINT16_MAX,
	PARCEL_VECTORS = 3,       /* a header, the payload, padding */
	SOCKETS_REMEMBERED = 512, /* a power of two */
	COPIES_MAX = BATCH_MAX,
};

/* A datagram that waits to be sent. */
struct parcel {
	int fd;
	uint16_t next; /* over the same socket */
	uint8_t vector_count;
	struct address to;
	size_t bytes;
	struct iovec vectors[PARCEL_VECTORS];
	uint8_t wrap[RELAY_HEADROOM + RELAY_TAILROOM];
};

union segment_control {
	struct cmsghdr aligned;
	uint8_t bytes[CMSG_SPACE(sizeof(uint16_t))];
};

struct batch_out {
	uint16_t count;
	uint16_t copied;
	uint16_t chains; /* datagrams over one socket, in their order */
	uint16_t first_of[PARCELS_MAX];
	uint16_t last_at[SOCKETS_REMEMBERED]; /* by socket: its last parcel, or another's */
	struct parcel parcels[PARCELS_MAX];
	uint8_t copies[COPIES_MAX][BATCH_COPY_MAX];
	struct run_limits limits;
	struct batch_counts counts;

	/* Of the socket that is being sent over. */
	uint32_t messages;
	uint32_t vectors_used;
	struct mmsghdr headers[PARCELS_MAX];
	struct run runs[PARCELS_MAX];
	uint16_t begins[PARCELS_MAX]; /* the first parcel of each run */
	struct sockaddr_storage targets[PARCELS_MAX];
	union segment_control controls[PARCELS_MAX];
	struct iovec vectors[PARCELS_MAX * PARCEL_VECTORS];
};

struct batch_out *
batch_out_new(void)
{
	struct batch_out *out = calloc(1, sizeof *out);

	if (out != NULL) {
		memset(out->last_at, 0xFF, sizeof out->last_at);
		out->limits = run_limits_at_start();
	}
	return out;
}

void
batch_out_free(struct batch_out *out)
{
	free(out);
}

bool
batch_is_full(const struct batch_out *out)
{
	return out->count == PARCELS_MAX || out->copied == COPIES_MAX;
}

/* Behind what goes out over the same socket. Two sockets may share a place in `last_at`: then one
 * has several chains, which leave in their order. */
static struct parcel *
add_parcel(struct batch_out *out, int fd, const struct address *to, size_t bytes)
{
	assert(out->count < PARCELS_MAX);
	const uint16_t at = out->count++;
	uint16_t *last = &out->last_at[(unsigned)fd % SOCKETS_REMEMBERED];
	struct parcel *parcel = &out->parcels[at];

	if (*last != PARCEL_NONE && out->parcels[*last].fd == fd) {
		out->parcels[*last].next = at;
	} else {
		out->first_of[out->chains++] = at;
	}
	*last = at;
	parcel->fd = fd;
	parcel->next = PARCEL_NONE;
	parcel->vector_count = 0;
	parcel->to = *to;
	parcel->bytes = bytes;
	return parcel;
}

static void
add_vector(struct parcel *parcel, const uint8_t *at, size_t count)
{
	parcel->vectors[parcel->vector_count++] = (struct iovec){ (void *)(uintptr_t)at, count };
}

void
batch_add(struct batch_out *out, int fd, const struct address *to, struct span bytes)
{
	add_vector(add_parcel(out, fd, to, bytes.count), bytes.at, bytes.count);
}

void
batch_add_wrapped(struct batch_out *out, int fd, const struct address *to, struct span bytes,
		  struct span payload)
{
	struct parcel *parcel = add_parcel(out, fd, to, bytes.count);
	const size_t head = (size_t)(payload.at - bytes.at);
	const size_t tail = bytes.count - head - payload.count;

	assert(head <= RELAY_HEADROOM);
	assert(tail <= RELAY_TAILROOM);
	memcpy(parcel->wrap, bytes.at, head);
	memcpy(parcel->wrap + head, payload.at + payload.count, tail);
	add_vector(parcel, parcel->wrap, head);
	add_vector(parcel, payload.at, payload.count);
	if (tail > 0) {
		add_vector(parcel, parcel->wrap + head, tail);
	}
}

void
batch_add_copy(struct batch_out *out, int fd, const struct address *to, struct span bytes)
{
	assert(out->copied < COPIES_MAX);
	assert(bytes.count <= BATCH_COPY_MAX);
	uint8_t *copy = out->copies[out->copied++];

	memcpy(copy, bytes.at, bytes.count);
	batch_add(out, fd, to, (struct span){ copy, bytes.count });
}

void
batch_send_alone(struct batch_out *out, int fd, const struct address *to, struct span bytes)
{
	batch_send(out);
	batch_add(out, fd, to, bytes);
	batch_send(out);
}

const struct batch_counts *
batch_counted(const struct batch_out *out)
{
	return &out->counts;
}

static void
add_vectors_of(struct batch_out *out, const struct parcel *parcel)
{
	memcpy(&out->vectors[out->vectors_used], parcel->vectors,
	       parcel->vector_count * sizeof *parcel->vectors);
	out->vectors_used += parcel->vector_count;
}

/* A message of the run that begins with that parcel; returns the parcel behind it. */
static uint16_t
add_message(struct batch_out *out, uint16_t at)
{
	const uint32_t message = out->messages++;
	const struct parcel *first = &out->parcels[at];
	struct run *run = &out->runs[message];
	struct msghdr *header = &out->headers[message].msg_hdr;
	struct cmsghdr *control = &out->controls[message].aligned;
	struct iovec *vectors = &out->vectors[out->vectors_used];

	out->begins[message] = at;
	*run = run_begin(first->bytes);
	add_vectors_of(out, first);
	for (at = first->next; at != PARCEL_NONE; at = out->parcels[at].next) {
		const struct parcel *parcel = &out->parcels[at];
		if (!run_take(run, &out->limits, parcel->bytes,
			      address_equal(&parcel->to, &first->to))) {
			break;
		}
		add_vectors_of(out, parcel);
	}
	*header = (struct msghdr){
		.msg_name = &out->targets[message],
		.msg_namelen = address_to_sockaddr(&first->to, &out->targets[message]),
		.msg_iov = vectors,
		.msg_iovlen = (size_t)(&out->vectors[out->vectors_used] - vectors),
	};
	if (run->count > 1) {
		const uint16_t segment = (uint16_t)run->segment;
		control->cmsg_level = IPPROTO_UDP;
		control->cmsg_type = UDP_SEGMENT;
		control->cmsg_len = CMSG_LEN(sizeof segment);
		memcpy(CMSG_DATA(control), &segment, sizeof segment);
		header->msg_control = control;
		header->msg_controllen = sizeof out->controls[message];
	}
	return at;
}

/* What an earlier datagram ran into is told by the next call, which then sends nothing. */
static bool
is_of_an_earlier_one(int error)
{
	return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH ||
	       error == EHOSTDOWN || error == EPROTO;
}

/* How many of `count` messages the kernel took, or -1 and errno. */
static int
send_messages(int fd, struct mmsghdr *headers, uint32_t count)
{
	for (int again = 0;; again++) {
		const int sent =
			count == 1 ? (sendmsg(fd, &headers->msg_hdr, MSG_DONTWAIT) < 0 ? -1 : 1)
				   : sendmmsg(fd, headers, count, MSG_DONTWAIT);
		if (sent >= 0 || again > 0 || !is_of_an_earlier_one(errno)) {
			return sent;
		}
	}
}

/* Runs are an economy: a kernel, device or path that takes none gets the datagrams. */
static void
send_one_by_one(struct batch_out *out, int fd, uint32_t message)
{
	uint16_t at = out->begins[message];

	for (uint32_t i = 0; i < out->runs[message].count; i++, at = out->parcels[at].next) {
		struct parcel *parcel = &out->parcels[at];
		struct mmsghdr header = {
			.msg_hdr = { .msg_name = &out->targets[message],
				     .msg_namelen = out->headers[message].msg_hdr.msg_namelen,
				     .msg_iov = parcel->vectors,
				     .msg_iovlen = parcel->vector_count },
		};
		out->counts.calls++;
		out->counts.lost += send_messages(fd, &header, 1) < 0;
	}
}

static void
give_up(struct batch_out *out, int fd, uint32_t message, int error)
{
	const struct run *run = &out->runs[message];
	const bool refused_before = out->limits.refused;

	if (!run_refused(&out->limits, run, error)) {
		out->counts.lost += run->count;
		return;
	}
	if (out->limits.refused && !refused_before) {
		log_info("the kernel sends no runs of datagrams here (%s): they leave one by one",
			 strerror(error));
	}
	out->counts.refused++;
	send_one_by_one(out, fd, message);
}

/* A message that cannot be sent is skipped: those behind it have other targets. */
static void
send_chain(struct batch_out *out, uint16_t at)
{
	const int fd = out->parcels[at].fd;

	out->messages = 0;
	out->vectors_used = 0;
	while (at != PARCEL_NONE) {
		at = add_message(out, at);
	}
	for (uint32_t done = 0; done < out->messages;) {
		const int sent = send_messages(fd, out->headers + done, out->messages - done);
		if (sent < 1) {
			give_up(out, fd, done, errno);
		}
		out->counts.calls += sent < 1 ? 0 : (uint32_t)sent;
		done += sent < 1 ? 1 : (uint32_t)sent;
	}
}

void
batch_send(struct batch_out *out)
{
	for (uint16_t i = 0; i < out->chains; i++) {
		send_chain(out, out->first_of[i]);
	}
	for (uint16_t i = 0; i < out->count; i++) {
		out->last_at[(unsigned)out->parcels[i].fd % SOCKETS_REMEMBERED] = PARCEL_NONE;
	}
	out->counts.datagrams += out->count;
	out->count = 0;
	out->copied = 0;
	out->chains = 0;
}
