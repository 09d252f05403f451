#include "protocol/types.h"

#include <assert.h>
#include <string.h>

bool
id_is_none(const struct id *id)
{
	static const struct id none;

	return id_equal(id, &none);
}

bool
id_equal(const struct id *a, const struct id *b)
{
	return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool
digest_equal(const struct digest *a, const struct digest *b)
{
	return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool
name_equal(const struct name *a, const struct name *b)
{
	return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

bool
text_equal(const struct text *a, const char *word)
{
	return strlen(word) == a->length && memcmp(a->bytes, word, a->length) == 0;
}

bool
name_set(struct name *out, const char *bytes, size_t count)
{
	memset(out, 0, sizeof *out);
	if (count > NAME_BYTES_MAX) {
		return false;
	}
	if (count > 0) { /* the bytes of nothing may be nowhere */
		memcpy(out->bytes, bytes, count);
	}
	out->length = (uint16_t)count;
	return true;
}

bool
json_text_set(struct json_text *out, const char *bytes, size_t count)
{
	memset(out, 0, sizeof *out);
	if (count > JSON_BYTES_MAX) {
		return false;
	}
	if (count > 0) {
		memcpy(out->bytes, bytes, count);
	}
	out->length = (uint16_t)count;
	return true;
}

bool
text_set(struct text *out, const char *word)
{
	const size_t count = strlen(word);

	memset(out, 0, sizeof *out);
	if (count > TEXT_BYTES_MAX) {
		return false;
	}
	memcpy(out->bytes, word, count);
	out->length = (uint8_t)count;
	return true;
}

size_t
utf8_scalar(const uint8_t *at, size_t left, uint32_t *out)
{
	static const uint32_t smallest[5] = { 0, 0, 0x80, 0x800, 0x10000 };

	assert(left > 0);
	const size_t count = at[0] < 0x80   ? 1
			     : at[0] < 0xC0 ? 0
			     : at[0] < 0xE0 ? 2
			     : at[0] < 0xF0 ? 3
			     : at[0] < 0xF8 ? 4
					    : 0;

	if (count == 0 || count > left) {
		return 0;
	}
	uint32_t value = count == 1 ? at[0] : at[0] & (0x7Fu >> count);
	for (size_t i = 1; i < count; i++) {
		if ((at[i] & 0xC0) != 0x80) {
			return 0;
		}
		value = value << 6 | (at[i] & 0x3Fu);
	}
	if (value < smallest[count] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
		return 0;
	}
	*out = value;
	return count;
}

bool
name_is_wellformed(const struct name *name)
{
	const uint8_t *at = (const uint8_t *)name->bytes;
	size_t left = name->length;

	if (left == 0 || left > NAME_BYTES_MAX) {
		return false;
	}
	while (left > 0) {
		uint32_t scalar = 0;
		const size_t count = utf8_scalar(at, left, &scalar);

		if (count == 0 || scalar < 0x20 || (scalar >= 0x7F && scalar < 0xA0)) {
			return false;
		}
		at += count;
		left -= count;
	}
	return true;
}

void
hex_write(char *out, const uint8_t *bytes, size_t count)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < count; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * count] = '\0';
}

static int
hex_value(char digit)
{
	if (digit >= '0' && digit <= '9') {
		return digit - '0';
	}
	if (digit >= 'a' && digit <= 'f') {
		return digit - 'a' + 10;
	}
	if (digit >= 'A' && digit <= 'F') {
		return digit - 'A' + 10;
	}
	return -1;
}

bool
hex_read(uint8_t *out, const char *digits, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const int high = hex_value(digits[2 * i]);
		const int low = high < 0 ? -1 : hex_value(digits[2 * i + 1]);

		if (low < 0) {
			return false;
		}
		out[i] = (uint8_t)(high << 4 | low);
	}
	return digits[2 * count] == '\0';
}

uint64_t
hash_bytes(uint64_t seed, const void *bytes, size_t count)
{
	const uint8_t *at = bytes;
	uint64_t hash = seed ^ 0xCBF29CE484222325u;

	for (size_t i = 0; i < count; i++) {
		hash = (hash ^ at[i]) * 0x100000001B3u;
		hash ^= hash >> 29;
	}
	hash = (hash ^ seed) * 0xFF51AFD7ED558CCDu;
	return hash ^ hash >> 32;
}
