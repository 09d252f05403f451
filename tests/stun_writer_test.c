/* What holds a STUN message together, and replies byte for byte. */
#include "tests/stun_bytes.h"

/* --- integrity --- */

static void
what_follows_the_integrity_is_ignored(void **unused)
{
	uint8_t memory[256];
	struct integrity integrity;
	const struct integrity_key key = key_of("k", 1);
	struct stun_writer w =
		stun_writer_of(memory, sizeof memory, TURN_REFRESH, STUN_REQUEST, &transaction);
	struct stun_message message;

	(void)unused;
	integrity_open(&integrity);
	stun_put_integrity(&w, &integrity, INTEGRITY_SHA1, &key);
	stun_put_u32(&w, STUN_LIFETIME, 0);
	stun_put_integrity(&w, &integrity, INTEGRITY_SHA256, &key);
	stun_put(&w, STUN_USERNAME, "eve", 3);
	stun_put_fingerprint(&w);
	assert_true(stun_read(stun_written(&w), &message));
	assert_false(stun_has(&message, STUN_LIFETIME));
	assert_false(stun_has(&message, STUN_USERNAME));
	assert_true(stun_has(&message, STUN_MESSAGE_INTEGRITY));
	assert_true(stun_has(&message, STUN_MESSAGE_INTEGRITY_SHA256));
	assert_true(stun_has(&message, STUN_FINGERPRINT));
	assert_true(stun_integrity_holds(&message, &integrity, &key));
	integrity_close(&integrity);
}

static void
threat_C9_the_stronger_integrity_decides(void **unused)
{
	static const struct {
		const char *when;
		bool first_right, second_right, then;
	} rows[] = {
		{ "both right", true, true, true },
		{ "SHA-1 wrong", false, true, true },
		{ "SHA-256 wrong", true, false, false },
	};
	struct integrity integrity;
	const struct integrity_key right = key_of("right", 5);
	const struct integrity_key wrong = key_of("wrong", 5);

	(void)unused;
	integrity_open(&integrity);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t memory[128];
		struct stun_writer w = stun_writer_of(memory, sizeof memory, TURN_REFRESH,
						      STUN_REQUEST, &transaction);
		struct stun_message message;

		print_message("  %s\n", rows[i].when);
		stun_put_integrity(&w, &integrity, INTEGRITY_SHA1,
				   rows[i].first_right ? &right : &wrong);
		stun_put_integrity(&w, &integrity, INTEGRITY_SHA256,
				   rows[i].second_right ? &right : &wrong);
		assert_true(stun_read(stun_written(&w), &message));
		assert_int_equal(stun_integrity_hash(&message), INTEGRITY_SHA256);
		assert_int_equal(stun_integrity_holds(&message, &integrity, &right), rows[i].then);
	}
	integrity_close(&integrity);
}

static void
threat_C6_truncated_integrity(void **unused)
{
	static const struct {
		size_t count;
		bool then;
	} rows[] = { { 4, false }, { 16, false }, { 20, false }, { 28, false }, { 32, true } };
	struct integrity integrity;
	const struct integrity_key key = key_of("right", 5);

	(void)unused;
	integrity_open(&integrity);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct bytes bytes = hex("00040000" HEAD);
		struct stun_message message;
		uint8_t sum[32] = { 0 };
		const struct span part = { bytes.at, 20 };

		/* The sum is made over a header that counts the truncated attribute. */
		append(&bytes, 0x001C, sum, rows[i].count);
		integrity_hmac(&integrity, INTEGRITY_SHA256, (struct span){ key.bytes, key.count },
			       &part, 1, sum);
		bytes.count = 20;
		append(&bytes, 0x001C, sum, rows[i].count);
		assert_true(reads(bytes.at, bytes.count, &message));
		assert_true(stun_read(span_of(&bytes), &message));
		assert_int_equal(stun_integrity_holds(&message, &integrity, &key), rows[i].then);
	}
	integrity_close(&integrity);
}

/* --- the writer --- */

