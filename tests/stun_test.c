/* Reading STUN messages: the published vectors, and what malformed ones get. */
#include "tests/stun_bytes.h"

/* --- RFC 5769 and RFC 8489 appendix B (A22) --- */

static const char vector_request[] =
	"00010058 2112a442 b7e7a701bc34d686fa87dfae"
	"80220010 5354554e207465737420636c69656e74 00240004 6e0001ff 80290008 932ff9b151263b36"
	"00060009 6576746a3a68367659202020 00080014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"
	"80280004 e57a3bcf";
static const char vector_response_ipv4[] =
	"0101003c 2112a442 b7e7a701bc34d686fa87dfae"
	"8022000b 7465737420766563746f7220 00200008 0001a147e112a643"
	"00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7 80280004 c07d4c96";
static const char vector_response_ipv6[] =
	"01010048 2112a442 b7e7a701bc34d686fa87dfae"
	"8022000b 7465737420766563746f7220 00200014 0002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
	"00080014 a382954e4be67bf11784c97c8292c275bfe3ed41 80280004 c8fb0b4c";
static const char vector_long_term[] =
	"00010060 2112a442 78ad3433c6ad72c029da412e"
	"00060012 e3839ee38388e383aae38383e382afe382b90000"
	"0015001c 662f2f3439396b39353464364f4c33346f4c39465354767936347341"
	"0014000b 6578616d706c652e6f726700 00080014 f67024656dd64a3e02b8e0712e85c9a28ca89666";
/* As erratum 6268 corrects it. */
static const char vector_sha256[] =
	"00010090 2112a442 78ad3433c6ad72c029da412e"
	"001e0020 4a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704"
	"00150029 6f624d61744a6f7332414141 "
	"43662f2f3439396b39353464364f4c33346f4c39465354767936347341 000000"
	"0014000b 6578616d706c652e6f726700 001d0004 00020000"
	"001c0020 b5c7bf005b6c52a21c51c5e892f81924136296cb927c43149309278cc6518e65";

static const char password[] = "VOkJxbRl1RmTxUk/WvJxBt";
static const char user[] =
	"\xE3\x83\x9E\xE3\x83\x88\xE3\x83\xAA\xE3\x83\x83\xE3\x82\xAF\xE3\x82\xB9";

static struct integrity_key
matrix_key(struct integrity *integrity, enum password_algorithm algorithm)
{
	return integrity_long_term_key(integrity, algorithm,
				       (struct span){ (const uint8_t *)user, 18 },
				       (struct span){ (const uint8_t *)"example.org", 11 },
				       (struct span){ (const uint8_t *)"TheMatrIX", 9 });
}

static void
threat_A22_the_published_vectors_hold(void **unused)
{
	struct integrity integrity;
	integrity_open(&integrity);
	const struct integrity_key short_term = key_of(password, strlen(password));
	const struct integrity_key md5 = matrix_key(&integrity, PASSWORD_MD5);
	const struct integrity_key sha256 = matrix_key(&integrity, PASSWORD_SHA256);
	const struct {
		const char *when;
		const char *hex;
		const struct integrity_key *key;
		enum stun_class class;
		const char *address;
	} rows[] = {
		{ "RFC 5769 2.1, a request", vector_request, &short_term, STUN_REQUEST, NULL },
		{ "RFC 5769 2.2, an IPv4 response", vector_response_ipv4, &short_term, STUN_SUCCESS,
		  "192.0.2.1:32853" },
		{ "RFC 5769 2.3, an IPv6 response", vector_response_ipv6, &short_term, STUN_SUCCESS,
		  "[2001:db8:1234:5678:11:2233:4455:6677]:32853" },
		{ "RFC 5769 2.4, long-term credentials", vector_long_term, &md5, STUN_REQUEST,
		  NULL },
		{ "RFC 8489 B.1, long-term credentials with SHA-256", vector_sha256, &sha256,
		  STUN_REQUEST, NULL },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct bytes bytes = hex(rows[i].hex);
		struct stun_message message;
		struct address expected, found;

		print_message("  %s\n", rows[i].when);
		assert_true(stun_read(span_of(&bytes), &message));
		assert_int_equal(message.method, TURN_BINDING);
		assert_int_equal(message.class, rows[i].class);
		assert_int_equal(message.malformed, 0);
		assert_true(stun_integrity_holds(&message, &integrity, rows[i].key));
		const struct integrity_key wrong = key_of("wrong", 5);
		assert_false(stun_integrity_holds(&message, &integrity, &wrong));
		if (rows[i].address != NULL) {
			assert_null(address_parse(&expected, rows[i].address));
			assert_true(stun_address(&message, STUN_XOR_MAPPED_ADDRESS, &found));
			assert_true(address_equal(&expected, &found));
		}
	}
	integrity_close(&integrity);
}

