/* Sums and keys against published values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/integrity.h"

static struct span
span_of(const char *text)
{
	return (struct span){ (const uint8_t *)text, strlen(text) };
}

static void
assert_hex(const uint8_t *bytes, size_t count, const char *expected)
{
	char text[2 * INTEGRITY_BYTES_MAX + 1];

	assert_true(count <= INTEGRITY_BYTES_MAX);
	hex_write(text, bytes, count);
	assert_string_equal(text, expected);
}

/* RFC 2202 case 2 and RFC 4231 case 2. */
static void
sums_are_the_published_ones(void **unused)
{
	const struct span parts[] = { span_of("what do ya want "), span_of(""),
				      span_of("for nothing?") };
	struct integrity integrity;
	uint8_t sum[INTEGRITY_BYTES_MAX];

	(void)unused;
	integrity_open(&integrity);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(
			integrity_hmac(&integrity, INTEGRITY_SHA1, span_of("Jefe"), parts, 3, sum),
			20);
		assert_hex(sum, 20, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
		assert_int_equal(integrity_hmac(&integrity, INTEGRITY_SHA256, span_of("Jefe"),
						parts, 3, sum),
				 32);
		assert_hex(sum, 32,
			   "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	}
	integrity_close(&integrity);
}

/* HMAC-SHA1 of nothing under an empty key. An empty key must not mean "the key of before". */
static void
an_empty_key_is_a_key(void **unused)
{
	const struct span nothing = { 0 };
	struct integrity integrity;
	uint8_t sum[INTEGRITY_BYTES_MAX];

	(void)unused;
	integrity_open(&integrity);
	integrity_hmac(&integrity, INTEGRITY_SHA1, span_of("another key"), NULL, 0, sum);
	integrity_hmac(&integrity, INTEGRITY_SHA1, nothing, NULL, 0, sum);
	assert_hex(sum, 20, "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d");
	integrity_close(&integrity);
}

/* RFC 8489 section 9.2.2 gives the MD5 key; the userhash is that of its appendix B.1. */
static void
keys_are_the_published_ones(void **unused)
{
	static const char matrix[] =
		"\xE3\x83\x9E\xE3\x83\x88\xE3\x83\xAA\xE3\x83\x83\xE3\x82\xAF\xE3\x82\xB9";
	struct integrity integrity;

	(void)unused;
	integrity_open(&integrity);
	const struct integrity_key key = integrity_long_term_key(
		&integrity, PASSWORD_MD5, span_of("user"), span_of("realm"), span_of("pass"));
	assert_int_equal(key.count, 16);
	assert_hex(key.bytes, 16, "8493fbc53ba582fb4c044c456bdc40eb");
	const struct integrity_key strong = integrity_long_term_key(
		&integrity, PASSWORD_SHA256, span_of("user"), span_of("realm"), span_of("pass"));
	assert_int_equal(strong.count, 32);
	const struct digest hash =
		integrity_userhash(&integrity, span_of(matrix), span_of("example.org"));
	assert_hex(hash.bytes, 32,
		   "4a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704");
	integrity_close(&integrity);
}

/* The check value of CRC-32 is 0xCBF43926; STUN turns some of its bits around. */
static void
the_fingerprint_is_crc32(void **unused)
{
	(void)unused;
	assert_int_equal(integrity_fingerprint(span_of("123456789")) ^ 0x5354554E, 0xCBF43926);
	assert_int_equal(integrity_fingerprint((struct span){ 0 }) ^ 0x5354554E, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_are_the_published_ones),
		cmocka_unit_test(an_empty_key_is_a_key),
		cmocka_unit_test(keys_are_the_published_ones),
		cmocka_unit_test(the_fingerprint_is_crc32),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
