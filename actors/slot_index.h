/* A chained hash over the slots of a table: it holds slot numbers, the table holds the keys. The
 * owner hashes, and compares while it walks a chain:
 *
 *   for (uint32_t at = index_first(&index, hash); at != SLOT_NONE; at = index_next(&index, at)) ...
 */
#ifndef IFSWARM_ACTORS_SLOT_INDEX_H
#define IFSWARM_ACTORS_SLOT_INDEX_H

#include "protocol/types.h"

enum { SLOT_NONE = UINT32_MAX };

struct slot_index {
	uint32_t mask;
	uint32_t *buckets;
	uint32_t *next; /* by slot */
};

/* For slots 0 to `slots` - 1. False without memory. */
bool index_init(struct slot_index *index, size_t slots);
void index_free(struct slot_index *index);

uint32_t index_first(const struct slot_index *index, uint64_t hash);
uint32_t index_next(const struct slot_index *index, uint32_t slot);
/* The newest of a chain comes first. The slot is not in the index. */
void index_add(struct slot_index *index, uint64_t hash, uint32_t slot);
/* The slot was added with that hash. */
void index_remove(struct slot_index *index, uint64_t hash, uint32_t slot);

#endif
