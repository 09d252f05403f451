/* Floods from strangers, and what they may cost: no memory, few rows, and no count that goes wrong
 * (THREATS D and G). */
#include "tests/relay_world.h"

#include <sys/resource.h>

#include "actors/relay_refusals.h"

#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED 0
#endif

/* The sanitizer keeps what was freed, so there memory says nothing, and a tenth is flood enough. */
enum {
	STRANGERS = IS_SANITIZED ? 100000 : 1000000,
	ANSWERED_PER_S = 5000, /* below what the limiter lets through, so that each is answered */
	RSS_GROWTH_MAX_KB = 1024,
};

static long
rss_kb(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

static struct address
stranger(uint32_t number)
{
	struct address source = address_of("203.0.0.0:1000");

	source.bytes[1] = (uint8_t)(number >> 16);
	source.bytes[2] = (uint8_t)(number >> 8);
	source.bytes[3] = (uint8_t)number;
	return source;
}

static void
stranger_sends(struct world *world, uint32_t number, struct span datagram)
{
	const struct address source = stranger(number);

	if (number % ANSWERED_PER_S == 0) {
		world->now_us += 1000 * 1000;
		relay_tick(world->relay, world->now_us);
		pump(world);
	}
	const struct relay_answer answer =
		relay_handle_client(world->relay, LISTENER, &source, datagram, world->now_us);
	assert_true(answer.action == RELAY_REPLY || answer.action == RELAY_DROP);
	world->replies += answer.action == RELAY_REPLY;
}

static void
flood(uint16_t method)
{
	struct world *world = world_new(false);
	uint8_t memory[DATAGRAM_MAX];
	const struct ask ask = { .method = method };
	const struct span datagram = write_request(world, &ask, memory);

	for (uint32_t i = 0; i < STRANGERS / 10; i++) {
		stranger_sends(world, i, datagram);
	}
	const long before = rss_kb();
	world->replies = 0;
	for (uint32_t i = 0; i < STRANGERS; i++) {
		stranger_sends(world, i, datagram);
	}
	/* Sources that meet in a place of the limiter share its allowance: none does so often. */
	assert_int_equal(world->replies, STRANGERS);
	assert_int_equal(relay_allocations(world->relay), 0);
	if (!IS_SANITIZED) {
		assert_true(rss_kb() - before < RSS_GROWTH_MAX_KB);
	}
	world_free(world);
}

static void
threat_D1_a_million_allocates_without_credentials(void **unused)
{
	(void)unused;
	flood(TURN_ALLOCATE);
}

static void
threat_D2_a_million_bindings(void **unused)
{
	(void)unused;
	flood(TURN_BINDING);
}

/* Wrong passwords, each from another source: the log gets at most the table's rows in a window. */
static void
threat_G9_refusals_are_rows_per_window(void **unused)
{
	enum { SECONDS = 60, ATTEMPTS_PER_S = 1000 };
	struct world *world = world_new(false);
	uint8_t memory[DATAGRAM_MAX];
	const struct ask ask = {
		.method = TURN_REFRESH, .user = "ann", .password = "guess", .stale = true
	};
	uint32_t number = 0;

	(void)unused;
	for (uint32_t second = 0; second < SECONDS; second++) {
		for (uint32_t i = 0; i < ATTEMPTS_PER_S; i++) {
			const struct span datagram = write_request(world, &ask, memory);
			stranger_sends(world, number++ / 20, datagram); /* 20 from each */
		}
		world->now_us += 1000 * 1000;
		relay_tick(world->relay, world->now_us);
		pump(world);
	}
	assert_true(world->refused_events > 0);
	assert_true(world->refused_events <=
		    (SECONDS / REFUSALS_WINDOW_S + 1) * (REFUSALS_MAX + 1));
	world_free(world);
}

/* Four allocations are a user's quota. */
static void
threat_D17_the_quota_counts_what_lives(void **unused)
{
	static const char *const clients[] = { "203.0.113.11:1", "203.0.113.12:1", "203.0.113.13:1",
					       "203.0.113.14:1", "203.0.113.15:1" };
	const struct ask one_more = { .method = TURN_ALLOCATE, .user = "ann", .transport = 17 };
	struct world *world = world_new(false);

	(void)unused;
	for (unsigned round = 0; round < 3; round++) {
		for (size_t i = 0; i < 4; i++) {
			allocate(world, "ann", clients[i]);
		}
		assert_int_equal(request(world, clients[4], one_more), 486);

		/* The relay dies and takes its view back: nothing is counted twice or forgotten. */
		relay_free(world->relay);
		world->sockets_open = 0;
		world->config.seed[0]++; /* each process draws its own */
		new_relay(world);
		greet(world);
		assert_int_equal(relay_allocations(world->relay), 4);
		assert_int_equal(request(world, clients[4], one_more), 486);

		for (size_t i = 0; i < 4; i++) {
			assert_int_equal(
				request(world, clients[i], (struct ask){ REFRESH, .lifetime = -1 }),
				0);
		}
		assert_int_equal(relay_allocations(world->relay), 0);
	}
	world_free(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threat_D1_a_million_allocates_without_credentials),
		cmocka_unit_test(threat_D2_a_million_bindings),
		cmocka_unit_test(threat_G9_refusals_are_rows_per_window),
		cmocka_unit_test(threat_D17_the_quota_counts_what_lives),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
