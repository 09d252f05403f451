/* threat_G8: a true log is copied, one thing is changed in it, and the checker must name exactly
 * that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "replay/verify_io.h"
#include "tests/tamper_fixture.h"

static char other[128];

static struct verify_summary
check(struct seen *seen, const char *outside)
{
	struct options options = { .ask = ASK_VERIFY, .data_dir = copy, .checkpoint = outside };
	struct source source;
	char fault[512];

	memset(seen, 0, sizeof *seen);
	if (!source_open(&source, copy, fault, sizeof fault)) {
		fail_msg("%s", fault);
	}
	const struct verify_summary summary = verify_log(&options, &source, collect, seen);
	source_close(&source);
	return summary;
}

/* Another first character of the root, whatever it was. */
#define FORGE_ROOT "sed -i '3s/^A/B/; t; 3s/^./A/' "

/* `most`: so many findings and no more: what was not touched is not accused. 0: any number. */
static const struct {
	const char *name;
	const char *sql;
	const char *command;
	const char *what;
	const char *where;
	uint64_t most;
} rows[] = {
	{ "a bit of an entry in a full tile", LAST_BYTE_CHANGED "WHERE seq = 100", "",
	  "the entry is not the one whose hash was recorded", "seq 100", 3 },
	{ "two entries edited are two findings", LAST_BYTE_CHANGED "WHERE seq IN (100, 300)", "",
	  "the entry is not the one whose hash was recorded", "seq 300", 5 },
	{ "an entry in the tile that is not full", LAST_BYTE_CHANGED "WHERE seq = 600", "",
	  "the root over the entries is not the signed one", "checkpoint of size <616>", 0 },
	{ "an entry that is not msgpack", "UPDATE event SET entry = x'C1' WHERE seq = 100", "",
	  "the entry cannot be read", "seq 100", 0 },
	{ "a row deleted", "DELETE FROM event WHERE seq = 100", "", "entries are missing",
	  "seq 100", 0 },
	{ "a range deleted", "DELETE FROM event WHERE seq BETWEEN 100 AND 119", "",
	  "entries are missing", "seq 100 to 119", 0 },
	{ "the tail deleted", "DELETE FROM event WHERE seq > 600", "",
	  "the log is shorter than a signed checkpoint", "head", 0 },
	{ "the tail deleted, its checkpoints too",
	  "DELETE FROM event WHERE seq > 600; DELETE FROM checkpoint WHERE size > 600", "",
	  "stream_head does not describe the end of the log", "stream_head", 0 },
	{ "a row put in at the end",
	  "INSERT INTO event SELECT <621>, recorded_us, stream, type, entry FROM event WHERE seq = "
	  "<620>",
	  "", "the seq column is not the entry's seq", "seq <621>", 0 },
	{ "two rows swapped",
	  "CREATE TEMP TABLE t AS SELECT seq, entry FROM event WHERE seq IN (100, 101); UPDATE "
	  "event SET "
	  "entry = (SELECT entry FROM t WHERE t.seq = 201 - event.seq) WHERE seq IN (100, 101)",
	  "", "the seq column is not the entry's seq", "seq 101", 0 },
	{ "a forged time column", "UPDATE event SET recorded_us = recorded_us + 1 WHERE seq = 100",
	  "", "the recorded_us column is not the entry's", "seq 100", 1 },
	{ "a forged stream column", "UPDATE event SET stream = 2 WHERE seq = 100", "",
	  "the stream column is not the entry's", "seq 100", 1 },
	{ "a forged type column", "UPDATE event SET type = 103 WHERE seq = 100", "",
	  "the type column is not the entry's", "seq 100", 1 },
	{ "a sealed body changed",
	  "UPDATE sealed SET body = CAST(CASE substr(body, 1, 1) WHEN x'00' THEN x'01' ELSE x'00' "
	  "END || substr(body, 2) AS BLOB) WHERE id = <44*2>",
	  "", "a sealed part is not the one that the entry names", "seq <44> sealed part 0", 1 },
	{ "a salt changed", "UPDATE sealed SET salt = zeroblob(32) WHERE id = <44*2> + 1", "",
	  "a sealed part is not the one that the entry names", "seq <44> sealed part 1", 1 },
	{ "a sealed part deleted", "DELETE FROM sealed WHERE id = <44*2>", "",
	  "a sealed part is missing", "seq <44> sealed part 0", 1 },
	{ "a sealed part cut",
	  "UPDATE sealed SET body = CAST(substr(body, 1, 20) AS BLOB) WHERE id = <44*2>", "",
	  "a sealed part has another length", "seq <44> sealed part 0", 2 },
	{ "a sealed row of an entry that has none",
	  "INSERT INTO sealed SELECT <47*2>, salt, body FROM sealed WHERE id = <44*2>", "",
	  "a sealed row that the entry does not know", "seq <47>", 1 },
	{ "a sealed row of no entry",
	  "INSERT INTO sealed SELECT 2000, salt, body FROM sealed WHERE id = <44*2>", "",
	  "a sealed row without an entry", "seq 1000", 1 },
	{ "a tile's hash changed",
	  "UPDATE tile SET hashes = CAST(zeroblob(32) || substr(hashes, 33) AS BLOB) WHERE id = 1",
	  "", "the entry is not the one whose hash was recorded", "seq 256", 3 },
	{ "a tile deleted", "DELETE FROM tile WHERE id = 0", "",
	  "a tile is missing before this one", "tile level 0 index 1", 1 },
	{ "the last tile deleted", "DELETE FROM tile WHERE id = 1", "", "tiles are missing",
	  "tile level 0 from index 1", 1 },
	{ "a tile cut",
	  "UPDATE tile SET hashes = CAST(substr(hashes, 1, 8000) AS BLOB) WHERE id = 0", "",
	  "a tile has another length", "tile level 0 index 0", 0 },
	{ "a checkpoint's signature forged",
	  "UPDATE checkpoint SET note = CAST(substr(note, 1, length(note) - 12) || CASE "
	  "substr(note, length(note) - 11, 1) WHEN x'41' THEN 'B' ELSE 'A' END || "
	  "substr(note, -11) AS BLOB) WHERE size = <616>",
	  "", "a checkpoint's signature does not hold", "checkpoint of size <616>", 1 },
	{ "a checkpoint under another size",
	  "UPDATE checkpoint SET size = <617> WHERE size = <616>", "",
	  "a checkpoint stands under another size", "checkpoint of size <617>", 1 },
	{ "a stream's version", "UPDATE stream_head SET version = version - 1 WHERE stream = 1", "",
	  "the version column is not what the entries say", "stream_head of stream 1", 1 },
	{ "a stream's epoch", "UPDATE stream_head SET epoch = 9 WHERE stream = 2", "",
	  "the epoch column is not what the entries say", "stream_head of stream 2", 1 },
	{ "a stream's last_seq", "UPDATE stream_head SET last_seq = 3 WHERE stream = 2", "",
	  "the last_seq column is not what the entries say", "stream_head of stream 2", 1 },
	{ "a snapshot's state", "UPDATE snapshot SET dump = x'90'", "",
	  "a snapshot is not the state that was logged", "snapshot of stream 1 version 5", 1 },
	{ "a snapshot's version", "UPDATE snapshot SET version = 4", "",
	  "a snapshot stands under another version", "snapshot of stream 1 version 4", 1 },
	{ "a snapshot's event", "UPDATE snapshot SET seq = <44>", "",
	  "a snapshot that the log does not vouch for", "snapshot of stream 1 version 5", 1 },
	{ "the head forged", "", FORGE_ROOT "head", "a checkpoint's signature does not hold",
	  "head", 1 },
	{ "the published checkpoint forged", "", FORGE_ROOT "pub/checkpoint",
	  "a checkpoint's signature does not hold", "pub/checkpoint", 1 },
	{ "the head gone", "", "rm head", "the head is missing", "head", 1 },
	{ "another log's key", "", "cp ../other/log.vkey .",
	  "a checkpoint's signature does not hold", "head", 0 },
	{ "no key", "", "rm log.vkey", "no signature can be checked", "log.vkey", 1 },
	{ "two databases spliced",
	  "ATTACH '../other/witness.db' AS o; DELETE FROM event WHERE seq >= 300; INSERT INTO "
	  "event SELECT * "
	  "FROM o.event WHERE seq >= 300",
	  "", "the entry is not the one whose hash was recorded", "seq 300", 0 },
	{ "two keys exchanged", "",
	  "sqlite3 keys.db 'UPDATE data_key SET wrapped = (SELECT wrapped FROM data_key WHERE "
	  "created_seq = <45>) "
	  "WHERE created_seq = <42>'",
	  "a key is not the one that the log committed to", "seq <44>", 0 },
	{ "another log's keys", "",
	  "cp ../other/keys.db ../other/private/wrap.key . && mv wrap.key private/",
	  "sealed parts do not open with the keys that are here", "10 parts, the first at seq <44>",
	  1 },
};

