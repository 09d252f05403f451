#include "actors/session_state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The dump: [1, fronts, [[room, [[agent, gateway, instance, connection, trace], …]], …], directory,
 * [[command, type, agent, room], …]]. Rooms are sorted by their subject, agents of a room stand in
 * the order of their registration: slots are nobody's business. The personal dump: [1, [[room name,
 * [agent name, …]], …], directory names], in the same order. */
enum { DUMP_FORMAT = 1 };

struct sorted_room {
	struct id room;
	uint32_t slot;
};

_Static_assert(sizeof(struct sorted_room) <= SCRATCH_BYTES_PER_AGENT,
	       "there are no more rooms than agents");
_Static_assert((AGENTS_MAX + ROOMS_MAX + SESSION_NAMES_MAX) * (NAME_BYTES_MAX + 4) <
		       MESSAGE_BYTES_MAX / 2,
	       "a snapshot of all names fits one message");

static int
compare_rooms(const void *left, const void *right)
{
	const struct sorted_room *a = left;
	const struct sorted_room *b = right;

	return memcmp(a->room.bytes, b->room.bytes, sizeof a->room.bytes);
}

/* The open rooms, sorted, in the scratch memory. */
static const struct sorted_room *
sort_rooms(const struct session_state *state, size_t *count)
{
	struct sorted_room *sorted = (struct sorted_room *)(void *)state->scratch;

	*count = 0;
	for (uint32_t i = 0; i < state->sizes.rooms; i++) {
		if (state->rooms[i].count > 0) {
			sorted[(*count)++] = (struct sorted_room){ state->rooms[i].room, i };
		}
	}
	qsort(sorted, *count, sizeof *sorted, compare_rooms);
	return sorted;
}

static void
write_room(struct mp_writer *w, const struct session_state *state, const struct room *room)
{
	mp_put_array(w, 2);
	mp_put_id(w, &room->room);
	mp_put_array(w, room->count);
	for (uint32_t at = room->first; at != SLOT_NONE; at = state->agents[at].after) {
		const struct agent *agent = &state->agents[at];

		mp_put_array(w, 5);
		mp_put_id(w, &agent->agent);
		mp_put_u64(w, agent->gateway);
		mp_put_id(w, &agent->instance);
		mp_put_u64(w, agent->connection);
		mp_put_id(w, &agent->trace);
	}
}

static void
write_recent(struct mp_writer *w, const struct session_state *state)
{
	mp_put_array(w, state->recent_count);
	for (size_t i = 0; i < state->recent_count; i++) {
		const struct recent *recent =
			&state->recent[(state->recent_oldest + i) % state->sizes.recent];

		mp_put_array(w, 4);
		mp_put_id(w, &recent->command_id);
		mp_put_u64(w, recent->type);
		mp_put_id(w, &recent->agent);
		mp_put_id(w, &recent->room);
	}
}

void
session_dump(const void *state, struct mp_writer *w)
{
	const struct session_state *s = state;
	size_t rooms;
	const struct sorted_room *sorted = sort_rooms(s, &rooms);

	mp_put_array(w, 5);
	mp_put_u64(w, DUMP_FORMAT);
	fronts_write(w, &s->fronts);
	mp_put_array(w, rooms);
	for (size_t i = 0; i < rooms; i++) {
		write_room(w, s, &s->rooms[sorted[i].slot]);
	}
	directory_write(w, s->directory);
	write_recent(w, s);
}

static void
write_name(struct mp_writer *w, const struct name *name)
{
	if (name->length == 0) {
		mp_put_nil(w);
	} else {
		mp_put_str(w, name->bytes, name->length);
	}
}

void
session_dump_personal(const void *state, struct mp_writer *w)
{
	const struct session_state *s = state;
	size_t rooms;
	const struct sorted_room *sorted = sort_rooms(s, &rooms);

	mp_put_array(w, 3);
	mp_put_u64(w, DUMP_FORMAT);
	mp_put_array(w, rooms);
	for (size_t i = 0; i < rooms; i++) {
		const struct room *room = &s->rooms[sorted[i].slot];

		mp_put_array(w, 2);
		write_name(w, &room->name);
		mp_put_array(w, room->count);
		for (uint32_t at = room->first; at != SLOT_NONE; at = s->agents[at].after) {
			write_name(w, &s->agents[at].name);
		}
	}
	directory_write_names(w, s->directory);
}

