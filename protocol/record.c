#include "protocol/record.h"

#include <arpa/inet.h>
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool
is_clear(const struct field *field)
{
	return field->place < PLACE_SEALED0;
}

static bool
is_in_part(const struct field *field, unsigned part)
{
	return field->place == (part == 0 ? PLACE_SEALED0 : PLACE_SEALED1);
}

void
address_write(struct mp_writer *w, const struct address *address)
{
	uint8_t bytes[18];
	const size_t count = address->family == ADDRESS_IPV4 ? 4 : 16;

	if (address->family == ADDRESS_NONE) {
		mp_put_nil(w);
		return;
	}
	memcpy(bytes, address->bytes, count);
	bytes[count] = (uint8_t)(address->port >> 8);
	bytes[count + 1] = (uint8_t)address->port;
	mp_put_bin(w, bytes, count + 2);
}

void
address_read(struct mp_reader *r, struct address *address)
{
	if (mp_take_nil(r)) {
		return;
	}
	const struct span bytes = mp_get_bin(r, 18);
	if (bytes.count != 6 && bytes.count != 18) {
		r->bad = true;
		return;
	}
	address->family = bytes.count == 6 ? ADDRESS_IPV4 : ADDRESS_IPV6;
	memcpy(address->bytes, bytes.at, bytes.count - 2);
	address->port = (uint16_t)(bytes.at[bytes.count - 2] << 8 | bytes.at[bytes.count - 1]);
}

static void
write_json(struct mp_writer *w, const struct json_text *json)
{
	if (json->length == 0) {
		mp_put_nil(w);
	} else {
		mp_put_str(w, json->bytes, json->length);
	}
}

static void
read_json(struct mp_reader *r, struct json_text *out)
{
	if (mp_take_nil(r)) {
		return;
	}
	const struct span bytes = mp_get_str(r, JSON_BYTES_MAX);
	if (bytes.count == 0) {
		r->bad = true;
		return;
	}
	json_text_set(out, (const char *)bytes.at, bytes.count);
}

static void
write_field(struct mp_writer *w, const struct field *field, const void *record)
{
	const void *value = (const uint8_t *)record + field->offset;
	const struct name *name = value;
	const struct text *text = value;

	switch (field->kind) {
	case FIELD_U64:
		mp_put_u64(w, *(const uint64_t *)value);
		break;
	case FIELD_ID:
		mp_put_id(w, value);
		break;
	case FIELD_DIGEST:
		mp_put_bin(w, value, sizeof(struct digest));
		break;
	case FIELD_TRANSACTION:
		mp_put_bin(w, value, sizeof(struct transaction));
		break;
	case FIELD_NAME:
		if (name->length == 0) {
			mp_put_nil(w);
		} else {
			mp_put_str(w, name->bytes, name->length);
		}
		break;
	case FIELD_TEXT:
		mp_put_str(w, text->bytes, text->length);
		break;
	case FIELD_JSON:
		write_json(w, value);
		break;
	case FIELD_ADDRESS:
		address_write(w, value);
		break;
	}
}

static void
read_name(struct mp_reader *r, struct name *out)
{
	if (mp_take_nil(r)) {
		return;
	}
	const struct span bytes = mp_get_str(r, NAME_BYTES_MAX);
	if (bytes.count == 0) {
		r->bad = true;
		return;
	}
	name_set(out, (const char *)bytes.at, bytes.count);
}

static void
read_text(struct mp_reader *r, struct text *out)
{
	const struct span bytes = mp_get_str(r, TEXT_BYTES_MAX);

	if (bytes.count > 0) {
		memcpy(out->bytes, bytes.at, bytes.count);
	}
	out->length = (uint8_t)bytes.count;
}

static void
read_field(struct mp_reader *r, const struct field *field, void *record)
{
	void *value = (uint8_t *)record + field->offset;

	switch (field->kind) {
	case FIELD_U64:
		*(uint64_t *)value = mp_get_u64(r);
		break;
	case FIELD_ID:
		*(struct id *)value = mp_get_id(r);
		break;
	case FIELD_DIGEST:
		mp_get_fixed(r, value, sizeof(struct digest));
		break;
	case FIELD_TRANSACTION:
		mp_get_fixed(r, value, sizeof(struct transaction));
		break;
	case FIELD_NAME:
		read_name(r, value);
		break;
	case FIELD_TEXT:
		read_text(r, value);
		break;
	case FIELD_JSON:
		read_json(r, value);
		break;
	case FIELD_ADDRESS:
		address_read(r, value);
		break;
	}
}

static size_t
count_where(struct record_shape shape, bool clear, unsigned part)
{
	size_t count = 0;

	for (size_t i = 0; i < shape.count; i++) {
		count += clear ? is_clear(&shape.fields[i]) : is_in_part(&shape.fields[i], part);
	}
	return count;
}

void
record_write_clear(struct mp_writer *w, struct record_shape shape, const void *record)
{
	mp_put_array(w, count_where(shape, true, 0));
	for (size_t i = 0; i < shape.count; i++) {
		if (is_clear(&shape.fields[i])) {
			write_field(w, &shape.fields[i], record);
		}
	}
}

