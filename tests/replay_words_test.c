#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "replay/words.h"

/* threat_A12: what strangers call themselves reaches a terminal only harmless. */
static const struct {
	const char *name;
	const char *given;
	const char *then;
} escape_rows[] = {
	{ "plain words stay", "alice", "alice" },
	{ "other scripts stay", "\xC3\xA9t\xC3\xA9 \xE6\x9D\xB1\xE4\xBA\xAC",
	  "\xC3\xA9t\xC3\xA9 \xE6\x9D\xB1\xE4\xBA\xAC" },
	{ "an ANSI escape", "\x1B[31mred", "\\x1b[31mred" },
	{ "a line of its own", "a\r\nb", "a\\x0d\\x0ab" },
	{ "DEL", "a\x7F", "a\\x7f" },
	{ "a C1 control, CSI",
	  "\xC2\x9B"
	  "2J",
	  "\\xc2\\x9b2J" },
	{ "a bare C1 byte",
	  "\x9B"
	  "2J",
	  "\\x9b2J" },
	{ "right to left override",
	  "\xE2\x80\xAE"
	  "txt",
	  "\\xe2\\x80\\xaetxt" },
	{ "isolates", "\xE2\x81\xA6x", "\\xe2\\x81\\xa6x" },
	{ "zero width space", "a\xE2\x80\x8B", "a\\xe2\\x80\\x8b" },
	{ "overlong NUL", "\xC0\x80", "\\xc0\\x80" },
	{ "a surrogate", "\xED\xA0\x80", "\\xed\\xa0\\x80" },
	{ "a cut scalar", "\xE6\x9D", "\\xe6\\x9d" },
	{ "an escape that was typed differs from one that was made", "\\x1b", "\\\\x1b" },
	{ "format characters are only text", "%n%s", "%n%s" },
};

static void
escapes(void **state)
{
	char shown[200];

	(void)state;
	for (size_t i = 0; i < sizeof escape_rows / sizeof escape_rows[0]; i++) {
		const char *given = escape_rows[i].given;

		words_escape(shown, sizeof shown, given, strlen(given));
		if (strcmp(shown, escape_rows[i].then) != 0) {
			fail_msg("%s: %s", escape_rows[i].name, shown);
		}
	}
}

static void
a_nul_inside_is_shown(void **state)
{
	char shown[32];

	(void)state;
	assert_string_equal(words_escape(shown, sizeof shown, "a\0b", 3), "a\\x00b");
}

static void
what_does_not_fit_ends_in_dots(void **state)
{
	char shown[8];

	(void)state;
	assert_string_equal(words_escape(shown, sizeof shown, "1234567", 7), "1234567");
	assert_string_equal(words_escape(shown, sizeof shown, "12345678", 8), "1234...");
	assert_string_equal(words_escape(shown, sizeof shown,
					 "123\x1b"
					 "5678",
					 8),
			    "123...");
	assert_string_equal(words_escape(shown, 4, "\x1b", 1), "...");
}

static void
bytes_in_decimal_units(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *shown;
	} rows[] = { { 0, "0 B" },           { 999, "999 B" },
		     { 1000, "1.0 kB" },     { 12345678, "12.3 MB" },
		     { 999999, "999.9 kB" }, { UINT64_MAX, "18.4 EB" } };
	char shown[WORDS_BYTES_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_string_equal(words_bytes(shown, sizeof shown, rows[i].bytes), rows[i].shown);
	}
}

static void
base64_of_rfc_4648_section_10(void **state)
{
	static const char *const rows[][2] = { { "", "" },
					       { "f", "Zg==" },
					       { "fo", "Zm8=" },
					       { "foo", "Zm9v" },
					       { "foob", "Zm9vYg==" },
					       { "fooba", "Zm9vYmE=" },
					       { "foobar", "Zm9vYmFy" } };
	char shown[16];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		words_base64(shown, (const uint8_t *)rows[i][0], strlen(rows[i][0]));
		assert_string_equal(shown, rows[i][1]);
	}
}

static void
widths_and_handles(void **state)
{
	(void)state;
	assert_int_equal(words_width("\xC3\xA9t\xC3\xA9"), 3);
	assert_true(words_is_handle("00112233445566778899aabbccddeeFF"));
	assert_false(words_is_handle("00112233445566778899aabbccddeeF"));
	assert_false(words_is_handle("00112233445566778899aabbccddeeFg"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escapes),
		cmocka_unit_test(a_nul_inside_is_shown),
		cmocka_unit_test(what_does_not_fit_ends_in_dots),
		cmocka_unit_test(bytes_in_decimal_units),
		cmocka_unit_test(base64_of_rfc_4648_section_10),
		cmocka_unit_test(widths_and_handles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
