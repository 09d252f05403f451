#include "actors/relay_batch_io.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "actors/relay.h"
#include "protocol/address_io.h"

enum {
	PLACE_BYTES = (RELAY_HEADROOM + DATAGRAM_BYTES_MAX + RELAY_TAILROOM + 63) / 64 * 64,
};

struct batch_in {
	struct mmsghdr headers[BATCH_MAX];
	struct iovec vectors[BATCH_MAX];
	struct sockaddr_storage sources[BATCH_MAX];
	uint8_t *memory;
};

struct batch_out {
	uint32_t count;
	int fds[BATCH_MAX]; /* -1: sent */
	struct iovec vectors[BATCH_MAX];
	struct sockaddr_storage targets[BATCH_MAX];
	socklen_t target_bytes[BATCH_MAX];
	struct mmsghdr headers[BATCH_MAX]; /* of one socket */
	uint8_t copies[BATCH_MAX][BATCH_COPY_MAX];
};

struct batch_in *
batch_in_new(void)
{
	struct batch_in *in = calloc(1, sizeof *in);

	if (in == NULL) {
		return NULL;
	}
	in->memory = aligned_alloc(64, (size_t)PLACE_BYTES * BATCH_MAX);
	if (in->memory == NULL) {
		free(in);
		return NULL;
	}
	for (uint32_t i = 0; i < BATCH_MAX; i++) {
		in->vectors[i] =
			(struct iovec){ in->memory + (size_t)i * PLACE_BYTES + RELAY_HEADROOM,
					DATAGRAM_BYTES_MAX };
		in->headers[i].msg_hdr = (struct msghdr){ .msg_name = &in->sources[i],
							  .msg_iov = &in->vectors[i],
							  .msg_iovlen = 1 };
	}
	return in;
}

void
batch_in_free(struct batch_in *in)
{
	if (in != NULL) {
		free(in->memory);
		free(in);
	}
}

uint32_t
batch_receive(struct batch_in *in, int fd, uint32_t first, uint32_t most)
{
	assert(first + most <= BATCH_MAX);
	for (uint32_t i = first; i < first + most; i++) {
		in->headers[i].msg_hdr.msg_namelen = sizeof in->sources[i];
	}
	const int count = recvmmsg(fd, in->headers + first, most, MSG_DONTWAIT, NULL);
	return count < 0 ? 0 : (uint32_t)count;
}

uint8_t *
batch_data(struct batch_in *in, uint32_t place, size_t *count, struct address *source)
{
	assert(place < BATCH_MAX);
	*count = in->headers[place].msg_len;
	*source = address_from_sockaddr(&in->sources[place]);
	return in->vectors[place].iov_base;
}

struct batch_out *
batch_out_new(void)
{
	return calloc(1, sizeof(struct batch_out));
}

void
batch_out_free(struct batch_out *out)
{
	free(out);
}

bool
batch_is_full(const struct batch_out *out)
{
	return out->count == BATCH_MAX;
}

void
batch_add(struct batch_out *out, int fd, const struct address *to, struct span bytes)
{
	assert(out->count < BATCH_MAX);
	const uint32_t at = out->count++;
	out->fds[at] = fd;
	out->vectors[at] = (struct iovec){ (void *)(uintptr_t)bytes.at, bytes.count };
	out->target_bytes[at] = address_to_sockaddr(to, &out->targets[at]);
}

void
batch_add_copy(struct batch_out *out, int fd, const struct address *to, struct span bytes)
{
	assert(out->count < BATCH_MAX);
	assert(bytes.count <= BATCH_COPY_MAX);
	uint8_t *copy = out->copies[out->count];

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

/* Gathers what goes out over the same socket as the datagram at `first`, in its order. */
static uint32_t
gather(struct batch_out *out, uint32_t first)
{
	const int fd = out->fds[first];
	uint32_t count = 0;

	for (uint32_t i = first; i < out->count; i++) {
		if (out->fds[i] == fd) {
			out->headers[count++].msg_hdr = (struct msghdr){
				.msg_name = &out->targets[i],
				.msg_namelen = out->target_bytes[i],
				.msg_iov = &out->vectors[i],
				.msg_iovlen = 1,
			};
			out->fds[i] = -1;
		}
	}
	return count;
}

/* A datagram that cannot be sent is skipped: those behind it have other targets. */
static uint32_t
send_run(int fd, struct mmsghdr *headers, uint32_t count)
{
	uint32_t lost = 0;

	for (uint32_t done = 0; done < count;) {
		const int sent =
			count - done == 1
				? (sendmsg(fd, &headers[done].msg_hdr, MSG_DONTWAIT) < 0 ? -1 : 1)
				: sendmmsg(fd, headers + done, count - done, MSG_DONTWAIT);
		lost += sent < 0;
		done += sent < 1 ? 1 : (uint32_t)sent;
	}
	return lost;
}

uint32_t
batch_send(struct batch_out *out)
{
	uint32_t lost = 0;

	for (uint32_t i = 0; i < out->count; i++) {
		if (out->fds[i] >= 0) {
			const int fd = out->fds[i];
			const uint32_t count = gather(out, i);
			lost += send_run(fd, out->headers, count);
		}
	}
	out->count = 0;
	return lost;
}
