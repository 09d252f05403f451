/* Ascending seqs as the index keeps them: the differences between them in base 128, the lowest
 * digits first. What is read may be anybody's bytes.
 */
#ifndef IFSWARM_STORE_INDEX_PACK_H
#define IFSWARM_STORE_INDEX_PACK_H

#include "protocol/types.h"

enum { INDEX_PACKED_MAX = 10 }; /* bytes of one seq */

/* The seqs ascend, and begin at `base` or later; returns the bytes written. */
size_t index_pack(uint8_t *out, uint64_t base, const uint64_t *seqs, size_t count);
/* How many there were, each from `base` on and below `end`; SIZE_MAX if the bytes are not such a
 * list, or it is longer than `most`. */
size_t index_unpack(struct span bytes, uint64_t base, uint64_t end, uint64_t *out, size_t most);

#endif
