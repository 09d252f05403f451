/* threat_G8, block by block: a true log is copied, one thing is changed in it, and a scrub names
 * it, whether one run goes through the whole round or each run looks at one block alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "replay/care_io.h"
#include "replay/commands_io.h"
#include "replay/scrubber_io.h"
#include "store/proof.h"
#include "store/read_io.h"
#include "store/scrub_io.h"
#include "tests/tamper_fixture.h"

static struct scrubber *
open_copy(void)
{
	char fault[512];
	struct scrubber *s = scrubber_open(copy, fault, sizeof fault);

	if (s == NULL) {
		fail_msg("%s", fault);
	}
	return s;
}

/* One round over the copy. */
static void
scrub(struct seen *seen, bool each_alone)
{
	struct scrubber *s = open_copy();
	const uint64_t size = scrubber_size(s);

	memset(seen, 0, sizeof *seen);
	for (uint64_t first = 0; first < size; first += SCRUB_BLOCK) {
		const uint64_t end = first + SCRUB_BLOCK < size ? first + SCRUB_BLOCK : size;

		if (each_alone) {
			scrubber_close(s);
			s = open_copy();
		}
		while (scrubber_learn(s, first)) {
		}
		scrubber_block(s, first, end, collect, seen);
	}
	scrubber_rest(s, size, collect, seen);
	scrubber_close(s);
}

/* `most`: so many findings and no more: what was not touched is not accused. 0: any number. */
static const struct {
	const char *name;
	const char *sql;
	const char *command;
	const char *what;
	const char *where;
	uint64_t most;
} rows[] = {
	{ "a byte of an entry in a full tile", LAST_BYTE_CHANGED "WHERE seq = 100", "",
	  "the entry is not the one whose hash was recorded", "seq 100", 2 },
	{ "an entry in the tile that is not full", LAST_BYTE_CHANGED "WHERE seq = 600", "",
	  "the root over the entries is not the signed one", "checkpoint of size <616>", 0 },
	{ "an entry that is not msgpack", "UPDATE event SET entry = x'C1' WHERE seq = 300", "",
	  "the entry cannot be read", "seq 300", 0 },
	{ "a row deleted", "DELETE FROM event WHERE seq = 300", "", "entries are missing",
	  "seq 300", 0 },
	{ "rows deleted to the end of a block", "DELETE FROM event WHERE seq BETWEEN 250 AND 255",
	  "", "entries are missing", "seq 250 to 255", 0 },
	{ "a whole block deleted", "DELETE FROM event WHERE seq BETWEEN 256 AND 511", "",
	  "entries are missing", "seq 256 to 511", 0 },
	{ "the tail deleted", "DELETE FROM event WHERE seq > 600", "",
	  "the log is shorter than a signed checkpoint", "pub/checkpoint", 0 },
	{ "two rows swapped",
	  "CREATE TEMP TABLE t AS SELECT seq, entry FROM event WHERE seq IN (100, 101); UPDATE "
	  "event SET entry = (SELECT entry FROM t WHERE t.seq = 201 - event.seq) WHERE seq IN "
	  "(100, 101)",
	  "", "the seq column is not the entry's seq", "seq 101", 0 },
	{ "a forged time column", "UPDATE event SET recorded_us = recorded_us + 1 WHERE seq = 300",
	  "", "the recorded_us column is not the entry's", "seq 300", 1 },
	{ "a forged stream column", "UPDATE event SET stream = 2 WHERE seq = 300", "",
	  "the stream column is not the entry's", "seq 300", 1 },
	{ "a forged type column", "UPDATE event SET type = 103 WHERE seq = 300", "",
	  "the type column is not the entry's", "seq 300", 1 },
	{ "a sealed body changed",
	  "UPDATE sealed SET body = CAST(CASE substr(body, 1, 1) WHEN x'00' THEN x'01' ELSE x'00' "
	  "END || substr(body, 2) AS BLOB) WHERE id = <44*2>",
	  "", "a sealed part is not the one that the entry names", "seq <44> sealed part 0", 1 },
	{ "a sealed part deleted", "DELETE FROM sealed WHERE id = <44*2>", "",
	  "a sealed part is missing", "seq <44> sealed part 0", 1 },
	{ "a sealed row of no entry",
	  "INSERT INTO sealed SELECT <47*2>, salt, body FROM sealed WHERE id = <44*2>", "",
	  "a sealed row that the entry does not know", "seq <47>", 1 },
	{ "a tile's hash changed",
	  "UPDATE tile SET hashes = CAST(zeroblob(32) || substr(hashes, 33) AS BLOB) WHERE id = 1",
	  "", "the entry is not the one whose hash was recorded", "seq 256", 0 },
	{ "a tile deleted", "DELETE FROM tile WHERE id = 0", "",
	  "a tile is missing before this one", "tile level 0 index 1", 1 },
	{ "a tile cut",
	  "UPDATE tile SET hashes = CAST(substr(hashes, 1, 8000) AS BLOB) WHERE id = 0", "",
	  "a tile has another length", "tile level 0 index 0", 0 },
	{ "a checkpoint's signature forged",
	  "UPDATE checkpoint SET note = CAST(substr(note, 1, length(note) - 12) || CASE "
	  "substr(note, length(note) - 11, 1) WHEN x'41' THEN 'B' ELSE 'A' END || "
	  "substr(note, -11) AS BLOB) WHERE size = <616>",
	  "", "a checkpoint's signature does not hold", "checkpoint of size <616>", 1 },
	{ "a published tile changed", "",
	  "printf anotherhash | dd of=pub/tile/0/001 conv=notrunc status=none",
	  "a published tile's hash is not the log's", "pub/tile/0/001 hash 0", 0 },
	{ "a published entry changed", "",
	  "printf another | dd of=pub/tile/entries/000 bs=1 seek=40 conv=notrunc status=none",
	  "a published entry is not the log's", "pub/tile/entries/000 seq 0", 1 },
	{ "no key", "", "rm log.vkey", "no signature can be checked", "log.vkey", 1 },
};

