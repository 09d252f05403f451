/* The desk before a toy actor: every request that a front may send wrong, and the order of durable
 * things. */
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

static enum verdict
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

static void
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

static bool
toy_repeats(const void *state, const struct command *command)
{
	(void)state;
	return fronts_repeat(&toy, command);
}

static void
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

static void
toy_greet(const void *state, uint64_t front, struct outbox *outbox)
{
	(void)state;
	(void)front;
	(void)outbox;
}

static void
toy_dump(const void *state, struct mp_writer *w)
{
	(void)state;
	fronts_write(w, &toy);
}

static bool
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

static int
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

static int
afterwards(void **unused)
{
	(void)unused;
	desk_free(desk);
	free(desk);
	return 0;
}

static struct id
instance(uint8_t number)
{
	return (struct id){ { number } };
}

static struct mp_writer
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

static void
take(const struct mp_writer *w, uint64_t ticket)
{
	desk_take(desk, mp_written(w), ticket, now_us);
}

/* The verdict of the next answer, or -1. */
static int
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

static void
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

static void
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

static void
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

static void
send_leave(uint64_t front, uint8_t of, uint64_t epoch, uint64_t batch, uint8_t number)
{
	ask((struct asked){ .front = front,
			    .of = of,
			    .epoch = epoch,
			    .batch = batch,
			    .command = { .type = COMMAND_LEAVE, .command_id = { { number } } },
			    .ticket = 2 });
}

static void
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

static struct said
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

static void
hear_welcome(uint64_t front, uint8_t of)
{
	uint64_t ticket = 0;

	listen_for(front, of, 0, 50);
	assert_int_equal(answered(&ticket), ACCEPTED);
	assert_int_equal(ticket, 50);
	assert_int_equal(said().notices, 1);
}

/* --- the tests
 * ---------------------------------------------------------------------------------------- */

static void
requests_that_cannot_be_read_are_refused(void **unused)
{
	static const struct {
		const char *when;
		uint8_t bytes[24];
		size_t count;
	} rows[] = {
		{ "nothing", { 0 }, 0 },
		{ "no array", { 0x05 }, 1 },
		{ "an unknown request", { 0x91, 0x63 }, 2 },
		{ "an attach that ends early", { 0x93, 0x01, 0x01 }, 3 },
		{ "an attach without an instance", { 0x93, 0x01, 0x01, 0xC0 }, 4 },
		{ "an attach of front 0",
		  { 0x93, 0x01, 0x00, 0xC4, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7 },
		  21 },
		{ "an attach of front 99",
		  { 0x93, 0x01, 99, 0xC4, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7 },
		  21 },
		{ "an attach with something behind it",
		  { 0x93, 0x01, 1, 0xC4, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 0 },
		  22 },
		{ "an expulsion of nobody", { 0x92, 0x07, 0xA0 }, 3 },
		{ "an expulsion of a control character", { 0x92, 0x07, 0xA1, 0x07 }, 4 },
		{ "an expulsion with something behind it", { 0x92, 0x07, 0xA1, 'x', 0xC0 }, 5 },
		{ "an expulsion of a number", { 0x92, 0x07, 0x07 }, 3 },
		{ "commands without a front", { 0x92, 0x02, 0xC0 }, 3 },
		{ "a length that is not the shortest", { 0x93, 0xCC, 0x01 }, 3 },
	};
	uint64_t ticket = 0;

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		print_message("%s\n", rows[i].when);
		desk_take(desk, (struct span){ rows[i].bytes, rows[i].count }, 77, now_us);
		assert_int_equal(answered(&ticket), REFUSED_MALFORMED);
		assert_int_equal(ticket, 77);
		assert_true(desk_is_idle(desk));
	}
}

static void
fronts_that_may_not_speak_are_refused(void **unused)
{
	uint64_t ticket = 0;

	(void)unused;
	send_leave(1, 1, EPOCH, 1, 1);
	assert_int_equal(answered(&ticket), REFUSED_NOT_ATTACHED);
	attach(1, 1);
	send_leave(1, 1, EPOCH - 1, 1, 1);
	assert_int_equal(answered(&ticket), REFUSED_STALE_EPOCH);
	send_leave(1, 9, EPOCH, 1, 1);
	assert_int_equal(answered(&ticket), REFUSED_NOT_ATTACHED);
	assert_true(desk_is_idle(desk));
}

