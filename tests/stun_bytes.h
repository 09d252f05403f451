/* For the tests of STUN: messages from hex digits and from single attributes. */
#ifndef IFSWARM_TESTS_STUN_BYTES_H
#define IFSWARM_TESTS_STUN_BYTES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/address.h"
#include "protocol/stun.h"
#include "protocol/turn.h"

/* What follows type and length: the cookie, and `transaction`. */
#define HEAD "2112a442 0102030405060708090a0b0c"

static const struct transaction transaction = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 } };

enum { BYTES_MAX = 4096 };

struct bytes {
	size_t count;
	uint8_t at[BYTES_MAX];
};

static inline struct span
span_of(const struct bytes *bytes)
{
	return (struct span){ bytes->at, bytes->count };
}

/* From hex digits; blanks are for the reader. */
static inline struct bytes
hex(const char *text)
{
	struct bytes bytes = { 0 };
	char pair[3] = { 0 };

	while (*text != '\0') {
		if (*text == ' ') {
			text++;
			continue;
		}
		memcpy(pair, text, 2);
		assert_true(hex_read(bytes.at + bytes.count, pair, 1));
		bytes.count++;
		text += 2;
	}
	return bytes;
}

static inline struct integrity_key
key_of(const void *bytes, size_t count)
{
	struct integrity_key key = { .count = (uint8_t)count };

	memcpy(key.bytes, bytes, count);
	return key;
}

/* A heap copy of exactly that size, so that ASan sees a read beyond the end. */
static inline bool
reads(const uint8_t *at, size_t count, struct stun_message *out)
{
	uint8_t *exact = malloc(count > 0 ? count : 1);

	assert_non_null(exact);
	memcpy(exact, at, count);
	const bool read = stun_read((struct span){ exact, count }, out);
	free(exact);
	return read;
}

/* Appends an attribute by its number; the header's length follows. */
static inline void
append(struct bytes *bytes, unsigned number, const void *value, size_t count)
{
	const size_t padded = (count + 3) / 4 * 4;
	uint8_t *at = bytes->at + bytes->count;

	assert_true(bytes->count + 4 + padded <= BYTES_MAX);
	memset(at, 0, 4 + padded);
	at[0] = (uint8_t)(number >> 8);
	at[1] = (uint8_t)number;
	at[2] = (uint8_t)(count >> 8);
	at[3] = (uint8_t)count;
	memcpy(at + 4, value, count);
	bytes->count += 4 + padded;
	bytes->at[2] = (uint8_t)((bytes->count - 20) >> 8);
	bytes->at[3] = (uint8_t)(bytes->count - 20);
}

static inline void
put_peer(struct stun_writer *w, const char *text)
{
	struct address peer;

	assert_null(address_parse(&peer, text));
	stun_put_address(w, STUN_XOR_PEER_ADDRESS, &peer);
}

#endif
