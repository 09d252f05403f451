#include "gateway/claim.h"

#include <assert.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sixteen digits hold every time of this century to the microsecond. */
enum { NUMBER_DIGITS = 16 };

struct reading {
	claim_take *take;
	void *context;
	struct claims_report *report;
};

static bool __attribute__((format(printf, 3, 4)))
refuse(struct claims_report *report, unsigned status, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(report->fault, sizeof report->fault, format, arguments);
	va_end(arguments);
	report->status = status;
	return false;
}

/* --- one member ------------------------------------------------------------------------------- */

enum member { MEMBER_EVENT, MEMBER_AGENT, MEMBER_PEER, MEMBER_TRACE, MEMBER_TIME, MEMBERS };

static const struct {
	const char *name;
	size_t field;
	bool is_needed;
	bool may_be_number;
} members[MEMBERS] = {
	[MEMBER_EVENT] = { "event", offsetof(struct claim, event), true, false },
	[MEMBER_AGENT] = { "agent_id", offsetof(struct claim, agent), true, false },
	[MEMBER_PEER] = { "peer_id", offsetof(struct claim, peer), false, false },
	[MEMBER_TRACE] = { "trace_id", offsetof(struct claim, trace), false, false },
	[MEMBER_TIME] = { "timestamp", offsetof(struct claim, timestamp), true, true },
};

/* The number's digits as a text. */
static bool
set_number(struct name *out, const json_t *value)
{
	char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(NUMBER_DIGITS));

	assert(text != NULL);
	const bool fits = name_set(out, text, strlen(text));
	free(text);
	return fits;
}

static bool
take_member(struct reading *r, const json_t *object, enum member member, struct claim *out)
{
	const char *name = members[member].name;
	const json_t *value = json_object_get(object, name);
	struct name *field = (struct name *)(void *)((char *)out + members[member].field);
	const size_t at = r->report->count;

	if (value == NULL || json_is_null(value)) {
		return !members[member].is_needed ||
		       refuse(r->report, 400, "claim %zu: %s is missing", at, name);
	}
	if (json_is_number(value) && members[member].may_be_number) {
		return set_number(field, value);
	}
	if (!json_is_string(value)) {
		return refuse(r->report, 400, "claim %zu: %s must be a string%s", at, name,
			      members[member].may_be_number ? " or a number" : "");
	}
	if (!name_set(field, json_string_value(value), json_string_length(value)) ||
	    !name_is_wellformed(field)) {
		return refuse(r->report, 400,
			      "claim %zu: %s must be 1 to %d bytes without control characters", at,
			      name, NAME_BYTES_MAX);
	}
	return true;
}

static bool
take_metadata(struct reading *r, const json_t *object, struct claim *out)
{
	const json_t *value = json_object_get(object, "metadata");

	if (value == NULL || json_is_null(value)) {
		return true;
	}
	char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT |
					       JSON_REAL_PRECISION(NUMBER_DIGITS));
	assert(text != NULL);
	const size_t count = strlen(text);
	const bool fits = json_text_set(&out->metadata, text, count);
	free(text);
	return fits || refuse(r->report, 413,
			      "claim %zu: metadata has %zu bytes as compact JSON, at most %d are "
			      "kept: send less",
			      r->report->count, count, JSON_BYTES_MAX);
}

/* --- what is not kept ------------------------------------------------------------------------- */

static bool
is_member(const char *name)
{
	for (unsigned i = 0; i < MEMBERS; i++) {
		if (strcmp(members[i].name, name) == 0) {
			return true;
		}
	}
	return strcmp(name, "metadata") == 0;
}

static void
note_ignored(struct claims_report *report, const char *name)
{
	char cut[CLAIM_MEMBER_MAX] = "";
	size_t count = 0;
	uint32_t scalar = 0;

	/* Cut between characters. */
	for (size_t next = 0; name[count] != '\0'; count += next) {
		next = utf8_scalar((const uint8_t *)name + count, strlen(name + count), &scalar);
		if (next == 0 || count + next >= sizeof cut) {
			break;
		}
	}
	memcpy(cut, name, count);
	for (size_t i = 0; i < report->ignored; i++) {
		if (strcmp(report->ignored_name[i], cut) == 0) {
			return;
		}
	}
	if (report->ignored < CLAIM_IGNORED_MAX) {
		memcpy(report->ignored_name[report->ignored++], cut, sizeof cut);
	}
}

/* --- claims ----------------------------------------------------------------------------------- */

static bool
take_claim(struct reading *r, json_t *object)
{
	struct claim claim = { 0 };
	const char *name;
	json_t *value;

	if (!json_is_object(object)) {
		return refuse(r->report, 400, "claim %zu is not a JSON object", r->report->count);
	}
	if (r->report->count == CLAIMS_PER_REQUEST_MAX) {
		return refuse(r->report, 413,
			      "more than %d claims in one request: send them in "
			      "several",
			      CLAIMS_PER_REQUEST_MAX);
	}
	for (unsigned i = 0; i < MEMBERS; i++) {
		if (!take_member(r, object, (enum member)i, &claim)) {
			return false;
		}
	}
	if (!take_metadata(r, object, &claim)) {
		return false;
	}
	json_object_foreach(object, name, value)
	{
		if (!is_member(name)) {
			note_ignored(r->report, name);
		}
	}
	r->take(r->context, &claim);
	r->report->count++;
	return true;
}

static bool
take_value(struct reading *r, json_t *value)
{
	size_t i;
	json_t *one;

	if (!json_is_array(value)) {
		return take_claim(r, value);
	}
	json_array_foreach(value, i, one)
	{
		if (!take_claim(r, one)) {
			return false;
		}
	}
	return true;
}

static size_t
skip_blanks(struct span body, size_t at)
{
	while (at < body.count && memchr(" \t\r\n", body.at[at], 4) != NULL) {
		at++;
	}
	return at;
}

bool
claims_read(struct span body, claim_take *take, void *context, struct claims_report *report)
{
	struct reading r = { take, context, report };
	size_t at = skip_blanks(body, 0);

	*report = (struct claims_report){ 0 };
	while (at < body.count) {
		json_error_t error;
		json_t *value = json_loadb((const char *)body.at + at, body.count - at,
					   JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, &error);

		if (value == NULL) {
			return refuse(report, 400, "claim %zu is not JSON: %.120s", report->count,
				      error.text);
		}
		const bool taken = take_value(&r, value);
		json_decref(value);
		if (!taken) {
			return false;
		}
		at = skip_blanks(body, at + (size_t)error.position);
	}
	return report->count > 0 || refuse(report, 400, "the body holds no claim");
}
