/* The simulator: the pure actors in one process, on a network that loses, repeats and delays, beside a
 * witness and actors that crash. One seed gives one history; a failing seed is printed and can be given as
 * the argument.
 *
 * What must hold, whatever happens:
 *   - the state that the log gives equals the live one, always;
 *   - a front hears of nothing that is not durable;
 *   - a signal reaches its receiver once, in its sender's order, unless a gateway died. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actors/desk.h"
#include "actors/link.h"
#include "actors/session.h"
#include "actors/witness.h"

enum { GATEWAYS = 2, AGENTS_PER_GATEWAY = 4, STEPS = 6000, SEEDS_PRESET = 8, WIRE_BYTES = 1024 * 1024, LOG_MAX = 65536 };

/* --- the log ------------------------------------------------------------------------------------- */

struct logged {
	struct id command_id;
	struct event event;
};

static struct logged *events; /* of stream 1, by version: what is durable */
static size_t event_count;
static uint64_t epoch;

/* --- one line between a front and its actor ------------------------------------------------------- */

enum wire_state { WIRE_FREE, WIRE_REQUEST, WIRE_ASKED, WIRE_REPLY };

struct wire {
	enum wire_state state;
	uint32_t generation; /* an answer to an older one is lost */
	uint8_t *bytes;
	size_t count;
	uint8_t *reply;
	size_t reply_count;
};

struct gateway {
	struct link link;
	uint8_t *memory;
	struct wire wires[LINK_LANES];
	struct uuid_generator ids;
	uint64_t next_connection;
	uint64_t connections[AGENTS_PER_GATEWAY]; /* 0: not connected */
	uint64_t sent[AGENTS_PER_GATEWAY];
};

/* What a receiver last had from each sender, to see order and repetition. */
struct heard {
	uint64_t receiver;
	uint64_t sender;
	uint64_t last;
};

struct world {
	uint64_t seed;
	uint64_t random;
	uint64_t now_us;
	bool gateways_may_die;
	bool agents_may_leave;
	struct session_state *session;
	struct session_state *shadow; /* what the log alone gives */
	struct core core;
	struct core shadow_core;
	struct desk desk;
	bool appending;
	uint8_t *append;
	size_t append_count;
	bool appended; /* a reply waits */
	uint8_t append_reply[64];
	size_t append_reply_count;
	struct gateway gateways[GATEWAYS];
	struct heard heard[4096];
	size_t heard_count;
	uint64_t delivered;
};

static struct world world;

static uint64_t
draw(uint64_t below)
{
	/* xorshift64*: any will do that is the same everywhere. */
	world.random ^= world.random >> 12;
	world.random ^= world.random << 25;
	world.random ^= world.random >> 27;
	return (world.random * 0x2545F4914F6CDD1Du >> 33) % below;
}

static struct id
draw_id(void)
{
	struct id id;

	for (size_t i = 0; i < sizeof id.bytes; i++) {
		id.bytes[i] = (uint8_t)draw(256);
	}
	return id;
}

static void *
must(size_t size)
{
	void *memory = calloc(1, size);

	assert_non_null(memory);
	return memory;
}

/* --- the session actor ----------------------------------------------------------------------------- */

static size_t
dump_of(const struct core *core, uint8_t *out)
{
	struct mp_writer w = mp_writer_of(out, WIRE_BYTES);

	core->dump(core->state, &w);
	assert_false(w.bad);
	return mp_written(&w).count;
}

static void
check_equal(const struct core *a, const struct core *b, const char *when)
{
	static uint8_t one[WIRE_BYTES];
	static uint8_t other[WIRE_BYTES];
	const size_t count = dump_of(a, one);

	if (dump_of(b, other) != count || memcmp(one, other, count) != 0) {
		fail_msg("seed %llu: %s: the log gives another state than the live one",
			 (unsigned long long)world.seed, when);
	}
}

