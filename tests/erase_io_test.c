/* An agent is erased: nothing of it is left in any file of the data directory, and the proofs hold.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <sys/wait.h>

#include "replay/care_io.h"
#include "replay/commands_io.h"
#include "store/proof.h"
#include "tests/erase_fixture.h"

enum { STEPS_MAX = 10000 };

/* --- reading -----------------------------------------------------------------------------------
 */

static struct erase_plan
survey(const char *directory, const char *agent)
{
	struct reading r = open_reading(directory);
	const struct name name = fixture_name(agent);
	struct erase_plan plan;

	erase_plan_make(&plan, &name);
	if (!erase_survey(r.reader, r.keys, &plan)) {
		fail_msg("%s", log_reader_fault(r.reader));
	}
	close_reading(&r);
	return plan;
}

static bool
take_needles(void *context, const struct log_row *row)
{
	const struct erase_plan *plan = context;
	struct entry entry;

	assert_true(entry_read(row->entry, &entry));
	for (unsigned part = 0; part < entry.parts; part++) {
		bool goes = erase_plan_has(plan, &entry.part[part].subject);
		for (size_t i = 0; i < plan->part_count; i++) {
			goes |= plan->parts[i].seq == row->seq && plan->parts[i].part == part;
		}
		if (goes) {
			add_needle(row->salt[part].at, row->salt[part].count);
			add_needle(row->body[part].at, row->body[part].count);
		}
	}
	return true;
}

static void
take_key_needles(const char *directory, const struct erase_plan *plan)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *rows = NULL;
	char path[300];

	snprintf(path, sizeof path, "%s/keys.db", at(directory));
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_prepare_v2(db, "SELECT subject, wrapped FROM data_key", -1, &rows, NULL);
	while (sqlite3_step(rows) == SQLITE_ROW) {
		struct id subject;
		memcpy(&subject, sqlite3_column_blob(rows, 0), sizeof subject);
		if (erase_plan_has(plan, &subject)) {
			add_needle(sqlite3_column_blob(rows, 1),
				   (size_t)sqlite3_column_bytes(rows, 1));
		}
	}
	sqlite3_finalize(rows);
	sqlite3_close(db);
}

static void
learn_needles(const char *directory)
{
	struct erase_plan plan = survey(directory, "alice");
	struct reading r = open_reading(directory);

	needle_count = 0;
	add_needle("alice", 5);
	add_needle("192.0.2.1:", 10);
	assert_true(log_read_rows(r.reader, 0, UINT64_MAX, take_needles, &plan));
	take_key_needles(directory, &plan);
	close_reading(&r);
	erase_plan_free(&plan);
}

/* --- writing -----------------------------------------------------------------------------------
 */

static struct erase_order
order_for(const char *agent)
{
	return (struct erase_order){ .agent = fixture_name(agent),
				     .operator= fixture_id(0xEE, 1),
				     .operator_name = fixture_name("carol"),
				     .reason = fixture_name("Art. 17 request of 3 May") };
}

/* At most `steps` of it; the evidence is then left as a killed process leaves it, or closed. */
static enum erase_state
erase_some(struct evidence *e, const char *agent, unsigned steps, unsigned *taken)
{
	const struct erase_order order = order_for(agent);
	enum erase_state state = ERASE_WORKS;
	char fault[EVIDENCE_FAULT_MAX];
	struct erasing *x = erase_begin(e, &order, fault, sizeof fault);

	assert_non_null(x);
	for (*taken = 0; *taken < steps && state == ERASE_WORKS; ++*taken) {
		state = erase_step(x, now_us);
	}
	erase_end(x);
	return state;
}

static enum erase_state
erase_all(const char *directory, const char *agent)
{
	struct evidence *e = open_evidence(directory);
	unsigned taken;
	const enum erase_state state = erase_some(e, agent, STEPS_MAX, &taken);

	evidence_close(e, now_us);
	return state;
}

static void
fresh(void)
{
	assert_int_equal(sh("rm -rf data backup backup.partial keys; cp -a true data"), 0);
	learn_needles("data");
}

