/* STUN messages: the published vectors, and what malformed ones get. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/address.h"
#include "protocol/stun.h"
#include "protocol/turn.h"

enum { BYTES_MAX = 4096 };

struct bytes {
	size_t count;
	uint8_t at[BYTES_MAX];
};

static struct span
span_of(const struct bytes *bytes)
{
	return (struct span){ bytes->at, bytes->count };
}

/* From hex digits; blanks are for the reader. */
static struct bytes
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

static struct integrity_key
key_of(const void *bytes, size_t count)
{
	struct integrity_key key = { .count = (uint8_t)count };

	memcpy(key.bytes, bytes, count);
	return key;
}

/* A heap copy of exactly that size, so that ASan sees a read beyond the end. */
static bool
reads(const uint8_t *at, size_t count, struct stun_message *out)
{
	uint8_t *exact = malloc(count > 0 ? count : 1);

	assert_non_null(exact);
	memcpy(exact, at, count);
	const bool read = stun_read((struct span){ exact, count }, out);
	free(exact);
	return read;
}

/* --- RFC 5769 and RFC 8489 appendix B (A22) ------------------------------------------------------
 */

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

/* --- what is dropped (A1 to A4, A8, A16, A17)
 * ----------------------------------------------------- */

#define HEAD    "2112a442 0102030405060708090a0b0c"
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

static const struct transaction transaction = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 } };

/* Appends an attribute by its number; the header's length follows. */
static void
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
		{ "channel 0x5000", "50000000" HEAD, DATAGRAM_DROP },
		{ "channel 0x7FFF", "7fff0000" HEAD, DATAGRAM_DROP },
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

/* --- sizes and values (A9 to A12)
 * ----------------------------------------------------------------- */

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
		{ "MESSAGE-INTEGRITY-SHA256 of 16", STUN_MESSAGE_INTEGRITY_SHA256, 16, 0, false },
		{ "MESSAGE-INTEGRITY-SHA256 of 18", STUN_MESSAGE_INTEGRITY_SHA256, 18, 0, true },
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
				 rows[i].malformed ? 1u << rows[i].attribute : 0);
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
put_peer(struct stun_writer *w, const char *text)
{
	struct address peer;

	assert_null(address_parse(&peer, text));
	stun_put_address(w, STUN_XOR_PEER_ADDRESS, &peer);
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

/* --- integrity
 * ------------------------------------------------------------------------------------ */

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
	} rows[] = { { 4, false },  { 12, false }, { 16, true },
		     { 18, false }, { 20, true },  { 28, true } };
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

/* --- the writer
 * ----------------------------------------------------------------------------------- */

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
