/* Ports that are kept for a client's next allocation: the odd one of a pair, asked for with
 * EVEN-PORT and claimed with a RESERVATION-TOKEN (RFC 8656 sections 7.2, 18.6 and 18.9).
 *
 * A reservation is a promise of the relay that keeps the port, not a state of the registry: nothing
 * can be sent through the port, and who loses it, with the relay's process or to the 30 seconds,
 * hears 508 and allocates without. So it is no event; the port becomes a fact, and is told, when an
 * allocation takes it.
 *
 * Only the user that was given a token can use it. A user holds few of them, whatever it allocates
 * and releases meanwhile (D9). */
#ifndef IFSWARM_ACTORS_RELAY_RESERVE_H
#define IFSWARM_ACTORS_RELAY_RESERVE_H

#include "actors/relay_token.h"

struct reservation {
	struct id allocation; /* by which it was made; none: this place is free */
	uint8_t token[RESERVATION_TOKEN_BYTES];
	uint32_t socket;
	struct address relayed;
	struct name user;
	uint64_t until_us;
};

/* All zero: none. Few, so that a walk over all of them is cheap. */
struct reservations {
	uint32_t count;
	struct reservation items[RESERVATIONS_MAX];
};

/* False if there is no place, or that user holds as many as it may. */
bool reservations_have_room(const struct reservations *reservations, const struct name *user);
/* The caller knows that there is room. */
void reservations_add(struct reservations *reservations, const struct reservation *reservation);
/* The live one with that token, of that user; NULL. In constant time in the token. */
struct reservation *reservations_find(struct reservations *reservations, struct span token,
				      const struct name *user, uint64_t now_us);
/* The live one that this allocation made; NULL. */
const struct reservation *reservations_of(const struct reservations *reservations,
					  const struct id *allocation, uint64_t now_us);
/* Frees the place; the socket is the caller's. */
void reservations_remove(struct reservations *reservations, struct reservation *reservation);

#endif
