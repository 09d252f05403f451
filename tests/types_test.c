/* Plain values: names, hex, ids, hashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/types.h"

static void
names_are_wellformed_or_not(void **unused)
{
	static const struct {
		const char *when;
		const char *bytes;
		size_t count;
		bool then;
	} rows[] = {
		{ "letters", "alice", 5, true },
		{ "blanks", "a b", 3, true },
		{ "two bytes", "\xC3\xA4", 2, true },
		{ "three bytes", "\xE3\x83\x9E", 3, true },
		{ "four bytes", "\xF0\x9F\x90\x9D", 4, true },
		{ "the highest of all", "\xF4\x8F\xBF\xBF", 4, true },
		{ "the first beyond C1", "\xC2\xA0", 2, true },
		{ "nothing", "", 0, false },
		{ "NUL", "a\0b", 3, false },
		{ "a line break", "a\nb", 3, false },
		{ "an escape", "\x1B[2J", 4, false },
		{ "DEL", "\x7F", 1, false },
		{ "C1", "\xC2\x9B", 2, false },
		{ "a continuation alone", "\x80", 1, false },
		{ "a start alone", "\xC3", 1, false },
		{ "a start and a letter",
		  "\xC3"
		  "a",
		  2, false },
		{ "cut short", "\xE3\x83", 2, false },
		{ "overlong in two", "\xC0\xAF", 2, false },
		{ "overlong in three", "\xE0\x80\xAF", 3, false },
		{ "overlong in four", "\xF0\x80\x80\xAF", 4, false },
		{ "a surrogate", "\xED\xA0\x80", 3, false },
		{ "beyond the highest", "\xF4\x90\x80\x80", 4, false },
		{ "five bytes", "\xF8\x88\x80\x80\x80", 5, false },
		{ "never used", "\xFF", 1, false },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct name name;

		print_message("  %s\n", rows[i].when);
		assert_true(name_set(&name, rows[i].bytes, rows[i].count));
		assert_int_equal(name_is_wellformed(&name), rows[i].then);
	}
}

static void
scalars_are_decoded(void **unused)
{
	static const struct {
		const char *when;
		const char *bytes;
		size_t count;
		size_t used;
		uint32_t then;
	} rows[] = {
		{ "a letter, and more", "ab", 2, 1, 'a' },
		{ "a control character", "\x1B", 1, 1, 0x1B },
		{ "two bytes", "\xC3\xA4", 2, 2, 0xE4 },
		{ "three bytes", "\xE3\x83\x9E", 3, 3, 0x30DE },
		{ "four bytes", "\xF0\x9F\x90\x9D", 4, 4, 0x1F41D },
		{ "bytes beyond the count", "\xC3\xA4", 1, 0, 77 },
		{ "a surrogate", "\xED\xA0\x80", 3, 0, 77 },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint32_t scalar = 77;

		print_message("  %s\n", rows[i].when);
		assert_int_equal(
			utf8_scalar((const uint8_t *)rows[i].bytes, rows[i].count, &scalar),
			rows[i].used);
		assert_int_equal(scalar, rows[i].then);
	}
}

static void
names_and_words_end_at_their_bound(void **unused)
{
	char bytes[NAME_BYTES_MAX + 2];
	struct name name;
	struct text text;

	(void)unused;
	memset(bytes, 'a', sizeof bytes);
	assert_true(name_set(&name, bytes, NAME_BYTES_MAX));
	assert_true(name_is_wellformed(&name));
	assert_false(name_set(&name, bytes, NAME_BYTES_MAX + 1));
	assert_int_equal(name.length, 0);
	bytes[TEXT_BYTES_MAX] = '\0';
	assert_true(text_set(&text, bytes));
	assert_true(text_equal(&text, bytes));
	bytes[TEXT_BYTES_MAX] = 'a';
	bytes[TEXT_BYTES_MAX + 1] = '\0';
	assert_false(text_set(&text, bytes));
	assert_false(text_equal(&text, bytes));
	assert_true(text_equal(&text, ""));
}

static void
names_are_compared_whole(void **unused)
{
	struct name a, b;

	(void)unused;
	assert_true(name_set(&a, "alice", 5));
	assert_true(name_set(&b, "alic", 4));
	assert_false(name_equal(&a, &b));
	assert_true(name_set(&b, "alicf", 5));
	assert_false(name_equal(&a, &b));
	assert_true(name_set(&b, "alice", 5));
	assert_true(name_equal(&a, &b));
}

static void
hex_goes_both_ways(void **unused)
{
	static const struct {
		const char *digits;
		bool then;
	} rows[] = {
		{ "00ff10", true },    { "00FF10", true }, { "00ff1", false },  { "00ff1g", false },
		{ "00ff1000", false }, { "", false },      { "00 f10", false },
	};
	const uint8_t expected[3] = { 0, 0xFF, 0x10 };
	char text[7];

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t bytes[3] = { 0 };

		assert_int_equal(hex_read(bytes, rows[i].digits, 3), rows[i].then);
		assert_true(!rows[i].then || memcmp(bytes, expected, 3) == 0);
	}
	hex_write(text, expected, 3);
	assert_string_equal(text, "00ff10");
}

static void
ids_and_digests_are_compared_whole(void **unused)
{
	struct id a = { { 0 } }, b = { { 0 } };
	struct digest c = { { 0 } }, d = { { 0 } };

	(void)unused;
	assert_true(id_is_none(&a));
	b.bytes[15] = 1;
	assert_false(id_is_none(&b));
	assert_false(id_equal(&a, &b));
	d.bytes[31] = 1;
	assert_false(digest_equal(&c, &d));
	d = c;
	assert_true(digest_equal(&c, &d));
}

static void
hashes_depend_on_seed_and_bytes(void **unused)
{
	(void)unused;
	assert_true(hash_bytes(1, "abc", 3) == hash_bytes(1, "abc", 3));
	assert_true(hash_bytes(1, "abc", 3) != hash_bytes(2, "abc", 3));
	assert_true(hash_bytes(1, "abc", 3) != hash_bytes(1, "abd", 3));
	assert_true(hash_bytes(1, "abc", 3) != hash_bytes(1, "ab", 2));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_wellformed_or_not),
		cmocka_unit_test(scalars_are_decoded),
		cmocka_unit_test(names_and_words_end_at_their_bound),
		cmocka_unit_test(names_are_compared_whole),
		cmocka_unit_test(hex_goes_both_ways),
		cmocka_unit_test(ids_and_digests_are_compared_whole),
		cmocka_unit_test(hashes_depend_on_seed_and_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
