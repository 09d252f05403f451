/* The evidence as its writer and its readers see it, in a directory of its own for each test. */
#include "tests/evidence_fixture.h"

/* --- the life of a log
 * ------------------------------------------------------------------------------- */

static bool
collect_types(void *context, const struct event *event, const struct entry *entry)
{
	struct seen *seen = context;

	assert_non_null(event);
	assert_int_equal(entry->seq, seen->count);
	seen->types[entry->type]++;
	seen->last = *event;
	seen->count++;
	return true;
}

static void
test_a_new_log_explains_itself(void **state)
{
	struct fixture *f = *state;
	struct evidence *e = open_evidence(f, T0);
	struct seen seen = { 0 };
	struct log_reader *reader;
	char fault[512];

	assert_int_equal(evidence_size(e), event_types() + 2);
	assert_int_equal(evidence_stream_head(e, STREAM_WITNESS).version, event_types() + 2);
	assert_int_equal(evidence_stream_head(e, STREAM_WITNESS).epoch, 1);
	assert_true(log_reader_open(f->directory, &reader, fault, sizeof fault));
	assert_string_equal(log_reader_origin(reader), ORIGIN);
	assert_true(log_read_events(reader, NULL, 0, UINT64_MAX, LOG_STREAMS_ALL, collect_types,
				    &seen));
	assert_int_equal(seen.types[EVENT_LOG_CREATED], 1);
	assert_int_equal(seen.types[EVENT_TYPE_DECLARED], event_types());
	assert_int_equal(seen.last.type, EVENT_WITNESS_STARTED);
	assert_int_equal(seen.last.witness_started.clean, 1);
	log_reader_close(reader);
	evidence_close(e, T0 + 1);
}

static void
test_a_second_start_declares_nothing_again_and_says_how_the_first_ended(void **state)
{
	struct fixture *f = *state;
	struct evidence *e = open_evidence(f, T0);
	struct event last;

	evidence_close(e, T0 + 1);
	e = open_evidence(f, T0 + 2);
	assert_int_equal(evidence_size(e), event_types() + 2 + 2);
	last = read_event(f, evidence_size(e) - 1);
	assert_int_equal(last.type, EVENT_WITNESS_STARTED);
	assert_int_equal(last.witness_started.clean, 1);
	assert_int_equal(evidence_stream_head(e, STREAM_WITNESS).epoch, 2);
	evidence_close(e, T0 + 3);
}

static void
test_events_come_back_with_their_personal_fields(void **state)
{
	struct fixture *f = *state;
	struct evidence *e = open_evidence(f, T0);
	const uint64_t epoch = claim(e, STREAM_SESSION, T0);
	const uint64_t seq = append_agent(e, epoch, 1, T0 + 5);

	/* Two keys were made, and announced before. */
	assert_int_equal(read_event(f, seq - 2).type, EVENT_KEY_CREATED);
	assert_int_equal(read_event(f, seq - 1).type, EVENT_KEY_CREATED);
	const struct event event = read_event(f, seq);
	assert_int_equal(event.type, EVENT_AGENT_REGISTERED);
	assert_true(event.agent_registered.agent_name.length == 7);
	assert_memory_equal(event.agent_registered.agent_name.bytes, "agent-1", 7);
	assert_memory_equal(event.agent_registered.room_name.bytes, "default", 7);
	assert_int_equal(event.agent_registered.client.port, 4711);
	/* The same subjects in the same month: no more keys. */
	assert_int_equal(append_agent(e, epoch, 1, T0 + 6), seq + 1);
	/* The next month: new ones. */
	assert_int_equal(append_agent(e, epoch, 1, T0 + MONTH_US), seq + 4);
	evidence_close(e, T0 + MONTH_US);
}

static void
test_nothing_personal_is_in_the_clear(void **state)
{
	struct fixture *f = *state;
	struct evidence *e = open_evidence(f, T0);
	char command[8192];

	append_agent(e, claim(e, STREAM_SESSION, T0), 1, T0);
	evidence_close(e, T0);
	snprintf(command, sizeof command, "! grep -rqa agent-1 '%s'", f->directory);
	assert_int_equal(system(command), 0);
}

