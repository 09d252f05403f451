/* What both simulators stand on: deciding actors with their desks, the witness and its log, and the
 * lines to the fronts, all in one process, on a network that loses, repeats and delays. One seed
 * gives one history. */
#ifndef IFSWARM_TESTS_SIMULATED_H
#define IFSWARM_TESTS_SIMULATED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actors/desk.h"
#include "actors/link.h"
#include "actors/witness.h"

enum { SIM_LOG_MAX = 65536, SIM_DUMP_BYTES = 4 * 1024 * 1024 };

struct logged {
	struct id command_id;
	struct event event;
};

/* An actor: its live core, and a shadow that only ever hears what is durable. */
struct sim_actor {
	struct core core;
	struct core shadow;
	struct core (*fresh)(uint64_t seed); /* an empty one; the last is freed by `discard` */
	void (*discard)(struct core core);
	struct desk desk;
	uint64_t epoch;
	struct logged *log; /* its stream, by version: what is durable */
	size_t logged;
	bool appending;
	bool appended; /* a reply waits */
	uint8_t *append;
	size_t append_count;
	uint8_t append_reply[64];
	size_t append_reply_count;
	uint8_t *scratch;
};

enum wire_state { WIRE_FREE, WIRE_REQUEST, WIRE_ASKED, WIRE_REPLY };

struct wire {
	enum wire_state state;
	uint32_t generation; /* an answer to an older one is lost */
	uint8_t *bytes;
	size_t count;
	uint8_t *reply;
	size_t reply_count;
};

struct sim_front {
	struct link link;
	uint8_t *memory;
	struct wire wires[LINK_LANES];
	struct uuid_generator ids;
};

/* Somebody who asks that an agent be expelled; one at a time. */
struct sim_operator {
	enum wire_state state;
	uint32_t generation;
	struct name name;
	enum verdict verdict;
	size_t answered;
};

enum { SIM_OPERATOR_TICKET = 0xFF };

struct sim {
	uint64_t seed;
	uint64_t random;
	uint64_t now_us;
	struct sim_actor actor;
	struct sim_front fronts[FRONTS_MAX];
	size_t front_count;
	struct sim_operator operator;
};

static struct sim sim;

#define SIM_FAIL(...)                                                                              \
	do {                                                                                       \
		print_error("seed %llu: ", (unsigned long long)sim.seed);                          \
		fail_msg(__VA_ARGS__);                                                             \
	} while (0)

