/* Usage and refusals on their way to the log: told at intervals, and before anything forgets them.
 */
#include <string.h>

#include "actors/relay_state.h"

static const uint64_t SECOND_US = 1000000;

void
usage_add(struct usage *sum, const struct usage *more)
{
	sum->packets_up += more->packets_up;
	sum->bytes_up += more->bytes_up;
	sum->packets_down += more->packets_down;
	sum->bytes_down += more->bytes_down;
}

static bool
is_counted(const struct usage *usage)
{
	return usage->packets_up != 0 || usage->packets_down != 0;
}

static void
report_peer(struct relay *relay, const struct allocation *allocation, uint32_t at)
{
	const struct peer *peer = &relay->view->table.peers[at];
	struct usage *usage = &relay->usage[at];
	struct command command = {
		.type = COMMAND_REPORT_USAGE,
		.trace_id = allocation->trace,
		.report_usage = { .allocation = allocation->id,
				  .number = peer->number,
				  .peer = peer->address,
				  .packets_up = usage->packets_up,
				  .bytes_up = usage->bytes_up,
				  .packets_down = usage->packets_down,
				  .bytes_down = usage->bytes_down },
	};

	if (is_counted(usage) && relay->sink->ask(relay->sink->context, &command)) {
		usage_add(&relay->rows[peer->row].told, usage);
		*usage = (struct usage){ 0 };
	}
}

void
relay_report_row(struct relay *relay, uint32_t row, uint64_t ended_us)
{
	const struct allocation_table *table = &relay->view->table;
	bool left = false;

	if (!relay->rows[row].dirty) {
		return;
	}
	for (uint32_t at = table->rows[row].peer_first; at != PEER_NONE;
	     at = table->peers[at].next) {
		if (table->peers[at].expires_us <= ended_us) {
			report_peer(relay, &table->rows[row], at);
		}
		left |= is_counted(&relay->usage[at]);
	}
	relay->rows[row].dirty = left;
}

void
relay_report_all(struct relay *relay)
{
	const struct allocation_table *table = &relay->view->table;

	for (uint32_t row = 0; row < table->rows_fresh; row++) {
		if (!id_is_none(&table->rows[row].id)) {
			relay_report_row(relay, row, UINT64_MAX);
		}
	}
}

void
relay_tell_refusals(struct relay *relay, uint64_t now_us)
{
	const struct refusals *refusals = &relay->refusals;

	for (size_t i = 0; i < sizeof refusals->items / sizeof refusals->items[0]; i++) {
		const struct refusal *refusal = &refusals->items[i];
		struct command command = {
			.type = COMMAND_TURN_REFUSED,
			.turn_refused = { .verdict = refusal->verdict,
					  .method = refusal->method,
					  .count = refusal->count,
					  .window_us = now_us - refusals->since_us,
					  .day = relay_fresh_id(relay),
					  .source = refusal->source,
					  .user_name = refusal->user,
					  .peer = refusal->peer },
		};
		if (refusal_is_told(refusal)) {
			relay->sink->ask(relay->sink->context, &command);
		}
	}
	refusals_clear(&relay->refusals);
}

static void
tick_row(struct relay *relay, uint32_t row, uint64_t now_us)
{
	struct relay_row *own = &relay->rows[row];

	if (!own->dirty) {
		return;
	}
	if (!allocation_is_live(&relay->view->table.rows[row], now_us)) {
		relay_report_row(relay, row, UINT64_MAX);
		return;
	}
	if (own->report_us == 0) {
		own->report_us = now_us + relay->config.usage_interval_s * SECOND_US;
	}
	if (now_us >= own->report_us) {
		own->report_us = 0;
		relay_report_row(relay, row, UINT64_MAX);
	}
}

void
relay_tick(struct relay *relay, uint64_t now_us)
{
	const struct allocation_table *table = &relay->view->table;

	for (uint32_t row = 0; row < table->rows_fresh; row++) {
		if (!id_is_none(&table->rows[row].id)) {
			tick_row(relay, row, now_us);
		}
	}
	if (refusals_are_due(&relay->refusals, now_us)) {
		relay_tell_refusals(relay, now_us);
	}
	relay_reserve_tick(relay, now_us);
	relay_expel_tick(relay, now_us);
	relay_enforce_tick(relay, now_us);
	relay_gone_tick(relay);
	relay_tcp_tick(relay, now_us);
	relay_kill_tick(relay);
	relay_move_tick(relay, now_us);
}
