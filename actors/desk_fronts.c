/* The desk's counter: what fronts ask, and when they are answered. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "actors/desk.h"

void
desk_put_answer(struct desk *desk, struct desk_answer answer)
{
	assert(desk->answer_count < DESK_ANSWERS_MAX);
	desk->answers[(desk->answer_first + desk->answer_count++) % DESK_ANSWERS_MAX] = answer;
}

static void
refuse(struct desk *desk, uint64_t ticket, enum verdict verdict)
{
	desk_put_answer(desk, (struct desk_answer){ .ticket = ticket, .verdict = verdict });
}

/* Takes the oldest request that is held for a front. */
static uint64_t
take_held(struct desk_front *front)
{
	const uint64_t ticket = front->held[0].ticket;

	front->held_count--;
	memmove(front->held, front->held + 1, front->held_count * sizeof front->held[0]);
	return ticket;
}

/* What is held for a front is given back without a notice, the oldest first, until `kept` are left:
 * its front has died, its connection is another one, or it asks more than is held. */
static void
release_held(struct desk *desk, uint64_t number, size_t kept)
{
	struct desk_front *front = &desk->fronts[number];

	while (front->held_count > kept) {
		desk_put_answer(
			desk, (struct desk_answer){ .ticket = take_held(front), .front = number });
	}
}

static void
greet(struct desk *desk, const struct command *command)
{
	const struct notice welcome = { .type = NOTICE_WELCOME, .welcome.epoch = desk->epoch };
	struct command own = *command;

	/* The greeting is the actor's own: the ids of a front's commands increase, and ours is not
	 * one of them. */
	own.front = 0;
	own.instance = (struct id){ { 0 } };
	outbox_begin(&desk->outbox, &own, desk_gate(desk));
	desk->core->greet(desk->core->state, command->front, &desk->outbox);
	outbox_post(&desk->outbox, command->front, &welcome, (struct span){ 0 });
}

static void
take_attach(struct desk *desk, struct mp_reader *r, uint64_t ticket, uint64_t now_us)
{
	struct command command = { .type = COMMAND_ATTACH, .now_us = now_us };

	command.front = mp_get_u64(r);
	command.instance = mp_get_id(r);
	command.command_id = uuid_next(&desk->ids, now_us / 1000);
	if (!mp_reader_is_done(r) || !front_is_valid(command.front) ||
	    id_is_none(&command.instance)) {
		refuse(desk, ticket, REFUSED_MALFORMED);
		return;
	}
	struct desk_front *front = &desk->fronts[command.front];
	if (front->lost && id_equal(&front->instance, &command.instance)) {
		refuse(desk, ticket, REFUSED_NOT_ATTACHED);
		return;
	}
	command.attach.instance = command.instance;
	const enum verdict verdict = desk_run(desk, &command, (struct span){ 0 });
	if (verdict == ACCEPTED) {
		/* No event: the state knows this very incarnation, so it is we who were restarted.
		 */
		const bool known = desk->events.count == 0;
		release_held(desk, command.front, 0);
		if (!known) {
			*front = (struct desk_front){ 0 };
		}
		front->last_request = 0;
		front->done = 0;
		front->attached = true;
		front->instance = command.instance;
		outbox_attach(&desk->outbox, command.front, known, now_us);
		greet(desk, &command);
		desk_expel_attached(desk, command.front);
	}
	desk_put_answer(desk, (struct desk_answer){ .ticket = ticket,
						    .gate = desk_gate(desk),
						    .verdict = verdict });
}

/* Reads "front, instance, epoch" and says whether that front may speak now. */
static enum verdict
read_front(struct desk *desk, struct mp_reader *r, struct command *out)
{
	memset(out, 0, sizeof *out);
	out->front = mp_get_u64(r);
	out->instance = mp_get_id(r);
	const uint64_t epoch = mp_get_u64(r);

	if (r->bad || !front_is_valid(out->front)) {
		return REFUSED_MALFORMED;
	}
	if (epoch != desk->epoch) {
		return REFUSED_STALE_EPOCH;
	}
	const struct desk_front *front = &desk->fronts[out->front];
	if (!front->attached || !id_equal(&front->instance, &out->instance)) {
		return REFUSED_NOT_ATTACHED;
	}
	return ACCEPTED;
}

