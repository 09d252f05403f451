/* The headers of a tar as docs/bundle.md has it: POSIX ustar (IEEE Std 1003.1), plain files of mode
 * 0644, owners and times 0: the same files give the same bytes. Its counterpart is untar.h.
 */
#ifndef IFSWARM_REPLAY_TAR_H
#define IFSWARM_REPLAY_TAR_H

#include <stdbool.h>
#include <stdint.h>

enum { TAR_BLOCK_BYTES = 512, TAR_NAME_MAX = 99 };

/* False for a name longer than TAR_NAME_MAX, or a size beyond the header's 8 GiB. */
bool tar_header(char out[TAR_BLOCK_BYTES], const char *name, uint64_t size);
/* How many zeroes follow a member of that size; two whole blocks of them end the tar. */
uint64_t tar_padding(uint64_t size);

#endif
