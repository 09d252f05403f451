/* The tree of RFC 6962 in tiles, against vectors and against the RFC's own recursive definition. */
#include "tests/vector_file.h"

#include "store/merkle.h"

enum { LEAVES = 65536 + 300 };

/* RFC 6962 section 2.1, word for word. */
static void
recursive_root(const struct digest *leaves, size_t count, struct digest *out)
{
	struct digest left, right;
	size_t split = 1;

	if (count == 0) {
		merkle_empty_hash(out);
		return;
	}
	if (count == 1) {
		*out = leaves[0];
		return;
	}
	while (split * 2 < count) {
		split *= 2;
	}
	recursive_root(leaves, split, &left);
	recursive_root(leaves + split, count - split, &right);
	merkle_node_hash(&left, &right, out);
}

/* Full tiles as the log would store them: levels 0 and 1. */
struct shelf {
	struct digest leaves[LEAVES];
	struct digest tiles[2][LEAVES / TILE_HASHES][TILE_HASHES];
	size_t emitted[MERKLE_LEVELS];
};

static bool
shelve(void *context, unsigned level, uint64_t index, const struct digest *hashes)
{
	struct shelf *shelf = context;

	assert_true(level < 2);
	/* In order, each once. */
	assert_int_equal(index, shelf->emitted[level]);
	shelf->emitted[level]++;
	memcpy(shelf->tiles[level][index], hashes, TILE_HASHES * sizeof *hashes);
	return true;
}

/* What a store gives: a tile's first hashes, from leaves or from the tiles below. */
static bool
fetch(void *context, unsigned level, uint64_t index, uint32_t count, struct digest *hashes)
{
	const struct shelf *shelf = context;

	for (uint32_t i = 0; i < count; i++) {
		const uint64_t at = index * TILE_HASHES + i;
		if (level == 0) {
			hashes[i] = shelf->leaves[at];
		} else if (level <= 2) {
			merkle_hashes_root(shelf->tiles[level - 1][at], TILE_HASHES, &hashes[i]);
		}
	}
	return true;
}

static void
counted_leaf(uint32_t i, struct digest *out)
{
	const uint8_t bytes[4] = { (uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8),
				   (uint8_t)i };

	merkle_leaf_hash((struct span){ bytes, sizeof bytes }, out);
}

static void
test_reference_roots(void **state)
{
	json_t *root = vectors_load("merkle");
	const json_t *leaves = json_object_get(root, "reference_leaves");
	const json_t *roots = json_object_get(root, "reference_roots");
	struct merkle *tree = malloc(sizeof *tree);
	struct digest leaf, got, expected;

	(void)state;
	merkle_init(tree);
	for (size_t i = 0; i < json_array_size(roots); i++) {
		merkle_root(tree, &got);
		assert_true(
			hex_read(expected.bytes, json_string_value(json_array_get(roots, i)), 32));
		assert_true(digest_equal(&got, &expected));
		if (i < json_array_size(leaves)) {
			const struct vector_bytes bytes =
				vector_hex_text(json_string_value(json_array_get(leaves, i)));
			merkle_leaf_hash(bytes.span, &leaf);
			assert_true(merkle_append(tree, &leaf, NULL, NULL));
			free(bytes.memory);
		}
	}
	free(tree);
	json_decref(root);
}

static void
check_resumed(struct shelf *shelf, const struct merkle *tree, const struct digest *expected)
{
	struct merkle *resumed = malloc(sizeof *resumed);
	struct digest got;

	assert_non_null(resumed);
	assert_true(merkle_resume(resumed, tree->size, fetch, shelf));
	merkle_root(resumed, &got);
	assert_true(digest_equal(&got, expected));
	free(resumed);
}

static void
test_counted_roots_resumed_at_every_border(void **state)
{
	json_t *root = vectors_load("merkle");
	const json_t *sizes = json_object_get(root, "counted_roots");
	struct merkle *tree = malloc(sizeof *tree);
	struct shelf *shelf = calloc(1, sizeof *shelf);
	struct digest got, expected, slow;
	size_t next = 0;

	(void)state;
	merkle_init(tree);
	for (uint32_t i = 0; i <= LEAVES; i++) {
		const json_t *row = json_array_get(sizes, next);
		if (row != NULL && vector_number(row, "size") == i) {
			merkle_root(tree, &got);
			vector_fixed(row, "root", expected.bytes, sizeof expected.bytes);
			recursive_root(shelf->leaves, i, &slow);
			assert_true(digest_equal(&got, &expected));
			assert_true(digest_equal(&got, &slow));
			check_resumed(shelf, tree, &expected);
			next++;
		}
		if (i < LEAVES) {
			counted_leaf(i, &shelf->leaves[i]);
			assert_true(merkle_append(tree, &shelf->leaves[i], shelve, shelf));
		}
	}
	assert_int_equal(next, json_array_size(sizes));
	assert_int_equal(shelf->emitted[0], LEAVES / 256);
	assert_int_equal(shelf->emitted[1], 1);
	free(tree);
	free(shelf);
	json_decref(root);
}

static void
test_paths(void **state)
{
	json_t *root = vectors_load("merkle");
	char path[MERKLE_PATH_MAX];
	size_t i;
	const json_t *row;

	(void)state;
	json_array_foreach(json_object_get(root, "paths"), i, row)
	{
		merkle_tile_path(path, (int)json_integer_value(json_object_get(row, "level")),
				 vector_number(row, "index"),
				 (uint32_t)vector_number(row, "width"));
		assert_string_equal(path, vector_text(row, "path"));
	}
	json_decref(root);
}

static bool
refuse(void *context, unsigned level, uint64_t index, const struct digest *hashes)
{
	(void)context;
	(void)level;
	(void)index;
	(void)hashes;
	return false;
}

static void
test_a_tile_that_cannot_be_kept_stops_the_append(void **state)
{
	struct merkle *tree = malloc(sizeof *tree);
	struct digest leaf;

	(void)state;
	merkle_init(tree);
	counted_leaf(0, &leaf);
	for (int i = 0; i < TILE_HASHES - 1; i++) {
		assert_true(merkle_append(tree, &leaf, refuse, NULL));
	}
	assert_false(merkle_append(tree, &leaf, refuse, NULL));
	free(tree);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reference_roots),
		cmocka_unit_test(test_counted_roots_resumed_at_every_border),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_a_tile_that_cannot_be_kept_stops_the_append),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