void
record_write_part(struct mp_writer *w, struct record_shape shape, unsigned part, const void *record)
{
	mp_put_array(w, count_where(shape, false, part));
	for (size_t i = 0; i < shape.count; i++) {
		if (is_in_part(&shape.fields[i], part)) {
			write_field(w, &shape.fields[i], record);
		}
	}
}

static void
read_first_clear(struct mp_reader *r, struct record_shape shape, size_t count, void *record)
{
	for (size_t i = 0; i < shape.count && count > 0; i++) {
		if (is_clear(&shape.fields[i])) {
			read_field(r, &shape.fields[i], record);
			count--;
		}
	}
}

void
record_read_clear(struct mp_reader *r, struct record_shape shape, void *record)
{
	const size_t count = count_where(shape, true, 0);

	if (mp_get_array(r, count) != count) {
		r->bad = true;
	}
	read_first_clear(r, shape, count, record);
}

void
record_read_older(struct mp_reader *r, struct record_shape shape, void *record)
{
	const size_t count = mp_get_array(r, count_where(shape, true, 0));

	r->bad |= count == 0;
	read_first_clear(r, shape, count, record);
}

void
record_read_part(struct mp_reader *r, struct record_shape shape, unsigned part, void *record)
{
	const size_t count = count_where(shape, false, part);

	if (mp_get_array(r, count) != count) {
		r->bad = true;
	}
	for (size_t i = 0; i < shape.count; i++) {
		if (is_in_part(&shape.fields[i], part)) {
			read_field(r, &shape.fields[i], record);
		}
	}
}

unsigned
record_parts(struct record_shape shape)
{
	if (count_where(shape, false, 1) > 0) {
		return 2;
	}
	return count_where(shape, false, 0) > 0 ? 1 : 0;
}

struct id
record_subject(struct record_shape shape, unsigned part, const void *record)
{
	const enum field_place place = part == 0 ? PLACE_SUBJECT0 : PLACE_SUBJECT1;
	const struct field *found = NULL;
	struct id subject;

	for (size_t i = 0; i < shape.count; i++) {
		if (shape.fields[i].place == place) {
			found = &shape.fields[i];
		}
	}
	assert(found != NULL);
	memcpy(&subject, (const uint8_t *)record + found->offset, sizeof subject);
	return subject;
}

void
address_print(char *out, size_t size, const struct address *address)
{
	char ip[INET6_ADDRSTRLEN] = "";

	assert(size >= ADDRESS_PRINT_MAX);
	if (address->family == ADDRESS_NONE) {
		out[0] = '\0';
		return;
	}
	const bool is_v4 = address->family == ADDRESS_IPV4;
	inet_ntop(is_v4 ? AF_INET : AF_INET6, address->bytes, ip, sizeof ip);
	snprintf(out, size, is_v4 ? "%s:%u" : "[%s]:%u", ip, address->port);
}

/* Control characters, DEL and the C1 range could drive a reader's terminal: they are shown as \xNN.
 */
static void
print_escaped(char *out, size_t size, const char *bytes, size_t count)
{
	size_t at = 0;

	for (size_t i = 0; i < count && at + 5 <= size; i++) {
		const uint8_t byte = (uint8_t)bytes[i];
		const uint8_t previous = i > 0 ? (uint8_t)bytes[i - 1] : 0;
		const uint8_t next = i + 1 < count ? (uint8_t)bytes[i + 1] : 0;
		const bool is_c1 =
			(byte == 0xC2 && next < 0xA0) || (previous == 0xC2 && byte < 0xA0);

		if (byte < 0x20 || byte == 0x7F || is_c1) {
			at += (size_t)snprintf(out + at, size - at, "\\x%02x", byte);
		} else {
			out[at++] = bytes[i];
		}
	}
	out[at] = '\0';
}

const char *
field_print(char *out, size_t size, const struct field *field, const void *record)
{
	const void *value = (const uint8_t *)record + field->offset;
	const struct name *name = value;
	const struct text *text = value;
	const struct json_text *json = value;

	assert(size >= FIELD_PRINT_MAX);
	out[0] = '\0';
	switch (field->kind) {
	case FIELD_U64:
		snprintf(out, size, "%" PRIu64, *(const uint64_t *)value);
		break;
	case FIELD_ID:
		if (!id_is_none(value)) {
			hex_write(out, value, sizeof(struct id));
		}
		break;
	case FIELD_DIGEST:
		hex_write(out, value, sizeof(struct digest));
		break;
	case FIELD_TRANSACTION:
		hex_write(out, value, sizeof(struct transaction));
		break;
	case FIELD_NAME:
		print_escaped(out, size, name->bytes, name->length);
		break;
	case FIELD_TEXT:
		print_escaped(out, size, text->bytes, text->length);
		break;
	case FIELD_JSON:
		print_escaped(out, size, json->bytes, json->length);
		break;
	case FIELD_ADDRESS:
		address_print(out, size, value);
		break;
	}
	return out;
}
