#include "replay/verify.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/seal.h"

struct place {
	char text[64];
};

static struct place
place_of(uint64_t seq)
{
	struct place place;

	snprintf(place.text, sizeof place.text, "seq %" PRIu64, seq);
	return place;
}

static void
check_time(struct verify *v, const struct entry *entry)
{
	if (entry->recorded_us < v->recorded_us) {
		verify_say_numbers(v, "time goes back: recorded_us is before the entry before it",
				   place_of(entry->seq).text, v->recorded_us, entry->recorded_us);
		return;
	}
	v->recorded_us = entry->recorded_us;
}

static void
check_stream(struct verify *v, const struct entry *entry)
{
	const struct place place = place_of(entry->seq);

	if (entry->stream == 0 || entry->stream >= STREAMS) {
		verify_say_numbers(v, "a stream that does not exist", place.text, STREAM_WITNESS,
				   entry->stream);
		return;
	}
	struct verify_head *head = &v->heads[entry->stream];
	if (entry->stream_version != head->version) {
		verify_say_numbers(v, "the stream's versions are not dense", place.text,
				   head->version, entry->stream_version);
	}
	if (entry->epoch < head->epoch) {
		verify_say_numbers(v, "the epoch goes back: a writer that was fenced off",
				   place.text, head->epoch, entry->epoch);
	} else if (entry->epoch > head->epoch && entry->stream != STREAM_WITNESS) {
		verify_say_numbers(v, "an epoch that no stream_claimed gave out", place.text,
				   head->epoch, entry->epoch);
	}
	head->epoch = entry->epoch > head->epoch ? entry->epoch : head->epoch;
	head->version = entry->stream_version + 1;
	head->last_seq = entry->seq;
}

/* --- what events of the witness say about the rest --- */

static void
take_claim(struct verify *v, const struct entry *entry, const struct event_stream_claimed *e)
{
	const struct place place = place_of(entry->seq);

	if (e->stream == 0 || e->stream >= STREAMS) {
		verify_say_numbers(v, "a claim of a stream that does not exist", place.text,
				   STREAM_WITNESS, e->stream);
		return;
	}
	struct verify_head *head = &v->heads[e->stream];
	/* The witness claims its own stream within it: that entry bears the new epoch already. */
	const bool is_own = e->stream == STREAM_WITNESS && e->epoch == head->epoch;
	if (e->epoch != head->epoch + 1 && !is_own) {
		verify_say_numbers(v, "a claim's epoch is not one above the last", place.text,
				   head->epoch + 1, e->epoch);
	}
	head->epoch = e->epoch > head->epoch ? e->epoch : head->epoch;
}

static void
write_field_names(struct name *out, const struct record_shape *shape)
{
	char memory[NAME_BYTES_MAX + 1];
	size_t count = 0;

	memory[0] = '\0';
	for (size_t i = 0; i < shape->count && count < sizeof memory; i++) {
		count += (size_t)snprintf(memory + count, sizeof memory - count, "%s%s",
					  i == 0 ? "" : " ", shape->fields[i].name);
	}
	if (!name_set(out, memory, strlen(memory))) {
		out->length = 0;
	}
}

/* How the fields are parted in field_names is the writer's choice (blank or comma): words are
 * compared. */
static bool
names_same_fields(const struct name *declared, const struct record_shape *shape)
{
	struct name ours;

	write_field_names(&ours, shape);
	if (ours.length != declared->length) {
		return false;
	}
	for (uint16_t i = 0; i < ours.length; i++) {
		const char c = declared->bytes[i] == ',' ? ' ' : declared->bytes[i];
		if (c != ours.bytes[i]) {
			return false;
		}
	}
	return true;
}

static void
take_declaration(struct verify *v, const struct entry *entry, const struct event_type_declared *e)
{
	const struct event_description *ours = event_describe(e->number);
	const struct place place = place_of(entry->seq);
	char name[TEXT_BYTES_MAX + 1] = "";

	memcpy(name, e->name.bytes, e->name.length);
	if (ours != NULL && ours->version == e->version &&
	    (strcmp(ours->name, name) != 0 || e->stream != (uint64_t)ours->stream ||
	     !names_same_fields(&e->field_names, &ours->shape))) {
		verify_say(v, "a type is declared otherwise than this program knows it", place.text,
			   ours->name, name);
	}
	if (v->type_count == VERIFY_TYPES_MAX) {
		verify_say_numbers(v, "more types are declared than a log can have", place.text,
				   VERIFY_TYPES_MAX, (uint64_t)v->type_count + 1);
		return;
	}
	v->types[v->type_count++] = (struct verify_type){ e->number, e->version };
}

static void
take_key(struct verify *v, const struct event_key_created *e)
{
	if (!idmap_put(&v->keys, &e->key, 0)) {
		v->keys_overfull = true;
	}
}

static void
take_witness_event(struct verify *v, const struct entry *entry, const struct event *event)
{
	if (event->type == EVENT_STREAM_CLAIMED) {
		take_claim(v, entry, &event->stream_claimed);
	} else if (event->type == EVENT_TYPE_DECLARED) {
		take_declaration(v, entry, &event->type_declared);
	} else if (event->type == EVENT_KEY_CREATED) {
		take_key(v, &event->key_created);
	} else if (event->type == EVENT_LOG_CREATED) {
		memcpy(v->origin, event->log_created.origin.bytes,
		       event->log_created.origin.length);
		if (entry->seq != 0) {
			verify_say_numbers(v, "a second beginning: log_created within the log",
					   place_of(entry->seq).text, 0, entry->seq);
		}
	}
}

/* --- types and sealed parts --- */

