/* What is written as it is said must be what a library writes from a tree: jansson is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/json_line.h"

#define BYTES(text) text, sizeof text - 1

static const struct {
	const char *name;
	const char *bytes;
	size_t count;
	const char *wanted;
} strings[] = {
	{ "plain text stays", BYTES("alice"), "\"alice\"" },
	{ "nothing", BYTES(""), "\"\"" },
	{ "quotes and backslashes are escaped", BYTES("a\"b\\c"), "\"a\\\"b\\\\c\"" },
	{ "short escapes", BYTES("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"" },
	{ "other controls are units", BYTES("\x01\x1f\x7f"), "\"\\u0001\\u001F\x7f\"" },
	{ "a NUL does not end it", BYTES("a\0b"), "\"a\\u0000b\"" },
	{ "beyond ASCII", BYTES("\xC3\xA9\xE2\x82\xAC"), "\"\\u00E9\\u20AC\"" },
	{ "beyond the first plane: a pair", BYTES("\xF0\x9F\x98\x80"), "\"\\uD83D\\uDE00\"" },
	{ "the last scalar", BYTES("\xF4\x8F\xBF\xBF"), "\"\\uDBFF\\uDFFF\"" },
	{ "what is not UTF-8 is shown by its bytes", BYTES("a\xFF"), "\"a\\\\xff\"" },
	{ "overlong is not UTF-8", BYTES("\xC0\x80"), "\"\\\\xc0\\\\x80\"" },
	{ "a lone surrogate is not UTF-8", BYTES("\xED\xA0\x80"), "\"\\\\xed\\\\xa0\\\\x80\"" },
};

static void
strings_are_ascii_and_exact(void **state)
{
	struct json_line line = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
		json_line_start(&line);
		json_line_string(&line, NULL, strings[i].bytes, strings[i].count);
		if (strcmp(line.text, strings[i].wanted) != 0) {
			fail_msg("%s: %s, wanted %s", strings[i].name, line.text,
				 strings[i].wanted);
		}
	}
	json_line_free(&line);
}

static void
commas_stand_between_values_only(void **state)
{
	struct json_line line = { 0 };
	static const uint8_t bytes[] = { 0xDE, 0xAD, 0xBE, 0xEF };

	(void)state;
	for (int round = 0; round < 2; round++) {
		json_line_start(&line);
		json_line_open(&line, NULL, '{');
		json_line_open(&line, "none", '{');
		json_line_close(&line, '}');
		json_line_open(&line, "list", '[');
		json_line_null(&line, NULL);
		json_line_number(&line, NULL, 0);
		json_line_open(&line, NULL, '{');
		json_line_hex(&line, "hex", bytes, sizeof bytes);
		json_line_close(&line, '}');
		json_line_close(&line, ']');
		json_line_base64(&line, "base64", bytes, sizeof bytes);
		json_line_true(&line, "is_true");
		json_line_close(&line, '}');
		assert_string_equal(line.text,
				    "{\"none\":{},\"list\":[null,0,{\"hex\":\"deadbeef\"}],"
				    "\"base64\":\"3q2+7w==\",\"is_true\":true}");
		assert_int_equal(line.count, strlen(line.text));
	}
	json_line_free(&line);
}

static void
numbers_are_those_that_every_reader_takes(void **state)
{
	static const struct {
		uint64_t number;
		const char *wanted;
	} rows[] = {
		{ 0, "0" },
		{ 10, "10" },
		{ INT64_MAX, "9223372036854775807" },
		{ (uint64_t)INT64_MAX + 1, "\"out of range\"" },
		{ UINT64_MAX, "\"out of range\"" },
	};
	struct json_line line = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		json_line_start(&line);
		json_line_number(&line, NULL, rows[i].number);
		assert_string_equal(line.text, rows[i].wanted);
	}
	json_line_free(&line);
}

/* Every scalar there is, a thousand a string. */
static void
every_scalar_is_written_as_jansson_writes_it(void **state)
{
	struct json_line line = { 0 };
	static const uint8_t lead[] = { 0, 0xC0, 0xE0, 0xF0 };
	char text[4 * 1000];

	(void)state;
	for (uint32_t first = 0; first < 0x110000; first += 1000) {
		size_t count = 0;

		for (uint32_t c = first; c < first + 1000 && c < 0x110000; c++) {
			if (c >= 0xD800 && c < 0xE000) {
				continue;
			}
			if (c < 0x80) {
				text[count++] = (char)c;
				continue;
			}
			const int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
			text[count++] = (char)(lead[more] | c >> (6 * more));
			for (int i = more - 1; i >= 0; i--) {
				text[count++] = (char)(0x80 | (c >> (6 * i) & 0x3F));
			}
		}
		json_t *same = json_stringn(text, count);
		assert_non_null(same);
		char *wanted = json_dumps(same, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
		json_line_start(&line);
		json_line_string(&line, NULL, text, count);
		assert_string_equal(line.text, wanted);
		free(wanted);
		json_decref(same);
	}
	json_line_free(&line);
}

static void
a_long_line_grows(void **state)
{
	struct json_line line = { 0 };
	uint8_t *bytes = calloc(1, 65535);

	(void)state;
	assert_non_null(bytes);
	json_line_start(&line);
	json_line_base64(&line, NULL, bytes, 65535);
	assert_int_equal(line.count, 2 + 4 * 21845);
	assert_int_equal(line.text[line.count - 1], '"');
	json_line_start(&line);
	assert_string_equal(line.text, "");
	json_line_free(&line);
	free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_are_ascii_and_exact),
		cmocka_unit_test(commas_stand_between_values_only),
		cmocka_unit_test(numbers_are_those_that_every_reader_takes),
		cmocka_unit_test(every_scalar_is_written_as_jansson_writes_it),
		cmocka_unit_test(a_long_line_grows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
