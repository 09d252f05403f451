/* Sealing (EVIDENCE section 2), against vectors that another implementation wrote. */
#include "tests/vector_file.h"

#include "store/seal.h"
#include "store/sha256.h"

struct loaded {
	json_t *root;
	struct sealer *sealer;
	struct seal_key key;
	struct seal_key wrap;
};

static struct loaded
load(void)
{
	struct loaded l = { .root = vectors_load("seal") };

	l.sealer = sealer_new(vector_text(l.root, "origin"));
	vector_fixed(l.root, "key", l.key.bytes, sizeof l.key.bytes);
	vector_fixed(l.root, "wrap_key", l.wrap.bytes, sizeof l.wrap.bytes);
	return l;
}

static void
unload(struct loaded *l)
{
	sealer_free(l->sealer);
	json_decref(l->root);
}

static struct seal_place
place_of(const json_t *row)
{
	struct seal_place place = { .seq = vector_number(row, "seq"),
				    .part = (uint8_t)vector_number(row, "part") };

	vector_fixed(row, "key_id", place.key_id.bytes, sizeof place.key_id.bytes);
	return place;
}

static void
test_parts_are_sealed_and_opened_as_the_vectors_say(void **state)
{
	struct loaded l = load();
	size_t i, count;
	const json_t *row;

	(void)state;
	json_array_foreach(json_object_get(l.root, "parts"), i, row)
	{
		const struct vector_bytes plain = vector_hex(row, "plain");
		const struct vector_bytes body = vector_hex(row, "body");
		const struct seal_place place = place_of(row);
		uint8_t salt[SEAL_SALT_BYTES], got[SEAL_BODY_MAX], opened[SEALED_BYTES_MAX];
		struct digest digest, expected;

		vector_fixed(row, "salt", salt, sizeof salt);
		vector_fixed(row, "digest", expected.bytes, sizeof expected.bytes);
		count = seal_part(l.sealer, &l.key, &place, salt, plain.span, got, &digest);
		assert_span_equal((struct span){ got, count }, body.span);
		assert_true(digest_equal(&digest, &expected));
		seal_digest(salt, body.span, &digest);
		assert_true(digest_equal(&digest, &expected));
		assert_true(seal_open(l.sealer, &l.key, &place, salt, body.span, opened, &count));
		assert_span_equal((struct span){ opened, count }, plain.span);
		free(plain.memory);
		free(body.memory);
	}
	unload(&l);
}

static void
test_nothing_opens_in_another_place_or_with_another_key(void **state)
{
	struct loaded l = load();
	const json_t *row = json_array_get(json_object_get(l.root, "parts"), 1);
	const struct vector_bytes body = vector_hex(row, "body");
	const struct seal_place right = place_of(row);
	struct sealer *elsewhere = sealer_new("ifswarm.local/node2");
	struct seal_place place = right;
	struct seal_key key = l.key;
	uint8_t salt[SEAL_SALT_BYTES], out[SEALED_BYTES_MAX];
	size_t count;

	(void)state;
	vector_fixed(row, "salt", salt, sizeof salt);
	place.seq++;
	assert_false(seal_open(l.sealer, &l.key, &place, salt, body.span, out, &count));
	place = right;
	place.part = 1;
	assert_false(seal_open(l.sealer, &l.key, &place, salt, body.span, out, &count));
	place = right;
	place.key_id.bytes[15] ^= 1;
	assert_false(seal_open(l.sealer, &l.key, &place, salt, body.span, out, &count));
	key.bytes[0] ^= 1;
	assert_false(seal_open(l.sealer, &key, &right, salt, body.span, out, &count));
	assert_false(seal_open(elsewhere, &l.key, &right, salt, body.span, out, &count));
	salt[11] ^= 1;
	assert_false(seal_open(l.sealer, &l.key, &right, salt, body.span, out, &count));
	salt[11] ^= 1;
	for (size_t i = 0; i < body.span.count; i++) {
		body.memory[i] ^= 1;
		assert_false(seal_open(l.sealer, &l.key, &right, salt, body.span, out, &count));
		body.memory[i] ^= 1;
		assert_false(seal_open(l.sealer, &l.key, &right, salt,
				       (struct span){ body.memory, i }, out, &count));
	}
	assert_true(seal_open(l.sealer, &l.key, &right, salt, body.span, out, &count));
	sealer_free(elsewhere);
	free(body.memory);
	unload(&l);
}

static void
test_keys_are_committed_to_and_wrapped(void **state)
{
	struct loaded l = load();
	struct digest commitment, expected;
	uint8_t wrapped[SEAL_WRAPPED_BYTES], right[SEAL_WRAPPED_BYTES];
	struct seal_key out;

	(void)state;
	seal_commitment(&l.key, &commitment);
	vector_fixed(l.root, "commitment", expected.bytes, sizeof expected.bytes);
	assert_true(digest_equal(&commitment, &expected));
	seal_wrap(&l.wrap, &l.key, wrapped);
	vector_fixed(l.root, "wrapped", right, sizeof right);
	assert_memory_equal(wrapped, right, sizeof right);
	assert_true(seal_unwrap(&l.wrap, wrapped, &out));
	assert_memory_equal(&out, &l.key, sizeof out);
	assert_false(seal_unwrap(&l.key, wrapped, &out));
	wrapped[3] ^= 1;
	assert_false(seal_unwrap(&l.wrap, wrapped, &out));
	unload(&l);
}

static void
test_annex_of_a_snapshot(void **state)
{
	struct loaded l = load();
	const json_t *row = json_object_get(l.root, "annex");
	const struct vector_bytes plain = vector_hex(row, "plain");
	const struct vector_bytes box = vector_hex(row, "box");
	const struct vector_bytes dump = vector_hex(row, "dump");
	struct seal_annex_place place = { .stream = vector_number(row, "stream"),
					  .version = vector_number(row, "version") };
	uint8_t iv[SEAL_IV_BYTES], sealed[256], out[256];
	size_t count;

	(void)state;
	sha256_span(dump.span, &place.dump);
	vector_fixed(row, "iv", iv, sizeof iv);
	seal_annex(l.sealer, &l.wrap, &place, iv, plain.span, sealed);
	assert_span_equal((struct span){ sealed, plain.span.count + SEAL_BOX_EXTRA }, box.span);
	assert_true(seal_annex_open(l.sealer, &l.wrap, &place, box.span, out, &count));
	assert_span_equal((struct span){ out, count }, plain.span);
	place.version++;
	assert_false(seal_annex_open(l.sealer, &l.wrap, &place, box.span, out, &count));
	free(plain.memory);
	free(box.memory);
	free(dump.memory);
	unload(&l);
}

static void
test_months(void **state)
{
	struct loaded l = load();
	size_t i;
	const json_t *row;

	(void)state;
	json_array_foreach(json_object_get(l.root, "months"), i, row)
	{
		assert_int_equal(seal_month(vector_number(row, "time_us")),
				 vector_number(row, "month"));
	}
	unload(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts_are_sealed_and_opened_as_the_vectors_say),
		cmocka_unit_test(test_nothing_opens_in_another_place_or_with_another_key),
		cmocka_unit_test(test_keys_are_committed_to_and_wrapped),
		cmocka_unit_test(test_annex_of_a_snapshot),
		cmocka_unit_test(test_months),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
