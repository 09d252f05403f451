/* What others said of a log: cosignatures and tokens beside the log's own tree, and how far a
 * quorum has seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "replay/verify_anchors.h"

enum { WITNESSES = 4, HOUR_S = 3600, RECORDED_S = 1790000000, SIZE = 1000, US = 1000000 };

static struct log_signer witnesses[WITNESSES]; /* the last one is in no policy */
static struct log_signer owner;
static struct finding said;
static uint64_t findings;

static void
hear(void *context, const struct finding *finding)
{
	(void)context;
	said = *finding;
	findings++;
}

static int
make_keys(void **state)
{
	(void)state;
	for (int i = 0; i < WITNESSES; i++) {
		const uint8_t seed[32] = { (uint8_t)(i + 1) };
		char name[32];

		snprintf(name, sizeof name, "w%d.example", i);
		vkey_signer_make(&witnesses[i], name, VKEY_COSIGNER, seed);
	}
	log_signer_make(&owner, "ifswarm.local/test", (uint8_t[32]){ 9 });
	return 0;
}

static struct policy
make_policy(const char *rule)
{
	struct policy policy;
	char text[2048] = "", fault[POLICY_FAULT_MAX];

	for (int i = 0; i < WITNESSES - 1; i++) {
		char vkey[CHECKPOINT_VKEY_MAX];

		log_verifier_write(vkey, &witnesses[i].verifier);
		snprintf(text + strlen(text), sizeof text - strlen(text), "witness w%d %s\n", i,
			 vkey);
	}
	snprintf(text + strlen(text), sizeof text - strlen(text), "%s", rule);
	if (!policy_read((struct span){ (const uint8_t *)text, strlen(text) }, POLICY_WHOLE,
			 &policy, fault)) {
		fail_msg("%s", fault);
	}
	return policy;
}

static struct anchor_tree
make_tree(uint64_t size)
{
	return (struct anchor_tree){
		.checkpoint = { "ifswarm.local/test",
				size,
				{ { (uint8_t)size, (uint8_t)(size >> 8) } } },
		.after_us = (uint64_t)RECORDED_S * US,
		.before_us = (uint64_t)(RECORDED_S + 60) * US,
	};
}

/* Without its newline. */
static struct span
sign(int witness, const struct checkpoint *checkpoint, uint64_t time_s,
     char line[COSIGNATURE_LINE_MAX])
{
	char text[CHECKPOINT_BYTES_MAX];
	const size_t count = checkpoint_text(checkpoint, text);
	const size_t length = cosignature_sign(
		&witnesses[witness], (struct span){ (const uint8_t *)text, count }, time_s, line);

	return (struct span){ (const uint8_t *)line, length - 1 };
}

static const struct {
	const char *name;
	int witness;
	int64_t late_s; /* after the last entry of the tree was recorded */
	uint64_t size;  /* that was cosigned, where the event says SIZE */
	uint8_t root;   /* flipped in the root that was cosigned */
	size_t flip;    /* of the line: a byte of its base64, from the end; 0: none */
	const char *named;
	const char *then; /* what is said; "" it holds, NULL: not judged */
} lines[] = {
	{ "one that holds", 0, 5, SIZE, 0, 0, "w0.example", "" },
	{ "one that nobody names", 1, 5, SIZE, 0, 0, NULL, "" },
	{ "a witness's clock is most of an hour behind", 0, -HOUR_S + 1, SIZE, 0, 0, "w0.example",
	  "" },
	{ "a witness's clock is an hour ahead", 0, HOUR_S + 60, SIZE, 0, 0, "w0.example", "" },
	{ "a key that the policy does not know", 3, 5, SIZE, 0, 0, "w3.example", NULL },
	{ "altered", 0, 5, SIZE, 0, 9, "w0.example", "a cosignature does not hold" },
	{ "of a larger tree", 0, 5, SIZE + 1, 0, 0, "w0.example", "a cosignature does not hold" },
	{ "of a smaller tree", 0, 5, SIZE - 1, 0, 0, "w0.example", "a cosignature does not hold" },
	{ "of another tree of that size", 0, 5, SIZE, 1, 0, "w0.example",
	  "a cosignature does not hold" },
	{ "of another witness than the event says", 1, 5, SIZE, 0, 0, "w0.example",
	  "a cosignature is by another witness than the event says" },
	{ "before what it is of was recorded", 0, -HOUR_S - 1, SIZE, 0, 0, "w0.example",
	  "a cosignature of another time" },
	{ "after it was recorded itself", 0, HOUR_S + 61, SIZE, 0, 0, "w0.example",
	  "a cosignature of another time" },
};