/* --- what is dropped (A1 to A4, A8, A16, A17) --- */

#define CLASSIC "01020304 0102030405060708090a0b0c"

static void
threat_A1_to_A17_what_is_not_stun_is_dropped(void **unused)
{
	static const struct {
		const char *when;
		const char *hex;
		bool then;
	} rows[] = {
		{ "threat_A1: no byte", "", false },
		{ "threat_A1: one byte", "00", false },
		{ "threat_A1: two bytes", "0001", false },
		{ "threat_A1: three bytes", "000100", false },
		{ "threat_A1: nineteen bytes", "00010000 2112a442 0102030405060708090a0b", false },
		{ "a bare Binding", "00010000" HEAD, true },
		{ "threat_A2: longer than the datagram", "00010004" HEAD, false },
		{ "threat_A2: shorter than the datagram", "00010000" HEAD "80220000", false },
		{ "threat_A3: length 1", "00010001" HEAD "00", false },
		{ "threat_A3: length 6 of an attribute of 2", "00010006" HEAD "802200020000",
		  false },
		{ "threat_A4: length 65516", "0001ffec" HEAD, false },
		{ "threat_A4: length 65520", "0001fff0" HEAD, false },
		{ "threat_A4: length 65524", "0001fff4" HEAD, false },
		{ "threat_A4: length 65528", "0001fff8" HEAD, false },
		{ "threat_A4: length 65532", "0001fffc" HEAD, false },
		{ "threat_A4: length 65535", "0001ffff" HEAD, false },
		{ "threat_A8: an attribute of 4 with nothing behind", "00010004" HEAD "80220004",
		  false },
		{ "threat_A8: an attribute of 65535", "00010008" HEAD "8022ffff 00000000", false },
		{ "threat_A8: padding that is not there", "00010008" HEAD "80220005 00000000",
		  false },
		{ "threat_A8: header only, of length 0", "00010004" HEAD "80220000", true },
		{ "threat_A16: a wrong FINGERPRINT", "00010008" HEAD "80280004 00000000", false },
		{ "threat_A16: a short FINGERPRINT", "00010008" HEAD "80280002 00000000", false },
		{ "threat_A17: the cookie of nobody", "00010000" CLASSIC, false },
		{ "threat_A17: first bits 01", "40010000" HEAD, false },
		{ "threat_A17: first bits 10", "80010000" HEAD, false },
		{ "threat_A17: first bits 11", "c0010000" HEAD, false },
		{ "threat_A19: an unknown method is still STUN", "00050000" HEAD, true },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct bytes bytes = hex(rows[i].hex);
		struct stun_message message;

		print_message("  %s\n", rows[i].when);
		assert_int_equal(reads(bytes.at, bytes.count, &message), rows[i].then);
	}
}

static void
threat_A16_nothing_may_follow_the_fingerprint(void **unused)
{
	uint8_t memory[64];
	struct stun_writer w =
		stun_writer_of(memory, sizeof memory, TURN_BINDING, STUN_REQUEST, &transaction);
	struct stun_message message;

	(void)unused;
	stun_put_fingerprint(&w);
	assert_true(stun_read(stun_written(&w), &message));
	stun_put(&w, STUN_SOFTWARE, "x", 1);
	assert_false(stun_read(stun_written(&w), &message));
}

