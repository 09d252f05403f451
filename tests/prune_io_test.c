/* Old segments leave the log: what is said of it, what goes, what stays provable, a crash at any
 * moment, and that nothing brings them back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <sys/wait.h>

#include "replay/care_io.h"
#include "replay/commands_io.h"
#include "store/proof.h"
#include "store/prune_io.h"
#include "store/prune_survey_io.h"
#include "store/retain_io.h"
#include "tests/erase_fixture.h"

/* The story is told in September 2026; the 20th of November follows. */
enum { MONTH = 202609, STEPS_MAX = 10000 };
static const uint64_t later_us = ((uint64_t)FIXTURE_START_S + 60 * 86400) * 1000000;

/* --- the story -----------------------------------------------------------------------------------
 */

static void
signals(struct fixture *f, int count)
{
	for (int i = 0; i < count; i++) {
		if (i % 100 == 0) {
			fixture_begin(f);
		}
		fixture_signal(f, EVENT_ICE_CANDIDATE_RELAYED, (uint8_t)(1 + i % 2),
			       (uint8_t)(2 - i % 2));
		if (i % 100 == 99 || i == count - 1) {
			fixture_commit(f);
		}
	}
}

/* 256 to some 1400: signals of September alone; then a month with snapshots and a tail. */
static void
tell(const char *directory)
{
	struct fixture f;

	mkdir(directory, 0700);
	fixture_open(&f, directory);
	fixture_begin(&f);
	fixture_register(&f, 1, "alice", 11);
	fixture_register(&f, 2, "bob", 12);
	fixture_allocate(&f);
	fixture_commit(&f);
	signals(&f, 500);
	fixture_begin(&f);
	fixture_end(&f);
	fixture_leave(&f, 2, "bob", 12);
	fixture_commit(&f);
	signals(&f, 600);
	f.now_us = later_us;
	signals(&f, 300);
	for (int i = 0; i < 2; i++) {
		fixture_snapshot(&f, STREAM_SESSION);
		fixture_snapshot(&f, STREAM_ALLOCATION);
	}
	signals(&f, 20);
	fixture_close(&f);
}

static struct prune_report report;

static enum erase_state
prune_some(struct evidence *e, unsigned steps)
{
	char fault[EVIDENCE_FAULT_MAX];
	enum erase_state state = ERASE_WORKS;
	struct pruning *p = prune_begin(e, MONTH, fault, sizeof fault);

	assert_non_null(p);
	for (unsigned i = 0; i < steps && state == ERASE_WORKS; i++) {
		state = prune_step(p, now_us);
	}
	if (state == ERASE_FAILED) {
		fail_msg("%s", prune_fault(p));
	}
	report = prune_report_now(p);
	prune_end(p);
	return state;
}

static void
prune_all(const char *directory)
{
	struct evidence *e = open_evidence(directory);

	assert_int_equal(prune_some(e, STEPS_MAX), ERASE_DONE);
	evidence_close(e, now_us);
}

static void
retain_all(const char *directory)
{
	char fault[EVIDENCE_FAULT_MAX];
	enum erase_state state = ERASE_WORKS;
	struct evidence *e = open_evidence(directory);
	struct retaining *r = retain_begin(e, MONTH, fault, sizeof fault);

	assert_non_null(r);
	for (unsigned i = 0; i < STEPS_MAX && state == ERASE_WORKS; i++) {
		state = retain_step(r, now_us);
	}
	assert_int_equal(state, ERASE_DONE);
	retain_end(r);
	evidence_close(e, now_us);
}

/* --- what is looked at ---------------------------------------------------------------------------
 */

enum { FIRST = 256, END = 4 * 256 }; /* what goes of the story */

static bool
take_needle(void *context, const struct log_row *row)
{
	(void)context;
	if (row->seq % 5 == 0) {
		add_needle(row->entry.at, row->entry.count);
	}
	return true;
}

struct counts {
	uint64_t rows, said, first, end;
};

