/* Messages on a byte stream: whole, in pieces, and what no message can become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/limits.h"
#include "protocol/stream.h"

enum { STREAM_BYTES = 128 * 1024 };
static uint8_t stream[STREAM_BYTES];

static struct span
stream_of(const char *first, size_t first_count, size_t count)
{
	memset(stream, 0, sizeof stream);
	memcpy(stream, first, first_count);
	return (struct span){ stream, count };
}

struct row {
	const char *given;
	const char *first;
	size_t first_count;
	size_t count;
	enum stream_verdict verdict;
	size_t taken;
};

#define BYTES(text) text, sizeof(text) - 1

static void
check(const struct row *row)
{
	size_t taken = 0;
	const enum stream_verdict verdict =
		stream_next(stream_of(row->first, row->first_count, row->count), &taken);

	if (verdict != row->verdict || (verdict == STREAM_MESSAGE && taken != row->taken)) {
		fail_msg("%s: %d, %zu bytes", row->given, (int)verdict, taken);
	}
}

static void
the_first_message_is_told(void **unused)
{
	static const struct row rows[] = {
		{ "nothing", BYTES(""), 0, STREAM_WAIT, 0 },
		{ "a byte", BYTES("\0"), 1, STREAM_WAIT, 0 },
		{ "a STUN header but its last byte", BYTES("\0\1\0\0\x21\x12\xA4\x42"), 19,
		  STREAM_WAIT, 0 },
		{ "a STUN header", BYTES("\0\1\0\0\x21\x12\xA4\x42"), 20, STREAM_MESSAGE, 20 },
		{ "an attribute is missing", BYTES("\0\1\0\x8\x21\x12\xA4\x42"), 27, STREAM_WAIT,
		  0 },
		{ "two messages", BYTES("\0\1\0\x8\x21\x12\xA4\x42"), 60, STREAM_MESSAGE, 28 },
		{ "the longest", BYTES("\0\1\xFF\xE8\x21\x12\xA4\x42"), 65532, STREAM_MESSAGE,
		  65532 },
		{ "empty ChannelData", BYTES("\x40\0\0\0"), 4, STREAM_MESSAGE, 4 },
		{ "ChannelData without its padding", BYTES("\x40\0\0\5"), 9, STREAM_WAIT, 0 },
		{ "ChannelData with it", BYTES("\x40\0\0\5"), 12, STREAM_MESSAGE, 12 },
		{ "the longest ChannelData", BYTES("\x40\0\xFF\xF8"), 65532, STREAM_MESSAGE,
		  65532 },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		check(&rows[i]);
	}
}

static void
threat_A4_a_length_beyond_all_messages_breaks_the_stream(void **unused)
{
	static const unsigned lengths[] = { 65516, 65520, 65524, 65528, 65532, 65535 };

	(void)unused;
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		const char first[] = {
			0,          3,   (char)(lengths[i] >> 8), (char)lengths[i], 0x21, 0x12,
			(char)0xA4, 0x42
		};
		const struct row row = { "too long",   first,         sizeof first,
					 sizeof first, STREAM_BROKEN, 0 };
		check(&row);
	}
	check(&(struct row){ "long ChannelData", BYTES("\x40\0\xFF\xF9"), 4, STREAM_BROKEN, 0 });
}

static void
threat_A3_A17_what_is_no_message_breaks_the_stream_at_once(void **unused)
{
	static const struct row rows[] = {
		{ "the first bits 10", BYTES("\x80"), 1, STREAM_BROKEN, 0 },
		{ "the first bits 11", BYTES("\xFF"), 1, STREAM_BROKEN, 0 },
		{ "another cookie", BYTES("\0\1\0\0\x21\x12\xA4\x43"), 8, STREAM_BROKEN, 0 },
		{ "half of another cookie", BYTES("\0\1\0\0\x22"), 5, STREAM_BROKEN, 0 },
		{ "a length that is no multiple of four", BYTES("\0\1\0\2"), 4, STREAM_BROKEN, 0 },
		{ "a TLS hello", BYTES("\x16\3\1\2\0\1"), 6, STREAM_BROKEN, 0 },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		check(&rows[i]);
	}
}

static void
threat_F13_every_cut_gives_the_same_messages(void **unused)
{
	static const char two[] = "\0\1\0\4\x21\x12\xA4\x42tttttttttttt____\x40\1\0\6abcdef\0\0";
	const size_t all = sizeof two - 1;

	(void)unused;
	for (size_t cut = 0; cut <= all; cut++) {
		size_t taken = 0;
		const struct span first = stream_of(two, all, cut);
		assert_int_equal(stream_next(first, &taken),
				 cut < 24 ? STREAM_WAIT : STREAM_MESSAGE);
		if (cut >= 24) {
			assert_int_equal(taken, 24);
			assert_int_equal(
				stream_next((struct span){ stream + 24, cut - 24 }, &taken),
				cut < all ? STREAM_WAIT : STREAM_MESSAGE);
		}
	}
}

static void
channel_data_is_padded(void **unused)
{
	(void)unused;
	for (size_t count = 4; count < 12; count++) {
		assert_int_equal(stream_padding(stream_of(BYTES("\x40\0\0\0"), count)),
				 (4 - count % 4) % 4);
	}
	assert_int_equal(stream_padding(stream_of(BYTES("\0\1"), 22)), 0);
}

static void
threat_G2_a_stream_begins_with_stun(void **unused)
{
	(void)unused;
	assert_true(stream_may_begin((struct span){ 0 }));
	assert_true(stream_may_begin(stream_of(BYTES("\x00\x03"), 2)));
	assert_true(stream_may_begin(stream_of(BYTES("\x80"), 1))); /* and is broken: stream_next */
	assert_false(stream_may_begin(stream_of(BYTES("GET / HTTP/1.1"), 14)));
	assert_false(stream_may_begin(stream_of(BYTES("\x40"), 1)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threat_G2_a_stream_begins_with_stun),
		cmocka_unit_test(the_first_message_is_told),
		cmocka_unit_test(threat_A4_a_length_beyond_all_messages_breaks_the_stream),
		cmocka_unit_test(threat_A3_A17_what_is_no_message_breaks_the_stream_at_once),
		cmocka_unit_test(threat_F13_every_cut_gives_the_same_messages),
		cmocka_unit_test(channel_data_is_padded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
