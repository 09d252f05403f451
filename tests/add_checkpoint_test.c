/* add-checkpoint (C2SP tlog-witness): what is a body, and which status it gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actors/add_checkpoint.h"

enum { LEAVES = 20 };

static struct digest leaves[LEAVES];
static struct log_signer log_key, other_key;
static struct policy logs;

/* Small enough for one tile: levels above 0 are never asked for. */
static bool
fetch(void *context, unsigned level, uint64_t index, uint32_t count, struct digest *hashes)
{
	(void)context;
	assert_int_equal(level, 0);
	assert_int_equal(index, 0);
	memcpy(hashes, leaves, count * sizeof *hashes);
	return true;
}

static struct checkpoint
checkpoint_of(uint64_t size)
{
	struct checkpoint checkpoint = { .size = size };

	strcpy(checkpoint.origin, log_key.verifier.name);
	if (size == 0) {
		merkle_empty_hash(&checkpoint.root);
	} else {
		assert_true(proof_root(fetch, NULL, size, &checkpoint.root));
	}
	return checkpoint;
}

static int
set_up(void **state)
{
	const uint8_t seed[32] = { 1 }, other[32] = { 2 };

	(void)state;
	for (int i = 0; i < LEAVES; i++) {
		const uint8_t leaf = (uint8_t)i;
		merkle_leaf_hash((struct span){ &leaf, 1 }, &leaves[i]);
	}
	log_signer_make(&log_key, "example/log", seed);
	log_signer_make(&other_key, "example/log", other);
	logs.log_count = 1;
	logs.logs[0].key = log_key.verifier;
	return 0;
}

/* The body for from -> to, in `out`. */
static size_t
write_body(char *out, uint64_t from, uint64_t to, const struct log_signer *signer)
{
	const struct checkpoint checkpoint = checkpoint_of(to);
	struct proof proof = { .count = 0 };

	if (from > 0 && from <= to) {
		assert_true(proof_consistency(fetch, NULL, from, to, &proof));
	}
	const size_t head = add_checkpoint_head(out, from, &proof);
	return head + checkpoint_sign(&checkpoint, signer, out + head);
}

static enum add_checkpoint_status
ask(const char *body, size_t count, const struct cosigned_before *before)
{
	struct add_checkpoint request;

	if (!add_checkpoint_read((struct span){ (const uint8_t *)body, count }, &request)) {
		return ADD_CHECKPOINT_BAD;
	}
	const enum add_checkpoint_status status = add_checkpoint_admit(&request, &logs);
	return status == ADD_CHECKPOINT_OK ? add_checkpoint_judge(&request, before) : status;
}

static void
test_every_growth_is_cosigned_and_nothing_else(void **state)
{
	char body[ADD_CHECKPOINT_BODY_MAX];

	(void)state;
	for (uint64_t held = 0; held <= LEAVES; held++) {
		const struct checkpoint last = checkpoint_of(held);
		const struct cosigned_before before = { held, held == 0 ? (struct digest){ { 0 } }
									: last.root };
		for (uint64_t from = 0; from <= LEAVES; from++) {
			for (uint64_t to = 0; to <= LEAVES; to++) {
				const size_t count = write_body(body, from, to, &log_key);
				const enum add_checkpoint_status expected =
					from > to      ? ADD_CHECKPOINT_BAD
					: from != held ? ADD_CHECKPOINT_STALE
						       : ADD_CHECKPOINT_OK;
				assert_int_equal(ask(body, count, &before), expected);
			}
		}
	}
}

/* threat: a log that shows us another history than the one we vouched for. */
static void
test_another_history_is_never_cosigned(void **state)
{
	char body[ADD_CHECKPOINT_BODY_MAX];
	struct cosigned_before before = { .size = 7, .root = checkpoint_of(7).root };

	(void)state;
	before.root.bytes[5] ^= 1;
	for (uint64_t to = 7; to <= LEAVES; to++) {
		const size_t count = write_body(body, 7, to, &log_key);
		assert_int_equal(ask(body, count, &before), ADD_CHECKPOINT_INCONSISTENT);
	}
	before.root.bytes[5] ^= 1;
	/* A hash too many, and one too few. */
	struct proof proof;
	const struct checkpoint new = checkpoint_of(13);
	assert_true(proof_consistency(fetch, NULL, 7, 13, &proof));
	for (int change = -1; change <= 1; change += 2) {
		struct proof changed = proof;
		changed.count = (uint32_t)((int)proof.count + change);
		const size_t head = add_checkpoint_head(body, 7, &changed);
		const size_t count = head + checkpoint_sign(&new, &log_key, body + head);
		assert_int_equal(ask(body, count, &before), ADD_CHECKPOINT_INCONSISTENT);
	}
}