/* xorshift64*: the same everywhere. */
static uint64_t
draw(uint64_t below)
{
	sim.random ^= sim.random >> 12;
	sim.random ^= sim.random << 25;
	sim.random ^= sim.random >> 27;
	return (sim.random * 0x2545F4914F6CDD1Du >> 33) % below;
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

/* --- the actor
 * ------------------------------------------------------------------------------------- */

static size_t
sim_dump(const struct core *core, uint8_t *out)
{
	struct mp_writer w = mp_writer_of(out, SIM_DUMP_BYTES);

	core->dump(core->state, &w);
	assert_false(w.bad);
	return mp_written(&w).count;
}

static void
sim_check_equal(const char *when)
{
	static uint8_t one[SIM_DUMP_BYTES];
	static uint8_t other[SIM_DUMP_BYTES];
	const size_t count = sim_dump(&sim.actor.core, one);

	if (sim_dump(&sim.actor.shadow, other) != count || memcmp(one, other, count) != 0) {
		SIM_FAIL("%s: the log gives another state than the live one", when);
	}
}

/* Claims, rebuilds from the log, serves: as loop_io.c does. */
static void
sim_start_actor(void)
{
	struct sim_actor *actor = &sim.actor;
	const uint8_t tail[6] = { 1, 2, 3, 4, 5, (uint8_t)actor->epoch };

	actor->epoch++;
	actor->core = actor->fresh(draw(UINT32_MAX));
	for (size_t i = 0; i < actor->logged; i++) {
		actor->core.apply(actor->core.state, &actor->log[i].event);
	}
	sim_check_equal("after a restart");
	assert_true(desk_init(&actor->desk, &actor->core, actor->epoch, actor->logged, 500, tail));
	actor->appending = false;
	actor->appended = false;
}

static void
sim_stop_actor(void)
{
	desk_free(&sim.actor.desk);
	sim.actor.discard(sim.actor.core);
}

static void
sim_crash_actor(void)
{
	sim_stop_actor();
	for (size_t f = 0; f < sim.front_count; f++) {
		for (size_t lane = 0; lane < LINK_LANES; lane++) {
			struct wire *wire = &sim.fronts[f].wires[lane];
			if (wire->state == WIRE_ASKED) {
				wire->state = WIRE_REQUEST; /* nng sends it again to the next
							       incarnation */
				wire->generation++;
			}
		}
	}
	if (sim.operator.state == WIRE_ASKED) {
		sim.operator.state = WIRE_REQUEST;
		sim.operator.generation++;
	}
	sim_start_actor();
}

static void
sim_answer_operator(uint64_t ticket, struct span answer)
{
	struct mp_reader r = mp_reader_of(answer);

	if (sim.operator.state == WIRE_ASKED && sim.operator.generation == ticket>> 8) {
		sim.operator.state = WIRE_REPLY;
		mp_get_array(&r, 3);
		assert_true(verdict_from_number(mp_get_u64(&r), &sim.operator.verdict));
	}
}

static void
sim_run_actor(void)
{
	struct sim_actor *actor = &sim.actor;
	struct mp_writer w = mp_writer_of(actor->append, DESK_APPEND_BYTES_MAX + 64);
	uint64_t ticket = 0;

	if (actor->appended) {
		actor->appended = false;
		actor->appending = false;
		const struct span reply = { actor->append_reply, actor->append_reply_count };
		assert_int_equal(desk_appended(&actor->desk, reply), ACCEPTED);
	}
	if (!actor->appending && desk_append(&actor->desk, &w)) {
		actor->appending = true;
		actor->append_count = mp_written(&w).count;
	}
	w = mp_writer_of(actor->scratch, MESSAGE_BYTES_MAX);
	desk_snapshot(&actor->desk, &w);
	w = mp_writer_of(actor->scratch, MESSAGE_BYTES_MAX);
	while (desk_answer(&actor->desk, sim.now_us, &ticket, &w)) {
		if ((ticket & SIM_OPERATOR_TICKET) == SIM_OPERATOR_TICKET) {
			sim_answer_operator(ticket, mp_written(&w));
			w = mp_writer_of(actor->scratch, MESSAGE_BYTES_MAX);
			continue;
		}
		struct wire *wire = &sim.fronts[ticket >> 1 & 0x7F].wires[ticket & 1];
		if (wire->state == WIRE_ASKED && wire->generation == ticket >> 8) {
			wire->state = WIRE_REPLY;
			wire->reply_count = mp_written(&w).count;
			memcpy(wire->reply, actor->scratch, wire->reply_count);
		}
		w = mp_writer_of(actor->scratch, MESSAGE_BYTES_MAX);
	}
	if (desk_is_idle(&actor->desk)) {
		sim_check_equal("while idle");
	}
}

/* --- the witness
 * ------------------------------------------------------------------------------------- */

static void
sim_make_durable(const struct witness_append *append)
{
	struct sim_actor *actor = &sim.actor;

	for (size_t i = 0; i < append->count; i++) {
		assert_true(actor->logged < SIM_LOG_MAX);
		struct logged *logged = &actor->log[actor->logged++];
		logged->command_id = append->events[i].command_id;
		assert_true(event_from_wire(&append->events[i], &logged->event));
		actor->shadow.apply(actor->shadow.state, &logged->event);
	}
}

static bool
sim_is_repeated(const struct witness_append *append)
{
	static struct id ids[EVENTS_PER_APPEND_MAX];
	bool repeated = false;
	const struct witness_stream head = { sim.actor.logged, sim.actor.epoch };

	assert_int_equal(witness_check(append, head, &repeated), ACCEPTED);
	for (size_t i = 0; repeated && i < append->count; i++) {
		ids[i] = sim.actor.log[append->version + i].command_id;
	}
	assert_true(!repeated || witness_same_commands(append, ids, append->count));
	return repeated;
}

static void
sim_run_witness(void)
{
	static struct event_wire wires[EVENTS_PER_APPEND_MAX];
	struct sim_actor *actor = &sim.actor;
	struct witness_append append = { .events = wires };
	struct mp_reader r = mp_reader_of((struct span){ actor->append, actor->append_count });

	if (!actor->appending || actor->appended) {
		return;
	}
	assert_int_equal(mp_get_array(&r, 5), 5);
	assert_int_equal(mp_get_u64(&r), REQUEST_APPEND);
	assert_int_equal(witness_read_append(&r, &append), ACCEPTED);
	if (draw(20) == 0) {
		return; /* the witness died before it committed: the request comes again */
	}
	if (!sim_is_repeated(&append)) {
		sim_make_durable(&append);
	}
	if (draw(20) == 0) {
		return; /* it died after that: its answer is lost, the request comes again */
	}
	struct mp_writer w = mp_writer_of(actor->append_reply, sizeof actor->append_reply);
	mp_put_array(&w, 3);
	mp_put_u64(&w, ACCEPTED);
	mp_put_u64(&w, actor->logged - 1);
	mp_put_u64(&w, actor->logged);
	actor->append_reply_count = mp_written(&w).count;
	actor->appended = true;
}

static bool
sim_is_durable(const struct id *command_id)
{
	for (size_t i = sim.actor.logged; i > 0; i--) {
		if (id_equal(&sim.actor.log[i - 1].command_id, command_id)) {
			return true;
		}
	}
	return false;
}

static size_t
sim_count_logged(enum event_type type)
{
	size_t count = 0;

	for (size_t i = 0; i < sim.actor.logged; i++) {
		count += sim.actor.log[i].event.type == type;
	}
	return count;
}

/* --- fronts and the network
 * ----------------------------------------------------------------------------- */

static void
sim_start_front(size_t f)
{
	struct sim_front *front = &sim.fronts[f];
	const struct id instance = draw_id();

	link_init(&front->link, f + 1, &instance, front->memory);
	for (size_t lane = 0; lane < LINK_LANES; lane++) {
		front->wires[lane].state = WIRE_FREE;
		front->wires[lane].generation++;
	}
}

/* False if the front has to wait: too much is unsettled. */
static bool
sim_put(size_t f, struct command *command, struct span body)
{
	struct sim_front *front = &sim.fronts[f];

	command->command_id = uuid_next(&front->ids, sim.now_us / 1000);
	return front->link.count < LINK_BATCHES_MAX / 8 && link_put(&front->link, command, body);
}

/* True if a reply came: its notices are to be taken. */
static bool
sim_run_wire(size_t f, size_t lane)
{
	struct sim_front *front = &sim.fronts[f];
	struct wire *wire = &front->wires[lane];
	struct mp_writer w = mp_writer_of(wire->bytes, MESSAGE_BYTES_MAX);

	switch (wire->state) {
	case WIRE_FREE:
		if (link_request(&front->link, lane, draw(4) == 0, &w)) {
			wire->count = mp_written(&w).count;
			wire->state = WIRE_REQUEST;
		}
		return false;
	case WIRE_REQUEST:
		if (!desk_is_busy(&sim.actor.desk)) {
			wire->state = WIRE_ASKED;
			wire->generation++;
			desk_take(&sim.actor.desk, (struct span){ wire->bytes, wire->count },
				  (uint64_t)wire->generation << 8 | f << 1 | lane, sim.now_us);
		}
		return false;
	case WIRE_ASKED:
		if (draw(200) == 0) {
			wire->state = WIRE_REQUEST; /* the connection broke: asked again, the answer
						       is lost */
			wire->generation++;
		}
		return false;
	case WIRE_REPLY:
		wire->state = WIRE_FREE;
		link_reply(&front->link, lane, (struct span){ wire->reply, wire->reply_count });
		assert_int_not_equal(front->link.state, LINK_LOST);
		return true;
	}
	return false;
}

/* Somebody wants that agent expelled; false while another one is on its way out. */
static bool
sim_expel(const struct name *name)
{
	if (sim.operator.state != WIRE_FREE) {
		return false;
	}
	sim.operator.state = WIRE_REQUEST;
	sim.operator.name = * name;
	return true;
}

/* True if it is done. */
static bool
sim_run_operator(void)
{
	struct sim_operator *operator= & sim.operator;
	uint8_t bytes[NAME_BYTES_MAX + 16];
	struct mp_writer w = mp_writer_of(bytes, sizeof bytes);

	if (operator->state == WIRE_REQUEST && !desk_is_busy(&sim.actor.desk)) {
		operator->state = WIRE_ASKED;
		operator->generation++;
		mp_put_array(&w, 2);
		mp_put_u64(&w, REQUEST_EXPEL);
		mp_put_str(&w, operator->name.bytes, operator->name.length);
		desk_take(&sim.actor.desk, mp_written(&w),
			  (uint64_t) operator->generation << 8 | SIM_OPERATOR_TICKET, sim.now_us);
	} else if (operator->state == WIRE_ASKED && draw(200) == 0) {
		operator->state = WIRE_REQUEST; /* the connection broke */
		operator->generation++;
	} else if (operator->state == WIRE_REPLY) {
		operator->state = operator->verdict == ACCEPTED ? WIRE_FREE : WIRE_REQUEST;
		operator->answered += operator->verdict == ACCEPTED;
		return operator->verdict == ACCEPTED;
	}
	return false;
}

/* True if the state, or what is personal in it, holds the bytes of that name. */
static bool
sim_knows(const struct name *name)
{
	static uint8_t dump[SIM_DUMP_BYTES];
	const struct core *core = &sim.actor.core;
	struct mp_writer w = mp_writer_of(dump, sizeof dump);

	core->dump(core->state, &w);
	core->dump_personal(core->state, &w);
	core->roster(core->state, &w);
	assert_false(w.bad);
	for (size_t at = 0; at + name->length <= mp_written(&w).count; at++) {
		if (memcmp(dump + at, name->bytes, name->length) == 0) {
			return true;
		}
	}
	return false;
}

static void
sim_check_forgotten(const struct name *name)
{
	if (sim_knows(name)) {
		SIM_FAIL("%.*s was expelled, and the state still knows it", (int)name->length,
			 name->bytes);
	}
}

/* True if what was on its way when that name was forgotten has begun a new life of it. */
static bool
sim_came_again(const struct name *name, enum event_type forgotten,
	       bool (*begins)(const struct event *event, const struct name *name))
{
	for (size_t i = sim.actor.logged; i > 0; i--) {
		const struct event *event = &sim.actor.log[i - 1].event;

		if (event->type == forgotten) {
			return false;
		}
		if (begins(event, name)) {
			return true;
		}
	}
	return false;
}

/* Whom the operator's request has expelled nobody knows any more. */
static void
sim_run_expulsions(enum event_type forgotten,
		   bool (*begins)(const struct event *event, const struct name *name))
{
	const struct name *name = &sim.operator.name;

	if (sim_run_operator() && !sim_came_again(name, forgotten, begins)) {
		sim_check_forgotten(name);
	}
}

/* Everything starts anew under this seed, with so many fronts. */
static void
sim_begin(uint64_t seed, size_t fronts)
{
	struct sim_actor *actor = &sim.actor;

	sim.seed = seed;
	sim.random = seed * 2654435761u + 1;
	sim.now_us = (uint64_t)1800000000 * 1000 * 1000;
	sim.front_count = fronts;
	actor->logged = 0;
	actor->epoch = 0;
	memset(&sim.operator, 0, sizeof sim.operator);
	actor->shadow = actor->fresh(1);
	sim_start_actor();
	for (size_t f = 0; f < fronts; f++) {
		memset(&sim.fronts[f].ids, 0, sizeof sim.fronts[f].ids);
		sim.fronts[f].ids.tail[0] = (uint8_t)f;
		sim_start_front(f);
	}
}

/* After enough steps without crashes everything must have settled. */
static void
sim_end(void)
{
	assert_true(desk_is_idle(&sim.actor.desk));
	if (sim.operator.state != WIRE_FREE) {
		SIM_FAIL("an expulsion was never answered");
	}
	for (size_t f = 0; f < sim.front_count; f++) {
		if (!link_is_settled(&sim.fronts[f].link)) {
			SIM_FAIL("front %zu is not settled", f + 1);
		}
	}
	sim_stop_actor();
	sim.actor.discard(sim.actor.shadow);
}

static void
sim_allocate(size_t fronts)
{
	sim.actor.log = must(SIM_LOG_MAX * sizeof *sim.actor.log);
	sim.actor.append = must(DESK_APPEND_BYTES_MAX + 64);
	sim.actor.scratch = must(MESSAGE_BYTES_MAX);
	for (size_t f = 0; f < fronts; f++) {
		sim.fronts[f].memory = must(LINK_BYTES_MAX);
		for (size_t lane = 0; lane < LINK_LANES; lane++) {
			sim.fronts[f].wires[lane].bytes = must(MESSAGE_BYTES_MAX);
			sim.fronts[f].wires[lane].reply = must(MESSAGE_BYTES_MAX);
		}
	}
}

/* How many seeds of each kind: few in `./check`, more by IFSWARM_SEEDS. */
static uint64_t
sim_seeds(uint64_t preset)
{
	const char *more = getenv("IFSWARM_SEEDS");

	return more == NULL ? preset : strtoull(more, NULL, 10);
}

#endif
