/* Trust policies: what each line may say, and when a quorum holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/policy.h"

/* "$L1" is the verifier key of a log, "$W1" that of a witness. */
static struct span
expand(const char *text, char *out, size_t size)
{
	size_t count = 0;

	for (; *text != '\0'; text++) {
		if (*text == '$') {
			const enum vkey_type type = text[1] == 'L' ? VKEY_LOG : VKEY_COSIGNER;
			const uint8_t seed[32] = { (uint8_t)text[1], (uint8_t)text[2] };
			struct log_signer signer;
			char vkey[CHECKPOINT_VKEY_MAX], name[16];

			snprintf(name, sizeof name, "example/%c%c", text[1], text[2]);
			vkey_signer_make(&signer, name, type, seed);
			log_verifier_write(vkey, &signer.verifier);
			count += (size_t)snprintf(out + count, size - count, "%s", vkey);
			text += 2;
		} else {
			out[count++] = *text;
		}
		assert_true(count < size);
	}
	return (struct span){ (const uint8_t *)out, count };
}

static void
test_what_is_refused_with_its_line(void **state)
{
	static const struct {
		const char *name, *text, *says;
	} rows[] = {
		{ "nothing", "", "no quorum" },
		{ "no quorum", "log $L1\n", "line 1: no quorum" },
		{ "two quorums", "quorum none\nquorum none\n", "line 2: a second quorum" },
		{ "a quorum of nobody", "quorum x\n", "line 1: the quorum names nothing" },
		{ "a quorum before its witness", "quorum w\nwitness w $W1\n",
		  "line 1: the quorum" },
		{ "a word that is none", "quorum none\nlogs $L1\n", "line 2: a line begins with" },
		{ "an upper-case word", "Quorum none\n", "line 1: a line begins with" },
		{ "no last newline", "quorum none", "does not end in a newline" },
		{ "carriage returns", "quorum none\r\n", "line 1: a control character" },
		{ "an escape in a comment", "# \x1b[2J\nquorum none\n",
		  "line 1: a control character" },
		{ "a log without a key", "log\nquorum none\n", "line 1: write: log" },
		{ "a witness's key for a log", "log $W1\nquorum none\n",
		  "line 1: not the Ed25519" },
		{ "a log's key for a witness", "witness w $L1\nquorum w\n",
		  "line 1: not the Ed25519" },
		{ "a broken key", "log x+00000000+AAAA\nquorum none\n", "line 1: not the Ed25519" },
		{ "one log twice", "log $L1\nlog $L1\nquorum none\n", "line 2: this log's key" },
		{ "one witness twice", "witness a $W1\nwitness b $W1\nquorum a\n",
		  "line 2: this witness's key" },
		{ "a name twice", "witness a $W1\nwitness a $W2\nquorum a\n",
		  "line 2: the name \"a\"" },
		{ "a group with a witness's name", "witness a $W1\ngroup a any a\nquorum a\n",
		  "line 2: the name \"a\"" },
		{ "the name none", "witness none $W1\nquorum none\n", "line 1: the name \"none\"" },
		{ "a URL of another kind", "witness a $W1 file:///x\nquorum a\n",
		  "line 1: the URL" },
		{ "a word too many", "witness a $W1 http://x y\nquorum a\n",
		  "line 1: write: witness" },
		{ "an empty group", "witness a $W1\ngroup g any\nquorum g\n",
		  "line 2: write: group" },
		{ "a group of strangers", "group g any x\nquorum g\n",
		  "line 1: \"x\" is not defined" },
		{ "none as a member", "group g any none\nquorum g\n", "line 1: \"none\" is not" },
		{ "a threshold of 0", "witness a $W1\ngroup g 0 a\nquorum g\n",
		  "line 2: write all" },
		{ "a threshold above", "witness a $W1\ngroup g 2 a\nquorum g\n",
		  "line 2: write all" },
		{ "a threshold with a sign", "witness a $W1\ngroup g +1 a\nquorum g\n",
		  "line 2: write all" },
		{ "a member twice", "witness a $W1\ngroup g any a a\nquorum g\n",
		  "line 2: \"a\" is a" },
		{ "a member of two groups",
		  "witness a $W1\ngroup g any a\ngroup h any a\nquorum g\n", "line 3: \"a\" is a" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char text[4096], fault[POLICY_FAULT_MAX] = "";
		struct policy policy;

		if (policy_read(expand(rows[i].text, text, sizeof text), POLICY_WHOLE, &policy,
				fault) ||
		    strstr(fault, rows[i].says) == NULL) {
			fail_msg("%s: \"%s\"", rows[i].name, fault);
		}
	}
}

static const char example[] = "# as C2SP tlog-policy shows it\n"
			      "\tlog $L1 https://log.example/\n\n"
			      "witness X1 $W1 https://w1.example/x\n"
			      "witness X2 $W2\n"
			      "witness X3   $W3  \n"
			      "group X-witnesses 2 X1 X2 X3\n"
			      "witness Y1 $W4\n"
			      "witness Y2 $W5\n"
			      "witness Y3 $W6\n"
			      "group Y-witnesses any Y1 Y2 Y3\n"
			      "group X-and-Y all X-witnesses Y-witnesses\n"
			      "quorum X-and-Y\n";

static void
test_the_example_of_the_specification(void **state)
{
	static const struct {
		uint32_t cosigned;
		bool holds;
	} rows[] = { { 0, false },    { 0x03, false }, { 0x38, false }, { 0x0B, true },
		     { 0x22, false }, { 0x26, true },  { 0x15, true },  { 0x3F, true } };
	char text[4096], fault[POLICY_FAULT_MAX] = "";
	struct policy policy;

	(void)state;
	if (!policy_read(expand(example, text, sizeof text), POLICY_WHOLE, &policy, fault)) {
		fail_msg("%s", fault);
	}
	assert_int_equal(policy.log_count, 1);
	assert_string_equal(policy.logs[0].key.name, "example/L1");
	assert_string_equal(policy.logs[0].url, "https://log.example/");
	assert_int_equal(policy.witness_count, 6);
	assert_string_equal(policy.witnesses[0].url, "https://w1.example/x");
	assert_string_equal(policy.witnesses[2].name, "X3");
	assert_string_equal(policy.witnesses[2].url, "");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(policy_quorum_holds(&policy, rows[i].cosigned), rows[i].holds);
	}
}

