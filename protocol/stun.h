/* STUN messages on the wire (RFC 8489), with the attributes of TURN (RFC 8656): one strict reader,
 * one writer, both over memory the caller owns.
 *
 * The reader never looks beyond the datagram, does bounded work, and keeps the first attribute of
 * each known kind as a borrowed span together with the values a relay needs. Two kinds of trouble:
 * what is not STUN at all is dropped (stun_read is false); what is STUN with a value of the wrong
 * size is remembered in `malformed`, so that a request can be answered with 400. Attributes behind
 * MESSAGE-INTEGRITY are ignored, as RFC 8489 section 14.5 demands, except MESSAGE-INTEGRITY-SHA256
 * and FINGERPRINT. Classic packets without the magic cookie (RFC 3489) are dropped.
 */
#ifndef IFSWARM_PROTOCOL_STUN_H
#define IFSWARM_PROTOCOL_STUN_H

#include "protocol/integrity.h"

enum { STUN_HEADER_BYTES = 20 };

enum stun_class { STUN_REQUEST = 0, STUN_INDICATION = 1, STUN_SUCCESS = 2, STUN_ERROR = 3 };

/* A place in the tables below, not the number on the wire. */
enum stun_attribute {
#define ATTRIBUTE(constant, name, number, least, most) STUN_##constant,
#include "protocol/stun_attributes.def"
#undef ATTRIBUTE
	STUN_ATTRIBUTES
};
_Static_assert(STUN_ATTRIBUTES <= 64, "a set of attributes is 64 bits");

uint16_t stun_attribute_number(enum stun_attribute attribute);
const char *stun_attribute_name(enum stun_attribute attribute);
/* The set of that one attribute. */
static inline uint64_t
stun_set(enum stun_attribute attribute)
{
	return (uint64_t)1 << attribute;
}

enum datagram_kind { DATAGRAM_DROP, DATAGRAM_STUN, DATAGRAM_CHANNEL_DATA };

/* By length, first two bits and magic cookie alone: what it claims to be, not that it is
 * well-formed. */
enum datagram_kind stun_classify(struct span datagram);

struct stun_message {
	struct span bytes; /* all of it, header included */
	uint16_t method;   /* enum turn_method, or another */
	enum stun_class class;
	struct transaction transaction;
	uint64_t present;   /* a set of enum stun_attribute: stun_has */
	uint64_t malformed; /* of those, which have a size or value that no sender may send: 400 */
	struct span values[STUN_ATTRIBUTES]; /* the first of each kind, without padding */
	/* Zero where the attribute is absent or malformed. */
	size_t peer_count; /* XOR-PEER-ADDRESS: the first STUN_PEERS_MAX */
	struct address peers[STUN_PEERS_MAX];
	bool peers_too_many; /* there were more */
	uint32_t lifetime_s;
	uint16_t channel;          /* as sent: turn_channel_is_valid */
	uint8_t transport;         /* protocol number: 17 UDP */
	uint8_t requested_family;  /* as on the wire: 1 IPv4, 2 IPv6, anything else 440 */
	uint8_t additional_family; /* likewise */
	bool even_port_reserve;    /* the R bit */
	/* Comprehension-required attributes we do not know (420), the first STUN_UNKNOWN_MAX of
	 * them. */
	size_t unknown_count;
	uint16_t unknown[STUN_UNKNOWN_MAX];
};

/* Reads one datagram that holds exactly one message. False: drop it without a word (A1 to A4, A8,
 * A16, A17). A FINGERPRINT is checked here, if there is one. `out` borrows from `datagram`. */
bool stun_read(struct span datagram, struct stun_message *out);

bool stun_has(const struct stun_message *message, enum stun_attribute attribute);
/* From here on that attribute, if it is there, counts as one we do not know. */
void stun_disown(struct stun_message *message, enum stun_attribute attribute);

/* The address in MAPPED-ADDRESS, XOR-MAPPED-ADDRESS or XOR-RELAYED-ADDRESS; for clients (health
 * checks, tests). False if absent or unreadable. */
bool stun_address(const struct stun_message *message, enum stun_attribute attribute,
		  struct address *out);
/* The number in ERROR-CODE, 0 if there is none. */
unsigned stun_error_code(const struct stun_message *message);

/* True if the message carries MESSAGE-INTEGRITY-SHA256 or MESSAGE-INTEGRITY and it holds under
 * `key`. With both, SHA-256 alone decides (C9). Constant time in where the difference is. */
bool stun_integrity_holds(const struct stun_message *message, struct integrity *integrity,
			  const struct integrity_key *key);
/* Which of the two a reply to this message has to carry. */
enum integrity_hash stun_integrity_hash(const struct stun_message *message);

/* Sticky, as the msgpack writer: after memory ran out `bad` stays set. The header's length is right
 * after each call, padding is zero. Addresses and integrity use the transaction given at the start.
 */
struct stun_writer {
	uint8_t *start;
	uint8_t *at;
	uint8_t *end;
	bool bad;
};

struct stun_writer stun_writer_of(void *memory, size_t size, uint16_t method, enum stun_class class,
				  const struct transaction *transaction);
/* A success or error response to a request: same method and transaction. */
struct stun_writer stun_reply_to(const struct stun_message *request, enum stun_class class,
				 void *memory, size_t size);
struct span stun_written(const struct stun_writer *w);

void stun_put(struct stun_writer *w, enum stun_attribute attribute, const void *value,
	      size_t count);
/* LIFETIME, and every other value of 4 bytes. */
void stun_put_u32(struct stun_writer *w, enum stun_attribute attribute, uint32_t value);
/* XOR-MAPPED-ADDRESS, XOR-RELAYED-ADDRESS, XOR-PEER-ADDRESS. */
void stun_put_address(struct stun_writer *w, enum stun_attribute attribute,
		      const struct address *address);
/* ERROR-CODE. `reason` is "" before authentication: strangers get no free bytes (E1). */
void stun_put_error(struct stun_writer *w, unsigned code, const char *reason);
/* ADDRESS-ERROR-CODE (RFC 8656 section 18.12); family 1 or 2. */
void stun_put_address_error(struct stun_writer *w, uint8_t family, unsigned code,
			    const char *reason);
/* UNKNOWN-ATTRIBUTES, from what the reader found. */
void stun_put_unknown(struct stun_writer *w, const struct stun_message *request);
/* MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256 over what was written so far. */
void stun_put_integrity(struct stun_writer *w, struct integrity *integrity,
			enum integrity_hash hash, const struct integrity_key *key);
/* FINGERPRINT; the last call. */
void stun_put_fingerprint(struct stun_writer *w);

#endif
