/* What relays hear of the allocation actor, and the promise that what is rebuilt from its events,
 * with or without the personal parts, equals what lived. */
#include "tests/allocation_world.h"

static size_t
read_notices(struct outbox *outbox, uint64_t front, struct notice *notices,
	     struct allocation_state *view)
{
	uint8_t *memory = malloc(DUMP_BYTES);
	struct mp_writer w = mp_writer_of(memory, DUMP_BYTES);
	size_t count = 0;

	outbox_write(outbox, front, UINT64_MAX, &w);
	struct mp_reader r = mp_reader_of(mp_written(&w));
	mp_get_u64(&r);
	for (size_t left = mp_get_array(&r, 1000); left > 0; left--) {
		struct span body = { 0 };
		notice_read(&r, &notices[count++], &body);
		assert_false(r.bad);
		struct mp_reader events = mp_reader_of(body);
		for (size_t n = body.count == 0 ? 0 : mp_get_array(&events, 64); n > 0; n--) {
			struct event event;
			event_read(&events, &event);
			assert_false(events.bad);
			allocation_apply(view, &event);
		}
	}
	free(memory);
	return count;
}

static void
a_relay_hears_of_its_own(void **unused)
{
	(void)unused;
	struct world world = world_new();
	struct outbox *outbox = calloc(1, sizeof *outbox);
	struct allocation_limits small = small_limits(3);
	struct allocation_state *view = allocation_new(&small);
	struct notice notices[16];
	const struct command tick = own(COMMAND_SWEEP);
	const struct address other = address_of("198.51.100.2:7000");

	outbox_init(outbox);
	given(&world);
	assert_int_equal(run(&world, by_relay(allocate_of(2, "bob", "203.0.113.2:1", 50001, 1), 2)),
			 ACCEPTED);
	outbox_attach(outbox, 1, false, 1);
	outbox_begin(outbox, &tick, 0);
	allocation_greet(world.live, 1, outbox);
	assert_int_equal(read_notices(outbox, 1, notices, view), 2);
	assert_int_equal(notices[0].type, NOTICE_HAPPENED);
	assert_int_equal(notices[0].happened.count, 0);
	assert_int_equal(view->table.rows_used, 1);
	assert_int_equal(view->table.peers_used, 3);
	assert_int_not_equal(channel_find_peer(&view->table, 0, &other, world.now_us), PEER_NONE);

	world.now_us += 700 * 1000000ull;
	run(&world, tick);
	assert_int_equal(world.events.count, 2);
	outbox_attach(outbox, 1, false, 1);
	outbox_begin(outbox, &tick, 0);
	allocation_tell(world.live, &tick, (struct span){ 0 }, ACCEPTED, &world.events, outbox);
	assert_int_equal(read_notices(outbox, 1, notices, view), 1);
	assert_int_equal(view->table.rows_used, 0);
	assert_int_equal(read_notices(outbox, 2, notices, view), 1);
	outbox_free(outbox);
	free(outbox);
	allocation_free(view);
	world_free(&world);
}

/* Only a relay that there is hears that a user is forgotten: nobody else would ever acknowledge it.
 */
static void
all_relays_hear_who_is_forgotten(void **unused)
{
	(void)unused;
	struct world world = world_new();
	struct outbox *outbox = calloc(1, sizeof *outbox);
	const struct command expel = expel_of("ann", true);
	struct command attach = by_relay(own(COMMAND_ATTACH), 2);

	outbox_init(outbox);
	attach.attach.instance = id_of(9, 1);
	assert_int_equal(run(&world, attach), ACCEPTED);
	given(&world);
	run(&world, expel);
	run(&world, expel);
	assert_int_equal(world.events.count, 1);
	outbox_begin(outbox, &expel, 0);
	allocation_tell(world.live, &expel, (struct span){ 0 }, ACCEPTED, &world.events, outbox);
	assert_true(outbox_has(outbox, 2, UINT64_MAX));
	assert_false(outbox_has(outbox, 1, UINT64_MAX));
	outbox_free(outbox);
	free(outbox);
	world_free(&world);
}

