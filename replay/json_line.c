#include "replay/json_line.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/limits.h"
#include "protocol/types.h"
#include "replay/words.h"

enum { LINE_AT_FIRST = 4096, NUMBER_MAX = 20, SHOWN_MAX = 4 * JSON_BYTES_MAX + 1 };

/* Room for so many bytes more, and for what ends the text. */
static char *
room_for(struct json_line *line, size_t count)
{
	if (line->size - line->count <= count) {
		const size_t wanted = line->count + count + 1;
		line->size = wanted < LINE_AT_FIRST ? LINE_AT_FIRST : 2 * wanted;
		line->text = realloc(line->text, line->size);
		assert(line->text != NULL);
	}
	return line->text + line->count;
}

static void
add(struct json_line *line, const char *bytes, size_t count)
{
	memcpy(room_for(line, count), bytes, count);
	line->count += count;
	line->text[line->count] = '\0';
}

static void
add_key(struct json_line *line, const char *key)
{
	if (line->has_value) {
		add(line, ",", 1);
	}
	if (key != NULL) {
		add(line, "\"", 1);
		add(line, key, strlen(key));
		add(line, "\":", 2);
	}
	line->has_value = true;
}

void
json_line_start(struct json_line *line)
{
	line->count = 0;
	line->has_value = false;
	add(line, "", 0);
}

void
json_line_free(struct json_line *line)
{
	free(line->text);
	*line = (struct json_line){ 0 };
}

void
json_line_open(struct json_line *line, const char *key, char bracket)
{
	assert(bracket == '{' || bracket == '[');
	add_key(line, key);
	add(line, &bracket, 1);
	line->has_value = false;
}

void
json_line_close(struct json_line *line, char bracket)
{
	assert(bracket == '}' || bracket == ']');
	add(line, &bracket, 1);
	line->has_value = true;
}

/* --- Strings -----------------------------------------------------------------------------------
 */

static void
add_unit(struct json_line *line, uint32_t unit)
{
	static const char digits[] = "0123456789ABCDEF";
	const char escape[] = { '\\',
				'u',
				digits[unit >> 12 & 0xF],
				digits[unit >> 8 & 0xF],
				digits[unit >> 4 & 0xF],
				digits[unit & 0xF] };

	add(line, escape, sizeof escape);
}

/* RFC 8259 section 7: the short escapes where there is one, UTF-16 units for the rest. */
static void
add_escape(struct json_line *line, uint32_t scalar)
{
	static const char special[] = "\"\\\b\f\n\r\t";
	static const char letters[] = "\"\\bfnrt";
	const char *at = scalar == 0 || scalar > 0x7F ? NULL : strchr(special, (int)scalar);

	if (at != NULL) {
		const char escape[] = { '\\', letters[at - special] };
		add(line, escape, sizeof escape);
	} else if (scalar > 0xFFFF) {
		add_unit(line, 0xD800 + ((scalar - 0x10000) >> 10));
		add_unit(line, 0xDC00 + ((scalar - 0x10000) & 0x3FF));
	} else {
		add_unit(line, scalar);
	}
}

static bool
is_plain(uint8_t byte)
{
	return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

/* False, with part of it written, at the first byte that is not UTF-8. */
static bool
add_text(struct json_line *line, const char *bytes, size_t count)
{
	const uint8_t *at = (const uint8_t *)bytes;
	const uint8_t *const end = at + count;

	while (at < end) {
		const uint8_t *run = at;
		uint32_t scalar = 0;

		while (run < end && is_plain(*run)) {
			run++;
		}
		add(line, (const char *)at, (size_t)(run - at));
		at = run;
		if (at == end) {
			break;
		}
		const size_t used = utf8_scalar(at, (size_t)(end - at), &scalar);
		if (used == 0) {
			return false;
		}
		add_escape(line, scalar);
		at += used;
	}
	return true;
}

void
json_line_string(struct json_line *line, const char *key, const char *bytes, size_t count)
{
	char shown[SHOWN_MAX];

	add_key(line, key);
	add(line, "\"", 1);
	const size_t start = line->count;
	if (!add_text(line, bytes, count)) {
		line->count = start;
		words_escape(shown, sizeof shown, bytes, count);
		const bool is_utf8 = add_text(line, shown, strlen(shown));
		assert(is_utf8);
	}
	add(line, "\"", 1);
}

void
json_line_word(struct json_line *line, const char *key, const char *text)
{
	json_line_string(line, key, text, strlen(text));
}

/* --- Other values ------------------------------------------------------------------------------
 */

void
json_line_number(struct json_line *line, const char *key, uint64_t number)
{
	char digits[NUMBER_MAX];
	size_t at = sizeof digits;

	if (number > INT64_MAX) {
		json_line_word(line, key, "out of range");
		return;
	}
	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	add_key(line, key);
	add(line, digits + at, sizeof digits - at);
}

void
json_line_hex(struct json_line *line, const char *key, const void *bytes, size_t count)
{
	add_key(line, key);
	add(line, "\"", 1);
	hex_write(room_for(line, 2 * count), bytes, count);
	line->count += 2 * count;
	add(line, "\"", 1);
}

void
json_line_base64(struct json_line *line, const char *key, const uint8_t *bytes, size_t count)
{
	const size_t length = 4 * ((count + 2) / 3);

	add_key(line, key);
	add(line, "\"", 1);
	words_base64(room_for(line, length), bytes, count);
	line->count += length;
	add(line, "\"", 1);
}

void
json_line_true(struct json_line *line, const char *key)
{
	add_key(line, key);
	add(line, "true", 4);
}

void
json_line_null(struct json_line *line, const char *key)
{
	add_key(line, key);
	add(line, "null", 4);
}