static void
assert_gone(const char *directory)
{
	const struct remains remains = look(directory);

	assert_int_equal(remains.alice, 0);
	assert_true(remains.bob > 0);
	if (search(directory) > 0) {
		fail_msg("%s", found_where);
	}
	assert_int_equal(care_verify(at(directory)), 0);
}

/* --- tests -------------------------------------------------------------------------------------
 */

static void
a_survey_finds_handles_parts_and_addresses(void **state)
{
	struct erase_plan plan;

	(void)state;
	fresh();
	plan = survey("data", "alice");
	/* As an agent and as a TURN user. */
	assert_int_equal(plan.subject_count, 2);
	assert_int_equal(plan.address_count, 1);
	/* The refusal, which lies under the key of the day. */
	assert_int_equal(plan.part_count, 1);
	assert_int_equal(plan.own_parts, 4);
	erase_plan_free(&plan);
	/* Whoever is a peer of alice's relay: that address goes, the relay's use stays. */
	plan = survey("data", "bob");
	assert_int_equal(plan.subject_count, 1);
	assert_int_equal(plan.part_count, 2);
	erase_plan_free(&plan);
	plan = survey("data", "nobody");
	assert_int_equal(plan.subject_count + plan.part_count, 0);
	erase_plan_free(&plan);
}

static void
nothing_is_left_of_who_is_erased(void **state)
{
	(void)state;
	fresh();
	assert_true(search("data") > 0);
	assert_true(look("data").alice > 0);
	assert_int_equal(erase_all("data", "alice"), ERASE_DONE);
	assert_gone("data");
	const struct remains remains = look("data");
	assert_int_equal(remains.types[EVENT_ERASE_REQUESTED], 1);
	assert_int_equal(remains.types[EVENT_SUBJECT_ERASED], 2);
	assert_int_equal(remains.types[EVENT_PART_ERASED], 1);
	assert_int_equal(remains.types[EVENT_ERASED], 1);
	/* Once more finds nothing, and says so. */
	assert_int_equal(erase_all("data", "alice"), ERASE_DONE);
	assert_int_equal(look("data").types[EVENT_SUBJECT_ERASED], 2);
	assert_gone("data");
}

struct proven {
	struct digest root;
	uint64_t size;
	struct proof proof;
};

static void
proofs_of_before_still_pass(void **state)
{
	struct proven before = { 0 };
	struct log_row row;
	struct digest leaf;
	uint64_t seq = 0;
	bool found = false;

	(void)state;
	fresh();
	struct reading r = open_reading("data");
	assert_true(log_reader_size(r.reader, &before.size));
	/* Alice's registration. */
	for (seq = 0; seq < before.size; seq++) {
		assert_true(log_read_row(r.reader, seq, &row, &found));
		if (row.type == EVENT_AGENT_REGISTERED) {
			break;
		}
	}
	assert_true(proof_root(log_fetch_hashes, r.reader, before.size, &before.root));
	assert_true(proof_inclusion(log_fetch_hashes, r.reader, before.size, seq, &before.proof));
	close_reading(&r);
	assert_int_equal(sh("cp data/head old"), 0);

	assert_int_equal(erase_all("data", "alice"), ERASE_DONE);
	r = open_reading("data");
	assert_true(log_read_row(r.reader, seq, &row, &found));
	assert_true(found);
	assert_int_equal(row.body[0].count, 0);
	entry_leaf_hash(row.entry, &leaf);
	assert_true(proof_check_inclusion(&leaf, seq, before.size, &before.root, &before.proof));
	close_reading(&r);
	char line[512];
	snprintf(line, sizeof line,
		 IFSWARM_BIN "/ifreplay verify --data-dir data --checkpoint old");
	assert_int_equal(sh(line), 0);
}