static uint64_t
random_next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static struct command
random_command(uint64_t *seed, uint64_t *allocations)
{
	static const char *const users[] = { "ann", "bob", "cyd", "" };
	const uint64_t pick = random_next(seed);
	const uint64_t which =
		*allocations == 0 ? 1
				  : *allocations - pick / 7 % (*allocations < 9 ? *allocations : 9);
	char client[32], peer[32];
	struct command command;
	const bool over_ipv6 = pick / 53 % 3 == 0;

	snprintf(client, sizeof client, "203.0.113.%u:7", (unsigned)(pick / 11 % 9 + 1));
	snprintf(peer, sizeof peer, over_ipv6 ? "[2001:db8:1::%u]:%u" : "198.51.100.%u:%u",
		 (unsigned)(pick / 13 % 5 + 1), (unsigned)(pick / 17 % 3 + 1));
	switch (pick % 10) {
	case 0:
	case 1:
		++*allocations;
		command = allocate_of(*allocations, users[pick / 19 % 4], client,
				      (uint16_t)(50000 + pick / 23 % 8), (uint8_t)pick);
		command.allocate.client_transport = pick / 37 % 4;
		if (pick / 59 % 2 == 0) {
			command.allocate.relayed_also = address_of("[2001:db8::1]:50000");
			command.allocate.relayed_also.port = (uint16_t)(50000 + pick / 61 % 8);
		}
		return by_relay(command, pick / 29 % 2 + 1);
	case 2:
		command = refresh_of(which, pick / 31 % 4 * 500);
		command.refresh.family =
			(uint64_t[]){ 0, ADDRESS_IPV4, ADDRESS_IPV6 }[pick / 67 % 3];
		return by_relay(command, pick / 29 % 2 + 1);
	case 3:
	case 4:
		return by_relay(permit_of(which, peer, pick % 4 == 0 ? client : NULL),
				pick / 29 % 2 + 1);
	case 5:
	case 6:
		return by_relay(bind_of(which, 0x4000 + pick / 37 % 6, peer), pick / 29 % 2 + 1);
	case 7:
		return by_relay(usage_of(which, pick / 41 % 4, pick / 43 % 3), pick / 29 % 2 + 1);
	case 8:
		if (pick % 7 == 0) {
			return expel_of(users[pick / 19 % 3], true);
		}
		return pick % 3 == 0 ? end_of(which, END_PORT_LOST) : refused_of(pick / 47 % 3);
	case 9:
		if (pick % 3 == 0) {
			return by_relay(move_of(which, pick / 71 % 3, client), pick / 29 % 2 + 1);
		}
		return own(pick % 97 == 0 ? COMMAND_CLOSE : COMMAND_SWEEP);
	default:
		return own(COMMAND_SWEEP);
	}
}

static void
what_is_rebuilt_equals_what_lives(void **unused)
{
	(void)unused;
	for (uint64_t start = 1; start <= 20; start++) {
		struct world world = world_new();
		uint64_t seed = start * 0x9E3779B97F4A7C15u;
		uint64_t allocations = 0;

		for (unsigned step = 0; step < 600; step++) {
			world.now_us += random_next(&seed) % 40 * 1000000;
			run(&world, random_command(&seed, &allocations));
			assert_same(&world, world.replayed);
			assert_same(&world, world.keyless);
			if (step % 100 == 99) {
				assert_restores(&world);
			}
		}
		world_free(&world);
	}
}

static void
a_broken_dump_is_not_restored(void **unused)
{
	(void)unused;
	struct world world = world_new();
	struct allocation_limits small = small_limits(3);
	struct allocation_state *state = allocation_new(&small);
	struct command both = allocate_of(2, "bob", "203.0.113.2:1", 50001, 1);

	given(&world);
	both.allocate.relayed_also = address_of("[2001:db8::1]:50001");
	assert_int_equal(run(&world, both), ACCEPTED);
	const struct span dump = dump_of(world.live, world.dumps[0]);
	for (size_t cut = 0; cut < dump.count; cut++) {
		allocation_clear(state);
		assert_false(allocation_restore(state, (struct span){ dump.at, cut },
						(struct span){ 0 }));
	}
	allocation_free(state);
	world_free(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_relay_hears_of_its_own),
		cmocka_unit_test(all_relays_hear_who_is_forgotten),
		cmocka_unit_test(what_is_rebuilt_equals_what_lives),
		cmocka_unit_test(a_broken_dump_is_not_restored),
	};

	return cmocka_run_group_tests_name("allocation_replay", tests, NULL, NULL);
}
