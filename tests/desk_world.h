/* A desk before a toy actor, what its fronts send and what they are answered. */
#ifndef IFSWARM_TESTS_DESK_WORLD_H
#define IFSWARM_TESTS_DESK_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actors/desk.h"

enum { EPOCH = 5, NOW_US = 1000000, MEMORY = 1024 * 1024 };

/* --- a toy actor: LEAVE is accepted with one event and told to gateway 2, all else is refused
 * ------ */

static struct fronts toy;
static int to_forget;

static inline enum verdict
toy_decide(const void *state, const struct command *command, struct event_list *out)
{
	struct event *event = NULL;

	(void)state;
	if (command->type == COMMAND_ATTACH) {
		if (!fronts_is_current(&toy, command->front, &command->attach.instance)) {
			event = event_emit(out, EVENT_GATEWAY_ATTACHED, command->now_us,
					   &command->command_id, &command->trace_id);
			event->gateway_attached.gateway = command->front;
			event->gateway_attached.instance = command->attach.instance;
		}
		return ACCEPTED;
	}
	if (command->type == COMMAND_LEAVE) {
		event = event_emit(out, EVENT_AGENT_DISCONNECTED, command->now_us,
				   &command->command_id, &command->trace_id);
		event->agent_disconnected.gateway = command->front;
		return ACCEPTED;
	}
	if (command->type == COMMAND_EXPEL && command->expel.over != 0 && to_forget > 0) {
		event = event_emit(out, EVENT_SUBJECT_FORGOTTEN, command->now_us,
				   &command->command_id, &command->trace_id);
		return ACCEPTED;
	}
	if (command->type == COMMAND_DIGEST) {
		event = event_emit(out, EVENT_SESSION_STATE_DIGEST, command->now_us,
				   &command->command_id, &command->trace_id);
		return ACCEPTED;
	}
	return command->type == COMMAND_SWEEP || command->type == COMMAND_CLOSE ||
			       command->type == COMMAND_EXPEL || command->type == COMMAND_EXPELLED
		       ? ACCEPTED
		       : REFUSED_NOT_REGISTERED;
}

static inline void
toy_apply(void *state, const struct event *event)
{
	(void)state;
	if (event->type == EVENT_GATEWAY_ATTACHED) {
		fronts_attach(&toy, event->gateway_attached.gateway,
			      &event->gateway_attached.instance);
	} else if (event->type == EVENT_SUBJECT_FORGOTTEN) {
		to_forget--;
	} else if (event->type == EVENT_AGENT_DISCONNECTED) {
		fronts_note(&toy, event->agent_disconnected.gateway, &event->command_id);
	}
}

static inline bool
toy_repeats(const void *state, const struct command *command)
{
	(void)state;
	return fronts_repeat(&toy, command);
}

static inline void
toy_tell(const void *state, const struct command *command, struct span body, enum verdict verdict,
	 const struct event_list *events, struct outbox *outbox)
{
	const struct notice left = { .type = NOTICE_LEFT };

	(void)state;
	(void)body;
	(void)events;
	if (command->type == COMMAND_LEAVE && verdict == ACCEPTED) {
		outbox_post(outbox, 2, &left, (struct span){ 0 });
	}
}

static inline void
toy_greet(const void *state, uint64_t front, struct outbox *outbox)
{
	(void)state;
	(void)front;
	(void)outbox;
}

static inline void
toy_dump(const void *state, struct mp_writer *w)
{
	(void)state;
	fronts_write(w, &toy);
}

static inline bool
toy_knows_front(const void *state, uint64_t front)
{
	(void)state;
	return fronts_is_known(&toy, front);
}

static const struct core core = {
	.stream = STREAM_SESSION,
	.decide = toy_decide,
	.apply = toy_apply,
	.repeats = toy_repeats,
	.tell = toy_tell,
	.greet = toy_greet,
	.knows_front = toy_knows_front,
	.dump = toy_dump,
	.dump_personal = toy_dump,
};

/* --- the scene
 * --------------------------------------------------------------------------------------- */

static struct desk *desk;
static uint8_t memory[MEMORY];
static uint8_t answer[MEMORY];
static size_t answer_count;
static uint64_t now_us = NOW_US;
static uint64_t requests; /* counts those of all fronts: each is newer than the one before */

static inline int
given(void **unused)
{
	const uint8_t tail[6] = { 1 };

	(void)unused;
	memset(&toy, 0, sizeof toy);
	to_forget = 0;
	now_us = NOW_US;
	requests = 0;
	desk = calloc(1, sizeof *desk);
	assert_true(desk_init(desk, &core, EPOCH, 0, 1000, tail));
	return 0;
}

