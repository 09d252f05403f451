/* The TCP connections of a relay with peers (RFC 6062), as a table: from the moment a Connect asks
 * for one, or a peer made one, to its end. Pure, bounded, no heap after tcp_peers_init.
 *
 * A connection is found by the CONNECTION-ID that its client was told, by the address of the
 * client's own connection once that is bound, by the command that is being decided about it, and
 * by its allocation. Its number in this table is the one by which the worldly half knows its
 * socket. */
#ifndef IFSWARM_ACTORS_TCP_PEERS_H
#define IFSWARM_ACTORS_TCP_PEERS_H

#include "actors/relay_pending.h"
#include "protocol/event.h"

enum { TCP_PEER_NONE = SLOT_NONE };

enum tcp_stage {
	TCP_CONNECTING, /* a Connect is under way */
	TCP_FAILED,     /* it failed, and is answered when all of them are */
	TCP_OPENING,    /* connected, and told to the allocation actor */
	TCP_WAITING,    /* for its ConnectionBind */
	TCP_BINDING,    /* that is told to the allocation actor */
	TCP_FLOWING,
	TCP_ENDING, /* silent; its end is told, or owed */
};

struct tcp_peer {
	bool used;
	enum tcp_stage stage;
	bool attempted; /* the peer made it */
	struct id allocation;
	struct name user;
	struct address peer;
	uint32_t connection_id; /* never 0 */
	uint64_t since_us;      /* of the stage's clock: the Connect, or the wait for a bind */
	struct reply_to reply;  /* of the Connect, then of the ConnectionBind */
	struct id command;      /* that is being decided; none otherwise */
	uint32_t listener;      /* of the client's own connection, from TCP_BINDING on */
	struct address client;
	uint32_t row; /* in the view, with the place of its usage, from TCP_WAITING on */
	uint32_t at;
	enum connection_end reason; /* TCP_ENDING */
};

struct tcp_peers {
	uint64_t seed;
	struct tcp_peer *items; /* TCP_PEERS_MAX */
	uint32_t *free;
	uint32_t free_count;
	struct chains by_connection_id;
	struct chains by_allocation;
	struct chains by_client;
	struct chains by_command;
};

/* False without memory; free it all the same. */
bool tcp_peers_init(struct tcp_peers *peers, uint64_t seed);
void tcp_peers_free(struct tcp_peers *peers);
uint32_t tcp_peers_used(const struct tcp_peers *peers);

/* One that is there. */
struct tcp_peer *tcp_peer_at(struct tcp_peers *peers, uint32_t number);
/* A new one, of which allocation, peer, user and CONNECTION-ID are set in `made`. TCP_PEER_NONE if
 * there is no room. */
uint32_t tcp_peers_claim(struct tcp_peers *peers, const struct tcp_peer *made);
void tcp_peers_release(struct tcp_peers *peers, uint32_t number);

/* Ask about a command (none: about nothing any more), and set whose connection it is bound to. */
void tcp_peers_ask(struct tcp_peers *peers, uint32_t number, const struct id *command);
void tcp_peers_bind(struct tcp_peers *peers, uint32_t number, uint32_t listener,
		    const struct address *client);
void tcp_peers_unbind(struct tcp_peers *peers, uint32_t number);

/* All return TCP_PEER_NONE if there is none. */
uint32_t tcp_peers_find_id(const struct tcp_peers *peers, uint32_t connection_id);
uint32_t tcp_peers_find_client(const struct tcp_peers *peers, uint32_t listener,
			       const struct address *client);
uint32_t tcp_peers_find_command(const struct tcp_peers *peers, const struct id *command);
uint32_t tcp_peers_find_peer(const struct tcp_peers *peers, const struct id *allocation,
			     const struct address *peer);
/* Those of one allocation, in any order: the first, and the one after. */
uint32_t tcp_peers_first(const struct tcp_peers *peers, const struct id *allocation);
uint32_t tcp_peers_next(const struct tcp_peers *peers, uint32_t number);
uint32_t tcp_peers_count(const struct tcp_peers *peers, const struct id *allocation);

#endif
