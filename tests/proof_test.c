/* Proofs against slow, obvious definitions of RFC 6962, for every size up to 300, and against every
 * single change of what a stranger is shown. */
#include "tests/vector_file.h"

#include "store/tlog_proof.h"

enum { SIZES = 300, LEAVES = 70000 };

static struct digest leaves[LEAVES];

static void
slow_root(uint64_t a, uint64_t b, struct digest *out)
{
	struct digest left, right;
	uint64_t split = 1;

	if (b - a == 1) {
		*out = leaves[a];
		return;
	}
	while (split * 2 < b - a) {
		split *= 2;
	}
	slow_root(a, a + split, &left);
	slow_root(a + split, b, &right);
	merkle_node_hash(&left, &right, out);
}

/* Section 2.1.1, word for word. */
static void
slow_path(uint64_t m, uint64_t a, uint64_t b, struct proof *out)
{
	uint64_t k = 1;

	if (b - a == 1) {
		return;
	}
	while (k * 2 < b - a) {
		k *= 2;
	}
	if (m < k) {
		slow_path(m, a, a + k, out);
		slow_root(a + k, b, &out->hashes[out->count++]);
	} else {
		slow_path(m - k, a + k, b, out);
		slow_root(a, a + k, &out->hashes[out->count++]);
	}
}

/* Section 2.1.2, word for word. */
static void
slow_subproof(uint64_t m, uint64_t a, uint64_t b, bool known, struct proof *out)
{
	uint64_t k = 1;

	if (m == b - a) {
		if (!known) {
			slow_root(a, b, &out->hashes[out->count++]);
		}
		return;
	}
	while (k * 2 < b - a) {
		k *= 2;
	}
	if (m <= k) {
		slow_subproof(m, a, a + k, known, out);
		slow_root(a + k, b, &out->hashes[out->count++]);
	} else {
		slow_subproof(m - k, a + k, b, false, out);
		slow_root(a, a + k, &out->hashes[out->count++]);
	}
}

static unsigned fetched;

/* What a store gives: hashes of level 1 and above are roots of complete subtrees. */
static bool
fetch(void *context, unsigned level, uint64_t index, uint32_t count, struct digest *hashes)
{
	const uint64_t width = UINT64_C(1) << (8 * level);

	(void)context;
	fetched++;
	for (uint32_t i = 0; i < count; i++) {
		const uint64_t a = (index * TILE_HASHES + i) * width;
		slow_root(a, a + width, &hashes[i]);
	}
	return true;
}

static bool
give_leaf(void *context, uint64_t seq, struct digest *out)
{
	uint64_t *next = context;

	assert_int_equal(seq, (*next)++);
	*out = leaves[seq];
	return true;
}

static bool
same(const struct proof *a, const struct proof *b)
{
	return a->count == b->count &&
	       memcmp(a->hashes, b->hashes, a->count * sizeof a->hashes[0]) == 0;
}

static void
inclusion_for_all_sizes(void **state)
{
	static struct proof got, slow;

	(void)state;
	for (uint64_t size = 1; size <= SIZES; size++) {
		struct digest root;
		slow_root(0, size, &root);
		for (uint64_t seq = 0; seq < size; seq++) {
			slow.count = 0;
			slow_path(seq, 0, size, &slow);
			assert_true(proof_inclusion(fetch, NULL, size, seq, &got));
			assert_true(same(&got, &slow));
			assert_true(proof_check_inclusion(&leaves[seq], seq, size, &root, &got));
			assert_false(
				proof_check_inclusion(&leaves[seq + 1], seq, size, &root, &got));
		}
	}
}

