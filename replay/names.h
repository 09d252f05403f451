/* The names behind handles, as far as events that could be read have said them. Bounded: the oldest
 * learnt are forgotten first, and shown as handles again.
 */
#ifndef IFSWARM_REPLAY_NAMES_H
#define IFSWARM_REPLAY_NAMES_H

#include "protocol/event.h"
#include "replay/idmap.h"

enum { NAMES_MAX = 32768 };

struct names {
	struct idmap places;
	struct names_item *items;
	uint32_t next;
};

void names_make(struct names *names);
void names_free(struct names *names);

/* Agents, rooms and TURN users whose name the event says (a user by the agent part of its name). */
void names_learn(struct names *names, const struct event *event);
/* NULL if unknown. Valid until something is learnt. */
const struct name *names_find(const struct names *names, const struct id *handle);

/* How a reader asks for a name: from what was learnt, or from farther away. */
typedef const struct name *names_ask(void *context, const struct id *handle);

#endif
