/* What a relay relays: data both ways, what is counted of it, and what a restart of either side
 * costs. */
#include "tests/relay_world.h"

static struct relay_answer
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

static enum relay_action
send_indication(struct world *world, const char *peer, const char *text, bool dont_fragment)
{
	return client_sends_data(world, ANN, peer, text, dont_fragment).action;
}

/* What the client gets, in `out`; its length, 0 if nothing. */
static size_t
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

static void
data_flows_both_ways(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	const struct address second = address_of("198.51.100.2:7000");
	uint8_t out[DATAGRAM_MAX];
	struct stun_message message;
	struct channel_data channel;

	given(world);
	const struct relay_answer up = channel_data(world, ANN, 0x4000, "hello");
	assert_int_equal(up.action, RELAY_TO_PEER);
	assert_true(address_equal(&up.to, &second));
	assert_int_equal(up.from, world->last_socket);
	assert_int_equal(send_indication(world, "198.51.100.1:9", "hello", false), RELAY_TO_PEER);
	/* threat_F11: served, for that datagram alone. */
	assert_int_equal(send_indication(world, "198.51.100.1:9", "hello", true), RELAY_TO_PEER);

	size_t count = peer_sends(world, "198.51.100.2:7000", "answer", out);
	assert_int_equal(count, 10);
	assert_true(turn_channel_read((struct span){ out, count }, &channel));
	assert_int_equal(channel.channel, 0x4000);
	assert_memory_equal(channel.data.at, "answer", 6);

	/* threat_F9: the permission is for the IP, whatever the port. */
	count = peer_sends(world, "198.51.100.1:4711", "answer", out);
	assert_true(stun_read((struct span){ out, count }, &message));
	assert_int_equal(message.method, TURN_DATA);
	assert_int_equal(message.class, STUN_INDICATION);
	const struct address first = address_of("198.51.100.1:4711");
	assert_true(address_equal(&message.peers[0], &first));
	assert_int_equal(message.values[STUN_DATA].count, 6);
	assert_memory_equal(message.values[STUN_DATA].at, "answer", 6);
	/* threat_A20: padding is zero. */
	assert_int_equal(count % 4, 0);
	assert_int_equal(out[count - 1] | out[count - 2], 0);
	world_free(world);
}

/* Who gets a Data indication learns no seed of the tables from it, and not how much others relay.
 */
static void
indications_differ_and_tell_nothing(void **unused)
{
	enum { INDICATIONS = 600 };
	static struct transaction seen[INDICATIONS];

	(void)unused;
	struct world *world = world_new(false);
	struct stun_message message;
	uint8_t out[DATAGRAM_MAX];

	memset(world->config.seed, 0x5A, sizeof world->config.seed);
	relay_free(world->relay);
	new_relay(world);
	greet(world);
	given(world);
	for (size_t i = 0; i < INDICATIONS; i++) {
		const size_t count = peer_sends(world, "198.51.100.1:4711", "x", out);

		assert_true(stun_read((struct span){ out, count }, &message));
		seen[i] = message.transaction;
		assert_memory_not_equal(seen[i].bytes, world->config.seed, 4);
		assert_memory_not_equal(seen[i].bytes + 4, "\0\0\0\0\0\0", 6);
		for (size_t j = 0; j < i; j++) {
			assert_memory_not_equal(seen[i].bytes, seen[j].bytes, sizeof seen[j].bytes);
		}
	}
	world_free(world);
}

static void
what_has_no_route_is_dropped(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	uint8_t out[DATAGRAM_MAX];

	given(world);
	assert_int_equal(channel_data(world, ANN, 0x4001, "x").action, RELAY_DROP);
	assert_int_equal(channel_data(world, BOB, 0x4000, "x").action, RELAY_DROP); /* threat_D3 */
	assert_int_equal(channel_data(world, ANN, 0x3FFF, "x").action, RELAY_DROP); /* threat_A7 */
	assert_int_equal(channel_data(world, ANN, 0x5000, "x").action, RELAY_DROP);
	assert_int_equal(channel_data(world, ANN, 0x7FFF, "x").action, RELAY_DROP);
	assert_int_equal(send_indication(world, "198.51.100.3:9", "x", false),
			 RELAY_DROP); /* threat_F8 */
	assert_int_equal(peer_sends(world, "198.51.100.3:9", "x", out), 0);
	assert_int_equal(relay_counted(world->relay, RELAY_COUNT_PACKETS_UP), 0);
	assert_int_equal(relay_counted(world->relay, RELAY_COUNT_PACKETS_DOWN), 0);
	world_free(world);
}

