/* A revocation is worth nothing without its name, and outlives the month that it was said in: a
 * snapshot follows it, and carries it past retention. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "actors/allocation.h"
#include "actors/desk.h"
#include "actors/recover_io.h"
#include "actors/revocations.h"
#include "store/retain_io.h"
#include "tests/erase_fixture.h"

enum { MONTH = 202609, LATER_DAYS = 60, EPOCH = 1, MEMORY = 1024 * 1024 };

static struct allocation_state *
new_state(void)
{
	const struct allocation_limits limits = allocation_limits_of(0, 0, 3600, 1);

	return allocation_new(&limits);
}

/* --- the log ---------------------------------------------------------------------------------- */

/* `data`: the story of September, and one who is revoked. What a start is to read of it. */
static struct recovery
revoked(bool is_carried_on)
{
	static struct fixture f;
	struct event event = { .type = EVENT_TURN_AGENT_REVOKED };
	struct recovery recovery = { .data_dir = at("data"), .use_snapshot = true };

	event.turn_agent_revoked.agent = fixture_id(0xE7, 7);
	event.turn_agent_revoked.agent_name = fixture_name("mallory");
	assert_int_equal(sh("rm -rf data; cp -a true data"), 0);
	fixture_open(&f, at("data"));
	fixture_begin(&f);
	fixture_append(&f, STREAM_ALLOCATION, &event);
	fixture_commit(&f);
	if (is_carried_on) {
		fixture_snapshot(&f, STREAM_ALLOCATION);
	}
	recovery.version = evidence_stream_head(f.evidence, STREAM_ALLOCATION).version;
	recovery.to_seq = evidence_size(f.evidence);
	fixture_close(&f);
	return recovery;
}

static void
september_goes(void)
{
	char fault[EVIDENCE_FAULT_MAX];

	now_us = ((uint64_t)FIXTURE_START_S + LATER_DAYS * 86400) * 1000000;
	struct evidence *e = open_evidence("data");
	struct retaining *r = retain_begin(e, MONTH, fault, sizeof fault);

	assert_non_null(r);
	while (retain_step(r, now_us) == ERASE_WORKS) {
	}
	assert_true(retain_report_of(r).keys > 0);
	retain_end(r);
	evidence_close(e, now_us);
}

/* What a start finds of the name. */
static bool
is_found(const struct recovery *recovery, bool *is_lasting)
{
	const struct name name = fixture_name("mallory");
	struct allocation_state *state = new_state();
	const struct core core = allocation_core(state);
	struct recovered recovered = { 0 };
	char fault[512] = "";

	if (!recover(recovery, &core, &recovered, fault, sizeof fault)) {
		fail_msg("%s", fault);
	}
	const bool found = revocations_find(state->revoked, &name) != NULL;
	*is_lasting = recovered.is_lasting;
	allocation_free(state);
	return found;
}

static void
a_revocation_goes_with_its_month_unless_a_snapshot_carries_it_on(void **state)
{
	(void)state;
	for (int is_carried_on = 0; is_carried_on <= 1; is_carried_on++) {
		const struct recovery recovery = revoked(is_carried_on);
		bool is_lasting = false;

		assert_true(is_found(&recovery, &is_lasting));
		/* A start after a crash hears that there is something to carry on. */
		assert_int_equal(is_lasting, !is_carried_on);
		september_goes();
		assert_int_equal(is_found(&recovery, &is_lasting), is_carried_on);
	}
}

/* --- the desk --------------------------------------------------------------------------------- */

/* True if a snapshot is owed once what was appended is durable. */
static bool
owes_snapshot(struct desk *desk, uint8_t *memory)
{
	const uint8_t durable[] = { 0x93, ACCEPTED, 1, 2 };
	struct mp_writer w = mp_writer_of(memory, MEMORY);

	desk_tick(desk, now_us);
	if (desk_append(desk, &w)) {
		assert_int_equal(desk_appended(desk, (struct span){ durable, sizeof durable }),
				 ACCEPTED);
	}
	w = mp_writer_of(memory, MEMORY);
	return desk_snapshot(desk, &w);
}

static void
a_snapshot_follows_a_revocation_and_nothing_else(void **unused)
{
	static struct desk desk;
	static uint8_t memory[MEMORY];
	const uint8_t tail[6] = { 0 };
	struct allocation_state *state = new_state();
	const struct core core = allocation_core(state);
	struct command command = { .type = COMMAND_REVOKE,
				   .now_us = now_us,
				   .command_id = fixture_id(1, 1),
				   .revoke = { .agent = fixture_id(0xE7, 7),
					       .agent_name = fixture_name("mallory") } };

	(void)unused;
	assert_true(desk_init(&desk, &core, EPOCH, 0, 1000, tail));
	assert_int_equal(desk_run(&desk, &command, (struct span){ 0 }), ACCEPTED);
	assert_true(owes_snapshot(&desk, memory));
	command.revoke.undo = 1;
	assert_int_equal(desk_run(&desk, &command, (struct span){ 0 }), ACCEPTED);
	assert_false(owes_snapshot(&desk, memory));
	desk_free(&desk);
	allocation_free(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_revocation_goes_with_its_month_unless_a_snapshot_carries_it_on),
		cmocka_unit_test(a_snapshot_follows_a_revocation_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, fixture_set_up, fixture_tear_down);
}
