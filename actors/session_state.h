/* The tables of session, for its own files (session.c, session_tell.c, session_dump.c) and nobody
 * else.
 *
 * Finding reads; putting and taking away are called from apply and restore alone. */
#ifndef IFSWARM_ACTORS_SESSION_STATE_H
#define IFSWARM_ACTORS_SESSION_STATE_H

#include "actors/chains.h"
#include "actors/directory.h"
#include "actors/fronts.h"
#include "actors/session.h"

struct agent {
	struct id agent; /* its subject */
	struct id trace;
	uint64_t gateway;
	struct id instance; /* of that gateway, when the agent registered */
	uint64_t connection;
	struct name name;
	uint32_t room;   /* slot; SLOT_NONE: this slot is free */
	uint32_t before; /* in the room, in order of registration */
	uint32_t after;
};

struct room {
	struct id room; /* its subject */
	struct name name;
	uint32_t count; /* agents in it; 0: this slot is free */
	uint32_t first;
	uint32_t last;
	uint32_t at_gateway[FRONTS_MAX + 1]; /* how many of them that are not orphans */
};

/* A command that was accepted, and whom it concerned. */
struct recent {
	struct id command_id;
	enum event_type type;
	struct id agent; /* none where it concerned nobody; of a signal the receiver */
	struct id room;
};

struct free_slots {
	uint32_t count;
	uint32_t *slots;
};

struct session_state {
	struct session_sizes sizes;
	uint64_t seed;
	struct fronts fronts;
	struct directory *directory;

	struct agent *agents;
	struct free_slots free_agents;
	uint32_t agent_count;
	uint32_t orphans;            /* agents whose gateway's instance is not attached any more */
	struct chains by_subject;    /* room and agent subjects */
	struct chains by_name;       /* room slot and agent name, if it is known */
	struct chains by_connection; /* gateway's instance and connection */

	struct room *rooms;
	struct free_slots free_rooms;
	struct chains rooms_by_subject;
	struct chains rooms_by_name; /* if it is known */

	struct recent *recent; /* a ring */
	size_t recent_oldest;
	size_t recent_count;

	uint8_t *scratch; /* of SCRATCH_BYTES_PER_AGENT for each agent: a roster, or rooms being
			     sorted */
	size_t scratch_size;
};

/* An array of names, or a sorted list of ids with their slots. */
enum { SCRATCH_BYTES_PER_AGENT = NAME_BYTES_MAX + 3 };

/* A reason for which a gateway says that an agent has left. */
static inline bool
session_is_gateways_reason(uint64_t reason)
{
	return reason == LEAVE_CLOSED || reason == LEAVE_TOO_SLOW || reason == LEAVE_TOO_FAST ||
	       reason == LEAVE_GATEWAY_STOPPED;
}

uint32_t session_find_room(const struct session_state *state, const struct id *room);
uint32_t session_find_room_name(const struct session_state *state, const struct name *name);
uint32_t session_find_agent(const struct session_state *state, const struct id *room,
			    const struct id *agent);
uint32_t session_find_name(const struct session_state *state, uint32_t room,
			   const struct name *name);
uint32_t session_find_connection(const struct session_state *state, const struct id *instance,
				 uint64_t connection);
/* True if the gateway's instance under which it registered is not the attached one. */
bool session_is_orphan(const struct session_state *state, const struct agent *agent);

/* A room with that subject, made if there is none; SLOT_NONE if all slots are taken. The caller
 * puts somebody into it: an empty room does not exist. */
uint32_t session_open_room(struct session_state *state, const struct id *room,
			   const struct name *name);
/* Puts a copy of `agent` at the end of the room `agent->room`; false if all slots are taken. */
bool session_put_agent(struct session_state *state, const struct agent *agent);
/* The room goes with its last agent. */
void session_take_agent(struct session_state *state, uint32_t slot);
/* Counts the orphans, and who is at which gateway, anew: after an attach. */
void session_count_orphans(struct session_state *state);

void session_note_recent(struct session_state *state, const struct recent *recent);
/* The newest entry of that command; NULL if there is none. */
const struct recent *session_find_recent(const struct session_state *state,
					 const struct id *command_id);

#endif
