/* What the session actor answers a command with: events, or a refusal. */
#include <assert.h>
#include <string.h>

#include "actors/session_state.h"

static struct event *
emit(struct event_list *out, enum event_type type, const struct command *command,
     const struct id *trace)
{
	return event_emit(out, type, command->now_us, &command->command_id, trace);
}

static void
emit_disconnected(struct event_list *out, const struct session_state *state,
		  const struct command *command, const struct agent *agent,
		  enum leave_reason reason)
{
	const struct room *room = &state->rooms[agent->room];
	struct event *event = emit(out, EVENT_AGENT_DISCONNECTED, command, &agent->trace);

	event->agent_disconnected = (struct event_agent_disconnected){
		.agent = agent->agent,
		.room = room->room,
		.gateway = agent->gateway,
		.connection = agent->connection,
		.reason = reason,
		.agent_name = agent->name,
		.room_name = room->name,
	};
}

/* The handle under which a name is known, or the fresh one that came with the command. False if
 * that one is none or in use already: a front never repeats a random handle. */
static bool
subject_for(const struct session_state *state, enum directory_kind kind, const struct name *name,
	    const struct id *fresh, struct id *out)
{
	if (directory_find(state->directory, kind, name, out)) {
		return true;
	}
	*out = *fresh;
	return !id_is_none(fresh) && !directory_has(state->directory, fresh);
}

static enum verdict
decide_again(const struct session_state *state, const struct command_register_agent *c, uint32_t at)
{
	const struct agent *agent = &state->agents[at];
	const bool same = name_equal(&agent->name, &c->agent_name) &&
			  name_equal(&state->rooms[agent->room].name, &c->room_name);

	return same ? ACCEPTED : REFUSED_REGISTERED;
}

/* Handles for a newcomer. The room may be open although its handle was pushed out of the directory.
 */
static bool
handles_for(const struct session_state *state, const struct command_register_agent *c,
	    uint32_t room, struct id *room_subject, struct id *agent_subject)
{
	if (room != SLOT_NONE) {
		*room_subject = state->rooms[room].room;
	} else if (!subject_for(state, DIRECTORY_ROOM, &c->room_name, &c->room, room_subject)) {
		return false;
	}
	return subject_for(state, DIRECTORY_AGENT, &c->agent_name, &c->agent, agent_subject) &&
	       !id_equal(room_subject, agent_subject);
}

/* Who has that name in that room now; SLOT_NONE if nobody does. */
static uint32_t
find_holder(const struct session_state *state, uint32_t room, const struct name *name,
	    const struct id *room_subject, const struct id *agent_subject)
{
	const uint32_t at = room == SLOT_NONE ? SLOT_NONE : session_find_name(state, room, name);

	/* An agent whose name was erased is known by its handle only. */
	return at != SLOT_NONE ? at : session_find_agent(state, room_subject, agent_subject);
}

static void
emit_registered(struct event_list *out, const struct command *command, const struct id *room,
		const struct id *agent, uint32_t cause_back)
{
	const struct command_register_agent *c = &command->register_agent;
	struct event *event = emit(out, EVENT_AGENT_REGISTERED, command, &command->trace_id);

	event->cause_back = cause_back;
	event->agent_registered = (struct event_agent_registered){
		.agent = *agent,
		.room = *room,
		.gateway = command->front,
		.instance = command->instance,
		.connection = c->connection,
		.agent_name = c->agent_name,
		.client = c->client,
		.room_name = c->room_name,
	};
}

/* The connection is nobody's yet, and the names are well formed. */
static enum verdict
decide_newcomer(const struct session_state *state, const struct command *command,
		struct event_list *out)
{
	const struct command_register_agent *c = &command->register_agent;
	const uint32_t open = session_find_room_name(state, &c->room_name);
	struct id room;
	struct id agent;

	if (!handles_for(state, c, open, &room, &agent)) {
		return REFUSED_MALFORMED;
	}
	const uint32_t holder = find_holder(state, open, &c->agent_name, &room, &agent);
	if (holder != SLOT_NONE) {
		const struct agent *orphan = &state->agents[holder];

		if (!session_is_orphan(state, orphan)) {
			return REFUSED_TAKEN;
		}
		emit_disconnected(out, state, command, orphan, LEAVE_GATEWAY_LOST);
		emit_registered(out, command, &room, &orphan->agent, 1);
		return ACCEPTED;
	}
	if (c->draining != 0) {
		return REFUSED_DRAINING; /* who comes back to what it has is above */
	}
	const bool needs_room = session_find_room(state, &room) == SLOT_NONE;
	if (state->free_agents.count == 0 || (needs_room && state->free_rooms.count == 0)) {
		return REFUSED_FULL;
	}
	emit_registered(out, command, &room, &agent, 0);
	return ACCEPTED;
}

static enum verdict
decide_register(const struct session_state *state, const struct command *command,
		struct event_list *out)
{
	const struct command_register_agent *c = &command->register_agent;

