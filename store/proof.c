#include "store/proof.h"

#include <assert.h>
#include <string.h>

/* A subtree over the leaves a <= seq < b. In every function here it is one that the RFC's splitting
 * produces, so a lone power of two is aligned to its width. */
struct reach {
	uint64_t a, b;
};

struct builder {
	merkle_fetch *fetch;
	void *context;
	struct proof *out;
};

/* The largest power of two below the width: where RFC 6962 splits. Width at least 2. */
static uint64_t
split_of(struct reach r)
{
	return UINT64_C(1) << (63 - __builtin_clzll(r.b - r.a - 1));
}

static struct reach
left_of(struct reach r)
{
	return (struct reach){ r.a, r.a + split_of(r) };
}

static struct reach
right_of(struct reach r)
{
	return (struct reach){ r.a + split_of(r), r.b };
}

/* --- roots of subtrees, from tiles ---------------------------------------------------------------
 */

/* A complete subtree of 2^height leaves is a run of hashes within one tile. */
static bool
complete_root(const struct builder *b, uint64_t a, unsigned height, struct digest *out)
{
	struct digest tile[TILE_HASHES];
	const unsigned level = height / 8;
	const uint32_t count = UINT32_C(1) << (height % 8);
	const uint64_t at = a >> (8 * level);
	const uint32_t skip = (uint32_t)(at % TILE_HASHES);

	assert(skip + count <= TILE_HASHES);
	if (!b->fetch(b->context, level, at / TILE_HASHES, skip + count, tile)) {
		return false;
	}
	merkle_hashes_root(tile + skip, count, out);
	return true;
}

static bool
reach_root(const struct builder *b, struct reach r, struct digest *out)
{
	const uint64_t width = r.b - r.a;
	struct digest left, right;

	if ((width & (width - 1)) == 0) {
		return complete_root(b, r.a, (unsigned)__builtin_ctzll(width), out);
	}
	if (!reach_root(b, left_of(r), &left) || !reach_root(b, right_of(r), &right)) {
		return false;
	}
	merkle_node_hash(&left, &right, out);
	return true;
}

static bool
add_root(const struct builder *b, struct reach r)
{
	assert(b->out->count < PROOF_HASHES_MAX);
	return reach_root(b, r, &b->out->hashes[b->out->count++]);
}

bool
proof_root(merkle_fetch *fetch, void *context, uint64_t size, struct digest *out)
{
	const struct builder b = { fetch, context, NULL };

	if (size == 0) {
		merkle_empty_hash(out);
		return true;
	}
	return reach_root(&b, (struct reach){ 0, size }, out);
}

/* --- making --------------------------------------------------------------------------------------
 */

/* PATH(m, D[n]) of RFC 6962 section 2.1.1. */
static bool
add_path(const struct builder *b, struct reach r, uint64_t seq)
{
	if (r.b - r.a == 1) {
		return true;
	}
	if (seq < left_of(r).b) {
		return add_path(b, left_of(r), seq) && add_root(b, right_of(r));
	}
	return add_path(b, right_of(r), seq) && add_root(b, left_of(r));
}

bool
proof_inclusion(merkle_fetch *fetch, void *context, uint64_t size, uint64_t seq, struct proof *out)
{
	const struct builder b = { fetch, context, out };

	assert(seq < size);
	out->count = 0;
	return add_path(&b, (struct reach){ 0, size }, seq);
}

/* SUBPROOF(m, D[n], b) of RFC 6962 section 2.1.2: `is_known` says that the old tree's root is this
 * subtree's. */
static bool
add_subproof(const struct builder *b, struct reach r, uint64_t from, bool is_known)
{
	if (from == r.b) {
		return is_known || add_root(b, r);
	}
	if (from <= left_of(r).b) {
		return add_subproof(b, left_of(r), from, is_known) && add_root(b, right_of(r));
	}
	return add_subproof(b, right_of(r), from, false) && add_root(b, left_of(r));
}

bool
proof_consistency(merkle_fetch *fetch, void *context, uint64_t from, uint64_t size,
		  struct proof *out)
{
	const struct builder b = { fetch, context, out };

	assert(from > 0);
	assert(from <= size);
	out->count = 0;
	return add_subproof(&b, (struct reach){ 0, size }, from, true);
}

