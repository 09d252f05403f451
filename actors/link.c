#include "actors/link.h"

#include <assert.h>
#include <string.h>

void
link_init(struct link *link, uint64_t front, const struct id *instance, uint8_t *memory)
{
	assert(front_is_valid(front));
	assert(!id_is_none(instance));
	memset(link, 0, sizeof *link);
	link->front = front;
	link->instance = *instance;
	link->memory = memory;
	link->next_number = 1;
}

static struct link_batch *
batch_at(struct link *link, size_t index)
{
	assert(index < link->count);
	return &link->batches[(link->first + index) % LINK_BATCHES_MAX];
}

bool
link_is_settled(const struct link *link)
{
	return link->count == 0;
}

/* The batch that takes the next command, or NULL. */
static struct link_batch *
open_batch(struct link *link)
{
	if (link->open) {
		struct link_batch *last = batch_at(link, link->count - 1);
		if (last->commands < COMMANDS_PER_REQUEST_MAX &&
		    last->end - last->start < MESSAGE_BYTES_MAX / 4) {
			return last;
		}
	}
	if (link->count == LINK_BATCHES_MAX) {
		return NULL;
	}
	link->count++;
	link->open = true;
	struct link_batch *batch = batch_at(link, link->count - 1);
	*batch = (struct link_batch){ .number = link->next_number++,
				      .start = link->used,
				      .end = link->used };
	return batch;
}

bool
link_put(struct link *link, const struct command *command, struct span body)
{
	struct link_batch *batch = open_batch(link);

	if (batch == NULL) {
		return false;
	}
	struct mp_writer w = mp_writer_of(link->memory + link->used, LINK_BYTES_MAX - link->used);
	command_write(&w, command, body);
	if (w.bad) {
		return false;
	}
	link->used += mp_written(&w).count;
	batch->end = link->used;
	batch->commands++;
	return true;
}

/* Forgets the batches up to number `settled` that were sent since the last attach. */
static void
settle(struct link *link, uint64_t settled)
{
	size_t forgotten = 0;

	while (link->count > 0 && link->sent > 0 && batch_at(link, 0)->number <= settled) {
		forgotten = batch_at(link, 0)->end;
		link->first = (link->first + 1) % LINK_BATCHES_MAX;
		link->count--;
		link->sent--;
	}
	if (forgotten == 0) {
		return;
	}
	memmove(link->memory, link->memory + forgotten, link->used - forgotten);
	link->used -= forgotten;
	for (size_t i = 0; i < link->count; i++) {
		batch_at(link, i)->start -= forgotten;
		batch_at(link, i)->end -= forgotten;
	}
}

static void
write_head(struct link *link, struct mp_writer *w, enum request request, size_t elements)
{
	mp_put_array(w, elements);
	mp_put_u64(w, request);
	mp_put_u64(w, link->front);
	mp_put_id(w, &link->instance);
}

static bool
write_commands(struct link *link, struct mp_writer *w)
{
	if (link->sent == link->count || batch_at(link, link->sent)->commands == 0) {
		return false;
	}
	const struct link_batch *batch = batch_at(link, link->sent++);
	link->open = link->sent < link->count && link->open;
	write_head(link, w, REQUEST_COMMANDS, 6);
	mp_put_u64(w, link->epoch);
	mp_put_u64(w, batch->number);
	mp_put_array(w, batch->commands);
	mp_put_raw(w, (struct span){ link->memory + batch->start, batch->end - batch->start });
	return true;
}

static bool
write_ask(struct link *link, struct mp_writer *w)
{
	if (link->asking || link->state == LINK_LOST) {
		return false;
	}
	if (link->state == LINK_DETACHED) {
		write_head(link, w, REQUEST_ATTACH, 3);
		link->asking = true;
		link->attaching = true;
		return true;
	}
	link->asking = write_commands(link, w);
	return link->asking;
}

static bool
write_poll(struct link *link, struct mp_writer *w)
{
	if (link->polling || link->state != LINK_ATTACHED || link->notices_left > 0) {
		return false;
	}
	write_head(link, w, REQUEST_POLL, 5);
	mp_put_u64(w, link->epoch);
	mp_put_u64(w, link->taken);
	link->polling = true;
	link->poll_epoch = link->epoch;
	return true;
}