static bool
count_row(void *context, const struct log_row *row)
{
	struct counts *counts = context;
	struct entry entry;
	struct event event;

	counts->rows++;
	if (row->type == EVENT_LOG_PRUNED && entry_read(row->entry, &entry) &&
	    entry_to_event(&entry, NULL, &event) == ENTRY_KNOWN) {
		counts->said++;
		counts->first = event.log_pruned.first;
		counts->end = event.log_pruned.end;
	}
	return true;
}

static struct counts
count(const char *directory, uint64_t from, uint64_t end)
{
	struct reading r = open_reading(directory);
	struct counts counts = { 0 };

	assert_true(log_read_rows(r.reader, from, end, count_row, &counts));
	close_reading(&r);
	return counts;
}

/* `data`: the story, its payload gone, and needles of what is to be pruned. */
static void
fresh(void)
{
	assert_int_equal(sh("rm -rf data backup backup.partial keys; cp -a told data"), 0);
	now_us = later_us;
	struct reading r = open_reading("data");
	needle_count = 0;
	assert_true(log_read_rows(r.reader, FIRST, END, take_needle, NULL));
	close_reading(&r);
}

static void
assert_pruned(const char *directory)
{
	assert_int_equal(count(directory, FIRST, END).rows, 0);
	assert_int_equal(count(directory, 0, UINT64_MAX).said, 1);
	if (search(directory) > 0) {
		fail_msg("%s", found_where);
	}
	assert_int_not_equal(access(at("data/pub/tile/entries/001"), F_OK), 0);
	assert_int_equal(access(at("data/pub/tile/entries/000"), F_OK), 0);
	assert_int_equal(access(at("data/pub/tile/0/001"), F_OK), 0);
	assert_int_equal(care_verify(at(directory)), 0);
}

static int
try_sql(const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(at("data/witness.db"), &db), SQLITE_OK);
	const int code = sqlite3_exec(db, sql, NULL, NULL, NULL);
	sqlite3_close(db);
	return code;
}

/* --- tests ---------------------------------------------------------------------------------------
 */

static void
old_segments_go_and_the_rest_stays(void **state)
{
	(void)state;
	fresh();
	assert_true(search("data") > 0);
	const uint64_t before = count("data", 0, UINT64_MAX).rows;
	prune_all("data");
	assert_int_equal(report.ranges, 1);
	assert_int_equal(report.entries, END - FIRST);
	assert_int_equal(report.stays[PRUNE_BEGINNING], 1);
	assert_pruned("data");
	const struct counts counts = count("data", 0, UINT64_MAX);
	assert_int_equal(counts.first, FIRST);
	assert_int_equal(counts.end, END);
	/* witness_started, log_pruned and witness_stopped came. */
	assert_int_equal(counts.rows, before - (END - FIRST) + 3);
}

static void
a_second_round_finds_nothing_and_says_nothing(void **state)
{
	(void)state;
	fresh();
	prune_all("data");
	prune_all("data");
	assert_int_equal(report.ranges, 0);
	assert_int_equal(report.stays[PRUNE_GONE], (END - FIRST) / 256);
	assert_pruned("data");
}

static void
what_is_sealed_stays_until_it_is_retained(void **state)
{
	(void)state;
	fresh();
	assert_int_equal(sh("rm -rf data; cp -a sealed data"), 0);
	/* Segment 2 holds bob's departure. */
	prune_all("data");
	assert_int_equal(report.stays[PRUNE_SEALED], 1);
	assert_int_equal(report.ranges, 2);
	assert_int_equal(report.entries, END - FIRST - 256);
	assert_int_equal(care_verify(at("data")), 0);
	retain_all("data");
	prune_all("data");
	assert_int_equal(report.stays[PRUNE_SEALED], 0);
	assert_int_equal(report.entries, 256);
	assert_int_equal(count("data", FIRST, END).rows, 0);
	assert_int_equal(care_verify(at("data")), 0);
}

