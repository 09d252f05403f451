#include "actors/relay.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "actors/relay_state.h"

static void *
take_memory(size_t count, size_t size)
{
	void *memory = calloc(count, size);

	assert(memory != NULL);
	return memory;
}

struct relay *
relay_new(const struct relay_config *config, const struct relay_sink *sink)
{
	struct relay *relay = take_memory(1, sizeof *relay);
	struct allocation_limits limits = config->limits;

	assert(front_is_valid(config->number));
	assert(config->listener_count <= RELAY_LISTENERS_MAX);
	relay->config = *config;
	relay->sink = sink;
	integrity_open(&relay->integrity);
	memcpy(&relay->seed, config->seed, sizeof relay->seed);
	limits.seed = relay->seed;
	limits.relay = config->number;
	relay->view = allocation_new(&limits);
	relay->next = allocation_new(&limits);
	relay->rows = take_memory(limits.allocations_max, sizeof *relay->rows);
	relay->spare_rows = take_memory(limits.allocations_max, sizeof *relay->rows);
	relay->usage = take_memory(limits.peers_max, sizeof *relay->usage);
	relay->spare_usage = take_memory(limits.peers_max, sizeof *relay->spare_usage);
	relay->owed = take_memory(limits.peers_max, sizeof *relay->owed);
	relay->socket_rows = take_memory(RELAY_SOCKETS_ALL, sizeof *relay->socket_rows);
	memset(relay->socket_rows, 0xFF, RELAY_SOCKETS_ALL * sizeof *relay->socket_rows);
	pending_init(&relay->pending, RELAY_PENDING_MAX, relay->seed);
	relay->deciding = PENDING_NONE;
	const bool has_tcp = tcp_peers_init(&relay->tcp, relay->seed);
	assert(has_tcp);
	limit_init(&relay->limit, config->unauthenticated_rate, relay->seed);
	return relay;
}

void
relay_free(struct relay *relay)
{
	if (relay == NULL) {
		return;
	}
	allocation_free(relay->view);
	allocation_free(relay->next);
	pending_free(&relay->pending);
	tcp_peers_free(&relay->tcp);
	integrity_close(&relay->integrity);
	free(relay->rows);
	free(relay->spare_rows);
	free(relay->usage);
	free(relay->spare_usage);
	free(relay->owed);
	free(relay->socket_rows);
	free(relay);
}

struct id
relay_fresh_id(struct relay *relay)
{
	static const char purpose[] = "ifswarm/relay/fresh/v1";
	uint8_t sum[INTEGRITY_BYTES_MAX];
	const uint64_t number = relay->fresh_number++;
	const struct span key = { relay->config.seed, sizeof relay->config.seed };
	const struct span parts[] = { { (const uint8_t *)purpose, sizeof purpose },
				      { (const uint8_t *)&number, sizeof number } };
	struct id id;

	integrity_hmac(&relay->integrity, INTEGRITY_SHA256, key, parts, 2, sum);
	memcpy(id.bytes, sum, sizeof id.bytes);
	return id;
}

bool
relay_has_view(const struct relay *relay)
{
	return relay->has_view;
}

uint32_t
relay_allocations(const struct relay *relay)
{
	return relay->view->table.rows_used;
}

uint64_t
relay_counted(const struct relay *relay, enum relay_count which)
{
	assert(which < RELAY_COUNTS);
	return relay->counts[which];
}
