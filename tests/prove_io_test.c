/* prove as a stranger meets it: what it prints is checked with nothing but the log's key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <jansson.h>
#include <sys/wait.h>

#include "store/read_io.h"
#include "store/tlog_proof.h"
#include "tests/replay_fixture.h"

enum { OUTPUT_MAX = 1 << 18 };

static char output[OUTPUT_MAX];
static size_t output_count;

static int
run(const char *arguments)
{
	char line[FIXTURE_TEXT_MAX + 512];

	snprintf(line, sizeof line, "%s/ifreplay --data-dir %s prove %s 2>&1", IFSWARM_BIN,
		 fixture_truth, fixture_text(arguments));
	FILE *pipe = popen(line, "r");
	assert_non_null(pipe);
	output_count = fread(output, 1, sizeof output - 1, pipe);
	output[output_count] = '\0';
	const int status = pclose(pipe);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static struct checkpoint
signed_by_the_log(struct span note)
{
	char path[256];
	char vkey[CHECKPOINT_VKEY_MAX + 1] = "";
	struct log_verifier key;
	struct checkpoint out;

	snprintf(path, sizeof path, "%s/log.vkey", fixture_truth);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	assert_true(fread(vkey, 1, sizeof vkey - 1, file) > 0);
	fclose(file);
	assert_true(log_verifier_read(vkey, &key));
	assert_int_equal(checkpoint_verify(note, &key, &out), CHECKPOINT_HOLDS);
	return out;
}

/* The entries that `prove --json` hands out are those its proofs are about. */
static void
an_entry_is_proved(void **state)
{
	static const char *const seqs[] = { "0", "1", "255", "256", "<44>", "<616>", "<620>" };
	static struct tlog_proof proof;

	(void)state;
	for (size_t i = 0; i < sizeof seqs / sizeof seqs[0]; i++) {
		char arguments[64];
		struct digest leaf;

		snprintf(arguments, sizeof arguments, "%s --json", seqs[i]);
		assert_int_equal(run(arguments), 0);
		json_t *object = json_loads(output, 0, NULL);
		assert_non_null(object);
		const char *text = json_string_value(json_object_get(object, "proof"));
		assert_true(tlog_proof_read((struct span){ (const uint8_t *)text, strlen(text) },
					    &proof));
		assert_int_equal(proof.number, json_integer_value(json_object_get(object, "seq")));
		const struct checkpoint now = signed_by_the_log(proof.note);
		const char *entry = json_string_value(json_object_get(object, "entry_b64"));
		static uint8_t bytes[BASE64_BYTES_MAX];
		const size_t count = base64_read(bytes, sizeof bytes, entry, strlen(entry));
		assert_true(count > 0);
		merkle_leaf_hash((struct span){ bytes, count }, &leaf);
		assert_true(proof_check_inclusion(&leaf, proof.number, now.size, &now.root,
						  &proof.proof));
		json_decref(object);
	}
}

static void
old_checkpoint(const char *size, char path[256])
{
	char line[FIXTURE_TEXT_MAX + 1024];

	snprintf(path, 256, "%s/old", fixture_base);
	snprintf(line, sizeof line,
		 "sqlite3 %s/witness.db \"SELECT CAST(note AS TEXT) FROM checkpoint WHERE size = "
		 "%s\" > %s",
		 fixture_truth, fixture_text(size), path);
	assert_int_equal(system(line), 0);
	/* sqlite3 ends its output with a newline of its own. */
	snprintf(line, sizeof line, "truncate -s -1 %s", path);
	assert_int_equal(system(line), 0);
}

