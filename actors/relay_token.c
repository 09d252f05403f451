#include "actors/relay_token.h"

#include <assert.h>
#include <string.h>

enum { NUMBER_BYTES = 1, RANDOM_BYTES = 3, MAC_BYTES = 4 };
_Static_assert(NUMBER_BYTES + RANDOM_BYTES + MAC_BYTES == RESERVATION_TOKEN_BYTES, "all of it");
_Static_assert(RELAYS_MAX <= UINT8_MAX, "a relay's number is one byte");

static const char purpose[] = "ifswarm/reservation/token/v1";

/* `period`: the half minute in which it was made. */
static void
put_mac(uint8_t token[RESERVATION_TOKEN_BYTES], struct integrity *integrity,
	const struct nonce_key *key, const struct name *user, uint64_t period)
{
	const uint8_t when[8] = {
		(uint8_t)(period >> 56), (uint8_t)(period >> 48), (uint8_t)(period >> 40),
		(uint8_t)(period >> 32), (uint8_t)(period >> 24), (uint8_t)(period >> 16),
		(uint8_t)(period >> 8),  (uint8_t)period,
	};
	const struct span parts[] = {
		{ (const uint8_t *)purpose, sizeof purpose },
		{ token, NUMBER_BYTES + RANDOM_BYTES },
		{ when, sizeof when },
		{ (const uint8_t *)user->bytes, user->length },
	};
	uint8_t sum[INTEGRITY_BYTES_MAX];

	integrity_hmac(integrity, INTEGRITY_SHA256, (struct span){ key->bytes, sizeof key->bytes },
		       parts, sizeof parts / sizeof parts[0], sum);
	memcpy(token + NUMBER_BYTES + RANDOM_BYTES, sum, MAC_BYTES);
}

static uint64_t
period_of(uint64_t now_us)
{
	return now_us / (RESERVATION_S * 1000000ull);
}

void
token_write(uint8_t out[RESERVATION_TOKEN_BYTES], struct integrity *integrity,
	    const struct nonce_key *key, uint64_t relay, const struct id *random,
	    const struct name *user, uint64_t now_us)
{
	assert(relay > 0);
	assert(relay <= RELAYS_MAX);
	out[0] = (uint8_t)relay;
	memcpy(out + NUMBER_BYTES, random->bytes, RANDOM_BYTES);
	put_mac(out, integrity, key, user, period_of(now_us));
}

/* The one token for these values; whoever checks one writes it again and compares. */
static bool
is_of_period(struct span token, struct integrity *integrity, const struct nonce_key *key,
	     const struct name *user, uint64_t period)
{
	uint8_t right[RESERVATION_TOKEN_BYTES];

	memcpy(right, token.at, sizeof right);
	put_mac(right, integrity, key, user, period);
	return integrity_equal(right, token.at, sizeof right);
}

uint64_t
token_relay(struct span token, struct integrity *integrity, const struct nonce_key *key,
	    const struct name *user, uint64_t now_us)
{
	const uint64_t period = period_of(now_us);

	if (token.count != RESERVATION_TOKEN_BYTES || token.at[0] == 0 ||
	    token.at[0] > RELAYS_MAX) {
		return 0;
	}
	return is_of_period(token, integrity, key, user, period) ||
			       is_of_period(token, integrity, key, user, period - 1)
		       ? token.at[0]
		       : 0;
}
