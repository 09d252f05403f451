#include "replay/telling.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/verdict.h"
#include "replay/moment.h"
#include "replay/words.h"

enum { COLUMN_TIME = 10, COLUMN_TYPE = 39, COLUMN_WHAT = 66, HEX_SHORT = 4 };

const char *
part_state_name(enum part_state state)
{
	static const char *const names[] = { "unsealed", "sealed", "erased", "unknown" };

	return names[state];
}

static const char *
type_name(const struct telling *t, char *memory, size_t size)
{
	if (t->event != NULL) {
		return event_describe(t->event->type)->name;
	}
	snprintf(memory, size, "type %" PRIu64 " version %" PRIu64, t->entry->type,
		 t->entry->type_version);
	return memory;
}

static const void *
value_of(const struct telling *t, const struct field *field)
{
	return (const uint8_t *)event_fields_const(t->event) + field->offset;
}

/* Numbers whose meaning is a word; NULL for the others. */
static const char *
word_of(const struct telling *t, const struct field *field)
{
	const uint64_t number = *(const uint64_t *)value_of(t, field);
	enum verdict verdict = ACCEPTED;

	if (strcmp(field->name, "verdict") == 0 && verdict_from_number(number, &verdict)) {
		return verdict_name(verdict);
	}
	if (strcmp(field->name, "reason") == 0) {
		return t->event->type == EVENT_AGENT_DISCONNECTED ? leave_reason_name(number)
								  : end_reason_name(number);
	}
	if (strcmp(field->name, "client_transport") == 0) {
		return client_transport_name(number);
	}
	return strcmp(field->name, "stream") == 0 ? stream_name(number) : NULL;
}

static bool
ends_in(const char *word, const char *end)
{
	const size_t count = strlen(word);

	return count >= strlen(end) && strcmp(word + count - strlen(end), end) == 0;
}

static bool
is_empty(const struct telling *t, const struct field *field)
{
	const void *value = value_of(t, field);

	switch (field->kind) {
	case FIELD_ID:
		return id_is_none(value);
	case FIELD_NAME:
		return ((const struct name *)value)->length == 0;
	case FIELD_JSON:
		return ((const struct json_text *)value)->length == 0;
	case FIELD_ADDRESS:
		return ((const struct address *)value)->family == ADDRESS_NONE;
	case FIELD_U64:
	case FIELD_DIGEST:
	case FIELD_TRANSACTION:
	case FIELD_TEXT:
		return false;
	}
	return false;
}

static const struct name *
known_name(const struct telling *t, const struct field *field)
{
	if (field->kind != FIELD_ID || t->name_of == NULL || is_empty(t, field)) {
		return NULL;
	}
	return t->name_of(t->names, value_of(t, field));
}

/* Handles are names to a reader and stay whole; other ids only tell lines apart. */
static bool
is_handle(const struct field *field)
{
	static const char *const handles[] = { "from", "to", "room", "subject" };

	if (field->place == PLACE_SUBJECT0 || field->place == PLACE_SUBJECT1) {
		return true;
	}
	for (size_t i = 0; i < sizeof handles / sizeof handles[0]; i++) {
		if (strcmp(field->name, handles[i]) == 0) {
			return true;
		}
	}
	return false;
}

static void
add_number(struct paper *out, const struct telling *t, const struct field *field)
{
	const uint64_t number = *(const uint64_t *)value_of(t, field);
	const char *word = word_of(t, field);
	char shown[MOMENT_PRINT_MAX];

	if (word != NULL) {
		paper_add(out, strchr(word, ' ') == NULL ? "%s" : "'%s'", word);
	} else if (strcmp(field->name, "expires_us") == 0) {
		paper_add(out, "%s", moment_print(shown, sizeof shown, number));
	} else if (ends_in(field->name, "_us")) {
		paper_add(out, "'%s'", moment_print_span(shown, sizeof shown, number));
	} else {
		paper_add(out, "%" PRIu64, number);
	}
}

