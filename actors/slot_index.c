#include "actors/slot_index.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

bool
index_init(struct slot_index *index, size_t slots)
{
	uint32_t buckets = 1;

	assert(slots >= 1);
	assert(slots < SLOT_NONE / 2);
	while (buckets < slots) {
		buckets *= 2;
	}
	index->mask = buckets - 1;
	index->buckets = malloc(buckets * sizeof *index->buckets);
	index->next = malloc(slots * sizeof *index->next);
	if (index->buckets == NULL || index->next == NULL) {
		index_free(index);
		return false;
	}
	memset(index->buckets, 0xFF, buckets * sizeof *index->buckets);
	return true;
}

void
index_free(struct slot_index *index)
{
	free(index->buckets);
	free(index->next);
	*index = (struct slot_index){ 0 };
}

uint32_t
index_first(const struct slot_index *index, uint64_t hash)
{
	return index->buckets[hash & index->mask];
}

uint32_t
index_next(const struct slot_index *index, uint32_t slot)
{
	return index->next[slot];
}

void
index_add(struct slot_index *index, uint64_t hash, uint32_t slot)
{
	index->next[slot] = index->buckets[hash & index->mask];
	index->buckets[hash & index->mask] = slot;
}

void
index_remove(struct slot_index *index, uint64_t hash, uint32_t slot)
{
	uint32_t *link = &index->buckets[hash & index->mask];

	while (*link != slot) {
		assert(*link != SLOT_NONE);
		link = &index->next[*link];
	}
	*link = index->next[slot];
}