static bool
see_nothing(void *context, const struct event *event, const struct entry *entry)
{
	uint64_t *last = context;

	(void)event;
	assert_true(entry->seq < FIRST || entry->seq >= END);
	*last = entry->seq;
	return true;
}

static void
see_gap(void *context, uint64_t first, uint64_t end, uint64_t event)
{
	uint64_t *gaps = context;

	assert_int_equal(first, FIRST);
	assert_int_equal(end, END);
	assert_true(event > END);
	++*gaps;
}

static void
readers_pass_only_if_they_say_so(void **state)
{
	uint64_t last = 0, gaps = 0, first = 0, end = 0, event = 0;

	(void)state;
	fresh();
	prune_all("data");
	struct reading r = open_reading("data");
	assert_false(log_read_events(r.reader, r.keys, 0, UINT64_MAX, LOG_STREAMS_ALL, see_nothing,
				     &last));
	assert_int_equal(last, FIRST - 1);
	assert_non_null(strstr(log_reader_fault(r.reader), "event 256 is missing"));
	assert_false(log_read_events_back(r.reader, r.keys, 0, UINT64_MAX, LOG_STREAMS_ALL,
					  see_nothing, &last));
	assert_int_equal(last, END);

	log_pass_pruned(r.reader, see_gap, &gaps);
	assert_true(log_read_events(r.reader, r.keys, 0, UINT64_MAX, LOG_STREAMS_ALL, see_nothing,
				    &last));
	assert_int_equal(gaps, 1);
	assert_true(log_read_events_back(r.reader, r.keys, 0, UINT64_MAX, LOG_STREAMS_ALL,
					 see_nothing, &last));
	assert_int_equal(last, 0);
	assert_int_equal(gaps, 2);
	/* From within the range, and to within it. */
	assert_true(
		log_read_events(r.reader, r.keys, 300, 400, LOG_STREAMS_ALL, see_nothing, &last));
	assert_true(log_read_events(r.reader, r.keys, 700, END + 1, LOG_STREAMS_ALL, see_nothing,
				    &last));
	assert_int_equal(last, END);
	assert_true(log_read_events_back(r.reader, r.keys, 300, 900, LOG_STREAMS_ALL, see_nothing,
					 &last));
	assert_true(log_read_events_back(r.reader, r.keys, 255, FIRST + 1, LOG_STREAMS_ALL,
					 see_nothing, &last));
	assert_int_equal(last, 255);

	assert_true(log_pruned_at(r.reader, 700, &first, &end, &event));
	assert_false(log_pruned_at(r.reader, FIRST - 1, &first, &end, &event));
	assert_false(log_pruned_at(r.reader, END, &first, &end, &event));
	close_reading(&r);
}

static void
old_proofs_still_hold(void **state)
{
	struct proof before, after, growth;
	struct digest leaf, old_root, root;
	struct log_row row;
	bool found = false;

	(void)state;
	fresh();
	struct reading r = open_reading("data");
	assert_true(log_read_row(r.reader, 600, &row, &found) && found);
	entry_leaf_hash(row.entry, &leaf);
	assert_true(proof_root(log_fetch_hashes, r.reader, 1000, &old_root));
	assert_true(proof_inclusion(log_fetch_hashes, r.reader, 1000, 600, &before));
	close_reading(&r);
	prune_all("data");
	r = open_reading("data");
	uint64_t size = 0;
	assert_true(log_reader_size(r.reader, &size));
	assert_true(proof_check_inclusion(&leaf, 600, 1000, &old_root, &before));
	assert_true(proof_root(log_fetch_hashes, r.reader, size, &root));
	assert_true(proof_consistency(log_fetch_hashes, r.reader, 1000, size, &growth));
	assert_true(proof_check_consistency(1000, &old_root, size, &root, &growth));
	assert_true(proof_inclusion(log_fetch_hashes, r.reader, size, 600, &after));
	assert_true(proof_check_inclusion(&leaf, 600, size, &root, &after));
	close_reading(&r);
}

