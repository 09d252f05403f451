/* An operator ends allocations, or takes an agent's credentials back: what is live stops at once,
 * is accounted for, and ends. */
#include "actors/relay_state.h"
#include "protocol/credential_name.h"

bool
relay_is_revoked(const struct relay *relay, const struct name *user)
{
	return revocations_find(relay->view->revoked, user) != NULL;
}

static void
kill_row(struct relay *relay, uint32_t row, enum end_reason reason)
{
	if (relay->rows[row].kill == 0) {
		relay->rows[row].kill = reason;
	}
	relay->owes_kill |= !relay_ask_end(relay, row, relay->rows[row].kill);
}

uint64_t
relay_kill_agent(struct relay *relay, const struct name *agent, enum end_reason reason)
{
	const struct allocation_table *table = &relay->view->table;
	uint64_t found = 0;

	for (uint32_t row = 0; row < table->rows_fresh; row++) {
		if (!id_is_none(&table->rows[row].id) &&
		    credential_name_is_of(&table->rows[row].user_name, agent)) {
			kill_row(relay, row, reason);
			found++;
		}
	}
	return found;
}

uint64_t
relay_kill_allocation(struct relay *relay, const struct id *allocation)
{
	const uint32_t row = allocation_find(&relay->view->table, allocation);

	if (row == ROW_NONE) {
		return 0;
	}
	kill_row(relay, row, END_KILLED);
	return 1;
}

void
relay_end_if_revoked(struct relay *relay, uint32_t row)
{
	const struct allocation *allocation = &relay->view->table.rows[row];

	if (!id_is_none(&allocation->id) && relay_is_revoked(relay, &allocation->user_name)) {
		kill_row(relay, row, END_REVOKED);
	}
}

void
relay_kill_tick(struct relay *relay)
{
	if (!relay->owes_kill) {
		return;
	}
	relay->owes_kill = false;
	for (uint32_t row = 0; row < relay->view->table.rows_fresh; row++) {
		if (relay->rows[row].kill != 0 && !id_is_none(&relay->view->table.rows[row].id)) {
			relay->owes_kill |= !relay_ask_end(relay, row, relay->rows[row].kill);
		}
	}
}
