/* Under which keys an event stands in the index: every handle, allocation and trace in it, every
 * name, its type and its command; so that whatever a filter could learn from it or admit it for
 * leads to it. What is posted follows from the catalog, not from a list: a new event type needs
 * nothing here.
 */
#ifndef IFSWARM_REPLAY_INDEX_KEYS_H
#define IFSWARM_REPLAY_INDEX_KEYS_H

#include "protocol/event.h"
#include "store/entry.h"

struct index_keys {
	void (*id)(void *context, const struct id *id);
	void (*name)(void *context, const struct name *name);
	/* A handle, where its name is said with it. */
	void (*named)(void *context, const struct id *id);
	/* Somebody comes to or goes from a room. */
	void (*presence)(void *context, const struct id *room, const struct id *agent,
			 bool is_there);
	void *context;
};

/* `event` may be NULL. The same key may be given twice. Type and command stand in the entry. */
void index_keys_of(const struct index_keys *keys, const struct entry *entry,
		   const struct event *event);

/* Command ids are as many as events: so many of them share a key. */
enum { INDEX_COMMANDS = 2048 };
uint64_t index_command_of(const struct id *command);

#endif