static bool
is_declared(const struct verify *v, uint64_t number, uint64_t version)
{
	for (uint32_t i = v->type_count; i > 0; i--) {
		if (v->types[i - 1].number == number && v->types[i - 1].version == version) {
			return true;
		}
	}
	return false;
}

static void
check_type(struct verify *v, const struct entry *entry)
{
	char found[64];

	if (entry->seq == 0 && entry->type != EVENT_LOG_CREATED) {
		verify_say_numbers(v, "the log does not begin with log_created", "seq 0",
				   EVENT_LOG_CREATED, entry->type);
	}
	/* These two come before their declarations; verify_end sees that those are there. */
	if (entry->type == EVENT_LOG_CREATED || entry->type == EVENT_TYPE_DECLARED) {
		return;
	}
	if (!is_declared(v, entry->type, entry->type_version)) {
		snprintf(found, sizeof found, "type %" PRIu64 " version %" PRIu64, entry->type,
			 entry->type_version);
		verify_say(v, "an event of a type that was not declared before it",
			   place_of(entry->seq).text, "a type_declared event before it", found);
	}
}

/* True if the part that lies there is the one that the entry names. */
static bool
check_part(struct verify *v, const struct verify_row *row, const struct entry *entry, uint32_t i)
{
	const struct sealed_part *part = &entry->part[i];
	struct digest digest;
	char where[64];

	snprintf(where, sizeof where, "seq %" PRIu64 " sealed part %" PRIu32, entry->seq, i);
	if (!v->keys_overfull && idmap_find(&v->keys, &part->key_id) == NULL) {
		verify_say(v, "sealed under a key that the log does not know", where,
			   "a key_created event before it", "none");
	}
	if (row->body[i].count == 0 || row->salt[i].count == 0) {
		verify_say(v, "a sealed part is missing", where, "its ciphertext and salt",
			   "none, and no event says that it was lawfully erased");
		return false;
	}
	v->sealed_present++;
	if (row->body[i].count != part->length) {
		verify_say_numbers(v, "a sealed part has another length", where, part->length,
				   row->body[i].count);
	}
	if (row->salt[i].count != SEAL_SALT_BYTES) {
		verify_say_numbers(v, "a salt has another length", where, SEAL_SALT_BYTES,
				   row->salt[i].count);
		return false;
	}
	seal_digest(row->salt[i].at, row->body[i], &digest);
	const bool is_named = digest_equal(&digest, &part->digest);
	if (!is_named) {
		verify_say_digests(v, "a sealed part is not the one that the entry names", where,
				   &part->digest, &digest);
	}
	return is_named;
}

/* Folded into one finding: keys that are not this log's open nothing at all. */
static void
note_opened(struct verify *v, const struct entry *entry, const struct verify_opened *opened,
	    uint32_t i)
{
	if (!opened->is_tried || opened->has_bad_key) {
		return;
	}
	if (opened->plain[i].count > 0) {
		v->sealed_opened++;
		return;
	}
	v->first_shut = v->sealed_shut++ == 0 ? entry->seq : v->first_shut;
}

static void
check_parts(struct verify *v, const struct verify_row *row, const struct entry *entry,
	    const struct verify_opened *opened)
{
	for (uint32_t i = 0; i < entry->parts; i++) {
		if (check_part(v, row, entry, i)) {
			note_opened(v, entry, opened, i);
		}
	}
	for (uint32_t i = entry->parts; i < SEALED_PARTS_MAX; i++) {
		if (row->body[i].count > 0 || row->salt[i].count > 0) {
			verify_say_numbers(v, "a sealed row that the entry does not know",
					   place_of(entry->seq).text, entry->parts, i + 1);
		}
	}
	if (opened->has_bad_key) {
		verify_say(v, "a key is not the one that the log committed to",
			   place_of(entry->seq).text, "the commitment of its key_created event",
			   "another key in keys.db");
	}
}

static void
check_subjects(struct verify *v, const struct entry *entry, const struct event *event)
{
	const struct record_shape shape = event_describe(event->type)->shape;
	const unsigned parts = record_parts(shape);

	if (parts != entry->parts) {
		verify_say_numbers(v, "the number of sealed parts is not the catalog's",
				   place_of(entry->seq).text, parts, entry->parts);
		return;
	}
	for (unsigned i = 0; i < parts; i++) {
		const struct id subject = record_subject(shape, i, event_fields_const(event));
		char one[33];
		char other[33];

		if (!id_equal(&subject, &entry->part[i].subject)) {
			hex_write(one, subject.bytes, sizeof subject.bytes);
			hex_write(other, entry->part[i].subject.bytes, sizeof subject.bytes);
			verify_say(v, "a part is sealed under another subject than the fields name",
				   place_of(entry->seq).text, one, other);
		}
	}
}

void
verify_entry(struct verify *v, const struct verify_row *row, const struct entry *entry,
	     const struct verify_opened *opened)
{
	struct event event;
	const bool has_plain = opened->is_tried && !opened->has_bad_key;

	check_time(v, entry);
	check_stream(v, entry);
	check_type(v, entry);
	check_parts(v, row, entry, opened);
	switch (entry_to_event(entry, has_plain ? opened->plain : NULL, &event)) {
	case ENTRY_KNOWN:
		if ((uint64_t)event_describe(event.type)->stream != entry->stream) {
			verify_say_numbers(v, "an event in another stream than its type's",
					   place_of(entry->seq).text,
					   event_describe(event.type)->stream, entry->stream);
		}
		check_subjects(v, entry, &event);
		take_witness_event(v, entry, &event);
		break;
	case ENTRY_FOREIGN:
		break;
	case ENTRY_BROKEN:
		verify_say(v, "the fields are not what the catalog says", place_of(entry->seq).text,
			   event_describe(entry->type)->name,
			   "other fields, or a part with others");
		break;
	}
}
