#include "protocol/stun.h"

#include <assert.h>
#include <string.h>

#include "protocol/address.h"
#include "protocol/turn.h"

enum { ATTRIBUTE_HEADER_BYTES = 4, COMPREHENSION_OPTIONAL = 0x8000 };

/* The number it had in a draft, and still has in coturn and its clients. */
enum { ADDITIONAL_ADDRESS_FAMILY_DRAFT = 0x8032 };

static const struct {
	const char *name;
	uint16_t number;
	uint16_t least;
	uint16_t most;
} catalog[STUN_ATTRIBUTES] = {
#define ATTRIBUTE(constant, name, number, least, most) { (name), (number), (least), (most) },
#include "protocol/stun_attributes.def"
#undef ATTRIBUTE
};

uint16_t
stun_attribute_number(enum stun_attribute attribute)
{
	assert(attribute < STUN_ATTRIBUTES);
	return catalog[attribute].number;
}

const char *
stun_attribute_name(enum stun_attribute attribute)
{
	assert(attribute < STUN_ATTRIBUTES);
	return catalog[attribute].name;
}

static enum stun_attribute
attribute_of(uint16_t number)
{
	switch (number) {
#define ATTRIBUTE(constant, name, number, least, most)                                             \
	case (number):                                                                             \
		return STUN_##constant;
#include "protocol/stun_attributes.def"
#undef ATTRIBUTE
	case ADDITIONAL_ADDRESS_FAMILY_DRAFT:
		return STUN_ADDITIONAL_ADDRESS_FAMILY;
	}
	return STUN_ATTRIBUTES;
}

static uint16_t
read_u16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t
read_u32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

enum datagram_kind
stun_classify(struct span datagram)
{
	if (datagram.count < CHANNEL_HEADER_BYTES) {
		return DATAGRAM_DROP;
	}
	if (turn_channel_is_valid(read_u16(datagram.at), true)) {
		return DATAGRAM_CHANNEL_DATA;
	}
	if (datagram.count < STUN_HEADER_BYTES || (datagram.at[0] & 0xC0) != 0 ||
	    read_u32(datagram.at + 4) != 0x2112A442) {
		return DATAGRAM_DROP;
	}
	return DATAGRAM_STUN;
}

/* RFC 8489 section 5: the two class bits lie between the bits of the method. */
static void
read_type(struct stun_message *message, uint16_t type)
{
	message->method = (uint16_t)((type & 0x000F) | (type & 0x00E0) >> 1 | (type & 0x3E00) >> 2);
	message->class = (enum stun_class)((type & 0x0010) >> 4 | (type & 0x0100) >> 7);
}

bool
stun_has(const struct stun_message *message, enum stun_attribute attribute)
{
	return (message->present & stun_set(attribute)) != 0;
}

static bool
is_readable(const struct stun_message *message, enum stun_attribute attribute)
{
	return stun_has(message, attribute) && (message->malformed & stun_set(attribute)) == 0;
}

/* RFC 8489 section 14: what follows the integrity is not protected by it, so nobody may act on it.
 */
static bool
is_ignored(const struct stun_message *message, enum stun_attribute attribute)
{
	if (attribute == STUN_FINGERPRINT) {
		return false;
	}
	if (stun_has(message, STUN_MESSAGE_INTEGRITY_SHA256)) {
		return true;
	}
	return stun_has(message, STUN_MESSAGE_INTEGRITY) &&
	       attribute != STUN_MESSAGE_INTEGRITY_SHA256;
}

static void
note_unknown(struct stun_message *message, uint16_t number)
{
	for (size_t i = 0; i < message->unknown_count; i++) {
		if (message->unknown[i] == number) {
			return;
		}
	}
	if (message->unknown_count < STUN_UNKNOWN_MAX) {
		message->unknown[message->unknown_count++] = number;
	}
}

void
stun_disown(struct stun_message *message, enum stun_attribute attribute)
{
	if (stun_has(message, attribute)) {
		message->present &= ~stun_set(attribute);
		message->malformed &= ~stun_set(attribute);
		note_unknown(message, catalog[attribute].number);
	}
}

static bool
has_right_size(enum stun_attribute attribute, size_t count)
{
	return count >= catalog[attribute].least && count <= catalog[attribute].most;
}

/* CreatePermission names several peers; for all others the first one counts (A14). */
static bool
take_peer(struct stun_message *message, struct span value)
{
	if (message->peer_count == STUN_PEERS_MAX) {
		message->peers_too_many = true;
		return true;
	}
	if (!address_from_wire(&message->peers[message->peer_count], value,
			       &message->transaction)) {
		return false;
	}
	message->peer_count++;
	return true;
}

static bool
is_wellformed(struct stun_message *message, enum stun_attribute attribute, struct span value)
{
	struct address address;

	if (!has_right_size(attribute, value.count)) {
		return false;
	}
	if (attribute == STUN_XOR_PEER_ADDRESS) {
		return take_peer(message, value);
	}
	if (attribute == STUN_MAPPED_ADDRESS || attribute == STUN_XOR_MAPPED_ADDRESS ||
	    attribute == STUN_XOR_RELAYED_ADDRESS) {
		return address_from_wire(&address, value, NULL);
	}
	return true;
}

