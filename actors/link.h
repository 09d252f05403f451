/* The front's end of the line to its actor (a gateway's to session, a relay's to allocation): what
 * the pure half of actors/desk.h is at the other end.
 *
 * It keeps commands until they are settled, repeats them after the actor was restarted, and hands
 * out notices in order, each once. While it is attached there is always a request on its way, so
 * that the actor can answer it with notices, and two at most: the second carries a batch of
 * commands, once the batch before is durable. An acknowledgement goes with the next request,
 * whichever it is. */
#ifndef IFSWARM_ACTORS_LINK_H
#define IFSWARM_ACTORS_LINK_H

#include "actors/fronts.h"

enum { LINK_LANES = 2, LINK_BATCHES_MAX = 1024, LINK_BYTES_MAX = 8 * 1024 * 1024 };

enum link_state {
	LINK_DETACHED, /* not attached yet, or the actor was restarted */
	LINK_ATTACHED,
	LINK_LOST, /* the actor gave this instance up for dead: end the process, a new one attaches
		    */
};

struct link_batch {
	uint64_t number;
	size_t start;
	size_t end;
	uint32_t commands;
};

/* The last notice seen from each origin, so that a repeated one is recognised. */
struct link_seen {
	struct id instance;
	struct id command;
	uint64_t ordinal;
};

/* A request that is on its way. */
struct link_lane {
	bool asked;
	bool attaching;
	uint64_t attachment; /* which one it belongs to */
};

struct link {
	uint64_t front;
	struct id instance;
	uint64_t epoch;
	enum link_state state;

	uint8_t *memory; /* encoded commands, oldest first */
	size_t used;
	struct link_batch batches[LINK_BATCHES_MAX];
	size_t first;
	size_t count;
	size_t sent; /* of the count, since the last attach */
	bool open;   /* the last batch is not sent and takes commands */
	uint64_t next_number;

	struct link_lane lanes[LINK_LANES];
	uint64_t attachment;   /* counts them */
	uint64_t requests;     /* since the last attach */
	uint64_t going;        /* number of the batch that is not known to be durable, or 0 */
	uint64_t taken;        /* number of the last notice handed out since the last attach */
	uint64_t acknowledged; /* what the actor was told of that */
	bool missed;           /* notices have not come: they must be told again */
	struct mp_reader notices;
	size_t notices_left;
	struct link_seen seen[FRONTS_MAX + 1];
};

/* `memory` is LINK_BYTES_MAX bytes that outlive the link; `instance` is random. */
void link_init(struct link *link, uint64_t front, const struct id *instance, uint8_t *memory);

/* Takes a command (its command_id newer than any before). False if too much is unsettled: refuse
 * the work. */
bool link_put(struct link *link, const struct command *command, struct span body);
/* True if nothing that was put is unsettled. */
bool link_is_settled(const struct link *link);

/* Writes the next request of a lane that is free; false if there is none now. `is_idle` says that
 * nothing has gone for a while: then an acknowledgement goes alone. */
bool link_request(struct link *link, size_t lane, bool is_idle, struct mp_writer *w);
/* A lane's reply. It must stay where it is until link_notice has returned false. */
void link_reply(struct link *link, size_t lane, struct span reply);
/* The next notice; false if there is none now. `body` is borrowed from the reply. */
bool link_notice(struct link *link, struct notice *out, struct span *body);

#endif
