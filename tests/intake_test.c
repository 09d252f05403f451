/* The intake: claims gather while an append is on its way, and senders hear of theirs when they are
 * durable, in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/witness.h"
#include "gateway/intake.h"

enum { MEMORY = 4 * 1024 * 1024, TOLD_MAX = 64 };

static uint64_t counter;
static uint8_t *memory;
static struct event_wire *events;

static struct {
	const void *owner;
	size_t count;
	uint64_t first, last;
} told[TOLD_MAX];
static size_t told_count;

static void
count_up(void *bytes, size_t count)
{
	memset(bytes, 0, count);
	counter++;
	memcpy(bytes, &counter, count < sizeof counter ? count : sizeof counter);
}

static void
tell(void *owner, const uint64_t *seqs, size_t count)
{
	assert_true(told_count < TOLD_MAX);
	told[told_count].owner = owner;
	told[told_count].count = count;
	told[told_count].first = seqs[0];
	told[told_count++].last = seqs[count - 1];
}

static enum intake_result
send(struct intake *intake, const char *agent, size_t count, void *owner)
{
	static const struct address client = { .family = ADDRESS_IPV4, .bytes = { 127, 0, 0, 1 } };
	static char body[256 * 128];
	struct claims_report report;
	size_t at = 0;

	for (size_t i = 0; i < count; i++) {
		at += (size_t)sprintf(body + at,
				      "{\"event\":\"e\",\"agent_id\":\"%s\",\"timestamp\":1}\n",
				      agent);
	}
	return intake_take(intake, (struct span){ (const uint8_t *)body, at }, &client, 1000, owner,
			   &report);
}

/* What the witness would read; the number of events, 0 if nothing was to be sent. */
static size_t
sent(struct intake *intake, uint64_t *version)
{
	struct mp_writer w = mp_writer_of(memory, MEMORY);
	struct witness_append append = { .events = events };

	if (!intake_append(intake, &w)) {
		return 0;
	}
	struct mp_reader r = mp_reader_of(mp_written(&w));
	mp_get_array(&r, 5);
	mp_get_u64(&r);
	assert_int_equal(witness_read_append(&r, &append), ACCEPTED);
	assert_int_equal(append.stream, STREAM_CLAIMED);
	*version = append.version;
	return append.count;
}

static enum verdict
reply(struct intake *intake, enum verdict verdict, uint64_t first_seq, size_t count)
{
	struct mp_writer w = mp_writer_of(memory, MEMORY);

	mp_put_array(&w, verdict == ACCEPTED ? 4 : 1);
	mp_put_u64(&w, verdict);
	if (verdict == ACCEPTED) {
		mp_put_u64(&w, first_seq + count - 1);
		mp_put_u64(&w, first_seq + count);
		mp_put_array(&w, count);
		for (size_t i = 0; i < count; i++) {
			mp_put_u64(&w, first_seq + i);
		}
	}
	return intake_appended(intake, mp_written(&w), tell);
}

static struct intake *
attached(void)
{
	struct intake *intake = intake_new(count_up);

	assert_non_null(intake);
	told_count = 0;
	intake_attach(intake, 3, 70);
	return intake;
}

static void
what_comes_meanwhile_gathers(void **state)
{
	struct intake *intake = attached();
	int owners[3];
	uint64_t version = 0;

	(void)state;
	assert_int_equal(send(intake, "alice", 1, &owners[0]), INTAKE_WAITS);
	assert_int_equal(sent(intake, &version), 1);
	assert_int_equal(version, 70);
	assert_int_equal(send(intake, "alice", 2, &owners[1]), INTAKE_WAITS);
	assert_int_equal(send(intake, "bob", 1, &owners[2]), INTAKE_WAITS);
	assert_int_equal(sent(intake, &version), 0); /* one at a time */
	assert_int_equal(reply(intake, ACCEPTED, 100, 1), ACCEPTED);
	assert_int_equal(told_count, 1);
	assert_ptr_equal(told[0].owner, &owners[0]);
	assert_int_equal(told[0].first, 100);
	assert_int_equal(sent(intake, &version), 3);
	assert_int_equal(version, 71);
	assert_int_equal(reply(intake, ACCEPTED, 200, 3), ACCEPTED);
	assert_int_equal(told_count, 3);
	assert_ptr_equal(told[1].owner, &owners[1]);
	assert_int_equal(told[1].last, 201);
	assert_int_equal(told[2].first, 202);
	assert_int_equal(intake_waiting(intake), 0);
	intake_free(intake);
}

