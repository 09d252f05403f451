/* What a relay counts, for who serves the metrics. */
#include "actors/relay_state.h"

static enum tally_family
family_of(const struct allocation *allocation)
{
	if (allocation->relayed_also.family != ADDRESS_NONE) {
		return TALLY_BOTH;
	}
	return allocation->relayed.family == ADDRESS_IPV4 ? TALLY_IPV4 : TALLY_IPV6;
}

void
relay_tally(const struct relay *relay, uint64_t kernel_drops, uint64_t now_us,
	    struct turn_tally *out)
{
	static const enum relay_count counts[TALLY_COUNTS] = {
		[TALLY_PACKETS_UP] = RELAY_COUNT_PACKETS_UP,
		[TALLY_BYTES_UP] = RELAY_COUNT_BYTES_UP,
		[TALLY_PACKETS_DOWN] = RELAY_COUNT_PACKETS_DOWN,
		[TALLY_BYTES_DOWN] = RELAY_COUNT_BYTES_DOWN,
		[TALLY_REQUESTS] = RELAY_COUNT_REQUESTS,
		[TALLY_CHALLENGES] = RELAY_COUNT_CHALLENGES,
		[TALLY_NOT_STUN] = RELAY_COUNT_NOT_STUN,
		[TALLY_NO_ROUTE] = RELAY_COUNT_NO_ROUTE,
		[TALLY_DENIED] = RELAY_COUNT_DENIED,
		[TALLY_LIMITED] = RELAY_COUNT_LIMITED,
		[TALLY_PENDING_FULL] = RELAY_COUNT_PENDING_FULL,
		[TALLY_OVER_RATE] = RELAY_COUNT_OVER_RATE,
	};
	const struct allocation_table *table = &relay->view->table;

	*out = (struct turn_tally){ .relay = relay->config.number };
	for (size_t i = 0; i < TALLY_KERNEL_DROPS; i++) {
		out->counts[i] = relay->counts[counts[i]];
	}
	out->counts[TALLY_KERNEL_DROPS] = kernel_drops;
	for (size_t i = 0; i < TALLY_VERDICTS; i++) {
		out->refused[i] = relay->refused[i];
	}
	for (uint32_t row = 0; row < table->rows_fresh; row++) {
		const struct allocation *allocation = &table->rows[row];

		if (!id_is_none(&allocation->id) && allocation_is_live(allocation, now_us) &&
		    allocation->client_transport < TALLY_TRANSPORTS) {
			out->allocations[allocation->client_transport][family_of(allocation)]++;
		}
	}
}
