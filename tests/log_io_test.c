/* What can be wrong with a data directory that is opened, and what the evidence says then: foreign,
 * cut and restored files, lost keys, and hands in the tables. */
#include "tests/evidence_fixture.h"

/* Hands in the tables. */

static void
test_threat_G8_the_tables_take_no_edit(void **state)
{
	static const char *const edits[] = {
		"UPDATE event SET type = 1 WHERE seq = 3",
		"DELETE FROM event WHERE seq = 3",
		"DELETE FROM event WHERE seq = (SELECT max(seq) FROM event)",
		"INSERT INTO event SELECT 100000, recorded_us, stream, type, entry FROM event "
		"WHERE seq = 3",
		"INSERT OR REPLACE INTO event SELECT 3, recorded_us, stream, type, entry FROM "
		"event WHERE seq = 4",
		"INSERT INTO event VALUES(NULL, 1, 1, 1, x'00')",
		"INSERT INTO event SELECT max(seq) + 1, 1, 1, 'one', x'00' FROM event",
		"UPDATE sealed SET body = x'00'",
		"UPDATE tile SET hashes = x'00'",
		"DELETE FROM tile",
		"UPDATE checkpoint SET note = x'00'",
		"DELETE FROM checkpoint",
	};
	struct fixture *f = *state;
	struct evidence *e = open_evidence(f, T0);
	const uint64_t epoch = claim(e, STREAM_SESSION, T0);

	for (uint64_t i = 0; i < 300; i++) {
		append_agent(e, epoch, i % 3, T0);
	}
	evidence_close(e, T0);
	for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
		if (try_sql(f, edits[i]) == SQLITE_OK) {
			fail_msg("taken: %s", edits[i]);
		}
	}
}

/* Files that are not ours. */

static void
assert_no_start(const struct fixture *f, const char *file, const char *why)
{
	char fault[EVIDENCE_FAULT_MAX] = "";
	struct evidence *e;

	if (try_open(f, T0, &e, fault, sizeof fault)) {
		fail_msg("it started");
	}
	if (strstr(fault, file) == NULL || strstr(fault, why) == NULL) {
		fail_msg("%s (expected %s ... %s)", fault, file, why);
	}
}

static void
assert_no_reading(const struct fixture *f, const char *why)
{
	char fault[512] = "";
	struct log_reader *reader;

	if (log_reader_open(f->directory, &reader, fault, sizeof fault)) {
		fail_msg("it was read");
	}
	if (strstr(fault, "witness.db") == NULL || strstr(fault, why) == NULL) {
		fail_msg("%s (expected %s)", fault, why);
	}
}

static void
test_a_file_that_is_no_database(void **state)
{
	struct fixture *f = *state;
	char noise[4096];

	make_log(f);
	memset(noise, 'x', sizeof noise);
	write_file(f, "witness.db", noise, sizeof noise);
	assert_no_start(f, "witness.db", "no SQLite file");
	assert_no_reading(f, "no SQLite file");
}

static void
test_a_database_of_another_program(void **state)
{
	struct fixture *f = *state;

	make_log(f);
	run_sql(f, "PRAGMA application_id = 77");
	assert_no_start(f, "witness.db", "another program");
	assert_no_reading(f, "another program");
}

static void
test_a_later_format(void **state)
{
	struct fixture *f = *state;

	make_log(f);
	run_sql(f, "PRAGMA user_version = 2");
	assert_no_start(f, "witness.db", "format version 2");
	assert_no_reading(f, "format version 2");
}

static void
test_a_truncated_log(void **state)
{
	struct fixture *f = *state;

	make_log(f);
	assert_int_equal(truncate(path_of(f, "witness.db"), 8192), 0);
	assert_no_start(f, "witness.db", "truncated");
	assert_no_reading(f, "truncated");
}

static void
test_an_emptied_log_is_not_replaced(void **state)
{
	struct fixture *f = *state;

	make_log(f);
	assert_int_equal(truncate(path_of(f, "witness.db"), 0), 0);
	assert_no_start(f, "witness.db", "head");
}

