/* Datagrams in and out, many for each system call. What is received lies in memory with room for a
 * header before it, so that what is sent is never copied; replies are, and the headers of datagrams
 * that lie close together. */
#ifndef IFSWARM_ACTORS_RELAY_BATCH_IO_H
#define IFSWARM_ACTORS_RELAY_BATCH_IO_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "actors/relay_runs.h"

enum { BATCH_MAX = 64 };

struct batch_in;
struct batch_out;

/* --- in --- */

/* What came in one place: a datagram, or a run of datagrams of `segment` bytes, the last of which
 * may be shorter. Before `data` RELAY_HEADROOM bytes are writable, behind the last one
 * RELAY_TAILROOM. */
struct batch_piece {
	uint8_t *data;
	size_t bytes;
	size_t segment;
	struct address source;
};

struct batch_in *batch_in_new(void);
void batch_in_free(struct batch_in *in);
/* Has the kernel hand over runs at that socket, if it can. */
void batch_coalesce(int fd);
/* Reads up to `most` waiting datagrams or runs into places `first` and following (first + most <=
 * BATCH_MAX). */
uint32_t batch_receive(struct batch_in *in, int fd, uint32_t first, uint32_t most);
/* To be asked once for each place that was filled. */
struct batch_piece batch_piece_at(struct batch_in *in, uint32_t place);
/* The same, of a socket without batch_coalesce: there is room for DATAGRAM_BYTES_MAX. */
uint8_t *batch_data(struct batch_in *in, uint32_t place, size_t *count, struct address *source);

/* --- out --- */

struct batch_counts {
	uint64_t datagrams;
	uint64_t calls;   /* messages the kernel was given: runs, and datagrams that leave alone */
	uint64_t lost;    /* datagrams it did not take */
	uint64_t refused; /* runs that it refused and that were sent one by one */
};

struct batch_out *batch_out_new(void);
void batch_out_free(struct batch_out *out);
bool batch_is_full(const struct batch_out *out);
/* `bytes` must stay where they are until batch_send. */
void batch_add(struct batch_out *out, int fd, const struct address *to, struct span bytes);
/* Likewise, but only `payload` within `bytes` must: what lies before it (at most RELAY_HEADROOM)
 * and behind it (at most RELAY_TAILROOM) is copied. */
void batch_add_wrapped(struct batch_out *out, int fd, const struct address *to, struct span bytes,
		       struct span payload);
/* Likewise, but all of the bytes are copied (at most BATCH_COPY_MAX). */
enum { BATCH_COPY_MAX = 1536 };
void batch_add_copy(struct batch_out *out, int fd, const struct address *to, struct span bytes);
/* Sends all, and then this one, of any length. */
void batch_send_alone(struct batch_out *out, int fd, const struct address *to, struct span bytes);
/* Sends all: one call for each socket, and in it one message for each run. The order is kept
 * for each socket. A datagram the kernel does not take is lost, as on any network. */
void batch_send(struct batch_out *out);
const struct batch_counts *batch_counted(const struct batch_out *out);

#endif
