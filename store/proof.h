/* Proofs over the Merkle tree (RFC 6962 section 2.1), computed from its tiles and checked without
 * them. The functions that make a proof read O(log size) tiles through the `merkle_fetch` of
 * store/merkle.h; those that check one need nothing but what a stranger holds.
 */
#ifndef IFSWARM_STORE_PROOF_H
#define IFSWARM_STORE_PROOF_H

#include "store/merkle.h"

/* A path has at most one hash for each level of a tree of 2^64 leaves; a range has two paths. */
enum { PROOF_HASHES_MAX = 2 * 64 };

struct proof {
	uint32_t count;
	struct digest hashes[PROOF_HASHES_MAX];
};

/* RFC 6962 section 2.1.1: that leaf `seq` is in the tree of `size` leaves; seq < size. False if a
 * tile cannot be fetched. */
bool proof_inclusion(merkle_fetch *fetch, void *context, uint64_t size, uint64_t seq,
		     struct proof *out);
/* RFC 6962 section 2.1.2: that the tree of `size` leaves extends the one of `from`; 0 < from <=
 * size. Empty if they are equal. */
bool proof_consistency(merkle_fetch *fetch, void *context, uint64_t from, uint64_t size,
		       struct proof *out);
/* That the leaves first <= seq < end, and no others, lie there: the roots of the largest subtrees
 * outside the range, from left to right. first < end <= size. */
bool proof_range(merkle_fetch *fetch, void *context, uint64_t first, uint64_t end, uint64_t size,
		 struct proof *out);

/* The root of the tree of `size` leaves. */
bool proof_root(merkle_fetch *fetch, void *context, uint64_t size, struct digest *out);

/* RFC 9162 section 2.1.3.2. False too for a seq beyond the size, or hashes left over or missing. */
bool proof_check_inclusion(const struct digest *leaf, uint64_t seq, uint64_t size,
			   const struct digest *root, const struct proof *proof);
/* RFC 9162 section 2.1.4.2; 0 < from <= size. */
bool proof_check_consistency(uint64_t from, const struct digest *from_root, uint64_t size,
			     const struct digest *root, const struct proof *proof);
/* `leaf` gives the leaf hashes of the range, asked for once each and in order. */
typedef bool proof_leaf(void *context, uint64_t seq, struct digest *out);
bool proof_check_range(proof_leaf *leaf, void *context, uint64_t first, uint64_t end, uint64_t size,
		       const struct digest *root, const struct proof *proof);

#endif