static void
test_without_keys_personal_fields_are_empty(void **state)
{
	struct fixture *f = *state;
	struct evidence *e = open_evidence(f, T0);
	struct seen seen = { 0 };
	struct log_reader *reader;
	struct log_keys *keys;
	char fault[512];

	append_agent(e, claim(e, STREAM_SESSION, T0), 1, T0);
	evidence_close(e, T0);
	remove_file(f, "keys.db");
	assert_true(log_reader_open(f->directory, &reader, fault, sizeof fault));
	assert_false(log_keys_open(reader, NULL, &keys, fault, sizeof fault));
	assert_non_null(strstr(fault, "keys.db"));
	assert_true(log_read_events(reader, NULL, 0, UINT64_MAX, LOG_STREAMS_ALL, collect_types,
				    &seen));
	assert_int_equal(seen.types[EVENT_AGENT_REGISTERED], 1);
	log_reader_close(reader);
}

/* --- appends
 * ------------------------------------------------------------------------------------------- */

static void
test_a_rollback_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct evidence *e = open_evidence(f, T0);
	const uint64_t epoch = claim(e, STREAM_SESSION, T0);
	const uint64_t size = evidence_size(e);
	struct digest before, after;
	struct wire wire;
	uint64_t seq;

	evidence_root(e, &before);
	assert_int_equal(evidence_begin(e), EVIDENCE_OK);
	agent_wire(&wire, 1);
	assert_int_equal(evidence_append(e, STREAM_SESSION, epoch, &wire.event, T0, &seq),
			 EVIDENCE_OK);
	wire.event.cause_back = 2;
	assert_int_equal(evidence_append(e, STREAM_SESSION, epoch, &wire.event, T0, &seq),
			 EVIDENCE_REFUSED);
	assert_int_equal(evidence_rollback(e), EVIDENCE_OK);
	evidence_root(e, &after);
	assert_true(digest_equal(&before, &after));
	assert_int_equal(evidence_size(e), size);
	/* The keys of that transaction were given up with it. */
	assert_int_equal(append_agent(e, epoch, 1, T0), size + 2);
	evidence_close(e, T0);
}

static void
test_a_personal_part_needs_a_subject(void **state)
{
	struct fixture *f = *state;
	struct evidence *e = open_evidence(f, T0);
	const uint64_t epoch = claim(e, STREAM_SESSION, T0);
	struct event event = { .type = EVENT_AGENT_DISCONNECTED };
	struct wire wire;
	uint64_t seq;

	event.command_id.bytes[0] = 1;
	make_wire(&wire, &event);
	assert_int_equal(evidence_begin(e), EVIDENCE_OK);
	assert_int_equal(evidence_append(e, STREAM_SESSION, epoch, &wire.event, T0, &seq),
			 EVIDENCE_REFUSED);
	assert_int_equal(evidence_rollback(e), EVIDENCE_OK);
	evidence_close(e, T0);
}

static void
test_a_cause_is_the_seq_of_the_event_before(void **state)
{
	struct fixture *f = *state;
	struct evidence *e = open_evidence(f, T0);
	const uint64_t epoch = claim(e, STREAM_SESSION, T0);
	struct wire wire;
	uint64_t first, second;

	assert_int_equal(evidence_begin(e), EVIDENCE_OK);
	agent_wire(&wire, 1);
	assert_int_equal(evidence_append(e, STREAM_SESSION, epoch, &wire.event, T0, &first),
			 EVIDENCE_OK);
	/* Another agent: a key_created event lies between the two. */
	agent_wire(&wire, 2);
	wire.event.cause_back = 1;
	assert_int_equal(evidence_append(e, STREAM_SESSION, epoch, &wire.event, T0, &second),
			 EVIDENCE_OK);
	assert_int_equal(evidence_commit(e), EVIDENCE_OK);
	assert_int_equal(second, first + 2);
	assert_int_equal(read_event(f, second).cause_back, 2);
	evidence_close(e, T0);
}

static void
test_a_clock_that_steps_back_is_logged_once(void **state)
{
	struct fixture *f = *state;
	struct evidence *e = open_evidence(f, T0);
	const uint64_t epoch = claim(e, STREAM_SESSION, T0 + 10000000);
	const uint64_t small = append_candidate(e, epoch, 1, T0 + 9500000);
	const uint64_t size = evidence_size(e);

	assert_int_equal(small, size - 1); /* half a second: nothing is said */
	const uint64_t back = append_candidate(e, epoch, 2, T0);
	assert_int_equal(back, size + 1);
	assert_int_equal(read_event(f, size).type, EVENT_CLOCK_STEPPED_BACK);
	assert_int_equal(read_event(f, size).clock_stepped_back.by_us, 10000000);
	assert_int_equal(append_candidate(e, epoch, 3, T0 + 1), back + 1);
	assert_int_equal(recorded_us(f, back + 1), T0 + 10000000);
	assert_int_equal(append_candidate(e, epoch, 4, T0 + 20000000), back + 2);
	assert_int_equal(recorded_us(f, back + 2), T0 + 20000000);
	evidence_close(e, T0);
}

