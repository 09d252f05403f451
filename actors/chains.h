/* Chained hash indexes over the items of a pool, which are known by their place in it (0, 1, ...).
 * The items hold no links: an index is two flat arrays, so one pool can have several. No heap after
 * chains_init.
 *
 * The caller compares keys: walk chains_first / chains_next and look. Hashes are keyed with a seed,
 * because strangers choose the keys; the seed is never part of a state's dump. */
#ifndef IFSWARM_ACTORS_CHAINS_H
#define IFSWARM_ACTORS_CHAINS_H

#include "protocol/types.h"

enum { CHAIN_END = UINT32_MAX };

struct chains {
	uint32_t *heads;
	uint32_t *next; /* by item */
	uint32_t mask;
};

/* For items 0 to count - 1. Ends the process when there is no memory: it happens at start only. */
void chains_init(struct chains *chains, uint32_t count);
void chains_free(struct chains *chains);
/* Forgets every item. */
void chains_clear(struct chains *chains);
/* Takes the item in; it is not in there yet. */
void chains_link(struct chains *chains, uint64_t hash, uint32_t item);
/* Takes it out; it was linked with this hash. */
void chains_unlink(struct chains *chains, uint64_t hash, uint32_t item);

static inline uint32_t
chains_first(const struct chains *chains, uint64_t hash)
{
	return chains->heads[hash & chains->mask];
}

static inline uint32_t
chains_next(const struct chains *chains, uint32_t item)
{
	return chains->next[item];
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