static void
add_hex(struct paper *out, const uint8_t *bytes, size_t count, bool is_whole)
{
	char hex[2 * sizeof(struct digest) + 1];

	hex_write(hex, bytes, is_whole ? count : HEX_SHORT);
	paper_add(out, is_whole ? "%s" : "%s..", hex);
}

static void
add_value(struct paper *out, const struct telling *t, const struct field *field, bool is_whole)
{
	const void *value = value_of(t, field);
	const struct name *name = value;
	const struct text *text = value;
	const struct json_text *json = value;
	const struct name *known = known_name(t, field);
	char shown[ADDRESS_PRINT_MAX];

	switch (field->kind) {
	case FIELD_U64:
		add_number(out, t, field);
		break;
	case FIELD_ID:
		if (known != NULL) {
			paper_add_escaped(out, known->bytes, known->length);
			paper_add(out, is_whole ? "  " : "");
		}
		if (known == NULL || is_whole) {
			add_hex(out, value, sizeof(struct id), is_whole || is_handle(field));
		}
		break;
	case FIELD_DIGEST:
		add_hex(out, value, sizeof(struct digest), is_whole);
		break;
	case FIELD_TRANSACTION:
		add_hex(out, value, sizeof(struct transaction), is_whole);
		break;
	case FIELD_NAME:
		paper_add_escaped(out, name->bytes, name->length);
		break;
	case FIELD_TEXT:
		paper_add_escaped(out, text->bytes, text->length);
		break;
	case FIELD_JSON:
		paper_add_escaped(out, json->bytes, json->length);
		break;
	case FIELD_ADDRESS:
		address_print(shown, sizeof shown, value);
		paper_add(out, "%s", shown);
		break;
	}
}

/* A name that already stands in the place of its handle need not be said twice on one line. */
static bool
is_said_by_handle(const struct telling *t, const struct record_shape *shape,
		  const struct field *field)
{
	for (size_t i = 0; i < shape->count && field->kind == FIELD_NAME; i++) {
		const struct name *known = known_name(t, &shape->fields[i]);
		if (known != NULL && name_equal(known, value_of(t, field))) {
			return true;
		}
	}
	return false;
}

void
telling_head(struct paper *out)
{
	paper_add(out, "%8s", "SEQ");
	paper_to_column(out, COLUMN_TIME);
	paper_add(out, "RECORDED (UTC)");
	paper_to_column(out, COLUMN_TYPE);
	paper_add(out, "EVENT");
	paper_to_column(out, COLUMN_WHAT);
	paper_add(out, "WHAT\n");
}

/* Field by field, from that column on. */
static void
add_what(struct paper *out, const struct telling *t, size_t column)
{
	if (t->event == NULL) {
		return;
	}
	const struct record_shape shape = event_describe(t->event->type)->shape;
	for (size_t i = 0; i < shape.count; i++) {
		const struct field *field = &shape.fields[i];
		if (is_empty(t, field) || is_said_by_handle(t, &shape, field)) {
			continue;
		}
		paper_to_column(out, column);
		paper_add(out, "%s=", field->name);
		add_value(out, t, field, false);
		column = 0;
	}
}

void
telling_what(struct paper *out, const struct telling *t)
{
	add_what(out, t, 0);
}

void
telling_line(struct paper *out, const struct telling *t)
{
	char memory[MOMENT_PRINT_MAX];
	char type[64];

	paper_add(out, "%8" PRIu64, t->entry->seq);
	paper_to_column(out, COLUMN_TIME);
	paper_add(out, "%s", moment_print(memory, sizeof memory, t->entry->recorded_us));
	paper_to_column(out, COLUMN_TYPE);
	paper_add(out, "%s", type_name(t, type, sizeof type));
	add_what(out, t, COLUMN_WHAT);
	paper_add(out, "\n");
}