static void
threat_A7_datagrams_are_told_apart(void **unused)
{
	static const struct {
		const char *when;
		const char *hex;
		enum datagram_kind then;
	} rows[] = {
		{ "a Binding", "00010000" HEAD, DATAGRAM_STUN },
		{ "a Binding without cookie", "00010000" CLASSIC, DATAGRAM_DROP },
		{ "channel 0x3FFF, even with a cookie", "3fff0000" HEAD, DATAGRAM_STUN },
		{ "channel 0x3FFF", "3fff0000 00000000", DATAGRAM_DROP },
		{ "channel 0x4000", "40000000", DATAGRAM_CHANNEL_DATA },
		{ "channel 0x4FFF", "4fff0000", DATAGRAM_CHANNEL_DATA },
		{ "channel 0x5000, of RFC 5766", "50000000" HEAD, DATAGRAM_CHANNEL_DATA },
		{ "channel 0x7FFF, of RFC 5766", "7fff0000" HEAD, DATAGRAM_CHANNEL_DATA },
		{ "channel 0x8000", "80000000" HEAD, DATAGRAM_DROP },
		{ "three bytes of a channel", "400000", DATAGRAM_DROP },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct bytes bytes = hex(rows[i].hex);

		print_message("  %s\n", rows[i].when);
		assert_int_equal(stun_classify(span_of(&bytes)), rows[i].then);
	}
}

/* --- sizes and values (A9 to A12) --- */

static void
threat_A10_a_wrong_size_is_malformed(void **unused)
{
	static const struct {
		const char *when;
		enum stun_attribute attribute;
		size_t count;
		uint8_t second; /* the second byte of the value: an address's family */
		bool malformed;
	} rows[] = {
		{ "LIFETIME of 4", STUN_LIFETIME, 4, 0, false },
		{ "LIFETIME of 3", STUN_LIFETIME, 3, 0, true },
		{ "CHANNEL-NUMBER of 2", STUN_CHANNEL_NUMBER, 2, 0, true },
		{ "REQUESTED-TRANSPORT of 0", STUN_REQUESTED_TRANSPORT, 0, 0, true },
		{ "REQUESTED-TRANSPORT of 4", STUN_REQUESTED_TRANSPORT, 4, 0, false },
		{ "REQUESTED-ADDRESS-FAMILY of 1", STUN_REQUESTED_ADDRESS_FAMILY, 1, 0, true },
		{ "ADDITIONAL-ADDRESS-FAMILY of 1", STUN_ADDITIONAL_ADDRESS_FAMILY, 1, 0, true },
		{ "XOR-PEER-ADDRESS of 7", STUN_XOR_PEER_ADDRESS, 7, 1, true },
		{ "XOR-PEER-ADDRESS of 8", STUN_XOR_PEER_ADDRESS, 8, 1, false },
		{ "XOR-PEER-ADDRESS of 9", STUN_XOR_PEER_ADDRESS, 9, 1, true },
		{ "XOR-PEER-ADDRESS of 19", STUN_XOR_PEER_ADDRESS, 19, 2, true },
		{ "XOR-PEER-ADDRESS of 20", STUN_XOR_PEER_ADDRESS, 20, 2, false },
		{ "XOR-PEER-ADDRESS of 21", STUN_XOR_PEER_ADDRESS, 21, 2, true },
		{ "IPv6 in 8 bytes", STUN_XOR_PEER_ADDRESS, 8, 2, true },
		{ "IPv4 in 20 bytes", STUN_XOR_PEER_ADDRESS, 20, 1, true },
		{ "threat_A11: family 0", STUN_XOR_PEER_ADDRESS, 8, 0, true },
		{ "threat_A11: family 3", STUN_XOR_PEER_ADDRESS, 8, 3, true },
		{ "threat_A11: family 255", STUN_XOR_PEER_ADDRESS, 20, 255, true },
		{ "XOR-MAPPED-ADDRESS of 9", STUN_XOR_MAPPED_ADDRESS, 9, 1, true },
		{ "XOR-RELAYED-ADDRESS of 19", STUN_XOR_RELAYED_ADDRESS, 19, 2, true },
		{ "RESERVATION-TOKEN of 4", STUN_RESERVATION_TOKEN, 4, 0, true },
		{ "RESERVATION-TOKEN of 8", STUN_RESERVATION_TOKEN, 8, 0, false },
		{ "EVEN-PORT of 0", STUN_EVEN_PORT, 0, 0, true },
		{ "EVEN-PORT of 1", STUN_EVEN_PORT, 1, 0, false },
		{ "DONT-FRAGMENT of 4", STUN_DONT_FRAGMENT, 4, 0, true },
		{ "ERROR-CODE of 3", STUN_ERROR_CODE, 3, 0, true },
		{ "MESSAGE-INTEGRITY of 16", STUN_MESSAGE_INTEGRITY, 16, 0, true },
		{ "MESSAGE-INTEGRITY-SHA256 of 12", STUN_MESSAGE_INTEGRITY_SHA256, 12, 0, true },
		{ "threat_C6: MESSAGE-INTEGRITY-SHA256 of 16", STUN_MESSAGE_INTEGRITY_SHA256, 16, 0,
		  true },
		{ "threat_C6: MESSAGE-INTEGRITY-SHA256 of 28", STUN_MESSAGE_INTEGRITY_SHA256, 28, 0,
		  true },
		{ "MESSAGE-INTEGRITY-SHA256 of 32", STUN_MESSAGE_INTEGRITY_SHA256, 32, 0, false },
		{ "MESSAGE-INTEGRITY-SHA256 of 36", STUN_MESSAGE_INTEGRITY_SHA256, 36, 0, true },
		{ "USERHASH of 31", STUN_USERHASH, 31, 0, true },
		{ "threat_A12: USERNAME of 0", STUN_USERNAME, 0, 0, true },
		{ "threat_A12: USERNAME of 508", STUN_USERNAME, 508, 0, false },
		{ "threat_A12: USERNAME of 509", STUN_USERNAME, 509, 0, true },
		{ "threat_A12: USERNAME of 514", STUN_USERNAME, 514, 0, true },
		{ "threat_A12: REALM of 763", STUN_REALM, 763, 0, false },
		{ "threat_A12: REALM of 764", STUN_REALM, 764, 0, true },
		{ "threat_A12: NONCE of 764", STUN_NONCE, 764, 0, true },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct bytes bytes = hex("00030000" HEAD);
		uint8_t value[1024] = { 0, rows[i].second };
		struct stun_message message;

		print_message("  %s\n", rows[i].when);
		append(&bytes, stun_attribute_number(rows[i].attribute), value, rows[i].count);
		assert_true(reads(bytes.at, bytes.count, &message));
		assert_true(stun_has(&message, rows[i].attribute));
		assert_int_equal(message.malformed,
				 rows[i].malformed ? stun_set(rows[i].attribute) : 0);
	}
}

