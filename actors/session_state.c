#include "actors/session_state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct session_sizes
session_sizes_default(void)
{
	return (struct session_sizes){
		.agents = AGENTS_MAX,
		.rooms = ROOMS_MAX,
		.names = SESSION_NAMES_MAX,
		.recent = RECENT_COMMANDS_MAX,
	};
}

static bool
free_slots_init(struct free_slots *list, size_t slots)
{
	list->slots = malloc(slots * sizeof *list->slots);
	if (list->slots == NULL) {
		return false;
	}
	for (list->count = 0; list->count < slots; list->count++) {
		list->slots[list->count] = (uint32_t)(slots - 1 - list->count);
	}
	return true;
}

static bool
allocate_tables(struct session_state *state)
{
	const struct session_sizes *sizes = &state->sizes;

	state->scratch_size = sizes->agents * SCRATCH_BYTES_PER_AGENT + 16;
	state->scratch = malloc(state->scratch_size);
	state->agents = calloc(sizes->agents, sizeof *state->agents);
	state->rooms = calloc(sizes->rooms, sizeof *state->rooms);
	state->recent = calloc(sizes->recent, sizeof *state->recent);
	state->directory = directory_new(sizes->names, state->seed);
	return state->scratch != NULL && state->agents != NULL && state->rooms != NULL &&
	       state->recent != NULL && state->directory != NULL &&
	       free_slots_init(&state->free_agents, sizes->agents) &&
	       free_slots_init(&state->free_rooms, sizes->rooms) &&
	       chains_init(&state->by_subject, sizes->agents) &&
	       chains_init(&state->by_name, sizes->agents) &&
	       chains_init(&state->by_connection, sizes->agents) &&
	       chains_init(&state->rooms_by_subject, sizes->rooms) &&
	       chains_init(&state->rooms_by_name, sizes->rooms);
}

struct session_state *
session_new(const struct session_sizes *sizes, uint64_t seed)
{
	assert(sizes->agents >= 1);
	assert(sizes->rooms >= 1);
	assert(sizes->rooms <= sizes->agents);
	assert(sizes->recent >= 1);
	struct session_state *state = calloc(1, sizeof *state);

	if (state == NULL) {
		return NULL;
	}
	state->sizes = *sizes;
	state->seed = seed;
	if (!allocate_tables(state)) {
		session_free(state);
		return NULL;
	}
	for (size_t i = 0; i < sizes->agents; i++) {
		state->agents[i].room = SLOT_NONE;
	}
	return state;
}

void
session_free(struct session_state *state)
{
	if (state == NULL) {
		return;
	}
	directory_free(state->directory);
	chains_free(&state->by_subject);
	chains_free(&state->by_name);
	chains_free(&state->by_connection);
	chains_free(&state->rooms_by_subject);
	chains_free(&state->rooms_by_name);
	free(state->free_agents.slots);
	free(state->free_rooms.slots);
	free(state->agents);
	free(state->rooms);
	free(state->recent);
	free(state->scratch);
	free(state);
}

static uint64_t
hash_id(const struct session_state *state, const struct id *id)
{
	return hash_bytes(state->seed, id->bytes, sizeof id->bytes);
}

static uint64_t
hash_name(const struct session_state *state, uint64_t with, const struct name *name)
{
	return hash_bytes(state->seed + with, name->bytes, name->length);
}

static uint64_t
hash_member(const struct session_state *state, const struct id *room, const struct id *agent)
{
	return hash_id(state, room) * 31 + hash_id(state, agent);
}

static uint64_t
hash_connection(const struct session_state *state, const struct id *instance, uint64_t connection)
{
	return hash_id(state, instance) + hash_bytes(state->seed, &connection, sizeof connection);
}

uint32_t
session_find_room(const struct session_state *state, const struct id *room)
{
	uint32_t at = chains_first(&state->rooms_by_subject, hash_id(state, room));

	while (at != SLOT_NONE && !id_equal(&state->rooms[at].room, room)) {
		at = chains_next(&state->rooms_by_subject, at);
	}
	return at;
}

uint32_t
session_find_room_name(const struct session_state *state, const struct name *name)
{
	uint32_t at = chains_first(&state->rooms_by_name, hash_name(state, 0, name));

	while (at != SLOT_NONE && !name_equal(&state->rooms[at].name, name)) {
		at = chains_next(&state->rooms_by_name, at);
	}
	return at;
}

uint32_t
session_find_agent(const struct session_state *state, const struct id *room, const struct id *agent)
{
	uint32_t at = chains_first(&state->by_subject, hash_member(state, room, agent));

	for (; at != SLOT_NONE; at = chains_next(&state->by_subject, at)) {
		const struct agent *found = &state->agents[at];

		if (id_equal(&found->agent, agent) &&
		    id_equal(&state->rooms[found->room].room, room)) {
			return at;
		}
	}
	return SLOT_NONE;
}

uint32_t
session_find_name(const struct session_state *state, uint32_t room, const struct name *name)
{
	uint32_t at = chains_first(&state->by_name, hash_name(state, room, name));

	for (; at != SLOT_NONE; at = chains_next(&state->by_name, at)) {
		const struct agent *found = &state->agents[at];

		if (found->room == room && name_equal(&found->name, name)) {
			return at;
		}
	}
	return SLOT_NONE;
}

