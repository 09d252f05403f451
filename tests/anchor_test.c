/* The anchor's rounds, and what the answers of witnesses mean. */
#include "tests/vector_file.h"

#include "actors/anchor.h"

enum { SECOND_US = 1000 * 1000, INTERVAL_S = 60, STAMP_INTERVAL_S = 3600 };
#define BEGIN_US (UINT64_C(5) * SECOND_US)

/* A log, a witness of it, and another that is not asked by anybody. */
struct world {
	struct anchors anchors;
	struct log_signer log, witness, stranger;
	struct span note, text;
	char bytes[CHECKPOINT_BYTES_MAX];
};

static struct span
span_of(const char *text)
{
	return (struct span){ (const uint8_t *)text, strlen(text) };
}

/* A round over a checkpoint of 1000 events has begun. */
static void
world_make(struct world *w, const char *tsa_url)
{
	static struct policy policy;
	struct checkpoint checkpoint = { .size = 1000 };
	const uint8_t seeds[3][32] = { { 1 }, { 2 }, { 3 } };
	struct span lines;

	memset(w, 0, sizeof *w);
	memset(&policy, 0, sizeof policy);
	log_signer_make(&w->log, "ifswarm.local/a", seeds[0]);
	vkey_signer_make(&w->witness, "w.example/1", VKEY_COSIGNER, seeds[1]);
	vkey_signer_make(&w->stranger, "w.example/1", VKEY_COSIGNER, seeds[2]);
	policy.witness_count = 2;
	policy.witnesses[0].key = w->witness.verifier;
	strcpy(policy.witnesses[0].name, "one");
	strcpy(policy.witnesses[0].url, "http://192.0.2.1/x//");
	strcpy(policy.witnesses[1].name, "two, which has no URL");
	anchors_make(&w->anchors, &policy, tsa_url, INTERVAL_S, STAMP_INTERVAL_S);
	strcpy(checkpoint.origin, "ifswarm.local/a");
	w->note = (struct span){ (const uint8_t *)w->bytes,
				 checkpoint_sign(&checkpoint, &w->log, w->bytes) };
	assert_true(note_split(w->note, &w->text, &lines));
	anchors_offer(&w->anchors, 1000, 900, w->note, BEGIN_US);
}

static void
test_who_is_asked(void **state)
{
	static struct world w;

	(void)state;
	world_make(&w, "http://192.0.2.2/tsa");
	assert_int_equal(w.anchors.count, 2);
	assert_string_equal(w.anchors.targets[0].url, "http://192.0.2.1/x/add-checkpoint");
	assert_int_equal(w.anchors.targets[1].kind, ANCHOR_AUTHORITY);
	assert_string_equal(w.anchors.targets[1].url, "http://192.0.2.2/tsa");
	assert_true(anchor_is_due(&w.anchors, 0, BEGIN_US));
	assert_true(anchor_is_due(&w.anchors, 1, BEGIN_US));
}

static void
test_a_round_begins(void **state)
{
	static const struct {
		const char *name;
		uint64_t size, substance, after_us;
		bool begins;
	} rows[] = {
		{ "with more events", 1001, 1001, INTERVAL_S * SECOND_US, true },
		{ "but not before its time", 1001, 1001, INTERVAL_S * SECOND_US - 1, false },
		{ "nor for anchors alone", 1005, 1000, INTERVAL_S * SECOND_US, false },
		{ "nor for the same tree", 1000, 1000, INTERVAL_S * SECOND_US, false },
		{ "nor for a smaller one", 999, 1001, INTERVAL_S * SECOND_US, false },
	};
	static struct world w;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		world_make(&w, "");
		anchors_offer(&w.anchors, rows[i].size, rows[i].substance, w.note,
			      BEGIN_US + rows[i].after_us);
		if (w.anchors.size != (rows[i].begins ? rows[i].size : 1000)) {
			fail_msg("a round begins %s", rows[i].name);
		}
	}
}

static void
test_answers(void **state)
{
	static const struct {
		const char *name;
		unsigned status;
		const char *body;
		enum anchor_step step;
		const char *why; /* a part of it */
	} rows[] = {
		{ "an empty 200", 200, "", ANCHOR_FAILED, "no cosignature" },
		{ "garbage", 200, "<html>\n", ANCHOR_FAILED, "no cosignature" },
		{ "a smaller tree", 409, "700\n", ANCHOR_AGAIN, "" },
		{ "none at all", 409, "0\n", ANCHOR_AGAIN, "" },
		{ "a larger tree", 409, "1001\n", ANCHOR_FAILED, "old copy" },
		{ "no size", 409, "\n", ANCHOR_FAILED, "without a size" },
		{ "no newline", 409, "700", ANCHOR_FAILED, "without a size" },
		{ "a leading zero", 409, "0700\n", ANCHOR_FAILED, "without a size" },
		{ "a sign", 409, "-1\n", ANCHOR_FAILED, "without a size" },
		{ "too many digits", 409, "18446744073709551616\n", ANCHOR_FAILED,
		  "without a size" },
		{ "403", 403, "", ANCHOR_FAILED, "log.vkey" },
		{ "404", 404, "", ANCHOR_FAILED, "does not know this log" },
		{ "422", 422, "", ANCHOR_FAILED, "ifreplay verify" },
		{ "500", 500, "", ANCHOR_FAILED, "HTTP status 500" },
	};
	static struct world w;
	struct span line;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		world_make(&w, "");
		const struct anchor_answer answer = { 1000, w.note, rows[i].status,
						      span_of(rows[i].body) };
		const enum anchor_step step =
			anchor_answered(&w.anchors, 0, &answer, BEGIN_US, &line);
		if (step != rows[i].step || strstr(w.anchors.targets[0].why, rows[i].why) == NULL) {
			fail_msg("%s: step %d, \"%s\"", rows[i].name, (int)step,
				 w.anchors.targets[0].why);
		}
		assert_int_equal(anchor_is_due(&w.anchors, 0, BEGIN_US), step == ANCHOR_AGAIN);
	}
}