static void
page_row(struct paper *out, const char *name)
{
	paper_add(out, "  %s", name);
	paper_to_column(out, 20);
}

static void
page_id(struct paper *out, const char *name, const struct id *id)
{
	page_row(out, name);
	if (id_is_none(id)) {
		paper_add(out, "-");
	} else {
		add_hex(out, id->bytes, sizeof id->bytes, true);
	}
	paper_add(out, "\n");
}

static void
page_time(struct paper *out, const char *name, uint64_t us)
{
	char shown[MOMENT_PRINT_MAX];

	page_row(out, name);
	paper_add(out, "%s\n", moment_print(shown, sizeof shown, us));
}

static void
page_header(struct paper *out, const struct telling *t)
{
	const struct entry *e = t->entry;
	const char *stream = stream_name(e->stream);
	char type[64];

	paper_add(out, "entry %" PRIu64 ": %s\n\nheader\n", e->seq,
		  type_name(t, type, sizeof type));
	page_time(out, "recorded", e->recorded_us);
	page_time(out, "occurred", e->occurred_us);
	page_row(out, "stream");
	paper_add(out, "%" PRIu64 " (%s), version %" PRIu64 ", epoch %" PRIu64 "\n", e->stream,
		  stream == NULL ? "unknown" : stream, e->stream_version, e->epoch);
	page_row(out, "type");
	paper_add(out, "%" PRIu64 ", version %" PRIu64 "\n", e->type, e->type_version);
	page_id(out, "command", &e->command_id);
	page_id(out, "trace", &e->trace_id);
	page_row(out, "cause");
	paper_add(out, e->has_cause ? "entry %" PRIu64 "\n" : "-\n", e->cause);
}

static enum part_state
state_of(const struct telling *t, const struct field *field)
{
	if (field->place == PLACE_SEALED0) {
		return t->part[0];
	}
	return field->place == PLACE_SEALED1 ? t->part[1] : PART_OPEN;
}

static void
page_fields(struct paper *out, const struct telling *t)
{
	paper_add(out, "\nfields\n");
	if (t->event == NULL) {
		paper_add(out,
			  "  this program does not know the type; type_declared in the log does\n");
		return;
	}
	const struct record_shape shape = event_describe(t->event->type)->shape;
	for (size_t i = 0; i < shape.count; i++) {
		const struct field *field = &shape.fields[i];
		const enum part_state state = state_of(t, field);

		page_row(out, field->name);
		if (state != PART_OPEN) {
			paper_add(out, "(%s)\n", part_state_name(state));
			continue;
		}
		if (is_empty(t, field)) {
			paper_add(out, "-");
		} else {
			add_value(out, t, field, true);
		}
		paper_add(out, "\n");
	}
}

static void
page_parts(struct paper *out, const struct telling *t)
{
	for (uint32_t i = 0; i < t->entry->parts; i++) {
		const struct sealed_part *part = &t->entry->part[i];

		paper_add(out, "\nsealed part %u: %s\n", i, part_state_name(t->part[i]));
		page_id(out, "subject", &part->subject);
		page_id(out, "key", &part->key_id);
		page_row(out, "length");
		paper_add(out, "%" PRIu64 " bytes\n", part->length);
		page_row(out, "digest");
		add_hex(out, part->digest.bytes, sizeof part->digest.bytes, true);
		paper_add(out, "\n");
	}
}

void
telling_page(struct paper *out, const struct telling *t, struct span entry_bytes)
{
	struct digest leaf;

	page_header(out, t);
	page_fields(out, t);
	page_parts(out, t);
	entry_leaf_hash(entry_bytes, &leaf);
	paper_add(out, "\nleaf\n");
	page_row(out, "bytes");
	paper_add(out, "%zu\n", entry_bytes.count);
	page_row(out, "hash");
	add_hex(out, leaf.bytes, sizeof leaf.bytes, true);
	paper_add(out, "\n");
}