static void
killed_at_any_step_it_is_carried_through(void **state)
{
	bool done = false;

	(void)state;
	for (unsigned steps = 1; !done; steps++) {
		int status = 0;

		assert_true(steps < 100);
		fresh();
		const pid_t child = fork();
		if (child == 0) {
			struct evidence *e = open_evidence("data");
			_exit(prune_some(e, steps) == ERASE_DONE ? 1 : 0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		done = WEXITSTATUS(status) == 1;
		/* A copy that is taken now holds as well. */
		assert_int_equal(care_verify(at("data")), 0);
		evidence_close(open_evidence("data"), now_us);
		if (count("data", 0, UINT64_MAX).said > 0) {
			assert_pruned("data");
		}
		prune_all("data");
		assert_pruned("data");
	}
}

static const struct {
	const char *what;
	const char *sql;
} refused[] = {
	{ "a row of no range", "DELETE FROM event WHERE seq = 1100" },
	{ "the first row behind a range", "DELETE FROM event WHERE seq = 1024" },
	{ "a change", "UPDATE event SET type = 1 WHERE seq = 1" },
	{ "a row put back",
	  "INSERT INTO event SELECT 300, recorded_us, stream, type, entry FROM event"
	  " WHERE seq = 1" },
	{ "a range taken back", "DELETE FROM pruned" },
	{ "a range that grows", "UPDATE pruned SET past = 1280" },
	{ "a range that is not done again", "UPDATE pruned SET done = 0" },
	{ "a range without an event",
	  "INSERT INTO pruned VALUES(1024, 1280, 5, 0); DELETE FROM event WHERE seq = 1100" },
	{ "a row behind the next",
	  "INSERT INTO event SELECT max(seq) + 2, 1, 1, 1, x'00' FROM event" },
};

static void
nothing_else_can_be_deleted(void **state)
{
	size_t failures = 0;

	(void)state;
	fresh();
	assert_int_equal(try_sql("DELETE FROM event WHERE seq = 300"), SQLITE_CONSTRAINT);
	prune_all("data");
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		if (try_sql(refused[i].sql) != SQLITE_CONSTRAINT) {
			print_message("WAS TAKEN: %s\n", refused[i].what);
			failures++;
		}
	}
	assert_int_equal(failures, 0);
	/* What could be put there is named. */
	assert_int_equal(care_verify(at("data")), 1);
}

static void
a_row_that_goes_without_a_word_is_missing(void **state)
{
	uint64_t first, end, event;

	(void)state;
	fresh();
	prune_all("data");
	assert_int_equal(try_sql("DROP TRIGGER event_delete; DELETE FROM event WHERE seq = 1100"),
			 SQLITE_OK);
	assert_true(care_verify(at("data")) > 0);
	/* The table alone is no word either. */
	assert_int_equal(try_sql("INSERT INTO pruned VALUES(1024, 1280, 5, 1)"), SQLITE_OK);
	assert_true(care_verify(at("data")) > 0);
	struct reading r = open_reading("data");
	assert_false(log_pruned_at(r.reader, 1100, &first, &end, &event));
	close_reading(&r);
}

static void
a_row_that_comes_back_is_named(void **state)
{
	(void)state;
	fresh();
	assert_int_equal(sh("cp -a data before"), 0);
	prune_all("data");
	char sql[512];
	snprintf(sql, sizeof sql,
		 "DROP TRIGGER event_insert; ATTACH '%s' AS old; INSERT INTO event SELECT * FROM"
		 " old.event WHERE seq = 300",
		 at("before/witness.db"));
	assert_int_equal(try_sql(sql), SQLITE_OK);
	/* The row, and that nothing published is beside it. */
	assert_int_equal(care_verify(at("data")), 2);
	assert_int_equal(sh("rm -rf before"), 0);
}

static void
pub_is_written_again_without_them(void **state)
{
	(void)state;
	fresh();
	prune_all("data");
	assert_int_equal(sh("rm -r data/pub"), 0);
	evidence_close(open_evidence("data"), now_us);
	assert_pruned("data");
}

/* --- copies --------------------------------------------------------------------------------------
 */

static const struct options *
care(const char *copy)
{
	static struct options options;

	options = (struct options){ .data_dir = at("data"), .copy = at(copy), .discard = true };
	return &options;
}

/* The actors' states are still to be had: from the snapshots alone. */
static void
assert_states(const char *directory)
{
	static const enum stream streams[] = { STREAM_SESSION, STREAM_ALLOCATION };
	struct reading r = open_reading(directory);

	for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
		struct log_snapshot snapshot;
		bool found = false;
		assert_true(log_snapshot_latest(r.reader, r.keys, streams[i], &snapshot, &found));
		assert_true(found);
		assert_true(snapshot.from_seq >= END);
		log_snapshot_free(&snapshot);
	}
	close_reading(&r);
}

