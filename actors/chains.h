/* Chained hash indexes over the slots of a table, which are known by their number (0, 1, ...). The
 * table holds the keys and no links: an index is three flat arrays, so one table can have several.
 * No heap after chains_init. Taking a slot out costs the same however long its chain is, since many
 * slots may have one key (all allocations of one user).
 *
 * The caller hashes, and compares while it walks a chain:
 *
 *   for (uint32_t at = chains_first(&c, hash); at != SLOT_NONE; at = chains_next(&c, at)) ...
 *
 * Hashes are keyed with a seed, because strangers choose the keys; the seed is never part of a
 * state's dump. */
#ifndef IFSWARM_ACTORS_CHAINS_H
#define IFSWARM_ACTORS_CHAINS_H

#include "protocol/types.h"

/* No slot; a chain ends with it, and so may a table's own lists. */
enum { SLOT_NONE = UINT32_MAX };

struct chains {
	uint32_t *heads;
	uint32_t *next;     /* by slot */
	uint32_t *previous; /* by slot; SLOT_NONE for the first of a chain */
	uint32_t mask;
};

/* For slots 0 to `slots` - 1. False, with nothing to free, without memory. */
bool chains_init(struct chains *chains, size_t slots);
/* Of chains that were initialised, or are all zero. */
void chains_free(struct chains *chains);
/* Forgets every slot. */
void chains_clear(struct chains *chains);
/* Takes the slot in, as the first of its chain; it is not in there yet. */
void chains_link(struct chains *chains, uint64_t hash, uint32_t slot);
/* Takes it out; it was linked with this hash. */
void chains_unlink(struct chains *chains, uint64_t hash, uint32_t slot);

static inline uint32_t
chains_first(const struct chains *chains, uint64_t hash)
{
	return chains->heads[hash & chains->mask];
}

static inline uint32_t
chains_next(const struct chains *chains, uint32_t slot)
{
	return chains->next[slot];
}

/* A keyed mixing of two words by one wide multiplication: the data path hashes for every packet. */
static inline uint64_t
chains_mix(uint64_t a, uint64_t b)
{
	const unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t chains_hash_address(uint64_t seed, const struct address *address, uint64_t salt);
uint64_t chains_hash_id(uint64_t seed, const struct id *id);

#endif
