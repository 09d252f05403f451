#include "replay/telling.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/verdict.h"
#include "replay/moment.h"
#include "replay/words.h"

static json_t *
number(uint64_t value)
{
	/* jansson's integers are signed; nothing of ours is that large, and a hostile file may be
	 * odd. */
	return value > INT64_MAX ? json_string("out of range") : json_integer((json_int_t)value);
}

static json_t *
hex(const void *bytes, size_t count)
{
	char shown[2 * sizeof(struct digest) + 1];

	assert(count <= sizeof(struct digest));
	hex_write(shown, bytes, count);
	return json_string(shown);
}

static json_t *
id_or_null(const struct id *id)
{
	return id_is_none(id) ? json_null() : hex(id->bytes, sizeof id->bytes);
}

/* As it is if it is UTF-8 (JSON escapes what it must); what is not is told with its escapes. */
static json_t *
words(const char *bytes, size_t count)
{
	char shown[4 * NAME_BYTES_MAX + 1];
	json_t *exact = json_stringn(bytes, count);

	return exact != NULL ? exact : json_string(words_escape(shown, sizeof shown, bytes, count));
}

static json_t *
time_of(uint64_t us)
{
	char shown[MOMENT_PRINT_MAX];

	return json_string(moment_print(shown, sizeof shown, us));
}

static json_t *
address(const struct address *value)
{
	char shown[ADDRESS_PRINT_MAX];

	address_print(shown, sizeof shown, value);
	return value->family == ADDRESS_NONE ? json_null() : json_string(shown);
}

static json_t *
field_json(const struct field *field, const void *record)
{
	const void *value = (const uint8_t *)record + field->offset;
	const struct name *name = value;
	const struct text *text = value;
	const struct json_text *json = value;

	switch (field->kind) {
	case FIELD_U64:
		return number(*(const uint64_t *)value);
	case FIELD_ID:
		return id_or_null(value);
	case FIELD_DIGEST:
		return hex(value, sizeof(struct digest));
	case FIELD_TRANSACTION:
		return hex(value, sizeof(struct transaction));
	case FIELD_NAME:
		return name->length == 0 ? json_null() : words(name->bytes, name->length);
	case FIELD_TEXT:
		return words(text->bytes, text->length);
	case FIELD_JSON:
		return json->length == 0 ? json_null() : words(json->bytes, json->length);
	case FIELD_ADDRESS:
		return address(value);
	}
	return json_null();
}

/* The fields of a type that this program does not know, by place. */
static json_t *
foreign_fields(struct span fields)
{
	struct mp_reader r = mp_reader_of(fields);
	const size_t count = mp_get_array(&r, ENTRY_BYTES_MAX);
	json_t *array = json_array();

	for (size_t i = 0; i < count && !r.bad; i++) {
		const struct span value = mp_get_value(&r);
		struct mp_reader one = mp_reader_of(value);
		char *shown = malloc(2 * value.count + 1);

		assert(shown != NULL);
		if (mp_take_nil(&one)) {
			json_array_append_new(array, json_null());
		} else if (value.count > 0 &&
			   (value.at[0] < 0x80 || (value.at[0] & 0xFC) == 0xCC)) {
			json_array_append_new(array, number(mp_get_u64(&one)));
		} else {
			hex_write(shown, value.at, value.count);
			json_array_append_new(array, json_pack("{s:s}", "msgpack", shown));
		}
		free(shown);
	}
	return array;
}

static void
add_fields(json_t *out, const struct telling *t)
{
	const struct record_shape shape = event_describe(t->event->type)->shape;
	json_t *fields = json_object();
	json_t *known = json_object();

	for (size_t i = 0; i < shape.count; i++) {
		const struct field *field = &shape.fields[i];
		const void *record = event_fields_const(t->event);
		const struct id *handle = (const void *)((const uint8_t *)record + field->offset);

		json_object_set_new(fields, field->name, field_json(field, record));
		if (field->kind != FIELD_ID || t->name_of == NULL || id_is_none(handle)) {
			continue;
		}
		const struct name *name = t->name_of(t->names, handle);
		if (name != NULL) {
			json_object_set_new(known, field->name, words(name->bytes, name->length));
		}
	}
	json_object_set_new(out, "fields", fields);
	json_object_set_new(out, "names", known);
}

static json_t *
parts(const struct telling *t)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < t->entry->parts; i++) {
		const struct sealed_part *part = &t->entry->part[i];
		json_t *one = json_object();

		json_object_set_new(one, "state", json_string(part_state_name(t->part[i])));
		json_object_set_new(one, "subject", id_or_null(&part->subject));
		json_object_set_new(one, "key_id", id_or_null(&part->key_id));
		json_object_set_new(one, "length", number(part->length));
		json_object_set_new(one, "digest",
				    hex(part->digest.bytes, sizeof part->digest.bytes));
		json_array_append_new(array, one);
	}
	return array;
}

static void
add_leaf(json_t *out, struct span entry_bytes)
{
	struct digest leaf;
	char *text = malloc(4 * ((entry_bytes.count + 2) / 3) + 1);

	assert(text != NULL);
	entry_leaf_hash(entry_bytes, &leaf);
	words_base64(text, entry_bytes.at, entry_bytes.count);
	json_object_set_new(out, "leaf_hash", hex(leaf.bytes, sizeof leaf.bytes));
	json_object_set_new(out, "entry_b64", json_string(text));
	free(text);
}

static void
add_header(json_t *out, const struct telling *t)
{
	const struct entry *e = t->entry;
	const char *stream = stream_name(e->stream);

	json_object_set_new(out, "seq", number(e->seq));
	json_object_set_new(out, "recorded", time_of(e->recorded_us));
	json_object_set_new(out, "recorded_us", number(e->recorded_us));
	json_object_set_new(out, "occurred_us", number(e->occurred_us));
	json_object_set_new(out, "stream",
			    stream == NULL ? number(e->stream) : json_string(stream));
	json_object_set_new(out, "stream_version", number(e->stream_version));
	json_object_set_new(out, "epoch", number(e->epoch));
	json_object_set_new(out, "type", number(e->type));
	json_object_set_new(out, "type_version", number(e->type_version));
	json_object_set_new(out, "event",
			    t->event == NULL ? json_null()
					     : json_string(event_describe(t->event->type)->name));
	json_object_set_new(out, "command_id", id_or_null(&e->command_id));
	json_object_set_new(out, "trace_id", id_or_null(&e->trace_id));
	json_object_set_new(out, "cause", e->has_cause ? number(e->cause) : json_null());
}

json_t *
telling_json(const struct telling *t, struct span entry_bytes)
{
	json_t *out = json_object();

	add_header(out, t);
	if (t->event == NULL) {
		json_object_set_new(out, "fields", foreign_fields(t->entry->fields));
	} else {
		add_fields(out, t);
	}
	if (entry_bytes.count > 0) {
		json_object_set_new(out, "sealed", parts(t));
		add_leaf(out, entry_bytes);
	}
	return out;
}