static void
consistency_for_all_sizes(void **state)
{
	static struct proof got, slow;
	struct digest root, old;

	(void)state;
	for (uint64_t size = 1; size <= SIZES; size++) {
		slow_root(0, size, &root);
		for (uint64_t from = 1; from <= size; from++) {
			slow.count = 0;
			slow_subproof(from, 0, size, true, &slow);
			slow_root(0, from, &old);
			assert_true(proof_consistency(fetch, NULL, from, size, &got));
			assert_true(same(&got, &slow));
			assert_true(proof_check_consistency(from, &old, size, &root, &got));
		}
	}
}

static void
ranges_are_complete(void **state)
{
	static struct proof got;
	struct digest root;

	(void)state;
	for (uint64_t size = 1; size <= 40; size++) {
		slow_root(0, size, &root);
		for (uint64_t first = 0; first < size; first++) {
			for (uint64_t end = first + 1; end <= size; end++) {
				uint64_t next = first;
				assert_true(proof_range(fetch, NULL, first, end, size, &got));
				assert_true(proof_check_range(give_leaf, &next, first, end, size,
							      &root, &got));
				assert_int_equal(next, end);
			}
		}
	}
}

/* A change of one bit, a hash more, a hash less, another place: none of them passes. */
static void
nothing_else_passes(void **state)
{
	static struct proof good, bad;
	struct digest root, old;

	(void)state;
	for (uint64_t size = 2; size <= 40; size++) {
		slow_root(0, size, &root);
		for (uint64_t at = 0; at < size; at++) {
			assert_true(proof_inclusion(fetch, NULL, size, at, &good));
			for (uint32_t i = 0; i < good.count; i++) {
				bad = good;
				bad.hashes[i].bytes[at % 32] ^= 1;
				assert_false(
					proof_check_inclusion(&leaves[at], at, size, &root, &bad));
			}
			bad = good;
			bad.hashes[bad.count++] = root;
			assert_false(proof_check_inclusion(&leaves[at], at, size, &root, &bad));
			bad.count -= 2;
			assert_false(proof_check_inclusion(&leaves[at], at, size, &root, &bad));
			assert_false(proof_check_inclusion(&leaves[at], size, size, &root, &good));
		}
		for (uint64_t from = 1; from < size; from++) {
			slow_root(0, from, &old);
			assert_true(proof_consistency(fetch, NULL, from, size, &good));
			for (uint32_t i = 0; i < good.count; i++) {
				bad = good;
				bad.hashes[i].bytes[from % 32] ^= 1;
				assert_false(
					proof_check_consistency(from, &old, size, &root, &bad));
			}
			bad = good;
			bad.count--;
			assert_false(proof_check_consistency(from, &old, size, &root, &bad));
			assert_false(proof_check_consistency(from, &root, size, &root, &good));
		}
		assert_false(proof_check_consistency(0, &root, size, &root, &good));
		assert_false(proof_check_consistency(size + 1, &root, size, &root, &good));
	}
}

static void
large_trees_read_few_tiles(void **state)
{
	static struct proof got;
	struct digest root;

	(void)state;
	assert_true(proof_root(fetch, NULL, LEAVES - 1, &root));
	fetched = 0;
	assert_true(proof_inclusion(fetch, NULL, LEAVES - 1, 1234, &got));
	assert_true(fetched < 40);
	assert_true(proof_check_inclusion(&leaves[1234], 1234, LEAVES - 1, &root, &got));
	assert_true(proof_inclusion(fetch, NULL, LEAVES - 1, LEAVES - 2, &got));
	assert_true(
		proof_check_inclusion(&leaves[LEAVES - 2], LEAVES - 2, LEAVES - 1, &root, &got));
}

/* --- the vectors that implementations share --- */

/* Decimal digits: an index may be 2^64 - 1, which no JSON number of jansson holds. */
static uint64_t
shared_number(const json_t *row, const char *key)
{
	return strtoull(vector_text(row, key), NULL, 10);
}

/* False for what is no hash at all: no checker of ours is even asked then, because no reader lets
 * it through. Some rows have other words in the place of roots, of which only matters whether they
 * are equal: their own hashes stand for them. */
