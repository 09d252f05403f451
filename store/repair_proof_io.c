/* What the copies prove, from the signed root downwards. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/repair_proof_io.h"

/* --- the anchor --------------------------------------------------------------------------------
 */

static bool
find_anchor(struct repair_proof *p)
{
	struct checkpoint found;
	char note[CHECKPOINT_NOTE_MAX];
	size_t count;

	for (unsigned i = 0; i < p->count; i++) {
		if (repair_anchor(p->plan->sources[i].directory, &p->plan->verifier, &found, note,
				  &count) &&
		    found.size > p->done->anchor.size) {
			p->done->anchor = found;
		}
	}
	if (p->done->anchor.size == 0) {
		snprintf(
			p->fault, p->fault_size,
			"no checkpoint signed by this log's key was found: without one nothing can "
			"be proven; give a copy that has head or pub/checkpoint");
	}
	return p->done->anchor.size > 0;
}

struct preference {
	struct repair_proof *proof;
	unsigned first; /* this copy is asked before the others */
};

static bool
fetch_any(void *context, unsigned level, uint64_t index, uint32_t count, struct digest *hashes)
{
	const struct preference *preference = context;
	struct repair_proof *p = preference->proof;

	for (unsigned i = 0; i < p->count; i++) {
		struct repair_copy *copy = &p->copies[(preference->first + i) % p->count];
		if (repair_copy_tile(copy, level, index, count, hashes) ||
		    repair_copy_compute(copy, level, index, count, hashes)) {
			return true;
		}
	}
	return false;
}

/* The unfinished tiles of all levels are proven together, by the root that was signed. */
static bool
prove_frontier(struct repair_proof *p)
{
	const struct checkpoint *anchor = &p->done->anchor;
	struct digest root;

	for (unsigned i = 0; i < p->count; i++) {
		struct preference preference = { p, i };
		merkle_init(p->frontier);
		if (merkle_resume(p->frontier, anchor->size, fetch_any, &preference)) {
			merkle_root(p->frontier, &root);
			if (digest_equal(&root, &anchor->root)) {
				return true;
			}
		}
	}
	snprintf(p->fault, p->fault_size,
		 "the root signed over %" PRIu64
		 " events cannot be reached: no copy holds the hashes at the end of the tree; "
		 "events 0 to %" PRIu64 " need a copy (or its pub/) that was taken after them",
		 anchor->size, anchor->size - 1);
	return false;
}

bool
repair_proof_open(struct repair_proof *p, const struct repair_plan *plan, struct repair_done *done,
		  char *fault, size_t fault_size)
{
	*p = (struct repair_proof){ .plan = plan,
				    .done = done,
				    .count = plan->source_count,
				    .frontier = calloc(1, sizeof *p->frontier),
				    .fault = fault,
				    .fault_size = fault_size };
	assert(p->frontier != NULL);
	assert(plan->source_count <= REPAIR_SOURCES_MAX);
	for (unsigned i = 0; i < p->count; i++) {
		repair_copy_open(&p->copies[i], plan->sources[i].directory);
	}
	return find_anchor(p) && prove_frontier(p);
}

void
repair_proof_close(struct repair_proof *p)
{
	for (unsigned i = 0; i < p->count; i++) {
		repair_copy_close(&p->copies[i]);
	}
	free(p->frontier);
}

/* --- tiles and entries -------------------------------------------------------------------------
 */

/* A full tile that gives this root, from any copy, as it is stored or as its entries say. */
static bool
find_tile(struct repair_proof *p, unsigned level, uint64_t index, const struct digest *root,
	  struct digest *hashes)
{
	struct digest found;

	for (unsigned way = 0; way < 2 * p->count; way++) {
		struct repair_copy *copy = &p->copies[way / 2];
		const bool is_there =
			way % 2 == 0 ? repair_copy_tile(copy, level, index, TILE_HASHES, hashes)
				     : repair_copy_compute(copy, level, index, TILE_HASHES, hashes);
		if (is_there) {
			merkle_hashes_root(hashes, TILE_HASHES, &found);
			if (digest_equal(&found, root)) {
				p->done->tiles += way > 0 ? 1 : 0;
				return true;
			}
		}
	}
	return false;
}

const struct digest *
repair_proof_tile(struct repair_proof *p, unsigned level, uint64_t index)
{
	const uint64_t complete = level < MERKLE_LEVELS ? p->done->anchor.size >> (8 * level) : 0;

	if (index == complete / TILE_HASHES) {
		return p->frontier->level[level].hashes;
	}
	if (p->tiles[level].is_known && p->tiles[level].index == index) {
		return p->tiles[level].hashes;
	}
	const struct digest *above = repair_proof_tile(p, level + 1, index / TILE_HASHES);
	p->tiles[level].is_known =
		above != NULL &&
		find_tile(p, level, index, &above[index % TILE_HASHES], p->tiles[level].hashes);
	p->tiles[level].index = index;
	return p->tiles[level].is_known ? p->tiles[level].hashes : NULL;
}

bool
repair_proof_entry(struct repair_proof *p, uint64_t seq, struct span *out)
{
	const struct digest *tile = repair_proof_tile(p, 0, seq / TILE_HASHES);
	struct digest leaf;

	for (unsigned way = 0; way < 2 * p->count && tile != NULL; way++) {
		struct repair_copy *copy = &p->copies[way / 2];
		const bool is_there = way % 2 == 0
					      ? repair_copy_row(copy, seq, p->memory, out)
					      : repair_copy_published(copy, seq, p->memory, out);
		if (!is_there) {
			continue;
		}
		merkle_leaf_hash(*out, &leaf);
		if (digest_equal(&leaf, &tile[seq % TILE_HASHES])) {
			p->done->entries += way > 0 ? 1 : 0;
			return true;
		}
	}
	return false;
}

bool
repair_proof_has_no_fork(struct repair_proof *p, struct lookup *lookup)
{
	bool ok = true;

	for (unsigned i = 0; i < p->count && ok; i++) {
		struct checkpoint found;
		struct digest root;
		char note[CHECKPOINT_NOTE_MAX];
		size_t count;

		if (!repair_anchor(p->plan->sources[i].directory, &p->plan->verifier, &found, note,
				   &count)) {
			continue;
		}
		merkle_init(p->frontier);
		ok = merkle_resume(p->frontier, found.size, lookup_hashes, lookup);
		merkle_root(p->frontier, &root);
		ok = ok && digest_equal(&root, &found.root);
		if (!ok) {
			snprintf(p->fault, p->fault_size,
				 "%s shows a checkpoint of this log's key over %" PRIu64
				 " other events: two histories were signed; keep both, and find "
				 "out who "
				 "wrote which",
				 p->plan->sources[i].directory, found.size);
		}
	}
	return ok;
}