static enum verdict
run_batch(struct desk *desk, struct mp_reader *r, const struct command *envelope, uint64_t now_us)
{
	const size_t count = mp_get_array(r, COMMANDS_PER_REQUEST_MAX);
	struct command command;
	struct span body;

	for (size_t i = 0; i < count; i++) {
		command_read(r, &command, &body);
		if (r->bad || command_is_own(command.type)) {
			return REFUSED_MALFORMED; /* the actor's own commands are not for fronts */
		}
		command.front = envelope->front;
		command.instance = envelope->instance;
		command.now_us = now_us;
		desk_run(desk, &command, body);
		if (command.type == COMMAND_EXPELLED) {
			desk_expel_done(desk, command.front, &command.expelled.expel);
		}
	}
	return mp_reader_is_done(r) ? ACCEPTED : REFUSED_MALFORMED;
}

static void
note_batch(struct desk *desk, struct desk_front *front, uint64_t number)
{
	front->last_batch = number;
	front->last_gate = desk_gate(desk);
	if (front->count == DESK_BATCHES_MAX) {
		/* The oldest is forgotten: it settles together with the next. */
		front->first = (front->first + 1) % DESK_BATCHES_MAX;
		front->count--;
	}
	front->batches[(front->first + front->count++) % DESK_BATCHES_MAX] =
		(struct desk_batch){ number, desk_gate(desk), desk->outbox.posted };
}

/* A request that is not newer was sent again over another connection: what was said over the one
 * before may be lost, and what is held for it has no reader. */
static void
note_request(struct desk *desk, uint64_t number, uint64_t request)
{
	struct desk_front *front = &desk->fronts[number];

	if (request > front->last_request) {
		front->last_request = request;
		release_held(desk, number, DESK_HELD_MAX - 1);
	} else {
		outbox_again(&desk->outbox, number);
		front->done = 0;
		release_held(desk, number, 0);
	}
}

static void
take_commands(struct desk *desk, struct mp_reader *r, uint64_t ticket, uint64_t now_us)
{
	struct command envelope;
	enum verdict verdict = read_front(desk, r, &envelope);
	const uint64_t request = mp_get_u64(r);
	const uint64_t acknowledged = mp_get_u64(r);
	const uint64_t batch = mp_get_u64(r);

	if (verdict == ACCEPTED &&
	    (r->bad || !outbox_acknowledge(&desk->outbox, envelope.front, acknowledged))) {
		verdict = REFUSED_MALFORMED;
	}
	if (verdict != ACCEPTED) {
		refuse(desk, ticket, verdict);
		return;
	}
	struct desk_front *front = &desk->fronts[envelope.front];
	desk->outbox.queues[envelope.front].heard_us = now_us;
	if (batch > front->last_batch) {
		verdict = run_batch(desk, r, &envelope, now_us);
		note_batch(desk, front, batch);
	} else if (batch == 0 && (mp_get_array(r, 0) != 0 || !mp_reader_is_done(r))) {
		verdict = REFUSED_MALFORMED;
	}
	note_request(desk, envelope.front, request);
	if (verdict == ACCEPTED) {
		front->held[front->held_count++] = (struct desk_held){ ticket, now_us };
	} else {
		refuse(desk, ticket, verdict);
	}
	desk_digest_if_due(desk, now_us);
	desk_expel_run(desk, now_us);
}

/* The roster is taken now and leaves when what it shows is durable. */
static void
take_roster(struct desk *desk, uint64_t ticket)
{
	uint8_t *memory = desk->core->roster == NULL ? NULL : malloc(DESK_DUMP_BYTES_MAX);
	struct mp_writer w = mp_writer_of(memory, memory == NULL ? 0 : DESK_DUMP_BYTES_MAX);

	if (memory != NULL) {
		desk->core->roster(desk->core->state, &w);
	}
	if (memory == NULL || w.bad) {
		free(memory);
		refuse(desk, ticket, REFUSED_FULL);
		return;
	}
	desk_put_answer(desk, (struct desk_answer){ .ticket = ticket,
						    .gate = desk_gate(desk),
						    .tail = { memory, mp_written(&w).count } });
}

