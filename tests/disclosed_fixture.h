/* Disclosed events of any type, filled field by field from the catalog, for the tests of what an
 * export's readers get. Static functions, included by the tests that need them.
 */
#ifndef IFSWARM_TESTS_DISCLOSED_FIXTURE_H
#define IFSWARM_TESTS_DISCLOSED_FIXTURE_H

#include <stdio.h>
#include <string.h>

#include "replay/disclosed.h"

struct sample {
	struct entry entry;
	struct event event;
	struct disclosed disclosed;
	uint8_t memory[SEALED_BYTES_MAX * 4];
};

static inline void
sample_fill_field(struct event *event, const struct field *field, size_t place, const char *word)
{
	void *value = (uint8_t *)event_fields(event) + field->offset;
	const size_t count = strlen(word);

	switch (field->kind) {
	case FIELD_U64:
		*(uint64_t *)value = place + 1;
		break;
	case FIELD_ID:
		memset(value, (int)(0xA0 + place), sizeof(struct id));
		break;
	case FIELD_DIGEST:
		memset(value, (int)(0xD0 + place), sizeof(struct digest));
		break;
	case FIELD_TRANSACTION:
		memset(value, (int)(0x70 + place), sizeof(struct transaction));
		break;
	case FIELD_NAME:
		name_set(value, word, count < NAME_BYTES_MAX ? count : NAME_BYTES_MAX);
		break;
	case FIELD_TEXT:
		text_set(value, "words");
		break;
	case FIELD_JSON:
		json_text_set(value, word, count < JSON_BYTES_MAX ? count : JSON_BYTES_MAX);
		break;
	case FIELD_ADDRESS:
		*(struct address *)value =
			(struct address){ ADDRESS_IPV4, { 192, 0, 2, (uint8_t)(place + 1) }, 3478 };
		break;
	}
}

/* The entry around an event whose fields the caller has set. */
static inline void
sample_wrap(struct sample *s, uint64_t seq, uint64_t recorded_us)
{
	const struct event_description *description = event_describe(s->event.type);
	struct mp_writer w = mp_writer_of(s->memory, sizeof s->memory);

	s->entry = (struct entry){
		.seq = seq,
		.recorded_us = recorded_us,
		.occurred_us = recorded_us - 1500,
		.stream = description->stream,
		.stream_version = seq,
		.epoch = 1,
		.type = (uint64_t)s->event.type,
		.type_version = description->version,
		.command_id = { { 1, 2, 3 } },
		.trace_id = { { 9, 9 } },
		.has_cause = seq > 0,
		.cause = seq > 0 ? seq - 1 : 0,
	};
	record_write_clear(&w, description->shape, event_fields_const(&s->event));
	s->entry.fields = mp_written(&w);
	s->disclosed = (struct disclosed){ .entry = &s->entry, .event = &s->event };
	entry_write(&w, &s->entry);
	s->disclosed.bytes =
		(struct span){ s->entry.fields.at + s->entry.fields.count,
			       w.bad ? 0 : mp_written(&w).count - s->entry.fields.count };
	entry_leaf_hash(s->disclosed.bytes, &s->disclosed.leaf);
}

/* Every field filled; names and JSON are `word`. */
static inline void
sample_make(struct sample *s, enum event_type type, uint64_t seq, const char *word)
{
	const struct record_shape shape = event_describe(type)->shape;

	s->event = (struct event){ .type = type };
	for (size_t i = 0; i < shape.count; i++) {
		sample_fill_field(&s->event, &shape.fields[i], i, word);
	}
	sample_wrap(s, seq, UINT64_C(1790000000000000) + seq * 1000000);
}

/* Nothing personal is shown: what an envelope leaves. */
static inline void
sample_make_bare(struct sample *s, enum event_type type, uint64_t seq)
{
	const struct record_shape shape = event_describe(type)->shape;

	s->event = (struct event){ .type = type };
	for (size_t i = 0; i < shape.count; i++) {
		if (shape.fields[i].place == PLACE_CLEAR) {
			sample_fill_field(&s->event, &shape.fields[i], i, "clear");
		}
	}
	sample_wrap(s, seq, UINT64_C(1790000000000000) + seq * 1000000);
}

#endif