static void
test_the_empty_tree(void **state)
{
	const struct cosigned_before none = { .size = 0 };
	char body[ADD_CHECKPOINT_BODY_MAX];
	struct checkpoint wrong = checkpoint_of(0);
	struct proof proof = { .count = 0 };

	(void)state;
	assert_int_equal(ask(body, write_body(body, 0, 0, &log_key), &none), ADD_CHECKPOINT_OK);
	wrong.root.bytes[0] ^= 1;
	size_t head = add_checkpoint_head(body, 0, &proof);
	size_t count = head + checkpoint_sign(&wrong, &log_key, body + head);
	assert_int_equal(ask(body, count, &none), ADD_CHECKPOINT_INCONSISTENT);
	/* From nothing no proof is needed, and none is taken. */
	const struct checkpoint new = checkpoint_of(5);
	proof.count = 1;
	proof.hashes[0] = new.root;
	head = add_checkpoint_head(body, 0, &proof);
	count = head + checkpoint_sign(&new, &log_key, body + head);
	assert_int_equal(ask(body, count, &none), ADD_CHECKPOINT_INCONSISTENT);
}

static void
test_who_signed_it(void **state)
{
	const struct cosigned_before none = { .size = 0 };
	char body[ADD_CHECKPOINT_BODY_MAX];
	size_t count;

	(void)state;
	/* Another key under that name. */
	assert_int_equal(ask(body, write_body(body, 0, 5, &other_key), &none),
			 ADD_CHECKPOINT_UNTRUSTED);
	/* Two keys are trusted for the name: either will do. */
	logs.logs[logs.log_count++].key = other_key.verifier;
	assert_int_equal(ask(body, write_body(body, 0, 5, &other_key), &none), ADD_CHECKPOINT_OK);
	assert_int_equal(ask(body, write_body(body, 0, 5, &log_key), &none), ADD_CHECKPOINT_OK);
	logs.log_count--;
	/* A known key's line over another text. */
	count = write_body(body, 0, 5, &log_key);
	char *size_line = strstr(body, "\n5\n");
	assert_non_null(size_line);
	size_line[1] = '6';
	assert_int_equal(ask(body, count, &none), ADD_CHECKPOINT_UNTRUSTED);
	/* A log that nobody told us of. */
	logs.log_count = 0;
	assert_int_equal(ask(body, write_body(body, 0, 5, &log_key), &none),
			 ADD_CHECKPOINT_UNKNOWN);
	logs.log_count = 1;
}

static void
test_other_lines_do_no_harm(void **state)
{
	const struct cosigned_before none = { .size = 0 };
	char body[ADD_CHECKPOINT_BODY_MAX];
	size_t count = write_body(body, 0, 5, &log_key);

	(void)state;
	count += (size_t)snprintf(body + count, sizeof body - count,
				  "\xE2\x80\x94 witness.example/w1 AAAAAAAAAAAAAAAA\n");
	assert_int_equal(ask(body, count, &none), ADD_CHECKPOINT_OK);
	body[count++] = 'x';
	assert_int_equal(ask(body, count, &none), ADD_CHECKPOINT_BAD);
}

static void
test_what_is_no_body(void **state)
{
	static const char note[] =
		"example/log\n5\nSBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7I=\n\n"
		"\xE2\x80\x94 example/log AAAAAAAAAAAAAAAA\n";
	static const char *const rows[] = {
		"",
		"old",
		"old 5",
		"old \n\n",
		"old 05\n\n",
		"old -1\n\n",
		"old  5\n\n",
		"Old 5\n\n",
		"old 5\n",
		"old 5 \n\n",
		"old 5\r\n\r\n",
		"old 18446744073709551616\n\n",
		"old 5\nAAAA\n\n",
		"old 5\nnot base64\n\n",
		"\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct add_checkpoint request;
		char body[512];
		const int count = snprintf(body, sizeof body, "%s%s", rows[i], note);

		if (add_checkpoint_read((struct span){ (uint8_t *)body, (size_t)count },
					&request)) {
			fail_msg("row %zu was read: %s", i, rows[i]);
		}
	}
}

/* 63 hashes are a body, 64 are none. */
static void
test_how_many_hashes(void **state)
{
	static struct proof proof;
	static char body[2 * ADD_CHECKPOINT_BODY_MAX];
	struct add_checkpoint request;
	const struct checkpoint new = checkpoint_of(5);

	(void)state;
	proof.count = ADD_CHECKPOINT_HASHES_MAX;
	size_t head = add_checkpoint_head(body, 5, &proof);
	const size_t count = head + checkpoint_sign(&new, &log_key, body + head);
	assert_true(add_checkpoint_read((struct span){ (uint8_t *)body, count }, &request));
	assert_int_equal(request.proof.count, ADD_CHECKPOINT_HASHES_MAX);
	memmove(body + 6 + 45, body + 6, count - 6);
	assert_false(add_checkpoint_read((struct span){ (uint8_t *)body, count + 45 }, &request));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_growth_is_cosigned_and_nothing_else),
		cmocka_unit_test(test_another_history_is_never_cosigned),
		cmocka_unit_test(test_the_empty_tree),
		cmocka_unit_test(test_who_signed_it),
		cmocka_unit_test(test_other_lines_do_no_harm),
		cmocka_unit_test(test_what_is_no_body),
		cmocka_unit_test(test_how_many_hashes),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
