/* The keys that a retention keeps, and the hold that each is kept for: sorted, each once. */
#ifndef IFSWARM_STORE_KEPT_H
#define IFSWARM_STORE_KEPT_H

#include "protocol/types.h"

struct kept_key {
	struct id subject;
	uint64_t month;
};

struct kept {
	struct kept_key key;
	struct id hold;
};

struct kept_set {
	struct kept *items; /* by subject and month */
	size_t count;
	size_t room;
};

/* Kept already: the hold that came first stays. */
void kept_add(struct kept_set *set, const struct kept_key *key, const struct id *hold);
bool kept_has(const struct kept_set *set, const struct kept_key *key);
void kept_free(struct kept_set *set);

#endif
