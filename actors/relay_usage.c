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

static bool
ask_report(struct relay *relay, const struct usage_owed *owed)
{
	struct command command = {
		.type = COMMAND_REPORT_USAGE,
		.trace_id = owed->trace,
		.report_usage = { .allocation = owed->allocation,
				  .number = owed->number,
				  .peer = owed->peer,
				  .packets_up = owed->usage.packets_up,
				  .bytes_up = owed->usage.bytes_up,
				  .packets_down = owed->usage.packets_down,
				  .bytes_down = owed->usage.bytes_down },
	};

	return relay->sink->ask(relay->sink->context, &command);
}

/* What is counted for a peer of that table, as a report. */
static struct usage_owed
owed_of(const struct allocation_table *table, uint32_t at, const struct usage *usage)
{
	const struct peer *peer = &table->peers[at];
	const struct allocation *allocation = &table->rows[peer->row];

	return (struct usage_owed){
		.allocation = allocation->id,
		.trace = allocation->trace,
		.number = peer->number,
		.peer = peer->address,
		.usage = *usage,
	};
}

/* There is room for as many as there are peers: more could be forgotten only by what the actor
 * decides, and while nothing can be asked of it, it decides little. */
static void
owe(struct relay *relay, const struct usage_owed *owed)
{
	if (relay->owed_count < relay->config.limits.peers_max) {
		relay->owed[relay->owed_count++] = *owed;
	}
}

/* False while some are left. */
static bool
report_owed(struct relay *relay, const struct id *allocation)
{
	for (uint32_t i = 0; i < relay->owed_count;) {
		if (!id_equal(&relay->owed[i].allocation, allocation)) {
			i++;
		} else if (ask_report(relay, &relay->owed[i])) {
			relay->owed[i] = relay->owed[--relay->owed_count];
		} else {
			return false;
		}
	}
	return true;
}

/* Reported, or owed if the peer is being forgotten. */
static void
report_peer(struct relay *relay, uint32_t at, bool is_forgotten)
{
	const struct allocation_table *table = &relay->view->table;
	struct usage *usage = &relay->usage[at];
	const struct usage_owed report = owed_of(table, at, usage);

	if (!is_counted(usage)) {
		return;
	}
	const bool is_asked = ask_report(relay, &report);
	if (!is_asked && is_forgotten) {
		owe(relay, &report);
	}
	if (is_asked || is_forgotten) {
		usage_add(&relay->rows[table->peers[at].row].told, usage);
		*usage = (struct usage){ 0 };
	}
}

void
relay_report_row(struct relay *relay, uint32_t row, uint64_t ended_us)
{
	const struct allocation_table *table = &relay->view->table;

	if (!relay->rows[row].dirty) {
		return;
	}
	bool left = false;
	for (uint32_t at = table->rows[row].peer_first; at != PEER_NONE;
	     at = table->peers[at].next) {
		if (table->peers[at].expires_us <= ended_us) {
			report_peer(relay, at, ended_us != UINT64_MAX);
		}
		left |= is_counted(&relay->usage[at]);
	}
	left |= !report_owed(relay, &table->rows[row].id);
	relay->rows[row].dirty = left;
}

void
relay_usage_forget(struct relay *relay, uint32_t row)
{
	const struct allocation_table *table = &relay->view->table;

	for (uint32_t at = table->rows[row].peer_first; at != PEER_NONE;
	     at = table->peers[at].next) {
		relay->usage[at] = (struct usage){ 0 };
	}
	for (uint32_t i = 0; i < relay->owed_count;) {
		if (id_equal(&relay->owed[i].allocation, &table->rows[row].id)) {
			relay->owed[i] = relay->owed[--relay->owed_count];
		} else {
			i++;
		}
	}
}

/* Of one peer of the former view, whose row is `now` in the new one, or ended if that is ROW_NONE.
 */
static void
carry_peer(struct relay *relay, const struct allocation_table *old, uint32_t from, uint32_t now)
{
	struct usage *usage = &relay->spare_usage[from];
	const struct usage_owed report = owed_of(old, from, usage);

	if (is_counted(usage) && now != ROW_NONE) {
		const uint32_t at =
			peer_find_number(&relay->view->table, now, old->peers[from].number);
		if (at != PEER_NONE) {
			usage_add(&relay->usage[at], usage);
		} else {
			owe(relay, &report);
		}
	}
	*usage = (struct usage){ 0 };
}

/* The ends of what is not in the new view stand in the log. */
static void
forget_ended(struct relay *relay)
{
	for (uint32_t i = 0; i < relay->owed_count;) {
		if (allocation_find(&relay->view->table, &relay->owed[i].allocation) == ROW_NONE) {
			relay->owed[i] = relay->owed[--relay->owed_count];
		} else {
			i++;
		}
	}
}

void
relay_usage_carry(struct relay *relay, const struct allocation_state *old,
		  const struct relay_row *old_rows)
{
	const struct allocation_table *table = &old->table;
	struct usage *former = relay->usage;

	relay->usage = relay->spare_usage;
	relay->spare_usage = former;
	for (uint32_t row = 0; row < table->rows_fresh; row++) {
		if (id_is_none(&table->rows[row].id) || !old_rows[row].dirty) {
			continue;
		}
		const uint32_t now = allocation_find(&relay->view->table, &table->rows[row].id);
		for (uint32_t at = table->rows[row].peer_first; at != PEER_NONE;
		     at = table->peers[at].next) {
			carry_peer(relay, table, at, now);
		}
		if (now != ROW_NONE) {
			relay->rows[now].dirty = true;
		}
	}
	forget_ended(relay);
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
