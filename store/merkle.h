/* The Merkle tree of RFC 6962 section 2.1, kept as the tiles of C2SP tlog-tiles: 256 hashes each.
 * Tile (level, index) holds the roots of the complete subtrees of 256^level leaves from index * 256
 * on.
 *
 * `struct merkle` holds the unfinished tile of every level. A leaf goes into level 0; a tile that
 * fills up is handed out once, and its root goes into the tile above. So an append costs one node
 * hash on average, and the root (at most 255 hashes a level) is computed only when somebody asks.
 *
 * Inclusion and consistency proofs read tiles through the same `merkle_fetch`.
 */
#ifndef IFSWARM_STORE_MERKLE_H
#define IFSWARM_STORE_MERKLE_H

#include "protocol/types.h"

enum { MERKLE_LEVELS = 8 }; /* 256^8 = 2^64 leaves */

struct merkle_tile {
	uint32_t count;
	struct digest hashes[TILE_HASHES];
};

struct merkle {
	uint64_t size;
	struct merkle_tile level[MERKLE_LEVELS]; /* each with fewer than TILE_HASHES */
};

/* SHA-256(0x00 || leaf), SHA-256(0x01 || left || right), SHA-256(""). */
void merkle_leaf_hash(struct span leaf, struct digest *out);
void merkle_node_hash(const struct digest *left, const struct digest *right, struct digest *out);
void merkle_empty_hash(struct digest *out);

/* The root of the tree over `count` hashes of complete subtrees of equal size, count at least 1. */
void merkle_hashes_root(const struct digest *hashes, size_t count, struct digest *out);

void merkle_init(struct merkle *tree);

/* Receives a tile that has just become full; false stops (merkle_append is then false too, and the
 * tree is to be thrown away). `hashes` are TILE_HASHES of them. */
typedef bool merkle_emit(void *context, unsigned level, uint64_t index,
			 const struct digest *hashes);

bool merkle_append(struct merkle *tree, const struct digest *leaf, merkle_emit *emit,
		   void *context);

/* The root of all leaves so far. */
void merkle_root(const struct merkle *tree, struct digest *out);

/* Gives the first `count` (1 to TILE_HASHES) hashes of a tile; false if it cannot. */
typedef bool merkle_fetch(void *context, unsigned level, uint64_t index, uint32_t count,
			  struct digest *hashes);

/* The tree as it was with `size` leaves, from its tiles. */
bool merkle_resume(struct merkle *tree, uint64_t size, merkle_fetch *fetch, void *context);

/* "tile/0/x001/234.p/17" (C2SP tlog-tiles): level 0 and up, or MERKLE_ENTRIES for "tile/entries/…".
 * `width` is 1 to TILE_HASHES; below TILE_HASHES the tile is partial. */
enum { MERKLE_ENTRIES = -1, MERKLE_PATH_MAX = 64 };
void merkle_tile_path(char out[MERKLE_PATH_MAX], int level, uint64_t index, uint32_t width);

#endif
