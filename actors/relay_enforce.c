/* What an operator decides while calls run reaches the allocations that exist: a tightened peer
 * policy ends permissions and channels (THREATS B14). Nothing flows to a peer that is forbidden
 * from the reload on; its end is asked within a second, once what flowed before is reported. */
#include "actors/relay_state.h"

void
relay_reload(struct relay *relay, const struct relay_config *config)
{
	relay->config.credentials = config->credentials;
	relay->config.policy = config->policy;
	relay->config.drain = config->drain;
	relay->config.usage_interval_s = config->usage_interval_s;
	relay->config.strict_expiry = config->strict_expiry;
	relay->config.mobility = config->mobility;
	relay->config.no_software = config->no_software;
	relay->config.bytes_per_s = config->bytes_per_s;
	relay->config.unauthenticated_rate = config->unauthenticated_rate;
	relay->config.limits.lifetime_max_s = config->limits.lifetime_max_s;
	relay->config.limits.legacy_channels = config->limits.legacy_channels;
	relay->limit.rate = config->unauthenticated_rate;
	relay->forbidding = true;
}

/* A permission has no port, and for our own addresses the port decides: it may stay, as each packet
 * on it is judged by itself. */
static bool
is_forbidden(const struct relay *relay, const struct address *peer)
{
	const enum peer_decision decision =
		peer_policy_decide(&relay->config.policy, peer).decision;
	const bool is_own = decision == PEER_DENIED_OWN || decision == PEER_DENIED_LISTENER;

	return !peer_is_allowed(decision) && !(is_own && peer->port == 0);
}

bool
relay_is_forbidden(const struct relay *relay, const struct address *peer)
{
	return relay->forbidding && is_forbidden(relay, peer);
}

/* What was asked before a reload and is decided after it was checked by the former policy. */
void
relay_enforce_installed(struct relay *relay, const struct address *peer)
{
	relay->forbidding |= is_forbidden(relay, peer);
}

/* Asks the ends of a row's forbidden peers; true if there were any. They are asked again until the
 * view has heard of it. */
static bool
forbid_row(struct relay *relay, uint32_t row, uint64_t now_us)
{
	const struct allocation_table *table = &relay->view->table;
	const struct allocation *allocation = &table->rows[row];
	bool found = false;

	for (uint32_t at = allocation->peer_first; at != PEER_NONE; at = table->peers[at].next) {
		const struct peer *peer = &table->peers[at];
		struct command command = {
			.type = COMMAND_FORBID,
			.trace_id = allocation->trace,
			.forbid = { .allocation = allocation->id, .number = peer->number },
		};

		if (peer->expires_us <= now_us || !is_forbidden(relay, &peer->address)) {
			continue;
		}
		if (!found) {
			relay_report_row(relay, row, UINT64_MAX);
		}
		found = true;
		relay->sink->ask(relay->sink->context, &command);
	}
	return found;
}

void
relay_enforce_tick(struct relay *relay, uint64_t now_us)
{
	const struct allocation_table *table = &relay->view->table;
	bool found = false;

	if (!relay->forbidding) {
		return;
	}
	for (uint32_t row = 0; row < table->rows_fresh; row++) {
		if (!id_is_none(&table->rows[row].id)) {
			found |= forbid_row(relay, row, now_us);
		}
	}
	relay->forbidding = found;
}
