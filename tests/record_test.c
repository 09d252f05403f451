/* Records, events and messages: what is written is read as the same, and nothing else is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/message.h"

static uint8_t memory[65536];

static struct mp_writer
writer(void)
{
	return mp_writer_of(memory, sizeof memory);
}

/* A value that no other kind's default looks like. */
static void
fill(void *record, const struct field *field, unsigned round)
{
	void *value = (uint8_t *)record + field->offset;

	switch (field->kind) {
	case FIELD_U64:
		*(uint64_t *)value = 1000 + round;
		break;
	case FIELD_ID:
		memset(value, (int)round + 1, sizeof(struct id));
		break;
	case FIELD_DIGEST:
		memset(value, (int)round + 2, sizeof(struct digest));
		break;
	case FIELD_TRANSACTION:
		memset(value, (int)round + 3, sizeof(struct transaction));
		break;
	case FIELD_NAME:
		name_set(value, "a name", 6);
		break;
	case FIELD_TEXT:
		text_set(value, "a word");
		break;
	case FIELD_JSON:
		json_text_set(value, "{}", 2);
		break;
	case FIELD_ADDRESS:
		*(struct address *)value = (struct address){
			.family = round % 2 == 0 ? ADDRESS_IPV4 : ADDRESS_IPV6,
			.bytes = { 192, 0, 2, (uint8_t)round },
			.port = 3478,
		};
		break;
	}
}

static struct event
filled_event(const struct event_description *description)
{
	struct event event;

	memset(&event, 0, sizeof event);
	event.type = description->type;
	event.cause_back = 3;
	event.occurred_us = 77;
	memset(event.command_id.bytes, 8, sizeof event.command_id.bytes);
	for (size_t i = 0; i < description->shape.count; i++) {
		fill(event_fields(&event), &description->shape.fields[i], (unsigned)i);
	}
	return event;
}

static void
every_event_goes_both_ways(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < event_types(); i++) {
		for (int full = 0; full < 2; full++) {
			const struct event_description *description = event_describe_at(i);
			struct event event = filled_event(description);
			struct event back;
			struct mp_writer w = writer();

			print_message("  %s\n", description->name);
			if (!full) {
				memset(&event, 0, sizeof event);
				event.type = description->type;
			}
			event_write(&w, &event);
			assert_false(w.bad);
			struct mp_reader r = mp_reader_of(mp_written(&w));
			event_read(&r, &back);
			assert_true(mp_reader_is_done(&r));
			assert_memory_equal(&event, &back, sizeof event);
			assert_ptr_equal(event_describe_name(description->name),
					 event_describe(description->type));
		}
	}
	assert_null(event_describe(99999));
	assert_null(event_describe_name("nothing_happened"));
}

/* An event that is cut anywhere, or has a byte too much, is none. */
static void
an_event_cut_anywhere_is_refused(void **unused)
{
	const struct event event = filled_event(event_describe(EVENT_AGENT_REGISTERED));
	struct mp_writer w = writer();
	struct event back;

	(void)unused;
	event_write(&w, &event);
	const struct span written = mp_written(&w);
	for (size_t count = 0; count < written.count; count++) {
		uint8_t *exact = malloc(count + 1);

		assert_non_null(exact);
		memcpy(exact, written.at, count);
		struct mp_reader r = mp_reader_of((struct span){ exact, count });
		event_read(&r, &back);
		assert_true(r.bad);
		free(exact);
	}
}

/* The elements of an event, each of which a row may replace. */
struct parts {
	uint64_t type, version, back, sealed;
	bool short_fields, short_array;
};

static void
write_parts(struct mp_writer *w, const struct parts *parts)
{
	const struct id command = { { 1 } };

	mp_put_array(w, parts->short_array ? 7 : 8);
	mp_put_u64(w, parts->type);
	mp_put_u64(w, parts->version);
	mp_put_u64(w, 5);
	mp_put_id(w, &command);
	mp_put_nil(w);
	mp_put_u64(w, parts->back);
	mp_put_array(w, parts->short_fields ? 1 : 2);
	mp_put_id(w, &command);
	if (!parts->short_fields) {
		mp_put_u64(w, 9);
	}
	if (!parts->short_array) {
		mp_put_array(w, parts->sealed);
	}
	for (uint64_t i = 0; i < parts->sealed; i++) {
		mp_put_bin(w, "\x90", 1);
	}
}

