#include "store/base64.h"

#include <assert.h>
#include <openssl/evp.h>
#include <string.h>

size_t
base64_write(char *out, const uint8_t *bytes, size_t count)
{
	assert(count <= BASE64_BYTES_MAX);
	return (size_t)EVP_EncodeBlock((unsigned char *)out, bytes, (int)count);
}

/* OpenSSL's decoder forgives blanks and stray bits; what it read must therefore give the same text.
 */
size_t
base64_read(uint8_t *out, size_t most, const char *text, size_t count)
{
	uint8_t bytes[BASE64_BYTES_MAX + 3];
	char again[BASE64_TEXT_MAX + 1];

	if (count == 0 || count % 4 != 0 || count > BASE64_TEXT_MAX) {
		return 0;
	}
	const int decoded = EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)count);
	if (decoded < 0) {
		return 0;
	}
	const size_t padding = (text[count - 1] == '=') + (size_t)(text[count - 2] == '=');
	const size_t length = (size_t)decoded - padding;
	if (length > most || base64_write(again, bytes, length) != count ||
	    memcmp(again, text, count) != 0) {
		return 0;
	}
	memcpy(out, bytes, length);
	return length;
}