static void
the_log_extends_what_it_signed(void **state)
{
	static struct tlog_proof proof;
	char path[256];
	char arguments[512];
	struct checkpoint old;

	(void)state;
	old_checkpoint("<616>", path);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	char note[CHECKPOINT_BYTES_MAX];
	const size_t count = fread(note, 1, sizeof note, file);
	fclose(file);
	assert_true(checkpoint_read((struct span){ (const uint8_t *)note, count }, &old));
	snprintf(arguments, sizeof arguments, "--from-checkpoint %s", path);
	assert_int_equal(run(arguments), 0);
	assert_true(
		tlog_proof_read((struct span){ (const uint8_t *)output, output_count }, &proof));
	const struct checkpoint now = signed_by_the_log(proof.note);
	assert_int_equal(proof.number, old.size);
	assert_true(
		proof_check_consistency(old.size, &old.root, now.size, &now.root, &proof.proof));
}

static void
a_root_that_was_never_ours_is_refused(void **state)
{
	char path[256];
	char line[512];

	(void)state;
	old_checkpoint("<616>", path);
	snprintf(line, sizeof line, "sed -i '3s/^A/B/; t; 3s/^./A/' %s", path);
	assert_int_equal(system(line), 0);
	snprintf(line, sizeof line, "--from-checkpoint %s", path);
	assert_int_equal(run(line), 1);
	assert_non_null(strstr(output, "does not extend"));
}

static bool
give_leaf(void *context, uint64_t seq, struct digest *out)
{
	struct digest tile[TILE_HASHES];
	const uint32_t at = (uint32_t)(seq % TILE_HASHES);
	const bool given = log_fetch_hashes(context, 0, seq / TILE_HASHES, at + 1, tile);

	*out = tile[at];
	return given;
}

static void
a_range_is_complete(void **state)
{
	static struct proof proof;
	struct log_reader *reader = NULL;
	char fault[512];

	(void)state;
	assert_int_equal(run("--range 200 300"), 0);
	json_t *object = json_loads(output, 0, NULL);
	assert_non_null(object);
	const char *note = json_string_value(json_object_get(object, "checkpoint"));
	const struct checkpoint now =
		signed_by_the_log((struct span){ (const uint8_t *)note, strlen(note) });
	const json_t *hashes = json_object_get(object, "hashes");
	proof.count = (uint32_t)json_array_size(hashes);
	for (uint32_t i = 0; i < proof.count; i++) {
		const char *hash = json_string_value(json_array_get(hashes, i));
		assert_int_equal(base64_read(proof.hashes[i].bytes, 32, hash, strlen(hash)), 32);
	}
	assert_int_equal(json_integer_value(json_object_get(object, "end")), 301);
	assert_true(log_reader_open(fixture_truth, &reader, fault, sizeof fault));
	assert_true(proof_check_range(give_leaf, reader, 200, 301, now.size, &now.root, &proof));
	assert_false(proof_check_range(give_leaf, reader, 200, 300, now.size, &now.root, &proof));
	log_reader_close(reader);
	json_decref(object);
}

static const struct {
	const char *arguments;
	const char *says;
} refusals[] = {
	{ "9999", "the newest checkpoint covers entries 0 to" },
	{ "--range 5 9999", "the newest checkpoint covers entries 0 to" },
	{ "--range 9 5", "a range is its first and its last seq" },
	{ "--from-checkpoint /dev/null", "is no checkpoint" },
	{ "--from-checkpoint /nowhere", "is no checkpoint" },
	{ "0 --vkey /nowhere", "the log's key cannot be read" },
};

static void
what_cannot_be_proved_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		assert_int_equal(run(refusals[i].arguments), 1);
		if (strstr(output, refusals[i].says) == NULL) {
			fail_msg("prove %s: %s", refusals[i].arguments, output);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_is_proved),
		cmocka_unit_test(the_log_extends_what_it_signed),
		cmocka_unit_test(a_root_that_was_never_ours_is_refused),
		cmocka_unit_test(a_range_is_complete),
		cmocka_unit_test(what_cannot_be_proved_is_refused),
	};

	return cmocka_run_group_tests(tests, fixture_set_up, fixture_tear_down);
}
