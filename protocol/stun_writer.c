#include "protocol/stun.h"

#include <assert.h>
#include <string.h>

#include "protocol/address.h"

enum { ATTRIBUTE_HEADER_BYTES = 4, LENGTH_MAX = 65532, REASON_BYTES_MAX = 763 };

static void
write_u16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void
write_u32(uint8_t *at, uint32_t value)
{
	write_u16(at, value >> 16);
	write_u16(at + 2, value & 0xFFFF);
}

struct stun_writer
stun_writer_of(void *memory, size_t size, uint16_t method, enum stun_class class,
	       const struct transaction *transaction)
{
	struct stun_writer w = { .start = memory, .at = memory, .end = (uint8_t *)memory + size };
	const unsigned bits = (unsigned)class;

	assert(method <= 0xFFF);
	if (size < STUN_HEADER_BYTES) {
		w.bad = true;
		return w;
	}
	write_u16(w.start, (method & 0x00Fu) | (method & 0x070u) << 1 | (method & 0xF80u) << 2 |
				   (bits & 1) << 4 | (bits & 2) << 7);
	write_u16(w.start + 2, 0);
	write_u32(w.start + 4, 0x2112A442);
	memcpy(w.start + 8, transaction->bytes, sizeof transaction->bytes);
	w.at += STUN_HEADER_BYTES;
	return w;
}

struct stun_writer
stun_reply_to(const struct stun_message *request, enum stun_class class, void *memory, size_t size)
{
	return stun_writer_of(memory, size, request->method, class, &request->transaction);
}

struct span
stun_written(const struct stun_writer *w)
{
	return (struct span){ w->start, w->bad ? 0 : (size_t)(w->at - w->start) };
}

/* Takes room for a value and its zero padding, and counts it in the header. NULL: no room. */
static uint8_t *
begin(struct stun_writer *w, enum stun_attribute attribute, size_t count)
{
	const size_t need = ATTRIBUTE_HEADER_BYTES + ((count + 3) & ~(size_t)3);
	uint8_t *at = w->at;

	if (w->bad || count > UINT16_MAX || need > (size_t)(w->end - at) ||
	    (size_t)(at - w->start) - STUN_HEADER_BYTES + need > LENGTH_MAX) {
		w->bad = true;
		return NULL;
	}
	memset(at, 0, need);
	write_u16(at, stun_attribute_number(attribute));
	write_u16(at + 2, count);
	w->at += need;
	write_u16(w->start + 2, (size_t)(w->at - w->start) - STUN_HEADER_BYTES);
	return at + ATTRIBUTE_HEADER_BYTES;
}

void
stun_put(struct stun_writer *w, enum stun_attribute attribute, const void *value, size_t count)
{
	uint8_t *at = begin(w, attribute, count);

	if (at != NULL && count > 0) {
		memcpy(at, value, count);
	}
}

void
stun_put_u32(struct stun_writer *w, enum stun_attribute attribute, uint32_t value)
{
	uint8_t *at = begin(w, attribute, 4);

	if (at != NULL) {
		write_u32(at, value);
	}
}

void
stun_put_address(struct stun_writer *w, enum stun_attribute attribute,
		 const struct address *address)
{
	struct transaction transaction;
	uint8_t wire[ADDRESS_WIRE_MAX];

	if (w->bad) {
		return;
	}
	memcpy(transaction.bytes, w->start + 8, sizeof transaction.bytes);
	stun_put(w, attribute, wire, address_to_wire(wire, address, &transaction));
}

static void
put_code(struct stun_writer *w, enum stun_attribute attribute, uint8_t family, unsigned code,
	 const char *reason)
{
	const size_t count = strlen(reason);

	assert(code >= 300 && code <= 699);
	assert(count <= REASON_BYTES_MAX);
	uint8_t *at = begin(w, attribute, 4 + count);
	if (at == NULL) {
		return;
	}
	at[0] = family;
	at[2] = (uint8_t)(code / 100);
	at[3] = (uint8_t)(code % 100);
	memcpy(at + 4, reason, count);
}

void
stun_put_error(struct stun_writer *w, unsigned code, const char *reason)
{
	put_code(w, STUN_ERROR_CODE, 0, code, reason);
}

void
stun_put_address_error(struct stun_writer *w, uint8_t family, unsigned code, const char *reason)
{
	put_code(w, STUN_ADDRESS_ERROR_CODE, family, code, reason);
}

void
stun_put_unknown(struct stun_writer *w, const struct stun_message *request)
{
	uint8_t *at = begin(w, STUN_UNKNOWN_ATTRIBUTES, 2 * request->unknown_count);

	for (size_t i = 0; at != NULL && i < request->unknown_count; i++) {
		write_u16(at + 2 * i, request->unknown[i]);
	}
}

void
stun_put_integrity(struct stun_writer *w, struct integrity *integrity, enum integrity_hash hash,
		   const struct integrity_key *key)
{
	const bool wide = hash == INTEGRITY_SHA256;
	const struct span before = stun_written(w);
	uint8_t *at = begin(w, wide ? STUN_MESSAGE_INTEGRITY_SHA256 : STUN_MESSAGE_INTEGRITY,
			    wide ? INTEGRITY_SHA256_BYTES : INTEGRITY_SHA1_BYTES);
	uint8_t sum[INTEGRITY_BYTES_MAX];

	if (at == NULL) {
		return;
	}
	const size_t count = integrity_hmac(
		integrity, hash, (struct span){ key->bytes, key->count }, &before, 1, sum);
	memcpy(at, sum, count);
}

void
stun_put_fingerprint(struct stun_writer *w)
{
	const struct span before = stun_written(w);
	uint8_t *at = begin(w, STUN_FINGERPRINT, 4);

	if (at != NULL) {
		write_u32(at, integrity_fingerprint(before));
	}
}
