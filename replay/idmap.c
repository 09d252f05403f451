#include "replay/idmap.h"

#include <assert.h>
#include <stdlib.h>

struct idmap_slot {
	struct id id;
	uint32_t number;
	bool is_used;
};

/* A file may be hostile, but this seed is not its secret to know: a report is made once, and a slow
 * one is all that chosen ids could bring about. */
enum { SEED = 0x5EED };

void
idmap_make(struct idmap *map, uint32_t most)
{
	uint32_t size = 16;

	assert(most > 0 && most <= 1u << 24);
	while (size < 2 * most) {
		size *= 2;
	}
	map->slots = calloc(size, sizeof map->slots[0]);
	assert(map->slots != NULL);
	map->mask = size - 1;
	map->count = 0;
	map->most = most;
}

void
idmap_free(struct idmap *map)
{
	free(map->slots);
	*map = (struct idmap){ 0 };
}

static uint32_t
home_of(const struct idmap *map, const struct id *id)
{
	return (uint32_t)hash_bytes(SEED, id->bytes, sizeof id->bytes) & map->mask;
}

/* The slot that holds the id, or the free one where it would go: at most half are used. */
static uint32_t
slot_of(const struct idmap *map, const struct id *id)
{
	uint32_t at = home_of(map, id);

	while (map->slots[at].is_used && !id_equal(&map->slots[at].id, id)) {
		at = (at + 1) & map->mask;
	}
	return at;
}

uint32_t *
idmap_find(const struct idmap *map, const struct id *id)
{
	struct idmap_slot *slot = &map->slots[slot_of(map, id)];

	return slot->is_used ? &slot->number : NULL;
}

bool
idmap_put(struct idmap *map, const struct id *id, uint32_t number)
{
	struct idmap_slot *slot = &map->slots[slot_of(map, id)];

	if (!slot->is_used && map->count == map->most) {
		return false;
	}
	map->count += !slot->is_used;
	*slot = (struct idmap_slot){ .id = *id, .number = number, .is_used = true };
	return true;
}

void
idmap_remove(struct idmap *map, const struct id *id)
{
	uint32_t hole = slot_of(map, id);

	if (!map->slots[hole].is_used) {
		return;
	}
	map->slots[hole].is_used = false;
	map->count--;
	/* What was pushed past the hole moves back into it, so that searches need no tombstones. */
	for (uint32_t at = (hole + 1) & map->mask; map->slots[at].is_used;
	     at = (at + 1) & map->mask) {
		const uint32_t home = home_of(map, &map->slots[at].id);

		if (((at - home) & map->mask) >= ((at - hole) & map->mask)) {
			map->slots[hole] = map->slots[at];
			map->slots[at].is_used = false;
			hole = at;
		}
	}
}
