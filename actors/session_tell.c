#include "actors/session_state.h"

#include <assert.h>
#include <string.h>

static const struct span nothing;

/* The names of the others in the newcomer's room, in order of registration. */
static struct span
write_roster(const struct session_state *state, uint32_t newcomer)
{
	struct mp_writer w = mp_writer_of(state->scratch, state->scratch_size);
	const struct room *room = &state->rooms[state->agents[newcomer].room];

	mp_put_array(&w, room->count - 1);
	for (uint32_t at = room->first; at != SLOT_NONE; at = state->agents[at].after) {
		if (at != newcomer) {
			mp_put_str(&w, state->agents[at].name.bytes, state->agents[at].name.length);
		}
	}
	assert(!w.bad);
	return mp_written(&w);
}

/* To each gateway that has somebody in that room, but one. */
static void
post_to_room(const struct session_state *state, const struct id *room, uint64_t but,
	     const struct notice *notice, struct outbox *outbox)
{
	const uint32_t at = session_find_room(state, room);

	for (uint64_t gateway = 1; at != SLOT_NONE && gateway <= FRONTS_MAX; gateway++) {
		if (gateway != but && state->rooms[at].at_gateway[gateway] > 0) {
			outbox_post(outbox, gateway, notice, nothing);
		}
	}
}

/* `whole`: the roster goes along even if the gateway should have it. */
static void
tell_registered(const struct session_state *state, const struct command *command,
		const struct id *agent, const struct id *room, bool whole, struct outbox *outbox)
{
	const uint32_t at = session_find_agent(state, room, agent);
	const uint32_t open = session_find_room(state, room);
	struct notice notice = { .type = NOTICE_REGISTERED };

	notice.registered = (struct notice_registered){
		.connection = command->register_agent.connection,
		.agent = *agent,
		.room = *room,
		.agent_name = command->register_agent.agent_name,
		.room_name = command->register_agent.room_name,
	};
	whole = whole || (open != SLOT_NONE && state->rooms[open].at_gateway[command->front] == 1);
	outbox_post(outbox, command->front, &notice,
		    whole && at != SLOT_NONE ? write_roster(state, at) : nothing);
}

static void
tell_joined(const struct session_state *state, const struct command *command, const struct id *room,
	    bool again, struct outbox *outbox)
{
	struct notice notice = { .type = NOTICE_JOINED };

	notice.joined = (struct notice_joined){
		.room = *room,
		.again = again,
		.agent_name = command->register_agent.agent_name,
	};
	post_to_room(state, room, command->front, &notice, outbox);
}

static void
tell_left(const struct session_state *state, const struct command *command, const struct id *room,
	  const struct name *name, struct outbox *outbox)
{
	struct notice notice = { .type = NOTICE_LEFT };

	notice.left = (struct notice_left){ .room = *room, .agent_name = *name };
	if (command->front != 0) {
		outbox_post(outbox, command->front, &notice, nothing);
	}
	post_to_room(state, room, command->front, &notice, outbox);
}

static void
tell_closed(const struct event_agent_disconnected *e, struct outbox *outbox)
{
	struct notice notice = { .type = NOTICE_CLOSE };

	notice.close = (struct notice_close){ .connection = e->connection, .reason = e->reason };
	outbox_post(outbox, e->gateway, &notice, nothing);
}

/* The registration that is told again was ended and forgotten meanwhile: its name must not come
 * back. */
static void
tell_expelled(const struct command *command, struct outbox *outbox)
{
	struct notice notice = { .type = NOTICE_CLOSE };

	notice.close = (struct notice_close){
		.connection = command->register_agent.connection,
		.reason = LEAVE_EXPELLED,
	};
	outbox_post(outbox, command->front, &notice, nothing);
}

static void
tell_relayed(const struct session_state *state, const struct id *to, const struct id *room,
	     struct span body, struct outbox *outbox)
{
	const uint32_t at = session_find_agent(state, room, to);

	if (at == SLOT_NONE || session_is_orphan(state, &state->agents[at])) {
		return; /* told again, and the receiver has gone meanwhile */
	}
	struct notice notice = { .type = NOTICE_DELIVER };
	notice.deliver = (struct notice_deliver){ .connection = state->agents[at].connection };
	outbox_post(outbox, state->agents[at].gateway, &notice, body);
}

static void
tell_disconnected(const struct session_state *state, const struct command *command,
		  const struct event_agent_disconnected *e, struct outbox *outbox)
{
	switch ((int)command->type) {
	case COMMAND_REGISTER:
		break; /* JOINED says that it came again */
	case COMMAND_CLOSE:
		tell_closed(e, outbox);
		break;
	case COMMAND_EXPEL:
	case COMMAND_KILL:
		break; /* an EXPEL notice says it to every gateway, by name */
	default:
		tell_left(state, command, &e->room, &e->agent_name, outbox);
	}
}

