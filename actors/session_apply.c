/* The only functions that change the session state. */
#include <assert.h>

#include "actors/session_state.h"

static void
note_command(struct session_state *state, const struct event *event, uint64_t gateway,
	     const struct id *agent, const struct id *room)
{
	fronts_note(&state->fronts, gateway, &event->command_id);
	session_note_recent(state, &(struct recent){
					   .command_id = event->command_id,
					   .type = event->type,
					   .agent = *agent,
					   .room = *room,
				   });
}

static void
apply_attached(struct session_state *state, const struct event_gateway_attached *e)
{
	if (!front_is_valid(e->gateway)) {
		return;
	}
	fronts_attach(&state->fronts, e->gateway, &e->instance);
	session_count_orphans(state);
}

static void
apply_registered(struct session_state *state, const struct event *event)
{
	const struct event_agent_registered *e = &event->agent_registered;

	if (!front_is_valid(e->gateway) || id_is_none(&e->agent) || id_is_none(&e->room) ||
	    session_find_agent(state, &e->room, &e->agent) != SLOT_NONE ||
	    state->free_agents.count == 0) {
		return;
	}
	const uint32_t room = session_open_room(state, &e->room, &e->room_name);
	if (room == SLOT_NONE) {
		return;
	}
	const bool fits = session_put_agent(state, &(struct agent){
							   .agent = e->agent,
							   .trace = event->trace_id,
							   .gateway = e->gateway,
							   .instance = e->instance,
							   .connection = e->connection,
							   .name = e->agent_name,
							   .room = room,
						   });
	assert(fits);
	directory_note(state->directory, DIRECTORY_ROOM, &e->room, &e->room_name);
	directory_note(state->directory, DIRECTORY_AGENT, &e->agent, &e->agent_name);
	note_command(state, event, e->gateway, &e->agent, &e->room);
}

static void
apply_disconnected(struct session_state *state, const struct event *event)
{
	const struct event_agent_disconnected *e = &event->agent_disconnected;
	const uint32_t at = session_find_agent(state, &e->room, &e->agent);

	if (at == SLOT_NONE) {
		return;
	}
	session_take_agent(state, at);
	/* Its name may be needed once more, should this be told again. */
	directory_note(state->directory, DIRECTORY_AGENT, &e->agent, &e->agent_name);
	if (session_is_gateways_reason(e->reason) && front_is_valid(e->gateway)) {
		note_command(state, event, e->gateway, &e->agent, &e->room);
	}
}

static void
apply_relayed(struct session_state *state, const struct event *event)
{
	const struct event_sdp_offer_relayed *e = &event->sdp_offer_relayed;
	const uint32_t from = session_find_agent(state, &e->room, &e->from);

	if (from != SLOT_NONE) {
		note_command(state, event, state->agents[from].gateway, &e->to, &e->room);
	}
}

static void
apply_refused(struct session_state *state, const struct event *event)
{
	const struct event_signaling_request_refused *e = &event->signaling_request_refused;
	const struct name day = directory_day(event->occurred_us);
	const struct id nobody = { { 0 } };

	if (id_is_none(&e->day) || !front_is_valid(e->gateway)) {
		return;
	}
	directory_note(state->directory, DIRECTORY_DAY, &e->day, &day);
	note_command(state, event, e->gateway, &nobody, &nobody);
}

void
session_apply(void *state, const struct event *event)
{
	switch ((int)event->type) {
	case EVENT_GATEWAY_ATTACHED:
		apply_attached(state, &event->gateway_attached);
		break;
	case EVENT_AGENT_REGISTERED:
		apply_registered(state, event);
		break;
	case EVENT_AGENT_DISCONNECTED:
		apply_disconnected(state, event);
		break;
	case EVENT_SDP_OFFER_RELAYED:
	case EVENT_SDP_ANSWER_RELAYED:
	case EVENT_ICE_CANDIDATE_RELAYED:
		apply_relayed(state, event);
		break;
	case EVENT_SIGNALING_REQUEST_REFUSED:
		apply_refused(state, event);
		break;
	case EVENT_SUBJECT_FORGOTTEN:
		directory_forget(((struct session_state *)state)->directory,
				 &event->subject_forgotten.agent);
		break;
	}
}
