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

json_t *
fields_string(const char *bytes, size_t count)
{
	char shown[VALUE_MAX];
	json_t *exact = json_stringn(bytes, count);

	return exact != NULL ? exact : json_string(words_escape(shown, sizeof shown, bytes, count));
}

json_t *
fields_number(uint64_t number)
{
	return number > INT64_MAX ? json_string("out of range") : json_integer((json_int_t)number);
}

json_t *
fields_hex(const void *bytes, size_t count)
{
	char shown[2 * sizeof(struct digest) + 1];

	assert(count <= sizeof(struct digest));
	hex_write(shown, bytes, count);
	return json_string(shown);
}

static json_t *
string_or_null(const char *bytes, size_t count)
{
	return count == 0 ? json_null() : fields_string(bytes, count);
}

static json_t *
address_json(const struct address *address)
{
	char shown[ADDRESS_PRINT_MAX];

	address_print(shown, sizeof shown, address);
	return string_or_null(shown, strlen(shown));
}

static json_t *
value_json(const struct field *field, const void *value)
{
	const struct name *name = value;
	const struct text *text = value;
	const struct json_text *json = value;

	switch (field->kind) {
	case FIELD_U64:
		return fields_number(*(const uint64_t *)value);
	case FIELD_ID:
		return id_is_none(value) ? json_null() : fields_hex(value, sizeof(struct id));
	case FIELD_DIGEST:
		return fields_hex(value, sizeof(struct digest));
	case FIELD_TRANSACTION:
		return fields_hex(value, sizeof(struct transaction));
	case FIELD_NAME:
		return string_or_null(name->bytes, name->length);
	case FIELD_TEXT:
		return fields_string(text->bytes, text->length);
	case FIELD_JSON:
		return string_or_null(json->bytes, json->length);
	case FIELD_ADDRESS:
		return address_json(value);
	}
	return json_null();
}

json_t *
fields_json(const struct event *event)
{
	const struct record_shape shape = event_describe(event->type)->shape;
	const uint8_t *record = event_fields_const(event);
	json_t *out = json_object();

	for (size_t i = 0; i < shape.count; i++) {
		const struct field *field = &shape.fields[i];
		json_object_set_new(out, field->name, value_json(field, record + field->offset));
	}
	return out;
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
