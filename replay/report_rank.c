/* Which agents and pairs a page of bounded length shows. */
#include <assert.h>
#include <stdlib.h>

#include "replay/report_state.h"

struct rank {
	uint64_t first, second;
	uint32_t place;
};

/* The greatest first; of two as great, who came first. */
static int
by_rank(const void *one, const void *other)
{
	const struct rank *a = one, *b = other;

	if (a->first != b->first) {
		return a->first < b->first ? 1 : -1;
	}
	if (a->second != b->second) {
		return a->second < b->second ? 1 : -1;
	}
	return a->place < b->place ? -1 : a->place > b->place;
}

static uint32_t
take_first(struct rank *ranks, uint32_t all, uint32_t *out, uint32_t most)
{
	const uint32_t count = all < most ? all : most;

	qsort(ranks, all, sizeof ranks[0], by_rank);
	for (uint32_t i = 0; i < count; i++) {
		out[i] = ranks[i].place;
	}
	free(ranks);
	return count;
}

uint32_t
report_rank_agents(const struct report *r, uint32_t *out, uint32_t most)
{
	struct rank *ranks = calloc((size_t)r->agent_count + 1, sizeof ranks[0]);

	assert(ranks != NULL);
	for (uint32_t i = 0; i < r->agent_count; i++) {
		ranks[i] = (struct rank){ r->agents[i].events, r->agents[i].connected_us, i };
	}
	return take_first(ranks, r->agent_count, out, most);
}

uint32_t
report_rank_pairs(const struct report *r, uint32_t *out, uint32_t most)
{
	struct rank *ranks = calloc((size_t)r->pair_count + 1, sizeof ranks[0]);

	assert(ranks != NULL);
	for (uint32_t i = 0; i < r->pair_count; i++) {
		ranks[i] = (struct rank){ r->pairs[i].together_us, r->pairs[i].signals, i };
	}
	return take_first(ranks, r->pair_count, out, most);
}
