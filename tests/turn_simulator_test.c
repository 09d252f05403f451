/* The TURN simulator: the allocation actor and its relays under crashes, with clients that
 * allocate, reserve ports, refresh, move from relay to relay, permit, bind and send. A failing seed
 * is printed and can be given as the argument.
 *
 * What must hold, whatever happens:
 *   - the state that the log gives equals the live one, always;
 *   - a client gets no success that is not durable;
 *   - once quiet, each relay's view is what the actor holds, with a socket for each allocation,
 *     which is one relay's alone, however often its client has moved;
 *   - no relay lets anything through to a peer that its policy, which is reloaded now and then,
 *     forbids, and none is permitted for long;
 *   - a client whose connection closed (every other one comes over TCP) and who has no ticket holds
 *     nothing any more;
 *   - unless a relay died, the sums in the log are what was relayed, also of who was expelled;
 *   - who was expelled holds nothing, and is gone from the state. */
#include "tests/turn_simulated_clients.h"

enum { STEPS = 6000, SEEDS = 30 };

/* --- histories
 * ---------------------------------------------------------------------------------------------------
 */

/* As a reload does that denies one of the peers, or no longer does. */
static void
change_policy(size_t r)
{
	struct sim_relay *relay = &world.relays[r];
	struct peer_policy *policy = &relay->config.policy;

	relay->denies = !relay->denies;
	policy->rule_count = 0;
	assert_null(peer_policy_add_allow(policy, relay->denies ? "198.51.100.1-198.51.100.2"
								: "198.51.100.0/24"));
	relay_reload(relay->relay, &relay->config);
}

static void
step(bool busy)
{
	const uint64_t choice = draw(1000);
	const size_t r = draw(RELAYS);

	sim.now_us += draw(4000);
	if (busy && choice < 300) {
		client_acts(r);
	} else if (choice < 700) {
		if (sim_run_wire(r, draw(LINK_LANES))) {
			take_notices(r);
		}
		if (draw(4) == 0) {
			take_post(r);
		}
	} else if (choice < 850) {
		sim_run_actor();
	} else if (choice < 970) {
		sim_run_witness();
	} else if (choice < 985) {
		desk_tick(&sim.actor.desk, sim.now_us);
	} else if (choice < 990) {
		relay_tick(world.relays[r].relay, sim.now_us);
		relay_fetch_tick(world.relays[r].relay, sim.now_us);
		run_operator();
		if (busy) {
			expel_somebody();
		}
	} else if (busy && choice < 994) {
		sim_crash_actor();
	} else if (busy && choice < 996 && world.relays_may_die) {
		start_relay(r);
	} else if (busy && choice < 998) {
		change_policy(r);
	} else if (busy) {
		close_connection(r);
	}
}

static uint64_t
bytes_logged(void)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < sim.actor.logged; i++) {
		const struct event *event = &sim.actor.log[i].event;
		if (event->type == EVENT_TURN_RELAY_USAGE) {
			sum += event->turn_relay_usage.bytes_up;
		}
	}
	return sum;
}

static void
check_views(void)
{
	const struct allocation_state *state = sim.actor.core.state;
	uint32_t seen = 0;

	for (size_t r = 0; r < RELAYS; r++) {
		const uint32_t held = relay_allocations(world.relays[r].relay);
		if (held != world.relays[r].sockets_open) {
			SIM_FAIL("relay %zu has %u allocations and %u sockets", r + 1, held,
				 world.relays[r].sockets_open);
		}
		seen += held;
	}
	if (seen != state->table.rows_used) {
		SIM_FAIL("the actor holds %u allocations, the relays %u", state->table.rows_used,
			 seen);
	}
}

static void
run_seed(uint64_t seed, bool relays_may_die, bool agents_are_expelled)
{
	for (size_t r = 0; r < RELAYS; r++) {
		relay_free(world.relays[r].relay);
	}
	integrity_close(&world.integrity);
	world = (struct world){ .relays_may_die = relays_may_die,
				.agents_are_expelled = agents_are_expelled };
	integrity_open(&world.integrity);
	sim_begin(seed, RELAYS);
	for (size_t r = 0; r < RELAYS; r++) {
		start_relay(r);
	}
	for (int i = 0; i < STEPS; i++) {
		step(true);
	}
	/* Longer than any lifetime: all allocations end, all usage is reported. */
	for (int i = 0; i < STEPS * 8; i++) {
		step(false);
	}
	check_views();
	assert_true(sim_count_logged(EVENT_TURN_ALLOCATION_CREATED) > 5);
	assert_true(world.successes > 100);
	assert_true(world.relayed_up > 100);
	forbidden += sim_count_logged(EVENT_TURN_PEER_FORBIDDEN);
	moves += sim_count_logged(EVENT_TURN_ALLOCATION_MOVED);
	assert_true(!agents_are_expelled || sim.operator.answered> 0);
	if (!relays_may_die && bytes_logged() != world.relayed_up) {
		SIM_FAIL("%llu bytes relayed, %llu in the log",
			 (unsigned long long)world.relayed_up, (unsigned long long)bytes_logged());
	}
	sim_end();
}

enum { SEEDS_STAY = 0, SEEDS_DIE = 1000, SEEDS_EXPEL = 2000, SEEDS_ALL = 3000 };

static void
run_one(uint64_t seed)
{
	run_seed(seed, seed > SEEDS_ALL || (seed > SEEDS_DIE && seed < SEEDS_EXPEL),
		 seed > SEEDS_EXPEL);
}

static void
run_seeds(uint64_t first)
{
	for (uint64_t seed = 1; seed <= sim_seeds(SEEDS); seed++) {
		run_one(first + seed);
	}
}

static void
given_crashes_of_allocation_and_witness_then_every_byte_is_in_the_log(void **unused)
{
	(void)unused;
	run_seeds(SEEDS_STAY);
}

static void
given_relays_that_die_too_then_views_and_sockets_agree(void **unused)
{
	(void)unused;
	run_seeds(SEEDS_DIE);
}

static void
given_agents_that_are_expelled_then_their_bytes_are_in_the_log_and_they_are_forgotten(void **unused)
{
	(void)unused;
	run_seeds(SEEDS_EXPEL);
}

static void
given_all_of_it_together_then_views_and_sockets_agree(void **unused)
{
	(void)unused;
	run_seeds(SEEDS_ALL);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			given_crashes_of_allocation_and_witness_then_every_byte_is_in_the_log),
		cmocka_unit_test(given_relays_that_die_too_then_views_and_sockets_agree),
		cmocka_unit_test(
			given_agents_that_are_expelled_then_their_bytes_are_in_the_log_and_they_are_forgotten),
		cmocka_unit_test(given_all_of_it_together_then_views_and_sockets_agree),
	};

	sim.actor.fresh = fresh;
	sim.actor.discard = discard;
	sim_allocate(RELAYS);
	if (argc > 1) {
		run_one(strtoull(argv[1], NULL, 10));
		return 0;
	}
	const int failed = cmocka_run_group_tests(tests, NULL, NULL);

	/* Or the seeds, however few, no longer reach what they are for. */
	assert(forbidden > 0);
	assert(fetched > sim_seeds(SEEDS));
	assert(handed > 5 * sim_seeds(SEEDS) && moves > 5 * sim_seeds(SEEDS));
	return failed;
}