static void
a_front_cannot_give_the_actors_own_commands(void **unused)
{
	uint64_t ticket = 0;

	(void)unused;
	attach(1, 1);
	ask((struct asked){ .front = 1,
			    .of = 1,
			    .batch = 1,
			    .command = { .type = COMMAND_CLOSE, .command_id = { { 1 } } } });
	assert_int_equal(answered(&ticket), REFUSED_MALFORMED);
}

static void
nothing_is_told_before_it_is_durable(void **unused)
{
	uint64_t ticket = 0;

	(void)unused;
	attach(1, 1);
	attach(2, 2);
	hear_welcome(1, 1);
	hear_welcome(2, 2);
	listen_for(2, 2, 1, 51);
	send_leave(1, 1, EPOCH, 1, 1);
	assert_int_equal(answered(&ticket), -1);
	make_durable();
	assert_int_equal(answered(&ticket), ACCEPTED);
	assert_int_equal(ticket, 2);
	assert_int_equal(said().done, 1);
	assert_int_equal(answered(&ticket), ACCEPTED);
	assert_int_equal(ticket, 51);
	assert_int_equal(said().notices, 1);
	assert_int_equal(answered(&ticket), -1);
}

/* A change costs a front one request and one reply: the older request is answered with what became
 * of it, the one that carried it goes on waiting. */
static void
one_answer_tells_what_became_durable(void **unused)
{
	uint64_t ticket = 0;

	(void)unused;
	attach(2, 2);
	hear_welcome(2, 2);
	listen_for(2, 2, 1, 51);
	send_leave(2, 2, EPOCH, 1, 1);
	make_durable();
	assert_int_equal(answered(&ticket), ACCEPTED);
	assert_int_equal(ticket, 51);
	assert_int_equal(said().done, 1);
	assert_int_equal(said().first, 2);
	assert_int_equal(said().notices, 1);
	assert_int_equal(answered(&ticket), -1);
	send_leave(2, 2, EPOCH, 2, 2);
	assert_int_equal(answered(&ticket), -1);
	make_durable();
	assert_int_equal(answered(&ticket), ACCEPTED);
	assert_int_equal(said().done, 2);
	/* What was told and is not acknowledged yet comes once. */
	assert_int_equal(said().first, 3);
	assert_int_equal(said().notices, 1);
	assert_int_equal(answered(&ticket), -1);
}

static void
of_two_requests_without_commands_the_older_one_is_answered(void **unused)
{
	uint64_t ticket = 0;

	(void)unused;
	attach(1, 1);
	hear_welcome(1, 1);
	listen_for(1, 1, 1, 51);
	assert_int_equal(answered(&ticket), -1);
	listen_for(1, 1, 1, 52);
	assert_int_equal(answered(&ticket), ACCEPTED);
	assert_int_equal(ticket, 51);
	assert_int_equal(answered(&ticket), -1);
}

static void
what_was_lost_on_its_way_is_told_again(void **unused)
{
	uint64_t ticket = 0;

	(void)unused;
	attach(2, 2);
	hear_welcome(2, 2);
	send_leave(2, 2, EPOCH, 1, 1);
	make_durable();
	assert_int_equal(answered(&ticket), ACCEPTED);
	assert_int_equal(said().notices, 1);
	/* The connection broke before that came: the same request comes over another one. */
	ask((struct asked){ .front = 2,
			    .of = 2,
			    .number = requests,
			    .acknowledged = 1,
			    .batch = 1,
			    .command = { .type = COMMAND_LEAVE, .command_id = { { 1 } } },
			    .ticket = 3 });
	assert_int_equal(answered(&ticket), ACCEPTED);
	assert_int_equal(ticket, 3);
	assert_int_equal(said().done, 1);
	assert_int_equal(said().first, 2);
	assert_int_equal(said().notices, 1);
	assert_true(desk_is_idle(desk));
}

static void
a_command_sent_again_changes_nothing_and_is_told_again(void **unused)
{
	uint64_t ticket = 0;

	(void)unused;
	attach(1, 1);
	hear_welcome(1, 1);
	send_leave(1, 1, EPOCH, 1, 1);
	make_durable();
	assert_int_equal(answered(&ticket), ACCEPTED);
	send_leave(1, 1, EPOCH, 2, 1);
	assert_int_equal(answered(&ticket), ACCEPTED);
	assert_true(desk_is_idle(desk));
	attach(2, 2); /* it was not there yet: what waited for an unknown incarnation is gone */
	hear_welcome(2, 2);
}

static void
an_acknowledgement_of_what_was_not_told_is_refused(void **unused)
{
	uint64_t ticket = 0;

	(void)unused;
	attach(1, 1);
	listen_for(1, 1, 99, 50);
	assert_int_equal(answered(&ticket), REFUSED_MALFORMED);
}

