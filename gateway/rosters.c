#include "gateway/rosters.h"

#include <stdlib.h>

struct member {
	struct name name;    /* empty: this slot is free */
	uint64_t connection; /* 0: at another gateway */
	uint32_t room;
	uint32_t before;
	uint32_t after;
	uint32_t here_before; /* among those connected here */
	uint32_t here_after;
};

struct room {
	struct id room;
	uint32_t first;
	uint32_t last;
	uint32_t here_first;
};

/* There is a room slot for each member slot: each room has a member. */
struct rosters {
	uint64_t seed;
	size_t max;
	struct member *members;
	struct room *rooms;
	uint32_t *free_members;
	uint32_t *free_rooms;
	size_t free_member_count;
	size_t free_room_count;
	struct chains by_name;
	struct chains by_room;
};

struct rosters *
rosters_new(size_t members_max, uint64_t seed)
{
	struct rosters *r = calloc(1, sizeof *r);

	if (r == NULL) {
		return NULL;
	}
	r->seed = seed;
	r->max = members_max;
	r->members = calloc(members_max, sizeof *r->members);
	r->rooms = calloc(members_max, sizeof *r->rooms);
	r->free_members = malloc(members_max * sizeof *r->free_members);
	r->free_rooms = malloc(members_max * sizeof *r->free_rooms);
	if (r->members == NULL || r->rooms == NULL || r->free_members == NULL ||
	    r->free_rooms == NULL || !chains_init(&r->by_name, members_max) ||
	    !chains_init(&r->by_room, members_max)) {
		rosters_free(r);
		return NULL;
	}
	for (size_t i = 0; i < members_max; i++) {
		r->free_members[i] = (uint32_t)i;
		r->free_rooms[i] = (uint32_t)i;
	}
	r->free_member_count = members_max;
	r->free_room_count = members_max;
	return r;
}

void
rosters_free(struct rosters *rosters)
{
	if (rosters == NULL) {
		return;
	}
	free(rosters->members);
	free(rosters->rooms);
	free(rosters->free_members);
	free(rosters->free_rooms);
	chains_free(&rosters->by_name);
	chains_free(&rosters->by_room);
	free(rosters);
}

static uint64_t
room_hash(const struct rosters *r, const struct id *room)
{
	return hash_bytes(r->seed, room->bytes, sizeof room->bytes);
}

static uint64_t
name_hash(const struct rosters *r, uint32_t room, const struct name *name)
{
	return hash_bytes(r->seed + room, name->bytes, name->length);
}

static uint32_t
find_room(const struct rosters *r, const struct id *room)
{
	uint32_t at = chains_first(&r->by_room, room_hash(r, room));

	while (at != SLOT_NONE && !id_equal(&r->rooms[at].room, room)) {
		at = chains_next(&r->by_room, at);
	}
	return at;
}

static uint32_t
find_member(const struct rosters *r, uint32_t room, const struct name *name)
{
	uint32_t at = chains_first(&r->by_name, name_hash(r, room, name));

	while (at != SLOT_NONE &&
	       (r->members[at].room != room || !name_equal(&r->members[at].name, name))) {
		at = chains_next(&r->by_name, at);
	}
	return at;
}

bool
roster_has(const struct rosters *rosters, const struct id *room)
{
	return find_room(rosters, room) != SLOT_NONE;
}

static uint32_t
open_room(struct rosters *r, const struct id *room)
{
	const uint32_t at = r->free_rooms[--r->free_room_count];

	r->rooms[at] = (struct room){
		.room = *room, .first = SLOT_NONE, .last = SLOT_NONE, .here_first = SLOT_NONE
	};
	chains_link(&r->by_room, room_hash(r, room), at);
	return at;
}

static void
set_here(struct rosters *r, uint32_t at, uint64_t connection)
{
	struct member *member = &r->members[at];
	struct room *room = &r->rooms[member->room];

	member->connection = connection;
	if (connection == 0) {
		return;
	}
	member->here_before = SLOT_NONE;
	member->here_after = room->here_first;
	if (room->here_first != SLOT_NONE) {
		r->members[room->here_first].here_before = at;
	}
	room->here_first = at;
}

static void
unset_here(struct rosters *r, uint32_t at)
{
	const struct member *member = &r->members[at];
	struct room *room = &r->rooms[member->room];

	if (member->connection == 0) {
		return;
	}
	*(member->here_before == SLOT_NONE ? &room->here_first
					   : &r->members[member->here_before].here_after) =
		member->here_after;
	if (member->here_after != SLOT_NONE) {
		r->members[member->here_after].here_before = member->here_before;
	}
}

