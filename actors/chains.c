#include "actors/chains.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t ODD_A = 0x9E3779B97F4A7C15u;
static const uint64_t ODD_B = 0xD6E8FEB86659FD93u;

bool
chains_init(struct chains *chains, size_t slots)
{
	uint32_t heads = 16;

	assert(slots > 0);
	assert(slots < SLOT_NONE / 4);
	while (heads < slots) {
		heads *= 2;
	}
	chains->heads = malloc(heads * sizeof *chains->heads);
	chains->next = malloc(slots * sizeof *chains->next);
	chains->previous = malloc(slots * sizeof *chains->previous);
	chains->mask = heads - 1;
	if (chains->heads == NULL || chains->next == NULL || chains->previous == NULL) {
		chains_free(chains);
		return false;
	}
	chains_clear(chains);
	return true;
}

void
chains_free(struct chains *chains)
{
	free(chains->heads);
	free(chains->next);
	free(chains->previous);
	memset(chains, 0, sizeof *chains);
}

void
chains_clear(struct chains *chains)
{
	memset(chains->heads, 0xFF, ((size_t)chains->mask + 1) * sizeof *chains->heads);
}

void
chains_link(struct chains *chains, uint64_t hash, uint32_t slot)
{
	uint32_t *head = &chains->heads[hash & chains->mask];

	assert(*head != slot);
	chains->next[slot] = *head;
	chains->previous[slot] = SLOT_NONE;
	if (*head != SLOT_NONE) {
		chains->previous[*head] = slot;
	}
	*head = slot;
}

void
chains_unlink(struct chains *chains, uint64_t hash, uint32_t slot)
{
	const uint32_t next = chains->next[slot];
	const uint32_t previous = chains->previous[slot];

	if (previous == SLOT_NONE) {
		assert(chains->heads[hash & chains->mask] == slot);
		chains->heads[hash & chains->mask] = next;
	} else {
		assert(chains->next[previous] == slot);
		chains->next[previous] = next;
	}
	if (next != SLOT_NONE) {
		chains->previous[next] = previous;
	}
}

uint64_t
chains_hash_address(uint64_t seed, const struct address *address, uint64_t salt)
{
	uint64_t words[2];

	memcpy(words, address->bytes, sizeof words);
	const uint64_t rest = (uint64_t)address->family << 16 | address->port;
	return chains_mix(chains_mix(words[0] ^ seed, words[1] ^ ODD_A) ^ rest,
			  (salt ^ seed) + ODD_B);
}

uint64_t
chains_hash_id(uint64_t seed, const struct id *id)
{
	uint64_t words[2];

	memcpy(words, id->bytes, sizeof words);
	return chains_mix(words[0] ^ seed, words[1] ^ ODD_A);
}