static void
a_backup_from_before_brings_nothing_back(void **state)
{
	(void)state;
	fresh();
	assert_int_equal(backup_command(care("backup")), 0);
	prune_all("data");
	assert_int_equal(sh("rm data/witness.db*"), 0);
	assert_int_equal(restore_command(care("backup")), 0);
	assert_pruned("data");
	assert_states("data");
	/* And where pub/ knows nothing later, the backup is all there is. */
	assert_int_equal(sh("rm -r data/witness.db* data/head data/pub"), 0);
	assert_int_equal(restore_command(care("backup")), 0);
	assert_int_equal(count("data", FIRST, END).rows, END - FIRST);
	/* Without snapshots, which a restore leaves out, the actors need it all. */
	prune_all("data");
	assert_int_equal(report.stays[PRUNE_NEEDED], 1);
	assert_int_equal(count("data", FIRST, END).rows, END - FIRST);
}

static void
a_backup_from_after_is_whole(void **state)
{
	(void)state;
	fresh();
	prune_all("data");
	assert_int_equal(backup_command(care("backup")), 0);
	assert_int_equal(care_verify(at("backup")), 0);
	assert_int_equal(search("backup"), 0);
	assert_int_equal(sh("rm -r data/witness.db* data/head data/pub"), 0);
	assert_int_equal(restore_command(care("backup")), 0);
	assert_pruned("data");
	assert_states("data");
}

static void
a_repair_takes_no_pruned_row_from_a_copy(void **state)
{
	(void)state;
	fresh();
	assert_int_equal(sh("cp -a data backup"), 0);
	prune_all("data");
	assert_int_equal(try_sql("DROP TRIGGER event_delete; DELETE FROM event WHERE seq = 1100"),
			 SQLITE_OK);
	assert_int_equal(repair_command(care("backup")), 0);
	assert_int_equal(sh("rm -r data/before-repair-* backup"), 0);
	assert_pruned("data");
	assert_int_equal(count("data", 1100, 1101).rows, 1);
	assert_states("data");
}

static void
a_repair_is_told_by_pub_what_was_pruned(void **state)
{
	(void)state;
	fresh();
	prune_all("data");
	assert_int_equal(try_sql("DROP TRIGGER event_delete; DELETE FROM event WHERE type = 331"),
			 SQLITE_OK);
	assert_int_equal(sh("cp -a data/pub backup"), 0);
	assert_int_equal(repair_command(care("backup")), 0);
	assert_pruned("data");
	assert_states("data");
}

static void
a_repair_calls_missing_what_was_not_pruned(void **state)
{
	(void)state;
	fresh();
	prune_all("data");
	assert_int_equal(try_sql("DROP TRIGGER event_delete; DELETE FROM event WHERE seq = 1100"),
			 SQLITE_OK);
	assert_int_equal(sh("rm data/pub/tile/entries/004; cp -a data/pub backup"), 0);
	assert_int_equal(repair_command(care("backup")), 1);
}

