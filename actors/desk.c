#include "actors/desk.h"

#include <assert.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

/* A sweep looks at all there is: once a second, and on with it at once while it finds something. */
enum { ROUNDS_PER_TICK = 32, SWEEP_US = 1000 * 1000 };

bool
desk_init(struct desk *desk, const struct core *core, uint64_t epoch, uint64_t version,
	  uint64_t snapshot_events, const uint8_t ids_tail[6])
{
	memset(desk, 0, sizeof *desk);
	desk->core = core;
	desk->epoch = epoch;
	desk->snapshot_events = snapshot_events;
	memcpy(desk->ids.tail, ids_tail, sizeof desk->ids.tail);
	desk->open.number = 1;
	desk->open.version = version;
	desk->open.memory = malloc(DESK_APPEND_BYTES_MAX);
	desk->sent.memory = malloc(DESK_APPEND_BYTES_MAX);
	desk->dump = malloc(DESK_DUMP_BYTES_MAX);
	desk->personal = malloc(DESK_DUMP_BYTES_MAX);
	outbox_init(&desk->outbox);
	return desk->open.memory != NULL && desk->sent.memory != NULL && desk->dump != NULL &&
	       desk->personal != NULL;
}

void
desk_free(struct desk *desk)
{
	for (; desk->answer_count > 0; desk->answer_count--) {
		free((void *)(uintptr_t)desk->answers[desk->answer_first].tail.at);
		desk->answer_first = (desk->answer_first + 1) % DESK_ANSWERS_MAX;
	}
	outbox_free(&desk->outbox);
	free(desk->open.memory);
	free(desk->sent.memory);
	free(desk->dump);
	free(desk->personal);
	memset(desk, 0, sizeof *desk);
}

bool
desk_is_busy(const struct desk *desk)
{
	return desk->open.events >= DESK_BUSY_EVENTS || desk->open.closed ||
	       desk->answer_count == DESK_ANSWERS_MAX;
}

uint64_t
desk_gate(const struct desk *desk)
{
	if (desk->open.events > 0) {
		return desk->open.number;
	}
	return desk->sent.events > 0 ? desk->sent.number : desk->durable;
}

bool
desk_has_room(const struct desk *desk)
{
	return !desk->open.closed &&
	       desk->open.events + EVENTS_PER_COMMAND_MAX <= EVENTS_PER_APPEND_MAX;
}

bool
desk_is_lasting(const struct core *core, const struct event *event)
{
	return core->is_lasting != NULL && core->is_lasting(event);
}

void
desk_snapshot_soon(struct desk *desk)
{
	desk->since_digest = desk->snapshot_events;
}

static void
take_events(struct desk *desk)
{
	bool lasting = false;
	struct mp_writer w = mp_writer_of(desk->open.memory + desk->open.used,
					  DESK_APPEND_BYTES_MAX - desk->open.used);

	for (uint32_t i = 0; i < desk->events.count; i++) {
		event_write(&w, &desk->events.items[i]);
		desk->core->apply(desk->core->state, &desk->events.items[i]);
		lasting |= desk_is_lasting(desk->core, &desk->events.items[i]);
	}
	assert(!w.bad);
	desk->open.used += mp_written(&w).count;
	desk->open.events += desk->events.count;
	desk->since_digest += desk->events.count;
	if (lasting) {
		desk_snapshot_soon(desk);
	}
}

enum verdict
desk_run(struct desk *desk, const struct command *command, struct span body)
{
	const struct core *core = desk->core;
	enum verdict verdict = ACCEPTED;

	desk->events.count = 0;
	if (!core->repeats(core->state, command)) {
		verdict = desk_has_room(desk) ? core->decide(core->state, command, &desk->events)
					      : REFUSED_FULL;
	}
	if (verdict == ACCEPTED) {
		take_events(desk);
		desk_expel_count(desk);
	} else {
		desk->events.count = 0;
	}
	outbox_begin(&desk->outbox, command, desk_gate(desk));
	core->tell(core->state, command, body, verdict, &desk->events, &desk->outbox);
	return verdict;
}

struct command
desk_own_command(struct desk *desk, enum command_type type, uint64_t now_us)
{
	return (struct command){
		.type = type,
		.now_us = now_us,
		.command_id = uuid_next(&desk->ids, now_us / 1000),
	};
}

/* Time's work comes in rounds, each a bounded command of its own. True when nothing is left to do.
 */
static bool
run_rounds(struct desk *desk, enum command_type type, uint64_t now_us)
{
	for (int round = 0; round < ROUNDS_PER_TICK && !desk_is_busy(desk); round++) {
		struct command command = desk_own_command(desk, type, now_us);
		if (desk_run(desk, &command, (struct span){ 0 }) != ACCEPTED ||
		    desk->events.count == 0) {
			return true;
		}
	}
	return false;
}

static void
sweep_if_due(struct desk *desk, uint64_t now_us)
{
	const uint64_t since_us = now_us - desk->swept_us; /* vast if the clock was set back */

	if (since_us >= SWEEP_US && run_rounds(desk, COMMAND_SWEEP, now_us)) {
		desk->swept_us = now_us;
	}
}