static void
events_that_contradict_the_catalog_are_refused(void **unused)
{
	static const struct {
		const char *when;
		struct parts given;
		bool then;
	} rows[] = {
		{ "as the catalog says",
		  { EVENT_TURN_ALLOCATION_REFRESHED, 1, 0, 0, false, false },
		  true },
		{ "a cause of 32 bits",
		  { EVENT_TURN_ALLOCATION_REFRESHED, 1, UINT32_MAX, 0, false, false },
		  true },
		{ "a cause beyond 32 bits",
		  { EVENT_TURN_ALLOCATION_REFRESHED, 1, (uint64_t)UINT32_MAX + 1, 0, false, false },
		  false },
		{ "an unknown type", { 99999, 1, 0, 0, false, false }, false },
		{ "a version to come",
		  { EVENT_TURN_ALLOCATION_REFRESHED, 200, 0, 0, false, false },
		  false },
		{ "a field less",
		  { EVENT_TURN_ALLOCATION_REFRESHED, 1, 0, 0, true, false },
		  false },
		{ "an element less",
		  { EVENT_TURN_ALLOCATION_REFRESHED, 1, 0, 0, false, true },
		  false },
		{ "a sealed part that it has not",
		  { EVENT_TURN_ALLOCATION_REFRESHED, 1, 0, 1, false, false },
		  false },
		{ "more sealed parts than any has",
		  { EVENT_TURN_ALLOCATION_REFRESHED, 1, 0, 3, false, false },
		  false },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct mp_writer w = writer();
		struct event back;

		print_message("  %s\n", rows[i].when);
		write_parts(&w, &rows[i].given);
		struct mp_reader r = mp_reader_of(mp_written(&w));
		event_read(&r, &back);
		assert_int_equal(!r.bad, rows[i].then);
	}
}

/* What an erased subject leaves: everything but the personal fields. */
static void
an_erased_part_leaves_its_fields_empty(void **unused)
{
	const struct event event = filled_event(event_describe(EVENT_AGENT_REGISTERED));
	struct mp_writer w = writer();
	struct event_wire wire;
	struct event back;

	(void)unused;
	event_write(&w, &event);
	struct mp_reader r = mp_reader_of(mp_written(&w));
	event_wire_read(&r, &wire);
	assert_true(mp_reader_is_done(&r));
	assert_int_equal(wire.parts, 2);
	wire.part[0] = (struct span){ 0 };
	assert_true(event_from_wire(&wire, &back));
	assert_int_equal(back.agent_registered.agent_name.length, 0);
	assert_int_equal(back.agent_registered.client.family, ADDRESS_NONE);
	assert_true(
		name_equal(&back.agent_registered.room_name, &event.agent_registered.room_name));
	assert_true(id_equal(&back.agent_registered.agent, &event.agent_registered.agent));
	wire.part[1] = (struct span){ (const uint8_t *)"\xC0", 1 };
	assert_false(event_from_wire(&wire, &back));
}

static void
subjects_belong_to_their_parts(void **unused)
{
	const struct event_description *description = event_describe(EVENT_AGENT_REGISTERED);
	struct event event = filled_event(description);
	const struct id first = record_subject(description->shape, 0, event_fields(&event));
	const struct id second = record_subject(description->shape, 1, event_fields(&event));

	(void)unused;
	assert_int_equal(record_parts(description->shape), 2);
	assert_true(id_equal(&first, &event.agent_registered.agent));
	assert_true(id_equal(&second, &event.agent_registered.room));
	assert_int_equal(record_parts(event_describe(EVENT_LOG_CREATED)->shape), 0);
}