static void
a_dry_look_says_the_same(void **state)
{
	static struct prune_range ranges[PRUNE_RANGES_MAX];
	struct prune_survey *survey;
	struct prune_report seen;
	bool done = false;

	(void)state;
	fresh();
	struct reading r = open_reading("data");
	assert_true(prune_survey_begin(r.reader, NULL, MONTH, &survey));
	while (!done) {
		assert_true(prune_survey_step(survey, &done));
	}
	assert_int_equal(prune_survey_ranges(survey, ranges, &seen), 1);
	prune_survey_end(survey);
	close_reading(&r);
	prune_all("data");
	assert_memory_equal(&seen, &report, sizeof seen);
}

/* --- as a user meets it --------------------------------------------------------------------------
 */

static const struct {
	const char *arguments;
	int code;
	const char *has;
	const char *has_not;
} commands[] = {
	{ "log --json", 0, "entries 256 to 1023 were pruned, as event", "missing" },
	{ "log --json", 0, "\"event\":\"log_pruned\"", NULL },
	{ "log --from 1024 --json", 0, "\"seq\":1024", "were pruned" },
	{ "log --from 300 --to 400 --json", 0, "256 to 1023 were pruned", "\"seq\"" },
	{ "log --type ice_candidate_relayed --json", 0, "\"seq\":1025", "missing" },
	{ "log --limit 5 --no-index", 0, "witness_stopped", "were pruned" },
	{ "agent a0000000000000000000000000000001", 0, "256 to 1023 were pruned", "missing" },
	{ "show 300", 1, "entry 300 was pruned with 256 to 1023, as event", "verify" },
	{ "show 255", 0, "255", "pruned" },
	{ "prove 300", 0, "c2sp.org/tlog-proof@v1", "verify" },
	{ "prove 300", 0, "the proof holds for whoever keeps the entry", NULL },
	{ "prove 300 --json", 0, "\"pruned_by\":", "entry_b64" },
	{ "prove --range 200 1100", 0, "\"from\":200", NULL },
	{ "verify", 0, "768 entries are lawfully gone, 0 are on their way out", NULL },
	{ "verify --json", 0, "\"pruned\":768", NULL },
	{ "state --at 200", 0, "agents: 2", "pruned" },
	{ "state --at 255", 0, "state after seq 255", "pruned" },
	{ "state --at 256", 1, "cannot be rebuilt: entries were pruned (256", "agents" },
	{ "state --at 700", 1, "ask for a moment before seq 256", "agents" },
	{ "state --at 1100", 1, "cannot be rebuilt", "agents" },
	{ "state", 0, "reproduced", "pruned" },
	{ "diff --from 90 --to 200", 0, "nothing changed", "pruned" },
	{ "diff --from 200 --to 1200", 1, "cannot be rebuilt", NULL },
	{ "diff --to 1200", 1, "cannot be rebuilt", NULL },
	{ "holds", 0, "", "pruned" },
	{ "doctor", 0, "well", "pruned" },
	{ "stats --json", 0, "ice_candidate_relayed", "missing" },
	{ "timeline --json --from 300", 0, "", "missing" },
	{ "report --text --from 300 --to 1100", 0, "", "missing" },
	{ "retain --dry-run --envelope-months 1", 0, "was pruned before", "sealed part is left" },
	{ "retain --dry-run", 2, "--envelope-months N", NULL },
};

static char output[1 << 20];

static int
run(const char *arguments)
{
	char line[512];

	snprintf(line, sizeof line, "LC_ALL=C %s/ifreplay --data-dir %s %s 2>&1", IFSWARM_BIN,
		 at("data"), arguments);
	FILE *pipe = popen(line, "r");
	assert_non_null(pipe);
	const size_t count = fread(output, 1, sizeof output - 1, pipe);
	output[count] = '\0';
	const int status = pclose(pipe);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void
each_command_says_what_is_not_there(void **state)
{
	size_t failures = 0;

	(void)state;
	fresh();
	prune_all("data");
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		const int code = run(commands[i].arguments);
		if (code != commands[i].code || strstr(output, commands[i].has) == NULL ||
		    (commands[i].has_not != NULL && strstr(output, commands[i].has_not) != NULL)) {
			print_message("NOT AS EXPECTED: %s: %d, without \"%s\" or with "
				      "\"%s\":\n%.1500s\n",
				      commands[i].arguments, code, commands[i].has,
				      commands[i].has_not == NULL ? "" : commands[i].has_not,
				      output);
			failures++;
		}
	}
	assert_int_equal(failures, 0);
}