static void
test_a_missing_log_is_not_replaced(void **state)
{
	struct fixture *f = *state;

	make_log(f);
	remove_file(f, "witness.db");
	assert_no_start(f, "witness.db", "restore");
	assert_no_reading(f, "No such file");
}

static void
test_another_nodes_log(void **state)
{
	struct fixture *f = *state;
	char fault[EVIDENCE_FAULT_MAX];
	struct evidence *e;

	make_log(f);
	const struct evidence_options other = { .directory = f->directory,
						.origin = "ifswarm.local/other",
						.now_us = T0 };
	assert_false(evidence_open(&other, &e, fault, sizeof fault));
	assert_non_null(strstr(fault, "log of " ORIGIN));
	const struct evidence_options bad = { .directory = f->directory,
					      .origin = "a b",
					      .now_us = T0 };
	assert_false(evidence_open(&bad, &e, fault, sizeof fault));
	assert_non_null(strstr(fault, "not an origin"));
}

static void
test_a_second_writer_is_kept_out(void **state)
{
	struct fixture *f = *state;
	struct evidence *e = open_evidence(f, T0);

	assert_no_start(f, "data", "another witness");
	evidence_close(e, T0);
	evidence_close(open_evidence(f, T0), T0);
}

/* Lost secrets. */

static void
test_lost_keys_are_not_made_again(void **state)
{
	static const char *const files[] = { "keys.db", "private/wrap.key", "private/log.key" };
	struct fixture *f = *state;

	make_log(f);
	shell(f, "cp -r data saved");
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		remove_file(f, files[i]);
		assert_no_start(f, files[i], "missing");
		assert_int_equal(file_size(f, files[i]), -1);
		shell(f, "cp -r saved/. data");
	}
	write_file(f, "private/wrap.key", "short\n", 6);
	assert_no_start(f, "wrap.key", "64 hex digits");
	shell(f, "cp -r saved/. data");
	evidence_close(open_evidence(f, T0), T0);
}

static void
test_secrets_are_for_their_owner_alone(void **state)
{
	static const char *const files[] = { "private/wrap.key", "private/log.key" };
	struct fixture *f = *state;
	struct stat status;

	make_log(f);
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		assert_int_equal(stat(path_of(f, files[i]), &status), 0);
		assert_int_equal(status.st_mode & 0777, 0600);
	}
	assert_int_equal(stat(f->directory, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0700);
}

static void
test_another_wrap_key_opens_nothing(void **state)
{
	struct fixture *f = *state;
	struct wire wire;
	uint64_t seq;

	make_log(f);
	shell(f, "tr 0-9a-f 1-9a-f0 < data/private/wrap.key > w && cp w data/private/wrap.key");
	struct evidence *e = open_evidence(f, T0);
	agent_wire(&wire, 1);
	assert_int_equal(evidence_begin(e), EVIDENCE_OK);
	assert_int_equal(evidence_append(e, STREAM_SESSION, 1, &wire.event, T0, &seq),
			 EVIDENCE_FAILED);
	assert_non_null(strstr(evidence_fault(e), "wrap key"));
	assert_int_equal(evidence_begin(e), EVIDENCE_FAILED);
	assert_int_equal(evidence_publish(e), EVIDENCE_FAILED);
	evidence_close(e, T0);
}

/* A crash after keys.db was committed and before witness.db was: the key is there, its event is
 * not. */
static void
test_a_key_without_its_event_is_announced_again(void **state)
{
	struct fixture *f = *state;
	struct evidence *e = open_evidence(f, T0);
	uint64_t epoch = claim(e, STREAM_SESSION, T0);

	evidence_close(e, T0);
	shell(f, "cp -r data saved");
	e = open_evidence(f, T0);
	append_agent(e, epoch, 1, T0);
	evidence_close(e, T0);
	shell(f, "cp data/keys.db kept && rm -r data && cp -r saved data && cp kept data/keys.db");
	e = open_evidence(f, T0);
	append_candidate(e, epoch, 9, T0);
	const uint64_t seq = append_agent(e, epoch, 1, T0);
	assert_int_equal(read_event(f, seq - 2).type, EVENT_KEY_CREATED);
	assert_int_equal(read_event(f, seq - 1).type, EVENT_KEY_CREATED);
	assert_int_equal(read_event(f, seq).agent_registered.agent_name.length, 7);
	assert_int_equal(append_agent(e, epoch, 1, T0), seq + 1);
	evidence_close(e, T0);
}