static void
give_up_silent_fronts(struct desk *desk, uint64_t now_us)
{
	for (size_t i = 1; i <= FRONTS_MAX; i++) {
		struct outbox_queue *queue = &desk->outbox.queues[i];
		if (queue->heard_us == 0) {
			queue->heard_us =
				now_us; /* known from the log alone: its time starts now */
		}
		const bool silent = queue->count > 0 && now_us > queue->heard_us + DESK_LOST_US;
		if (silent || queue->overflowed) {
			outbox_drop(&desk->outbox, i);
			desk->fronts[i].attached = false;
			desk->fronts[i].lost = true;
		}
	}
}

void
desk_tick(struct desk *desk, uint64_t now_us)
{
	give_up_silent_fronts(desk, now_us);
	if (!desk_is_busy(desk)) {
		sweep_if_due(desk, now_us);
		desk_digest_if_due(desk, now_us);
		desk_expel_run(desk, now_us);
	}
}

static void
log_digest(struct desk *desk, uint64_t now_us)
{
	const struct core *core = desk->core;
	struct mp_writer dump = mp_writer_of(desk->dump, DESK_DUMP_BYTES_MAX);
	struct mp_writer personal = mp_writer_of(desk->personal, DESK_DUMP_BYTES_MAX);
	struct command command = desk_own_command(desk, COMMAND_DIGEST, now_us);

	core->dump(core->state, &dump);
	core->dump_personal(core->state, &personal);
	assert(!dump.bad);
	assert(!personal.bad);
	desk->dump_bytes = mp_written(&dump).count;
	desk->personal_bytes = mp_written(&personal).count;
	desk->digest_version = desk->open.version + desk->open.events;
	command.digest.version = desk->digest_version;
	SHA256(desk->dump, desk->dump_bytes, command.digest.digest.bytes);
	if (desk_run(desk, &command, (struct span){ 0 }) == ACCEPTED) {
		assert(desk->events.count == 1);
		desk->digest_gate = desk->open.number;
		desk->since_digest = 0;
	}
}

bool
desk_log_digest(struct desk *desk, uint64_t now_us)
{
	if (desk->digest_gate != 0 || !desk_has_room(desk)) {
		return false;
	}
	log_digest(desk, now_us);
	return true;
}

void
desk_digest_if_due(struct desk *desk, uint64_t now_us)
{
	if (desk->since_digest >= desk->snapshot_events) {
		desk_log_digest(desk, now_us);
	}
}

bool
desk_close(struct desk *desk, uint64_t now_us)
{
	if (desk->closed) {
		return true;
	}
	if (run_rounds(desk, COMMAND_CLOSE, now_us)) {
		desk->closed = desk_log_digest(desk, now_us);
	}
	return desk->closed;
}

bool
desk_is_idle(const struct desk *desk)
{
	return desk->open.events == 0 && desk->sent.events == 0 && desk->digest_gate == 0;
}

bool
desk_append(struct desk *desk, struct mp_writer *w)
{
	if (desk->sent.events > 0 || desk->open.events == 0) {
		return false;
	}
	const struct desk_append going = desk->open;
	desk->open = (struct desk_append){
		.number = going.number + 1,
		.version = going.version + going.events,
		.memory = desk->sent.memory,
	};
	desk->sent = going;
	mp_put_array(w, 5);
	mp_put_u64(w, REQUEST_APPEND);
	mp_put_u64(w, desk->core->stream);
	mp_put_u64(w, desk->epoch);
	mp_put_u64(w, going.version);
	mp_put_array(w, going.events);
	mp_put_raw(w, (struct span){ going.memory, going.used });
	assert(!w->bad);
	return true;
}

enum verdict
desk_appended(struct desk *desk, struct span reply)
{
	struct mp_reader r = mp_reader_of(reply);
	enum verdict verdict = REFUSED_MALFORMED;

	assert(desk->sent.events > 0);
	const size_t elements = mp_get_array(&r, 3);
	if (!verdict_from_number(mp_get_u64(&r), &verdict) || r.bad) {
		return REFUSED_MALFORMED;
	}
	if (verdict != ACCEPTED) {
		return verdict;
	}
	mp_get_u64(&r); /* last seq: for those who watch */
	const uint64_t size = mp_get_u64(&r);
	if (elements != 3 || !mp_reader_is_done(&r)) {
		return REFUSED_MALFORMED;
	}
	desk->durable = desk->sent.number;
	if (desk->expel.stage == EXPEL_OVER && desk->durable == desk->expel.gate) {
		desk->expel.size = size;
	}
	desk->sent.events = 0;
	desk->sent.used = 0;
	return ACCEPTED;
}

bool
desk_snapshot(struct desk *desk, struct mp_writer *w)
{
	if (desk->digest_gate == 0 || desk->digest_gate > desk->durable) {
		return false;
	}
	desk->digest_gate = 0;
	mp_put_array(w, 6);
	mp_put_u64(w, REQUEST_SNAPSHOT);
	mp_put_u64(w, desk->core->stream);
	mp_put_u64(w, desk->epoch);
	mp_put_u64(w, desk->digest_version);
	mp_put_bin(w, desk->dump, desk->dump_bytes);
	mp_put_bin(w, desk->personal, desk->personal_bytes);
	assert(!w->bad);
	return true;
}