static void
a_silent_front_is_given_up_and_must_come_as_another(void **unused)
{
	uint64_t ticket = 0;

	(void)unused;
	attach(2, 2); /* WELCOME waits for it, and is never fetched */
	now_us += DESK_LOST_US + 1;
	desk_tick(desk, now_us);
	listen_for(2, 2, 0, 50);
	assert_int_equal(answered(&ticket), REFUSED_NOT_ATTACHED);
	struct mp_writer w = request(REQUEST_ATTACH, 3, 2, 2);
	take(&w, 51);
	assert_int_equal(answered(&ticket), REFUSED_NOT_ATTACHED);
	attach(2, 3);
}

static void
a_request_without_notices_is_held_and_then_answered(void **unused)
{
	uint64_t ticket = 0;

	(void)unused;
	attach(1, 1);
	hear_welcome(1, 1);
	listen_for(1, 1, 1, 51);
	assert_int_equal(answered(&ticket), -1);
	now_us += DESK_HOLD_US;
	assert_int_equal(answered(&ticket), ACCEPTED);
	assert_int_equal(said().notices, 0);
}

static void
an_append_that_is_refused_ends_the_actor(void **unused)
{
	const uint8_t refused[] = { 0x91, REFUSED_STALE_EPOCH };
	struct mp_writer w = request(REQUEST_ATTACH, 3, 1, 1);

	(void)unused;
	take(&w, 1);
	w = mp_writer_of(memory, sizeof memory);
	assert_true(desk_append(desk, &w));
	assert_int_equal(desk_appended(desk, (struct span){ refused, sizeof refused }),
			 REFUSED_STALE_EPOCH);
}

/* --- expulsions --- */

static void
ask_expel(const char *name, uint64_t ticket)
{
	struct mp_writer w = mp_writer_of(memory, sizeof memory);

	mp_put_array(&w, 2);
	mp_put_u64(&w, REQUEST_EXPEL);
	mp_put_str(&w, name, strlen(name));
	take(&w, ticket);
}

/* What the last answer tells the front of it: the `over` of its EXPEL notice, and what it is to
 * answer with. */
static uint64_t
told_expel(struct id *asked)
{
	struct mp_reader r = mp_reader_of((struct span){ answer, answer_count });
	struct notice notice;
	struct span body;

	mp_get_array(&r, 6);
	for (int i = 0; i < 5; i++) {
		mp_get_u64(&r);
	}
	for (size_t left = mp_get_array(&r, 9); left > 0; left--) {
		notice_read(&r, &notice, &body);
	}
	assert_false(r.bad);
	assert_int_equal(notice.type, NOTICE_EXPEL);
	*asked = notice.command_id;
	return notice.expel.over;
}

static uint64_t
asks_what_is_expelled(uint64_t front, uint8_t of, struct id *asked)
{
	uint64_t ticket = 0;

	listen_for(front, of, 0, 60);
	assert_int_equal(answered(&ticket), ACCEPTED);
	return told_expel(asked);
}

static void
say_expelled(uint64_t front, uint8_t of, uint64_t batch, const struct id *asked)
{
	ask((struct asked){ .front = front,
			    .of = of,
			    .batch = batch,
			    .command = { .type = COMMAND_EXPELLED,
					 .command_id = { { 7, (uint8_t)batch } },
					 .expelled.expel = *asked },
			    .ticket = 70 });
}

/* Its three numbers: ended, forgotten, size. */
static void
assert_expelled(uint64_t expected_ticket, uint64_t forgotten, uint64_t size)
{
	uint64_t ticket = 0;

	assert_int_equal(answered(&ticket), ACCEPTED);
	assert_int_equal(ticket, expected_ticket);
	struct mp_reader r = mp_reader_of((struct span){ answer, answer_count });
	assert_int_equal(mp_get_array(&r, 3), 3);
	mp_get_u64(&r);
	assert_int_equal(mp_get_u64(&r), EPOCH);
	assert_int_equal(mp_get_array(&r, 3), 3);
	assert_int_equal(mp_get_u64(&r), 0);
	assert_int_equal(mp_get_u64(&r), forgotten);
	assert_int_equal(mp_get_u64(&r), size);
	assert_true(mp_reader_is_done(&r));
}

static void
take_snapshot(void)
{
	struct mp_writer w = mp_writer_of(memory, sizeof memory);

	assert_true(desk_snapshot(desk, &w));
}

