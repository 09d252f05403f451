/* Datagrams in and out, many for each system call. What is received lies in memory with room for a
 * header before it, so that what is sent is never copied; replies are. */
#ifndef IFSWARM_ACTORS_RELAY_BATCH_IO_H
#define IFSWARM_ACTORS_RELAY_BATCH_IO_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "protocol/types.h"

enum { BATCH_MAX = 64 };

struct batch_in;
struct batch_out;

struct batch_in *batch_in_new(void);
void batch_in_free(struct batch_in *in);
/* Reads up to `most` waiting datagrams into places `first` and following (first + most <=
 * BATCH_MAX). */
uint32_t batch_receive(struct batch_in *in, int fd, uint32_t first, uint32_t most);
/* A received datagram: writable, with RELAY_HEADROOM before and RELAY_TAILROOM behind. */
uint8_t *batch_data(struct batch_in *in, uint32_t place, size_t *count, struct address *source);

/* Up to BATCH_MAX datagrams to send, over any sockets. */
struct batch_out *batch_out_new(void);
void batch_out_free(struct batch_out *out);
bool batch_is_full(const struct batch_out *out);
/* `bytes` must stay where they are until batch_send. */
void batch_add(struct batch_out *out, int fd, const struct address *to, struct span bytes);
/* Likewise, but the bytes are copied (at most BATCH_COPY_MAX). */
enum { BATCH_COPY_MAX = 1536 };
void batch_add_copy(struct batch_out *out, int fd, const struct address *to, struct span bytes);
/* Sends all, and then this one, of any length. */
void batch_send_alone(struct batch_out *out, int fd, const struct address *to, struct span bytes);
/* Sends all, one call for each socket; a datagram the kernel does not take is lost, as on any
 * network. Returns how many were not taken. */
uint32_t batch_send(struct batch_out *out);

#endif
