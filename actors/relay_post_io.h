/* Datagrams from relay to relay, with or without a descriptor beside them: over Unix sockets in the
 * run directory, which is the cluster's own. Each relay has one for each purpose, so that what
 * waits for one does not fill the queue of another. */
#ifndef IFSWARM_ACTORS_RELAY_POST_IO_H
#define IFSWARM_ACTORS_RELAY_POST_IO_H

#include "protocol/types.h"

enum { RELAY_POST_BYTES_MAX = 512 };

struct relay_post;

/* The socket of `relay`, ours, for that purpose, by which all relays call it. Both texts are
 * borrowed. NULL: it was logged. */
struct relay_post *relay_post_open(const char *run_dir, const char *purpose, unsigned relay);
/* NULL is ignored. */
void relay_post_close(struct relay_post *post);
/* Readable when there is something to receive. */
int relay_post_fd(const struct relay_post *post);

/* To that relay's socket of the same purpose, RELAY_POST_BYTES_MAX at most. `fd` stays ours; -1:
 * none. False with errno: EAGAIN if its queue is full, ENOENT or ECONNREFUSED if there is no such
 * relay now. */
bool relay_post_send(const struct relay_post *post, uint64_t relay, struct span bytes, int fd);
/* The next datagram, of which `out` gets `size` bytes at most; 0 if there is none. *fd is the
 * caller's from now on; -1 if none came with it. */
size_t relay_post_receive(const struct relay_post *post, uint8_t *out, size_t size, int *fd);

/* Where a UDP socket is bound; ADDRESS_NONE if it is none. */
struct address relay_post_bound(int fd);

#endif
