/* What relays say to one another about ports that are kept for a token (relay_fetch.c): an array in
 * msgpack, one for each datagram, with the port's socket beside FETCH_GIVEN.
 *
 *   [FETCH_ASKED, from, token, user]      who has this port?
 *   [FETCH_GIVEN, from, token, relayed]   it is yours now
 *   [FETCH_NONE, from, token]             not I */
#ifndef IFSWARM_ACTORS_FETCH_MESSAGE_H
#define IFSWARM_ACTORS_FETCH_MESSAGE_H

#include "actors/relay_token.h"
#include "protocol/mp.h"

enum fetch_kind { FETCH_ASKED = 1, FETCH_GIVEN, FETCH_NONE };

struct fetch_message {
	enum fetch_kind kind;
	uint64_t from; /* the relay that says it */
	uint8_t token[RESERVATION_TOKEN_BYTES];
	struct name user;       /* FETCH_ASKED */
	struct address relayed; /* FETCH_GIVEN: as peers see it */
};

enum { FETCH_BYTES_MAX = NAME_BYTES_MAX + 32 };

void fetch_write(struct mp_writer *w, const struct fetch_message *message);
/* False if it is none. */
bool fetch_read(struct span bytes, struct fetch_message *out);

#endif