static void
tell_event(const struct session_state *state, const struct command *command,
	   const struct event *event, struct span body, struct outbox *outbox)
{
	switch ((int)event->type) {
	case EVENT_AGENT_REGISTERED:
		tell_registered(state, command, &event->agent_registered.agent,
				&event->agent_registered.room, false, outbox);
		tell_joined(state, command, &event->agent_registered.room, event->cause_back != 0,
			    outbox);
		break;
	case EVENT_AGENT_DISCONNECTED:
		tell_disconnected(state, command, &event->agent_disconnected, outbox);
		break;
	case EVENT_SDP_OFFER_RELAYED:
	case EVENT_SDP_ANSWER_RELAYED:
	case EVENT_ICE_CANDIDATE_RELAYED:
		tell_relayed(state, &event->sdp_offer_relayed.to, &event->sdp_offer_relayed.room,
			     body, outbox);
		break;
	}
}

/* A command that was accepted before this incarnation of session: what it led to is in the ring. */
static void
tell_again(const struct session_state *state, const struct command *command, struct span body,
	   struct outbox *outbox)
{
	const struct recent *recent = session_find_recent(state, &command->command_id);
	struct name name;

	switch ((int)recent->type) {
	case EVENT_AGENT_REGISTERED:
		if (!directory_has(state->directory, &recent->agent) &&
		    session_find_agent(state, &recent->room, &recent->agent) == SLOT_NONE) {
			tell_expelled(command, outbox);
			break;
		}
		tell_registered(state, command, &recent->agent, &recent->room, true, outbox);
		tell_joined(state, command, &recent->room, false, outbox);
		break;
	case EVENT_AGENT_DISCONNECTED:
		name = directory_name(state->directory, &recent->agent);
		tell_left(state, command, &recent->room, &name, outbox);
		break;
	case EVENT_SDP_OFFER_RELAYED:
	case EVENT_SDP_ANSWER_RELAYED:
	case EVENT_ICE_CANDIDATE_RELAYED:
		tell_relayed(state, &recent->agent, &recent->room, body, outbox);
		break;
	}
}

/* After the last round: whoever has it closes its connections, those of a session that was killed
 * while it was killing too. What they answer is for an expulsion, and none waits for it. */
static void
tell_killed(const struct session_state *state, const struct command *command, struct outbox *outbox)
{
	struct notice notice = { .type = NOTICE_EXPEL };

	notice.expel = (struct notice_expel){ .agent_name = command->kill.agent_name, .over = 1 };
	for (uint64_t gateway = 1; gateway <= FRONTS_MAX; gateway++) {
		if (fronts_is_known(&state->fronts, gateway)) {
			outbox_post(outbox, gateway, &notice, nothing);
		}
	}
}

/* Accepted without an event: a client that registers twice is told twice. */
static void
tell_unchanged(const struct session_state *state, const struct command *command,
	       struct outbox *outbox)
{
	if (command->type != COMMAND_REGISTER) {
		return;
	}
	const uint32_t at = session_find_connection(state, &command->instance,
						    command->register_agent.connection);
	if (at != SLOT_NONE) {
		const struct agent *agent = &state->agents[at];

		tell_registered(state, command, &agent->agent, &state->rooms[agent->room].room,
				false, outbox);
	}
}

/* The name a refusal is about, for the sentence the client reads. */
static struct name
refused_name(const struct command *command, enum verdict verdict)
{
	switch ((int)verdict) {
	case REFUSED_NO_SUCH_AGENT:
		return command->signal.to;
	case REFUSED_SPOOFED:
		return command->signal.from;
	case REFUSED_TAKEN:
		return command->register_agent.agent_name;
	}
	return (struct name){ 0 };
}

static void
tell_refused(const struct command *command, enum verdict verdict, struct outbox *outbox)
{
	struct notice notice = { .type = NOTICE_REFUSED };

	if (command->type != COMMAND_REGISTER && command->type != COMMAND_SIGNAL) {
		return;
	}
	notice.refused = (struct notice_refused){
		.connection = command->type == COMMAND_REGISTER ? command->register_agent.connection
								: command->signal.connection,
		.verdict = verdict,
		.about = refused_name(command, verdict),
	};
	outbox_post(outbox, command->front, &notice, nothing);
}

void
session_tell(const void *state, const struct command *command, struct span body,
	     enum verdict verdict, const struct event_list *events, struct outbox *outbox)
{
	if (verdict != ACCEPTED) {
		tell_refused(command, verdict, outbox);
		return;
	}
	for (uint32_t i = 0; i < events->count; i++) {
		tell_event(state, command, &events->items[i], body, outbox);
	}
	if (events->count > 0) {
		return;
	}
	if (command->type == COMMAND_KILL) {
		tell_killed(state, command, outbox);
	} else if (session_repeats(state, command)) {
		tell_again(state, command, body, outbox);
	} else {
		tell_unchanged(state, command, outbox);
	}
}