static inline int
afterwards(void **unused)
{
	(void)unused;
	desk_free(desk);
	free(desk);
	return 0;
}

static inline struct id
instance(uint8_t number)
{
	return (struct id){ { number } };
}

static inline struct mp_writer
request(enum request kind, size_t elements, uint64_t front, uint8_t of)
{
	struct mp_writer w = mp_writer_of(memory, sizeof memory);
	const struct id its = instance(of);

	mp_put_array(&w, elements);
	mp_put_u64(&w, kind);
	mp_put_u64(&w, front);
	mp_put_id(&w, &its);
	return w;
}

static inline void
take(const struct mp_writer *w, uint64_t ticket)
{
	desk_take(desk, mp_written(w), ticket, now_us);
}

/* The verdict of the next answer, or -1. */
static inline int
answered(uint64_t *ticket)
{
	struct mp_writer w = mp_writer_of(answer, sizeof answer);

	if (!desk_answer(desk, now_us, ticket, &w)) {
		return -1;
	}
	answer_count = mp_written(&w).count;
	struct mp_reader r = mp_reader_of(mp_written(&w));
	mp_get_array(&r, 5);
	return (int)mp_get_u64(&r);
}

static inline void
make_durable(void)
{
	uint8_t reply[32];
	struct mp_writer append = mp_writer_of(memory, sizeof memory);
	struct mp_writer w = mp_writer_of(reply, sizeof reply);

	assert_true(desk_append(desk, &append));
	mp_put_array(&w, 3);
	mp_put_u64(&w, ACCEPTED);
	mp_put_u64(&w, 7);
	mp_put_u64(&w, 8);
	assert_int_equal(desk_appended(desk, mp_written(&w)), ACCEPTED);
}

static inline void
attach(uint64_t front, uint8_t of)
{
	uint64_t ticket = 0;
	struct mp_writer w = request(REQUEST_ATTACH, 3, front, of);

	take(&w, 1);
	assert_int_equal(answered(&ticket), -1); /* not before it is durable */
	make_durable();
	assert_int_equal(answered(&ticket), ACCEPTED);
}

/* A request that carries one command in that batch, or none in batch 0. */
struct asked {
	uint64_t front;
	uint8_t of;
	uint64_t epoch;  /* 0: the desk's */
	uint64_t number; /* 0: newer than all before */
	uint64_t acknowledged;
	uint64_t batch;
	struct command command;
	uint64_t ticket;
};

static inline void
ask(struct asked asked)
{
	struct mp_writer w = request(REQUEST_COMMANDS, 8, asked.front, asked.of);

	requests++;
	mp_put_u64(&w, asked.epoch != 0 ? asked.epoch : EPOCH);
	mp_put_u64(&w, asked.number != 0 ? asked.number : requests);
	mp_put_u64(&w, asked.acknowledged);
	mp_put_u64(&w, asked.batch);
	mp_put_array(&w, asked.batch != 0);
	if (asked.batch != 0) {
		command_write(&w, &asked.command, (struct span){ 0 });
	}
	take(&w, asked.ticket);
}

static inline void
send_leave(uint64_t front, uint8_t of, uint64_t epoch, uint64_t batch, uint8_t number)
{
	ask((struct asked){ .front = front,
			    .of = of,
			    .epoch = epoch,
			    .batch = batch,
			    .command = { .type = COMMAND_LEAVE, .command_id = { { number } } },
			    .ticket = 2 });
}

static inline void
listen_for(uint64_t front, uint8_t of, uint64_t acknowledged, uint64_t ticket)
{
	ask((struct asked){
		.front = front, .of = of, .acknowledged = acknowledged, .ticket = ticket });
}

/* Of the last answer, which answered COMMANDS: the batch that is done, the first notice's number,
 * and how many there are. */
struct said {
	uint64_t done;
	uint64_t first;
	size_t notices;
};

static inline struct said
said(void)
{
	struct mp_reader r = mp_reader_of((struct span){ answer, answer_count });
	struct said said;

	assert_int_equal(mp_get_array(&r, 6), 6);
	mp_get_u64(&r);
	assert_int_equal(mp_get_u64(&r), EPOCH);
	said.done = mp_get_u64(&r);
	mp_get_u64(&r);
	said.first = mp_get_u64(&r);
	said.notices = mp_get_array(&r, NOTICES_PER_REPLY_MAX);
	return said;
}

static inline void
hear_welcome(uint64_t front, uint8_t of)
{
	uint64_t ticket = 0;

	listen_for(front, of, 0, 50);
	assert_int_equal(answered(&ticket), ACCEPTED);
	assert_int_equal(ticket, 50);
	assert_int_equal(said().notices, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, given, afterwards)

#endif
