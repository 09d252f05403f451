/* The connections of a relay's TCP and TLS clients, as a table: who is let in, who is found, who
 * has to go. Pure; the worldly half is streams_io.h.
 *
 * A connection costs its client nothing, so one without an allocation is worth little: there are at
 * most STREAMS_IDLE_MAX of them, STREAMS_IDLE_PER_SOURCE_MAX from one source (an IPv4
 * address or an IPv6 /64), and after STREAM_IDLE_S without an allocation a connection is closed,
 * whatever came over it (D13). With one it stays until either side ends it. */
#ifndef IFSWARM_ACTORS_STREAMS_H
#define IFSWARM_ACTORS_STREAMS_H

#include "actors/chains.h"

enum { STREAM_NONE = SLOT_NONE };

struct stream {
	bool used;
	bool holds; /* an allocation, when it was last looked at */
	bool heard; /* a whole message came over it */
	uint32_t listener;
	struct address client;
	uint64_t idle_us; /* without an allocation since then */
};

struct streams {
	uint64_t seed;
	struct stream *items; /* STREAMS_MAX */
	uint32_t *free;
	uint32_t free_count;
	uint32_t idle_count;
	struct chains by_client; /* listener and address */
	struct chains by_source; /* IPv4 address, or /64 */
};

/* False without memory; free it all the same. */
bool streams_init(struct streams *streams, uint64_t seed);
void streams_free(struct streams *streams);

/* A place for a new connection; STREAM_NONE if it is not let in. */
uint32_t streams_admit(struct streams *streams, uint32_t listener, const struct address *client,
		       uint64_t now_us);
/* Likewise for a proxy, behind which many clients are: as many as idle ones may be in all. */
uint32_t streams_admit_proxy(struct streams *streams, uint32_t listener,
			     const struct address *proxy, uint64_t now_us);
/* It is that client's, as its proxy says. False if it would not have been let in; then it is to be
 * removed. */
bool streams_name_client(struct streams *streams, uint32_t at, const struct address *client);
/* STREAM_NONE if there is none. */
uint32_t streams_find(const struct streams *streams, uint32_t listener,
		      const struct address *client);
/* It belongs to another listener of the same socket. */
void streams_move(struct streams *streams, uint32_t at, uint32_t listener);
void streams_remove(struct streams *streams, uint32_t at);
/* Its client holds an allocation, or does not. True if it is to be closed: it has held none for too
 * long. */
bool streams_look(struct streams *streams, uint32_t at, bool holds, uint64_t now_us);

#endif