/* The head. */

static void
assert_read_only(const struct fixture *f, const char *why)
{
	struct evidence *e = open_evidence(f, T0);

	if (evidence_read_only(e) == NULL || strstr(evidence_read_only(e), why) == NULL) {
		fail_msg("%s (expected %s)",
			 evidence_read_only(e) ? evidence_read_only(e) : "writable", why);
	}
	assert_int_equal(evidence_begin(e), EVIDENCE_READ_ONLY);
	assert_int_equal(evidence_publish(e), EVIDENCE_READ_ONLY);
	const uint64_t size = evidence_size(e);
	evidence_close(e, T0);
	assert_int_equal(count_rows(f, "SELECT count(*) FROM event"), size);
}

static void
test_a_restored_old_copy_does_not_fork_the_log(void **state)
{
	struct fixture *f = *state;
	struct evidence *e = open_evidence(f, T0);
	char expected[128];

	const uint64_t epoch = claim(e, STREAM_SESSION, T0);
	evidence_close(e, T0);
	const long old = count_rows(f, "SELECT count(*) FROM event");
	shell(f, "cp data/witness.db saved");
	e = open_evidence(f, T0);
	append_candidate(e, epoch, 1, T0);
	evidence_close(e, T0);
	const long newer = count_rows(f, "SELECT count(*) FROM event");
	shell(f, "cp data/witness.db newer && cp saved data/witness.db");
	snprintf(expected, sizeof expected, "events %ld to %ld are missing", old, newer - 1);
	assert_read_only(f, expected);
	shell(f, "cp newer data/witness.db");
	e = open_evidence(f, T0);
	assert_null(evidence_read_only(e));
	evidence_close(e, T0);
}

static void
test_another_history_of_the_same_length(void **state)
{
	struct fixture *f = *state;
	struct evidence *e = open_evidence(f, T0);

	const uint64_t epoch = claim(e, STREAM_SESSION, T0);
	evidence_close(e, T0);
	shell(f, "cp -r data saved");
	e = open_evidence(f, T0);
	append_candidate(e, epoch, 1, T0);
	evidence_close(e, T0);
	shell(f, "cp data/head head && rm -r data && cp -r saved data");
	e = open_evidence(f, T0);
	append_candidate(e, epoch, 2, T0);
	evidence_close(e, T0);
	shell(f, "cp head data/head");
	assert_read_only(f, "other events");
}

static void
test_a_lost_or_forged_head(void **state)
{
	struct fixture *f = *state;

	make_log(f);
	shell(f, "cp data/head saved && sed s/test/tess/ saved > data/head");
	assert_read_only(f, "head");
	shell(f, "rm data/head");
	assert_read_only(f, "head is missing");
	shell(f, "cp data/pub/checkpoint data/head");
	struct evidence *e = open_evidence(f, T0);
	assert_null(evidence_read_only(e));
	evidence_close(e, T0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		evidence_test(test_threat_G8_the_tables_take_no_edit),
		evidence_test(test_a_file_that_is_no_database),
		evidence_test(test_a_database_of_another_program),
		evidence_test(test_a_later_format),
		evidence_test(test_a_truncated_log),
		evidence_test(test_an_emptied_log_is_not_replaced),
		evidence_test(test_a_missing_log_is_not_replaced),
		evidence_test(test_another_nodes_log),
		evidence_test(test_a_second_writer_is_kept_out),
		evidence_test(test_lost_keys_are_not_made_again),
		evidence_test(test_secrets_are_for_their_owner_alone),
		evidence_test(test_another_wrap_key_opens_nothing),
		evidence_test(test_a_key_without_its_event_is_announced_again),
		evidence_test(test_a_restored_old_copy_does_not_fork_the_log),
		evidence_test(test_another_history_of_the_same_length),
		evidence_test(test_a_lost_or_forged_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