static struct session_state *
new_session(uint64_t seed)
{
	const struct session_sizes sizes = { .agents = 64, .rooms = 16, .names = 64, .recent = 8192 };
	struct session_state *state	 = session_new(&sizes, seed);

	assert_non_null(state);
	return state;
}

static void
start_session(void)
{
	const uint8_t tail[6] = { 1, 2, 3, 4, 5, (uint8_t)epoch };

	epoch++;
	session_free(world.session);
	world.session = new_session(draw(UINT32_MAX));
	world.core    = session_core(world.session);
	for (size_t i = 0; i < event_count; i++) {
		world.core.apply(world.core.state, &events[i].event);
	}
	check_equal(&world.core, &world.shadow_core, "after a restart");
	assert_true(desk_init(&world.desk, &world.core, epoch, event_count, 500, tail));
	world.appending = false;
	world.appended	= false;
}

static void
crash_session(void)
{
	desk_free(&world.desk);
	for (size_t g = 0; g < GATEWAYS; g++) {
		for (size_t lane = 0; lane < LINK_LANES; lane++) {
			struct wire *wire = &world.gateways[g].wires[lane];
			if (wire->state == WIRE_ASKED) {
				wire->state = WIRE_REQUEST; /* nng sends it again to the next incarnation */
				wire->generation++;
			}
		}
	}
	start_session();
}

/* --- the witness ------------------------------------------------------------------------------------ */

static void
make_durable(const struct witness_append *append)
{
	for (size_t i = 0; i < append->count; i++) {
		assert_true(event_count < LOG_MAX);
		struct logged *logged = &events[event_count++];
		logged->command_id    = append->events[i].command_id;
		assert_true(event_from_wire(&append->events[i], &logged->event));
		world.shadow_core.apply(world.shadow_core.state, &logged->event);
	}
}

static void
run_witness(void)
{
	static struct event_wire wires[EVENTS_PER_APPEND_MAX];
	static struct id ids[EVENTS_PER_APPEND_MAX];
	struct witness_append append = { .events = wires };
	struct mp_reader r	     = mp_reader_of((struct span) { world.append, world.append_count });
	bool repeated		     = false;

	if (!world.appending || world.appended) {
		return;
	}
	assert_int_equal(mp_get_array(&r, 5), 5);
	assert_int_equal(mp_get_u64(&r), REQUEST_APPEND);
	assert_int_equal(witness_read_append(&r, &append), ACCEPTED);
	if (draw(20) == 0) {
		return; /* the witness died before it committed: the request comes again */
	}
	const struct witness_stream head = { event_count, epoch };
	assert_int_equal(witness_check(&append, head, &repeated), ACCEPTED);
	if (repeated) {
		for (size_t i = 0; i < append.count; i++) {
			ids[i] = events[append.version + i].command_id;
		}
		assert_true(witness_same_commands(&append, ids, append.count));
	} else {
		make_durable(&append);
	}
	if (draw(20) == 0) {
		return; /* it died after that: its answer is lost, the request comes again */
	}
	struct mp_writer w = mp_writer_of(world.append_reply, sizeof world.append_reply);
	mp_put_array(&w, 3);
	mp_put_u64(&w, ACCEPTED);
	mp_put_u64(&w, event_count - 1);
	mp_put_u64(&w, event_count);
	world.append_reply_count = mp_written(&w).count;
	world.appended		 = true;
}

/* --- the gateways ------------------------------------------------------------------------------------ */

static void
start_gateway(size_t g)
{
	struct gateway *gateway	    = &world.gateways[g];
	const struct id instance    = draw_id();
	const uint64_t connections  = gateway->next_connection;

	link_init(&gateway->link, g + 1, &instance, gateway->memory);
	for (size_t lane = 0; lane < LINK_LANES; lane++) {
		gateway->wires[lane].state = WIRE_FREE;
		gateway->wires[lane].generation++;
	}
	memset(gateway->connections, 0, sizeof gateway->connections);
	memset(gateway->sent, 0, sizeof gateway->sent);
	gateway->next_connection = connections + 1;
}