static bool
is_outside(struct reach r, struct reach range)
{
	return r.b <= range.a || r.a >= range.b;
}

static bool
add_outside(const struct builder *b, struct reach r, struct reach range)
{
	if (is_outside(r, range)) {
		return add_root(b, r);
	}
	if (r.a >= range.a && r.b <= range.b) {
		return true;
	}
	return add_outside(b, left_of(r), range) && add_outside(b, right_of(r), range);
}

bool
proof_range(merkle_fetch *fetch, void *context, uint64_t first, uint64_t end, uint64_t size,
	    struct proof *out)
{
	const struct builder b = { fetch, context, out };

	assert(first < end);
	assert(end <= size);
	out->count = 0;
	return add_outside(&b, (struct reach){ 0, size }, (struct reach){ first, end });
}

/* --- checking ------------------------------------------------------------------------------------
 */

bool
proof_check_inclusion(const struct digest *leaf, uint64_t seq, uint64_t size,
		      const struct digest *root, const struct proof *proof)
{
	struct digest hash = *leaf;
	uint64_t node = seq;
	uint64_t last = size - 1;

	if (seq >= size) {
		return false;
	}
	for (uint32_t i = 0; i < proof->count; i++) {
		if (last == 0) {
			return false;
		}
		if ((node & 1) == 0 && node != last) {
			merkle_node_hash(&hash, &proof->hashes[i], &hash);
		} else {
			merkle_node_hash(&proof->hashes[i], &hash, &hash);
			/* Levels where the last subtree went up alone have no sibling. */
			while ((node & 1) == 0 && node != 0) {
				node >>= 1;
				last >>= 1;
			}
		}
		node >>= 1;
		last >>= 1;
	}
	return last == 0 && digest_equal(&hash, root);
}

static bool
check_growth(uint64_t from, const struct digest *from_root, uint64_t size,
	     const struct digest *root, const struct proof *proof)
{
	const bool is_complete = (from & (from - 1)) == 0;
	uint32_t at = is_complete ? 0 : 1;
	struct digest old = is_complete ? *from_root : proof->hashes[0];
	struct digest new = old;
	uint64_t node = from - 1;
	uint64_t last = size - 1;

	for (; (node & 1) == 1; node >>= 1) {
		last >>= 1;
	}
	for (; at < proof->count; at++) {
		const struct digest *next = &proof->hashes[at];
		if (last == 0) {
			return false;
		}
		if ((node & 1) == 1 || node == last) {
			merkle_node_hash(next, &old, &old);
			merkle_node_hash(next, &new, &new);
			while ((node & 1) == 0 && node != 0) {
				node >>= 1;
				last >>= 1;
			}
		} else {
			merkle_node_hash(&new, next, &new);
		}
		node >>= 1;
		last >>= 1;
	}
	return last == 0 && digest_equal(&old, from_root) && digest_equal(&new, root);
}

bool
proof_check_consistency(uint64_t from, const struct digest *from_root, uint64_t size,
			const struct digest *root, const struct proof *proof)
{
	if (from == 0 || from > size) {
		return false;
	}
	if (from == size) {
		return proof->count == 0 && digest_equal(from_root, root);
	}
	return proof->count > 0 && check_growth(from, from_root, size, root, proof);
}

struct range_check {
	proof_leaf *leaf;
	void *context;
	struct reach range;
	const struct proof *proof;
	uint32_t used;
};

static bool
rebuild(struct range_check *c, struct reach r, struct digest *out)
{
	struct digest left, right;

	if (is_outside(r, c->range)) {
		if (c->used == c->proof->count) {
			return false;
		}
		*out = c->proof->hashes[c->used++];
		return true;
	}
	if (r.b - r.a == 1) {
		return c->leaf(c->context, r.a, out);
	}
	if (!rebuild(c, left_of(r), &left) || !rebuild(c, right_of(r), &right)) {
		return false;
	}
	merkle_node_hash(&left, &right, out);
	return true;
}

bool
proof_check_range(proof_leaf *leaf, void *context, uint64_t first, uint64_t end, uint64_t size,
		  const struct digest *root, const struct proof *proof)
{
	struct range_check c = { leaf, context, { first, end }, proof, 0 };
	struct digest found;

	return first < end && end <= size && rebuild(&c, (struct reach){ 0, size }, &found) &&
	       c.used == proof->count && digest_equal(&found, root);
}
