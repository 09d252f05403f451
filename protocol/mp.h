/* Bounded msgpack cursors for the canonical subset of EVIDENCE section 1: nil, unsigned integers,
 * str, bin and arrays, each in its shortest form.
 *
 * Both cursors are sticky: after the first fault `bad` stays set, reads give zeroes and writes do
 * nothing. Read everything, check `bad` once, and end exactly at the end. The reader is our own
 * because msgpack-c's unpacker allocates what a five-byte header announces; the writer packs with
 * msgpack-c into memory the caller owns.
 */
#ifndef IFSWARM_PROTOCOL_MP_H
#define IFSWARM_PROTOCOL_MP_H

#include "protocol/types.h"

struct mp_reader {
	const uint8_t *at;
	const uint8_t *end;
	bool bad;
};

struct mp_reader mp_reader_of(struct span bytes);
/* True if everything was read, in shortest form, and nothing is left. */
bool mp_reader_is_done(const struct mp_reader *r);

/* True (and consumed) if the next value is nil. */
bool mp_take_nil(struct mp_reader *r);
uint64_t mp_get_u64(struct mp_reader *r);
/* The bytes of a bin or str of at most `most` bytes, borrowed from the input. */
struct span mp_get_bin(struct mp_reader *r, size_t most);
struct span mp_get_str(struct mp_reader *r, size_t most);
/* A name, a str; nil or an empty one is no name. */
struct name mp_get_name(struct mp_reader *r);
/* A bin of exactly `count` bytes, copied. */
void mp_get_fixed(struct mp_reader *r, uint8_t *out, size_t count);
/* The number of elements of an array, at most `most`. */
size_t mp_get_array(struct mp_reader *r, size_t most);
/* One whole value of any kind, at most 8 arrays deep, borrowed as its encoding. */
struct span mp_get_value(struct mp_reader *r);

/* An id: bin16, or nil for none. */
struct id mp_get_id(struct mp_reader *r);

struct mp_writer {
	uint8_t *at;
	uint8_t *end;
	uint8_t *start;
	bool bad; /* the memory was too small */
};

struct mp_writer mp_writer_of(void *memory, size_t size);
/* What has been written so far. */
struct span mp_written(const struct mp_writer *w);

void mp_put_nil(struct mp_writer *w);
void mp_put_u64(struct mp_writer *w, uint64_t value);
void mp_put_bin(struct mp_writer *w, const void *bytes, size_t count);
void mp_put_str(struct mp_writer *w, const char *bytes, size_t count);
void mp_put_array(struct mp_writer *w, size_t count);
/* bin16, or nil for none. */
void mp_put_id(struct mp_writer *w, const struct id *id);
/* A value that is encoded already. */
void mp_put_raw(struct mp_writer *w, struct span encoded);

#endif