static void
test_a_claim_raises_the_epoch_and_stays(void **state)
{
	struct fixture *f = *state;
	struct evidence *e = open_evidence(f, T0);

	assert_int_equal(claim(e, STREAM_ALLOCATION, T0), 1);
	assert_int_equal(claim(e, STREAM_ALLOCATION, T0), 2);
	evidence_close(e, T0);
	e = open_evidence(f, T0);
	assert_int_equal(evidence_stream_head(e, STREAM_ALLOCATION).epoch, 2);
	assert_int_equal(evidence_stream_head(e, STREAM_ALLOCATION).version, 0);
	assert_int_equal(claim(e, STREAM_ALLOCATION, T0), 3);
	evidence_close(e, T0);
}

static void
test_a_repeated_append_finds_the_first(void **state)
{
	struct fixture *f = *state;
	struct evidence *e = open_evidence(f, T0);
	const uint64_t epoch = claim(e, STREAM_SESSION, T0);
	struct id ids[4];
	uint64_t seqs[4];

	for (uint64_t i = 0; i < 6; i++) {
		append_agent(e, epoch, i, T0);
	}
	const uint64_t last = evidence_size(e) - 1;
	assert_int_equal(evidence_recall(e, STREAM_SESSION, 4, ids, seqs, 4), 2);
	assert_int_equal(seqs[1], last);
	assert_int_equal(ids[1].bytes[0], 5 + 1);
	assert_int_equal(ids[0].bytes[0], 4 + 1);
	assert_int_equal(evidence_recall(e, STREAM_SESSION, 1, ids, seqs, 4), 4);
	assert_int_equal(ids[3].bytes[0], 4 + 1);
	assert_int_equal(evidence_recall(e, STREAM_SESSION, 6, ids, seqs, 4), 0);
	evidence_close(e, T0);
}

/* --- snapshots
 * ------------------------------------------------------------------------------------------ */

static uint64_t
append_digest(struct evidence *e, uint64_t epoch, uint64_t version, struct span dump)
{
	struct event event = { .type = EVENT_SESSION_STATE_DIGEST };

	event.command_id.bytes[0] = 9;
	event.session_state_digest.version = version;
	sha256_span(dump, &event.session_state_digest.digest);
	return append_event(e, STREAM_SESSION, epoch, &event, T0);
}

static void
test_a_snapshot_is_kept_if_its_digest_is_in_the_log(void **state)
{
	struct fixture *f = *state;
	struct evidence *e = open_evidence(f, T0);
	const uint64_t epoch = claim(e, STREAM_SESSION, T0);
	const struct span dump = { (const uint8_t *)"the state", 9 };
	const struct span other = { (const uint8_t *)"another", 7 };
	const struct span annex = { (const uint8_t *)"the names", 9 };
	const uint64_t first = append_candidate(e, epoch, 1, T0);
	struct log_snapshot snapshot;
	bool found;

	assert_int_equal(evidence_snapshot_put(e, STREAM_SESSION, 1, dump, annex),
			 EVIDENCE_REFUSED);
	const uint64_t tail = append_candidate(e, epoch, 2, T0);
	const uint64_t seq = append_digest(e, epoch, 1, dump);
	assert_int_equal(evidence_snapshot_put(e, STREAM_SESSION, 2, dump, annex),
			 EVIDENCE_REFUSED);
	assert_int_equal(evidence_snapshot_put(e, STREAM_SESSION, 1, other, annex),
			 EVIDENCE_REFUSED);
	assert_int_equal(evidence_snapshot_put(e, STREAM_SESSION, 1, dump, annex), EVIDENCE_OK);
	struct reading r = open_reading(f);
	assert_true(log_snapshot_latest(r.reader, r.keys, STREAM_SESSION, &snapshot, &found));
	assert_true(found);
	assert_int_equal(snapshot.version, 1);
	assert_int_equal(snapshot.seq, seq);
	assert_int_equal(snapshot.from_seq, tail);
	assert_true(tail > first);
	assert_memory_equal(snapshot.dump.at, dump.at, dump.count);
	assert_memory_equal(snapshot.annex.at, annex.at, annex.count);
	log_snapshot_free(&snapshot);
	assert_true(log_snapshot_latest(r.reader, r.keys, STREAM_ALLOCATION, &snapshot, &found));
	assert_false(found);
	close_reading(&r);
	evidence_close(e, T0);
}

