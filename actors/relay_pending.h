/* What a relay has asked its allocation actor and not heard of yet: whom to answer, and how.
 * Bounded; a request that is repeated meanwhile is found and not asked twice. */
#ifndef IFSWARM_ACTORS_RELAY_PENDING_H
#define IFSWARM_ACTORS_RELAY_PENDING_H

#include "actors/chains.h"
#include "protocol/stun.h"

enum { PENDING_NONE = SLOT_NONE };

/* Where a response goes and how it is signed. */
struct reply_to {
	uint16_t method;
	uint32_t listener;
	struct address client;
	struct transaction transaction;
	bool fingerprint; /* the request had one: so has the response */
	bool sign;
	enum integrity_hash hash;
	struct integrity_key key;
};

struct pending {
	bool used;
	bool asked;       /* command is set, and in by_command */
	bool client_gone; /* its connection closed meanwhile */
	struct id command;
	struct reply_to reply;
	struct id allocation; /* which the request is about */
	size_t peer_count;    /* CreatePermission, ChannelBind */
	struct address peers[PERMIT_PEERS_MAX];
	uint16_t channel;
	/* Allocate: the sockets that were bound for it. The second is of the other family, never a
	 * reserved port. */
	struct address relayed;
	struct address relayed_also;
	uint32_t socket;
	uint32_t socket_also;
	struct id trace;
	struct name user;
	uint64_t transport;  /* Allocate: of the relayed address */
	uint64_t lifetime_s; /* Allocate: as asked */
	uint64_t until_s;    /* Allocate: ends with its credential; 0: does not */
	bool wants_both;     /* ADDITIONAL-ADDRESS-FAMILY */
	bool wants_ticket;   /* MOBILITY-TICKET */
	bool releases;       /* Refresh: the allocation ends */
	uint8_t gives_up;    /* Refresh: the family of the one of two addresses that is released */
	bool reserves;       /* EVEN-PORT with R set */
	bool yields;         /* no client's: a row is given to another relay (relay_move.c) */
	bool calls;          /* Refresh: for an allocation that another relay is to yield */
	uint64_t called_us;  /* since then another relay is waited for, which is to yield */
};

struct pending_table {
	uint32_t max;
	uint64_t seed;
	struct pending *items;
	uint32_t *free;
	uint32_t free_count;
	struct chains by_command;
	struct chains by_request; /* client, listener, transaction */
};

void pending_init(struct pending_table *table, uint32_t max, uint64_t seed);
void pending_free(struct pending_table *table);

/* PENDING_NONE if there is none. */
uint32_t pending_find_command(const struct pending_table *table, const struct id *command);
uint32_t pending_find_request(const struct pending_table *table, const struct reply_to *reply);
/* A free place with `reply` in it, else empty; PENDING_NONE if there is none. */
uint32_t pending_claim(struct pending_table *table, const struct reply_to *reply);
/* The request has become that command. */
void pending_asked(struct pending_table *table, uint32_t at, const struct id *command);
void pending_release(struct pending_table *table, uint32_t at);

#endif
