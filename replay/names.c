#include "replay/names.h"

#include <assert.h>
#include <stdlib.h>

#include "replay/who.h"

struct names_item {
	struct id handle;
	struct name name;
};

void
names_make(struct names *names)
{
	idmap_make(&names->places, NAMES_MAX);
	names->items = calloc(NAMES_MAX, sizeof names->items[0]);
	assert(names->items != NULL);
	names->next = 0;
}

void
names_free(struct names *names)
{
	idmap_free(&names->places);
	free(names->items);
	names->items = NULL;
}

static void
learn(struct names *names, const struct id *handle, const struct name *name)
{
	if (id_is_none(handle) || name->length == 0 || idmap_find(&names->places, handle) != NULL) {
		return;
	}
	struct names_item *item = &names->items[names->next];
	if (!id_is_none(&item->handle)) {
		idmap_remove(&names->places, &item->handle);
	}
	*item = (struct names_item){ *handle, *name };
	idmap_put(&names->places, handle, names->next);
	names->next = (names->next + 1) % NAMES_MAX;
}

void
names_learn(struct names *names, const struct event *event)
{
	if (event->type == EVENT_AGENT_REGISTERED) {
		learn(names, &event->agent_registered.agent, &event->agent_registered.agent_name);
		learn(names, &event->agent_registered.room, &event->agent_registered.room_name);
	}
	if (event->type == EVENT_TURN_ALLOCATION_CREATED) {
		const struct event_turn_allocation_created *e = &event->turn_allocation_created;
		const struct name agent = who_agent_of_user(&e->user_name);
		learn(names, &e->user, &agent);
	}
}

const struct name *
names_find(const struct names *names, const struct id *handle)
{
	const uint32_t *place = idmap_find(&names->places, handle);

	return place == NULL ? NULL : &names->items[*place].name;
}
