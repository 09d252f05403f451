#include "protocol/nonce.h"

#include <assert.h>
#include <openssl/evp.h>
#include <string.h>

enum { COOKIE_BYTES = 9, FEATURES_BYTES = 4, EXPIRY_BYTES = 4, MAC_BYTES = 8, TAIL_BYTES = 16 };
_Static_assert(COOKIE_BYTES + FEATURES_BYTES + TAIL_BYTES == NONCE_BYTES_MAX, "the longest form");
_Static_assert((EXPIRY_BYTES + MAC_BYTES) % 3 == 0, "base64 without padding");

static const char cookie[COOKIE_BYTES + 1] = "obMatJos2";

static void
put_base64(char *out, const uint8_t *bytes, size_t count)
{
	unsigned char text[TAIL_BYTES + 1];

	assert(count % 3 == 0);
	assert(count / 3 * 4 <= TAIL_BYTES);
	EVP_EncodeBlock(text, bytes, (int)count);
	memcpy(out, text, count / 3 * 4);
}

/* The one text for these values; whoever checks a nonce writes it again and compares. */
size_t
nonce_write(char out[NONCE_BYTES_MAX], struct integrity *integrity, const struct nonce_key *key,
	    const struct address *client, uint32_t features, uint64_t expires_s)
{
	const uint8_t bits[3] = { (uint8_t)(features >> 16), (uint8_t)(features >> 8),
				  (uint8_t)features };
	const uint8_t port[2] = { (uint8_t)(client->port >> 8), (uint8_t)client->port };
	uint8_t tail[EXPIRY_BYTES + INTEGRITY_BYTES_MAX] = {
		(uint8_t)(expires_s >> 24),
		(uint8_t)(expires_s >> 16),
		(uint8_t)(expires_s >> 8),
		(uint8_t)expires_s,
	};
	const struct span parts[] = {
		{ bits, sizeof bits },  { tail, EXPIRY_BYTES },
		{ &client->family, 1 }, { client->bytes, sizeof client->bytes },
		{ port, sizeof port },
	};
	size_t count = 0;

	integrity_hmac(integrity, INTEGRITY_SHA256, (struct span){ key->bytes, sizeof key->bytes },
		       parts, sizeof parts / sizeof parts[0], tail + EXPIRY_BYTES);
	if (features != 0) {
		memcpy(out, cookie, COOKIE_BYTES);
		put_base64(out + COOKIE_BYTES, bits, sizeof bits);
		count = COOKIE_BYTES + FEATURES_BYTES;
	}
	put_base64(out + count, tail, EXPIRY_BYTES + MAC_BYTES);
	return count + TAIL_BYTES;
}

/* The first bytes of a base64 text as a number. Lenient: the caller compares with the right
 * spelling. */
static uint32_t
leading_bytes(const uint8_t *text, size_t count)
{
	unsigned char bytes[TAIL_BYTES] = { 0 };

	assert(count <= TAIL_BYTES);
	EVP_DecodeBlock(bytes, text, (int)count);
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

bool
nonce_is_fresh(struct span nonce, struct integrity *integrity, const struct nonce_key *key,
	       const struct address *client, uint64_t now_s, uint32_t *features)
{
	const bool is_long = nonce.count == NONCE_BYTES_MAX;
	char expected[NONCE_BYTES_MAX];

	*features = 0;
	if (!is_long && nonce.count != TAIL_BYTES) {
		return false;
	}
	const uint8_t *tail = nonce.at + nonce.count - TAIL_BYTES;
	const uint32_t offered =
		is_long ? leading_bytes(nonce.at + COOKIE_BYTES, FEATURES_BYTES) >> 8 : 0;
	const uint32_t expires_s = leading_bytes(tail, TAIL_BYTES);
	const size_t count = nonce_write(expected, integrity, key, client, offered, expires_s);

	if (count != nonce.count || !integrity_equal(nonce.at, (const uint8_t *)expected, count)) {
		return false;
	}
	*features = offered;
	return now_s < expires_s;
}