static void
test_cosignatures(void **state)
{
	const struct policy policy = make_policy("quorum none\n");

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		struct verify_voice voice = { .report = hear };
		struct anchor_judge judge = { .voice = &voice, .policy = &policy };
		const struct anchor_tree tree = make_tree(SIZE);
		struct checkpoint seen = tree.checkpoint;
		char line[COSIGNATURE_LINE_MAX];

		seen.size = lines[i].size;
		seen.root.bytes[31] ^= lines[i].root;
		const struct span span = sign(lines[i].witness, &seen,
					      (uint64_t)(RECORDED_S + lines[i].late_s), line);
		if (lines[i].flip > 0) {
			char *byte = &line[span.count - lines[i].flip];
			*byte = *byte == 'A' ? 'B' : 'A';
		}
		findings = 0;
		const bool holds = anchor_judge_line(&judge, "here", span, lines[i].named, &tree);
		const char *then = findings > 0 ? said.what : judge.unjudged > 0 ? NULL : "";
		if (then == NULL || lines[i].then == NULL ? then != lines[i].then
							  : strcmp(then, lines[i].then) != 0) {
			fail_msg("%s: \"%s\"", lines[i].name, then == NULL ? "not judged" : then);
		}
		assert_int_equal(holds, then != NULL && *then == '\0');
		assert_int_equal(judge.held, holds);
		assert_int_equal(judge.newest[lines[i].witness % 3].size, holds ? SIZE : 0);
	}
}

static void
test_a_line_that_is_none(void **state)
{
	struct verify_voice voice = { .report = hear };
	struct anchor_judge judge = { .voice = &voice };
	const struct anchor_tree tree = make_tree(SIZE);

	(void)state;
	findings = 0;
	assert_false(anchor_judge_line(&judge, "here", (struct span){ (const uint8_t *)"w0", 2 },
				       NULL, &tree));
	assert_string_equal(said.what, "a cosignature cannot be read");
	assert_int_equal(judge.broken, 1);
}

static const struct {
	const char *name;
	const char *rule;
	struct {
		int witness;
		uint64_t size;
		uint64_t late_s;
	} seen[6]; /* in the order of the log; size 0 ends them */
	uint64_t size, late_s;
	uint32_t count;
} quorums[] = {
	{ "nobody has seen anything", "quorum w0\n", { { 0 } }, 0, 0, 0 },
	{ "one that is enough", "quorum w0\n", { { 0, 10, 1 }, { 0, 20, 2 } }, 20, 2, 1 },
	{ "others do not count for it", "quorum w0\n", { { 1, 10, 1 }, { 2, 20, 2 } }, 0, 0, 0 },
	{ "without a rule one is better than none", "quorum none\n", { { 1, 10, 1 } }, 10, 1, 1 },
	{ "who saw the larger tree has seen the smaller",
	  "group g 2 w0 w1 w2\nquorum g\n",
	  { { 0, 10, 1 }, { 1, 20, 2 } },
	  10,
	  2,
	  2 },
	{ "three of three on one tree, two were enough before",
	  "group g 2 w0 w1 w2\nquorum g\n",
	  { { 0, 30, 5 }, { 1, 30, 4 }, { 2, 30, 9 } },
	  30,
	  5,
	  3 },
	{ "the time is that of the first who saw it",
	  "group g all w0 w1\nquorum g\n",
	  { { 0, 10, 1 }, { 0, 20, 2 }, { 0, 30, 7 }, { 1, 15, 3 } },
	  15,
	  3,
	  2 },
	{ "one is behind for long",
	  "group g all w0 w1 w2\nquorum g\n",
	  { { 0, 10, 1 }, { 1, 10, 1 }, { 2, 10, 2 }, { 0, 90, 50 }, { 1, 90, 51 } },
	  10,
	  2,
	  3 },
};