static void
commands_and_notices_go_both_ways(void **unused)
{
	static const uint8_t frame[] = "{\"type\":\"offer\"}";
	const struct span bodies[] = { { 0 }, { frame, sizeof frame } };
	struct command command = { .type = COMMAND_SIGNAL,
				   .command_id = { { 1 } },
				   .trace_id = { { 2 } } };
	struct notice notice = {
		.type = NOTICE_REFUSED, .command_id = { { 1 } }, .origin = 3, .ordinal = 4
	};

	(void)unused;
	command.signal.kind = SIGNAL_OFFER;
	name_set(&command.signal.to, "bob", 3);
	notice.refused.verdict = REFUSED_NO_SUCH_AGENT;
	name_set(&notice.refused.about, "bob", 3);
	for (size_t i = 0; i < 2; i++) {
		struct command command_back;
		struct notice notice_back;
		struct span body;
		struct mp_writer w = writer();

		command_write(&w, &command, bodies[i]);
		struct mp_reader r = mp_reader_of(mp_written(&w));
		command_read(&r, &command_back, &body);
		assert_true(mp_reader_is_done(&r));
		assert_memory_equal(&command, &command_back, sizeof command);
		assert_int_equal(body.count, bodies[i].count);
		w = writer();
		notice_write(&w, &notice, bodies[i]);
		r = mp_reader_of(mp_written(&w));
		notice_read(&r, &notice_back, &body);
		assert_true(mp_reader_is_done(&r));
		assert_memory_equal(&notice, &notice_back, sizeof notice);
		assert_int_equal(body.count, bodies[i].count);
	}
}

static void
messages_of_no_known_kind_are_refused(void **unused)
{
	static const struct {
		const char *when;
		uint64_t type;
		size_t elements;
		bool empty_body;
		bool then;
	} rows[] = {
		{ "a LEAVE", COMMAND_LEAVE, 5, false, true },
		{ "an unknown command", 9999, 5, false, false },
		{ "an element less", COMMAND_LEAVE, 4, false, false },
		{ "a body of no bytes", COMMAND_LEAVE, 5, true, false },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct mp_writer w = writer();
		struct command command;
		struct span body;

		print_message("  %s\n", rows[i].when);
		mp_put_array(&w, rows[i].elements);
		mp_put_u64(&w, rows[i].type);
		mp_put_nil(&w);
		mp_put_nil(&w);
		mp_put_array(&w, 2);
		mp_put_u64(&w, 1);
		mp_put_u64(&w, 2);
		if (rows[i].empty_body) {
			mp_put_bin(&w, "", 0);
		} else {
			mp_put_nil(&w);
		}
		struct mp_reader r = mp_reader_of(mp_written(&w));
		command_read(&r, &command, &body);
		assert_int_equal(!r.bad, rows[i].then);
		assert_int_equal(body.count, 0);
	}
}

struct sample {
	uint64_t number;
	struct id id;
	struct name name;
	struct text text;
	struct address address;
};

static const struct field sample_fields[] = {
	{ "number", FIELD_U64, PLACE_CLEAR, offsetof(struct sample, number) },
	{ "id", FIELD_ID, PLACE_CLEAR, offsetof(struct sample, id) },
	{ "name", FIELD_NAME, PLACE_CLEAR, offsetof(struct sample, name) },
	{ "text", FIELD_TEXT, PLACE_CLEAR, offsetof(struct sample, text) },
	{ "address", FIELD_ADDRESS, PLACE_CLEAR, offsetof(struct sample, address) },
};