static void
test_a_forged_snapshot_is_passed_over(void **state)
{
	struct fixture *f = *state;
	struct evidence *e = open_evidence(f, T0);
	const uint64_t epoch = claim(e, STREAM_SESSION, T0);
	const struct span older = { (const uint8_t *)"older", 5 };
	const struct span newer = { (const uint8_t *)"newer", 5 };
	struct log_snapshot snapshot;
	bool found;

	for (uint64_t version = 0; version < 3; version++) {
		const struct span dump = version == 2 ? newer : older;
		append_digest(e, epoch, version, dump);
		assert_int_equal(evidence_snapshot_put(e, STREAM_SESSION, version, dump, older),
				 EVIDENCE_OK);
	}
	evidence_close(e, T0);
	assert_int_equal(count_rows(f, "SELECT count(*) FROM snapshot"), 2);
	run_sql(f, "UPDATE snapshot SET dump = x'00' WHERE version = 2");
	struct reading r = open_reading(f);
	assert_true(log_snapshot_latest(r.reader, r.keys, STREAM_SESSION, &snapshot, &found));
	assert_true(found);
	assert_int_equal(snapshot.version, 1);
	assert_int_equal(snapshot.from_seq, snapshot.seq);
	log_snapshot_free(&snapshot);
	close_reading(&r);
}

/* --- publishing
 * ------------------------------------------------------------------------------------------ */

static void
test_pub_is_a_tlog_tiles_directory(void **state)
{
	struct fixture *f = *state;
	struct evidence *e = open_evidence(f, T0);
	const uint64_t epoch = claim(e, STREAM_SESSION, T0);
	struct log_verifier verifier;
	struct checkpoint checkpoint;
	struct digest root;
	char text[CHECKPOINT_NOTE_MAX + 1];

	for (uint64_t i = 0; i < 600; i++) {
		append_candidate(e, epoch, i, T0);
		if (i % 97 == 0) {
			assert_int_equal(evidence_publish(e), EVIDENCE_OK);
		}
	}
	assert_int_equal(evidence_publish(e), EVIDENCE_OK);
	evidence_root(e, &root);
	read_file(f, "log.vkey", text, sizeof text);
	assert_true(log_verifier_read(text, &verifier));
	const size_t count = read_file(f, "pub/checkpoint", text, sizeof text);
	assert_int_equal(
		checkpoint_verify((struct span){ (uint8_t *)text, count }, &verifier, &checkpoint),
		CHECKPOINT_HOLDS);
	assert_int_equal(checkpoint.size, evidence_size(e));
	assert_true(digest_equal(&checkpoint.root, &root));
	assert_int_equal(file_size(f, "pub/tile/0/000"), 8192);
	assert_int_equal(file_size(f, "pub/tile/0/001"), 8192);
	assert_int_equal(file_size(f, "pub/tile/1/000.p/2"), 64);
	assert_true(file_size(f, "pub/tile/entries/001") > 0);
	/* Partial forms of full tiles are gone. */
	assert_int_equal(file_size(f, "pub/tile/0/000.p"), -1);
	assert_int_equal(file_size(f, "pub/tile/entries/001.p"), -1);
	check_published_tree(f, &checkpoint);
	evidence_close(e, T0);
}

static void
test_a_deleted_pub_is_written_again(void **state)
{
	struct fixture *f = *state;
	struct evidence *e = open_evidence(f, T0);
	char command[8192];

	evidence_close(e, T0);
	snprintf(command, sizeof command, "rm -r '%s/pub'", f->directory);
	assert_int_equal(system(command), 0);
	e = open_evidence(f, T0);
	assert_true(file_size(f, "pub/checkpoint") > 0);
	assert_true(file_size(f, "pub/tile/0/000.p") > 0);
	evidence_close(e, T0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		evidence_test(test_a_new_log_explains_itself),
		evidence_test(
			test_a_second_start_declares_nothing_again_and_says_how_the_first_ended),
		evidence_test(test_events_come_back_with_their_personal_fields),
		evidence_test(test_nothing_personal_is_in_the_clear),
		evidence_test(test_without_keys_personal_fields_are_empty),
		evidence_test(test_a_rollback_leaves_nothing),
		evidence_test(test_a_personal_part_needs_a_subject),
		evidence_test(test_a_cause_is_the_seq_of_the_event_before),
		evidence_test(test_a_clock_that_steps_back_is_logged_once),
		evidence_test(test_a_claim_raises_the_epoch_and_stays),
		evidence_test(test_a_repeated_append_finds_the_first),
		evidence_test(test_a_snapshot_is_kept_if_its_digest_is_in_the_log),
		evidence_test(test_a_forged_snapshot_is_passed_over),
		evidence_test(test_pub_is_a_tlog_tiles_directory),
		evidence_test(test_a_deleted_pub_is_written_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
