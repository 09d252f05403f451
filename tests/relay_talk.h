/* What clients and peers of a relay_world say, and what is looked at then. */
#ifndef IFSWARM_TESTS_RELAY_TALK_H
#define IFSWARM_TESTS_RELAY_TALK_H

#include "tests/relay_world.h"

static inline struct relay_answer
channel_data(struct world *world, const char *client, unsigned channel, const char *text)
{
	uint8_t memory[DATAGRAM_MAX];
	const size_t count = strlen(text);
	const uint8_t head[] = { (uint8_t)(channel >> 8), (uint8_t)channel, 0, (uint8_t)count };

	memcpy(memory, head, sizeof head);
	memcpy(memory + 4, text, count);
	struct relay_answer answer =
		client_sends(world, client, (struct span){ memory, 4 + count });
	if (answer.action == RELAY_TO_PEER) {
		assert_int_equal(answer.bytes.count, count);
		assert_memory_equal(answer.bytes.at, text, count);
	}
	answer.bytes.at = NULL;
	return answer;
}

static inline enum relay_action
send_indication(struct world *world, const char *peer, const char *text, bool dont_fragment)
{
	return client_sends_data(world, ANN, peer, text, dont_fragment).action;
}

/* What the client gets, in `out`; its length, 0 if nothing. */
static inline size_t
peer_sends(struct world *world, const char *peer, const char *text, uint8_t *out)
{
	uint8_t memory[RELAY_HEADROOM + 256 + RELAY_TAILROOM];
	const struct address source = address_of(peer);

	memcpy(memory + RELAY_HEADROOM, text, strlen(text));
	const struct relay_answer answer =
		relay_handle_peer(world->relay, world->last_socket, &source,
				  memory + RELAY_HEADROOM, strlen(text), world->now_us);
	if (answer.action == RELAY_DROP) {
		return 0;
	}
	const struct address ann = address_of(ANN);
	assert_int_equal(answer.action, RELAY_TO_CLIENT);
	assert_true(address_equal(&answer.to, &ann));
	memcpy(out, answer.bytes.at, answer.bytes.count);
	return answer.bytes.count;
}

static inline void
assert_logged(struct world *world)
{
	assert_int_equal(world->logged.packets_up,
			 relay_counted(world->relay, RELAY_COUNT_PACKETS_UP));
	assert_int_equal(world->logged.bytes_up, relay_counted(world->relay, RELAY_COUNT_BYTES_UP));
	assert_int_equal(world->logged.packets_down,
			 relay_counted(world->relay, RELAY_COUNT_PACKETS_DOWN));
	assert_int_equal(world->logged.bytes_down,
			 relay_counted(world->relay, RELAY_COUNT_BYTES_DOWN));
}

static inline void
use(struct world *world)
{
	uint8_t out[DATAGRAM_MAX];

	assert_int_equal(channel_data(world, ANN, 0x4000, "hello").action, RELAY_TO_PEER);
	assert_int_equal(send_indication(world, "198.51.100.1:9", "hi", false), RELAY_TO_PEER);
	assert_int_not_equal(peer_sends(world, "198.51.100.2:7000", "answer", out), 0);
	assert_int_not_equal(peer_sends(world, "198.51.100.1:9", "abc", out), 0);
}

static const struct id STAGE = { { 42 } };

static inline void
tell_expel(struct world *world, const char *agent, bool over)
{
	struct notice notice = { .type = NOTICE_EXPEL,
				 .command_id = STAGE,
				 .expel = { .over = over } };

	name_set(&notice.expel.agent_name, agent, strlen(agent));
	relay_handle_notice(world->relay, &notice, (struct span){ 0 }, world->now_us);
}

#endif