static void
threat_A9_what_follows_odd_lengths_is_read(void **unused)
{
	(void)unused;
	for (size_t count = 0; count <= 9; count++) {
		struct bytes bytes = hex("00030000" HEAD);
		struct stun_message message;

		append(&bytes, 0x8022, "123456789", count);
		append(&bytes, 0x000D, "\0\0\2\x58", 4);
		assert_true(reads(bytes.at, bytes.count, &message));
		assert_int_equal(message.values[STUN_SOFTWARE].count, count);
		assert_int_equal(message.lifetime_s, 600);
	}
}

static void
threat_A13_unknown_attributes_are_capped(void **unused)
{
	struct bytes bytes = hex("00030000" HEAD);
	struct stun_message message;

	(void)unused;
	for (unsigned i = 0; i < 500; i++) {
		append(&bytes, 0x7000 + i / 2, "", 0);
		append(&bytes, 0x8FFF, "", 0);
	}
	assert_true(reads(bytes.at, bytes.count, &message));
	assert_int_equal(message.unknown_count, STUN_UNKNOWN_MAX);
	assert_int_equal(message.unknown[0], 0x7000);
	assert_int_equal(message.unknown[1], 0x7001);
	assert_int_equal(message.malformed, 0);
}

static void
threat_A14_peers_are_kept_in_their_order(void **unused)
{
	uint8_t memory[1024];
	struct stun_writer w = stun_writer_of(memory, sizeof memory, TURN_CREATE_PERMISSION,
					      STUN_REQUEST, &transaction);
	struct stun_message message;
	struct address first;

	(void)unused;
	put_peer(&w, "192.0.2.1:1");
	for (size_t i = 1; i < STUN_PEERS_MAX; i++) {
		put_peer(&w, "[2001:db8::1]:2");
	}
	assert_true(stun_read(stun_written(&w), &message));
	assert_int_equal(message.peer_count, STUN_PEERS_MAX);
	assert_false(message.peers_too_many);
	assert_null(address_parse(&first, "192.0.2.1:1"));
	assert_true(address_equal(&message.peers[0], &first));
	put_peer(&w, "192.0.2.3:3");
	assert_true(stun_read(stun_written(&w), &message));
	assert_true(message.peers_too_many);
	assert_int_equal(message.peer_count, STUN_PEERS_MAX);
}