static void
an_expulsion_needs_no_front(void **unused)
{
	uint64_t ticket = 0;

	(void)unused;
	to_forget = 2;
	ask_expel("ann", 90);
	assert_int_equal(answered(&ticket), -1);
	assert_true(desk_is_busy(desk)); /* what comes now is of another append */
	make_durable();
	assert_false(desk_is_busy(desk));
	assert_int_equal(answered(&ticket), -1); /* an older snapshot may still be on its way */
	take_snapshot();
	assert_expelled(90, 2, 8);
	assert_int_equal(answered(&ticket), -1);
}

static void
an_expulsion_waits_for_what_fronts_have_to_say(void **unused)
{
	uint64_t ticket = 0;
	struct id asked;
	struct id first;
	const struct id other = { { 9 } };

	(void)unused;
	attach(1, 1);
	to_forget = 1;
	ask_expel("ann", 90);
	assert_int_equal(to_forget, 1);
	assert_int_equal(asks_what_is_expelled(1, 1, &first), 0);
	say_expelled(1, 1, 1, &other);
	assert_int_equal(answered(&ticket), ACCEPTED);
	assert_int_equal(to_forget, 1); /* that was an answer to something else */
	say_expelled(1, 1, 2, &first);
	assert_int_equal(to_forget, 0);
	make_durable();
	assert_int_equal(answered(&ticket), ACCEPTED);
	assert_int_equal(told_expel(&asked), 1);
	take_snapshot();
	assert_false(id_equal(&first, &asked));
	say_expelled(1, 1, 3, &asked);
	assert_int_equal(answered(&ticket), ACCEPTED);
	assert_int_equal(ticket, 70);
	assert_int_equal(answered(&ticket), -1); /* that notice is not acknowledged */
	listen_for(1, 1, 3, 61);
	assert_expelled(90, 1, 8);
}

static void
a_front_that_attaches_hears_of_the_expulsion(void **unused)
{
	struct id asked;

	(void)unused;
	attach(1, 1);
	to_forget = 1;
	ask_expel("ann", 90);
	attach(1, 2); /* another instance, before the first one answered */
	assert_int_equal(asks_what_is_expelled(1, 2, &asked), 0);
	say_expelled(1, 2, 1, &asked);
	assert_int_equal(to_forget, 0);
}

static void
a_front_that_does_not_come_back_is_not_waited_for(void **unused)
{
	const struct id gone = instance(1);

	(void)unused;
	fronts_attach(&toy, 1, &gone); /* the log knows it from before */
	to_forget = 1;
	ask_expel("ann", 90);
	now_us += DESK_LOST_US - 1;
	desk_tick(desk, now_us);
	assert_int_equal(to_forget, 1);
	now_us += 1;
	desk_tick(desk, now_us);
	assert_int_equal(to_forget, 0);
	make_durable();
	take_snapshot();
	assert_expelled(90, 1, 8);
}

static void
one_is_expelled_at_a_time(void **unused)
{
	uint64_t ticket = 0;

	(void)unused;
	attach(1, 1);
	ask_expel("ann", 90);
	ask_expel("bob", 91);
	assert_int_equal(answered(&ticket), REFUSED_FULL);
	assert_int_equal(ticket, 91);
	ask_expel("ann", 92); /* who asked has lost patience, and asks again */
	assert_int_equal(answered(&ticket), REFUSED_FULL);
	assert_int_equal(ticket, 90);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, given, afterwards)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(requests_that_cannot_be_read_are_refused),
		TEST(fronts_that_may_not_speak_are_refused),
		TEST(a_front_cannot_give_the_actors_own_commands),
		TEST(nothing_is_told_before_it_is_durable),
		TEST(a_command_sent_again_changes_nothing_and_is_told_again),
		TEST(an_acknowledgement_of_what_was_not_told_is_refused),
		TEST(a_silent_front_is_given_up_and_must_come_as_another),
		TEST(a_request_without_notices_is_held_and_then_answered),
		TEST(one_answer_tells_what_became_durable),
		TEST(of_two_requests_without_commands_the_older_one_is_answered),
		TEST(what_was_lost_on_its_way_is_told_again),
		TEST(an_append_that_is_refused_ends_the_actor),
		TEST(an_expulsion_needs_no_front),
		TEST(an_expulsion_waits_for_what_fronts_have_to_say),
		TEST(a_front_that_attaches_hears_of_the_expulsion),
		TEST(a_front_that_does_not_come_back_is_not_waited_for),
		TEST(one_is_expelled_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
