/* Mobility tickets (RFC 8016): with which a client asks from another address for the allocation it
 * has.
 *
 * text = base64(MAC 6 bytes, then masked: moves 2 bytes, allocation's id 16 bytes). The MAC is a
 * truncated HMAC-SHA256 over the id, how often the allocation has moved, and the user's name: so a
 * ticket is of one user, who has to authenticate before it is looked at, and one move makes it
 * worthless. The mask lets nobody tell two tickets of one allocation together. The key is that of
 * the nonces, under a purpose of its own: a restarted relay goes on accepting, and so does every
 * other relay, which can judge all of a ticket but whether it is the last one. Nothing is
 * remembered. It is text, and no longer, because coturn's clients keep it as such. */
#ifndef IFSWARM_ACTORS_RELAY_TICKET_H
#define IFSWARM_ACTORS_RELAY_TICKET_H

#include "protocol/nonce.h"

enum { TICKET_BYTES = 32 };

/* What a ticket is for. */
struct ticket {
	struct id allocation;
	uint32_t moves; /* how often it has moved when the ticket is given out, up to
			 * ALLOCATION_MOVES_MAX */
	struct name user;
};

void ticket_write(char out[TICKET_BYTES], struct integrity *integrity, const struct nonce_key *key,
		  const struct ticket *ticket);
/* The allocation it names and its moves, believed by nobody until ticket_holds; false if it cannot
 * be a ticket. The user is not in it. */
bool ticket_names(struct span text, struct integrity *integrity, const struct nonce_key *key,
		  struct ticket *out);
/* True if this server gave it out for that. */
bool ticket_holds(struct span text, struct integrity *integrity, const struct nonce_key *key,
		  const struct ticket *ticket);

#endif
