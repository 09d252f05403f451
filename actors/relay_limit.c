#include "actors/relay_limit.h"

#include <string.h>

#include "actors/chains.h"
#include "protocol/address.h"

void
limit_init(struct limit *limit, uint64_t rate, uint64_t seed)
{
	memset(limit, 0, sizeof *limit);
	limit->rate = rate;
	limit->seed = seed;
}

static size_t
place_of(const struct limit *limit, const struct address *source)
{
	const struct address network = address_source(source);

	return chains_hash_address(limit->seed, &network, 0) % LIMIT_PLACES;
}

bool
limit_take(struct limit *limit, const struct address *source, uint64_t now_us)
{
	const uint64_t second = now_us / 1000000;
	const size_t at = place_of(limit, source);

	if (limit->rate == 0) {
		return true;
	}
	if (limit->whole_second != second) {
		limit->whole_second = second;
		limit->whole_count = 0;
	}
	if (limit->seconds[at] != (uint32_t)second) {
		limit->seconds[at] = (uint32_t)second;
		limit->counts[at] = 0;
	}
	if (limit->counts[at] >= limit->rate ||
	    limit->whole_count >= limit->rate * LIMIT_WHOLE_FACTOR) {
		return false;
	}
	limit->counts[at]++;
	limit->whole_count++;
	return true;
}