uint32_t
session_find_connection(const struct session_state *state, const struct id *instance,
			uint64_t connection)
{
	uint32_t at =
		chains_first(&state->by_connection, hash_connection(state, instance, connection));

	for (; at != SLOT_NONE; at = chains_next(&state->by_connection, at)) {
		const struct agent *found = &state->agents[at];

		if (found->connection == connection && id_equal(&found->instance, instance)) {
			return at;
		}
	}
	return SLOT_NONE;
}

bool
session_is_orphan(const struct session_state *state, const struct agent *agent)
{
	return !fronts_is_current(&state->fronts, agent->gateway, &agent->instance);
}

uint32_t
session_open_room(struct session_state *state, const struct id *room, const struct name *name)
{
	uint32_t at = session_find_room(state, room);

	if (at != SLOT_NONE || state->free_rooms.count == 0) {
		return at;
	}
	at = state->free_rooms.slots[--state->free_rooms.count];
	state->rooms[at] = (struct room){
		.room = *room, .name = *name, .first = SLOT_NONE, .last = SLOT_NONE
	};
	chains_link(&state->rooms_by_subject, hash_id(state, room), at);
	if (name->length > 0) {
		chains_link(&state->rooms_by_name, hash_name(state, 0, name), at);
	}
	return at;
}

static void
close_room(struct session_state *state, uint32_t at)
{
	const struct room *room = &state->rooms[at];

	assert(room->first == SLOT_NONE);
	chains_unlink(&state->rooms_by_subject, hash_id(state, &room->room), at);
	if (room->name.length > 0) {
		chains_unlink(&state->rooms_by_name, hash_name(state, 0, &room->name), at);
	}
	state->free_rooms.slots[state->free_rooms.count++] = at;
}

static void
link_into_room(struct session_state *state, uint32_t at)
{
	struct agent *agent = &state->agents[at];
	struct room *room = &state->rooms[agent->room];

	agent->before = room->last;
	agent->after = SLOT_NONE;
	*(room->last == SLOT_NONE ? &room->first : &state->agents[room->last].after) = at;
	room->last = at;
	room->count++;
	room->at_gateway[agent->gateway] += !session_is_orphan(state, agent);
}

static void
unlink_from_room(struct session_state *state, uint32_t at)
{
	const struct agent *agent = &state->agents[at];
	struct room *room = &state->rooms[agent->room];

	assert(room->count > 0);
	*(agent->before == SLOT_NONE ? &room->first : &state->agents[agent->before].after) =
		agent->after;
	*(agent->after == SLOT_NONE ? &room->last : &state->agents[agent->after].before) =
		agent->before;
	room->count--;
	room->at_gateway[agent->gateway] -= !session_is_orphan(state, agent);
}

bool
session_put_agent(struct session_state *state, const struct agent *agent)
{
	assert(front_is_valid(agent->gateway));
	if (state->free_agents.count == 0) {
		return false;
	}
	const uint32_t at = state->free_agents.slots[--state->free_agents.count];

	state->agents[at] = *agent;
	link_into_room(state, at);
	chains_link(&state->by_subject,
		    hash_member(state, &state->rooms[agent->room].room, &agent->agent), at);
	chains_link(&state->by_connection,
		    hash_connection(state, &agent->instance, agent->connection), at);
	if (agent->name.length > 0) {
		chains_link(&state->by_name, hash_name(state, agent->room, &agent->name), at);
	}
	state->agent_count++;
	state->orphans += session_is_orphan(state, agent);
	return true;
}

void
session_take_agent(struct session_state *state, uint32_t slot)
{
	struct agent *agent = &state->agents[slot];
	const uint32_t room = agent->room;

	assert(room != SLOT_NONE);
	state->agent_count--;
	state->orphans -= session_is_orphan(state, agent);
	chains_unlink(&state->by_subject,
		      hash_member(state, &state->rooms[room].room, &agent->agent), slot);
	chains_unlink(&state->by_connection,
		      hash_connection(state, &agent->instance, agent->connection), slot);
	if (agent->name.length > 0) {
		chains_unlink(&state->by_name, hash_name(state, room, &agent->name), slot);
	}
	unlink_from_room(state, slot);
	agent->room = SLOT_NONE;
	state->free_agents.slots[state->free_agents.count++] = slot;
	if (state->rooms[room].count == 0) {
		close_room(state, room);
	}
}

void
session_count_orphans(struct session_state *state)
{
	state->orphans = 0;
	for (size_t i = 0; i < state->sizes.rooms; i++) {
		memset(state->rooms[i].at_gateway, 0, sizeof state->rooms[i].at_gateway);
	}
	for (size_t i = 0; i < state->sizes.agents; i++) {
		const struct agent *agent = &state->agents[i];

		if (agent->room == SLOT_NONE) {
			continue;
		}
		const bool orphan = session_is_orphan(state, agent);
		state->orphans += orphan;
		state->rooms[agent->room].at_gateway[agent->gateway] += !orphan;
	}
}

void
session_note_recent(struct session_state *state, const struct recent *recent)
{
	const size_t at = (state->recent_oldest + state->recent_count) % state->sizes.recent;

	state->recent[at] = *recent;
	if (state->recent_count < state->sizes.recent) {
		state->recent_count++;
	} else {
		state->recent_oldest = (state->recent_oldest + 1) % state->sizes.recent;
	}
}

const struct recent *
session_find_recent(const struct session_state *state, const struct id *command_id)
{
	for (size_t i = state->recent_count; i > 0; i--) {
		const size_t at = (state->recent_oldest + i - 1) % state->sizes.recent;

		if (id_equal(&state->recent[at].command_id, command_id)) {
			return &state->recent[at];
		}
	}
	return NULL;
}