static bool
shared_hash(const char *hex, struct digest *out)
{
	const struct vector_bytes bytes = vector_hex_text(hex);
	const bool is_hash = bytes.span.count == sizeof out->bytes;

	if (is_hash) {
		memcpy(out->bytes, bytes.span.at, sizeof out->bytes);
	} else {
		merkle_leaf_hash(bytes.span, out);
	}
	free(bytes.memory);
	return bytes.span.count > 0;
}

static bool
shared_proof(const json_t *row, struct proof *out)
{
	const json_t *hashes = json_object_get(row, "proof");

	out->count = (uint32_t)json_array_size(hashes);
	assert_true(out->count <= PROOF_HASHES_MAX);
	for (uint32_t i = 0; i < out->count; i++) {
		if (!shared_hash(json_string_value(json_array_get(hashes, i)), &out->hashes[i])) {
			return false;
		}
	}
	return true;
}

static bool
shared_inclusion_holds(const json_t *row)
{
	static struct proof proof;
	struct digest leaf, root;

	return shared_hash(vector_text(row, "leaf"), &leaf) &&
	       shared_hash(vector_text(row, "root"), &root) && shared_proof(row, &proof) &&
	       proof_check_inclusion(&leaf, shared_number(row, "index"), shared_number(row, "size"),
				     &root, &proof);
}

static bool
shared_consistency_holds(const json_t *row)
{
	static struct proof proof;
	struct digest old, root;

	return shared_hash(vector_text(row, "old_root"), &old) &&
	       shared_hash(vector_text(row, "root"), &root) && shared_proof(row, &proof) &&
	       proof_check_consistency(shared_number(row, "old"), &old, shared_number(row, "size"),
				       &root, &proof);
}

static void
check_shared(const char *kind, bool (*holds)(const json_t *row), size_t least)
{
	json_t *vectors = vectors_load("proofs");
	const json_t *rows = json_object_get(vectors, kind);
	size_t held = 0, refused = 0;

	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		const bool is_refused = json_is_true(json_object_get(row, "refused"));

		if (holds(row) == is_refused) {
			fail_msg("%s %s: %s", kind, vector_text(row, "name"),
				 is_refused ? "passes" : "is refused");
		}
		refused += is_refused;
		held += !is_refused;
	}
	assert_true(held >= 6 && refused >= least);
	json_decref(vectors);
}

static void
shared_vectors_pass_and_are_refused(void **state)
{
	(void)state;
	check_shared("inclusion", shared_inclusion_holds, 92);
	check_shared("consistency", shared_consistency_holds, 92);
}

/* The hashes of the eight leaves that Certificate Transparency's own tests use, and all proofs in
 * their tree: what is made here is what everybody's checker takes. */
static void
shared_proofs_are_the_ones_made(void **state)
{
	static struct proof shared, made;
	static struct digest kept[8];
	json_t *tree = vectors_load("merkle");
	json_t *vectors = vectors_load("proofs");
	const json_t *words = json_object_get(tree, "reference_leaves");
	const json_t *rows = json_object_get(vectors, "inclusion");
	const json_t *row = NULL;
	size_t i = 0, compared = 0;

	(void)state;
	memcpy(kept, leaves, sizeof kept);
	for (i = 0; i < 8; i++) {
		const struct vector_bytes bytes =
			vector_hex_text(json_string_value(json_array_get(words, i)));
		merkle_leaf_hash(bytes.span, &leaves[i]);
		free(bytes.memory);
	}
	json_array_foreach(rows, i, row)
	{
		if (json_is_false(json_object_get(row, "refused")) && shared_proof(row, &shared)) {
			const uint64_t at = shared_number(row, "index");
			struct digest leaf;
			shared_hash(vector_text(row, "leaf"), &leaf);
			if (!digest_equal(&leaf, &leaves[at])) {
				continue; /* a tree of other leaves */
			}
			assert_true(proof_inclusion(fetch, NULL, shared_number(row, "size"), at,
						    &made));
			assert_true(same(&made, &shared));
			compared++;
		}
	}
	assert_true(compared >= 5);
	rows = json_object_get(vectors, "consistency");
	json_array_foreach(rows, i, row)
	{
		if (json_is_false(json_object_get(row, "refused")) && shared_proof(row, &shared) &&
		    shared.count > 0) {
			assert_true(proof_consistency(fetch, NULL, shared_number(row, "old"),
						      shared_number(row, "size"), &made));
			assert_true(same(&made, &shared));
			compared++;
		}
	}
	assert_true(compared >= 9);
	memcpy(leaves, kept, sizeof kept);
	json_decref(tree);
	json_decref(vectors);
}