static void
every_break_is_named(void **state)
{
	size_t failures = 0;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct seen seen;
		char line[FIXTURE_TEXT_MAX];

		/* ATTACH wants a path. */
		snprintf(line, sizeof line, "%s", fixture_text(rows[i].sql));
		char *at = strstr(line, "../other");
		if (at != NULL) {
			char rest[FIXTURE_TEXT_MAX];
			snprintf(rest, sizeof rest, "%s", at + strlen("../other"));
			snprintf(at, sizeof line - (size_t)(at - line), "%s%s", other, rest);
		}
		char command[FIXTURE_TEXT_MAX];
		snprintf(command, sizeof command, "%s", fixture_text(rows[i].command));
		tamper(line, command);
		check(&seen, NULL);
		if (!is_named(&seen, rows[i].what, fixture_text(rows[i].where)) ||
		    (rows[i].most > 0 && seen.count > rows[i].most)) {
			print_message("NOT AS EXPECTED: %s (%llu findings)\n", rows[i].name,
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
	tamper("", "");
	const struct verify_summary summary = check(&seen, NULL);
	print_seen(&seen);
	assert_int_equal(seen.count, 0);
	assert_int_equal(summary.digests, 3);
	assert_int_equal(summary.sealed_opened, summary.sealed_present);
	assert_int_equal(summary.signed_size, summary.size);
	assert_int_equal(summary.full_tiles, 2);
}

static void
it_holds_without_keys_too(void **state)
{
	struct seen seen;

	(void)state;
	tamper("", "rm -r keys.db private");
	const struct verify_summary summary = check(&seen, NULL);
	print_seen(&seen);
	assert_int_equal(seen.count, 0);
	assert_false(summary.has_keys);
	assert_int_equal(summary.sealed_opened, 0);
	assert_true(summary.sealed_present > 0);
}

/* While somebody verifies, a running log fills its last tile and drops the partial one. */
static void
a_tile_that_was_filled_meanwhile_holds(void **state)
{
	struct seen seen;

	(void)state;
	tamper("",
	       "printed=$(ls pub/tile/0/002.p | sort -n | tail -n 1) && [ $printed -lt 256 ] && "
	       "for file in entries/002 0/002; do cat pub/tile/$file.p/$printed > pub/tile/$file "
	       "&& rm -r pub/tile/$file.p || exit 1; done && "
	       "head -c $(((256 - printed) * 32)) /dev/zero >> pub/tile/0/002 && "
	       "while [ $printed -lt 256 ]; do printf '\\000\\001x' && printed=$((printed + 1)); "
	       "done "
	       ">> pub/tile/entries/002");
	check(&seen, NULL);
	print_seen(&seen);
	assert_int_equal(seen.count, 0);
}

/* Whoever cuts the tail off cleanly, in every file, is found only by a checkpoint from elsewhere.
 */
static void
a_clean_cut_needs_an_outside_checkpoint(void **state)
{
	struct seen seen;
	char outside[256];

	(void)state;
	snprintf(outside, sizeof outside, "%s/head", fixture_truth);
	char sql[FIXTURE_TEXT_MAX];

	snprintf(sql, sizeof sql, "%s",
		 fixture_text("DELETE FROM event WHERE seq >= <616>; DELETE FROM sealed WHERE id "
			      ">= <616*2>; DELETE "
			      "FROM checkpoint WHERE size > <616>; "
			      "DELETE FROM snapshot; UPDATE stream_head SET version = 566, "
			      "last_seq = <615> WHERE "
			      "stream = 1; "
			      "UPDATE stream_head SET version = (SELECT count(*) FROM event WHERE "
			      "stream = 2), "
			      "last_seq = "
			      "(SELECT max(seq) FROM event WHERE stream = 2) WHERE stream = 2; "
			      "UPDATE stream_head "
			      "SET version = "
			      "(SELECT count(*) FROM event WHERE stream = 3), last_seq = (SELECT "
			      "max(seq) FROM "
			      "event WHERE "
			      "stream = 3) WHERE stream = 3; UPDATE stream_head SET version = "
			      "(SELECT count(*) "
			      "FROM event "
			      "WHERE stream = 1), last_seq = (SELECT max(seq) FROM event WHERE "
			      "stream = 1) WHERE "
			      "stream = 1"));
	tamper(sql, fixture_text("sqlite3 witness.db 'SELECT writefile(\"head\", CAST(note AS "
				 "BLOB)) FROM checkpoint "
				 "WHERE size = <616>' "
				 "> /dev/null && cp head pub/checkpoint"));
	check(&seen, NULL);
	print_seen(&seen);
	assert_int_equal(seen.count, 0);
	check(&seen, outside);
	assert_true(is_named(&seen, "the log is shorter than a signed checkpoint",
			     "the checkpoint you gave"));
}

static int
set_up(void **state)
{
	if (fixture_set_up(state) != 0) {
		return 1;
	}
	snprintf(other, sizeof other, "%s/other", fixture_base);
	snprintf(copy, sizeof copy, "%s/copy", fixture_base);
	fixture_make(other);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_true_log_holds),
		cmocka_unit_test(it_holds_without_keys_too),
		cmocka_unit_test(a_tile_that_was_filled_meanwhile_holds),
		cmocka_unit_test(every_break_is_named),
		cmocka_unit_test(a_clean_cut_needs_an_outside_checkpoint),
	};

	return cmocka_run_group_tests(tests, set_up, fixture_tear_down);
}
