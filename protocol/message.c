#include "protocol/message.h"

#include <assert.h>
#include <string.h>

#define F(kind, place, name) { #name, FIELD_##kind, PLACE_##place, offsetof(owner, name) },
#define SHAPE(structure, number, ...)                                                              \
	case (number): {                                                                           \
		typedef struct structure owner;                                                    \
		static const struct field table[] = { __VA_ARGS__ };                               \
		*out = (struct record_shape){ table, sizeof table / sizeof table[0] };             \
		return true;                                                                       \
	}

static bool
command_shape(uint64_t number, struct record_shape *out)
{
	switch (number) {
#define COMMAND(constant, name, number, fields) SHAPE(command_##name, number, fields)
#include "protocol/commands.def"
#undef COMMAND
	}
	return false;
}

static bool
notice_shape(uint64_t number, struct record_shape *out)
{
	switch (number) {
#define NOTICE(constant, name, number, fields) SHAPE(notice_##name, number, fields)
#include "protocol/notices.def"
#undef NOTICE
	}
	return false;
}
#undef SHAPE
#undef F

static void
put_body(struct mp_writer *w, struct span body)
{
	if (body.count == 0) {
		mp_put_nil(w);
	} else {
		mp_put_bin(w, body.at, body.count);
	}
}

static struct span
get_body(struct mp_reader *r)
{
	if (mp_take_nil(r)) {
		return (struct span){ 0 };
	}
	const struct span body = mp_get_bin(r, MESSAGE_BYTES_MAX);
	/* No body is written as nil, so that each message has one encoding. */
	r->bad |= body.count == 0;
	return body;
}

void
command_write(struct mp_writer *w, const struct command *command, struct span body)
{
	struct record_shape shape;
	const bool known = command_shape(command->type, &shape);

	assert(known);
	mp_put_array(w, 5);
	mp_put_u64(w, command->type);
	mp_put_id(w, &command->command_id);
	mp_put_id(w, &command->trace_id);
	record_write_clear(w, shape, &command->register_agent);
	put_body(w, body);
}

void
command_read(struct mp_reader *r, struct command *out, struct span *body)
{
	struct record_shape shape = { 0 };

	memset(out, 0, sizeof *out);
	*body = (struct span){ 0 };
	r->bad |= mp_get_array(r, 5) != 5;
	const uint64_t number = mp_get_u64(r);
	out->command_id = mp_get_id(r);
	out->trace_id = mp_get_id(r);
	if (r->bad || !command_shape(number, &shape)) {
		r->bad = true;
		return;
	}
	out->type = (enum command_type)number;
	record_read_clear(r, shape, &out->register_agent);
	*body = get_body(r);
}

void
notice_write(struct mp_writer *w, const struct notice *notice, struct span body)
{
	struct record_shape shape;
	const bool known = notice_shape(notice->type, &shape);

	assert(known);
	mp_put_array(w, 7);
	mp_put_u64(w, notice->type);
	mp_put_id(w, &notice->command_id);
	mp_put_u64(w, notice->origin);
	mp_put_id(w, &notice->instance);
	mp_put_u64(w, notice->ordinal);
	record_write_clear(w, shape, &notice->registered);
	put_body(w, body);
}

void
notice_read(struct mp_reader *r, struct notice *out, struct span *body)
{
	struct record_shape shape = { 0 };

	memset(out, 0, sizeof *out);
	*body = (struct span){ 0 };
	r->bad |= mp_get_array(r, 7) != 7;
	const uint64_t number = mp_get_u64(r);
	out->command_id = mp_get_id(r);
	out->origin = mp_get_u64(r);
	out->instance = mp_get_id(r);
	out->ordinal = mp_get_u64(r);
	if (r->bad || !notice_shape(number, &shape)) {
		r->bad = true;
		return;
	}
	out->type = (enum notice_type)number;
	record_read_clear(r, shape, &out->registered);
	*body = get_body(r);
}