static const char proof_text[] = "c2sp.org/tlog-proof@v1\n"
				 "index 7\n"
				 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
				 "\n"
				 "a\n8\nb\n\n";

static const struct {
	const char *name;
	const char *text;
	bool is_read;
} texts[] = {
	{ "a proof", proof_text, true },
	{ "with extra data", "c2sp.org/tlog-proof@v1\nextra QQ==\nindex 7\n\nnote\n", true },
	{ "a tree of one leaf needs no hash", "c2sp.org/tlog-proof@v1\nindex 0\n\nnote\n", true },
	{ "a consistency proof", "ifswarm.local/consistency@v1\nold 5\n\nnote\n", true },
	{ "nothing", "", false },
	{ "another version", "c2sp.org/tlog-proof@v2\nindex 7\n\nnote\n", false },
	{ "no index", "c2sp.org/tlog-proof@v1\n\nnote\n", false },
	{ "a leading zero", "c2sp.org/tlog-proof@v1\nindex 07\n\nnote\n", false },
	{ "a number that is none", "c2sp.org/tlog-proof@v1\nindex 7a\n\nnote\n", false },
	{ "a number that is too long", "c2sp.org/tlog-proof@v1\nindex 99999999999999999999\n\nn\n",
	  false },
	{ "a hash cut short", "c2sp.org/tlog-proof@v1\nindex 7\nAAAA\n\nnote\n", false },
	{ "no checkpoint", "c2sp.org/tlog-proof@v1\nindex 7\n\n", false },
	{ "no end", "c2sp.org/tlog-proof@v1\nindex 7\n", false },
	{ "extra data in a consistency proof",
	  "ifswarm.local/consistency@v1\nextra QQ==\nold 5\n\nnote\n", false },
};

static void
texts_are_read_strictly(void **state)
{
	static struct tlog_proof proof;
	static char again[TLOG_PROOF_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		const struct span text = { (const uint8_t *)texts[i].text, strlen(texts[i].text) };
		if (tlog_proof_read(text, &proof) != texts[i].is_read) {
			fail_msg("%s", texts[i].name);
		}
	}
	assert_true(tlog_proof_read(
		(struct span){ (const uint8_t *)proof_text, strlen(proof_text) }, &proof));
	assert_int_equal(tlog_proof_write(again, &proof), strlen(proof_text));
	assert_memory_equal(again, proof_text, strlen(proof_text));
}

static int
make_leaves(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < LEAVES; i++) {
		merkle_leaf_hash((struct span){ (const uint8_t *)&i, sizeof i }, &leaves[i]);
	}
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inclusion_for_all_sizes),
		cmocka_unit_test(consistency_for_all_sizes),
		cmocka_unit_test(ranges_are_complete),
		cmocka_unit_test(nothing_else_passes),
		cmocka_unit_test(large_trees_read_few_tiles),
		cmocka_unit_test(shared_vectors_pass_and_are_refused),
		cmocka_unit_test(shared_proofs_are_the_ones_made),
		cmocka_unit_test(texts_are_read_strictly),
	};

	return cmocka_run_group_tests(tests, make_leaves, NULL);
}
