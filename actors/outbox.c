#include "actors/outbox.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "actors/core.h"

/* Stands before each notice in a queue. */
struct record {
	uint64_t gate;
	uint64_t place; /* among all posted */
	uint64_t bytes;
};

void
outbox_init(struct outbox *outbox)
{
	memset(outbox, 0, sizeof *outbox);
}

void
outbox_free(struct outbox *outbox)
{
	for (size_t i = 1; i <= FRONTS_MAX; i++) {
		free(outbox->queues[i].memory);
	}
	memset(outbox, 0, sizeof *outbox);
}

void
outbox_begin(struct outbox *outbox, const struct command *command, uint64_t gate)
{
	outbox->command = command;
	outbox->gate = gate;
	memset(outbox->ordinals, 0, sizeof outbox->ordinals);
}

static struct record
record_at(const struct outbox_queue *queue, size_t at)
{
	struct record record;

	assert(at + sizeof record <= queue->used);
	memcpy(&record, queue->memory + at, sizeof record);
	return record;
}

static void
compact(struct outbox_queue *queue)
{
	memmove(queue->memory, queue->memory + queue->read, queue->used - queue->read);
	queue->used -= queue->read;
	queue->told_at -= queue->read;
	queue->read = 0;
}

/* Room for more, at the cost of a copy now and then; false at the limit or without memory. */
static bool
grow(struct outbox_queue *queue)
{
	const size_t size = queue->size == 0 ? OUTBOX_BYTES_FIRST : 2 * queue->size;
	uint8_t *memory = size > OUTBOX_BYTES_MAX ? NULL : realloc(queue->memory, size);

	if (memory == NULL) {
		return false;
	}
	queue->memory = memory;
	queue->size = size;
	return true;
}

static bool
append(struct outbox_queue *queue, const struct notice *notice, struct span body,
       struct record record)
{
	do {
		const size_t start = queue->used + sizeof record;
		if (start >= queue->size) {
			continue;
		}
		struct mp_writer w = mp_writer_of(queue->memory + start, queue->size - start);
		notice_write(&w, notice, body);
		if (!w.bad) {
			record.bytes = mp_written(&w).count;
			memcpy(queue->memory + queue->used, &record, sizeof record);
			queue->used = start + record.bytes;
			queue->count++;
			return true;
		}
	} while (grow(queue));
	return false;
}

void
outbox_post(struct outbox *outbox, uint64_t front, const struct notice *notice, struct span body)
{
	assert(front_is_valid(front));
	struct outbox_queue *queue = &outbox->queues[front];
	struct notice full = *notice;

	full.command_id = outbox->command->command_id;
	full.origin = outbox->command->front;
	full.instance = outbox->command->instance;
	full.ordinal = outbox->ordinals[front]++;
	if (queue->overflowed) {
		return;
	}
	if (!append(queue, &full, body,
		    (struct record){ .gate = outbox->gate, .place = outbox->posted + 1 })) {
		outbox_drop(outbox, front);
		queue->overflowed = true;
		return;
	}
	outbox->posted++;
}

void
outbox_attach(struct outbox *outbox, uint64_t front, bool keep, uint64_t now_us)
{
	struct outbox_queue *queue = &outbox->queues[front];

	if (!keep) {
		outbox_drop(outbox, front);
		queue->overflowed = false;
	}
	queue->taken = 0;
	queue->heard_us = now_us;
	outbox_again(outbox, front);
}

void
outbox_again(struct outbox *outbox, uint64_t front)
{
	struct outbox_queue *queue = &outbox->queues[front];

	queue->told = queue->taken;
	queue->told_at = queue->read;
}

bool
outbox_acknowledge(struct outbox *outbox, uint64_t front, uint64_t number)
{
	struct outbox_queue *queue = &outbox->queues[front];

	if (number > queue->taken && number - queue->taken > queue->count) {
		return false;
	}
	while (queue->taken < number) {
		queue->read += sizeof(struct record) + record_at(queue, queue->read).bytes;
		queue->taken++;
		queue->count--;
	}
	if (queue->told < queue->taken) {
		outbox_again(outbox, front);
	}
	/* Moving at half keeps the cost of each byte constant. */
	if (queue->read == queue->used || queue->read > queue->size / 2) {
		compact(queue);
	}
	return true;
}

bool
outbox_has(const struct outbox *outbox, uint64_t front, uint64_t durable)
{
	const struct outbox_queue *queue = &outbox->queues[front];

	return queue->told_at < queue->used && record_at(queue, queue->told_at).gate <= durable;
}

void
outbox_write(struct outbox *outbox, uint64_t front, uint64_t durable, struct mp_writer *w)
{
	struct outbox_queue *queue = &outbox->queues[front];
	size_t count = 0;
	size_t end = queue->told_at;

	while (end < queue->used && count < NOTICES_PER_REPLY_MAX &&
	       end - queue->told_at < OUTBOX_REPLY_BYTES_MAX &&
	       record_at(queue, end).gate <= durable) {
		end += sizeof(struct record) + record_at(queue, end).bytes;
		count++;
	}
	mp_put_u64(w, queue->told + 1);
	mp_put_array(w, count);
	while (queue->told_at < end) {
		const uint8_t *at = queue->memory + queue->told_at;
		const struct record record = record_at(queue, queue->told_at);
		mp_put_raw(w, (struct span){ at + sizeof record, record.bytes });
		queue->told_at += sizeof record + record.bytes;
	}
	queue->told += count;
}

uint64_t
outbox_settled(const struct outbox *outbox)
{
	uint64_t settled = outbox->posted;

	for (size_t i = 1; i <= FRONTS_MAX; i++) {
		const struct outbox_queue *queue = &outbox->queues[i];
		if (queue->count > 0) {
			const uint64_t place = record_at(queue, queue->read).place;
			settled = place - 1 < settled ? place - 1 : settled;
		}
	}
	return settled;
}

void
outbox_drop(struct outbox *outbox, uint64_t front)
{
	struct outbox_queue *queue = &outbox->queues[front];

	queue->used = 0;
	queue->read = 0;
	queue->told_at = 0;
	queue->count = 0;
}
