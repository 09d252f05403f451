/* Standard base64 with padding (RFC 4648 section 4), canonical: one text for each byte string. */
#ifndef IFSWARM_STORE_BASE64_H
#define IFSWARM_STORE_BASE64_H

#include "protocol/types.h"

enum { BASE64_BYTES_MAX = 3072, BASE64_TEXT_MAX = 4096 };

/* At most BASE64_BYTES_MAX bytes, as (count + 2) / 3 * 4 characters and a NUL; returns the
 * characters. */
size_t base64_write(char *out, const uint8_t *bytes, size_t count);
/* The number of bytes, or 0 for anything else than the canonical text of 1 to `most` bytes. */
size_t base64_read(uint8_t *out, size_t most, const char *text, size_t count);

#endif
