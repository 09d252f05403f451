/* Who may append what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "actors/witness.h"

static struct event
joined(uint8_t command)
{
	struct event event = { .type = EVENT_GATEWAY_ATTACHED, .occurred_us = 5 };

	event.command_id.bytes[0] = command;
	event.gateway_attached.gateway = 1;
	event.gateway_attached.instance.bytes[0] = 7;
	return event;
}

/* [stream, epoch, version, [event …]], as it follows REQUEST_APPEND. */
static struct span
encode(uint8_t *memory, size_t size, uint64_t stream, uint64_t version, const struct event *events,
       size_t count)
{
	struct mp_writer w = mp_writer_of(memory, size);

	mp_put_u64(&w, stream);
	mp_put_u64(&w, 3);
	mp_put_u64(&w, version);
	mp_put_array(&w, count);
	for (size_t i = 0; i < count; i++) {
		event_write(&w, &events[i]);
	}
	assert_false(w.bad);
	return mp_written(&w);
}

static void
appends_are_read_or_refused(void **unused)
{
	const struct event good = joined(1);
	struct event nobodys = joined(0);
	struct event other_stream = { .type = EVENT_TURN_ALLOCATION_REFRESHED,
				      .command_id = { { 1 } } };
	static const struct {
		const char *when;
		uint64_t stream;
		int event;  /* 0 good, 1 nobody's, 2 of another stream, 3 none */
		size_t cut; /* bytes missing at the end */
		enum verdict then;
	} rows[] = {
		{ "a session event on the session's stream", 1, 0, 0, ACCEPTED },
		{ "an event without a command", 1, 1, 0, REFUSED_MALFORMED },
		{ "an allocation event on the session's stream", 1, 2, 0, REFUSED_WRONG_STREAM },
		{ "no event at all", 1, 3, 0, REFUSED_MALFORMED },
		{ "an append to the witness's own stream", 3, 0, 0, REFUSED_MALFORMED },
		{ "an append to no stream", 9, 0, 0, REFUSED_MALFORMED },
		{ "a message that ends early", 1, 0, 1, REFUSED_NOT_CANONICAL },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t memory[1024];
		struct event_wire wires[4];
		struct witness_append append = { .events = wires };
		const struct event *event = rows[i].event == 0   ? &good
					    : rows[i].event == 1 ? &nobodys
								 : &other_stream;
		struct span bytes =
			encode(memory, sizeof memory, rows[i].stream, 0, event, rows[i].event != 3);
		bytes.count -= rows[i].cut;
		struct mp_reader r = mp_reader_of(bytes);
		print_message("%s\n", rows[i].when);
		assert_int_equal(witness_read_append(&r, &append), rows[i].then);
	}
}

static void
an_unknown_event_type_is_refused(void **unused)
{
	/* [1, 3, 0, [[65535, 1, …]]] */
	const uint8_t bytes[] = { 1, 3, 0,    0x91, 0x98, 0xCD, 0xFF, 0xFF,
				  1, 5, 0xC0, 0xC0, 0,    0x90, 0x90 };
	struct mp_reader r = mp_reader_of((struct span){ bytes, sizeof bytes });
	struct event_wire wires[4];
	struct witness_append append = { .events = wires };

	(void)unused;
	assert_int_equal(witness_read_append(&r, &append), REFUSED_UNKNOWN_TYPE);
}

static void
heads_decide_who_may_append(void **unused)
{
	static const struct {
		const char *when;
		uint64_t epoch;
		uint64_t version;
		size_t count;
		enum verdict then;
		bool repeated;
	} rows[] = {
		{ "the next events of the present writer", 4, 10, 3, ACCEPTED, false },
		{ "an older incarnation of the writer", 3, 10, 3, REFUSED_STALE_EPOCH, false },
		{ "an incarnation that has not claimed", 5, 10, 3, REFUSED_STALE_EPOCH, false },
		{ "the same events again", 4, 7, 3, ACCEPTED, true },
		{ "events that overlap the head", 4, 9, 3, REFUSED_VERSION, false },
		{ "events beyond the head", 4, 11, 1, REFUSED_VERSION, false },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct witness_append append = { 1, rows[i].epoch, rows[i].version,
						       rows[i].count, NULL };
		bool repeated = false;
		print_message("%s\n", rows[i].when);
		assert_int_equal(witness_check(&append,
					       (struct witness_stream){ .version = 10, .epoch = 4 },
					       &repeated),
				 rows[i].then);
		assert_int_equal(repeated, rows[i].repeated);
	}
}

static void
the_same_commands_are_recognised(void **unused)
{
	struct event_wire wires[2] = { { .command_id = { { 1 } } }, { .command_id = { { 2 } } } };
	const struct witness_append append = { 1, 4, 7, 2, wires };
	struct id logged[] = { { { 1 } }, { { 2 } }, { { 3 } } };

	(void)unused;
	assert_true(witness_same_commands(&append, logged, 3));
	assert_false(witness_same_commands(&append, logged, 1));
	logged[1].bytes[0] = 9;
	assert_false(witness_same_commands(&append, logged, 3));
}

static void
only_acts_of_people_are_taken(void **unused)
{
	const struct event act = { .type = EVENT_BACKUP_MADE, .command_id = { { 1 } } };
	const struct event scrubbed = { .type = EVENT_LOG_SCRUBBED, .command_id = { { 1 } } };
	const struct event nobodys = { .type = EVENT_BACKUP_MADE };
	const struct event its_own = { .type = EVENT_WITNESS_STARTED, .command_id = { { 1 } } };
	const struct event of_session = joined(1);
	const struct {
		const char *when;
		const struct event *event;
		size_t cut;
		enum verdict then;
	} rows[] = {
		{ "a backup was made", &act, 0, ACCEPTED },
		{ "the log was read again", &scrubbed, 0, ACCEPTED },
		{ "an act without a command", &nobodys, 0, REFUSED_MALFORMED },
		{ "what the witness says of itself", &its_own, 0, REFUSED_WRONG_STREAM },
		{ "an event of session", &of_session, 0, REFUSED_WRONG_STREAM },
		{ "a message that ends early", &act, 1, REFUSED_NOT_CANONICAL },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t memory[1024];
		struct mp_writer w = mp_writer_of(memory, sizeof memory);
		struct event_wire read = { 0 };

		event_write(&w, rows[i].event);
		struct span bytes = mp_written(&w);
		bytes.count -= rows[i].cut;
		struct mp_reader r = mp_reader_of(bytes);
		if (witness_read_act(&r, &read) != rows[i].then) {
			fail_msg("%s", rows[i].when);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appends_are_read_or_refused),
		cmocka_unit_test(an_unknown_event_type_is_refused),
		cmocka_unit_test(heads_decide_who_may_append),
		cmocka_unit_test(the_same_commands_are_recognised),
		cmocka_unit_test(only_acts_of_people_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