static void
every_break_is_named(void **state)
{
	size_t failures = 0;

	(void)state;
	for (size_t i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
		struct seen seen;
		char sql[FIXTURE_TEXT_MAX];
		const size_t row = i / 2;

		snprintf(sql, sizeof sql, "%s", fixture_text(rows[row].sql));
		if (i % 2 == 0) {
			tamper(sql, rows[row].command);
		}
		scrub(&seen, i % 2 == 1);
		if (!is_named(&seen, rows[row].what, fixture_text(rows[row].where)) ||
		    (rows[row].most > 0 && seen.count > rows[row].most)) {
			print_message("NOT AS EXPECTED: %s, %s (%llu findings)\n", rows[row].name,
				      i % 2 == 1 ? "each block alone" : "in one run",
				      (unsigned long long)seen.count);
			print_seen(&seen);
			failures++;
		}
	}
	assert_int_equal(failures, 0);
}

static void
a_true_log_holds(void **state)
{
	struct seen seen;

	(void)state;
	tamper("", "rm -r keys.db private");
	for (int alone = 0; alone < 2; alone++) {
		scrub(&seen, alone == 1);
		print_seen(&seen);
		assert_int_equal(seen.count, 0);
	}
}

/* What was lawfully erased is no finding, and what only says so is one. */
static void
what_was_erased_is_no_finding(void **state)
{
	struct event event = { .type = EVENT_PART_ERASED };
	char fault[CARE_FAULT_MAX];
	struct seen seen;

	(void)state;
	event.part_erased.seq = strtoull(fixture_text("<44>"), NULL, 10);
	char sql[FIXTURE_TEXT_MAX];
	snprintf(sql, sizeof sql, "%s", fixture_text("DELETE FROM sealed WHERE id = <44*2>"));
	tamper(sql, "");
	scrub(&seen, false);
	assert_true(is_named(&seen, "a sealed part is missing",
			     fixture_text("seq <44> sealed part 0")));
	assert_true(care_log(copy, FIXTURE_ORIGIN, &event, 1, fault));
	for (int alone = 0; alone < 2; alone++) {
		scrub(&seen, alone == 1);
		print_seen(&seen);
		assert_int_equal(seen.count, 0);
	}
}