	if (!name_is_wellformed(&c->agent_name)) {
		return REFUSED_NAME;
	}
	if (!name_is_wellformed(&c->room_name)) {
		return REFUSED_ROOM;
	}
	const uint32_t mine = session_find_connection(state, &command->instance, c->connection);
	return mine != SLOT_NONE ? decide_again(state, c, mine)
				 : decide_newcomer(state, command, out);
}

static enum verdict
decide_leave(const struct session_state *state, const struct command *command,
	     struct event_list *out)
{
	const struct command_leave *c = &command->leave;

	if (!session_is_gateways_reason(c->reason)) {
		return REFUSED_MALFORMED;
	}
	const uint32_t at = session_find_connection(state, &command->instance, c->connection);
	if (at == SLOT_NONE) {
		return ACCEPTED; /* it never registered: nobody left */
	}
	emit_disconnected(out, state, command, &state->agents[at], (enum leave_reason)c->reason);
	return ACCEPTED;
}

static void
emit_relayed(struct event_list *out, const struct session_state *state,
	     const struct command *command, const struct agent *from, const struct agent *to)
{
	static const enum event_type types[] = {
		[SIGNAL_OFFER] = EVENT_SDP_OFFER_RELAYED,
		[SIGNAL_ANSWER] = EVENT_SDP_ANSWER_RELAYED,
		[SIGNAL_CANDIDATE] = EVENT_ICE_CANDIDATE_RELAYED,
	};
	struct event *event = emit(out, types[command->signal.kind], command, &from->trace);

	/* The three events have the same fields; only their number differs. */
	event->sdp_offer_relayed = (struct event_sdp_offer_relayed){
		.from = from->agent,
		.to = to->agent,
		.room = state->rooms[from->room].room,
		.digest = command->signal.digest,
		.bytes = command->signal.bytes,
	};
}
_Static_assert(sizeof(struct event_sdp_offer_relayed) == sizeof(struct event_sdp_answer_relayed) &&
		       sizeof(struct event_sdp_offer_relayed) ==
			       sizeof(struct event_ice_candidate_relayed),
	       "the three relayed events have the same fields");

static enum verdict
decide_signal(const struct session_state *state, const struct command *command,
	      struct event_list *out)
{
	const struct command_signal *c = &command->signal;
	const uint32_t from = session_find_connection(state, &command->instance, c->connection);

	if (c->kind < SIGNAL_OFFER || c->kind > SIGNAL_CANDIDATE) {
		return REFUSED_MALFORMED;
	}
	if (from == SLOT_NONE) {
		return REFUSED_NOT_REGISTERED;
	}
	const struct agent *sender = &state->agents[from];
	if (!name_equal(&sender->name, &c->from)) {
		return REFUSED_SPOOFED;
	}
	const uint32_t to = session_find_name(state, sender->room, &c->to);
	if (to == SLOT_NONE || session_is_orphan(state, &state->agents[to])) {
		/* A candidate that comes too late is no mistake of anybody's. */
		return c->kind == SIGNAL_CANDIDATE ? ACCEPTED : REFUSED_NO_SUCH_AGENT;
	}
	emit_relayed(out, state, command, sender, &state->agents[to]);
	return ACCEPTED;
}

static enum verdict
decide_refused(const struct session_state *state, const struct command *command,
	       struct event_list *out)
{
	const struct command_signaling_refused *c = &command->signaling_refused;
	const struct name today = directory_day(command->now_us);
	enum verdict verdict;
	struct id day;

	if (!verdict_from_number(c->verdict, &verdict) || verdict == ACCEPTED || c->count == 0) {
		return REFUSED_MALFORMED;
	}
	if (!subject_for(state, DIRECTORY_DAY, &today, &c->day, &day)) {
		return REFUSED_MALFORMED;
	}
	struct event *event =
		emit(out, EVENT_SIGNALING_REQUEST_REFUSED, command, &command->trace_id);

	event->signaling_request_refused = (struct event_signaling_request_refused){
		.day = day,
		.gateway = command->front,
		.verdict = c->verdict,
		.count = c->count,
		.window_us = c->window_us,
		.source = c->source,
		.agent_name =
			name_is_wellformed(&c->agent_name) ? c->agent_name : (struct name){ 0 },
	};
	return ACCEPTED;
}

static enum verdict
decide_attach(const struct session_state *state, const struct command *command,
	      struct event_list *out)
{
	const struct id *instance = &command->attach.instance;

	if (!front_is_valid(command->front) || id_is_none(instance)) {
		return REFUSED_MALFORMED;
	}
	if (fronts_is_current(&state->fronts, command->front, instance)) {
		return ACCEPTED; /* it was session that restarted */
	}
	emit(out, EVENT_GATEWAY_ATTACHED, command, &command->trace_id)->gateway_attached =
		(struct event_gateway_attached){ .gateway = command->front, .instance = *instance };
	return ACCEPTED;
}

/* One round of agents that leave without having said so: the orphans, or at the end all. */
static enum verdict
decide_round(const struct session_state *state, const struct command *command,
	     enum leave_reason reason, struct event_list *out)
{
	uint32_t left = reason == LEAVE_SHUTDOWN ? state->agent_count : state->orphans;