void
desk_take(struct desk *desk, struct span request, uint64_t ticket, uint64_t now_us)
{
	struct mp_reader r = mp_reader_of(request);

	assert(!desk_is_busy(desk));
	mp_get_array(&r, 8);
	switch (mp_get_u64(&r)) {
	case REQUEST_ATTACH:
		take_attach(desk, &r, ticket, now_us);
		break;
	case REQUEST_COMMANDS:
		take_commands(desk, &r, ticket, now_us);
		break;
	case REQUEST_PING:
		refuse(desk, ticket, ACCEPTED);
		break;
	case REQUEST_ROSTER:
		take_roster(desk, ticket);
		break;
	case REQUEST_EXPEL:
		desk_expel_take(desk, &r, ticket, now_us);
		break;
	case REQUEST_KILL:
		desk_kill_take(desk, &r, ticket, now_us);
		break;
	case REQUEST_REVOKE:
		desk_revoke_take(desk, &r, ticket, now_us);
		break;
	default:
		refuse(desk, ticket, REFUSED_MALFORMED);
		break;
	}
}

/* The last batch of a front all of whose notices were acknowledged by whom they were for. */
static uint64_t
settled_batch(struct desk *desk, struct desk_front *front)
{
	const uint64_t settled = outbox_settled(&desk->outbox);

	while (front->count > 0 && front->batches[front->first].posted <= settled &&
	       front->batches[front->first].gate <= desk->durable) {
		front->settled = front->batches[front->first].number;
		front->first = (front->first + 1) % DESK_BATCHES_MAX;
		front->count--;
	}
	return front->settled;
}

/* All of a reply to COMMANDS but its notices. */
static void
write_progress(struct desk *desk, uint64_t number, struct mp_writer *w)
{
	struct desk_front *front = &desk->fronts[number];

	if (front->last_gate <= desk->durable) {
		front->done = front->last_batch;
	}
	mp_put_array(w, 6);
	mp_put_u64(w, ACCEPTED);
	mp_put_u64(w, desk->epoch);
	mp_put_u64(w, front->done);
	mp_put_u64(w, settled_batch(desk, front));
}

static bool
write_waiting(struct desk *desk, uint64_t *ticket, struct mp_writer *w)
{
	if (desk->answer_count == 0 || desk->answers[desk->answer_first].gate > desk->durable) {
		return false;
	}
	const struct desk_answer answer = desk->answers[desk->answer_first];
	desk->answer_first = (desk->answer_first + 1) % DESK_ANSWERS_MAX;
	desk->answer_count--;
	*ticket = answer.ticket;
	if (answer.front != 0) {
		write_progress(desk, answer.front, w);
		mp_put_u64(w, desk->outbox.queues[answer.front].told + 1);
		mp_put_array(w, 0);
		return true;
	}
	mp_put_array(w, answer.tail.at != NULL ? 3 : 2);
	mp_put_u64(w, answer.verdict);
	mp_put_u64(w, desk->epoch);
	if (answer.tail.at != NULL) {
		mp_put_raw(w, answer.tail);
		free((void *)(uintptr_t)answer.tail.at);
	}
	return true;
}

/* Notices, or commands that have become durable; and of two requests the second waits alone, unless
 * it carries commands that are not. */
static bool
has_something_to_say(const struct desk *desk, uint64_t number)
{
	const struct desk_front *front = &desk->fronts[number];
	const bool is_durable = front->last_gate <= desk->durable;

	return outbox_has(&desk->outbox, number, desk->durable) ||
	       (is_durable &&
		(front->done < front->last_batch || front->held_count == DESK_HELD_MAX));
}

static bool
write_held(struct desk *desk, uint64_t number, uint64_t now_us, uint64_t *ticket,
	   struct mp_writer *w)
{
	struct desk_front *front = &desk->fronts[number];

	if (front->held_count == 0 ||
	    (front->attached && now_us < front->held[0].since_us + DESK_HOLD_US &&
	     !has_something_to_say(desk, number))) {
		return false;
	}
	*ticket = take_held(front);
	if (!front->attached) {
		mp_put_array(w, 2);
		mp_put_u64(w, REFUSED_NOT_ATTACHED);
		mp_put_u64(w, desk->epoch);
		return true;
	}
	write_progress(desk, number, w);
	outbox_write(&desk->outbox, number, desk->durable, w);
	return true;
}

bool
desk_answer(struct desk *desk, uint64_t now_us, uint64_t *ticket, struct mp_writer *w)
{
	if (write_waiting(desk, ticket, w) || desk_expel_answer(desk, now_us, ticket, w)) {
		return true;
	}
	for (uint64_t number = 1; number <= FRONTS_MAX; number++) {
		if (write_held(desk, number, now_us, ticket, w)) {
			return true;
		}
	}
	return false;
}
