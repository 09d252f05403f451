/* Past months: their keys and sealed parts go, holds keep what they hold, and the log verifies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <sys/wait.h>

#include "replay/care_io.h"
#include "replay/commands_io.h"
#include "store/retain_io.h"
#include "tests/erase_fixture.h"

/* The story is told in September 2026; the 20th of November follows. */
enum { MONTH = 202609, STEPS_MAX = 10000 };
static const uint64_t later_us = ((uint64_t)FIXTURE_START_S + 60 * 86400) * 1000000;

static bool
take_needles(void *context, const struct log_row *row)
{
	(void)context;
	for (unsigned part = 0; part < SEALED_PARTS_MAX; part++) {
		if (row->body[part].count > 0 && seal_month(row->recorded_us) <= MONTH) {
			add_needle(row->salt[part].at, row->salt[part].count);
			add_needle(row->body[part].at, row->body[part].count);
		}
	}
	return true;
}

/* `data`: the story of September, and one who registers in November. */
static void
fresh(void)
{
	struct fixture f;

	assert_int_equal(sh("rm -rf data backup backup.partial keys; cp -a true data"), 0);
	now_us = later_us;
	fixture_open(&f, at("data"));
	f.now_us = later_us;
	fixture_begin(&f);
	fixture_register(&f, 7, "carol", 77);
	fixture_commit(&f);
	fixture_close(&f);
	struct reading r = open_reading("data");
	needle_count = 0;
	assert_true(log_read_rows(r.reader, 0, UINT64_MAX, take_needles, NULL));
	close_reading(&r);
}

static enum erase_state
retain_some(struct evidence *e, unsigned steps, struct retain_report *report)
{
	char fault[EVIDENCE_FAULT_MAX];
	enum erase_state state = ERASE_WORKS;
	struct retaining *r = retain_begin(e, MONTH, fault, sizeof fault);

	assert_non_null(r);
	for (unsigned i = 0; i < steps && state == ERASE_WORKS; i++) {
		state = retain_step(r, now_us);
	}
	*report = retain_report_of(r);
	retain_end(r);
	return state;
}

static struct retain_report
retain_all(const char *directory)
{
	struct evidence *e = open_evidence(directory);
	struct retain_report report;

	assert_int_equal(retain_some(e, STEPS_MAX, &report), ERASE_DONE);
	evidence_close(e, now_us);
	return report;
}

static void
assert_past_is_gone(const char *directory)
{
	const struct remains remains = look(directory);

	assert_int_equal(remains.alice, 0);
	assert_int_equal(remains.bob, 0);
	assert_true(remains.carol > 0);
	if (search(directory) > 0) {
		fail_msg("%s", found_where);
	}
	assert_int_equal(care_verify(at(directory)), 0);
}

static void
a_past_month_goes_and_the_present_stays(void **state)
{
	(void)state;
	fresh();
	assert_true(search("data") > 0);
	const struct retain_report report = retain_all("data");
	assert_true(report.keys >= 4);
	assert_true(report.parts >= 9);
	assert_int_equal(report.kept, 0);
	assert_past_is_gone("data");
	assert_int_equal(look("data").types[EVENT_MONTH_ERASED], 1);
}

static void
a_second_round_finds_nothing_and_says_nothing(void **state)
{
	(void)state;
	fresh();
	retain_all("data");
	const struct retain_report report = retain_all("data");
	assert_int_equal(report.keys + report.parts, 0);
	assert_int_equal(look("data").types[EVENT_MONTH_ERASED], 1);
}

