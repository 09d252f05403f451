/* The inside of struct relay_tcp_io, for relay_tcp_io.c and relay_tcp_doors_io.c alone. */
#ifndef IFSWARM_ACTORS_RELAY_TCP_INSIDE_IO_H
#define IFSWARM_ACTORS_RELAY_TCP_INSIDE_IO_H

#include "actors/connection_io.h"
#include "actors/relay_process_io.h"

enum { RELAY_TCP_LISTENING = 1 }; /* in an event's upper half */

/* One socket that listens. */
struct door {
	int fd; /* -1: free */
	struct address local;
	bool rests; /* no descriptor was left: not watched until the tick */
};

/* One direction: what comes from there. */
struct side {
	bool ended;    /* and sends no more */
	bool finished; /* and was told that nothing more will come */
};

/* The worldly side of a connection, by its number. */
struct place {
	struct connection connection; /* fd -1: none */
	bool connecting;
	uint32_t watched; /* events of epoll; 0: not watched */
	bool joined;
	bool over_rate; /* max-bps holds a side back: nothing but time tells that it may go on */
	uint32_t listener;
	struct address client_address;
	struct side peer;
	struct side client;
};

struct relay_tcp_io {
	struct relay_process *process;
	int epoll;
	struct door doors[TCP_ALLOCATIONS_MAX];
	uint32_t free[TCP_ALLOCATIONS_MAX];
	uint32_t free_count;
	uint32_t over_rate; /* places that are */
	uint64_t looked_us; /* when those were last looked at */
	struct place places[TCP_PEERS_MAX];
	uint8_t *memory; /* CONNECTION_MEMORY_BYTES for each */
	uint8_t read[CONNECTION_READ_BYTES];
};

/* --- relay_tcp_io.c --- */
bool relay_tcp_watch(const struct relay_tcp_io *io, int operation, int fd, uint32_t events,
		     uint64_t number);
/* A peer's connection that was taken. */
void relay_tcp_open_place(struct relay_tcp_io *io, uint32_t number, int fd);

/* --- relay_tcp_doors_io.c --- */
void relay_tcp_doors_init(struct relay_tcp_io *io);
void relay_tcp_doors_close(struct relay_tcp_io *io);
/* Where that socket listens. */
const struct address *relay_tcp_door_local(const struct relay_tcp_io *io, uint32_t socket);
/* New connections of that door, some at once. */
void relay_tcp_accept(struct relay_tcp_io *io, uint32_t door);
/* Doors that rested are watched again. */
void relay_tcp_wake_doors(struct relay_tcp_io *io);

#endif
