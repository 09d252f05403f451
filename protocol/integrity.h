/* What proves that bytes are what somebody sent: HMAC, CRC, and the keys behind MESSAGE-INTEGRITY
 * (RFC 8489 sections 9.2.2, 14.5 to 14.7, 18.5).
 *
 * `struct integrity` holds OpenSSL's fetched algorithms and contexts, so that a packet costs no
 * fetch and no allocation of ours. One per thread.
 */
#ifndef IFSWARM_PROTOCOL_INTEGRITY_H
#define IFSWARM_PROTOCOL_INTEGRITY_H

#include <openssl/types.h>

#include "protocol/types.h"

enum integrity_hash { INTEGRITY_SHA1, INTEGRITY_SHA256 };
enum { INTEGRITY_SHA1_BYTES = 20, INTEGRITY_SHA256_BYTES = 32, INTEGRITY_BYTES_MAX = 32 };

/* Password algorithms, with their numbers (RFC 8489 section 18.5): how a password becomes a key. */
enum password_algorithm { PASSWORD_MD5 = 1, PASSWORD_SHA256 = 2 };

struct integrity {
	EVP_MD *md5;
	EVP_MD *sha256;
	EVP_MD_CTX *digest;
	EVP_MAC_CTX *hmac[2]; /* by enum integrity_hash */
};

struct integrity_key {
	uint8_t count; /* 16 or 32 for long-term credentials; a short password itself in tests */
	uint8_t bytes[INTEGRITY_BYTES_MAX];
};

/* Asserts that OpenSSL offers MD5, SHA-1 and SHA-256. */
void integrity_open(struct integrity *integrity);
void integrity_close(struct integrity *integrity);

/* HMAC over the parts in their order; returns its length. */
size_t integrity_hmac(struct integrity *integrity, enum integrity_hash hash, struct span key,
		      const struct span *parts, size_t count, uint8_t out[INTEGRITY_BYTES_MAX]);

/* MD5 or SHA-256 of user ":" realm ":" password. OpaqueString preparation (RFC 8265) is the
 * identity on what we accept as names and passwords. */
struct integrity_key integrity_long_term_key(struct integrity *integrity,
					     enum password_algorithm algorithm, struct span user,
					     struct span realm, struct span password);
/* USERHASH: SHA-256 of user ":" realm (RFC 8489 section 14.4). */
struct digest integrity_userhash(struct integrity *integrity, struct span user, struct span realm);

/* FINGERPRINT's value for the message before it (its header's length counts the attribute already).
 */
uint32_t integrity_fingerprint(struct span message);

/* Constant time. */
bool integrity_equal(const uint8_t *a, const uint8_t *b, size_t count);

#endif
