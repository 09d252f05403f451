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
is_attaching(const struct link *link)
{
	bool is = false;

	for (size_t i = 0; i < LINK_LANES; i++) {
		is |= link->lanes[i].asked && link->lanes[i].attaching;
	}
	return is;
}

/* True if the actor holds a request of ours that it can answer with notices. */
static bool
is_listening(const struct link *link)
{
	bool is = false;

	for (size_t i = 0; i < LINK_LANES; i++) {
		is |= link->lanes[i].asked && link->lanes[i].attachment == link->attachment;
	}
	return is;
}

static bool
has_batch_to_send(struct link *link)
{
	return link->going == 0 && link->sent < link->count &&
	       batch_at(link, link->sent)->commands > 0;
}

static void
write_batch(struct link *link, struct mp_writer *w)
{
	const struct link_batch *batch = batch_at(link, link->sent++);

	link->open = link->sent < link->count && link->open;
	link->going = batch->number;
	mp_put_u64(w, batch->number);
	mp_put_array(w, batch->commands);
	mp_put_raw(w, (struct span){ link->memory + batch->start, batch->end - batch->start });
}

static void
write_commands(struct link *link, struct mp_writer *w)
{
	const bool has_batch = has_batch_to_send(link);

	write_head(link, w, REQUEST_COMMANDS, 8);
	mp_put_u64(w, link->epoch);
	/* A number that is not newer asks for what was missed. */
	mp_put_u64(w, link->missed ? link->requests : ++link->requests);
	mp_put_u64(w, link->taken);
	link->missed = false;
	link->acknowledged = link->taken;
	if (has_batch) {
		write_batch(link, w);
	} else {
		mp_put_u64(w, 0);
		mp_put_array(w, 0);
	}
}

static bool
has_to_ask(struct link *link, bool is_idle)
{
	switch (link->state) {
	case LINK_DETACHED:
		return !is_attaching(link);
	case LINK_ATTACHED:
		return link->notices_left == 0 &&
		       (!is_listening(link) || link->missed || has_batch_to_send(link) ||
			(is_idle && link->acknowledged < link->taken));
	case LINK_LOST:
		break;
	}
	return false;
}

bool
link_request(struct link *link, size_t lane, bool is_idle, struct mp_writer *w)
{
	assert(lane < LINK_LANES);
	assert(!link->lanes[lane].asked);
	if (!has_to_ask(link, is_idle)) {
		return false;
	}
	link->lanes[lane] = (struct link_lane){ .asked = true,
						.attaching = link->state == LINK_DETACHED,
						.attachment = link->attachment };
	if (link->state == LINK_DETACHED) {
		write_head(link, w, REQUEST_ATTACH, 3);
	} else {
		write_commands(link, w);
	}
	assert(!w->bad);
	return true;
}

static void
attached(struct link *link, uint64_t epoch)
{
	link->state = LINK_ATTACHED;
	link->epoch = epoch;
	link->attachment++;
	link->requests = 0;
	link->sent = 0;
	link->going = 0;
	link->taken = 0;
	link->acknowledged = 0;
	link->missed = false;
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
attach_reply(struct link *link, struct mp_reader *r)
{
	const size_t elements = mp_get_array(r, 2);
	const enum verdict verdict = read_verdict(r);
	const uint64_t epoch = mp_get_u64(r);

	if (verdict == REFUSED_NOT_ATTACHED) {
		link->state = LINK_LOST;
	} else if (verdict == ACCEPTED && elements == 2) {
		attached(link, epoch);
	}
}

/* Behind a gap nothing may be handed out: an earlier reply was lost, or comes later. */
static void
take_notices(struct link *link, struct mp_reader *r)
{
	const uint64_t first = mp_get_u64(r);
	const size_t count = mp_get_array(r, NOTICES_PER_REPLY_MAX);

	if (first > link->taken + 1) {
		link->missed = true;
		return;
	}
	link->notices_left = count;
	link->notices = *r;
	/* What was handed out already is skipped without being looked at. */
	for (uint64_t number = first; number <= link->taken && link->notices_left > 0; number++) {
		mp_get_value(&link->notices);
		link->notices_left--;
	}
}

static void
commands_reply(struct link *link, struct mp_reader *r)
{
	const size_t elements = mp_get_array(r, 6);
	const enum verdict verdict = read_verdict(r);

	mp_get_u64(r);
	if (verdict != ACCEPTED || elements != 6) {
		link->state = LINK_DETACHED;
		return;
	}
	if (mp_get_u64(r) >= link->going) {
		link->going = 0;
	}
	settle(link, mp_get_u64(r));
	take_notices(link, r);
}

void
link_reply(struct link *link, size_t lane, struct span reply)
{
	struct mp_reader r = mp_reader_of(reply);

	assert(lane < LINK_LANES);
	const struct link_lane asked = link->lanes[lane];
	link->lanes[lane].asked = false;
	if (asked.attaching) {
		attach_reply(link, &r);
	} else if (link->state == LINK_ATTACHED && asked.attachment == link->attachment) {
		commands_reply(link, &r);
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