static void
test_other_quorums(void **state)
{
	char text[4096], fault[POLICY_FAULT_MAX];
	struct policy policy;

	(void)state;
	assert_true(policy_read(expand("quorum none\n", text, sizeof text), POLICY_WHOLE, &policy,
				fault));
	assert_true(policy_quorum_holds(&policy, 0));
	assert_true(
		policy_read(expand("witness a $W1\nwitness b $W2\nquorum b\n", text, sizeof text),
			    POLICY_WHOLE, &policy, fault));
	assert_false(policy_quorum_holds(&policy, 1));
	assert_true(policy_quorum_holds(&policy, 2));
}

static void
test_a_list_of_logs(void **state)
{
	char text[4096], fault[POLICY_FAULT_MAX] = "";
	struct policy policy;

	(void)state;
	assert_true(policy_read(expand("# ours\nlog $L1\nlog $L2\n", text, sizeof text),
				POLICY_LOGS, &policy, fault));
	assert_int_equal(policy.log_count, 2);
	assert_false(policy_read(expand("log $L1\nquorum none\n", text, sizeof text), POLICY_LOGS,
				 &policy, fault));
	assert_non_null(strstr(fault, "line 2: only lines"));
}

/* 32 of each are taken (tlog-policy: implementation limits), one more is refused. */
static void
test_how_many_there_may_be(void **state)
{
	static char text[POLICY_BYTES_MAX];
	char short_text[256], fault[POLICY_FAULT_MAX];
	struct policy policy;

	(void)state;
	size_t count = 0;
	for (int i = 0; i < POLICY_WITNESSES_MAX; i++) {
		snprintf(short_text, sizeof short_text,
			 "witness w%d $W%c\ngroup g%d any w%d\nlog $L%c\n", i, '@' + i, i, i,
			 '@' + i);
		count += expand(short_text, text + count, sizeof text - count).count;
	}
	const size_t whole =
		count + (size_t)snprintf(text + count, sizeof text - count, "quorum g31\n");
	assert_true(
		policy_read((struct span){ (uint8_t *)text, whole }, POLICY_WHOLE, &policy, fault));
	assert_true(policy_quorum_holds(&policy, UINT32_C(1) << 31));
	count += expand("witness more $Wz\n", text + count, sizeof text - count).count;
	assert_false(
		policy_read((struct span){ (uint8_t *)text, count }, POLICY_WHOLE, &policy, fault));
	assert_non_null(strstr(fault, "more than 32 witnesses"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_refused_with_its_line),
		cmocka_unit_test(test_the_example_of_the_specification),
		cmocka_unit_test(test_other_quorums),
		cmocka_unit_test(test_a_list_of_logs),
		cmocka_unit_test(test_how_many_there_may_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
