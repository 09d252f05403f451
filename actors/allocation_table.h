/* The allocations themselves: pools sized at start, and the indexes that find a row in one step.
 * The allocation actor and every relay's view of it are this same table, changed by the same
 * allocation_apply; a view simply hears of its own relay's allocations only.
 *
 * A row (struct allocation) holds a list of peers: permissions, which are for an IP and have
 * channel 0 and port 0, channels, which are for an IP and port, and TCP connections (RFC 6062),
 * which have no expiry: they are dead from their end on. A peer's number counts them
 * within the allocation from 1 and is what events refer to, so that a replay in which addresses are
 * erased leads to the same table; what has no address is in no address index, and nothing else
 * depends on that.
 *
 * What has expired is dead by comparison with the time and leaves the table only in
 * allocation_apply. Finding and claiming are two functions. */
#ifndef IFSWARM_ACTORS_ALLOCATION_TABLE_H
#define IFSWARM_ACTORS_ALLOCATION_TABLE_H

#include "actors/chains.h"
#include "protocol/address.h"

enum { ROW_NONE = SLOT_NONE, PEER_NONE = SLOT_NONE };

/* What was relayed; up is client to peer. */
struct usage {
	uint64_t packets_up;
	uint64_t bytes_up;
	uint64_t packets_down;
	uint64_t bytes_down;
};

/* In the place of a channel's number: no channel, but a TCP connection. */
enum { PEER_CONNECTION = 1 };

/* A permission (channel 0), a channel, or a TCP connection (PEER_CONNECTION). */
struct peer {
	uint64_t expires_us;
	struct address address; /* ADDRESS_NONE: erased */
	uint32_t row;           /* ROW_NONE: this place is free */
	uint32_t next;          /* of the same row, in order of number; or of the free places */
	uint32_t number;
	uint16_t channel;
};

struct allocation {
	struct id id; /* none: this place is free */
	struct id user;
	struct id trace;
	struct name user_name; /* empty: erased */
	struct address client; /* ADDRESS_NONE: erased */
	struct address server;
	struct address relayed;
	struct address relayed_also;    /* of the other family; ADDRESS_NONE: there is one alone */
	struct transaction transaction; /* of the Allocate request, or of what moved it */
	uint64_t relay;
	uint64_t transport;
	uint64_t client_transport; /* enum client_transport */
	uint64_t created_us; /* 0: not known, for it is in no dump: nothing is decided by it */
	uint64_t expires_us;
	uint32_t moves;     /* how often its client has moved (RFC 8016) */
	struct usage usage; /* as reported */
	uint32_t peer_first;
	uint32_t peer_last;
	uint32_t peer_next_number;
	uint32_t next_free;
};

struct allocation_table {
	uint32_t rows_max;
	uint32_t peers_max;
	uint64_t seed;
	struct allocation *rows;
	struct peer *peers;
	uint32_t rows_used;
	uint32_t peers_used;
	uint32_t rows_fresh; /* from here on no place was ever used */
	uint32_t peers_fresh;
	uint32_t row_free;
	uint32_t peer_free;
	struct chains by_id;
	struct chains by_client;  /* client address, server address and transport, relay */
	struct chains by_relayed; /* relayed address */
	struct chains by_relayed_also;
	struct chains by_user;    /* user's handle: several rows each */
	struct chains by_source;  /* whom the client's address belongs to: several rows each */
	struct chains by_peer;    /* row, which of the three, address */
	struct chains by_channel; /* row, channel number */
};

void allocation_table_init(struct allocation_table *table, uint32_t rows_max, uint32_t peers_max,
			   uint64_t seed);
void allocation_table_free(struct allocation_table *table);
/* Empties it; what was never used stays untouched memory. */
void allocation_table_clear(struct allocation_table *table);

/* All return ROW_NONE if there is none. An expired allocation is still found. */
uint32_t allocation_find(const struct allocation_table *table, const struct id *id);
uint32_t allocation_find_client(const struct allocation_table *table, const struct address *client,
				const struct address *server, uint64_t client_transport,
				uint64_t relay);
uint32_t allocation_find_relayed(const struct allocation_table *table,
				 const struct address *relayed, uint64_t transport);
/* How many allocations are alive of whom that client's address belongs to (address_source). */
uint64_t allocation_count_source(const struct allocation_table *table, const struct address *client,
				 uint64_t now_us);
/* How many of that user's allocations are alive. */
uint64_t allocation_count_user(const struct allocation_table *table, const struct id *user,
			       uint64_t now_us);
bool allocation_is_live(const struct allocation *allocation, uint64_t now_us);
/* Whether it has a relayed address of that family. */
bool allocation_has_family(const struct allocation *allocation, uint8_t family);

/* All return PEER_NONE if there is none alive. */
uint32_t permission_find(const struct allocation_table *table, uint32_t row,
			 const struct address *peer, uint64_t now_us);
uint32_t channel_find(const struct allocation_table *table, uint32_t row, uint16_t channel,
		      uint64_t now_us);
uint32_t channel_find_peer(const struct allocation_table *table, uint32_t row,
			   const struct address *peer, uint64_t now_us);
uint32_t connection_find(const struct allocation_table *table, uint32_t row,
			 const struct address *peer, uint64_t now_us);
/* By number, alive or not. */
uint32_t peer_find_number(const struct allocation_table *table, uint32_t row, uint64_t number);
/* Live peers of a row, of one of the three kinds. */
enum peer_kind { PEER_KIND_PERMISSION, PEER_KIND_CHANNEL, PEER_KIND_CONNECTION };
enum peer_kind peer_kind_of(const struct peer *peer);
uint32_t peer_count(const struct allocation_table *table, uint32_t row, enum peer_kind kind,
		    uint64_t now_us);

/* Copies `allocation` into a free row, without peers, and into the indexes. The caller knows that
 * there is room (rows_used < rows_max) and that its id is new. */
uint32_t allocation_claim(struct allocation_table *table, const struct allocation *allocation);
/* Where a client is heard, and how it speaks there. */
struct client_place {
	uint64_t relay;
	struct address client; /* ADDRESS_NONE: erased */
	struct address server;
	uint64_t transport; /* enum client_transport */
};
/* Its client is there from now on. */
void allocation_move(struct allocation_table *table, uint32_t row,
		     const struct client_place *place);
/* Gives up one of its two relayed addresses. The permissions and channels of that family are dead
 * from here on, and leave the table when they would have expired. */
void allocation_drop_relayed(struct allocation_table *table, uint32_t row,
			     const struct address *relayed);
/* Frees the row and its peers. */
void allocation_release(struct allocation_table *table, uint32_t row);
/* Appends `peer` (its address, expiry, number, channel) to the row; the caller knows that there is
 * room. */
uint32_t peer_claim(struct allocation_table *table, uint32_t row, const struct peer *peer);
/* Frees what expired at `now_us` or before. */
void peer_purge(struct allocation_table *table, uint32_t row, uint64_t now_us);

#endif
