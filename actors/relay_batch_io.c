#include "actors/relay_batch_io.h"

#include <assert.h>
#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>

#include "actors/relay.h"
#include "protocol/address_io.h"

enum {
	PLACE_BYTES = (RELAY_HEADROOM + DATAGRAM_BYTES_MAX + RELAY_TAILROOM + 63) / 64 * 64,
};

union control {
	struct cmsghdr aligned;
	uint8_t bytes[CMSG_SPACE(sizeof(int))]; /* the length of a run's datagrams */
};

struct batch_in {
	struct mmsghdr headers[BATCH_MAX];
	struct iovec vectors[BATCH_MAX];
	struct sockaddr_storage sources[BATCH_MAX];
	union control controls[BATCH_MAX];
	uint8_t *memory;
};

/* As the kernel has to find it: it writes how much it filled. */
static void
ready_place(struct batch_in *in, uint32_t place)
{
	in->headers[place].msg_hdr.msg_namelen = sizeof in->sources[place];
	in->headers[place].msg_hdr.msg_controllen = sizeof in->controls[place];
	in->controls[place].aligned.cmsg_len = 0;
}

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
							  .msg_iovlen = 1,
							  .msg_control = &in->controls[i] };
		ready_place(in, i);
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

void
batch_coalesce(int fd)
{
	const int one = 1;

	setsockopt(fd, IPPROTO_UDP, UDP_GRO, &one, sizeof one);
}

uint32_t
batch_receive(struct batch_in *in, int fd, uint32_t first, uint32_t most)
{
	assert(first + most <= BATCH_MAX);
	const int count = recvmmsg(fd, in->headers + first, most, MSG_DONTWAIT, NULL);
	return count < 0 ? 0 : (uint32_t)count;
}

/* The place is ready for the next datagram from here on: what it holds is read once. */
struct batch_piece
batch_piece_at(struct batch_in *in, uint32_t place)
{
	assert(place < BATCH_MAX);
	const struct cmsghdr *control = &in->controls[place].aligned;
	struct batch_piece piece = {
		.data = in->vectors[place].iov_base,
		.bytes = in->headers[place].msg_len,
		.segment = in->headers[place].msg_len,
		.source = address_from_sockaddr(&in->sources[place]),
	};
	int segment = 0;

	if (control->cmsg_len == CMSG_LEN(sizeof segment) && control->cmsg_level == IPPROTO_UDP &&
	    control->cmsg_type == UDP_GRO) {
		memcpy(&segment, CMSG_DATA(control), sizeof segment);
		piece.segment = segment > 0 ? (size_t)segment : piece.bytes;
	}
	ready_place(in, place);
	return piece;
}

uint8_t *
batch_data(struct batch_in *in, uint32_t place, size_t *count, struct address *source)
{
	const struct batch_piece piece = batch_piece_at(in, place);

	*count = piece.bytes;
	*source = piece.source;
	return piece.data;
}