static void
agent_name(struct name *out, size_t agent)
{
	char word[16];
	const int length = snprintf(word, sizeof word, "agent-%zu", agent);

	name_set(out, word, (size_t)length);
}

static void
put(struct gateway *gateway, struct command *command, struct span body)
{
	command->command_id = uuid_next(&gateway->ids, world.now_us / 1000);
	command->trace_id   = draw_id();
	assert_true(link_put(&gateway->link, command, body));
}

static void
agent_acts(size_t g)
{
	struct gateway *gateway = &world.gateways[g];
	const size_t a		= draw(AGENTS_PER_GATEWAY);
	struct command command	= { 0 };
	struct span body	= { 0 };
	uint64_t numbers[2];

	if (!link_is_settled(&gateway->link) && gateway->link.count > 100) {
		return; /* it would be refused the work for now */
	}
	if (gateway->connections[a] == 0) {
		gateway->connections[a] = ++gateway->next_connection * 100 + g;
		gateway->sent[a]	= 0;
		command.type		= COMMAND_REGISTER;
		command.register_agent.connection = gateway->connections[a];
		command.register_agent.agent	  = draw_id();
		command.register_agent.room	  = draw_id();
		agent_name(&command.register_agent.agent_name, g * AGENTS_PER_GATEWAY + a);
		name_set(&command.register_agent.room_name, "default", 7);
	} else if (world.agents_may_leave && draw(30) == 0) {
		command.type		 = COMMAND_LEAVE;
		command.leave.connection = gateway->connections[a];
		command.leave.reason	 = LEAVE_CLOSED;
		gateway->connections[a]	 = 0;
	} else {
		command.type		  = COMMAND_SIGNAL;
		command.signal.connection = gateway->connections[a];
		command.signal.kind	  = SIGNAL_OFFER;
		agent_name(&command.signal.from, g * AGENTS_PER_GATEWAY + a);
		agent_name(&command.signal.to, draw(GATEWAYS * AGENTS_PER_GATEWAY));
		numbers[0] = gateway->connections[a];
		numbers[1] = ++gateway->sent[a];
		body	   = (struct span) { (const uint8_t *)numbers, sizeof numbers };
	}
	put(gateway, &command, body);
}

static void
check_is_durable(const struct notice *notice)
{
	for (size_t i = event_count; i > 0; i--) {
		if (id_equal(&events[i - 1].command_id, &notice->command_id)) {
			return;
		}
	}
	fail_msg("seed %llu: a notice of type %d came before its event was durable",
		 (unsigned long long)world.seed, notice->type);
}

static void
check_delivery(uint64_t receiver, struct span body)
{
	uint64_t numbers[2];

	assert_int_equal(body.count, sizeof numbers);
	memcpy(numbers, body.at, sizeof numbers);
	struct heard *heard = NULL;
	for (size_t i = 0; i < world.heard_count && heard == NULL; i++) {
		if (world.heard[i].receiver == receiver && world.heard[i].sender == numbers[0]) {
			heard = &world.heard[i];
		}
	}
	if (heard == NULL) {
		assert_true(world.heard_count < sizeof world.heard / sizeof world.heard[0]);
		heard  = &world.heard[world.heard_count++];
		*heard = (struct heard) { receiver, numbers[0], 0 };
	}
	if (numbers[1] <= heard->last) {
		fail_msg("seed %llu: signal %llu came twice or late", (unsigned long long)world.seed,
			 (unsigned long long)numbers[1]);
	}
	heard->last = numbers[1];
	world.delivered++;
}

static void
take_notices(struct gateway *gateway)
{
	struct notice notice;
	struct span body;

	while (link_notice(&gateway->link, &notice, &body)) {
		switch (notice.type) {
		case NOTICE_DELIVER:
			check_is_durable(&notice);
			check_delivery(notice.deliver.connection, body);
			break;
		case NOTICE_JOINED:
		case NOTICE_LEFT:
		case NOTICE_REGISTERED:
			check_is_durable(&notice);
			break;
		case NOTICE_REFUSED:
		case NOTICE_CLOSE:
		case NOTICE_WELCOME:
			break;
		case NOTICE_DECIDED:
		case NOTICE_HAPPENED:
			fail();
		}
	}
	assert_int_not_equal(gateway->link.state, LINK_LOST);
}