static void
a_hold_keeps_its_agent_and_what_names_it(void **state)
{
	(void)state;
	fresh();
	const uint64_t before = look("data").alice;
	place_hold("data", "alice", 0);
	struct retain_report report = retain_all("data");
	assert_int_equal(report.holds, 1);
	/* Alice's two handles, and the day under which she was refused. */
	assert_int_equal(report.kept, 3);
	struct remains remains = look("data");
	assert_int_equal(remains.alice, before + 1); /* and the hold's own words */
	assert_int_equal(remains.bob, 0);
	assert_int_equal(remains.types[EVENT_KEY_KEPT], 3);
	assert_int_equal(care_verify(at("data")), 0);
	/* Nothing but what is held is left: no further round is logged. */
	report = retain_all("data");
	assert_int_equal(report.keys + report.parts, 0);
	assert_int_equal(look("data").types[EVENT_MONTH_ERASED], 1);

	release_hold("data");
	report = retain_all("data");
	assert_int_equal(report.keys, 3);
	remains = look("data");
	assert_int_equal(remains.types[EVENT_MONTH_ERASED], 2);
	/* The hold's words are of this month. */
	assert_int_equal(remains.alice, 1);
	assert_int_equal(care_verify(at("data")), 0);
}

static void
a_restore_brings_no_past_month_back(void **state)
{
	(void)state;
	fresh();
	const struct options backup = { .data_dir = at("data"),
					.copy = at("backup"),
					.keys = at("keys") };
	assert_int_equal(backup_command(&backup), 0);
	retain_all("data");
	assert_int_equal(sh("rm data/witness.db* data/keys.db*"), 0);
	const struct options restore = {
		.data_dir = at("data"), .copy = at("backup"), .keys = at("keys"), .discard = true
	};
	assert_int_equal(restore_command(&restore), 0);
	assert_past_is_gone("data");
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
			struct retain_report report;
			_exit(retain_some(e, steps, &report) == ERASE_DONE ? 1 : 0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		done = WEXITSTATUS(status) == 1;
		evidence_close(open_evidence("data"), now_us);
		assert_int_not_equal(access(at("data/retaining"), F_OK), 0);
		if (look("data").types[EVENT_MONTH_ERASED] > 0) {
			assert_past_is_gone("data");
		}
		assert_int_equal(care_verify(at("data")), 0);
		retain_all("data");
		assert_past_is_gone("data");
	}
}

/* What a dry run says is what a round would find: however many holds stand. */
static void
a_dry_run_counts_every_hold(void **state)
{
	enum { HOLDS = 258 };
	struct event *events = calloc(HOLDS, sizeof *events);
	char fault[CARE_FAULT_MAX];
	char line[512];
	char said[4096];

	(void)state;
	fresh();
	assert_non_null(events);
	for (size_t i = 0; i < HOLDS; i++) {
		char agent[32];

		snprintf(agent, sizeof agent, "stranger-%zu", i);
		events[i].type = EVENT_HOLD_PLACED;
		events[i].hold_placed = (struct event_hold_placed){
			.hold = fixture_id(0x88, 10 + i),
			.operator_name = fixture_name("operator"),
			.agent_name = fixture_name(agent),
		};
	}
	assert_true(care_log(at("data"), FIXTURE_ORIGIN, events, HOLDS, fault));
	free(events);
	snprintf(line, sizeof line,
		 IFSWARM_BIN "/ifreplay retain --dry-run --payload-days 1 --json --data-dir %s",
		 at("data"));
	FILE *pipe = popen(line, "r");
	assert_non_null(pipe);
	said[fread(said, 1, sizeof said - 1, pipe)] = '\0';
	assert_int_equal(pclose(pipe), 0);
	if (strstr(said, "\"holds\":258") == NULL) {
		fail_msg("%s", said);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_past_month_goes_and_the_present_stays),
		cmocka_unit_test(a_second_round_finds_nothing_and_says_nothing),
		cmocka_unit_test(a_hold_keeps_its_agent_and_what_names_it),
		cmocka_unit_test(a_restore_brings_no_past_month_back),
		cmocka_unit_test(killed_at_any_step_it_is_carried_through),
		cmocka_unit_test(a_dry_run_counts_every_hold),
	};

	return cmocka_run_group_tests(tests, fixture_set_up, fixture_tear_down);
}
