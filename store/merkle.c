#include "store/merkle.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/sha256.h"

void
merkle_leaf_hash(struct span leaf, struct digest *out)
{
	static const uint8_t prefix = 0x00;
	const struct span spans[] = { { &prefix, 1 }, leaf };

	sha256_spans(spans, 2, out);
}

void
merkle_node_hash(const struct digest *left, const struct digest *right, struct digest *out)
{
	uint8_t node[1 + 2 * sizeof(struct digest)] = { 0x01 };

	memcpy(node + 1, left, sizeof *left);
	memcpy(node + 1 + sizeof *left, right, sizeof *right);
	sha256_span((struct span){ node, sizeof node }, out);
}

void
merkle_empty_hash(struct digest *out)
{
	sha256_spans(NULL, 0, out);
}

/* Hashes in pairs, level by level. A last one without a partner goes up as it is, which is what
 * splitting at the largest power of two (RFC 6962) comes to. */
void
merkle_hashes_root(const struct digest *hashes, size_t count, struct digest *out)
{
	struct digest row[TILE_HASHES + 1];

	assert(count >= 1 && count <= TILE_HASHES + 1);
	memcpy(row, hashes, count * sizeof *row);
	while (count > 1) {
		for (size_t i = 0; i + 1 < count; i += 2) {
			merkle_node_hash(&row[i], &row[i + 1], &row[i / 2]);
		}
		if (count % 2 == 1) {
			row[count / 2] = row[count - 1];
		}
		count = (count + 1) / 2;
	}
	*out = row[0];
}

void
merkle_init(struct merkle *tree)
{
	tree->size = 0;
	for (unsigned level = 0; level < MERKLE_LEVELS; level++) {
		tree->level[level].count = 0;
	}
}

/* The index of the tile of that level which the last leaf lies in. */
static uint64_t
last_tile(const struct merkle *tree, unsigned level)
{
	return level + 1 < MERKLE_LEVELS ? (tree->size - 1) >> (8 * (level + 1)) : 0;
}

bool
merkle_append(struct merkle *tree, const struct digest *leaf, merkle_emit *emit, void *context)
{
	struct digest hash = *leaf;

	assert(tree->size < UINT64_MAX);
	tree->size++;
	for (unsigned level = 0; level < MERKLE_LEVELS; level++) {
		struct merkle_tile *tile = &tree->level[level];

		tile->hashes[tile->count++] = hash;
		if (tile->count < TILE_HASHES) {
			return true;
		}
		if (!emit(context, level, last_tile(tree, level), tile->hashes)) {
			return false;
		}
		merkle_hashes_root(tile->hashes, TILE_HASHES, &hash);
		tile->count = 0;
	}
	return true;
}

/* From the lowest level up: what is unfinished below is the last, smaller subtree of the level
 * above. */
void
merkle_root(const struct merkle *tree, struct digest *out)
{
	struct digest row[TILE_HASHES + 1];
	bool carried = false;

	merkle_empty_hash(out);
	for (unsigned level = 0; level < MERKLE_LEVELS; level++) {
		const struct merkle_tile *tile = &tree->level[level];
		size_t count = tile->count;

		memcpy(row, tile->hashes, count * sizeof *row);
		if (carried) {
			row[count++] = *out;
		}
		if (count > 0) {
			merkle_hashes_root(row, count, out);
			carried = true;
		}
	}
}

bool
merkle_resume(struct merkle *tree, uint64_t size, merkle_fetch *fetch, void *context)
{
	merkle_init(tree);
	tree->size = size;
	for (unsigned level = 0; level < MERKLE_LEVELS; level++) {
		struct merkle_tile *tile = &tree->level[level];
		const uint64_t hashes = size >> (8 * level);

		tile->count = (uint32_t)(hashes % TILE_HASHES);
		if (tile->count > 0 &&
		    !fetch(context, level, hashes / TILE_HASHES, tile->count, tile->hashes)) {
			return false;
		}
	}
	return true;
}

void
merkle_tile_path(char out[MERKLE_PATH_MAX], int level, uint64_t index, uint32_t width)
{
	char digits[22];
	int at = 0;

	assert(level >= MERKLE_ENTRIES && level < MERKLE_LEVELS);
	assert(width >= 1 && width <= TILE_HASHES);
	if (level == MERKLE_ENTRIES) {
		at = snprintf(out, MERKLE_PATH_MAX, "tile/entries");
	} else {
		at = snprintf(out, MERKLE_PATH_MAX, "tile/%d", level);
	}
	/* The index in groups of three digits from the first that is not zero, each but the last
	 * with an x before it. */
	snprintf(digits, sizeof digits, "%021" PRIu64, index);
	bool begun = false;
	for (int i = 0; i < 21; i += 3) {
		const bool is_last = i == 18;
		begun = begun || is_last || memcmp(digits + i, "000", 3) != 0;
		if (begun) {
			at += snprintf(out + at, MERKLE_PATH_MAX - (size_t)at, "/%s%.3s",
				       is_last ? "" : "x", digits + i);
		}
	}
	if (width < TILE_HASHES) {
		snprintf(out + at, MERKLE_PATH_MAX - (size_t)at, ".p/%" PRIu32, width);
	}
}