/* --- the network --------------------------------------------------------------------------------------- */

static void
run_wire(size_t g, size_t lane)
{
	struct gateway *gateway = &world.gateways[g];
	struct wire *wire	= &gateway->wires[lane];
	struct mp_writer w	= mp_writer_of(wire->bytes, WIRE_BYTES);

	switch (wire->state) {
	case WIRE_FREE:
		if (link_request(&gateway->link, lane, &w)) {
			wire->count = mp_written(&w).count;
			wire->state = WIRE_REQUEST;
		}
		break;
	case WIRE_REQUEST:
		if (!desk_is_busy(&world.desk)) {
			wire->state = WIRE_ASKED;
			wire->generation++;
			desk_take(&world.desk, (struct span) { wire->bytes, wire->count },
				  (uint64_t)wire->generation << 8 | g << 1 | lane, world.now_us);
		}
		break;
	case WIRE_ASKED:
		if (draw(200) == 0) {
			wire->state = WIRE_REQUEST; /* the connection broke: asked again, the answer is lost */
			wire->generation++;
		}
		break;
	case WIRE_REPLY:
		wire->state = WIRE_FREE;
		link_reply(&gateway->link, lane, (struct span) { wire->reply, wire->reply_count });
		take_notices(gateway);
		break;
	}
}

static void
run_session(void)
{
	static uint8_t memory[MESSAGE_BYTES_MAX];
	struct mp_writer w = mp_writer_of(world.append, DESK_APPEND_BYTES_MAX + 64);
	uint64_t ticket	   = 0;

	if (world.appended) {
		world.appended	= false;
		world.appending = false;
		const struct span reply = { world.append_reply, world.append_reply_count };
		assert_int_equal(desk_appended(&world.desk, reply), ACCEPTED);
	}
	if (!world.appending && desk_append(&world.desk, &w)) {
		world.appending	   = true;
		world.append_count = mp_written(&w).count;
	}
	w = mp_writer_of(memory, sizeof memory);
	desk_snapshot(&world.desk, &w);
	w = mp_writer_of(memory, sizeof memory);
	while (desk_answer(&world.desk, world.now_us, &ticket, &w)) {
		struct wire *wire = &world.gateways[ticket >> 1 & 0x7F].wires[ticket & 1];
		if (wire->state == WIRE_ASKED && wire->generation == ticket >> 8) {
			wire->state	  = WIRE_REPLY;
			wire->reply_count = mp_written(&w).count;
			memcpy(wire->reply, memory, wire->reply_count);
		}
		w = mp_writer_of(memory, sizeof memory);
	}
	if (desk_is_idle(&world.desk)) {
		check_equal(&world.core, &world.shadow_core, "while idle");
	}
}

static void
step(bool busy)
{
	world.now_us += draw(2000);
	const uint64_t choice = draw(1000);

	if (busy && choice < 300) {
		agent_acts(draw(GATEWAYS));
	} else if (choice < 700) {
		run_wire(draw(GATEWAYS), draw(LINK_LANES));
	} else if (choice < 850) {
		run_session();
	} else if (choice < 970) {
		run_witness();
	} else if (choice < 990) {
		desk_tick(&world.desk, world.now_us);
	} else if (busy && choice < 994) {
		crash_session();
	} else if (busy && choice < 996 && world.gateways_may_die) {
		start_gateway(draw(GATEWAYS));
	}
}

static uint64_t
signals_in_log(void)
{
	uint64_t count = 0;

	for (size_t i = 0; i < event_count; i++) {
		count += events[i].event.type == EVENT_SDP_OFFER_RELAYED;
	}
	return count;
}

