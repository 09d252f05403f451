#include "protocol/event.h"

#include <assert.h>
#include <string.h>

static const uint16_t numbers[] = {
#define EVENT(constant, name, number, version, stream, fields) number,
#include "protocol/events.def"
#undef EVENT
};

#define F(kind, place, name) { #name, FIELD_##kind, PLACE_##place, offsetof(owner, name) },
const struct event_description *
event_describe(uint64_t number)
{
	switch (number) {
#define EVENT(constant, name, number, version, stream, fields)                                     \
	case (number): {                                                                           \
		typedef struct event_##name owner;                                                 \
		static const struct field table[] = { fields };                                    \
		static const struct event_description description = {                              \
			EVENT_##constant,                                                          \
			#name,                                                                     \
			(version),                                                                 \
			(stream),                                                                  \
			{ table, sizeof table / sizeof table[0] }                                  \
		};                                                                                 \
		return &description;                                                               \
	}
#include "protocol/events.def"
#undef EVENT
	}
	return NULL;
}
#undef F

size_t
event_types(void)
{
	return sizeof numbers / sizeof numbers[0];
}

const struct event_description *
event_describe_at(size_t index)
{
	assert(index < event_types());
	return event_describe(numbers[index]);
}

const struct event_description *
event_describe_name(const char *name)
{
	for (size_t i = 0; i < event_types(); i++) {
		if (strcmp(event_describe(numbers[i])->name, name) == 0) {
			return event_describe(numbers[i]);
		}
	}
	return NULL;
}

const char *
stream_name(uint64_t stream)
{
	static const char *const names[] = { NULL,      "session",  "allocation",
					     "witness", "operator", "claimed" };

	return stream < sizeof names / sizeof names[0] ? names[stream] : NULL;
}

const char *
leave_reason_name(uint64_t reason)
{
	static const char *const names[] = { "unknown",         "closed",   "gateway lost",
					     "too slow",        "too fast", "shutdown",
					     "gateway stopped", "expelled", "killed" };

	return names[reason < sizeof names / sizeof names[0] ? reason : 0];
}

const char *
end_reason_name(uint64_t reason)
{
	static const char *const names[] = { "unknown",     "released", "expired",
					     "port lost",   "shutdown", "expelled",
					     "client gone", "killed",   "revoked" };

	return names[reason < sizeof names / sizeof names[0] ? reason : 0];
}

const char *
connection_end_name(uint64_t reason)
{
	static const char *const names[] = { "unknown", "peer closed", "client closed", "unused" };

	return names[reason < sizeof names / sizeof names[0] ? reason : 0];
}

const char *
client_transport_name(uint64_t transport)
{
	static const char *const names[] = { "udp", "tcp", "tls", "dtls" };

	return transport < sizeof names / sizeof names[0] ? names[transport] : "unknown";
}

/* All members of the union start where it starts. */
void *
event_fields(struct event *event)
{
	return &event->gateway_attached;
}

const void *
event_fields_const(const struct event *event)
{
	return &event->gateway_attached;
}

struct event *
event_emit(struct event_list *list, enum event_type type, uint64_t now_us,
	   const struct id *command_id, const struct id *trace_id)
{
	assert(list->count < EVENTS_PER_COMMAND_MAX);
	struct event *event = &list->items[list->count++];

	memset(event, 0, sizeof *event);
	event->type = type;
	event->occurred_us = now_us;
	event->command_id = *command_id;
	event->trace_id = *trace_id;
	return event;
}

static void
write_part(struct mp_writer *w, const struct event_description *description, unsigned part,
	   const struct event *event)
{
	uint8_t memory[SEALED_BYTES_MAX];
	struct mp_writer inner = mp_writer_of(memory, sizeof memory);

	record_write_part(&inner, description->shape, part, event_fields_const(event));
	assert(!inner.bad);
	mp_put_bin(w, memory, mp_written(&inner).count);
}

void
event_write(struct mp_writer *w, const struct event *event)
{
	const struct event_description *description = event_describe(event->type);

	assert(description != NULL);
	const unsigned parts = record_parts(description->shape);
	mp_put_array(w, 8);
	mp_put_u64(w, event->type);
	mp_put_u64(w, description->version);
	mp_put_u64(w, event->occurred_us);
	mp_put_id(w, &event->command_id);
	mp_put_id(w, &event->trace_id);
	mp_put_u64(w, event->cause_back);
	record_write_clear(w, description->shape, event_fields_const(event));
	mp_put_array(w, parts);
	for (unsigned part = 0; part < parts; part++) {
		write_part(w, description, part, event);
	}
}

/* The fields are read once for their shape alone: a wire form that was accepted can be trusted
 * later. */
static void
check_fields(struct mp_reader *r, const struct event_wire *wire)
{
	struct event scratch = { 0 };
	struct mp_reader inner = mp_reader_of(wire->fields);

	record_read_clear(&inner, wire->description->shape, event_fields(&scratch));
	for (unsigned part = 0; part < wire->parts; part++) {
		struct mp_reader personal = mp_reader_of(wire->part[part]);
		record_read_part(&personal, wire->description->shape, part, event_fields(&scratch));
		inner.bad |= !mp_reader_is_done(&personal);
	}
	r->bad |= !mp_reader_is_done(&inner);
}

void
event_wire_read(struct mp_reader *r, struct event_wire *out)
{
	memset(out, 0, sizeof *out);
	r->bad |= mp_get_array(r, 8) != 8;
	out->description = event_describe(mp_get_u64(r));
	const uint64_t version = mp_get_u64(r);
	out->occurred_us = mp_get_u64(r);
	out->command_id = mp_get_id(r);
	out->trace_id = mp_get_id(r);
	const uint64_t back = mp_get_u64(r);
	out->cause_back = (uint32_t)back;
	out->fields = mp_get_value(r);
	out->parts = (uint32_t)mp_get_array(r, SEALED_PARTS_MAX);
	for (uint32_t part = 0; part < out->parts; part++) {
		out->part[part] = mp_get_bin(r, SEALED_BYTES_MAX);
	}
	if (r->bad || out->description == NULL || version != out->description->version ||
	    back > UINT32_MAX || out->parts != record_parts(out->description->shape)) {
		r->bad = true;
		return;
	}
	check_fields(r, out);
}

bool
event_from_wire(const struct event_wire *wire, struct event *out)
{
	struct mp_reader r = mp_reader_of(wire->fields);
	bool whole = true;

	memset(out, 0, sizeof *out);
	out->type = wire->description->type;
	out->cause_back = wire->cause_back;
	out->occurred_us = wire->occurred_us;
	out->command_id = wire->command_id;
	out->trace_id = wire->trace_id;
	if (wire->is_older) {
		record_read_older(&r, wire->description->shape, event_fields(out));
	} else {
		record_read_clear(&r, wire->description->shape, event_fields(out));
	}
	for (unsigned part = 0; part < wire->parts; part++) {
		struct mp_reader personal = mp_reader_of(wire->part[part]);
		if (wire->part[part].count > 0) {
			record_read_part(&personal, wire->description->shape, part,
					 event_fields(out));
			whole &= mp_reader_is_done(&personal);
		}
	}
	return whole && mp_reader_is_done(&r);
}

void
event_read(struct mp_reader *r, struct event *out)
{
	struct event_wire wire;

	event_wire_read(r, &wire);
	if (r->bad || !event_from_wire(&wire, out)) {
		memset(out, 0, sizeof *out);
		r->bad = true;
	}
}