/* threat_A12: what strangers chose must not drive the terminal of whoever reads the log. */
static void
threat_A12_values_are_printed_without_control_characters(void **unused)
{
	static const struct {
		const char *when;
		struct sample given;
		size_t field;
		const char *then;
	} rows[] = {
		{ "a number", { .number = UINT64_MAX }, 0, "18446744073709551615" },
		{ "an id", { .id = { { 0xAB } } }, 1, "ab000000000000000000000000000000" },
		{ "no id", { .number = 1 }, 1, "" },
		{ "a name", { .name = { 5, "alice" } }, 2, "alice" },
		{ "no name", { .number = 1 }, 2, "" },
		{ "UTF-8", { .name = { 2, "\xC3\xA4" } }, 2, "\xC3\xA4" },
		{ "an escape", { .name = { 4, "\x1B[2J" } }, 2, "\\x1b[2J" },
		{ "a line break", { .name = { 3, "a\nb" } }, 2, "a\\x0ab" },
		{ "C1", { .name = { 2, "\xC2\x9B" } }, 2, "\\xc2\\x9b" },
		{ "a word", { .text = { 2, "ok" } }, 3, "ok" },
		{ "an IPv4 address",
		  { .address = { 4, { 192, 0, 2, 1 }, 3478 } },
		  4,
		  "192.0.2.1:3478" },
		{ "an IPv6 address",
		  { .address = { 6, { 0x20, 1, 0xD, 0xB8, [15] = 1 }, 3478 } },
		  4,
		  "[2001:db8::1]:3478" },
		{ "no address", { .number = 1 }, 4, "" },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char text[FIELD_PRINT_MAX];

		print_message("  %s\n", rows[i].when);
		assert_string_equal(field_print(text, sizeof text, &sample_fields[rows[i].field],
						&rows[i].given),
				    rows[i].then);
	}
}

static void
the_longest_escaped_name_is_printed_whole(void **unused)
{
	struct sample sample = { .name = { .length = NAME_BYTES_MAX } };
	char text[FIELD_PRINT_MAX];

	(void)unused;
	memset(sample.name.bytes, 1, NAME_BYTES_MAX);
	field_print(text, sizeof text, &sample_fields[2], &sample);
	assert_int_equal(strlen(text), 4 * NAME_BYTES_MAX);
}

static void
fields_of_another_form_are_refused(void **unused)
{
	static const struct {
		const char *when;
		uint8_t bytes[24]; /* the whole record but its number, which is 1 */
		size_t count;
		bool then;
	} rows[] = {
		{ "all empty", { 0xC0, 0xC0, 0xA0, 0xC0 }, 4, true },
		{ "a name", { 0xC0, 0xA1, 'a', 0xA0, 0xC0 }, 5, true },
		{ "an empty name must be nil", { 0xC0, 0xA0, 0xA0, 0xC0 }, 4, false },
		{ "a text is never nil", { 0xC0, 0xC0, 0xC0, 0xC0 }, 4, false },
		{ "an IPv4 address", { 0xC0, 0xC0, 0xA0, 0xC4, 6, 1, 2, 3, 4, 5, 6 }, 11, true },
		{ "an address of 5 bytes",
		  { 0xC0, 0xC0, 0xA0, 0xC4, 5, 1, 2, 3, 4, 5 },
		  10,
		  false },
		{ "an address of no bytes", { 0xC0, 0xC0, 0xA0, 0xC4, 0 }, 5, false },
		{ "a value too much", { 0xC0, 0xC0, 0xA0, 0xC0, 0xC0 }, 5, false },
	};
	const struct record_shape shape = { sample_fields, 5 };

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct sample sample = { 0 };
		struct mp_writer w = writer();

		print_message("  %s\n", rows[i].when);
		mp_put_array(&w, 5);
		mp_put_u64(&w, 1);
		mp_put_raw(&w, (struct span){ rows[i].bytes, rows[i].count });
		struct mp_reader r = mp_reader_of(mp_written(&w));
		record_read_clear(&r, shape, &sample);
		assert_int_equal(mp_reader_is_done(&r), rows[i].then);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_event_goes_both_ways),
		cmocka_unit_test(an_event_cut_anywhere_is_refused),
		cmocka_unit_test(events_that_contradict_the_catalog_are_refused),
		cmocka_unit_test(an_erased_part_leaves_its_fields_empty),
		cmocka_unit_test(subjects_belong_to_their_parts),
		cmocka_unit_test(commands_and_notices_go_both_ways),
		cmocka_unit_test(messages_of_no_known_kind_are_refused),
		cmocka_unit_test(threat_A12_values_are_printed_without_control_characters),
		cmocka_unit_test(the_longest_escaped_name_is_printed_whole),
		cmocka_unit_test(fields_of_another_form_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
