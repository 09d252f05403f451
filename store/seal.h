/* Sealing: how personal parts are kept beside the log, and how they are erased (EVIDENCE section
 * 2). Nothing here draws random bytes: they are arguments.
 *
 * Frozen format, version 1 (vectors: tests/vectors/seal.json):
 *
 *   salt       = 32 random bytes, fresh for every part
 *
 *   body       = AES-256-GCM(data key, IV = salt[0..12), AAD, plaintext) || 16-byte tag
 *
 *   AAD        = origin || 0x0A || seq (8 bytes, big-endian) || part index (1 byte) || key_id (16)
 *
 *   digest     = SHA-256("ifswarm/sealed/v1" || salt || body), into the entry, with body's length
 *
 *   wrapped    = AES-256-WRAP(wrap key, data key), RFC 3394, 40 bytes
 *
 *   commitment = HKDF-SHA256(IKM = data key, no salt, info = "ifswarm/commit/v1"), 32 bytes
 *
 * The IV is the beginning of the salt, so it is random (96 bits), needs no place of its own and is
 * bound by the digest. A data key serves one subject for one calendar month: far below the 2^32
 * parts up to which random IVs are safe. GCM does not commit to its key, so the commitment stands
 * in the log (key_created) and is checked before anything is opened with that key.
 *
 *   annex      = 12-byte IV || AES-256-GCM(annex key, IV, AAD, plaintext) || 16-byte tag
 *
 *   annex key  = HKDF-SHA256(IKM = wrap key, no salt, info = "ifswarm/snapshot/v1")
 *
 *   AAD        = origin || 0x0A || stream (8, big-endian) || version (8) || SHA-256(dump)
 */
#ifndef IFSWARM_STORE_SEAL_H
#define IFSWARM_STORE_SEAL_H

#include "protocol/types.h"

enum {
	SEAL_KEY_BYTES = 32,
	SEAL_SALT_BYTES = 32,
	SEAL_IV_BYTES = 12,
	SEAL_TAG_BYTES = 16,
	SEAL_WRAPPED_BYTES = SEAL_KEY_BYTES + 8,
	SEAL_BODY_MAX = SEALED_BYTES_MAX + SEAL_TAG_BYTES,
	SEAL_BOX_EXTRA = SEAL_IV_BYTES + SEAL_TAG_BYTES, /* of an annex */
};

struct seal_key {
	uint8_t bytes[SEAL_KEY_BYTES];
};

/* Where a part lies: what its AAD binds it to. */
struct seal_place {
	uint64_t seq;
	uint8_t part;
	struct id key_id;
};

/* Prepared algorithms and contexts for one origin, for one thread. */
struct sealer;
struct sealer *sealer_new(const char *origin);
void sealer_free(struct sealer *sealer);

/* Seals at most SEALED_BYTES_MAX bytes; returns the length of the body. */
size_t seal_part(struct sealer *sealer, const struct seal_key *key, const struct seal_place *place,
		 const uint8_t salt[SEAL_SALT_BYTES], struct span plain,
		 uint8_t body[SEAL_BODY_MAX], struct digest *digest);
/* False if it does not open: another key, another place, other bytes. */
bool seal_open(struct sealer *sealer, const struct seal_key *key, const struct seal_place *place,
	       const uint8_t salt[SEAL_SALT_BYTES], struct span body,
	       uint8_t plain[SEALED_BYTES_MAX], size_t *count);
/* What the entry says about a part; it can be checked without any key. */
void seal_digest(const uint8_t salt[SEAL_SALT_BYTES], struct span body, struct digest *out);

/* HKDF-SHA256(IKM = key, no salt, info = label), 32 bytes; the label is shorter than 32. */
void seal_derive(const struct seal_key *key, const char *label, uint8_t out[SEAL_KEY_BYTES]);
void seal_commitment(const struct seal_key *key, struct digest *out);
void seal_wrap(const struct seal_key *wrap, const struct seal_key *key,
	       uint8_t out[SEAL_WRAPPED_BYTES]);
/* False if it was wrapped by another key or changed. */
bool seal_unwrap(const struct seal_key *wrap, const uint8_t wrapped[SEAL_WRAPPED_BYTES],
		 struct seal_key *out);

/* The annex of a snapshot: `out` takes plain.count + SEAL_BOX_EXTRA bytes, `plain` box.count of
 * them. */
struct seal_annex_place {
	uint64_t stream;
	uint64_t version;
	struct digest dump; /* SHA-256 of the clear dump */
};
void seal_annex(struct sealer *sealer, const struct seal_key *wrap,
		const struct seal_annex_place *place, const uint8_t iv[SEAL_IV_BYTES],
		struct span plain, uint8_t *out);
bool seal_annex_open(struct sealer *sealer, const struct seal_key *wrap,
		     const struct seal_annex_place *place, struct span box, uint8_t *plain,
		     size_t *count);

/* The month of a time, as its key_created says it: 202611 for November 2026, UTC. */
uint64_t seal_month(uint64_t time_us);

/* Overwrites secrets in a way the compiler keeps. */
void seal_forget(void *secret, size_t count);

#endif
