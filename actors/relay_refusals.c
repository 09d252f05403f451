#include "actors/relay_refusals.h"

#include <string.h>

#include "protocol/address.h"

static bool
is_same(const struct refusal *a, const struct refusal *b)
{
	return a->verdict == b->verdict && a->method == b->method && a->ordinary == b->ordinary &&
	       address_equal_ip(&a->source, &b->source);
}

/* The place to count at. A walk over all of them: refusals are rare, and a flood of them is limited
 * before. */
static struct refusal *
find(struct refusals *refusals, const struct refusal *refusal)
{
	for (size_t i = 0; i < refusals->count; i++) {
		if (is_same(&refusals->items[i], refusal)) {
			return &refusals->items[i];
		}
	}
	if (refusals->count < REFUSALS_MAX) {
		struct refusal *fresh = &refusals->items[refusals->count++];
		*fresh = *refusal;
		fresh->source.port = 0;
		fresh->count = 0;
		return fresh;
	}
	struct refusal *rest = &refusals->items[REFUSALS_MAX];
	if (rest->count == 0) {
		rest->verdict = refusal->verdict;
		rest->method = refusal->method;
	}
	return rest;
}

void
refusals_note(struct refusals *refusals, const struct refusal *refusal, uint64_t now_us)
{
	if (refusals->since_us == 0) {
		refusals->since_us = now_us;
	}
	find(refusals, refusal)->count++;
}

bool
refusals_are_due(const struct refusals *refusals, uint64_t now_us)
{
	return refusals->since_us != 0 &&
	       now_us >= refusals->since_us + REFUSALS_WINDOW_S * 1000000ull;
}

bool
refusal_is_told(const struct refusal *refusal)
{
	return refusal->count > (refusal->ordinary ? REFUSALS_ORDINARY : 0);
}

void
refusals_forget(struct refusals *refusals, const struct address *source)
{
	for (size_t i = 0; i < refusals->count; i++) {
		if (address_equal_ip(&refusals->items[i].source, source)) {
			refusals->items[i].source = (struct address){ 0 };
		}
	}
}

void
refusals_clear(struct refusals *refusals)
{
	memset(refusals, 0, sizeof *refusals);
}
