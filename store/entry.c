#include "store/entry.h"

#include <assert.h>
#include <string.h>

#include "store/merkle.h"

static void
write_part(struct mp_writer *w, const struct sealed_part *part)
{
	mp_put_array(w, 4);
	mp_put_bin(w, part->subject.bytes, sizeof part->subject.bytes);
	mp_put_bin(w, part->key_id.bytes, sizeof part->key_id.bytes);
	mp_put_u64(w, part->length);
	mp_put_bin(w, part->digest.bytes, sizeof part->digest.bytes);
}

void
entry_write(struct mp_writer *w, const struct entry *entry)
{
	assert(entry->parts <= SEALED_PARTS_MAX);
	assert(!entry->has_cause || entry->cause < entry->seq);
	mp_put_array(w, ENTRY_ELEMENTS);
	mp_put_u64(w, ENTRY_VERSION);
	mp_put_u64(w, entry->seq);
	mp_put_u64(w, entry->recorded_us);
	mp_put_u64(w, entry->occurred_us);
	mp_put_u64(w, entry->stream);
	mp_put_u64(w, entry->stream_version);
	mp_put_u64(w, entry->epoch);
	mp_put_u64(w, entry->type);
	mp_put_u64(w, entry->type_version);
	mp_put_bin(w, entry->command_id.bytes, sizeof entry->command_id.bytes);
	mp_put_id(w, &entry->trace_id);
	if (entry->has_cause) {
		mp_put_u64(w, entry->cause);
	} else {
		mp_put_nil(w);
	}
	mp_put_raw(w, entry->fields);
	mp_put_array(w, entry->parts);
	for (uint32_t i = 0; i < entry->parts; i++) {
		write_part(w, &entry->part[i]);
	}
	mp_put_bin(w, entry->nonce, sizeof entry->nonce);
}

static void
read_part(struct mp_reader *r, struct sealed_part *out)
{
	r->bad |= mp_get_array(r, 4) != 4;
	mp_get_fixed(r, out->subject.bytes, sizeof out->subject.bytes);
	mp_get_fixed(r, out->key_id.bytes, sizeof out->key_id.bytes);
	out->length = mp_get_u64(r);
	mp_get_fixed(r, out->digest.bytes, sizeof out->digest.bytes);
}

/* One array of plain values: an array within it, or anything that is no array, is not canonical. */
static struct span
read_fields(struct mp_reader *r)
{
	const struct span fields = mp_get_value(r);
	struct mp_reader inner = mp_reader_of(fields);

	for (size_t count = mp_get_array(&inner, SIZE_MAX); count > 0 && !inner.bad; count--) {
		const struct span value = mp_get_value(&inner);
		const uint8_t first = value.count > 0 ? value.at[0] : 0x90;

		inner.bad |= (first & 0xF0) == 0x90 || first == 0xDC || first == 0xDD;
	}
	r->bad |= !mp_reader_is_done(&inner);
	return fields;
}

static void
read_header(struct mp_reader *r, struct entry *out)
{
	out->seq = mp_get_u64(r);
	out->recorded_us = mp_get_u64(r);
	out->occurred_us = mp_get_u64(r);
	out->stream = mp_get_u64(r);
	out->stream_version = mp_get_u64(r);
	out->epoch = mp_get_u64(r);
	out->type = mp_get_u64(r);
	out->type_version = mp_get_u64(r);
	mp_get_fixed(r, out->command_id.bytes, sizeof out->command_id.bytes);
	out->trace_id = mp_get_id(r);
	out->has_cause = !mp_take_nil(r);
	out->cause = out->has_cause ? mp_get_u64(r) : 0;
	r->bad |= out->has_cause && out->cause >= out->seq;
}

bool
entry_read(struct span bytes, struct entry *out)
{
	struct mp_reader r = mp_reader_of(bytes);

	memset(out, 0, sizeof *out);
	r.bad |= bytes.count > ENTRY_BYTES_MAX;
	r.bad |= mp_get_array(&r, ENTRY_ELEMENTS) != ENTRY_ELEMENTS;
	r.bad |= mp_get_u64(&r) != ENTRY_VERSION;
	read_header(&r, out);
	out->fields = read_fields(&r);
	out->parts = (uint32_t)mp_get_array(&r, SEALED_PARTS_MAX);
	for (uint32_t i = 0; i < out->parts; i++) {
		read_part(&r, &out->part[i]);
	}
	mp_get_fixed(&r, out->nonce, sizeof out->nonce);
	return mp_reader_is_done(&r);
}

void
entry_leaf_hash(struct span bytes, struct digest *out)
{
	merkle_leaf_hash(bytes, out);
}

enum entry_meaning
entry_to_event(const struct entry *entry, const struct span *plain, struct event *out)
{
	const struct event_description *description = event_describe(entry->type);

	if (description == NULL || description->version < entry->type_version) {
		return ENTRY_FOREIGN;
	}
	if (entry->parts != record_parts(description->shape)) {
		return ENTRY_BROKEN;
	}
	const uint64_t back = entry->has_cause ? entry->seq - entry->cause : 0;
	struct event_wire wire = {
		.description = description,
		.is_older = entry->type_version < description->version,
		.occurred_us = entry->occurred_us,
		.command_id = entry->command_id,
		.trace_id = entry->trace_id,
		.cause_back = back <= UINT32_MAX ? (uint32_t)back : 0,
		.fields = entry->fields,
		.parts = entry->parts,
	};
	for (uint32_t i = 0; plain != NULL && i < entry->parts; i++) {
		wire.part[i] = plain[i];
	}
	return event_from_wire(&wire, out) ? ENTRY_KNOWN : ENTRY_BROKEN;
}