static void
threat_A6_channel_data_lengths(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	uint8_t memory[16] = { 0x40, 0x00, 0x00, 0x05, 'h', 'e', 'l', 'l', 'o', 0, 0, 0 };

	given(world);
	struct relay_answer answer = client_sends(world, ANN, (struct span){ memory, 12 });
	assert_int_equal(answer.action, RELAY_TO_PEER);
	assert_int_equal(answer.bytes.count, 5);
	assert_int_equal(client_sends(world, ANN, (struct span){ memory, 8 }).action, RELAY_DROP);
	world_free(world);
}

/* threat_B8: a permission for our own IP (B9 allows its relayed ports) opens no door to our
 * listeners. */
static void
threat_B8_a_permission_does_not_open_our_own_ports(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	uint8_t out[DATAGRAM_MAX];

	given(world);
	assert_int_equal(request(world, ANN, (struct ask){ PERMISSION, PEER("192.0.2.1:50001") }),
			 0);
	assert_int_equal(send_indication(world, "192.0.2.1:50001", "x", false), RELAY_TO_PEER);
	assert_int_equal(send_indication(world, "192.0.2.1:3478", "x", false), RELAY_DROP);
	assert_int_equal(send_indication(world, "192.0.2.1:22", "x", false), RELAY_DROP);
	assert_int_equal(peer_sends(world, "192.0.2.1:3478", "x", out), 0);
	assert_int_not_equal(peer_sends(world, "192.0.2.1:50001", "x", out), 0);
	world_free(world);
}

static void
threat_F8_time_ends_permissions_and_channels(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	uint8_t out[DATAGRAM_MAX];

	given(world);
	world->now_us = START_US + 299 * 1000000ull;
	assert_int_equal(send_indication(world, "198.51.100.1:9", "x", false), RELAY_TO_PEER);
	assert_int_not_equal(peer_sends(world, "198.51.100.2:7000", "x", out), 0);
	world->now_us = START_US + 300 * 1000000ull;
	assert_int_equal(send_indication(world, "198.51.100.1:9", "x", false), RELAY_DROP);
	assert_int_equal(peer_sends(world, "198.51.100.2:7000", "x", out), 0);
	assert_int_equal(channel_data(world, ANN, 0x4000, "x").action, RELAY_TO_PEER);
	/* ChannelBind refreshes the permission too. */
	assert_int_equal(
		request(world, ANN,
			(struct ask){ CHANNEL, .channel = 0x4000, PEER("198.51.100.2:7000") }),
		0);
	assert_int_not_equal(peer_sends(world, "198.51.100.2:7000", "x", out), 0);
	assert_int_equal(request(world, ANN, (struct ask){ REFRESH, .lifetime = 3600 }), 0);
	world->now_us = START_US + 899 * 1000000ull;
	assert_int_equal(channel_data(world, ANN, 0x4000, "x").action, RELAY_TO_PEER);
	world->now_us = START_US + 900 * 1000000ull;
	assert_int_equal(channel_data(world, ANN, 0x4000, "x").action, RELAY_DROP);
	world_free(world);
}

static void
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

static void
use(struct world *world)
{
	uint8_t out[DATAGRAM_MAX];

	assert_int_equal(channel_data(world, ANN, 0x4000, "hello").action, RELAY_TO_PEER);
	assert_int_equal(send_indication(world, "198.51.100.1:9", "hi", false), RELAY_TO_PEER);
	assert_int_not_equal(peer_sends(world, "198.51.100.2:7000", "answer", out), 0);
	assert_int_not_equal(peer_sends(world, "198.51.100.1:9", "abc", out), 0);
}

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

static const struct id STAGE = { { 42 } };

static void
tell_expel(struct world *world, const char *agent, bool over)
{
	struct notice notice = { .type = NOTICE_EXPEL,
				 .command_id = STAGE,
				 .expel = { .over = over } };

	name_set(&notice.expel.agent_name, agent, strlen(agent));
	relay_handle_notice(world->relay, &notice, (struct span){ 0 }, world->now_us);
}

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

