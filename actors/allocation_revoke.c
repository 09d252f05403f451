/* An operator takes an agent's TURN credentials back, or gives them again. */
#include "actors/allocation_decide.h"

enum verdict
allocation_decide_revoke(const struct allocation_state *state, const struct command *command,
			 struct event_list *out)
{
	const struct command_revoke *c = &command->revoke;
	const struct id *known = revocations_find(state->revoked, &c->agent_name);
	const struct id none = { { 0 } };

	if (!name_is_wellformed(&c->agent_name) || id_is_none(&c->agent)) {
		return REFUSED_MALFORMED;
	}
	if ((known != NULL) == (c->undo == 0)) {
		return ACCEPTED;
	}
	if (c->undo != 0) {
		allocation_emit(out, EVENT_TURN_AGENT_RESTORED, command, &none)
			->turn_agent_restored.agent = *known;
		return ACCEPTED;
	}
	if (state->revoked->count == REVOKED_MAX) {
		return REFUSED_FULL;
	}
	allocation_emit(out, EVENT_TURN_AGENT_REVOKED, command, &none)->turn_agent_revoked =
		(struct event_turn_agent_revoked){ .agent = c->agent, .agent_name = c->agent_name };
	return ACCEPTED;
}
