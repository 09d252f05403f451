/* The checker alone, fed from memory: breaks that only somebody who rewrites the log itself can
 * make (threat_G8: the clock set back, a fenced writer, types never declared). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "replay/verify.h"

enum { ENTRIES = 6, ENTRY_MAX = 512 };

struct log {
	struct entry entries[ENTRIES];
	struct event events[ENTRIES];
	uint8_t fields[ENTRIES][ENTRY_MAX];
};

enum { SEEN_MAX = 8 };

struct seen {
	unsigned count;
	struct finding findings[SEEN_MAX];
};

static void
collect(void *context, const struct finding *finding)
{
	struct seen *seen = context;

	if (seen->count < SEEN_MAX) {
		seen->findings[seen->count] = *finding;
	}
	seen->count++;
}

static void
declare(struct event *event, uint64_t number)
{
	const struct event_description *type = event_describe(number);
	char names[NAME_BYTES_MAX + 1] = "";

	for (size_t i = 0; i < type->shape.count; i++) {
		strcat(names, i == 0 ? "" : " ");
		strcat(names, type->shape.fields[i].name);
	}
	event->type = EVENT_TYPE_DECLARED;
	event->type_declared.number = number;
	event->type_declared.version = type->version;
	event->type_declared.stream = (uint64_t)type->stream;
	text_set(&event->type_declared.name, type->name);
	name_set(&event->type_declared.field_names, names, strlen(names));
}

/* log_created, three declarations, a claim, and one event of the claimed stream. */
static void
make(struct log *log)
{
	memset(log, 0, sizeof *log);
	log->events[0].type = EVENT_LOG_CREATED;
	text_set(&log->events[0].log_created.origin, "ifswarm.local/test");
	text_set(&log->events[0].log_created.format, "1");
	declare(&log->events[1], EVENT_LOG_CREATED);
	declare(&log->events[2], EVENT_TYPE_DECLARED);
	declare(&log->events[3], EVENT_STREAM_CLAIMED);
	log->events[4].type = EVENT_STREAM_CLAIMED;
	log->events[4].stream_claimed.stream = STREAM_SESSION;
	log->events[4].stream_claimed.epoch = 1;
	text_set(&log->events[4].stream_claimed.writer, "session");
	declare(&log->events[5], EVENT_GATEWAY_ATTACHED);
	for (uint64_t i = 0; i < ENTRIES; i++) {
		log->entries[i] = (struct entry){
			.seq = i,
			.recorded_us = 1000 + i,
			.occurred_us = 1000 + i,
			.stream = STREAM_WITNESS,
			.stream_version = i,
			.epoch = 1,
			.type = log->events[i].type,
			.type_version = 1,
		};
	}
}

static void
feed(struct log *log, struct verify *v)
{
	static const struct verify_opened not_opened;
	uint8_t memory[ENTRY_MAX];

	for (size_t i = 0; i < ENTRIES; i++) {
		struct entry *entry = &log->entries[i];
		struct mp_writer fields = mp_writer_of(log->fields[i], ENTRY_MAX);
		struct mp_writer w = mp_writer_of(memory, sizeof memory);

		record_write_clear(&fields, event_describe(log->events[i].type)->shape,
				   event_fields_const(&log->events[i]));
		entry->fields = mp_written(&fields);
		entry_write(&w, entry);
		assert_false(w.bad);
		const struct verify_row row = { .seq = entry->seq,
						.recorded_us = entry->recorded_us,
						.stream = entry->stream,
						.type = entry->type,
						.entry = mp_written(&w) };
		verify_row(v, &row, &not_opened);
	}
	verify_end(v);
}

static void
leave_alone(struct log *log)
{
	(void)log;
}

static void
set_clock_back(struct log *log)
{
	log->entries[3].recorded_us = 1;
}

static void
skip_a_version(struct log *log)
{
	log->entries[5].stream_version = 7;
}

static void
go_back_an_epoch(struct log *log)
{
	log->entries[3].epoch = 2;
	log->entries[4].epoch = 2;
}

static void
leave_the_streams(struct log *log)
{
	log->entries[5].stream = 9;
}

static void
write_elsewhere(struct log *log)
{
	log->entries[5].stream = STREAM_SESSION;
	log->entries[5].stream_version = 0;
}

static void
write_unclaimed(struct log *log)
{
	log->entries[5].stream = STREAM_ALLOCATION;
	log->entries[5].stream_version = 0;
	log->entries[5].epoch = 4;
}

static void
claim_too_far(struct log *log)
{
	log->events[4].stream_claimed.epoch = 3;
}

