#include "replay/subject.h"

#include <string.h>

static bool
is_in_part(const struct field *field, unsigned part)
{
	return field->place == (part == 0 ? PLACE_SEALED0 : PLACE_SEALED1);
}

static size_t
field_bytes(const struct field *field)
{
	switch (field->kind) {
	case FIELD_NAME:
		return sizeof(struct name);
	case FIELD_ADDRESS:
		return sizeof(struct address);
	case FIELD_JSON:
		return sizeof(struct json_text);
	case FIELD_TEXT:
		return sizeof(struct text);
	case FIELD_U64:
		return sizeof(uint64_t);
	case FIELD_ID:
		return sizeof(struct id);
	case FIELD_DIGEST:
		return sizeof(struct digest);
	case FIELD_TRANSACTION:
		return sizeof(struct transaction);
	}
	return 0;
}

static bool
says_their_name(const struct who *who, const struct event *event, unsigned part)
{
	const struct record_shape shape = event_describe(event->type)->shape;

	for (size_t i = 0; i < shape.count; i++) {
		const struct field *field = &shape.fields[i];
		const void *value = (const uint8_t *)event_fields_const(event) + field->offset;

		if (is_in_part(field, part) && field->kind == FIELD_NAME) {
			const struct name agent = who_agent_of_user(value);
			if (agent.length > 0 &&
			    (name_equal(&who->name, &agent) || name_equal(&who->name, value))) {
				return true;
			}
		}
	}
	return false;
}

static void
empty_part(struct event *event, unsigned part)
{
	const struct record_shape shape = event_describe(event->type)->shape;

	for (size_t i = 0; i < shape.count; i++) {
		if (is_in_part(&shape.fields[i], part)) {
			memset((uint8_t *)event_fields(event) + shape.fields[i].offset, 0,
			       field_bytes(&shape.fields[i]));
		}
	}
}

void
subject_mask(const struct who *who, const struct entry *entry, struct event *event,
	     struct span salt[SEALED_PARTS_MAX], struct span body[SEALED_PARTS_MAX])
{
	for (unsigned i = 0; i < SEALED_PARTS_MAX; i++) {
		const bool is_theirs = event != NULL && i < entry->parts &&
				       (who_is_handle(who, &entry->part[i].subject) ||
					says_their_name(who, event, i));

		if (is_theirs) {
			continue;
		}
		salt[i] = (struct span){ 0 };
		body[i] = (struct span){ 0 };
		if (event != NULL) {
			empty_part(event, i);
		}
	}
}
