/* The copies of a repair, and what they prove together: the largest checkpoint of the log's key is
 * the anchor, and from its root downwards every tile is proven by the one above it, every entry by
 * its leaf hash (RFC 9162 section 2.1, C2SP tlog-tiles). What does not prove is passed over:
 * another copy may have it. Shared by the repair_*_io.c files, and by nobody else. */
#ifndef IFSWARM_STORE_REPAIR_PROOF_IO_H
#define IFSWARM_STORE_REPAIR_PROOF_IO_H

#include "store/merkle.h"
#include "store/repair_io.h"
#include "store/repair_state_io.h"

struct repair_proof {
	const struct repair_plan *plan;
	struct repair_done
		*done; /* whose anchor it is; what the first copy lacked is counted there */
	struct repair_copy copies[REPAIR_SOURCES_MAX];
	unsigned count;
	struct merkle *frontier; /* of the anchor, proven */
	struct {
		bool is_known;
		uint64_t index;
		struct digest hashes[TILE_HASHES];
	} tiles[MERKLE_LEVELS]; /* the last proven one of each level */
	uint8_t memory[ENTRY_BYTES_MAX];
	char *fault;
	size_t fault_size;
};

/* Opens every copy, finds the anchor and proves the end of its tree. False with one line in
 * `fault`, and to be closed all the same. */
bool repair_proof_open(struct repair_proof *p, const struct repair_plan *plan,
		       struct repair_done *done, char *fault, size_t fault_size);
void repair_proof_close(struct repair_proof *p);

/* The proven hashes of a tile, valid until the next call; NULL if no copy proves them. */
const struct digest *repair_proof_tile(struct repair_proof *p, unsigned level, uint64_t index);
/* The entry that the anchor's tree has there, valid until the next call. */
bool repair_proof_entry(struct repair_proof *p, uint64_t seq, struct span *out);
/* Every checkpoint that a copy shows must be over a prefix of the new log: else the key has signed
 * two histories, and neither may silently take the place of the other. The last call: the frontier
 * is gone after it. */
bool repair_proof_has_no_fork(struct repair_proof *p, struct lookup *lookup);

#endif
