#include "replay/tar.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SIZE_MAX_BITS = 33, SUM_AT = 148, SUM_BYTES = 8 };

bool
tar_header(char out[TAR_BLOCK_BYTES], const char *name, uint64_t size)
{
	unsigned sum = 0;

	if (strlen(name) > TAR_NAME_MAX || size >> SIZE_MAX_BITS != 0) {
		return false;
	}
	memset(out, 0, TAR_BLOCK_BYTES);
	memcpy(out, name, strlen(name));
	memcpy(out + 100,
	       "0000644\0"
	       "0000000\0"
	       "0000000",
	       24); /* mode, uid, gid */
	snprintf(out + 124, 12, "%011" PRIo64, size);
	memcpy(out + 136, "00000000000", 12); /* mtime */
	memset(out + SUM_AT, ' ', SUM_BYTES);
	out[156] = '0'; /* a plain file */
	memcpy(out + 257,
	       "ustar\0"
	       "00",
	       8);
	for (unsigned i = 0; i < TAR_BLOCK_BYTES; i++) {
		sum += (unsigned char)out[i];
	}
	snprintf(out + SUM_AT, SUM_BYTES - 1, "%06o", sum & 0777777);
	return true;
}

uint64_t
tar_padding(uint64_t size)
{
	return (TAR_BLOCK_BYTES - size % TAR_BLOCK_BYTES) % TAR_BLOCK_BYTES;
}
