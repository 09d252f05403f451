#include "replay/fields.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "protocol/verdict.h"
#include "replay/words.h"

enum { VALUE_MAX = 4 * JSON_BYTES_MAX + 1 };

const char *
fields_word(enum event_type type, const struct field *field, uint64_t number)
{
	enum verdict verdict = ACCEPTED;

	if (field->kind != FIELD_U64) {
		return NULL;
	}
	if (strcmp(field->name, "verdict") == 0 && verdict_from_number(number, &verdict)) {
		return verdict_name(verdict);
	}
	if (strcmp(field->name, "reason") == 0) {
		return type == EVENT_AGENT_DISCONNECTED ? leave_reason_name(number)
							: end_reason_name(number);
	}
	if (strcmp(field->name, "client_transport") == 0) {
		return client_transport_name(number);
	}
	return strcmp(field->name, "stream") == 0 ? stream_name(number) : NULL;
}

static void
string_or_null(struct json_line *line, const char *key, const char *bytes, size_t count)
{
	if (count == 0) {
		json_line_null(line, key);
	} else {
		json_line_string(line, key, bytes, count);
	}
}

static void
address_json(struct json_line *line, const char *key, const struct address *address)
{
	char shown[ADDRESS_PRINT_MAX];

	address_print(shown, sizeof shown, address);
	string_or_null(line, key, shown, strlen(shown));
}

void
fields_id(struct json_line *line, const char *key, const struct id *id)
{
	if (id_is_none(id)) {
		json_line_null(line, key);
	} else {
		json_line_hex(line, key, id->bytes, sizeof id->bytes);
	}
}

static void
value_json(struct json_line *line, const struct field *field, const void *value)
{
	const struct name *name = value;
	const struct text *text = value;
	const struct json_text *json = value;

	switch (field->kind) {
	case FIELD_U64:
		json_line_number(line, field->name, *(const uint64_t *)value);
		break;
	case FIELD_ID:
		fields_id(line, field->name, value);
		break;
	case FIELD_DIGEST:
		json_line_hex(line, field->name, value, sizeof(struct digest));
		break;
	case FIELD_TRANSACTION:
		json_line_hex(line, field->name, value, sizeof(struct transaction));
		break;
	case FIELD_NAME:
		string_or_null(line, field->name, name->bytes, name->length);
		break;
	case FIELD_TEXT:
		json_line_string(line, field->name, text->bytes, text->length);
		break;
	case FIELD_JSON:
		string_or_null(line, field->name, json->bytes, json->length);
		break;
	case FIELD_ADDRESS:
		address_json(line, field->name, value);
		break;
	}
}

void
fields_json(struct json_line *line, const char *key, const struct event *event)
{
	const struct record_shape shape = event_describe(event->type)->shape;
	const uint8_t *record = event_fields_const(event);

	json_line_open(line, key, '{');
	for (size_t i = 0; i < shape.count; i++) {
		const struct field *field = &shape.fields[i];
		value_json(line, field, record + field->offset);
	}
	json_line_close(line, '}');
}

static const char *
value_text(char *out, enum event_type type, const struct field *field, const void *record)
{
	const void *value = (const uint8_t *)record + field->offset;
	const struct name *name = value;
	const struct text *text = value;
	const struct json_text *json = value;

	if (field->kind == FIELD_NAME) {
		return words_escape(out, VALUE_MAX, name->bytes, name->length);
	}
	if (field->kind == FIELD_TEXT) {
		return words_escape(out, VALUE_MAX, text->bytes, text->length);
	}
	if (field->kind == FIELD_JSON) {
		return words_escape(out, VALUE_MAX, json->bytes, json->length);
	}
	const char *word = field->kind == FIELD_U64
				   ? fields_word(type, field, *(const uint64_t *)value)
				   : NULL;
	return word != NULL ? word : field_print(out, VALUE_MAX, field, record);
}

/* Cut at a scalar's end, so that what is left is still UTF-8. */
static size_t
cut(char *out, size_t size)
{
	size_t at = size - 4;

	while (at > 0 && ((uint8_t)out[at] & 0xC0) == 0x80) {
		at--;
	}
	memcpy(out + at, "...", 4);
	return at + 3;
}

size_t
fields_text(char *out, size_t size, const struct event *event)
{
	const struct event_description *description = event_describe(event->type);
	char value[VALUE_MAX];
	size_t at = 0;

	assert(size >= 8);
	out[0] = '\0';
	for (size_t i = 0; i < description->shape.count; i++) {
		const struct field *field = &description->shape.fields[i];
		const char *shown =
			value_text(value, event->type, field, event_fields_const(event));
		if (shown[0] == '\0') {
			continue;
		}
		at += (size_t)snprintf(out + at, size - at, "%s%s=%s", at > 0 ? " " : "",
				       field->name, shown);
		if (at >= size) {
			return cut(out, size);
		}
	}
	return at;
}
