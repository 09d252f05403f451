/* Claims as strangers send them: what is taken, what is refused and how that is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/claim.h"

#define WHOLE "\"event\":\"e\",\"agent_id\":\"a\",\"timestamp\":\"t\""

static struct claim last;

static void
keep(void *context, const struct claim *claim)
{
	(void)context;
	last = *claim;
}

static bool
read_text(const char *text, struct claims_report *report)
{
	return claims_read((struct span){ (const uint8_t *)text, strlen(text) }, keep, NULL,
			   report);
}

static const struct {
	const char *name;
	const char *given;
	size_t count;     /* 0: refused */
	const char *then; /* a part of the fault */
} rows[] = {
	{ "one object", "{" WHOLE "}", 1, NULL },
	{ "an array", "[{" WHOLE "},{" WHOLE "}]", 2, NULL },
	{ "NDJSON", "{" WHOLE "}\n{" WHOLE "}\r\n{" WHOLE "}\n", 3, NULL },
	{ "NDJSON without a last newline", "{" WHOLE "}\n{" WHOLE "}", 2, NULL },
	{ "nulls where nothing is needed", "{" WHOLE ",\"peer_id\":null,\"metadata\":null}", 1,
	  NULL },
	{ "nothing", "", 0, "no claim" },
	{ "an empty array", "[]", 0, "no claim" },
	{ "no JSON", "hello", 0, "claim 0 is not JSON" },
	{ "an end in the middle", "{" WHOLE, 0, "claim 0 is not JSON" },
	{ "the second of two is wrong", "{" WHOLE "}\n{\"event\":1}", 0, "claim 1: event must" },
	{ "a number in an array", "[7]", 0, "not a JSON object" },
	{ "no event", "{\"agent_id\":\"a\",\"timestamp\":1}", 0, "event is missing" },
	{ "no agent", "{\"event\":\"e\",\"timestamp\":1}", 0, "agent_id is missing" },
	{ "no time", "{\"event\":\"e\",\"agent_id\":\"a\"}", 0, "timestamp is missing" },
	{ "a time that is an object", "{\"event\":\"e\",\"agent_id\":\"a\",\"timestamp\":{}}", 0,
	  "string or a number" },
	{ "an empty name", "{\"event\":\"\",\"agent_id\":\"a\",\"timestamp\":1}", 0, "1 to 256" },
	{ "threat_H3 a control character",
	  "{\"event\":\"e\\u001b\",\"agent_id\":\"a\",\"timestamp\":1}", 0, "control characters" },
	{ "threat_H3 a NUL", "{\"event\":\"e\\u0000\",\"agent_id\":\"a\",\"timestamp\":1}", 0,
	  "not JSON" },
	{ "threat_H3 no UTF-8", "{\"event\":\"\xff\",\"agent_id\":\"a\",\"timestamp\":1}", 0,
	  "not JSON" },
	{ "threat_H3 a member twice", "{" WHOLE ",\"event\":\"f\"}", 0, "not JSON" },
};

static void
what_is_wrong_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct claims_report report;
		const bool taken = read_text(rows[i].given, &report);

		if (taken != (rows[i].count > 0) || (taken && report.count != rows[i].count) ||
		    (!taken &&
		     (report.status != 400 || strstr(report.fault, rows[i].then) == NULL))) {
			fail_msg("%s: %d, %zu claims, %s", rows[i].name, taken, report.count,
				 report.fault);
		}
	}
}

static void
values_are_kept_as_they_were_sent(void **state)
{
	static const struct {
		const char *sent, *kept;
	} times[] = {
		{ "\"2026-11-23T09:00:00Z\"", "2026-11-23T09:00:00Z" },
		{ "1700000000", "1700000000" },
		{ "1700000000.123456", "1700000000.123456" },
		{ "1700000000123", "1700000000123" },
	};
	struct claims_report report;
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
		snprintf(text, sizeof text, "{\"event\":\"e\",\"agent_id\":\"a\",\"timestamp\":%s}",
			 times[i].sent);
		assert_true(read_text(text, &report));
		assert_int_equal(last.timestamp.length, strlen(times[i].kept));
		assert_memory_equal(last.timestamp.bytes, times[i].kept, last.timestamp.length);
	}
	assert_true(read_text("{" WHOLE
			      ",\"peer_id\":\"b\",\"trace_id\":\"c\",\"metadata\":{\"x\": [1, 2]}}",
			      &report));
	assert_memory_equal(last.peer.bytes, "b", 2);
	assert_memory_equal(last.trace.bytes, "c", 2);
	assert_int_equal(last.metadata.length, strlen("{\"x\":[1,2]}"));
	assert_memory_equal(last.metadata.bytes, "{\"x\":[1,2]}", last.metadata.length);
}

static void
what_is_not_kept_is_told(void **state)
{
	struct claims_report report;

	(void)state;
	assert_true(
		read_text("[{" WHOLE ",\"extra\":1},{" WHOLE ",\"extra\":2,\"more\":3}]", &report));
	assert_int_equal(report.ignored, 2);
	assert_string_equal(report.ignored_name[0], "extra");
	assert_string_equal(report.ignored_name[1], "more");
}

/* An array of `count` claims, or one claim with `count` bytes of metadata. */
static char *
large(size_t count, bool is_metadata)
{
	char *text = malloc(256 * (count + 2));
	size_t at = 0;

	assert_non_null(text);
	if (is_metadata) {
		at += (size_t)sprintf(text, "{" WHOLE ",\"metadata\":\"");
		memset(text + at, 'x', count - 2);
		sprintf(text + at + count - 2, "\"}");
		return text;
	}
	text[at++] = '[';
	for (size_t i = 0; i < count; i++) {
		at += (size_t)sprintf(text + at, "%s{" WHOLE "}", i > 0 ? "," : "");
	}
	sprintf(text + at, "]");
	return text;
}

static void
bounds_are_said(void **state)
{
	static const struct {
		size_t count;
		bool is_metadata, is_taken;
	} bounds[] = {
		{ CLAIMS_PER_REQUEST_MAX, false, true },
		{ CLAIMS_PER_REQUEST_MAX + 1, false, false },
		{ JSON_BYTES_MAX, true, true },
		{ JSON_BYTES_MAX + 1, true, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
		struct claims_report report;
		char *text = large(bounds[i].count, bounds[i].is_metadata);

		assert_int_equal(read_text(text, &report), bounds[i].is_taken);
		assert_int_equal(report.status, bounds[i].is_taken ? 0 : 413);
		free(text);
	}
}

/* Nesting must not eat the stack (threat_H3). */
static void
deep_nesting_is_refused(void **state)
{
	char *text = malloc(400000);
	struct claims_report report;

	(void)state;
	assert_non_null(text);
	memset(text, '[', 300000);
	text[300000] = '\0';
	assert_false(read_text(text, &report));
	assert_int_equal(report.status, 400);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(values_are_kept_as_they_were_sent),
		cmocka_unit_test(what_is_not_kept_is_told),
		cmocka_unit_test(bounds_are_said),
		cmocka_unit_test(deep_nesting_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