static const struct {
	const char *range;
	unsigned omitted;
} exports[] = {
	{ "--from 300 --to 1100", 1024 - 300 },
	{ "--from 300 --to 310", 11 },
	{ "--from 200 --to 256", 1 },
	{ "--from 1023 --to 1023", 1 },
	{ "--from 1000", 24 },
	{ "--from 200 --to 300 --profile envelope", 45 },
	{ "--from 1024 --to 1100", 0 },
};

static void
bundles_over_what_was_pruned_hold(void **state)
{
	static const char *const checkers[] = {
		IFSWARM_BIN "/ifreplay verify-bundle bundle.tar",
		"mkdir unpacked && tar -xf bundle.tar -C unpacked",
		"sh unpacked/verify/verify.sh unpacked",
		"python3 unpacked/verify/verify.py bundle.tar",
	};
	char arguments[512], words[64];

	(void)state;
	fresh();
	prune_all("data");
	for (size_t i = 0; i < sizeof exports / sizeof exports[0]; i++) {
		snprintf(arguments, sizeof arguments, "export %s %s --json", at("bundle.tar"),
			 exports[i].range);
		assert_int_equal(sh("rm -rf bundle.tar unpacked"), 0);
		const int code = run(arguments);
		snprintf(words, sizeof words, "\"omitted\":%u,", exports[i].omitted);
		if (code != 0 || strstr(output, words) == NULL) {
			fail_msg("%s: %d: %s", arguments, code, output);
		}
		for (size_t k = 0; k < sizeof checkers / sizeof checkers[0]; k++) {
			if (sh(checkers[k]) != 0) {
				fail_msg("%s: %s", exports[i].range, checkers[k]);
			}
		}
	}
}

static int
set_up(void **state)
{
	if (mkdtemp(fixture_base) == NULL) {
		return 1;
	}
	(void)state;
	tell(at("told"));
	now_us = later_us;
	if (sh("cp -a told sealed") != 0) {
		return 1;
	}
	retain_all("told");
	return 0;
}

/* With a directory as its argument it tells the story there, for tests/e2e/prune.test.mjs. */
int
main(int argc, char *argv[])
{
	if (argc == 2) {
		tell(argv[1]);
		return 0;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(old_segments_go_and_the_rest_stays),
		cmocka_unit_test(a_second_round_finds_nothing_and_says_nothing),
		cmocka_unit_test(what_is_sealed_stays_until_it_is_retained),
		cmocka_unit_test(readers_pass_only_if_they_say_so),
		cmocka_unit_test(old_proofs_still_hold),
		cmocka_unit_test(killed_at_any_step_it_is_carried_through),
		cmocka_unit_test(nothing_else_can_be_deleted),
		cmocka_unit_test(a_row_that_goes_without_a_word_is_missing),
		cmocka_unit_test(a_row_that_comes_back_is_named),
		cmocka_unit_test(pub_is_written_again_without_them),
		cmocka_unit_test(a_backup_from_before_brings_nothing_back),
		cmocka_unit_test(a_backup_from_after_is_whole),
		cmocka_unit_test(a_repair_takes_no_pruned_row_from_a_copy),
		cmocka_unit_test(a_repair_is_told_by_pub_what_was_pruned),
		cmocka_unit_test(a_repair_calls_missing_what_was_not_pruned),
		cmocka_unit_test(a_dry_look_says_the_same),
		cmocka_unit_test(each_command_says_what_is_not_there),
		cmocka_unit_test(bundles_over_what_was_pruned_hold),
	};

	return cmocka_run_group_tests(tests, set_up, fixture_tear_down);
}
