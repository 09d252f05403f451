#include "replay/subject.h"

#include <assert.h>
#include <string.h>

static bool
is_their_name(const struct who *who, const struct name *name)
{
	const struct name agent = who_agent_of_user(name);

	return agent.length > 0 && (name_equal(&who->name, &agent) || name_equal(&who->name, name));
}

static bool
names_them(const struct who *who, const struct field *field, const void *value)
{
	enum pseudonym_kind kind;

	if (field->kind == FIELD_ID) {
		return who_is_handle(who, value);
	}
	return field->kind == FIELD_NAME && discloser_kind(field->name, &kind) &&
	       is_their_name(who, value);
}

bool
subject_concerns(const struct who *who, const struct event *event)
{
	const struct record_shape shape = event_describe(event->type)->shape;
	const uint8_t *fields = event_fields_const(event);

	for (size_t i = 0; i < shape.count; i++) {
		if (names_them(who, &shape.fields[i], fields + shape.fields[i].offset)) {
			return true;
		}
	}
	return false;
}

static bool
is_in_part(const struct field *field, unsigned part)
{
	return field->place == (part == 0 ? PLACE_SEALED0 : PLACE_SEALED1);
}

/* Leaves in the field what they may see; false if something was taken away. */
static bool
keep_name(const struct who *who, const struct discloser *others, const struct field *field,
	  bool is_their_part, struct name *name)
{
	enum pseudonym_kind kind;

	if (!discloser_kind(field->name, &kind)) {
		if (!is_their_part && name->length > 0) {
			*name = (struct name){ 0 };
			return false;
		}
		return true;
	}
	if (name->length == 0 || is_their_name(who, name)) {
		return true;
	}
	*name = discloser_name(others, kind, name);
	return false;
}

/* A peer's address is the peer's, whoever's part it lies in. */
static bool
keep_address(const struct field *field, bool is_their_part, struct address *address)
{
	if (address->family == ADDRESS_NONE ||
	    (is_their_part && strcmp(field->name, "peer") != 0)) {
		return true;
	}
	*address = (struct address){ 0 };
	return false;
}

static bool
keep_field(const struct who *who, const struct discloser *others, const struct field *field,
	   bool is_their_part, void *value)
{
	if (field->kind == FIELD_NAME) {
		return keep_name(who, others, field, is_their_part, value);
	}
	if (field->kind == FIELD_ADDRESS) {
		return keep_address(field, is_their_part, value);
	}
	assert(field->kind == FIELD_JSON);
	struct json_text *words = value;
	const bool was_empty = words->length == 0;
	*words = (struct json_text){ 0 };
	return was_empty;
}

static bool
mask_part(const struct who *who, const struct discloser *others, bool is_their_part,
	  struct event *event, unsigned part)
{
	const struct record_shape shape = event_describe(event->type)->shape;
	uint8_t *fields = event_fields(event);
	bool is_whole = true;

	for (size_t i = 0; i < shape.count; i++) {
		const struct field *field = &shape.fields[i];

		if (is_in_part(field, part) &&
		    !keep_field(who, others, field, is_their_part, fields + field->offset)) {
			is_whole = false;
		}
	}
	return is_whole;
}

void
subject_mask(const struct who *who, const struct discloser *others, const struct entry *entry,
	     struct event *event, struct span salt[SEALED_PARTS_MAX],
	     struct span body[SEALED_PARTS_MAX])
{
	for (unsigned i = 0; i < SEALED_PARTS_MAX; i++) {
		const bool is_their_part =
			i < entry->parts && who_is_handle(who, &entry->part[i].subject);
		const bool is_whole =
			event != NULL && mask_part(who, others, is_their_part, event, i);

		if (!is_whole || !is_their_part) {
			salt[i] = (struct span){ 0 };
			body[i] = (struct span){ 0 };
		}
	}
}
