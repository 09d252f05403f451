/* The connections of one gateway: their numbers, how fast each may speak, and what waits to be sent
 * to each.
 *
 * Pure: a socket is a pointer that is handed back, and never looked at. The table has its size from
 * the start; what waits for a slow reader is bounded, and so is how fast one connection may ask. */
#ifndef IFSWARM_GATEWAY_CONNECTIONS_H
#define IFSWARM_GATEWAY_CONNECTIONS_H

#include "actors/chains.h"

enum {
	CONNECTIONS_MAX = AGENTS_MAX + 2048, /* some have not registered yet */
	OUTGOING_BYTES_MAX = 1024 * 1024, /* of one connection; one frame of any size always fits */
	MESSAGES_PER_SECOND = 500,        /* of one connection, in the long run */
	MESSAGES_BURST = 4000,
};

struct outgoing {
	struct outgoing *next;
	size_t count;
	char text[];
};

struct connection {
	uint64_t number; /* 0: the slot is free */
	void *socket;
	struct address client;
	uint64_t credential_expires_s; /* 0: none was handed out */
	bool asked;                    /* it sent a register: session may know it */
	uint64_t close_reason;         /* enum leave_reason; 0: it stays */

	struct outgoing *first;
	struct outgoing *last;
	size_t queued_bytes;
	uint64_t tokens_us; /* unused time that it may spend on messages */
	uint64_t filled_us;
};

struct connections;

/* Numbers start above `first_number`: take the time, and numbers never come again after a restart.
 */
struct connections *connections_new(size_t max, uint64_t first_number, uint64_t now_us);
void connections_free(struct connections *connections);

/* NULL if all slots are taken. The pointer is good until it is closed. */
struct connection *connection_open(struct connections *connections, void *socket,
				   const struct address *client, uint64_t now_us);
void connection_close(struct connections *connections, struct connection *connection);
/* NULL if it is not open (any more). */
struct connection *connection_find(const struct connections *connections, uint64_t number);
size_t connections_count(const struct connections *connections);
/* The next open one after `before`, the first one after NULL; NULL at the end. */
struct connection *connection_next(const struct connections *connections,
				   const struct connection *before);

/* Counts one message of the connection; false if it speaks too fast. */
bool connection_may_speak(struct connection *connection, uint64_t now_us);

/* Adds a copy of a frame to what waits. False, and nothing added, if the reader is too slow. */
bool connection_push(struct connection *connection, const char *text, size_t count);
/* Takes the oldest frame that waits; NULL if there is none. The caller frees it. */
struct outgoing *connection_pop(struct connection *connection);

#endif
