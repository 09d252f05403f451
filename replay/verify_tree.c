#include "replay/verify.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- leaves and tiles --- */

static bool
skip_tile(void *context, unsigned level, uint64_t index, const struct digest *hashes)
{
	(void)context;
	(void)level;
	(void)index;
	(void)hashes;
	return true;
}

/* A full tile of the recorded tree above the leaves: what lies there must be it. */
static bool
check_tile(void *context, unsigned level, uint64_t index, const struct digest *hashes)
{
	struct verify *v = context;
	struct digest lying[TILE_HASHES];
	char where[96];

	/* Level 0 is compared leaf by leaf, where the bad one can be named. */
	if (level == 0 || v->fetch == NULL) {
		return true;
	}
	if (!v->fetch(v->tiles, level, index, TILE_HASHES, lying)) {
		snprintf(where, sizeof where, "tile level %u index %" PRIu64, level, index);
		verify_say(v, "a tile cannot be read", where, "8192 bytes", "none, or fewer");
		return true;
	}
	for (unsigned i = 0; i < TILE_HASHES; i++) {
		if (!digest_equal(&lying[i], &hashes[i])) {
			snprintf(where, sizeof where, "tile level %u index %" PRIu64 " hash %u",
				 level, index, i);
			verify_say_digests(v, "a tile's hash is not that of the tiles below it",
					   where, &hashes[i], &lying[i]);
		}
	}
	return true;
}

/* The unfinished tile of a level above the leaves, hash by hash from the tiles below. */
static void
check_unfinished(struct verify *v, unsigned level)
{
	const struct merkle_tile *tile = &v->recorded.level[level];
	const uint64_t first = (v->recorded.size >> (8 * level)) - tile->count;
	struct digest below[TILE_HASHES];
	struct digest root;
	char where[96];

	for (uint32_t i = 0; i < tile->count; i++) {
		if (!v->fetch(v->tiles, level - 1, first + i, TILE_HASHES, below)) {
			snprintf(where, sizeof where, "tile level %u index %" PRIu64, level - 1,
				 first + i);
			verify_say(v, "a tile cannot be read", where, "8192 bytes",
				   "none, or fewer");
			continue;
		}
		merkle_hashes_root(below, TILE_HASHES, &root);
		if (!digest_equal(&root, &tile->hashes[i])) {
			snprintf(where, sizeof where, "tile level %u index %" PRIu64 " hash %u",
				 level, first / TILE_HASHES, i);
			verify_say_digests(v, "a tile's hash is not that of the tiles below it",
					   where, &root, &tile->hashes[i]);
		}
	}
}

bool
verify_begin(struct verify *v, uint64_t seq)
{
	assert(v->rows == 0);
	assert(v->fetch != NULL);
	assert(seq % TILE_HASHES == 0);
	v->next_seq = seq;
	v->pruned_to = seq;
	if (!merkle_resume(&v->recorded, seq, v->fetch, v->tiles)) {
		return false;
	}
	for (unsigned level = 1; level < MERKLE_LEVELS; level++) {
		check_unfinished(v, level);
	}
	return true;
}

/* At the start of a tile: what was recorded for its leaves when they were written. */
static void
open_tile(struct verify *v, uint64_t index)
{
	char where[64];

	v->has_recorded = v->fetch != NULL && index < v->full_tiles;
	if (v->has_recorded && !v->fetch(v->tiles, 0, index, TILE_HASHES, v->recorded_tile)) {
		snprintf(where, sizeof where, "tile level 0 index %" PRIu64, index);
		verify_say(v, "a tile cannot be read", where, "8192 bytes", "none, or fewer");
		v->has_recorded = false;
	}
}

/* One vouched-for root at the current size. The roots differ for a cause that was named or will be.
 */
static void check_root(struct verify *v, const char *where, const struct checkpoint *checkpoint);

static void
check_anchors(struct verify *v)
{
	for (uint32_t i = 0; i < v->anchor_count; i++) {
		struct verify_anchor *anchor = &v->anchors[i];

		if (!anchor->is_seen && anchor->checkpoint.size == v->recorded.size) {
			anchor->is_seen = true;
			check_root(v, anchor->where, &anchor->checkpoint);
		}
	}
}

/* Until a leaf differs from what was recorded, both trees are one. */
static void
note_difference(struct verify *v, uint64_t seq, const struct digest *recorded,
		const struct digest *leaf)
{
	if (!v->is_forked) {
		v->entries = v->recorded;
		v->is_forked = true;
	}
	v->trees_differ = true;
	if (leaf != NULL) {
		verify_say_digests(v, "the entry is not the one whose hash was recorded",
				   verify_place_of(seq).text, recorded, leaf);
	}
}

void
verify_leaf(struct verify *v, uint64_t seq, const struct digest *leaf, bool is_pruned)
{
	static const struct digest nothing;
	const uint64_t at = v->recorded.size % TILE_HASHES;

	if (at == 0) {
		open_tile(v, v->recorded.size / TILE_HASHES);
	}
	const struct digest *own = leaf != NULL ? leaf : &nothing;
	const struct digest *recorded = v->has_recorded ? &v->recorded_tile[at] : own;
	own = is_pruned ? recorded : own;
	if (own != recorded && !digest_equal(own, recorded)) {
		note_difference(v, seq, recorded, leaf);
	}
	if (v->is_forked) {
		merkle_append(&v->entries, own, skip_tile, NULL);
	}
	merkle_append(&v->recorded, recorded, check_tile, v);
	check_anchors(v);
}