static void
threat_A20_replies_byte_for_byte(void **unused)
{
	uint8_t memory[256];
	struct bytes request = hex("00030000" HEAD);
	struct stun_message message;

	(void)unused;
	memset(memory, 0xEE, sizeof memory);
	append(&request, 0x7FFF, "", 0);
	assert_true(stun_read(span_of(&request), &message));
	struct stun_writer w = stun_reply_to(&message, STUN_ERROR, memory, sizeof memory);
	stun_put_error(&w, 420, "Unknown Attribute");
	stun_put_unknown(&w, &message);
	stun_put(&w, STUN_SOFTWARE, "x", 1);
	const struct bytes expected =
		hex("0113002c" HEAD "00090015 00000414 556e6b6e6f776e20417474726962757465 000000"
		    "000a0002 7fff0000 80220001 78000000");
	assert_int_equal(stun_written(&w).count, expected.count);
	assert_memory_equal(memory, expected.at, expected.count);
	assert_true(stun_read(stun_written(&w), &message));
	assert_int_equal(stun_error_code(&message), 420);
}

static void
threat_E1_an_early_error_has_no_reason(void **unused)
{
	uint8_t memory[64];
	struct stun_writer w =
		stun_writer_of(memory, sizeof memory, TURN_ALLOCATE, STUN_ERROR, &transaction);

	(void)unused;
	stun_put_error(&w, 401, "");
	const struct bytes expected = hex("01130008" HEAD "00090004 00000401");
	assert_memory_equal(memory, expected.at, expected.count);
	assert_int_equal(stun_written(&w).count, expected.count);
}

static void
methods_and_classes_go_both_ways(void **unused)
{
	(void)unused;
	for (unsigned method = 0; method <= 0xFFF; method++) {
		for (unsigned class = 0; class < 4; class ++) {
			uint8_t memory[20];
			struct stun_message message;
			struct stun_writer w =
				stun_writer_of(memory, sizeof memory, (uint16_t)method,
					       (enum stun_class) class, &transaction);

			assert_true(stun_read(stun_written(&w), &message));
			assert_int_equal(message.method, method);
			assert_int_equal(message.class, class);
		}
	}
}

static void
a_writer_without_room_writes_nothing(void **unused)
{
	uint8_t memory[20 + 7];
	struct integrity_key key = key_of("k", 1);
	struct integrity integrity;

	(void)unused;
	integrity_open(&integrity);
	struct stun_writer w =
		stun_writer_of(memory, sizeof memory, TURN_BINDING, STUN_REQUEST, &transaction);
	stun_put_integrity(&w, &integrity, INTEGRITY_SHA1, &key);
	assert_true(w.bad);
	stun_put(&w, STUN_SOFTWARE, "", 0);
	stun_put_fingerprint(&w);
	put_peer(&w, "192.0.2.1:1");
	assert_int_equal(stun_written(&w).count, 0);
	w = stun_writer_of(memory, 19, TURN_BINDING, STUN_REQUEST, &transaction);
	put_peer(&w, "192.0.2.1:1");
	assert_true(w.bad);
	integrity_close(&integrity);
}

static void
addresses_go_both_ways(void **unused)
{
	static const char *const rows[] = { "192.0.2.1:3478", "[2001:db8::1]:65535", "0.0.0.0:1" };

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t memory[64];
		struct address sent, read;
		struct stun_message message;
		struct stun_writer w = stun_writer_of(memory, sizeof memory, TURN_BINDING,
						      STUN_SUCCESS, &transaction);

		assert_null(address_parse(&sent, rows[i]));
		stun_put_address(&w, STUN_XOR_RELAYED_ADDRESS, &sent);
		stun_put_address_error(&w, TURN_FAMILY_IPV6, 440, "");
		assert_true(stun_read(stun_written(&w), &message));
		assert_true(stun_address(&message, STUN_XOR_RELAYED_ADDRESS, &read));
		assert_true(address_equal(&sent, &read));
		assert_false(stun_address(&message, STUN_XOR_MAPPED_ADDRESS, &read));
	}
}

static void
attributes_have_names_and_numbers(void **unused)
{
	(void)unused;
	assert_int_equal(stun_attribute_number(STUN_MESSAGE_INTEGRITY_SHA256), 0x001C);
	assert_string_equal(stun_attribute_name(STUN_FINGERPRINT), "FINGERPRINT");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_follows_the_integrity_is_ignored),
		cmocka_unit_test(threat_C9_the_stronger_integrity_decides),
		cmocka_unit_test(threat_C6_truncated_integrity),
		cmocka_unit_test(threat_A20_replies_byte_for_byte),
		cmocka_unit_test(threat_E1_an_early_error_has_no_reason),
		cmocka_unit_test(methods_and_classes_go_both_ways),
		cmocka_unit_test(a_writer_without_room_writes_nothing),
		cmocka_unit_test(addresses_go_both_ways),
		cmocka_unit_test(attributes_have_names_and_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