static void
one_name_keeps_its_handle(void **state)
{
	struct intake *intake = attached();
	uint64_t version = 0;
	struct event first, second, other;

	(void)state;
	send(intake, "alice", 2, NULL);
	send(intake, "bob", 1, NULL);
	assert_int_equal(sent(intake, &version), 3);
	assert_true(event_from_wire(&events[0], &first));
	assert_true(event_from_wire(&events[1], &second));
	assert_true(event_from_wire(&events[2], &other));
	assert_true(id_equal(&first.claim_reported.reporter, &second.claim_reported.reporter));
	assert_false(id_equal(&first.claim_reported.reporter, &other.claim_reported.reporter));
	assert_false(id_equal(&first.command_id, &second.command_id));
	intake_free(intake);
}

static void
who_has_gone_is_not_told(void **state)
{
	struct intake *intake = attached();
	int owner;
	uint64_t version = 0;

	(void)state;
	send(intake, "alice", 1, &owner);
	assert_int_equal(sent(intake, &version), 1);
	intake_forget(intake, &owner);
	assert_int_equal(reply(intake, ACCEPTED, 9, 1), ACCEPTED);
	assert_int_equal(told_count, 0);
	intake_free(intake);
}

static void
nobody_is_told_of_what_is_uncertain(void **state)
{
	static const enum verdict refusals[] = { REFUSED_VERSION, REFUSED_STALE_EPOCH,
						 REFUSED_SUSPENDED };
	uint64_t version = 0;
	int owner;

	(void)state;
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		struct intake *intake = attached();

		send(intake, "alice", 1, &owner);
		assert_int_equal(sent(intake, &version), 1);
		assert_int_equal(reply(intake, refusals[i], 0, 0), refusals[i]);
		assert_int_equal(told_count, 0);
		intake_free(intake);
	}
	struct intake *intake = attached();
	send(intake, "alice", 2, &owner);
	assert_int_equal(sent(intake, &version), 2);
	assert_int_equal(reply(intake, ACCEPTED, 5, 1), REFUSED_MALFORMED); /* one seq is missing */
	intake_free(intake);
}

static void
an_append_is_bounded_and_nothing_is_lost(void **state)
{
	struct intake *intake = attached();
	uint64_t version = 0;
	size_t claims = 0, appends = 0;

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(send(intake, "alice", 200, NULL), INTAKE_WAITS);
	}
	for (size_t count = 0; (count = sent(intake, &version)) > 0; appends++) {
		assert_true(count <= CLAIMS_PER_APPEND_MAX);
		assert_int_equal(version, 70 + claims);
		claims += count;
		assert_int_equal(reply(intake, ACCEPTED, claims, count), ACCEPTED);
	}
	assert_int_equal(claims, 1000);
	assert_int_equal(appends, 3);
	intake_free(intake);
}

static void
beyond_the_bound_senders_wait(void **state)
{
	struct intake *intake = attached();
	size_t taken = 0;

	(void)state;
	while (send(intake, "alice", 256, NULL) == INTAKE_WAITS) {
		taken += 256;
		assert_true(taken < INTAKE_QUEUE_BYTES_MAX);
	}
	assert_int_equal(intake_waiting(intake), taken);
	intake_free(intake);
}

static int
set_up(void **state)
{
	(void)state;
	memory = malloc(MEMORY);
	events = calloc(EVENTS_PER_APPEND_MAX, sizeof *events);
	return memory == NULL || events == NULL;
}

static int
tear_down(void **state)
{
	(void)state;
	free(memory);
	free(events);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_comes_meanwhile_gathers),
		cmocka_unit_test(one_name_keeps_its_handle),
		cmocka_unit_test(who_has_gone_is_not_told),
		cmocka_unit_test(nobody_is_told_of_what_is_uncertain),
		cmocka_unit_test(an_append_is_bounded_and_nothing_is_lost),
		cmocka_unit_test(beyond_the_bound_senders_wait),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