void
verify_root(const struct verify *v, struct digest *out)
{
	merkle_root(v->is_forked ? &v->entries : &v->recorded, out);
}

void
verify_tile(struct verify *v, struct verify_tiles *at, unsigned level, uint64_t index, size_t bytes)
{
	char where[64];

	/* How many full tiles a level has: 256 times fewer with each step up. */
	uint64_t wanted = v->full_tiles;
	for (unsigned i = 0; i < level; i++) {
		wanted /= TILE_HASHES;
	}
	if (level != at->level) {
		verify_tiles_end(v, at);
		*at = (struct verify_tiles){ level, 0 };
	}
	snprintf(where, sizeof where, "tile level %u index %" PRIu64, level, index);
	if (index >= wanted) {
		/* A running witness may have filled it since the size was read; nothing is known of
		 * it. */
		at->index = index + 1;
		return;
	}
	if (index != at->index) {
		verify_say_numbers(v, "a tile is missing before this one", where, at->index, index);
	}
	if (bytes != TILE_HASHES * sizeof(struct digest)) {
		verify_say_numbers(v, "a tile has another length", where,
				   TILE_HASHES * sizeof(struct digest), bytes);
	}
	at->index = index + 1;
}

void
verify_tiles_end(struct verify *v, struct verify_tiles *at)
{
	uint64_t wanted = v->full_tiles;
	char where[64];

	for (unsigned i = 0; i < at->level; i++) {
		wanted /= TILE_HASHES;
	}
	if (at->index < wanted) {
		snprintf(where, sizeof where, "tile level %u from index %" PRIu64, at->level,
			 at->index);
		verify_say_numbers(v, "tiles are missing", where, wanted, at->index);
	}
}

/* --- checkpoints --- */

static void
check_root(struct verify *v, const char *where, const struct checkpoint *checkpoint)
{
	struct digest root;
	struct digest recorded;

	v->checkpoints++;
	verify_root(v, &root);
	if (digest_equal(&root, &checkpoint->root)) {
		v->signed_size =
			checkpoint->size > v->signed_size ? checkpoint->size : v->signed_size;
		return;
	}
	if (!v->trees_differ) {
		verify_say_digests(v, "the root over the entries is not the signed one", where,
				   &checkpoint->root, &root);
		v->trees_differ = true; /* from here on every root differs for this cause */
		return;
	}
	merkle_root(&v->recorded, &recorded);
	if (digest_equal(&recorded, &checkpoint->root)) {
		/* The tiles still give the signed root: the entries named above, and only they,
		 * were altered. It is one break, already named. */
		v->roots_unreachable++;
		v->last_unreachable = checkpoint->size;
		return;
	}
	verify_say_digests(v, "neither entries nor tiles give the signed root", where,
			   &checkpoint->root, &root);
}

static bool
check_note(struct verify *v, const char *where, struct span note, struct checkpoint *out)
{
	if (!v->has_verifier) {
		/* Said once, by the caller, that signatures could not be checked. */
		if (!checkpoint_read(note, out)) {
			verify_say(v, "a checkpoint cannot be read", where,
				   "a signed note over origin, size and root",
				   checkpoint_check_text(CHECKPOINT_MALFORMED));
			return false;
		}
		return true;
	}
	const enum checkpoint_check check = checkpoint_verify(note, &v->verifier, out);
	if (check == CHECKPOINT_HOLDS) {
		return true;
	}
	verify_say(v, "a checkpoint's signature does not hold", where,
		   "an Ed25519 signature by the key in log.vkey", checkpoint_check_text(check));
	return false;
}

bool
verify_note(struct verify *v, uint64_t size, struct span note, struct checkpoint *out)
{
	char where[64];

	snprintf(where, sizeof where, "checkpoint of size %" PRIu64, size);
	if (!check_note(v, where, note, out)) {
		return false;
	}
	if (out->size != size) {
		verify_say_numbers(v, "a checkpoint stands under another size", where, out->size,
				   size);
		return false;
	}
	return true;
}

void
verify_checkpoint(struct verify *v, const struct checkpoint *checkpoint)
{
	char where[64];

	snprintf(where, sizeof where, "checkpoint of size %" PRIu64, checkpoint->size);
	if (v->is_torn && checkpoint->size <= v->next_seq) {
		v->roots_unreachable++;
		v->last_unreachable = checkpoint->size;
		return;
	}
	if (checkpoint->size != v->recorded.size) {
		verify_say_numbers(v, "a checkpoint covers more entries than there are", where,
				   checkpoint->size, v->recorded.size);
		return;
	}
	check_root(v, where, checkpoint);
}

void
verify_anchor(struct verify *v, const char *where, struct span note)
{
	struct verify_anchor *anchor = &v->anchors[v->anchor_count];

	assert(v->anchor_count < VERIFY_ANCHORS_MAX);
	if (!check_note(v, where, note, &anchor->checkpoint)) {
		return;
	}
	anchor->where = where;
	anchor->is_seen = false;
	v->anchor_count++;
	check_anchors(v);
}
