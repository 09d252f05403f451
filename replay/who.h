/* Which events concern an agent or a room.
 *
 * One agent has several handles in a log: one for each lifetime of the directory, and one each as a
 * signaling agent and as a TURN user. All are found by the unsealed name as the log is read from
 * its start; allocations also through the trace that joins them to a registration. A TURN user name
 * may be "agent" or "expiry:agent". Without keys a handle can be given instead of a name.
 */
#ifndef IFSWARM_REPLAY_WHO_H
#define IFSWARM_REPLAY_WHO_H

#include "protocol/event.h"
#include "replay/idmap.h"

enum {
	WHO_HANDLES_MAX = 4096,
	WHO_TRACES_MAX = 65536,
};

struct who {
	bool is_any; /* nobody was asked for: every event concerns them */
	struct name name;
	struct idmap handles; /* as agent, as user, or as room */
	struct idmap traces;
	struct idmap allocations;
	bool is_overfull; /* more handles than fit: the answer may be short of some */
	/* Told of every handle, trace and allocation that is learnt; may be NULL. */
	void (*learnt)(void *context, const struct id *id);
	void *context;
};

/* `word`: a name, a handle of 32 hex digits, or NULL for anybody. */
void who_make(struct who *who, const char *word);
void who_free(struct who *who);

/* The agent part of a TURN user name: after "digits:", or all of it. */
struct name who_agent_of_user(const struct name *user);

bool who_is_handle(const struct who *who, const struct id *id);

/* Learns handles, traces and allocations from the event; true if it concerns that agent. Events are
 * given in order, from the first. */
bool who_concerns_agent(struct who *who, const struct event *event);
/* The same for a room: registrations, departures and signals within it. */
bool who_concerns_room(struct who *who, const struct event *event);

#endif
