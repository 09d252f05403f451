#include "store/kept.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static int
compare(const struct kept_key *a, const struct kept_key *b)
{
	const int subjects = memcmp(&a->subject, &b->subject, sizeof a->subject);

	return subjects != 0 ? subjects : (a->month > b->month) - (a->month < b->month);
}

static size_t
place_of(const struct kept_set *set, const struct kept_key *key)
{
	size_t low = 0, high = set->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (compare(&set->items[middle].key, key) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

bool
kept_has(const struct kept_set *set, const struct kept_key *key)
{
	const size_t at = place_of(set, key);

	return at < set->count && compare(&set->items[at].key, key) == 0;
}

void
kept_add(struct kept_set *set, const struct kept_key *key, const struct id *hold)
{
	const size_t at = place_of(set, key);

	if (kept_has(set, key)) {
		return;
	}
	if (set->count == set->room) {
		set->room = set->room == 0 ? 64 : 2 * set->room;
		set->items = reallocarray(set->items, set->room, sizeof *set->items);
		assert(set->items != NULL);
	}
	memmove(&set->items[at + 1], &set->items[at], (set->count - at) * sizeof *set->items);
	set->items[at] = (struct kept){ *key, *hold };
	set->count++;
}

void
kept_free(struct kept_set *set)
{
	free(set->items);
	*set = (struct kept_set){ 0 };
}
