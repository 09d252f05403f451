/* The queue that a server's sealed bytes go to. */
#ifndef IFSWARM_TESTS_TLS_WORLD_H
#define IFSWARM_TESTS_TLS_WORLD_H

#include "tests/tls_server.h"

enum { QUEUE_BYTES = 256 * 1024 };

/* What the server has sealed; `room` less than QUEUE_BYTES: a client that takes nothing. */
static uint8_t queue[QUEUE_BYTES];
static size_t queued;
static size_t room = QUEUE_BYTES;

static bool
enqueue(void *context, struct span sealed)
{
	(void)context;
	if (queued + sealed.count > room) {
		return false;
	}
	memcpy(queue + queued, sealed.at, sealed.count);
	queued += sealed.count;
	return true;
}

static const struct tls_out to_queue = { NULL, enqueue };

#endif
