/* Cosignatures, against vectors that another implementation signed. */
#include "tests/vector_file.h"

#include "store/cosignature.h"

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
	vkey_signer_make(out, vector_text(root, "name"), VKEY_COSIGNER, seed);
}

static void
test_the_same_key_signs_the_same_line(void **state)
{
	json_t *root = vectors_load("cosignature");
	char vkey[CHECKPOINT_VKEY_MAX], line[COSIGNATURE_LINE_MAX];
	struct log_signer signer;

	(void)state;
	load_signer(root, &signer);
	log_verifier_write(vkey, &signer.verifier);
	assert_string_equal(vkey, vector_text(root, "vkey"));
	const size_t count = cosignature_sign(&signer, span_of(vector_text(root, "text")),
					      vector_number(root, "time"), line);
	assert_int_equal(count, strlen(line));
	assert_int_equal(line[count - 1], '\n');
	line[count - 1] = '\0';
	assert_string_equal(line, vector_text(root, "line"));
	json_decref(root);
}

static void
test_what_holds(void **state)
{
	json_t *root = vectors_load("cosignature");
	const json_t *extended = json_object_get(root, "extended");
	struct log_verifier key;
	uint64_t time_s = 0;

	(void)state;
	assert_true(vkey_read(vector_text(root, "vkey"), VKEY_COSIGNER, &key));
	assert_int_equal(cosignature_verify(span_of(vector_text(root, "line")),
					    span_of(vector_text(root, "text")), &key, &time_s),
			 COSIGNATURE_HOLDS);
	assert_int_equal(time_s, vector_number(root, "time"));
	assert_int_equal(cosignature_verify(span_of(vector_text(extended, "line")),
					    span_of(vector_text(extended, "text")), &key, &time_s),
			 COSIGNATURE_HOLDS);
	json_decref(root);
}

static void
test_what_is_refused(void **state)
{
	json_t *root = vectors_load("cosignature");
	struct log_verifier key;
	size_t i;
	const json_t *row;

	(void)state;
	assert_true(vkey_read(vector_text(root, "vkey"), VKEY_COSIGNER, &key));
	json_array_foreach(json_object_get(root, "refused"), i, row)
	{
		const char *said = vector_text(row, "check");
		const enum cosignature_check expected =
			strcmp(said, "forged") == 0    ? COSIGNATURE_FORGED
			: strcmp(said, "foreign") == 0 ? COSIGNATURE_FOREIGN
						       : COSIGNATURE_MALFORMED;
		uint64_t time_s = 0;
		const enum cosignature_check got =
			cosignature_verify(span_of(vector_text(row, "line")),
					   span_of(vector_text(root, "text")), &key, &time_s);
		if (got != expected) {
			fail_msg("%s: %s", vector_text(row, "name"), cosignature_check_text(got));
		}
		assert_int_equal(time_s, 0);
	}
	json_decref(root);
}

static void
test_no_bit_of_a_line_may_change(void **state)
{
	json_t *root = vectors_load("cosignature");
	const char *line = vector_text(root, "line");
	char changed[COSIGNATURE_LINE_MAX];
	struct log_verifier key;
	uint64_t time_s = 0;

	(void)state;
	assert_true(vkey_read(vector_text(root, "vkey"), VKEY_COSIGNER, &key));
	for (size_t i = 0; line[i] != '\0'; i++) {
		strcpy(changed, line);
		changed[i] ^= 0x02;
		assert_int_not_equal(
			cosignature_verify((struct span){ (uint8_t *)changed, strlen(line) },
					   span_of(vector_text(root, "text")), &key, &time_s),
			COSIGNATURE_HOLDS);
	}
	json_decref(root);
}

/* A key has one role: what cosigns is no log's key, and the other way round. */
static void
test_a_key_of_one_kind_is_none_of_the_other(void **state)
{
	json_t *cosigner = vectors_load("cosignature");
	json_t *log = vectors_load("checkpoint");
	struct log_verifier key;

	(void)state;
	assert_false(vkey_read(vector_text(cosigner, "vkey"), VKEY_LOG, &key));
	assert_false(vkey_read(vector_text(log, "vkey"), VKEY_COSIGNER, &key));
	assert_true(vkey_read(vector_text(log, "vkey"), VKEY_LOG, &key));
	json_decref(cosigner);
	json_decref(log);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_same_key_signs_the_same_line),
		cmocka_unit_test(test_what_holds),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_no_bit_of_a_line_may_change),
		cmocka_unit_test(test_a_key_of_one_kind_is_none_of_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