/* True if the last refusal tells of a key that would have taken it. */
static bool
names_the_key(struct world *world)
{
	static const char key[] = "legacy-channels";
	const struct stun_message reply = last_reply(world);
	const struct span said = reply.values[STUN_ERROR_CODE];
	char text[256] = { 0 };

	assert_true(said.count < sizeof text + 4);
	memcpy(text, said.at + 4, said.count - 4);
	return strstr(text, key) != NULL;
}

static void
threat_F7_a_refusal_names_the_key_that_would_have_taken_it(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	struct ask ask = { CHANNEL, .channel = 0x5000, PEER("198.51.100.3:7000") };

	allocate(world, "ann", ANN);
	assert_int_equal(request(world, ANN, ask), 400);
	assert_true(names_the_key(world));
	ask.channel = 0x3FFF; /* of no RFC */
	assert_int_equal(request(world, ANN, ask), 400);
	assert_false(names_the_key(world));
	world_free(world);
}

/* threat_F7 is the default: see relay_test.c. */
static void
legacy_channels_are_those_of_rfc_5766(void **unused)
{
	(void)unused;
	struct world *world = world_new(false);
	const struct ask last = { .method = TURN_CHANNEL_BIND,
				  .user = "ann",
				  .channel = 0x7FFF,
				  .peers = { "198.51.100.3:7000" } };
	struct ask beyond = last;

	world->config.limits.legacy_channels = true;
	world->actor->limits.legacy_channels = true;
	relay_free(world->relay);
	new_relay(world);
	greet(world);
	allocate(world, "ann", ANN);
	assert_int_equal(request(world, ANN, last), 0);
	assert_int_equal(channel_data(world, ANN, 0x7FFF, "x").action, RELAY_TO_PEER);
	beyond.channel = 0x8000;
	assert_int_equal(request(world, ANN, beyond), 400);
	world_free(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_flows_both_ways),
		cmocka_unit_test(indications_differ_and_tell_nothing),
		cmocka_unit_test(what_has_no_route_is_dropped),
		cmocka_unit_test(threat_A6_channel_data_lengths),
		cmocka_unit_test(threat_B8_a_permission_does_not_open_our_own_ports),
		cmocka_unit_test(threat_F8_time_ends_permissions_and_channels),
		cmocka_unit_test(usage_is_logged_at_intervals),
		cmocka_unit_test(usage_is_logged_before_a_release),
		cmocka_unit_test(usage_is_logged_after_expiry),
		cmocka_unit_test(usage_is_logged_before_an_expulsion),
		cmocka_unit_test(who_is_being_expelled_gets_nothing_new),
		cmocka_unit_test(refusals_are_told_before_it_is_over),
		cmocka_unit_test(refusals_of_who_was_expelled_do_not_name_him),
		cmocka_unit_test(what_cannot_be_said_is_said_later),
		cmocka_unit_test(what_is_to_end_stays_closed_over_a_greeting),
		cmocka_unit_test(usage_of_a_dead_permission_is_logged_before_it_is_forgotten),
		cmocka_unit_test(usage_that_cannot_be_told_yet_outlives_a_greeting),
		cmocka_unit_test(usage_that_cannot_be_told_yet_outlives_its_permission),
		cmocka_unit_test(an_expired_allocation_gives_way_with_its_usage_told),
		cmocka_unit_test(a_restarted_actor_greets_and_packets_flow_on),
		cmocka_unit_test(a_restarted_relay_gets_its_ports_back),
		cmocka_unit_test(a_port_that_is_gone_ends_its_allocation),
		cmocka_unit_test(a_port_that_is_there_again_brings_no_allocation_back),
		cmocka_unit_test(what_was_decided_before_the_actor_died_is_answered_after),
		cmocka_unit_test(what_was_refused_before_the_actor_died_is_no_success_after),
		cmocka_unit_test(threat_F7_a_refusal_names_the_key_that_would_have_taken_it),
		cmocka_unit_test(legacy_channels_are_those_of_rfc_5766),
	};

	return cmocka_run_group_tests_name("relay_data", tests, world_setup, world_teardown);
}
