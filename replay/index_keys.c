#include "replay/index_keys.h"

#include "replay/who.h"

/* Any will do, but it is part of the index's format. */
enum { COMMAND_SEED = 0xC0 };

uint64_t
index_command_of(const struct id *command)
{
	return hash_bytes(COMMAND_SEED, command->bytes, sizeof command->bytes) % INDEX_COMMANDS;
}

static void
add_id(const struct index_keys *keys, const struct id *id)
{
	if (!id_is_none(id)) {
		keys->id(keys->context, id);
	}
}

/* A TURN user name stands for itself and for its agent. */
static void
add_name(const struct index_keys *keys, const struct name *name)
{
	const struct name agent = who_agent_of_user(name);

	if (name->length == 0) {
		return;
	}
	keys->name(keys->context, name);
	if (!name_equal(name, &agent)) {
		keys->name(keys->context, &agent);
	}
}

static void
add_fields(const struct index_keys *keys, const struct event *event)
{
	const struct record_shape shape = event_describe(event->type)->shape;
	const uint8_t *record = event_fields_const(event);

	for (size_t i = 0; i < shape.count; i++) {
		const void *value = record + shape.fields[i].offset;

		if (shape.fields[i].kind == FIELD_ID) {
			add_id(keys, value);
		} else if (shape.fields[i].kind == FIELD_NAME) {
			add_name(keys, value);
		}
	}
}

static void
add_presence(const struct index_keys *keys, const struct event *event)
{
	if (event->type == EVENT_AGENT_REGISTERED) {
		const struct event_agent_registered *e = &event->agent_registered;
		keys->named(keys->context, &e->agent);
		keys->named(keys->context, &e->room);
		keys->presence(keys->context, &e->room, &e->agent, true);
	} else if (event->type == EVENT_AGENT_DISCONNECTED) {
		const struct event_agent_disconnected *e = &event->agent_disconnected;
		keys->presence(keys->context, &e->room, &e->agent, false);
	} else if (event->type == EVENT_TURN_ALLOCATION_CREATED) {
		keys->named(keys->context, &event->turn_allocation_created.user);
	}
}

void
index_keys_of(const struct index_keys *keys, const struct entry *entry, const struct event *event)
{
	add_id(keys, &entry->trace_id);
	if (event != NULL) {
		add_fields(keys, event);
		add_presence(keys, event);
	}
}
