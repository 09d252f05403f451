/* Appending: from an event on the wire to its row, its sealed parts and its leaf. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "store/evidence_state_io.h"

void
random_take(struct random_pool *pool, void *out, size_t count)
{
	assert(count <= RANDOM_POOL_BYTES);
	if (pool->left < count) {
		random_bytes(pool->bytes, sizeof pool->bytes);
		pool->left = sizeof pool->bytes;
	}
	pool->left -= count;
	memcpy(out, pool->bytes + pool->left, count);
	/* Salts and keys come from here: nobody gets the same bytes again. */
	seal_forget(pool->bytes + pool->left, count);
}

static bool
emit_tile(void *context, unsigned level, uint64_t index, const struct digest *hashes)
{
	struct evidence *e = context;

	return evidence_after(e, log_put_tile(&e->log, level, index, hashes), "writing a tile") ==
	       EVIDENCE_OK;
}

static void
remember_digest(struct evidence *e, const struct entry *entry)
{
	struct event event;

	if ((entry->type != EVENT_SESSION_STATE_DIGEST &&
	     entry->type != EVENT_ALLOCATION_STATE_DIGEST) ||
	    entry_to_event(entry, NULL, &event) != ENTRY_KNOWN) {
		return;
	}
	const bool session = entry->type == EVENT_SESSION_STATE_DIGEST;
	e->digests[entry->stream] = (struct state_digest){
		.known = true,
		.seq = entry->seq,
		.version = session ? event.session_state_digest.version
				   : event.allocation_state_digest.version,
		.digest = session ? event.session_state_digest.digest
				  : event.allocation_state_digest.digest,
	};
}

/* What is logged because a checkpoint was anchored is no reason to anchor another one, or two logs
 * that cosign each other would never rest. Nor is what others said of our own checkpoint a reason
 * to publish the next, which they have not seen yet. */
static void
weigh(struct evidence *e, uint64_t type)
{
	const bool is_own =
		type == EVENT_CHECKPOINT_COSIGNED || type == EVENT_CHECKPOINT_TIMESTAMPED;

	e->own_anchors = is_own ? e->own_anchors + 1 : 0;
	if (!is_own && type != EVENT_FOREIGN_CHECKPOINT_COSIGNED) {
		e->substance = e->tree.size;
	}
}

/* The row, the leaf, and what follows from them. */
static enum evidence_result
put_entry(struct evidence *e, const struct entry *entry)
{
	struct mp_writer w = mp_writer_of(e->entry, sizeof e->entry);
	struct digest leaf;

	entry_write(&w, entry);
	if (w.bad) {
		return EVIDENCE_REFUSED;
	}
	const struct span bytes = mp_written(&w);
	const enum evidence_result result =
		evidence_after(e, log_put_event(&e->log, entry, bytes), "appending an event");
	if (result != EVIDENCE_OK) {
		return result;
	}
	entry_leaf_hash(bytes, &leaf);
	if (!merkle_append(&e->tree, &leaf, emit_tile, e)) {
		return e->has_failed ? EVIDENCE_FAILED : EVIDENCE_FULL;
	}
	e->heads[entry->stream].version = entry->stream_version + 1;
	e->heads[entry->stream].epoch = entry->epoch;
	e->heads[entry->stream].last_seq = entry->seq;
	e->head_changed[entry->stream] = true;
	e->recorded_us = entry->recorded_us;
	remember_digest(e, entry);
	weigh(e, entry->type);
	return EVIDENCE_OK;
}

static enum evidence_result
put_part(struct evidence *e, struct entry *entry, unsigned part, const struct data_key *key,
	 struct span plain)
{
	const struct seal_place place = { entry->seq, (uint8_t)part, key->id };
	struct sealed_part *sealed = &entry->part[part];
	uint8_t salt[SEAL_SALT_BYTES];
	uint8_t body[SEAL_BODY_MAX];

