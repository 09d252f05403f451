/* The inside of struct streams_io, for the files streams_*io.c alone. */
#ifndef IFSWARM_ACTORS_STREAMS_INSIDE_IO_H
#define IFSWARM_ACTORS_STREAMS_INSIDE_IO_H

#include "actors/connection_io.h"
#include "actors/streams.h"
#include "actors/streams_io.h"

enum {
	STREAMS_DOORS_MAX = 192,
	STREAMS_LISTENING = 1, /* in an event's upper half */
};

enum mode { MODE_MESSAGES, MODE_HELD, MODE_RESUMED, MODE_JOINED };

/* The worldly side of a stream, by its number. */
struct place {
	struct connection connection;
	uint32_t secured; /* the listener it belongs to if its first byte is of TLS; NOT_SPOKEN
			   * once that is decided */
	bool is_proxied;  /* its proxy has not said yet whose it is */
	enum mode mode;
	enum streams_wish wish; /* of a joined one */
	uint32_t watched;       /* events of epoll; 0: not watched */
};

struct streams_io {
	struct streams_owner owner;
	struct streams table;
	struct place places[STREAMS_MAX];
	uint8_t *memory; /* CONNECTION_MEMORY_BYTES for each */
	const struct tls_server *tls;
	int epoll;
	size_t door_count;
	struct streams_door doors[STREAMS_DOORS_MAX];
	bool door_rests[STREAMS_DOORS_MAX]; /* no descriptor was left: not watched until the tick */
	uint64_t now_us;
	uint64_t turned_away;
	size_t proxy_count;
	struct address_range proxies[STREAMS_PROXIES_MAX];
	uint64_t no_proxy;        /* came where only those may */
	unsigned handshakes_left; /* in this round */
	unsigned resumed;         /* since the last one */
	/* Those that were given something since the last flush; some may be gone meanwhile. */
	uint32_t given[STREAMS_MAX];
	uint32_t given_count;
	bool is_given[STREAMS_MAX];
	uint8_t read[CONNECTION_READ_BYTES];
};

/* --- streams_io.c --- */
uint8_t *streams_memory_of(const struct streams_io *io, uint32_t at);
bool streams_watch(const struct streams_io *io, int operation, int fd, uint32_t events,
		   uint64_t number);
/* Watches for what is waited for; whoever waits for nothing is not watched at all. */
bool streams_watch_place(struct streams_io *io, uint32_t at);
/* Over TLS from now on; false if it cannot be served. */
bool streams_secure(struct streams_io *io, uint32_t at);
/* The owner hears of it last: what it does may look at the table. */
void streams_end_at(struct streams_io *io, uint32_t at);

/* --- streams_doors_io.c --- */
/* New connections of that door, some at once. */
void streams_accept(struct streams_io *io, size_t door);
/* As much of a proxy's header as is there, and nothing behind it: that is the client's, and may be
 * TLS. False if the connection is to end. */
bool streams_read_header(struct streams_io *io, uint32_t at);
/* Doors that rested are watched again; who was turned away is told. */
void streams_wake_doors(struct streams_io *io);

#endif
