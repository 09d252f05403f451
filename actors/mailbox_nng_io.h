/* What both ends of the mailbox share of nng: for mailbox_io.c, mailbox_server_io.c and
 * mailbox_client_io.c alone. */
#ifndef IFSWARM_ACTORS_MAILBOX_NNG_IO_H
#define IFSWARM_ACTORS_MAILBOX_NNG_IO_H

#include <nng/nng.h>
#include <pthread.h>

#include "actors/mailbox_io.h"

/* What nng's threads hand to ours: indexes of slots or lanes, and an eventfd that counts them. */
struct handover {
	pthread_mutex_t lock;
	int fd;
	uint32_t *ring;
	size_t size;
	size_t head;
	size_t count;
};

/* `size` places. */
void handover_open(struct handover *handover, size_t size);
void handover_close(struct handover *handover);
/* From a thread of nng. Each slot or lane is in the ring at most once, so it cannot be full. */
void handover_put(struct handover *handover, uint32_t index);
/* False if there is none. */
bool handover_take(struct handover *handover, uint32_t *index);

/* A fault of nng itself ends the process with a line that says so, as memory that is not there at
 * start does. */
void mailbox_must(int result, const char *what);
void *mailbox_allocate(size_t count, size_t size);

nng_msg *mailbox_message(struct span bytes);
struct span mailbox_bytes(nng_msg *message);
/* nng 1.5.2 may wait for ever in its close for a connection that broke while it was being closed.
 * Whoever closes is about to end, and must come to it: false leaves all that is left to the
 * process's end. */
bool mailbox_close_socket(nng_socket *socket);

#endif