static void
declare_nothing(struct log *log)
{
	declare(&log->events[3], EVENT_KEY_CREATED);
}

static void
declare_otherwise(struct log *log)
{
	text_set(&log->events[5].type_declared.name, "something_else");
}

static void
create_again(struct log *log)
{
	log->events[5] = log->events[0];
	log->entries[5].type = EVENT_LOG_CREATED;
}

static void
begin_otherwise(struct log *log)
{
	log->events[0] = log->events[1];
	log->entries[0].type = EVENT_TYPE_DECLARED;
}

static void
write_other_fields(struct log *log)
{
	log->entries[5].type = EVENT_KEY_CREATED;
}

static const struct {
	const char *name;
	void (*change)(struct log *log);
	const char *what; /* of a finding; NULL: none */
	const char *where;
} rows[] = {
	{ "a true log", leave_alone, NULL, NULL },
	{ "the clock set back", set_clock_back, "time goes back", "seq 3" },
	{ "a version left out", skip_a_version, "the stream's versions are not dense", "seq 5" },
	{ "a fenced writer", go_back_an_epoch, "the epoch goes back", "seq 5" },
	{ "a sixth stream", leave_the_streams, "a stream that does not exist", "seq 5" },
	{ "a type in another stream", write_elsewhere, "an event in another stream", "seq 5" },
	{ "an epoch out of nowhere", write_unclaimed, "an epoch that no stream_claimed gave out",
	  "seq 5" },
	{ "a claim that skips epochs", claim_too_far, "a claim's epoch is not one above", "seq 4" },
	{ "a type never declared", declare_nothing, "not declared before it", "seq 4" },
	{ "a type declared otherwise", declare_otherwise, "declared otherwise", "seq 5" },
	{ "a second beginning", create_again, "a second beginning", "seq 5" },
	{ "another beginning", begin_otherwise, "does not begin with log_created", "seq 0" },
	{ "fields of another type", write_other_fields, "not declared before it", "seq 5" },
};

static bool
is_named(const struct seen *seen, const char *what, const char *where)
{
	for (unsigned i = 0; i < seen->count && i < SEEN_MAX; i++) {
		if (strstr(seen->findings[i].what, what) != NULL &&
		    strcmp(seen->findings[i].where, where) == 0) {
			return true;
		}
	}
	return false;
}

static void
rewritten_logs_are_found(void **state)
{
	size_t failures = 0;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct seen seen = { 0 };
		struct verify *v = test_malloc(sizeof *v);
		struct log log;

		make(&log);
		rows[i].change(&log);
		verify_make(v, collect, &seen);
		feed(&log, v);
		verify_free(v);
		test_free(v);
		if (rows[i].what == NULL ? seen.count > 0
					 : !is_named(&seen, rows[i].what, rows[i].where)) {
			print_message("NOT AS EXPECTED: %s: %u, %s | %s | %s | %s\n", rows[i].name,
				      seen.count, seen.findings[0].what, seen.findings[0].where,
				      seen.findings[0].expected, seen.findings[0].found);
			failures++;
		}
	}
	assert_int_equal(failures, 0);
}

static void
a_root_that_nobody_signed_is_found(void **state)
{
	struct seen seen = { 0 };
	struct verify *v = test_malloc(sizeof *v);
	struct checkpoint forged = { .size = ENTRIES };
	struct log log;

	(void)state;
	make(&log);
	verify_make(v, collect, &seen);
	feed(&log, v);
	verify_checkpoint(v, &forged);
	assert_int_equal(seen.count, 1);
	assert_string_equal(seen.findings[0].what,
			    "the root over the entries is not the signed one");
	verify_root(v, &forged.root);
	v->trees_differ = false;
	verify_checkpoint(v, &forged);
	assert_int_equal(seen.count, 1);
	forged.size = ENTRIES + 1;
	verify_checkpoint(v, &forged);
	assert_int_equal(seen.count, 2);
	verify_free(v);
	test_free(v);
}

static void
findings_are_escaped(void **state)
{
	struct seen seen = { 0 };
	struct verify *v = test_malloc(sizeof *v);

	(void)state;
	verify_make(v, collect, &seen);
	verify_say(v, "what", "where", "\x1b[2J", "a\nb");
	assert_string_equal(seen.findings[0].expected, "\\x1b[2J");
	assert_string_equal(seen.findings[0].found, "a\\x0ab");
	verify_free(v);
	test_free(v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rewritten_logs_are_found),
		cmocka_unit_test(a_root_that_nobody_signed_is_found),
		cmocka_unit_test(findings_are_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
