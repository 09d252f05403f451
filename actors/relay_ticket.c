#include "actors/relay_ticket.h"

#include <openssl/evp.h>
#include <string.h>

enum {
	MAC_BYTES = 6,
	MASKED_BYTES = 2 + sizeof(struct id),
	RAW_BYTES = MAC_BYTES + MASKED_BYTES,
};
_Static_assert(RAW_BYTES % 3 == 0 && RAW_BYTES / 3 * 4 == TICKET_BYTES, "base64 without padding");
_Static_assert((int)MASKED_BYTES <= (int)INTEGRITY_BYTES_MAX, "one sum masks all of it");

static const char purpose_mac[] = "ifswarm/mobility/ticket/v2";
static const char purpose_mask[] = "ifswarm/mobility/mask/v2";

static void
mask(struct integrity *integrity, const struct nonce_key *key, const uint8_t mac[MAC_BYTES],
     uint8_t masked[MASKED_BYTES])
{
	uint8_t sum[INTEGRITY_BYTES_MAX];
	const struct span parts[] = {
		{ (const uint8_t *)purpose_mask, sizeof purpose_mask },
		{ mac, MAC_BYTES },
	};

	integrity_hmac(integrity, INTEGRITY_SHA256, (struct span){ key->bytes, sizeof key->bytes },
		       parts, sizeof parts / sizeof parts[0], sum);
	for (size_t i = 0; i < MASKED_BYTES; i++) {
		masked[i] ^= sum[i];
	}
}

/* The one text for these values; whoever checks a ticket writes it again and compares. */
void
ticket_write(char out[TICKET_BYTES], struct integrity *integrity, const struct nonce_key *key,
	     const struct ticket *ticket)
{
	const uint8_t moves[2] = { (uint8_t)(ticket->moves >> 8), (uint8_t)ticket->moves };
	const struct span parts[] = {
		{ (const uint8_t *)purpose_mac, sizeof purpose_mac },
		{ ticket->allocation.bytes, sizeof ticket->allocation.bytes },
		{ moves, sizeof moves },
		{ (const uint8_t *)ticket->user.bytes, ticket->user.length },
	};
	uint8_t sum[INTEGRITY_BYTES_MAX];
	uint8_t raw[RAW_BYTES];
	unsigned char text[TICKET_BYTES + 1];

	integrity_hmac(integrity, INTEGRITY_SHA256, (struct span){ key->bytes, sizeof key->bytes },
		       parts, sizeof parts / sizeof parts[0], sum);
	memcpy(raw, sum, MAC_BYTES);
	memcpy(raw + MAC_BYTES, moves, sizeof moves);
	memcpy(raw + MAC_BYTES + sizeof moves, ticket->allocation.bytes,
	       sizeof ticket->allocation.bytes);
	mask(integrity, key, sum, raw + MAC_BYTES);
	EVP_EncodeBlock(text, raw, sizeof raw);
	memcpy(out, text, TICKET_BYTES);
}

bool
ticket_names(struct span text, struct integrity *integrity, const struct nonce_key *key,
	     struct ticket *out)
{
	uint8_t raw[TICKET_BYTES];
	const uint8_t *named = raw + MAC_BYTES;

	if (text.count != TICKET_BYTES ||
	    EVP_DecodeBlock(raw, text.at, TICKET_BYTES) != (int)RAW_BYTES) {
		return false;
	}
	mask(integrity, key, raw, raw + MAC_BYTES);
	*out = (struct ticket){ .moves = (uint32_t)named[0] << 8 | named[1] };
	memcpy(out->allocation.bytes, named + 2, sizeof out->allocation.bytes);
	return true;
}

bool
ticket_holds(struct span text, struct integrity *integrity, const struct nonce_key *key,
	     const struct ticket *ticket)
{
	char right[TICKET_BYTES];

	ticket_write(right, integrity, key, ticket);
	return text.count == sizeof right &&
	       integrity_equal((const uint8_t *)right, text.at, sizeof right);
}
