/* A map from ids to small numbers, of a size fixed when it is made: what a report remembers while
 * it reads a log stays bounded however long the log is.
 */
#ifndef IFSWARM_REPLAY_IDMAP_H
#define IFSWARM_REPLAY_IDMAP_H

#include "protocol/types.h"

struct idmap {
	struct idmap_slot *slots;
	uint32_t mask;
	uint32_t count;
	uint32_t most;
};

/* Room for `most` ids. Asserts that there is memory. */
void idmap_make(struct idmap *map, uint32_t most);
void idmap_free(struct idmap *map);

/* Where the number of that id stands; NULL if it is not there. Valid until the map is changed. */
uint32_t *idmap_find(const struct idmap *map, const struct id *id);
/* Adds it or changes its number; false (and nothing changed) if it is new and the map is full. */
bool idmap_put(struct idmap *map, const struct id *id, uint32_t number);
/* Nothing happens if it is not there. */
void idmap_remove(struct idmap *map, const struct id *id);

#endif
