/* Nonces that need no memory: each says when it ends and proves that this server made it for that
 * client.
 *
 * text = ["obMatJos2" + features] + base64(expiry 4 bytes, MAC 8 bytes). The MAC is a truncated
 * HMAC-SHA256 over features, expiry, client address and port. The cookie with its features (RFC
 * 8489 section 9.2) is there when there are features; so what was offered cannot be bid down, and a
 * nonce without it is short enough not to amplify a bare request (E1).
 */
#ifndef IFSWARM_PROTOCOL_NONCE_H
#define IFSWARM_PROTOCOL_NONCE_H

#include "protocol/integrity.h"

enum { NONCE_BYTES_MAX = 29, NONCE_KEY_BYTES = 32 };

/* RFC 8489 section 18.1 with erratum 6290: bit 0 is the least significant of the 24. */
enum { NONCE_PASSWORD_ALGORITHMS = 0x000001, NONCE_USERNAME_ANONYMITY = 0x000002 };

/* Random, made by the supervisor and handed to every relay: a restarted relay goes on accepting. */
struct nonce_key {
	uint8_t bytes[NONCE_KEY_BYTES];
};

/* Returns the length of the text. */
size_t nonce_write(char out[NONCE_BYTES_MAX], struct integrity *integrity,
		   const struct nonce_key *key, const struct address *client, uint32_t features,
		   uint64_t expires_s);
/* True if this server made it for that client and it has not ended: else 438 (C3). */
bool nonce_is_fresh(struct span nonce, struct integrity *integrity, const struct nonce_key *key,
		    const struct address *client, uint64_t now_s, uint32_t *features);

#endif
