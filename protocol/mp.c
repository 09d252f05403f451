#include "protocol/mp.h"

#include <assert.h>
#include <msgpack/pack.h>
#include <string.h>

enum { DEPTH_MAX = 8 };

/* The first bytes of the formats we take (msgpack specification, "Formats"). */
enum {
	MP_FIXARRAY = 0x90,
	MP_FIXSTR = 0xA0,
	MP_NIL = 0xC0,
	MP_BIN8 = 0xC4,
	MP_UINT8 = 0xCC,
	MP_STR8 = 0xD9,
	MP_ARRAY16 = 0xDC,
	MP_ARRAY32 = 0xDD,
};

struct mp_reader
mp_reader_of(struct span bytes)
{
	return (struct mp_reader){ .at = bytes.at,
				   .end = bytes.count > 0 ? bytes.at + bytes.count : bytes.at };
}

bool
mp_reader_is_done(const struct mp_reader *r)
{
	return !r->bad && r->at == r->end;
}

static size_t
left(const struct mp_reader *r)
{
	return r->bad ? 0 : (size_t)(r->end - r->at);
}

static const uint8_t *
take(struct mp_reader *r, size_t count)
{
	if (left(r) < count) {
		r->bad = true;
		return NULL;
	}
	const uint8_t *at = r->at;
	r->at += count;
	return at;
}

static uint8_t
peek(const struct mp_reader *r)
{
	return left(r) > 0 ? *r->at : MP_NIL;
}

/* A big-endian number of 1, 2, 4 or 8 bytes that must not have fitted into a shorter form. */
static uint64_t
take_number(struct mp_reader *r, size_t bytes, uint64_t smallest)
{
	const uint8_t *at = take(r, bytes);
	uint64_t value = 0;

	for (size_t i = 0; at != NULL && i < bytes; i++) {
		value = value << 8 | at[i];
	}
	if (value < smallest) {
		r->bad = true;
	}
	return r->bad ? 0 : value;
}

bool
mp_take_nil(struct mp_reader *r)
{
	if (left(r) > 0 && *r->at == MP_NIL) {
		r->at++;
		return true;
	}
	return false;
}

uint64_t
mp_get_u64(struct mp_reader *r)
{
	static const uint64_t smallest[4] = { 0x80, 0x100, 0x10000, 0x100000000 };
	const uint8_t *first = take(r, 1);

	if (first == NULL) {
		return 0;
	}
	if (*first < 0x80) {
		return *first;
	}
	if (*first < MP_UINT8 || *first > MP_UINT8 + 3) {
		r->bad = true;
		return 0;
	}
	const unsigned width = *first - MP_UINT8;
	return take_number(r, (size_t)1 << width, smallest[width]);
}

/* The length behind a bin8/16/32 or str8/16/32 header whose first byte was `first`. */
static size_t
take_length(struct mp_reader *r, unsigned width, uint64_t smallest8)
{
	const uint64_t smallest[3] = { smallest8, 0x100, 0x10000 };

	return (size_t)take_number(r, (size_t)1 << width, smallest[width]);
}

static struct span
take_bytes(struct mp_reader *r, size_t count, size_t most)
{
	if (count > most) {
		r->bad = true;
	}
	const uint8_t *at = r->bad ? NULL : take(r, count);
	return (struct span){ at, at == NULL ? 0 : count };
}

struct span
mp_get_bin(struct mp_reader *r, size_t most)
{
	const uint8_t *first = take(r, 1);

	if (first == NULL || *first < MP_BIN8 || *first > MP_BIN8 + 2) {
		r->bad = true;
		return (struct span){ 0 };
	}
	return take_bytes(r, take_length(r, *first - MP_BIN8, 0), most);
}

struct span
mp_get_str(struct mp_reader *r, size_t most)
{
	const uint8_t *first = take(r, 1);

	if (first != NULL && (*first & 0xE0) == MP_FIXSTR) {
		return take_bytes(r, *first & 0x1F, most);
	}
	if (first == NULL || *first < MP_STR8 || *first > MP_STR8 + 2) {
		r->bad = true;
		return (struct span){ 0 };
	}
	return take_bytes(r, take_length(r, *first - MP_STR8, 32), most);
}

struct name
mp_get_name(struct mp_reader *r)
{
	struct name name = { 0 };

	if (!mp_take_nil(r)) {
		const struct span bytes = mp_get_str(r, NAME_BYTES_MAX);

		if (bytes.count > 0) {
			name_set(&name, (const char *)bytes.at, bytes.count);
		}
	}
	return name;
}

