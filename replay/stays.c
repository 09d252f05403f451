#include "replay/stays.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { STAYS_AT_FIRST = 256 };

void
stays_make(struct stays *stays)
{
	memset(stays, 0, sizeof *stays);
	idmap_make(&stays->present, 2 * AGENTS_MAX);
	stays->room = STAYS_AT_FIRST;
	stays->items = calloc(stays->room, sizeof stays->items[0]);
	assert(stays->items != NULL);
}

void
stays_free(struct stays *stays)
{
	idmap_free(&stays->present);
	free(stays->items);
}

struct id
stays_key(const struct id *agent, const struct id *room)
{
	struct id key;

	for (size_t i = 0; i < sizeof key.bytes; i++) {
		key.bytes[i] = agent->bytes[i] ^ room->bytes[(i + 1) % sizeof room->bytes];
	}
	return key;
}

static void
leave(struct stays *stays, const struct entry *entry, const struct id *agent, const struct id *room,
      uint64_t reason)
{
	const struct id key = stays_key(agent, room);
	const uint32_t *place = idmap_find(&stays->present, &key);

	if (place == NULL) {
		return;
	}
	struct stay *stay = &stays->items[*place];
	stay->to_seq = entry->seq;
	stay->to_us = entry->recorded_us;
	stay->reason = reason;
	idmap_remove(&stays->present, &key);
}

static bool
make_room(struct stays *stays)
{
	if (stays->count < stays->room) {
		return true;
	}
	if (stays->room == STAYS_MAX) {
		return false;
	}
	stays->room *= 2;
	stays->items = realloc(stays->items, stays->room * sizeof stays->items[0]);
	assert(stays->items != NULL);
	return true;
}

static void
join(struct stays *stays, const struct entry *entry, const struct event_agent_registered *e)
{
	const struct id key = stays_key(&e->agent, &e->room);

	if (!make_room(stays) || !idmap_put(&stays->present, &key, (uint32_t)stays->count)) {
		stays->not_kept++;
		return;
	}
	stays->items[stays->count++] = (struct stay){
		.agent = e->agent,
		.room = e->room,
		.from_seq = entry->seq,
		.from_us = entry->recorded_us,
		.gateway = e->gateway,
	};
}

void
stays_feed(struct stays *stays, const struct entry *entry, const struct event *event)
{
	if (event->type == EVENT_AGENT_REGISTERED) {
		const struct event_agent_registered *e = &event->agent_registered;
		leave(stays, entry, &e->agent, &e->room, 0); /* the second replaces the first */
		join(stays, entry, e);
	} else if (event->type == EVENT_AGENT_DISCONNECTED) {
		const struct event_agent_disconnected *e = &event->agent_disconnected;
		leave(stays, entry, &e->agent, &e->room, e->reason);
	}
}