static void
take_attribute(struct stun_message *message, uint16_t number, struct span value)
{
	const enum stun_attribute attribute = attribute_of(number);

	if (is_ignored(message, attribute)) {
		return;
	}
	if (attribute == STUN_ATTRIBUTES) {
		if (number < COMPREHENSION_OPTIONAL) {
			note_unknown(message, number);
		}
		return;
	}
	const bool again = stun_has(message, attribute);
	if (again && attribute != STUN_XOR_PEER_ADDRESS) {
		return;
	}
	if (!is_wellformed(message, attribute, value)) {
		message->malformed |= stun_set(attribute);
	}
	if (!again) {
		message->present |= stun_set(attribute);
		message->values[attribute] = value;
	}
}

/* Walks the attributes; false if one runs beyond the end (A8) or follows FINGERPRINT (A16). */
static bool
take_attributes(struct stun_message *message)
{
	const uint8_t *at = message->bytes.at + STUN_HEADER_BYTES;
	const uint8_t *end = message->bytes.at + message->bytes.count;

	while (at != end) {
		if (end - at < ATTRIBUTE_HEADER_BYTES || stun_has(message, STUN_FINGERPRINT)) {
			return false;
		}
		const size_t count = read_u16(at + 2);
		const size_t padded = (count + 3) & ~(size_t)3;

		if (padded > (size_t)(end - at) - ATTRIBUTE_HEADER_BYTES) {
			return false;
		}
		take_attribute(message, read_u16(at),
			       (struct span){ at + ATTRIBUTE_HEADER_BYTES, count });
		at += ATTRIBUTE_HEADER_BYTES + padded;
	}
	return true;
}

static bool
fingerprint_holds(const struct stun_message *message)
{
	if (!stun_has(message, STUN_FINGERPRINT)) {
		return true;
	}
	if (!is_readable(message, STUN_FINGERPRINT)) {
		return false;
	}
	const struct span value = message->values[STUN_FINGERPRINT];
	const struct span before = { message->bytes.at, (size_t)(value.at - message->bytes.at) -
								ATTRIBUTE_HEADER_BYTES };

	return read_u32(value.at) == integrity_fingerprint(before);
}

static uint8_t
first_byte(const struct stun_message *message, enum stun_attribute attribute)
{
	return is_readable(message, attribute) ? message->values[attribute].at[0] : 0;
}

static void
read_values(struct stun_message *message)
{
	if (is_readable(message, STUN_LIFETIME)) {
		message->lifetime_s = read_u32(message->values[STUN_LIFETIME].at);
	}
	if (is_readable(message, STUN_CHANNEL_NUMBER)) {
		message->channel = read_u16(message->values[STUN_CHANNEL_NUMBER].at);
	}
	message->transport = first_byte(message, STUN_REQUESTED_TRANSPORT);
	message->requested_family = first_byte(message, STUN_REQUESTED_ADDRESS_FAMILY);
	message->additional_family = first_byte(message, STUN_ADDITIONAL_ADDRESS_FAMILY);
	message->even_port_reserve = (first_byte(message, STUN_EVEN_PORT) & 0x80) != 0;
}

bool
stun_read(struct span datagram, struct stun_message *out)
{
	memset(out, 0, sizeof *out);
	if (stun_classify(datagram) != DATAGRAM_STUN) {
		return false;
	}
	const size_t length = read_u16(datagram.at + 2);
	if (length % 4 != 0 || length != datagram.count - STUN_HEADER_BYTES) {
		return false;
	}
	out->bytes = datagram;
	read_type(out, read_u16(datagram.at));
	memcpy(out->transaction.bytes, datagram.at + 8, sizeof out->transaction.bytes);
	if (!take_attributes(out) || !fingerprint_holds(out)) {
		return false;
	}
	read_values(out);
	return true;
}

bool
stun_address(const struct stun_message *message, enum stun_attribute attribute, struct address *out)
{
	const bool plain = attribute == STUN_MAPPED_ADDRESS;

	return is_readable(message, attribute) &&
	       address_from_wire(out, message->values[attribute],
				 plain ? NULL : &message->transaction);
}

unsigned
stun_error_code(const struct stun_message *message)
{
	if (!is_readable(message, STUN_ERROR_CODE)) {
		return 0;
	}
	const uint8_t *at = message->values[STUN_ERROR_CODE].at;

	return (at[2] & 7u) * 100 + at[3];
}

enum integrity_hash
stun_integrity_hash(const struct stun_message *message)
{
	return stun_has(message, STUN_MESSAGE_INTEGRITY_SHA256) ? INTEGRITY_SHA256 : INTEGRITY_SHA1;
}

bool
stun_integrity_holds(const struct stun_message *message, struct integrity *integrity,
		     const struct integrity_key *key)
{
	const enum integrity_hash hash = stun_integrity_hash(message);
	const enum stun_attribute attribute =
		hash == INTEGRITY_SHA256 ? STUN_MESSAGE_INTEGRITY_SHA256 : STUN_MESSAGE_INTEGRITY;

	if (!is_readable(message, attribute)) {
		return false;
	}
	/* The sum was made when the integrity was the last attribute: the length said so (14.5). */
	const struct span value = message->values[attribute];
	const size_t end = (size_t)(value.at - message->bytes.at) + value.count;
	const size_t length = end - STUN_HEADER_BYTES;
	const uint8_t head[4] = { message->bytes.at[0], message->bytes.at[1],
				  (uint8_t)(length >> 8), (uint8_t)length };
	const struct span parts[] = {
		{ head, sizeof head },
		{ message->bytes.at + sizeof head,
		  end - value.count - ATTRIBUTE_HEADER_BYTES - sizeof head },
	};
	uint8_t sum[INTEGRITY_BYTES_MAX];

	integrity_hmac(integrity, hash, (struct span){ key->bytes, key->count }, parts, 2, sum);
	return integrity_equal(sum, value.at, value.count);
}