bool
link_request(struct link *link, size_t lane, struct mp_writer *w)
{
	assert(lane < LINK_LANES);
	const bool written = lane == LANE_ASK ? write_ask(link, w) : write_poll(link, w);

	assert(!w->bad);
	return written;
}

static void
attached(struct link *link, uint64_t epoch)
{
	link->state = LINK_ATTACHED;
	link->epoch = epoch;
	link->sent = 0;
	link->taken = 0;
	link->notices_left = 0;
}

static enum verdict
read_verdict(struct mp_reader *r)
{
	enum verdict verdict = REFUSED_MALFORMED;

	if (!verdict_from_number(mp_get_u64(r), &verdict)) {
		r->bad = true;
	}
	return r->bad ? REFUSED_MALFORMED : verdict;
}

static void
ask_reply(struct link *link, struct mp_reader *r)
{
	const bool attaching = link->attaching;
	const size_t elements = mp_get_array(r, 3);
	const enum verdict verdict = read_verdict(r);
	const uint64_t epoch = mp_get_u64(r);

	link->asking = false;
	link->attaching = false;
	if (attaching && verdict == REFUSED_NOT_ATTACHED) {
		link->state = LINK_LOST;
	} else if (attaching && verdict == ACCEPTED && elements == 2) {
		attached(link, epoch);
	} else if (!attaching && verdict == ACCEPTED && elements == 3) {
		settle(link, mp_get_u64(r));
	} else {
		link->state = LINK_DETACHED;
	}
}

static void
poll_reply(struct link *link, struct mp_reader *r)
{
	const size_t elements = mp_get_array(r, 5);
	const enum verdict verdict = read_verdict(r);

	mp_get_u64(r);
	link->polling = false;
	if (link->poll_epoch != link->epoch || link->state != LINK_ATTACHED) {
		return; /* an answer to what was asked before the last attach */
	}
	if (verdict != ACCEPTED || elements != 5) {
		link->state = LINK_DETACHED;
		return;
	}
	settle(link, mp_get_u64(r));
	const uint64_t first = mp_get_u64(r);
	link->notices_left = mp_get_array(r, NOTICES_PER_REPLY_MAX);
	link->notices = *r;
	/* What was handed out already is skipped without being looked at. */
	for (uint64_t number = first; number <= link->taken && link->notices_left > 0; number++) {
		mp_get_value(&link->notices);
		link->notices_left--;
	}
}

void
link_reply(struct link *link, size_t lane, struct span reply)
{
	struct mp_reader r = mp_reader_of(reply);

	assert(lane < LINK_LANES);
	if (lane == LANE_ASK) {
		ask_reply(link, &r);
	} else {
		poll_reply(link, &r);
	}
}

/* Within one instance of an origin command ids and ordinals increase: what is not newer was seen.
 */
static bool
is_repeated(struct link *link, const struct notice *notice)
{
	if (!front_is_valid(notice->origin)) {
		return false;
	}
	struct link_seen *seen = &link->seen[notice->origin];
	if (id_equal(&seen->instance, &notice->instance)) {
		const int order = memcmp(notice->command_id.bytes, seen->command.bytes,
					 sizeof seen->command.bytes);
		if (order < 0 || (order == 0 && notice->ordinal <= seen->ordinal)) {
			return true;
		}
	}
	*seen = (struct link_seen){ notice->instance, notice->command_id, notice->ordinal };
	return false;
}

bool
link_notice(struct link *link, struct notice *out, struct span *body)
{
	while (link->notices_left > 0) {
		link->notices_left--;
		link->taken++;
		notice_read(&link->notices, out, body);
		if (link->notices.bad) {
			/* Our own actor speaks nonsense: attach again and hear it anew. */
			link->notices_left = 0;
			link->state = LINK_DETACHED;
			return false;
		}
		if (!is_repeated(link, out)) {
			return true;
		}
	}
	return false;
}
