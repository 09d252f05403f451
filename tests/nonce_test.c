/* Nonces: who may bring back which, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/address.h"
#include "protocol/nonce.h"

static struct address
address_of(const char *text)
{
	struct address address;

	assert_null(address_parse(&address, text));
	return address;
}

static void
threat_C3_a_nonce_is_for_one_client_and_a_while(void **unused)
{
	static const struct {
		const char *when;
		const char *client;
		uint64_t now_s;
		uint8_t key;
		int flip; /* a byte to change, -1 none */
		bool then;
	} rows[] = {
		{ "brought back", "192.0.2.1:1000", 1500, 1, -1, true },
		{ "in its last second", "192.0.2.1:1000", 1599, 1, -1, true },
		{ "too old", "192.0.2.1:1000", 1600, 1, -1, false },
		{ "from another address", "192.0.2.2:1000", 1500, 1, -1, false },
		{ "from another port", "192.0.2.1:1001", 1500, 1, -1, false },
		{ "from another family", "[c000:201::]:1000", 1500, 1, -1, false },
		{ "of another start of the server", "192.0.2.1:1000", 1500, 2, -1, false },
		{ "cookie changed", "192.0.2.1:1000", 1500, 1, 0, false },
		{ "threat_C7: features changed", "192.0.2.1:1000", 1500, 1, 12, false },
		{ "expiry changed", "192.0.2.1:1000", 1500, 1, 13, false },
		{ "end of the sum changed", "192.0.2.1:1000", 1500, 1, 28, false },
	};
	const struct address client = address_of("192.0.2.1:1000");
	const struct nonce_key key = { { 1 } };
	struct integrity integrity;

	(void)unused;
	integrity_open(&integrity);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char nonce[NONCE_BYTES_MAX];
		uint32_t features = 7;
		const struct nonce_key other = { { rows[i].key } };
		const struct address from = address_of(rows[i].client);
		const size_t count = nonce_write(nonce, &integrity, &key, &client,
						 NONCE_PASSWORD_ALGORITHMS, 1600);

		print_message("  %s\n", rows[i].when);
		assert_int_equal(count, NONCE_BYTES_MAX);
		assert_memory_equal(nonce, "obMatJos2AAAB", 13);
		if (rows[i].flip >= 0) {
			nonce[rows[i].flip] ^= 1;
		}
		assert_int_equal(nonce_is_fresh((struct span){ (uint8_t *)nonce, count },
						&integrity, &other, &from, rows[i].now_s,
						&features),
				 rows[i].then);
		assert_true(rows[i].flip < 0 || features == 0);
	}
	integrity_close(&integrity);
}

static void
threat_C3_invented_nonces(void **unused)
{
	static const char *const rows[] = {
		"",
		"x",
		"0123456789abcdef",
		"obMatJos2AAAB0123456789abcdef",
		"obMatJos2AAAA0123456789abcdef",
		"obMatJos2\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
		"obMatJos2",
		"================",
		"a nonce that is longer than any we would ever write",
	};
	const struct address client = address_of("192.0.2.1:1000");
	const struct nonce_key key = { { 1 } };
	struct integrity integrity;
	uint32_t features;

	(void)unused;
	integrity_open(&integrity);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct span nonce = { (const uint8_t *)rows[i], strlen(rows[i]) };

		assert_false(nonce_is_fresh(nonce, &integrity, &key, &client, 1, &features));
		assert_int_equal(features, 0);
	}
	integrity_close(&integrity);
}

static void
a_nonce_without_features_is_short(void **unused)
{
	const struct address client = address_of("[2001:db8::1]:1000");
	const struct nonce_key key = { { 1 } };
	char nonce[NONCE_BYTES_MAX];
	struct integrity integrity;
	uint32_t features = 7;

	(void)unused;
	integrity_open(&integrity);
	const size_t count = nonce_write(nonce, &integrity, &key, &client, 0, 1600);
	assert_int_equal(count, 16);
	assert_true(nonce_is_fresh((struct span){ (uint8_t *)nonce, count }, &integrity, &key,
				   &client, 1, &features));
	assert_int_equal(features, 0);
	integrity_close(&integrity);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threat_C3_a_nonce_is_for_one_client_and_a_while),
		cmocka_unit_test(threat_C3_invented_nonces),
		cmocka_unit_test(a_nonce_without_features_is_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
