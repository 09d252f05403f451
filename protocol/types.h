/* The plain values that everything else is made of: ids, digests, names, addresses, borrowed spans.
 *
 * All are values: they own what they hold and may be copied. `struct span` alone borrows, and never
 * outlives the call it was given in.
 */
#ifndef IFSWARM_PROTOCOL_TYPES_H
#define IFSWARM_PROTOCOL_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/limits.h"

/* 128 bits: a random handle (subject, allocation, trace) or a UUIDv7 (command). All zero: none. */
struct id {
	uint8_t bytes[16];
};

/* A SHA-256. */
struct digest {
	uint8_t bytes[32];
};

/* A STUN transaction id, RFC 8489 section 5. */
struct transaction {
	uint8_t bytes[12];
};

/* What a stranger chose to call something: an agent, a room, a user. UTF-8 without control
 * characters, not terminated; length 0 means unknown (its key was destroyed) or none. */
struct name {
	uint16_t length;
	char bytes[NAME_BYTES_MAX];
};

/* A word of our own choosing (an actor, an origin, a reason): clear text, never personal. */
struct text {
	uint8_t length;
	char bytes[TEXT_BYTES_MAX];
};

/* What a stranger reports beside the name of an event: one compact JSON value; length 0 for none.
 */
struct json_text {
	uint16_t length;
	char bytes[JSON_BYTES_MAX];
};

/* A transport address, canonical: IPv4-in-IPv6 is IPv4. Port in host order. */
struct address {
	uint8_t family;    /* ADDRESS_NONE, ADDRESS_IPV4, ADDRESS_IPV6 */
	uint8_t bytes[16]; /* network order; IPv4 uses the first four, the rest is zero */
	uint16_t port;
};

enum { ADDRESS_NONE = 0, ADDRESS_IPV4 = 4, ADDRESS_IPV6 = 6 };

/* Bytes that belong to somebody else. */
struct span {
	const uint8_t *at;
	size_t count;
};

bool id_is_none(const struct id *id);
bool id_equal(const struct id *a, const struct id *b);
bool digest_equal(const struct digest *a, const struct digest *b);
bool name_equal(const struct name *a, const struct name *b);
bool text_equal(const struct text *a, const char *word);

/* From a terminated string; false (and `out` empty) when it is too long. */
bool name_set(struct name *out, const char *bytes, size_t count);
bool text_set(struct text *out, const char *word);
bool json_text_set(struct json_text *out, const char *bytes, size_t count);

/* How many bytes the first scalar value of `left` > 0 bytes takes, and which it is; 0 (and `out` as
 * it was) when they do not begin with the shortest form of one (RFC 3629). */
size_t utf8_scalar(const uint8_t *at, size_t left, uint32_t *out);

/* True if the name is 1 to NAME_BYTES_MAX bytes of valid UTF-8 without control characters (C0, DEL,
 * C1). */
bool name_is_wellformed(const struct name *name);

/* `count` bytes as 2*count lower-case hex digits and a NUL. */
void hex_write(char *out, const uint8_t *bytes, size_t count);
/* Exactly `count` bytes from 2*count hex digits; false if any is not one. */
bool hex_read(uint8_t *out, const char *digits, size_t count);

/* SipHash-free table hash for keys an attacker may choose: keyed with `seed`, FNV-1a then a final
 * avalanche. Tables seeded at start from random bytes; the seed is never part of a state's dump. */
uint64_t hash_bytes(uint64_t seed, const void *bytes, size_t count);

#endif