void
mp_get_fixed(struct mp_reader *r, uint8_t *out, size_t count)
{
	const struct span bytes = mp_get_bin(r, count);

	if (bytes.count != count) {
		r->bad = true;
		memset(out, 0, count);
		return;
	}
	memcpy(out, bytes.at, count);
}

size_t
mp_get_array(struct mp_reader *r, size_t most)
{
	const uint8_t *first = take(r, 1);
	uint64_t count = 0;

	if (first == NULL) {
		return 0;
	}
	if ((*first & 0xF0) == MP_FIXARRAY) {
		count = *first & 0x0F;
	} else if (*first == MP_ARRAY16) {
		count = take_number(r, 2, 16);
	} else if (*first == MP_ARRAY32) {
		count = take_number(r, 4, 0x10000);
	} else {
		r->bad = true;
	}
	/* Each element needs a byte at least: a count beyond that is a lie. */
	if (count > most || count > left(r)) {
		r->bad = true;
	}
	return r->bad ? 0 : (size_t)count;
}

static void
skip_value(struct mp_reader *r, unsigned depth)
{
	const uint8_t first = peek(r);

	if (mp_take_nil(r)) {
		return;
	}
	if (first < 0x80 || (first >= MP_UINT8 && first <= MP_UINT8 + 3)) {
		mp_get_u64(r);
	} else if (first >= MP_BIN8 && first <= MP_BIN8 + 2) {
		mp_get_bin(r, SIZE_MAX);
	} else if ((first & 0xE0) == MP_FIXSTR || (first >= MP_STR8 && first <= MP_STR8 + 2)) {
		mp_get_str(r, SIZE_MAX);
	} else if (depth == 0) {
		r->bad = true;
	} else {
		for (size_t count = mp_get_array(r, SIZE_MAX); count > 0 && !r->bad; count--) {
			skip_value(r, depth - 1);
		}
	}
}

struct span
mp_get_value(struct mp_reader *r)
{
	const uint8_t *start = r->at;

	if (left(r) == 0) {
		r->bad = true;
	}
	skip_value(r, DEPTH_MAX);
	return r->bad ? (struct span){ 0 } : (struct span){ start, (size_t)(r->at - start) };
}

struct id
mp_get_id(struct mp_reader *r)
{
	struct id id = { { 0 } };

	if (!mp_take_nil(r)) {
		mp_get_fixed(r, id.bytes, sizeof id.bytes);
		/* None is written as nil, so that each value has one encoding. */
		if (id_is_none(&id)) {
			r->bad = true;
		}
	}
	return id;
}

struct mp_writer
mp_writer_of(void *memory, size_t size)
{
	uint8_t *start = memory;

	return (struct mp_writer){ .at = start,
				   .end = size == 0 ? start : start + size,
				   .start = start };
}

struct span
mp_written(const struct mp_writer *w)
{
	return (struct span){ w->start, (size_t)(w->at - w->start) };
}

static int
put_bytes(void *writer, const char *bytes, size_t count)
{
	struct mp_writer *w = writer;

	if (w->bad || (size_t)(w->end - w->at) < count) {
		w->bad = true;
		return -1;
	}
	if (count > 0) {
		memcpy(w->at, bytes, count);
		w->at += count;
	}
	return 0;
}

static msgpack_packer
packer_of(struct mp_writer *w)
{
	return (msgpack_packer){ .data = w, .callback = put_bytes };
}

void
mp_put_nil(struct mp_writer *w)
{
	msgpack_packer packer = packer_of(w);

	msgpack_pack_nil(&packer);
}

void
mp_put_u64(struct mp_writer *w, uint64_t value)
{
	msgpack_packer packer = packer_of(w);

	msgpack_pack_uint64(&packer, value);
}

void
mp_put_bin(struct mp_writer *w, const void *bytes, size_t count)
{
	msgpack_packer packer = packer_of(w);

	msgpack_pack_bin(&packer, count);
	put_bytes(w, bytes, count);
}

void
mp_put_str(struct mp_writer *w, const char *bytes, size_t count)
{
	msgpack_packer packer = packer_of(w);

	msgpack_pack_str(&packer, count);
	put_bytes(w, bytes, count);
}

void
mp_put_array(struct mp_writer *w, size_t count)
{
	msgpack_packer packer = packer_of(w);

	msgpack_pack_array(&packer, count);
}

void
mp_put_id(struct mp_writer *w, const struct id *id)
{
	if (id_is_none(id)) {
		mp_put_nil(w);
	} else {
		mp_put_bin(w, id->bytes, sizeof id->bytes);
	}
}

void
mp_put_raw(struct mp_writer *w, struct span encoded)
{
	put_bytes(w, (const char *)encoded.at, encoded.count);
}