static void
run_seed(uint64_t seed, bool gateways_may_die, bool agents_may_leave)
{
	world.seed	       = seed;
	world.random	       = seed * 2654435761u + 1;
	world.now_us	       = 1700000000000000u;
	world.gateways_may_die = gateways_may_die;
	world.agents_may_leave = agents_may_leave;
	world.heard_count      = 0;
	world.delivered	       = 0;
	event_count	       = 0;
	epoch		       = 0;
	session_free(world.shadow);
	world.shadow	  = new_session(1);
	world.shadow_core = session_core(world.shadow);
	start_session();
	for (size_t g = 0; g < GATEWAYS; g++) {
		world.gateways[g].next_connection = 0;
		memset(&world.gateways[g].ids, 0, sizeof world.gateways[g].ids);
		world.gateways[g].ids.tail[0] = (uint8_t)g;
		start_gateway(g);
	}
	for (int i = 0; i < STEPS; i++) {
		step(true);
	}
	/* Nothing new and nobody dies: everything must settle. */
	for (int i = 0; i < STEPS * 4; i++) {
		step(false);
	}
	assert_true(desk_is_idle(&world.desk));
	for (size_t g = 0; g < GATEWAYS; g++) {
		if (!link_is_settled(&world.gateways[g].link)) {
			fail_msg("seed %llu: gateway %zu is not settled", (unsigned long long)seed, g + 1);
		}
	}
	/* What was logged for a receiver that left before it could be told again after a crash is not owed. */
	assert_true(world.delivered <= signals_in_log());
	if (!gateways_may_die && !agents_may_leave && world.delivered != signals_in_log()) {
		fail_msg("seed %llu: %llu signals in the log, %llu delivered", (unsigned long long)seed,
			 (unsigned long long)signals_in_log(), (unsigned long long)world.delivered);
	}
	assert_true(signals_in_log() > 100);
	desk_free(&world.desk);
}

static uint64_t seeds = SEEDS_PRESET; /* of each kind; IFSWARM_SEEDS gives more */

enum { SEEDS_STAY = 0, SEEDS_LEAVE = 1000, SEEDS_DIE = 2000 };

static void
given_crashes_of_session_and_witness_then_every_signal_comes_once(void **unused)
{
	(void)unused;
	for (uint64_t seed = 1; seed <= seeds; seed++) {
		run_seed(SEEDS_STAY + seed, false, false);
	}
}

static void
given_agents_that_leave_too_then_nothing_comes_twice_or_late(void **unused)
{
	(void)unused;
	for (uint64_t seed = 1; seed <= seeds; seed++) {
		run_seed(SEEDS_LEAVE + seed, false, true);
	}
}

static void
given_gateways_that_die_too_then_nothing_comes_twice_or_late(void **unused)
{
	(void)unused;
	for (uint64_t seed = 1; seed <= seeds; seed++) {
		run_seed(SEEDS_DIE + seed, true, true);
	}
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_crashes_of_session_and_witness_then_every_signal_comes_once),
		cmocka_unit_test(given_agents_that_leave_too_then_nothing_comes_twice_or_late),
		cmocka_unit_test(given_gateways_that_die_too_then_nothing_comes_twice_or_late),
	};

	if (getenv("IFSWARM_SEEDS") != NULL) {
		seeds = strtoull(getenv("IFSWARM_SEEDS"), NULL, 10);
	}
	events	      = must(LOG_MAX * sizeof *events);
	world.append  = must(DESK_APPEND_BYTES_MAX + 64);
	for (size_t g = 0; g < GATEWAYS; g++) {
		world.gateways[g].memory = must(LINK_BYTES_MAX);
		for (size_t lane = 0; lane < LINK_LANES; lane++) {
			world.gateways[g].wires[lane].bytes = must(MESSAGE_BYTES_MAX);
			world.gateways[g].wires[lane].reply = must(MESSAGE_BYTES_MAX);
		}
	}
	if (argc > 1) {
		const uint64_t seed = strtoull(argv[1], NULL, 10);
		run_seed(seed, seed > SEEDS_DIE, seed > SEEDS_LEAVE);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
