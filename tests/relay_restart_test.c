/* A relay over restarts: of the actor, whose next incarnation greets it, and of its own. */
#include "tests/relay_talk.h"

/* The actor is restarted when the END is on its way: until it has come, nothing flows that nobody
 * would count; and if whoever wanted it is gone, everybody else is left alone. */
static void
what_is_to_end_stays_closed_over_a_greeting(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	given(world);
	tell_expel(world, "ann", false);
	const struct command end = world->queue[0];
	world->queued = 0;
	greet(world);
	assert_int_equal(channel_data(world, ANN, 0x4000, "hello").action, RELAY_DROP);
	world->queue[world->queued++] = end;
	pump(world);
	assert_int_equal(relay_allocations(world->relay), 0);
	given(world);
	assert_int_equal(channel_data(world, ANN, 0x4000, "hello").action, RELAY_TO_PEER);
	world_free(world);
}

static void
a_restarted_actor_greets_and_packets_flow_on(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	given(world);
	use(world);
	greet(world);
	assert_logged(world);
	assert_int_equal(world->sockets_open, 1);
	use(world);
	relay_report_all(world->relay);
	pump(world);
	assert_logged(world);
	world_free(world);
}

static void
a_restarted_relay_gets_its_ports_back(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	given(world);
	relay_free(world->relay);
	world->sockets_open = 0;
	new_relay(world);
	assert_int_equal(channel_data(world, ANN, 0x4000, "x").action, RELAY_DROP);
	world->last_socket = world->next_socket;
	greet(world);
	assert_int_equal(world->sockets_open, 1);
	use(world);
	assert_int_equal(request(world, ANN, (struct ask){ REFRESH, .lifetime = -1 }), 0);
	assert_int_equal(world->sockets_open, 0);
	assert_logged(world);
	world_free(world);
}

static void
a_port_that_is_gone_ends_its_allocation(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	given(world);
	relay_free(world->relay);
	world->sockets_open = 0;
	world->port_is_gone = true;
	new_relay(world);
	greet(world);
	assert_int_equal(world->actor->table.rows_used, 0);
	assert_int_equal(relay_allocations(world->relay), 0);
	world_free(world);
}

/* Its end is asked; the actor is restarted before it has decided that. */
static void
a_port_that_is_there_again_brings_no_allocation_back(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);

	given(world);
	relay_free(world->relay);
	world->sockets_open = 0;
	world->port_is_gone = true;
	new_relay(world);
	greeted(world);
	assert_int_equal(world->queued, 1);
	struct command end = world->queue[0];
	assert_int_equal(end.type, COMMAND_END);
	world->queued = 0;
	world->port_is_gone = false;
	greet(world);
	assert_int_equal(channel_data(world, ANN, 0x4000, "x").action, RELAY_DROP);
	end.front = 1;
	assert_int_equal(decide(world, &end), ACCEPTED);
	deliver_notices(world);
	assert_int_equal(relay_allocations(world->relay), 0);
	assert_int_equal(world->sockets_open, 0);
	world_free(world);
}

static void
what_was_decided_before_the_actor_died_is_answered_after(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	const struct ask ask = { ALLOCATE, .transport = 17 };
	uint8_t memory[DATAGRAM_MAX];

	fetch_nonce(world, BOB);
	client_sends(world, BOB, write_request(world, &ask, memory));
	assert_int_equal(world->queued, 1);
	struct command repeated = world->queue[0];
	world->queue[0].front = 1;
	decide(world, &world->queue[0]); /* logged; then it dies, and its notice with it */
	world->queued = 0;
	world->replies = 0;
	greet(world);
	assert_int_equal(world->sockets_open, 1);
	repeated.front = 1;
	world->events.count = 0;
	outbox_begin(world->outbox, &repeated, 0);
	allocation_tell(world->actor, &repeated, (struct span){ 0 }, ACCEPTED, &world->events,
			world->outbox);
	deliver_notices(world);
	assert_int_equal(world->replies, 1);
	const struct stun_message reply = last_reply(world);
	assert_int_equal(reply.class, STUN_SUCCESS);
	assert_int_equal(reply.lifetime_s, 600);
	assert_int_equal(world->sockets_open, 1);
	world_free(world);
}

static void
what_was_refused_before_the_actor_died_is_no_success_after(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	const struct ask ask = { PERMISSION, PEER("198.51.100.9:1") };
	uint8_t memory[DATAGRAM_MAX];

	given(world);
	fetch_nonce(world, ANN);
	client_sends(world, ANN, write_request(world, &ask, memory));
	assert_int_equal(world->queued, 1);
	struct command repeated = world->queue[0];
	world->queued = 0;
	world->replies = 0;
	greet(world);
	/* Its id is not newer than one that was accepted later: it looks repeated. */
	repeated.front = 1;
	world->events.count = 0;
	outbox_begin(world->outbox, &repeated, 0);
	allocation_tell(world->actor, &repeated, (struct span){ 0 }, ACCEPTED, &world->events,
			world->outbox);
	deliver_notices(world);
	assert_int_equal(world->replies, 1);
	const struct stun_message reply = last_reply(world);
	assert_int_equal(stun_error_code(&reply), 500);
	world_free(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_to_end_stays_closed_over_a_greeting),
		cmocka_unit_test(a_restarted_actor_greets_and_packets_flow_on),
		cmocka_unit_test(a_restarted_relay_gets_its_ports_back),
		cmocka_unit_test(a_port_that_is_gone_ends_its_allocation),
		cmocka_unit_test(a_port_that_is_there_again_brings_no_allocation_back),
		cmocka_unit_test(what_was_decided_before_the_actor_died_is_answered_after),
		cmocka_unit_test(what_was_refused_before_the_actor_died_is_no_success_after),
	};

	return cmocka_run_group_tests_name("relay_restart", tests, world_setup, world_teardown);
}