static void
test_quorums(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof quorums / sizeof quorums[0]; i++) {
		const struct policy policy = make_policy(quorums[i].rule);
		struct verify_voice voice = { .report = hear };
		struct anchor_judge judge = { .voice = &voice, .policy = &policy };
		char line[COSIGNATURE_LINE_MAX];
		struct anchor_quorum quorum = { 0 };

		for (int pass = 0; pass < 2; pass++) {
			for (size_t k = 0; k < 6 && quorums[i].seen[k].size > 0; k++) {
				const struct anchor_tree tree = make_tree(quorums[i].seen[k].size);
				const struct span span =
					sign(quorums[i].seen[k].witness, &tree.checkpoint,
					     RECORDED_S + quorums[i].seen[k].late_s, line);

				if (pass == 0) {
					assert_true(
						anchor_judge_line(&judge, "", span, NULL, &tree));
				} else {
					anchor_judge_when(&judge, &quorum, span, &tree.checkpoint);
				}
			}
			quorum = pass == 0 ? anchor_quorum_find(&judge) : quorum;
		}
		anchor_quorum_when(&judge, &quorum);
		const uint64_t time_s = quorums[i].size == 0 ? 0 : RECORDED_S + quorums[i].late_s;
		if (quorum.size != quorums[i].size || quorum.count != quorums[i].count ||
		    quorum.time_s != time_s) {
			fail_msg("%s: size %" PRIu64 ", %" PRIu32 " of them, %" PRIu64,
				 quorums[i].name, quorum.size, quorum.count, quorum.time_s);
		}
	}
}

static void
test_words(void **state)
{
	struct anchors_summary s = { .has_policy = false };
	char out[ANCHOR_SENTENCE_MAX];

	(void)state;
	anchors_sentence(&s, out);
	assert_string_equal(out, "no witness was judged: all of it is on the log's own word");
	s.has_policy = true;
	s.witnesses = 3;
	anchors_sentence(&s, out);
	assert_string_equal(
		out,
		"no checkpoint has been seen by enough of the 3 witnesses: all of it is on the "
		"log's own word");
	s.quorum = (struct anchor_quorum){ SIZE, RECORDED_S, 2 };
	anchors_sentence(&s, out);
	assert_string_equal(
		out, "the last checkpoint that 2 of 3 witnesses have seen is 1000, at "
		     "2026-09-21T14:13:20.000000Z; what came after it is on the log's own word");
}

static void
count_line(void *context, struct span line)
{
	(void)line;
	++*(int *)context;
}

static void
test_lines_of_a_note(void **state)
{
	const struct anchor_tree tree = make_tree(SIZE);
	char note[CHECKPOINT_NOTE_MAX];
	size_t count = checkpoint_sign(&tree.checkpoint, &owner, note);
	int others = 0;

	(void)state;
	for (int i = 0; i < 2; i++) {
		char line[COSIGNATURE_LINE_MAX];

		sign(i, &tree.checkpoint, RECORDED_S, line);
		count += (size_t)snprintf(note + count, sizeof note - count, "%s", line);
	}
	anchor_lines((struct span){ (const uint8_t *)note, count }, &owner.verifier, count_line,
		     &others);
	assert_int_equal(others, 2);
}

/* Whose token it is, tests/timestamp_test.c and the e2e test `anchor` say; here: what it is over.
 */
static const struct {
	const char *name;
	uint64_t size;
	uint8_t root;
	bool is_foreign;
	const char *then;
} stamps[] = {
	{ "over another checkpoint", SIZE + 1, 0, false,
	  "what was timestamped is another checkpoint" },
	{ "over another tree", SIZE, 1, false, "what was timestamped is another tree" },
	{ "over a checkpoint of another log", SIZE, 0, true,
	  "what was timestamped is no checkpoint of this log" },
	{ "no token at all", SIZE, 0, false, "a timestamp does not hold" },
};

static void
test_tokens(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof stamps / sizeof stamps[0]; i++) {
		struct verify_voice voice = { .report = hear };
		const struct anchor_tree tree = make_tree(SIZE);
		struct checkpoint stamped = tree.checkpoint;
		struct log_signer other;
		char note[CHECKPOINT_BYTES_MAX];
		uint64_t time_s = 0;

		log_signer_make(&other, "ifswarm.local/test", (uint8_t[32]){ 8 });
		stamped.size = stamps[i].size;
		stamped.root.bytes[31] ^= stamps[i].root;
		const size_t count =
			checkpoint_sign(&stamped, stamps[i].is_foreign ? &other : &owner, note);
		assert_false(anchor_judge_token(&voice, "here",
						(struct span){ (const uint8_t *)"x", 1 },
						(struct span){ (const uint8_t *)note, count },
						&owner.verifier, NULL, &tree, &time_s));
		if (strcmp(said.what, stamps[i].then) != 0) {
			fail_msg("%s: \"%s\"", stamps[i].name, said.what);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cosignatures),    cmocka_unit_test(test_a_line_that_is_none),
		cmocka_unit_test(test_quorums),         cmocka_unit_test(test_words),
		cmocka_unit_test(test_lines_of_a_note), cmocka_unit_test(test_tokens),
	};

	return cmocka_run_group_tests(tests, make_keys, NULL);
}
