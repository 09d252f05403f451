/* Who is in the rooms that this gateway has somebody in: kept from session's notices, in their
 * order.
 *
 * Session sends the whole roster of a room once, with the first member here; from then on joins and
 * leaves. Members are added and removed by name, so that a notice told again changes nothing. */
#ifndef IFSWARM_GATEWAY_ROSTERS_H
#define IFSWARM_GATEWAY_ROSTERS_H

#include "actors/chains.h"

struct rosters;

struct rosters *rosters_new(size_t members_max, uint64_t seed);
void rosters_free(struct rosters *rosters);

/* True if somebody here is in that room. */
bool roster_has(const struct rosters *rosters, const struct id *room);

enum roster_change {
	ROSTER_SAME, /* it was there already, or not there, or there is no such room here */
	ROSTER_CHANGED,
	ROSTER_REPLACED, /* it took the place of another one of that name */
};

/* Adds a member; `connection` is its number here, 0 if it is at another gateway. A room is opened
 * by its first member. `again`: it takes the place of one of that name. */
enum roster_change roster_join(struct rosters *rosters, const struct id *room,
			       const struct name *name, uint64_t connection, bool again);
enum roster_change roster_leave(struct rosters *rosters, const struct id *room,
				const struct name *name);

/* Somebody of that name, in whatever room; false if there is nobody. Walks all rooms. */
bool roster_find(const struct rosters *rosters, const struct name *name, struct id *room,
		 uint64_t *connection);

/* Walks a room in the order of joining: start with SLOT_NONE, ends with SLOT_NONE. */
uint32_t roster_next(const struct rosters *rosters, const struct id *room, uint32_t before);
/* Walks only those that are connected here. */
uint32_t roster_next_here(const struct rosters *rosters, const struct id *room, uint32_t before);
const struct name *roster_name(const struct rosters *rosters, uint32_t member);
uint64_t roster_connection(const struct rosters *rosters, uint32_t member);

#endif