/* The same of entries that were pruned: the second tile's, but for one that should have gone. */
static void
what_was_pruned_is_no_finding(void **state)
{
	struct event event = { .type = EVENT_LOG_PRUNED };
	struct log_reader *reader;
	char fault[CARE_FAULT_MAX];
	struct seen seen;

	(void)state;
	tamper("DELETE FROM event WHERE seq BETWEEN 256 AND 510", "rm pub/tile/entries/001");
	assert_true(log_reader_open(copy, &reader, fault, sizeof fault));
	event.log_pruned.first = 256;
	event.log_pruned.end = 512;
	assert_true(proof_root(log_fetch_hashes, reader, 512, &event.log_pruned.root));
	log_reader_close(reader);
	text_set(&event.log_pruned.why, "a test");
	assert_true(care_log(copy, FIXTURE_ORIGIN, &event, 1, fault));
	for (int alone = 0; alone < 2; alone++) {
		scrub(&seen, alone == 1);
		assert_true(is_named(&seen, "pruned, but still there", "seq 511"));
	}
	char line[256];
	snprintf(line, sizeof line, "sqlite3 %s/witness.db 'DELETE FROM event WHERE seq = 511'",
		 copy);
	shell(line);
	for (int alone = 0; alone < 2; alone++) {
		scrub(&seen, alone == 1);
		print_seen(&seen);
		assert_int_equal(seen.count, 0);
	}
}

/* --- the command ---------------------------------------------------------------------------------
 */

static int
run(uint64_t limit, bool all, struct scrub_state *after)
{
	const struct options options = {
		.ask = ASK_SCRUB, .data_dir = copy, .limit = limit, .all = all, .json = true
	};
	const int code = scrub_command(&options);

	scrub_load(copy, after);
	return code;
}

static void
each_run_goes_on_where_the_last_one_ended(void **state)
{
	struct scrub_state at;

	(void)state;
	tamper("UPDATE event SET type = 103 WHERE seq = 300", "");
	assert_int_equal(run(1, false, &at), 0);
	assert_int_equal(at.next, 256);
	assert_int_equal(at.findings, 0);
	assert_int_equal(run(1, false, &at), 1);
	assert_int_equal(at.next, 512);
	assert_int_equal(at.findings, 1);
	/* Nothing in what it looked at itself; but it ends the round. */
	assert_int_equal(run(0, false, &at), 1);
	assert_int_equal(at.end, 0);
	assert_int_equal(at.ended_findings, 1);
	assert_true(at.ended_s > 0);
	assert_int_equal(run(0, true, &at), 1);
	assert_int_equal(at.ended_findings, 1);
}

static void
a_place_that_cannot_be_is_forgotten(void **state)
{
	struct scrub_state at = { .next = 1 << 20, .end = 1 << 21, .began_s = 1 };

	(void)state;
	tamper("", "mkdir scrub");
	assert_true(scrub_save(copy, &at));
	assert_int_equal(run(1, false, &at), 0);
	assert_int_equal(at.next, 256);
}

static void
a_block_that_ends_the_program_is_passed_over(void **state)
{
	struct scrub_state at = { .end = 512, .began_s = 1, .tries = SCRUB_TRIES_MAX };

	(void)state;
	tamper("", "mkdir scrub");
	assert_true(scrub_save(copy, &at));
	assert_int_equal(run(1, false, &at), 1);
	assert_int_equal(at.next, 256);
	assert_int_equal(at.findings, 1);
	assert_int_equal(at.tries, 0);
}

static int
set_up(void **state)
{
	if (fixture_set_up(state) != 0) {
		return 1;
	}
	snprintf(copy, sizeof copy, "%s/copy", fixture_base);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_true_log_holds),
		cmocka_unit_test(every_break_is_named),
		cmocka_unit_test(what_was_erased_is_no_finding),
		cmocka_unit_test(what_was_pruned_is_no_finding),
		cmocka_unit_test(each_run_goes_on_where_the_last_one_ended),
		cmocka_unit_test(a_place_that_cannot_be_is_forgotten),
		cmocka_unit_test(a_block_that_ends_the_program_is_passed_over),
	};

	return cmocka_run_group_tests(tests, set_up, fixture_tear_down);
}