static void
a_mapped_peer_is_ipv4(void **unused)
{
	struct bytes bytes = hex("00080000" HEAD);
	struct stun_message message;
	struct address expected;
	uint8_t value[20] = { 0, 2, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 127, 0, 0, 1 };
	const uint8_t mask[16] = { 0x21, 0x12, 0xA4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };

	(void)unused;
	value[2] ^= mask[0];
	value[3] ^= mask[1];
	for (size_t i = 0; i < 16; i++) {
		value[4 + i] ^= mask[i];
	}
	append(&bytes, 0x0012, value, sizeof value);
	assert_true(reads(bytes.at, bytes.count, &message));
	assert_null(address_parse(&expected, "127.0.0.1:7"));
	assert_int_equal(message.peers[0].family, ADDRESS_IPV4);
	assert_true(address_equal(&message.peers[0], &expected));
}

static void
an_allocate_gives_all_it_says(void **unused)
{
	struct bytes bytes = hex("00030000" HEAD);
	struct stun_message message;

	(void)unused;
	append(&bytes, 0x0019, "\x11\0\0\0", 4);
	append(&bytes, 0x000D, "\xFF\xFF\xFF\xFF", 4);
	append(&bytes, 0x000D, "\0\0\0\1", 4);
	append(&bytes, 0x0017, "\2\0\0\0", 4);
	append(&bytes, 0x8000, "\1\0\0\0", 4);
	append(&bytes, 0x0018, "\x80", 1);
	append(&bytes, 0x000C, "\x40\1\0\0", 4);
	append(&bytes, 0x001A, "", 0);
	append(&bytes, 0x0022, "12345678", 8);
	append(&bytes, 0x0013, "hello", 5);
	assert_true(reads(bytes.at, bytes.count, &message));
	assert_int_equal(message.method, TURN_ALLOCATE);
	assert_int_equal(message.class, STUN_REQUEST);
	assert_memory_equal(message.transaction.bytes, transaction.bytes, 12);
	assert_int_equal(message.transport, TURN_TRANSPORT_UDP);
	assert_int_equal(message.lifetime_s, 0xFFFFFFFF);
	assert_int_equal(message.requested_family, TURN_FAMILY_IPV6);
	assert_int_equal(message.additional_family, TURN_FAMILY_IPV4);
	assert_true(message.even_port_reserve);
	assert_int_equal(message.channel, 0x4001);
	assert_true(stun_has(&message, STUN_DONT_FRAGMENT));
	assert_int_equal(message.values[STUN_RESERVATION_TOKEN].count, 8);
	assert_int_equal(message.values[STUN_DATA].count, 5);
	assert_false(stun_has(&message, STUN_USERNAME));
	assert_int_equal(message.malformed, 0);
}

/* What coturn's clients send for it. */
static void
an_additional_family_may_have_the_number_of_the_draft(void **unused)
{
	static const uint16_t numbers[] = { 0x8000, 0x8032 };
	struct stun_message message;

	(void)unused;
	for (size_t i = 0; i < 2; i++) {
		uint8_t bytes[28] = { 0, 3, 0, 8, 0x21, 0x12, 0xA4, 0x42 };
		bytes[20] = (uint8_t)(numbers[i] >> 8);
		bytes[21] = (uint8_t)numbers[i];
		bytes[23] = 4;
		bytes[24] = 2;
		assert_true(stun_read((struct span){ bytes, sizeof bytes }, &message));
		assert_true(stun_has(&message, STUN_ADDITIONAL_ADDRESS_FAMILY));
		assert_int_equal(message.additional_family, 2);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threat_A22_the_published_vectors_hold),
		cmocka_unit_test(threat_A1_to_A17_what_is_not_stun_is_dropped),
		cmocka_unit_test(threat_A16_nothing_may_follow_the_fingerprint),
		cmocka_unit_test(threat_A7_datagrams_are_told_apart),
		cmocka_unit_test(threat_A10_a_wrong_size_is_malformed),
		cmocka_unit_test(threat_A9_what_follows_odd_lengths_is_read),
		cmocka_unit_test(threat_A13_unknown_attributes_are_capped),
		cmocka_unit_test(threat_A14_peers_are_kept_in_their_order),
		cmocka_unit_test(a_mapped_peer_is_ipv4),
		cmocka_unit_test(an_allocate_gives_all_it_says),
		cmocka_unit_test(an_additional_family_may_have_the_number_of_the_draft),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
