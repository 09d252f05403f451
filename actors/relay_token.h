/* Reservation tokens (RFC 8656 section 18.9): with which a client asks for the port that is kept
 * for it.
 *
 * token = the keeping relay's number 1 byte, random 3 bytes, MAC 4 bytes. The MAC is a truncated
 * HMAC-SHA256 over these, the user's name, and the half minute in which the token was made, which
 * is as long as it is good for. The key is that of the nonces, under a purpose of its own: so every
 * relay can tell that a token is one, and whose and where from, and a wrong one is no reason to ask
 * another relay. Which port it is for only the relay that made it remembers. */
#ifndef IFSWARM_ACTORS_RELAY_TOKEN_H
#define IFSWARM_ACTORS_RELAY_TOKEN_H

#include "protocol/nonce.h"

enum { RESERVATION_TOKEN_BYTES = 8 };

/* `random` makes it differ from others of this relay and user. */
void token_write(uint8_t out[RESERVATION_TOKEN_BYTES], struct integrity *integrity,
		 const struct nonce_key *key, uint64_t relay, const struct id *random,
		 const struct name *user, uint64_t now_us);
/* The relay that made it for that user, at most two of RESERVATION_S ago; 0 if none of ours did. */
uint64_t token_relay(struct span token, struct integrity *integrity, const struct nonce_key *key,
		     const struct name *user, uint64_t now_us);

#endif
