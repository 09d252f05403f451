/* What was relayed and refused, as it is told: at intervals, and before anything forgets it. */
#include "tests/relay_talk.h"

static void
usage_is_logged_at_intervals(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	given(world);
	use(world);
	relay_tick(world->relay, world->now_us);
	pump(world);
	assert_int_equal(world->logged.packets_up, 0);
	world->now_us += 60 * 1000000;
	relay_tick(world->relay, world->now_us);
	pump(world);
	assert_int_equal(world->logged.packets_up, 2);
	assert_logged(world);
	relay_tick(world->relay, world->now_us + 120 * 1000000ull);
	assert_int_equal(world->queued, 0); /* nothing new, nothing told */
	world_free(world);
}

static void
usage_is_logged_before_a_release(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	uint8_t memory[DATAGRAM_MAX];

	given(world);
	use(world);
	fetch_nonce(world, ANN);
	client_sends(world, ANN,
		     write_request(world, &(struct ask){ REFRESH, .lifetime = -1 }, memory));
	/* Nothing is relayed between the last report and the end. */
	assert_int_equal(channel_data(world, ANN, 0x4000, "hello").action, RELAY_DROP);
	pump(world);
	assert_logged(world);
	assert_int_equal(world->logged.packets_down, 2);
	world_free(world);
}

static void
usage_is_logged_after_expiry(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	given(world);
	use(world);
	world->now_us += 601 * 1000000ull;
	assert_int_equal(channel_data(world, ANN, 0x4000, "hello").action, RELAY_DROP);
	sweep(world); /* too early: the relay has its grace */
	assert_int_equal(world->sockets_open, 1);
	relay_tick(world->relay, world->now_us);
	pump(world);
	assert_logged(world);
	world->now_us += 5 * 1000000ull;
	sweep(world);
	assert_int_equal(world->sockets_open, 0);
	assert_int_equal(relay_allocations(world->relay), 0);
	world_free(world);
}

/* --- an agent is expelled --- */

/* The last thing that the relay asks of its actor is that it has done its part. */
static void
assert_answered(const struct world *world)
{
	assert_true(world->queued > 0);
	const struct command *last = &world->queue[world->queued - 1];
	assert_int_equal(last->type, COMMAND_EXPELLED);
	assert_true(id_equal(&last->expelled.expel, &STAGE));
}

static void
usage_is_logged_before_an_expulsion(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	allocate(world, "bob", BOB);
	given(world);
	use(world);
	tell_expel(world, "ann", false);
	assert_answered(world);
	assert_int_equal(channel_data(world, ANN, 0x4000, "hello").action, RELAY_DROP);
	pump(world);
	assert_logged(world);
	assert_int_equal(world->logged.packets_down, 2);
	assert_int_equal(world->sockets_open, 1); /* bob's */
	assert_int_equal(relay_allocations(world->relay), 1);
	tell_expel(world, "ann", true);
	assert_answered(world);
	assert_int_equal(request(world, ANN, (struct ask){ REFRESH, .lifetime = 600 }), 437);
	world_free(world);
}

/* Its credential is still good: what it is given relays nothing, and ends at once. */
static void
who_is_being_expelled_gets_nothing_new(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	allocate(world, "bob", BOB);
	tell_expel(world, "ann", false);
	pump(world);
	assert_int_equal(
		request(world, ANN,
			(struct ask){ .method = TURN_ALLOCATE, .user = "ann", .transport = 17 }),
		0);
	assert_int_equal(relay_allocations(world->relay), 1);
	tell_expel(world, "ann", true);
	pump(world);
	given(world);
	assert_int_equal(channel_data(world, ANN, 0x4000, "hello").action, RELAY_TO_PEER);
	world_free(world);
}

static void
refusals_are_told_before_it_is_over(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	assert_int_equal(request(world, ANN, (struct ask){ REFRESH, .lifetime = 600 }), 437);
	tell_expel(world, "nobody", false);
	assert_answered(world);
	pump(world);
	assert_int_equal(world->refused_events, 1);
	world_free(world);
}

