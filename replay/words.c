#include "replay/words.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "protocol/types.h"

static bool
is_harmless(uint32_t scalar)
{
	static const struct {
		uint32_t first, last;
	} harmful[] = {
		{ 0x00, 0x1F },     { 0x7F, 0x9F },       { 0xAD, 0xAD },     { 0x61C, 0x61C },
		{ 0x200B, 0x200F }, { 0x2028, 0x202E },   { 0x2060, 0x206F }, { 0xFEFF, 0xFEFF },
		{ 0xFFF9, 0xFFFB }, { 0xE0000, 0xE007F },
	};

	for (size_t i = 0; i < sizeof harmful / sizeof harmful[0]; i++) {
		if (scalar >= harmful[i].first && scalar <= harmful[i].last) {
			return false;
		}
	}
	return true;
}

/* One scalar or stray byte as it is shown: at most 16 bytes. Returns how many bytes it used up. */
static size_t
show_next(char shown[17], size_t *shown_count, const uint8_t *at, size_t left)
{
	uint32_t scalar = 0;
	const size_t used = utf8_scalar(at, left, &scalar);

	if (used > 0 && scalar != '\\' && is_harmless(scalar)) {
		memcpy(shown, at, used);
		*shown_count = used;
		return used;
	}
	if (used > 0 && scalar == '\\') {
		memcpy(shown, "\\\\", 2);
		*shown_count = 2;
		return 1;
	}
	const size_t bytes = used == 0 ? 1 : used;
	for (size_t i = 0; i < bytes; i++) {
		snprintf(shown + 4 * i, 5, "\\x%02x", at[i]);
	}
	*shown_count = 4 * bytes;
	return bytes;
}

const char *
words_escape(char *out, size_t size, const char *bytes, size_t count)
{
	const uint8_t *text = (const uint8_t *)bytes;
	size_t at = 0;
	size_t end = 0; /* the last place where "..." still fits */
	char shown[17];
	size_t shown_count = 0;

	assert(size >= 4);
	for (size_t i = 0; i < count;) {
		const size_t used = show_next(shown, &shown_count, text + i, count - i);

		if (at + shown_count + 1 > size) {
			memcpy(out + end, "...", 4);
			return out;
		}
		memcpy(out + at, shown, shown_count);
		at += shown_count;
		end = at + 4 <= size ? at : end;
		i += used;
	}
	out[at] = '\0';
	return out;
}

bool
words_is_handle(const char *word)
{
	return strlen(word) == 32 && strspn(word, "0123456789abcdefABCDEF") == 32;
}

size_t
words_width(const char *text)
{
	size_t width = 0;

	for (; *text != '\0'; text++) {
		width += ((uint8_t)*text & 0xC0) != 0x80;
	}
	return width;
}

const char *
words_bytes(char *out, size_t size, uint64_t bytes)
{
	static const char *const units[] = { "kB", "MB", "GB", "TB", "PB", "EB" };
	uint64_t tenths = bytes;
	size_t unit = 0;

	assert(size >= WORDS_BYTES_MAX);
	if (bytes < 1000) {
		snprintf(out, size, "%" PRIu64 " B", bytes);
		return out;
	}
	for (tenths = bytes / 100; tenths >= 10000; tenths /= 1000) {
		unit++;
	}
	snprintf(out, size, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10, units[unit]);
	return out;
}

void
words_base64(char *out, const uint8_t *bytes, size_t count)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < count; i += 3) {
		const uint32_t second = i + 1 < count ? bytes[i + 1] : 0u;
		const uint32_t third = i + 2 < count ? bytes[i + 2] : 0u;
		const uint32_t bits = (uint32_t)bytes[i] << 16 | second << 8 | third;

		*out++ = digits[bits >> 18];
		*out++ = digits[bits >> 12 & 63];
		*out++ = i + 1 < count ? digits[bits >> 6 & 63] : '=';
		*out++ = i + 2 < count ? digits[bits & 63] : '=';
	}
	*out = '\0';
}