	for (size_t i = 0; left > 0 && out->count < EVENTS_PER_COMMAND_MAX; i++) {
		assert(i < state->sizes.agents);
		const struct agent *agent = &state->agents[i];

		if (agent->room == SLOT_NONE ||
		    (reason == LEAVE_GATEWAY_LOST && !session_is_orphan(state, agent))) {
			continue;
		}
		emit_disconnected(out, state, command, agent, reason);
		left--;
	}
	return ACCEPTED;
}

/* First the registrations, in every room; what they leave in the directory goes in the next rounds.
 */
static enum verdict
decide_expel(const struct session_state *state, const struct command *command,
	     struct event_list *out)
{
	const struct name *name = &command->expel.agent_name;
	struct id known[EVENTS_PER_COMMAND_MAX];

	if (command->expel.over == 0) {
		return ACCEPTED; /* gateways hold nothing that session would not end itself */
	}
	for (size_t i = 0; i < state->sizes.agents && out->count < EVENTS_PER_COMMAND_MAX; i++) {
		const struct agent *agent = &state->agents[i];

		if (agent->room != SLOT_NONE && name_equal(&agent->name, name)) {
			emit_disconnected(out, state, command, agent, LEAVE_EXPELLED);
		}
	}
	if (out->count > 0) {
		return ACCEPTED;
	}
	const size_t count = directory_find_all(state->directory, DIRECTORY_AGENT, name_equal, name,
						known, EVENTS_PER_COMMAND_MAX);
	for (size_t i = 0; i < count; i++) {
		emit(out, EVENT_SUBJECT_FORGOTTEN, command, &command->trace_id)
			->subject_forgotten.agent = known[i];
	}
	return ACCEPTED;
}

/* Its registrations, in every room; its name stays known. */
static enum verdict
decide_kill(const struct session_state *state, const struct command *command,
	    struct event_list *out)
{
	for (size_t i = 0; i < state->sizes.agents && out->count < EVENTS_PER_COMMAND_MAX; i++) {
		const struct agent *agent = &state->agents[i];

		if (agent->room != SLOT_NONE &&
		    name_equal(&agent->name, &command->kill.agent_name)) {
			emit_disconnected(out, state, command, agent, LEAVE_KILLED);
		}
	}
	return ACCEPTED;
}

static enum verdict
decide_digest(const struct command *command, struct event_list *out)
{
	struct event *event = emit(out, EVENT_SESSION_STATE_DIGEST, command, &command->trace_id);

	event->session_state_digest = (struct event_session_state_digest){
		.version = command->digest.version,
		.digest = command->digest.digest,
	};
	return ACCEPTED;
}

static enum verdict
decide_front(const struct session_state *state, const struct command *command,
	     struct event_list *out)
{
	if (!fronts_is_current(&state->fronts, command->front, &command->instance)) {
		return REFUSED_NOT_ATTACHED;
	}
	switch ((int)command->type) {
	case COMMAND_REGISTER:
		return decide_register(state, command, out);
	case COMMAND_LEAVE:
		return decide_leave(state, command, out);
	case COMMAND_SIGNAL:
		return decide_signal(state, command, out);
	case COMMAND_SIGNALING_REFUSED:
		return decide_refused(state, command, out);
	case COMMAND_EXPELLED:
		return ACCEPTED; /* said to the desk: nothing of ours changes */
	}
	return REFUSED_MALFORMED; /* another actor's command, or one only session gives itself */
}

static enum verdict
decide(const void *state, const struct command *command, struct event_list *out)
{
	switch ((int)command->type) {
	case COMMAND_ATTACH:
		return decide_attach(state, command, out);
	case COMMAND_SWEEP:
		return command->front != 0 ? REFUSED_MALFORMED
					   : decide_round(state, command, LEAVE_GATEWAY_LOST, out);
	case COMMAND_CLOSE:
		return command->front != 0 ? REFUSED_MALFORMED
					   : decide_round(state, command, LEAVE_SHUTDOWN, out);
	case COMMAND_DIGEST:
		return command->front != 0 ? REFUSED_MALFORMED : decide_digest(command, out);
	case COMMAND_EXPEL:
		return command->front != 0 ? REFUSED_MALFORMED : decide_expel(state, command, out);
	case COMMAND_KILL:
		return command->front != 0 ? REFUSED_MALFORMED : decide_kill(state, command, out);
	}
	return decide_front(state, command, out);
}

/* A front repeats after a crash all that is not settled, and what it sent before its last accepted
 * command was decided: unless it is remembered, it was refused then. It stays refused, for the
 * front has been told of later things since and would take an acceptance for a repetition. */
static bool
was_refused(const struct session_state *state, const struct command *command)
{
	return fronts_repeat(&state->fronts, command) && !session_repeats(state, command);
}

enum verdict
session_decide(const void *state, const struct command *command, struct event_list *out)
{
	const enum verdict verdict = decide(state, command, out);

	if (verdict != ACCEPTED || out->count == 0 || !was_refused(state, command)) {
		return verdict;
	}
	out->count = 0;
	return command->type == COMMAND_REGISTER ? REFUSED_TAKEN : REFUSED_NO_SUCH_AGENT;
}
