/* An agent is expelled: its allocations stop, are accounted for, and end. */
#include "actors/relay_state.h"
#include "protocol/credential_name.h"

static bool
is_expelled(const struct relay *relay, uint32_t row)
{
	const struct allocation *allocation = &relay->view->table.rows[row];

	return relay->expelled.length > 0 && !id_is_none(&allocation->id) &&
	       credential_name_is_of(&allocation->user_name, &relay->expelled);
}

bool
relay_end_if_expelled(struct relay *relay, uint32_t row)
{
	return !is_expelled(relay, row) || relay_ask_end(relay, row, END_EXPELLED);
}

static bool
end_rows(struct relay *relay)
{
	bool asked = true;

	for (uint32_t row = 0; row < relay->view->table.rows_fresh && asked; row++) {
		asked = relay_end_if_expelled(relay, row);
	}
	return asked;
}

/* Everything that is asked here stands before the EXPELLED. What the line has no room for is tried
 * again. */
static void
answer(struct relay *relay, uint64_t now_us)
{
	struct command command = {
		.type = COMMAND_EXPELLED,
		.expelled = { .expel = relay->expel_owed },
	};

	if (!end_rows(relay)) {
		return;
	}
	relay_tell_refusals(relay, now_us);
	if (relay->sink->ask(relay->sink->context, &command)) {
		relay->expel_owed = (struct id){ { 0 } };
	}
}

/* What it was refused since its life ended in the log is told without it. */
static void
forget_refusals(struct relay *relay, const struct name *agent)
{
	struct refusals *refusals = &relay->refusals;

	for (size_t i = 0; i < refusals->count; i++) {
		struct refusal *refusal = &refusals->items[i];

		if (credential_name_is_of(&refusal->user, agent)) {
			refusal->user = (struct name){ 0 };
			refusal->source = (struct address){ 0 };
			refusal->peer = (struct address){ 0 };
		}
	}
}

void
relay_handle_expel(struct relay *relay, const struct notice_expel *notice, const struct id *asked,
		   uint64_t now_us)
{
	if (notice->over != 0) {
		forget_refusals(relay, &notice->agent_name);
	}
	relay_unreserve_agent(relay, &notice->agent_name);
	relay->expelled = notice->over == 0 ? notice->agent_name : (struct name){ 0 };
	relay->expel_owed = *asked;
	answer(relay, now_us);
}

void
relay_expel_tick(struct relay *relay, uint64_t now_us)
{
	if (!id_is_none(&relay->expel_owed)) {
		answer(relay, now_us);
	}
}
