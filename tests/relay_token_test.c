/* Reservation tokens: which are ours, whose, from which relay, and for how long (THREATS F17). */
#include "actors/relay_token.h"

#include "tests/relay_world.h"

enum { HALF_MINUTE_US = RESERVATION_S * 1000000 };
static const struct nonce_key KEY = { { 7 } };
static const struct id RANDOM = { { 1, 2, 3 } };

static struct name
named(const char *text)
{
	struct name name = { 0 };

	name_set(&name, text, strlen(text));
	return name;
}

static void
threat_F17_only_what_a_relay_made_is_a_token(void **unused)
{
	static const struct {
		const char *name;
		const char *user;
		int64_t later_us;
		unsigned spoiled; /* this byte is another one; 0: none (byte 0 below) */
		uint64_t number;  /* byte 0 is this; 0: as it was made */
		size_t count;
		uint8_t key;
		uint64_t relay;
	} rows[] = {
		{ "as it was made", "bob", 0, 0, 0, 8, 7, 5 },
		{ "at the end of its life", "bob", HALF_MINUTE_US - 1, 0, 0, 8, 7, 5 },
		{ "two half minutes later", "bob", 2 * HALF_MINUTE_US, 0, 0, 8, 7, 0 },
		{ "before it was made", "bob", -HALF_MINUTE_US, 0, 0, 8, 7, 0 },
		{ "another user's", "ann", 0, 0, 0, 8, 7, 0 },
		{ "a longer name's", "bobby", 0, 0, 0, 8, 7, 0 },
		{ "another random part", "bob", 0, 1, 0, 8, 7, 0 },
		{ "another MAC", "bob", 0, 7, 0, 8, 7, 0 },
		{ "another relay's number", "bob", 0, 0, 6, 8, 7, 0 },
		{ "no relay's number", "bob", 0, 0, RELAYS_MAX + 1, 8, 7, 0 },
		{ "another cluster's", "bob", 0, 0, 0, 8, 8, 0 },
		{ "too short", "bob", 0, 0, 0, 7, 7, 0 },
	};
	struct integrity integrity;
	const struct name bob = named("bob");

	(void)unused;
	integrity_open(&integrity);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct name user = named(rows[i].user);
		const struct nonce_key key = { { rows[i].key } };
		const uint64_t now_us = START_US + (uint64_t)rows[i].later_us;
		uint8_t token[RESERVATION_TOKEN_BYTES];

		token_write(token, &integrity, &KEY, 5, &RANDOM, &bob, START_US);
		token[rows[i].spoiled] ^= rows[i].spoiled != 0;
		token[0] = rows[i].number != 0 ? (uint8_t)rows[i].number : token[0];
		print_message("%s\n", rows[i].name);
		assert_int_equal(token_relay((struct span){ token, rows[i].count }, &integrity,
					     &key, &user, now_us),
				 rows[i].relay);
	}
	integrity_close(&integrity);
}

static void
two_tokens_of_one_user_differ(void **unused)
{
	struct integrity integrity;
	const struct name bob = named("bob");
	const struct id other = { { 1, 2, 4 } };
	uint8_t a[RESERVATION_TOKEN_BYTES];
	uint8_t b[RESERVATION_TOKEN_BYTES];

	(void)unused;
	integrity_open(&integrity);
	token_write(a, &integrity, &KEY, 5, &RANDOM, &bob, START_US);
	token_write(b, &integrity, &KEY, 5, &other, &bob, START_US);
	assert_memory_not_equal(a, b, sizeof a);
	assert_memory_not_equal(a + 4, b + 4, 4);
	integrity_close(&integrity);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threat_F17_only_what_a_relay_made_is_a_token),
		cmocka_unit_test(two_tokens_of_one_user_differ),
	};

	return cmocka_run_group_tests_name("relay_token", tests, NULL, NULL);
}
