/* Point reads in witness.db that the writer and the readers share: one entry, the hashes of one
 * tile, the newest rows. */
#ifndef IFSWARM_STORE_LOOKUP_IO_H
#define IFSWARM_STORE_LOOKUP_IO_H

#include "store/db_io.h"
#include "store/entry.h"
#include "store/merkle.h"

extern const struct db_kind log_kind; /* witness.db */

/* The hashes of a tile that is not full yet, computed from the tiles below it: up to 65,280 node
 * hashes, which the next proof would compute again. What is complete below never changes. */
struct lookup_derived {
	uint64_t index;
	uint32_t count; /* 0: none */
	struct digest hashes[TILE_HASHES];
};

struct lookup {
	sqlite3 *db;
	sqlite3_stmt *size;
	sqlite3_stmt *entry;
	sqlite3_stmt *leaves;
	sqlite3_stmt *tile;
	struct lookup_derived
		derived[MERKLE_LEVELS]; /* the newest of each level; none of level 0 */
};

/* False if the schema is not ours. */
bool lookup_open(struct lookup *lookup, sqlite3 *db);
void lookup_close(struct lookup *lookup);

/* Number of events: the highest seq and one. */
bool lookup_size(struct lookup *lookup, uint64_t *size);
/* The entry's bytes, copied; false if there is no such row (or it is longer than an entry can be).
 */
bool lookup_entry(struct lookup *lookup, uint64_t seq, uint8_t memory[ENTRY_BYTES_MAX],
		  struct span *out);
/* As an event; ENTRY_BROKEN if it is missing or unreadable. Personal fields stay empty. */
enum entry_meaning lookup_event(struct lookup *lookup, uint64_t seq, struct entry *header,
				struct event *out);
/* A merkle_fetch over a struct lookup: a full tile as stored, else computed from what lies below.
 */
bool lookup_hashes(void *lookup, unsigned level, uint64_t index, uint32_t count,
		   struct digest *hashes);

/* The key that a row of sealed parts id = seq * 2 + part, and a tile's id = level << 56 | index. */
uint64_t sealed_id(uint64_t seq, unsigned part);
uint64_t tile_id(unsigned level, uint64_t index);

#endif
