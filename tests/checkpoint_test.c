/* Checkpoints and verifier keys, against vectors that another implementation signed. */
#include "tests/vector_file.h"

#include "store/checkpoint.h"

static struct span
span_of(const char *text)
{
	return (struct span){ (const uint8_t *)text, strlen(text) };
}

static void
load_signer(const json_t *root, struct log_signer *out)
{
	uint8_t seed[32];

	vector_fixed(root, "seed", seed, sizeof seed);
	log_signer_make(out, vector_text(root, "origin"), seed);
}

static void
test_the_same_key_signs_the_same_note(void **state)
{
	json_t *root = vectors_load("checkpoint");
	struct checkpoint checkpoint = { .size = vector_number(root, "size") };
	struct log_signer signer;
	char vkey[CHECKPOINT_VKEY_MAX], note[CHECKPOINT_BYTES_MAX];
	uint8_t public_key[32];

	(void)state;
	load_signer(root, &signer);
	vector_fixed(root, "public_key", public_key, sizeof public_key);
	assert_memory_equal(signer.verifier.public_key, public_key, sizeof public_key);
	log_verifier_write(vkey, &signer.verifier);
	assert_string_equal(vkey, vector_text(root, "vkey"));
	strcpy(checkpoint.origin, vector_text(root, "origin"));
	vector_fixed(root, "root", checkpoint.root.bytes, sizeof checkpoint.root.bytes);
	const size_t count = checkpoint_sign(&checkpoint, &signer, note);
	assert_int_equal(count, strlen(note));
	assert_string_equal(note, vector_text(root, "note"));
	json_decref(root);
}

static void
assert_holds(const json_t *root, const char *note)
{
	struct log_verifier verifier;
	struct checkpoint checkpoint;

	assert_true(log_verifier_read(vector_text(root, "vkey"), &verifier));
	assert_int_equal(checkpoint_verify(span_of(note), &verifier, &checkpoint),
			 CHECKPOINT_HOLDS);
	assert_int_equal(checkpoint.size, vector_number(root, "size"));
	assert_string_equal(checkpoint.origin, vector_text(root, "origin"));
}

static void
test_what_holds(void **state)
{
	json_t *root = vectors_load("checkpoint");
	size_t i;
	const json_t *row;

	(void)state;
	assert_holds(root, vector_text(root, "note"));
	json_array_foreach(json_object_get(root, "holds"), i, row)
	{
		assert_holds(root, vector_text(row, "note"));
	}
	json_decref(root);
}

static void
test_what_is_refused(void **state)
{
	json_t *root = vectors_load("checkpoint");
	struct log_verifier verifier;
	size_t i;
	const json_t *row;

	(void)state;
	assert_true(log_verifier_read(vector_text(root, "vkey"), &verifier));
	json_array_foreach(json_object_get(root, "refused"), i, row)
	{
		const char *said = vector_text(row, "check");
		const enum checkpoint_check expected =
			strcmp(said, "forged") == 0    ? CHECKPOINT_FORGED
			: strcmp(said, "foreign") == 0 ? CHECKPOINT_FOREIGN
						       : CHECKPOINT_MALFORMED;
		struct checkpoint checkpoint;
		const enum checkpoint_check got = checkpoint_verify(
			span_of(vector_text(row, "note")), &verifier, &checkpoint);
		if (got != expected) {
			fail_msg("%s: %s", vector_text(row, "name"), checkpoint_check_text(got));
		}
	}
	json_decref(root);
}

/* Not one byte of text or signature may change; the dash, the name and the key id end as malformed
 * or foreign, the rest as forged. */
static void
test_no_bit_of_a_note_may_change(void **state)
{
	json_t *root = vectors_load("checkpoint");
	const char *note = vector_text(root, "note");
	char changed[CHECKPOINT_BYTES_MAX];
	struct log_verifier verifier;
	struct checkpoint checkpoint;

	(void)state;
	assert_true(log_verifier_read(vector_text(root, "vkey"), &verifier));
	for (size_t i = 0; note[i] != '\0'; i++) {
		strcpy(changed, note);
		changed[i] ^= 0x02;
		assert_int_not_equal(
			checkpoint_verify((struct span){ (uint8_t *)changed, strlen(note) },
					  &verifier, &checkpoint),
			CHECKPOINT_HOLDS);
	}
	json_decref(root);
}

static void
test_verifier_keys_that_are_none(void **state)
{
	json_t *root = vectors_load("checkpoint");
	const char *vkey = vector_text(root, "vkey");
	char changed[CHECKPOINT_VKEY_MAX + 8];
	struct log_verifier verifier;

	(void)state;
	for (size_t i = 0; vkey[i] != '\0'; i++) {
		strcpy(changed, vkey);
		changed[i] ^= 0x02;
		assert_false(log_verifier_read(changed, &verifier));
		changed[i] = '\0';
		assert_false(log_verifier_read(changed, &verifier));
	}
	snprintf(changed, sizeof changed, "%s\n", vkey);
	assert_true(log_verifier_read(changed, &verifier));
	snprintf(changed, sizeof changed, "%s\n\n", vkey);
	assert_false(log_verifier_read(changed, &verifier));
	json_decref(root);
}

static void
test_origins(void **state)
{
	char long_origin[ORIGIN_BYTES_MAX + 2];

	(void)state;
	assert_true(origin_is_wellformed("ifswarm.local/node1"));
	assert_false(origin_is_wellformed(""));
	assert_false(origin_is_wellformed("a b"));
	assert_false(origin_is_wellformed("a+b"));
	assert_false(origin_is_wellformed("a\nb"));
	assert_false(origin_is_wellformed("n\xC3\xB6rd"));
	memset(long_origin, 'a', sizeof long_origin);
	long_origin[ORIGIN_BYTES_MAX + 1] = '\0';
	assert_false(origin_is_wellformed(long_origin));
	long_origin[ORIGIN_BYTES_MAX] = '\0';
	assert_true(origin_is_wellformed(long_origin));
}

static void
put_file(const char *directory, const char *name, const char *text)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/%s", directory, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* What a reviewer types, with openssl and coreutils alone. */
static void
test_the_recipe_works(void **state)
{
	json_t *root = vectors_load("checkpoint");
	char directory[] = "/tmp/checkpoint_test.XXXXXX";
	char recipe[CHECKPOINT_RECIPE_MAX], command[4096];
	struct log_verifier verifier;

	(void)state;
	assert_non_null(mkdtemp(directory));
	assert_true(log_verifier_read(vector_text(root, "vkey"), &verifier));
	checkpoint_recipe(recipe, &verifier);
	put_file(directory, "recipe.sh", recipe);
	put_file(directory, "checkpoint", vector_text(root, "note"));
	snprintf(command, sizeof command, "cd %s && sh -e recipe.sh > /dev/null 2>&1", directory);
	assert_int_equal(system(command), 0);
	put_file(directory, "checkpoint",
		 vector_text(json_array_get(json_object_get(root, "refused"), 0), "note"));
	assert_int_not_equal(system(command), 0);
	snprintf(command, sizeof command, "rm -rf %s", directory);
	assert_int_equal(system(command), 0);
	json_decref(root);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_same_key_signs_the_same_note),
		cmocka_unit_test(test_what_holds),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_no_bit_of_a_note_may_change),
		cmocka_unit_test(test_verifier_keys_that_are_none),
		cmocka_unit_test(test_origins),
		cmocka_unit_test(test_the_recipe_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