static void
a_restored_backup_brings_nobody_back(void **state)
{
	(void)state;
	fresh();
	const struct options backup = { .data_dir = at("data"),
					.copy = at("backup"),
					.keys = at("keys") };
	assert_int_equal(backup_command(&backup), 0);
	assert_int_equal(erase_all("data", "alice"), ERASE_DONE);
	/* The log and its keys are lost; what was published is left, and the backups of before. */
	assert_int_equal(sh("rm data/witness.db* data/keys.db*"), 0);
	const struct options restore = {
		.data_dir = at("data"), .copy = at("backup"), .keys = at("keys"), .discard = true
	};
	assert_int_equal(restore_command(&restore), 0);
	assert_gone("data");
}

static void
a_hold_refuses_and_its_release_allows(void **state)
{
	(void)state;
	fresh();
	place_hold("data", "alice", 0);
	assert_int_equal(erase_all("data", "alice"), ERASE_HELD);
	struct remains remains = look("data");
	assert_true(remains.alice > 0);
	assert_int_equal(remains.types[EVENT_ERASE_REQUESTED], 1);
	assert_int_equal(remains.types[EVENT_ERASE_REFUSED], 1);
	assert_int_equal(remains.types[EVENT_SUBJECT_ERASED], 0);
	release_hold("data");
	learn_needles("data");
	assert_int_equal(erase_all("data", "alice"), ERASE_DONE);
	assert_gone("data");
	/* The hold's own words about her, too. */
	assert_int_equal(look("data").types[EVENT_SUBJECT_ERASED], 3);
}

static void
a_hold_that_has_ended_refuses_nothing(void **state)
{
	(void)state;
	fresh();
	place_hold("data", "alice", now_us - 1);
	assert_int_equal(erase_all("data", "alice"), ERASE_DONE);
	assert_gone("data");
}

static void
a_hold_on_one_keeps_nobody_else(void **state)
{
	(void)state;
	fresh();
	place_hold("data", "bob", 0);
	assert_int_equal(erase_all("data", "alice"), ERASE_DONE);
	assert_gone("data");
}

static void
a_reason_is_needed_and_names_nobody(void **state)
{
	struct erase_order order = order_for("alice");
	struct evidence *e;
	char fault[EVIDENCE_FAULT_MAX];

	(void)state;
	fresh();
	e = open_evidence("data");
	order.reason = fixture_name("alice asked for it");
	assert_null(erase_begin(e, &order, fault, sizeof fault));
	order.reason.length = 0;
	assert_null(erase_begin(e, &order, fault, sizeof fault));
	evidence_close(e, now_us);
}

/* A new life under the same name begins after `ends`: it is left alone. */
static void
who_registers_again_is_not_erased(void **state)
{
	(void)state;
	fresh();
	struct fixture f;
	fixture_open(&f, at("data"));
	const uint64_t size = evidence_size(f.evidence);
	f.now_us = now_us;
	fixture_begin(&f);
	fixture_register(&f, 9, "alice", 99);
	fixture_commit(&f);
	struct erase_order order = order_for("alice");
	order.ends[STREAM_SESSION] = size;
	char fault[EVIDENCE_FAULT_MAX];
	struct erasing *x = erase_begin(f.evidence, &order, fault, sizeof fault);
	assert_non_null(x);
	while (erase_step(x, now_us) == ERASE_WORKS) {
	}
	assert_int_equal(erase_report_of(x).subjects, 2);
	erase_end(x);
	fixture_close(&f);
	assert_int_equal(look("data").alice, 1);
	assert_int_equal(care_verify(at("data")), 0);
}

/* Killed after each step in turn: at the next start it is carried through, or was never begun. */
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
			unsigned taken;
			_exit(erase_some(e, "alice", steps, &taken) == ERASE_DONE ? 1 : 0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		done = WEXITSTATUS(status) == 1;
		evidence_close(open_evidence("data"), now_us);
		const struct remains remains = look("data");
		assert_int_not_equal(access(at("data/erasing"), F_OK), 0);
		assert_int_equal(care_verify(at("data")), 0);
		/* Listed whole or in part: what is listed is gone. */
		if (remains.types[EVENT_SUBJECT_ERASED] > 0) {
			assert_int_equal(remains.types[EVENT_ERASED], 1);
			assert_gone("data");
		} else {
			assert_true(remains.alice > 0);
		}
		/* And asked again it goes through. */
		assert_int_equal(erase_all("data", "alice"), ERASE_DONE);
		assert_gone("data");
	}
}