static void
refusals_of_who_was_expelled_do_not_name_him(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	tell_expel(world, "ann", false);
	pump(world);
	assert_int_equal(request(world, ANN, (struct ask){ REFRESH, .lifetime = 600 }), 437);
	tell_expel(world, "ann", true);
	assert_answered(world);
	assert_int_equal(world->queue[0].type, COMMAND_TURN_REFUSED);
	assert_int_equal(world->queue[0].turn_refused.count, 1);
	assert_int_equal(world->queue[0].turn_refused.user_name.length, 0);
	assert_int_equal(world->queue[0].turn_refused.source.family, ADDRESS_NONE);
	world_free(world);
}

static void
what_cannot_be_said_is_said_later(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	given(world);
	use(world);
	world->line_is_full = true;
	tell_expel(world, "ann", false);
	relay_tick(world->relay, world->now_us);
	assert_int_equal(world->queued, 0);
	assert_int_equal(channel_data(world, ANN, 0x4000, "hello").action, RELAY_DROP);
	world->line_is_full = false;
	relay_tick(world->relay, world->now_us);
	assert_answered(world);
	pump(world);
	assert_logged(world);
	assert_int_equal(relay_allocations(world->relay), 0);
	world_free(world);
}

/* Too much is on its way to tell it: the view is replaced, or a permission is forgotten. */
static void
usage_that_cannot_be_told_yet_outlives_a_greeting(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	given(world);
	use(world);
	world->line_is_full = true;
	greet(world);
	assert_int_equal(world->logged.packets_up, 0);
	use(world);
	greet(world);
	world->line_is_full = false;
	relay_report_all(world->relay);
	pump(world);
	assert_logged(world);
	world_free(world);
}

static void
usage_that_cannot_be_told_yet_outlives_its_permission(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	uint8_t memory[DATAGRAM_MAX];
	const struct ask again = { PERMISSION, PEER("198.51.100.3:1") };

	given(world);
	use(world);
	assert_int_equal(request(world, ANN, (struct ask){ REFRESH, .lifetime = 3600 }), 0);
	fetch_nonce(world, ANN);
	client_sends(world, ANN, write_request(world, &again, memory));
	world->now_us += 700 * 1000000ull;
	world->line_is_full = true;
	pump(world); /* what ended is forgotten by the actor and here */
	assert_int_equal(world->logged.packets_up, 0);
	greet(world);
	world->line_is_full = false;
	relay_report_all(world->relay);
	pump(world);
	assert_logged(world);
	/* Nothing of it is told twice, or as somebody else's. */
	relay_report_all(world->relay);
	pump(world);
	assert_logged(world);
	world_free(world);
}

static void
usage_of_a_dead_permission_is_logged_before_it_is_forgotten(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	given(world);
	use(world);
	assert_int_equal(request(world, ANN, (struct ask){ REFRESH, .lifetime = 3600 }), 0);
	world->now_us += 700 * 1000000ull;
	assert_int_equal(request(world, ANN, (struct ask){ PERMISSION, PEER("198.51.100.1:1") }),
			 0);
	pump(world);
	assert_logged(world);
	world_free(world);
}

static void
an_expired_allocation_gives_way_with_its_usage_told(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	given(world);
	use(world);
	world->now_us += 602 * 1000000ull;
	allocate(world, "ann", ANN);
	assert_logged(world);
	assert_int_equal(world->sockets_open, 1);
	assert_int_equal(world->actor->table.rows_used, 1);
	world_free(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usage_is_logged_at_intervals),
		cmocka_unit_test(usage_is_logged_before_a_release),
		cmocka_unit_test(usage_is_logged_after_expiry),
		cmocka_unit_test(usage_is_logged_before_an_expulsion),
		cmocka_unit_test(who_is_being_expelled_gets_nothing_new),
		cmocka_unit_test(refusals_are_told_before_it_is_over),
		cmocka_unit_test(refusals_of_who_was_expelled_do_not_name_him),
		cmocka_unit_test(what_cannot_be_said_is_said_later),
		cmocka_unit_test(usage_of_a_dead_permission_is_logged_before_it_is_forgotten),
		cmocka_unit_test(usage_that_cannot_be_told_yet_outlives_a_greeting),
		cmocka_unit_test(usage_that_cannot_be_told_yet_outlives_its_permission),
		cmocka_unit_test(an_expired_allocation_gives_way_with_its_usage_told),
	};

	return cmocka_run_group_tests_name("relay_usage", tests, world_setup, world_teardown);
}
