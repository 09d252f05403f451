/* Connections from the listening sockets that the supervisor holds: a restarted process finds them
 * as they were, and several processes share them. libwebsockets 4.1.6 cannot be given a listening
 * socket, so connections are accepted here and handed to it one by one.
 */
#ifndef IFSWARM_GATEWAY_ACCEPTOR_IO_H
#define IFSWARM_GATEWAY_ACCEPTOR_IO_H

#include <libwebsockets.h>
#include <uv.h>

#include "actors/start_io.h"

struct acceptor {
	uv_loop_t *loop;
	struct lws_vhost *vhost;
	const struct start *start; /* holds the listening sockets */
	size_t sockets_max;        /* beyond so many a connection is closed at once */
	size_t sockets;            /* open ones: acceptor_closed counts down */
	uv_poll_t listeners[START_FDS_MAX];
	bool accepting;
	uint64_t again_us; /* after the descriptors ran out */
};

/* The fields above the line that says `sockets` are set. False if a descriptor is none that
 * listens: it was logged. */
bool acceptor_start(struct acceptor *acceptor);
void acceptor_stop(struct acceptor *acceptor);
/* At least every 100 ms while new connections are wanted: goes on after a pause. */
void acceptor_tick(struct acceptor *acceptor, uint64_t now_us);
/* libwebsockets says LWS_CALLBACK_WSI_DESTROY for a connection that came from here. */
void acceptor_closed(struct acceptor *acceptor);

#endif
