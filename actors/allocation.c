#include "actors/allocation.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct allocation_limits
allocation_limits_of(uint64_t user_quota, uint64_t total_quota, uint64_t lifetime_max_s,
		     uint64_t seed)
{
	return (struct allocation_limits){
		.allocations_max = ALLOCATIONS_MAX,
		.peers_max = PEERS_MAX,
		.names_max = KNOWN_NAMES_MAX,
		.user_quota = user_quota,
		.total_quota = total_quota,
		.lifetime_max_s = lifetime_max_s,
		.seed = seed,
	};
}

void
allocation_set_limits(struct allocation_state *state, const struct settings *settings)
{
	state->limits.user_quota = settings->user_quota;
	state->limits.address_quota = settings->address_quota;
	state->limits.total_quota = settings->total_quota;
	state->limits.bytes_per_s = settings->max_bps;
	state->limits.capacity_per_s = settings->bps_capacity;
	state->limits.lifetime_max_s = settings->max_allocate_lifetime;
	state->limits.legacy_channels = settings->legacy_channels;
}

struct allocation_state *
allocation_new(const struct allocation_limits *limits)
{
	struct allocation_state *state = calloc(1, sizeof *state);

	assert(limits->allocations_max >= 1);
	assert(limits->allocations_max <= ALLOCATIONS_MAX);
	assert(state != NULL);
	state->limits = *limits;
	allocation_table_init(&state->table, limits->allocations_max, limits->peers_max,
			      limits->seed);
	state->names = directory_new(limits->names_max, limits->seed);
	assert(state->names != NULL);
	state->revoked = calloc(1, sizeof *state->revoked);
	assert(state->revoked != NULL);
	return state;
}

void
allocation_free(struct allocation_state *state)
{
	allocation_table_free(&state->table);
	directory_free(state->names);
	free(state->revoked);
	free(state);
}

void
allocation_clear(struct allocation_state *state)
{
	allocation_table_clear(&state->table);
	directory_free(state->names);
	state->names = directory_new(state->limits.names_max, state->limits.seed);
	assert(state->names != NULL);
	memset(&state->relays, 0, sizeof state->relays);
	revocations_clear(state->revoked);
}

bool
allocation_repeats(const void *opaque, const struct command *command)
{
	const struct allocation_state *state = opaque;

	return fronts_repeat(&state->relays, command);
}

static bool
knows_front(const void *opaque, uint64_t front)
{
	const struct allocation_state *state = opaque;

	return fronts_is_known(&state->relays, front);
}

struct core
allocation_core(struct allocation_state *state)
{
	return (struct core){
		.stream = STREAM_ALLOCATION,
		.state = state,
		.decide = allocation_decide,
		.apply = allocation_apply,
		.repeats = allocation_repeats,
		.tell = allocation_tell,
		.greet = allocation_greet,
		.knows_front = knows_front,
		.dump = allocation_dump,
		.dump_personal = allocation_dump_personal,
		.restore = allocation_restore,
		.is_lasting = revocations_last,
		.roster = allocation_roster,
	};
}