	random_take(&e->random, salt, sizeof salt);
	sealed->subject = key->subject;
	sealed->key_id = key->id;
	sealed->length =
		seal_part(e->sealer, &key->key, &place, salt, plain, body, &sealed->digest);
	return evidence_after(e,
			      log_put_sealed(&e->log, entry->seq, part,
					     (struct span){ salt, sizeof salt },
					     (struct span){ body, (size_t)sealed->length }),
			      "sealing a personal part");
}

/* Appends with the keys at hand; `cause` NULL for none. */
static enum evidence_result
put_event(struct evidence *e, uint64_t stream, uint64_t epoch, const struct event_wire *event,
	  const uint64_t *cause, const struct data_key keys[SEALED_PARTS_MAX])
{
	struct entry entry = {
		.seq = e->tree.size,
		.recorded_us = e->recorded_us,
		.occurred_us = event->occurred_us,
		.stream = stream,
		.stream_version = e->heads[stream].version,
		.epoch = epoch,
		.type = event->description->type,
		.type_version = event->description->version,
		.command_id = event->command_id,
		.trace_id = event->trace_id,
		.has_cause = cause != NULL,
		.cause = cause != NULL ? *cause : 0,
		.fields = event->fields,
		.parts = event->parts,
	};

	for (uint32_t part = 0; part < event->parts; part++) {
		const enum evidence_result result =
			put_part(e, &entry, part, &keys[part], event->part[part]);
		if (result != EVIDENCE_OK) {
			return result;
		}
	}
	random_take(&e->random, entry.nonce, sizeof entry.nonce);
	return put_entry(e, &entry);
}

/* --- the witness's own events -------------------------------------------------------------------
 */

static enum evidence_result
put_own(struct evidence *e, struct event *event)
{
	uint8_t memory[2048];
	struct mp_writer w = mp_writer_of(memory, sizeof memory);
	struct event_wire wire;

	event->command_id = uuid_next(&e->ids, e->recorded_us / 1000);
	event_write(&w, event);
	struct mp_reader r = mp_reader_of(mp_written(&w));
	event_wire_read(&r, &wire);
	assert(!w.bad);
	assert(mp_reader_is_done(&r));
	assert(wire.parts == 0);
	return put_event(e, STREAM_WITNESS, e->heads[STREAM_WITNESS].epoch, &wire, NULL, NULL);
}

/* recorded_us never decreases; a step back of more than a second is said once, until it is made up.
 */
static enum evidence_result
tick(struct evidence *e, uint64_t now_us)
{
	if (now_us >= e->recorded_us) {
		e->recorded_us = now_us;
		e->clock_is_behind = false;
		return EVIDENCE_OK;
	}
	if (e->clock_is_behind || e->recorded_us - now_us <= CLOCK_STEP_US) {
		return EVIDENCE_OK;
	}
	struct event event = {
		.type = EVENT_CLOCK_STEPPED_BACK,
		.occurred_us = now_us,
		.clock_stepped_back = { .by_us = e->recorded_us - now_us },
	};
	e->clock_is_behind = true;
	return put_own(e, &event);
}

enum evidence_result
evidence_note(struct evidence *e, const struct event *event, uint64_t now_us)
{
	assert(e->in_transaction);
	assert(event_describe(event->type)->stream == STREAM_WITNESS);
	struct event own = *event;
	const enum evidence_result result = tick(e, now_us);

	if (result != EVIDENCE_OK) {
		return result;
	}
	own.occurred_us = now_us;
	return put_own(e, &own);
}

enum evidence_result
evidence_claim(struct evidence *e, uint64_t stream, const char *writer, uint64_t now_us,
	       uint64_t *epoch)
{
	struct event event = {
		.type = EVENT_STREAM_CLAIMED,
		.stream_claimed = { .stream = stream, .epoch = e->heads[stream].epoch + 1 },
	};

	assert(stream > 0 && stream < STREAMS);
	if (!text_set(&event.stream_claimed.writer, writer)) {
		return EVIDENCE_REFUSED;
	}
	*epoch = event.stream_claimed.epoch;
	const enum evidence_result result = evidence_note(e, &event, now_us);
	if (result == EVIDENCE_OK) {
		e->heads[stream].epoch = *epoch;
		e->head_changed[stream] = true;
	}
	return result;
}