/* Many keys come and go before: pages split, cells move; nothing of the erased may stay in the
 * gaps. */
static void
no_page_keeps_what_was_deleted(void **state)
{
	(void)state;
	assert_int_equal(sh("rm -rf data; cp -a true data"), 0);
	struct fixture f;
	fixture_open(&f, at("data"));
	f.now_us = now_us;
	for (unsigned i = 0; i < 600; i++) {
		struct event event = { .type = EVENT_AGENT_REGISTERED };
		char name[32];

		/* Handles as scattered as random ones. */
		snprintf(name, sizeof name, "other-%u", i);
		event.agent_registered = (struct event_agent_registered){
			.agent = { { (uint8_t)(i * 37), (uint8_t)(i >> 8), (uint8_t)i, 1 } },
			.room = fixture_id(0xB0, 1),
			.gateway = 1,
			.instance = fixture_id(0xC0, 1),
			.connection = 1000 + i,
			.agent_name = fixture_name(i % 10 == 5 ? "alice" : name),
			.client = fixture_address(1, 5000),
			.room_name = fixture_name("lobby"),
		};
		fixture_begin(&f);
		fixture_append(&f, STREAM_SESSION, &event);
		assert_int_equal(evidence_commit(f.evidence), EVIDENCE_OK);
	}
	fixture_close(&f);
	learn_needles("data");
	assert_true(needle_count > 150);
	assert_int_equal(erase_all("data", "alice"), ERASE_DONE);
	if (search("data") > 0) {
		fail_msg("%zu, the last: %s", found_count, found_where);
	}
	assert_int_equal(care_verify(at("data")), 0);
}

/* A reader in the middle of a transaction still needs old pages: it is waited for. */
static void
an_old_reader_is_waited_for(void **state)
{
	sqlite3 *reader = NULL;
	char fault[EVIDENCE_FAULT_MAX];
	const struct erase_order order = order_for("alice");
	enum erase_state ended = ERASE_WORKS;

	(void)state;
	fresh();
	struct evidence *e = open_evidence("data");
	assert_int_equal(
		sqlite3_open_v2(at("data/witness.db"), &reader, SQLITE_OPEN_READONLY, NULL),
		SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM event", NULL, NULL, NULL),
		SQLITE_OK);
	struct erasing *x = erase_begin(e, &order, fault, sizeof fault);
	assert_non_null(x);
	for (unsigned i = 0; i < STEPS_MAX && ended == ERASE_WORKS; i++) {
		ended = erase_step(x, now_us);
	}
	assert_int_equal(ended, ERASE_WAITS);
	assert_int_equal(sqlite3_close(reader), SQLITE_OK);
	while (ended == ERASE_WORKS || ended == ERASE_WAITS) {
		ended = erase_step(x, now_us);
	}
	assert_int_equal(ended, ERASE_DONE);
	erase_end(x);
	evidence_close(e, now_us);
	assert_gone("data");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_survey_finds_handles_parts_and_addresses),
		cmocka_unit_test(nothing_is_left_of_who_is_erased),
		cmocka_unit_test(proofs_of_before_still_pass),
		cmocka_unit_test(a_restored_backup_brings_nobody_back),
		cmocka_unit_test(a_hold_refuses_and_its_release_allows),
		cmocka_unit_test(a_hold_that_has_ended_refuses_nothing),
		cmocka_unit_test(a_hold_on_one_keeps_nobody_else),
		cmocka_unit_test(a_reason_is_needed_and_names_nobody),
		cmocka_unit_test(who_registers_again_is_not_erased),
		cmocka_unit_test(killed_at_any_step_it_is_carried_through),
		cmocka_unit_test(no_page_keeps_what_was_deleted),
		cmocka_unit_test(an_old_reader_is_waited_for),
	};

	return cmocka_run_group_tests(tests, fixture_set_up, fixture_tear_down);
}