static void
add_member(struct rosters *r, uint32_t room, const struct name *name, uint64_t connection)
{
	const uint32_t at = r->free_members[--r->free_member_count];
	struct room *into = &r->rooms[room];

	r->members[at] = (struct member){
		.name = *name, .room = room, .before = into->last, .after = SLOT_NONE
	};
	*(into->last == SLOT_NONE ? &into->first : &r->members[into->last].after) = at;
	into->last = at;
	set_here(r, at, connection);
	chains_link(&r->by_name, name_hash(r, room, name), at);
}

static void
remove_member(struct rosters *r, uint32_t at)
{
	const struct member *member = &r->members[at];
	struct room *room = &r->rooms[member->room];

	unset_here(r, at);
	chains_unlink(&r->by_name, name_hash(r, member->room, &member->name), at);
	*(member->before == SLOT_NONE ? &room->first : &r->members[member->before].after) =
		member->after;
	*(member->after == SLOT_NONE ? &room->last : &r->members[member->after].before) =
		member->before;
	r->members[at] = (struct member){ 0 };
	r->free_members[r->free_member_count++] = at;
}

enum roster_change
roster_join(struct rosters *rosters, const struct id *room, const struct name *name,
	    uint64_t connection, bool again)
{
	uint32_t at = find_room(rosters, room);

	/* Session lets no more agents in than AGENTS_MAX; a name that was erased cannot be listed.
	 */
	if (rosters->free_member_count == 0 || name->length == 0) {
		return ROSTER_SAME;
	}
	if (at == SLOT_NONE) {
		at = open_room(rosters, room);
	}
	const uint32_t member = find_member(rosters, at, name);
	if (member == SLOT_NONE) {
		add_member(rosters, at, name, connection);
		return ROSTER_CHANGED;
	}
	const uint64_t known = rosters->members[member].connection;
	if (known != connection) {
		unset_here(rosters, member);
		set_here(rosters, member, connection);
	}
	return again || known != connection ? ROSTER_REPLACED : ROSTER_SAME;
}

static void
close_room(struct rosters *r, uint32_t at)
{
	while (r->rooms[at].first != SLOT_NONE) {
		remove_member(r, r->rooms[at].first);
	}
	chains_unlink(&r->by_room, room_hash(r, &r->rooms[at].room), at);
	r->free_rooms[r->free_room_count++] = at;
}

enum roster_change
roster_leave(struct rosters *rosters, const struct id *room, const struct name *name)
{
	const uint32_t at = find_room(rosters, room);
	const uint32_t member = at == SLOT_NONE ? SLOT_NONE : find_member(rosters, at, name);

	if (member == SLOT_NONE) {
		return ROSTER_SAME;
	}
	remove_member(rosters, member);
	if (rosters->rooms[at].here_first == SLOT_NONE) {
		close_room(rosters, at); /* from here on session tells us nothing of it */
	}
	return ROSTER_CHANGED;
}

bool
roster_find(const struct rosters *rosters, const struct name *name, struct id *room,
	    uint64_t *connection)
{
	for (size_t i = 0; name->length > 0 && i < rosters->max; i++) {
		const struct member *member = &rosters->members[i];

		if (name_equal(&member->name, name)) {
			*room = rosters->rooms[member->room].room;
			*connection = member->connection;
			return true;
		}
	}
	return false;
}

uint32_t
roster_next(const struct rosters *rosters, const struct id *room, uint32_t before)
{
	if (before != SLOT_NONE) {
		return rosters->members[before].after;
	}
	const uint32_t at = find_room(rosters, room);
	return at == SLOT_NONE ? SLOT_NONE : rosters->rooms[at].first;
}

uint32_t
roster_next_here(const struct rosters *rosters, const struct id *room, uint32_t before)
{
	if (before != SLOT_NONE) {
		return rosters->members[before].here_after;
	}
	const uint32_t at = find_room(rosters, room);
	return at == SLOT_NONE ? SLOT_NONE : rosters->rooms[at].here_first;
}

const struct name *
roster_name(const struct rosters *rosters, uint32_t member)
{
	return &rosters->members[member].name;
}

uint64_t
roster_connection(const struct rosters *rosters, uint32_t member)
{
	return rosters->members[member].connection;
}
