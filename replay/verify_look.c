/* The half of the checker that judges one row by itself. */
#include "replay/verify.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/seal.h"

struct looking {
	struct verify_voice *voice;
	const struct verify_row *row;
	const struct entry *entry;
	const struct verify_opened *opened;
};

static void
say_numbers(const struct looking *l, const char *what, uint64_t expected, uint64_t found)
{
	voice_say_numbers(l->voice, what, verify_place_of(l->row->seq).text, expected, found);
}

static void
check_columns(const struct looking *l)
{
	const struct verify_row *row = l->row;
	const struct entry *entry = l->entry;

	if (entry->seq != row->seq) {
		say_numbers(l, "the seq column is not the entry's seq", entry->seq, row->seq);
	}
	if (entry->recorded_us != row->recorded_us) {
		say_numbers(l, "the recorded_us column is not the entry's", entry->recorded_us,
			    row->recorded_us);
	}
	if (entry->stream != row->stream) {
		say_numbers(l, "the stream column is not the entry's", entry->stream, row->stream);
	}
	if (entry->type != row->type) {
		say_numbers(l, "the type column is not the entry's", entry->type, row->type);
	}
}

/* --- sealed parts --------------------------------------------------------------------------------
 */

static struct verify_place
part_place(const struct looking *l, uint32_t part)
{
	struct verify_place place;

	snprintf(place.text, sizeof place.text, "seq %" PRIu64 " sealed part %" PRIu32, l->row->seq,
		 part);
	return place;
}

/* True if the part that lies there is the one that the entry names. */
static bool
check_part(const struct looking *l, uint32_t i)
{
	const struct sealed_part *part = &l->entry->part[i];
	struct digest digest;

	if (l->row->body[i].count != part->length) {
		voice_say_numbers(l->voice, "a sealed part has another length",
				  part_place(l, i).text, part->length, l->row->body[i].count);
	}
	if (l->row->salt[i].count != SEAL_SALT_BYTES) {
		voice_say_numbers(l->voice, "a salt has another length", part_place(l, i).text,
				  SEAL_SALT_BYTES, l->row->salt[i].count);
		return false;
	}
	seal_digest(l->row->salt[i].at, l->row->body[i], &digest);
	if (digest_equal(&digest, &part->digest)) {
		return true;
	}
	voice_say_digests(l->voice, "a sealed part is not the one that the entry names",
			  part_place(l, i).text, &part->digest, &digest);
	return false;
}

static enum verify_part
state_of(const struct looking *l, uint32_t i)
{
	if (l->row->body[i].count == 0 || l->row->salt[i].count == 0) {
		return VERIFY_PART_ABSENT;
	}
	if (!check_part(l, i) || !l->opened->is_tried || l->opened->has_bad_key) {
		return VERIFY_PART_PRESENT;
	}
	return l->opened->plain[i].count > 0 ? VERIFY_PART_OPENED : VERIFY_PART_SHUT;
}

static void
check_parts(const struct looking *l, struct verify_fact *out)
{
	out->parts = (uint8_t)l->entry->parts;
	for (uint32_t i = 0; i < l->entry->parts; i++) {
		out->subject[i] = l->entry->part[i].subject;
		out->key[i] = l->entry->part[i].key_id;
		out->part[i] = (uint8_t)state_of(l, i);
	}
	for (uint32_t i = l->entry->parts; i < SEALED_PARTS_MAX; i++) {
		if (l->row->body[i].count > 0 || l->row->salt[i].count > 0) {
			say_numbers(l, "a sealed row that the entry does not know", l->entry->parts,
				    i + 1);
		}
	}
	if (l->opened->has_bad_key) {
		voice_say(l->voice, "a key is not the one that the log committed to",
			  verify_place_of(l->row->seq).text,
			  "the commitment of its key_created event", "another key in keys.db");
	}
}

/* --- fields --------------------------------------------------------------------------------------
 */

static void
check_subjects(const struct looking *l, const struct event *event)
{
	const struct record_shape shape = event_describe(event->type)->shape;

	for (unsigned i = 0; i < l->entry->parts; i++) {
		const struct id subject = record_subject(shape, i, event_fields_const(event));
		char one[33];
		char other[33];

		if (!id_equal(&subject, &l->entry->part[i].subject)) {
			hex_write(one, subject.bytes, sizeof subject.bytes);
			hex_write(other, l->entry->part[i].subject.bytes, sizeof subject.bytes);
			voice_say(l->voice,
				  "a part is sealed under another subject than the fields name",
				  verify_place_of(l->row->seq).text, one, other);
		}
	}
}

static void
check_fields(const struct looking *l, struct event *event)
{
	const bool has_plain = l->opened->is_tried && !l->opened->has_bad_key;
	const struct event_description *description = event_describe(l->entry->type);

	switch (entry_to_event(l->entry, has_plain ? l->opened->plain : NULL, event)) {
	case ENTRY_KNOWN:
		if ((uint64_t)description->stream != l->entry->stream) {
			say_numbers(l, "an event in another stream than its type's",
				    description->stream, l->entry->stream);
		}
		check_subjects(l, event);
		break;
	case ENTRY_FOREIGN:
		break;
	case ENTRY_BROKEN:
		voice_say(l->voice, "the fields are not what the catalog says",
			  verify_place_of(l->row->seq).text, description->name,
			  "other fields, or a part with others");
		break;
	}
}

static bool
says_more(uint64_t type)
{
	return type == EVENT_STREAM_CLAIMED || type == EVENT_TYPE_DECLARED ||
	       type == EVENT_KEY_CREATED || type == EVENT_LOG_CREATED || allow_wants(type);
}

void
verify_look(struct verify_voice *voice, const struct verify_row *row, const struct entry *entry,
	    const struct verify_opened *opened, struct verify_fact *out)
{
	const struct looking l = { voice, row, entry, opened };
	struct event event;

	*out = (struct verify_fact){ .seq = row->seq, .is_entry = entry != NULL };
	entry_leaf_hash(row->entry, &out->leaf);
	if (entry == NULL) {
		voice_say(voice, "the entry cannot be read", verify_place_of(row->seq).text,
			  "a canonical entry of version 1", "bytes that are not one");
		return;
	}
	out->recorded_us = entry->recorded_us;
	out->stream = entry->stream;
	out->stream_version = entry->stream_version;
	out->epoch = entry->epoch;
	out->type = entry->type;
	out->type_version = entry->type_version;
	out->says_more = says_more(entry->type);
	check_columns(&l);
	check_parts(&l, out);
	check_fields(&l, &event);
}