/* `names` is NULL when nothing personal is known. */
static struct name
read_name(struct mp_reader *names)
{
	struct name name = { 0 };

	if (names == NULL || mp_take_nil(names)) {
		return name;
	}
	const struct span bytes = mp_get_str(names, NAME_BYTES_MAX);
	if (bytes.count > 0) {
		name_set(&name, (const char *)bytes.at, bytes.count);
	}
	return name;
}

static bool
read_agent(struct session_state *state, const struct id *room, const struct name *room_name,
	   struct mp_reader *r, struct mp_reader *names)
{
	r->bad |= mp_get_array(r, 5) != 5;
	struct agent agent = { .agent = mp_get_id(r) };
	agent.gateway = mp_get_u64(r);
	agent.instance = mp_get_id(r);
	agent.connection = mp_get_u64(r);
	agent.trace = mp_get_id(r);
	agent.name = read_name(names);
	if (r->bad || id_is_none(&agent.agent) || !front_is_valid(agent.gateway) ||
	    state->free_agents.count == 0 ||
	    session_find_agent(state, room, &agent.agent) != SLOT_NONE) {
		return false;
	}
	agent.room = session_open_room(state, room, room_name);
	return agent.room != SLOT_NONE && session_put_agent(state, &agent);
}

static bool
read_room(struct session_state *state, struct mp_reader *r, struct mp_reader *names)
{
	r->bad |= mp_get_array(r, 2) != 2;
	if (names != NULL) {
		names->bad |= mp_get_array(names, 2) != 2;
	}
	const struct id room = mp_get_id(r);
	const struct name room_name = read_name(names);
	const size_t agents = mp_get_array(r, state->sizes.agents);

	if (agents == 0 || id_is_none(&room) || session_find_room(state, &room) != SLOT_NONE ||
	    (names != NULL && mp_get_array(names, state->sizes.agents) != agents)) {
		return false;
	}
	for (size_t i = 0; i < agents; i++) {
		if (!read_agent(state, &room, &room_name, r, names)) {
			return false;
		}
	}
	return true;
}

static bool
read_rooms(struct session_state *state, struct mp_reader *r, struct mp_reader *names)
{
	const size_t rooms = mp_get_array(r, state->sizes.rooms);

	if (names != NULL && mp_get_array(names, state->sizes.rooms) != rooms) {
		return false;
	}
	for (size_t i = 0; i < rooms; i++) {
		if (!read_room(state, r, names)) {
			return false;
		}
	}
	return true;
}

static void
read_recent(struct session_state *state, struct mp_reader *r)
{
	const size_t count = mp_get_array(r, state->sizes.recent);

	for (size_t i = 0; i < count && !r->bad; i++) {
		struct recent recent;

		r->bad |= mp_get_array(r, 4) != 4;
		recent.command_id = mp_get_id(r);
		recent.type = (enum event_type)mp_get_u64(r);
		recent.agent = mp_get_id(r);
		recent.room = mp_get_id(r);
		session_note_recent(state, &recent);
	}
}

bool
session_restore(void *state, struct span dump, struct span personal)
{
	struct session_state *s = state;
	struct mp_reader r = mp_reader_of(dump);
	struct mp_reader p = mp_reader_of(personal);
	struct mp_reader *names = personal.count == 0 ? NULL : &p;

	assert(s->agent_count == 0);
	r.bad |= mp_get_array(&r, 5) != 5 || mp_get_u64(&r) != DUMP_FORMAT;
	if (names != NULL) {
		p.bad |= mp_get_array(&p, 3) != 3 || mp_get_u64(&p) != DUMP_FORMAT;
	}
	fronts_read(&r, &s->fronts);
	if (r.bad || p.bad || !read_rooms(s, &r, names) ||
	    !directory_read(s->directory, &r, names)) {
		return false;
	}
	read_recent(s, &r);
	return mp_reader_is_done(&r) && (names == NULL || mp_reader_is_done(&p));
}

/* Whose name is sealed away is still told apart by the handle. */
static void
write_name_or_handle(struct mp_writer *w, const struct name *name, const struct id *handle)
{
	if (name->length == 0) {
		mp_put_id(w, handle);
	} else {
		write_name(w, name);
	}
}

void
session_roster(const void *state, struct mp_writer *w)
{
	const struct session_state *s = state;

	mp_put_array(w, s->agent_count);
	for (size_t i = 0; i < s->sizes.agents; i++) {
		const struct agent *agent = &s->agents[i];

		if (agent->room != SLOT_NONE) {
			mp_put_array(w, 3);
			const struct room *room = &s->rooms[agent->room];
			write_name_or_handle(w, &room->name, &room->room);
			write_name_or_handle(w, &agent->name, &agent->agent);
			mp_put_u64(w, agent->gateway);
		}
	}
}