/* Of several lines the one by the key of policy.txt is taken; one by another key under the same
 * name, or over another checkpoint, is none. */
static void
test_cosignatures(void **state)
{
	static struct world w;
	char good[COSIGNATURE_LINE_MAX], forged[COSIGNATURE_LINE_MAX];
	char other[COSIGNATURE_LINE_MAX], body[3 * COSIGNATURE_LINE_MAX];
	struct anchor_answer answer = { .size = 1000, .status = 200 };
	struct span line;

	(void)state;
	world_make(&w, "");
	answer.note = w.note;
	cosignature_sign(&w.witness, w.text, 1700000000, good);
	cosignature_sign(&w.stranger, w.text, 1700000000, forged);
	cosignature_sign(&w.witness, span_of("ifswarm.local/b\n1\nAAAA\n"), 1700000000, other);
	snprintf(body, sizeof body, "%s%s%s", forged, other, good);
	answer.body = span_of(body);
	assert_int_equal(anchor_answered(&w.anchors, 0, &answer, BEGIN_US, &line), ANCHOR_DONE);
	assert_int_equal(line.count, strlen(good) - 1);
	assert_memory_equal(line.at, good, line.count);
	answer.body.count = strlen(forged) + strlen(other);
	assert_int_equal(anchor_answered(&w.anchors, 0, &answer, BEGIN_US, &line), ANCHOR_FAILED);
	answer.body = (struct span){ (const uint8_t *)good, strlen(good) - 1 };
	assert_int_equal(anchor_answered(&w.anchors, 0, &answer, BEGIN_US, &line), ANCHOR_FAILED);
}

static void
test_who_always_says_409_is_left_alone(void **state)
{
	static struct world w;
	struct span line;

	(void)state;
	world_make(&w, "");
	const struct anchor_answer answer = { 1000, w.note, 409, span_of("5\n") };
	for (int i = 0; i < ANCHOR_CONFLICTS_MAX; i++) {
		assert_int_equal(anchor_answered(&w.anchors, 0, &answer, BEGIN_US, &line),
				 ANCHOR_AGAIN);
	}
	assert_int_equal(anchor_answered(&w.anchors, 0, &answer, BEGIN_US, &line), ANCHOR_FAILED);
	assert_false(anchor_is_due(&w.anchors, 0, BEGIN_US));
}

static void
test_who_fails_is_asked_later_and_later(void **state)
{
	static struct world w;
	uint64_t wait_us = ANCHOR_BACKOFF_US;

	(void)state;
	world_make(&w, "");
	for (unsigned i = 0; i < 40; i++) {
		assert_int_equal(anchor_failed(&w.anchors, 0, "down", BEGIN_US), i == 0);
		assert_false(anchor_is_due(&w.anchors, 0, BEGIN_US + wait_us - 1));
		assert_true(anchor_is_due(&w.anchors, 0, BEGIN_US + wait_us));
		wait_us = wait_us * 2 < ANCHOR_BACKOFF_MAX_US ? wait_us * 2 : ANCHOR_BACKOFF_MAX_US;
	}
	assert_true(anchor_succeeded(&w.anchors, 0, 1000, BEGIN_US));
	assert_false(anchor_is_due(&w.anchors, 0, BEGIN_US + wait_us));
	assert_false(anchor_succeeded(&w.anchors, 0, 1000, BEGIN_US));
}

static void
test_an_authority_is_asked_at_its_own_pace(void **state)
{
	static struct world w;
	const uint64_t next_us = BEGIN_US + UINT64_C(1000000) * STAMP_INTERVAL_S;

	(void)state;
	world_make(&w, "http://192.0.2.2/");
	anchor_succeeded(&w.anchors, 1, 1000, BEGIN_US);
	anchors_offer(&w.anchors, 2000, 2000, w.note, BEGIN_US + INTERVAL_S * SECOND_US);
	assert_int_equal(w.anchors.size, 2000);
	assert_false(anchor_is_due(&w.anchors, 1, next_us - 1));
	assert_true(anchor_is_due(&w.anchors, 1, next_us));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_is_asked),
		cmocka_unit_test(test_a_round_begins),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_cosignatures),
		cmocka_unit_test(test_who_always_says_409_is_left_alone),
		cmocka_unit_test(test_who_fails_is_asked_later_and_later),
		cmocka_unit_test(test_an_authority_is_asked_at_its_own_pace),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