/* --- keys ----------------------------------------------------------------------------------------
 */

static enum evidence_result
announce_key(struct evidence *e, struct data_key *key)
{
	struct event event = {
		.type = EVENT_KEY_CREATED,
		.occurred_us = e->recorded_us,
		.key_created = { .subject = key->subject, .key = key->id, .month = key->month },
	};

	key->created_seq = e->tree.size;
	seal_commitment(&key->key, &event.key_created.commitment);
	const enum evidence_result result =
		evidence_after(e, keys_put(e->keys, key), "keeping a data key");
	return result == EVIDENCE_OK ? put_own(e, &event) : result;
}

/* The subject's key of this month: known, made and announced now, or found orphaned by a crash
 * between the two databases and announced again. */
static enum evidence_result
take_key(struct evidence *e, const struct id *subject, struct data_key *out)
{
	const uint64_t month = seal_month(e->recorded_us);
	const struct data_key *found = NULL;
	bool announced = false;

	switch (keys_find(e->keys, &e->log.lookup, subject, month, &found, &announced)) {
	case KEYS_FOUND:
		*out = *found;
		return announced ? EVIDENCE_OK : announce_key(e, out);
	case KEYS_NONE:
		*out = (struct data_key){ .subject = *subject, .month = month };
		random_take(&e->random, out->id.bytes, sizeof out->id.bytes);
		random_take(&e->random, out->key.bytes, sizeof out->key.bytes);
		return announce_key(e, out);
	case KEYS_BROKEN:
		break;
	}
	return evidence_after(e, DB_FAILED,
			      "reading keys.db (a key does not unwrap, or is not the one the log "
			      "committed to: put back the right keys.db and wrap key)");
}

static enum evidence_result
take_keys(struct evidence *e, const struct event_wire *wire, struct data_key keys[SEALED_PARTS_MAX])
{
	const struct record_shape shape = wire->description->shape;
	enum evidence_result result = EVIDENCE_OK;
	struct event event;

	/* Its fields were checked when it came from the wire. */
	const bool whole = event_from_wire(wire, &event);
	assert(whole);
	for (unsigned part = 0; part < wire->parts && result == EVIDENCE_OK; part++) {
		const struct id subject = record_subject(shape, part, event_fields_const(&event));
		result = id_is_none(&subject) ? EVIDENCE_REFUSED
					      : take_key(e, &subject, &keys[part]);
	}
	return result;
}

/* --- the caller's events
 * -------------------------------------------------------------------------- */

static void
remember_seq(struct evidence *e, uint64_t seq)
{
	if (e->appended_count == e->appended_room) {
		e->appended_room =
			e->appended_room == 0 ? EVENTS_PER_APPEND_MAX : 2 * e->appended_room;
		e->appended = realloc(e->appended, e->appended_room * sizeof *e->appended);
		assert(e->appended != NULL);
	}
	e->appended[e->appended_count++] = seq;
}

enum evidence_result
evidence_append(struct evidence *e, uint64_t stream, uint64_t epoch, const struct event_wire *event,
		uint64_t now_us, uint64_t *seq)
{
	struct data_key keys[SEALED_PARTS_MAX];
	const bool has_cause = event->cause_back > 0;

	assert(e->in_transaction);
	assert(stream > 0 && stream < STREAMS);
	assert(epoch >= e->heads[stream].epoch);
	if (event->cause_back > e->appended_count) {
		return EVIDENCE_REFUSED;
	}
	const uint64_t cause = has_cause ? e->appended[e->appended_count - event->cause_back] : 0;
	enum evidence_result result = tick(e, now_us);
	if (result == EVIDENCE_OK && event->parts > 0) {
		result = take_keys(e, event, keys);
	}
	*seq = e->tree.size;
	if (result == EVIDENCE_OK) {
		result = put_event(e, stream, epoch, event, has_cause ? &cause : NULL, keys);
	}
	if (result == EVIDENCE_OK) {
		remember_seq(e, *seq);
	}
	return result;
}
