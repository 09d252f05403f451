/* Entries: the Merkle leaves, what a reviewer holds (EVIDENCE section 1). A canonical msgpack array
 * of exactly 15 elements, frozen: whoever holds a proof holds these bytes.
 *
 * An entry never holds anything personal. Its sealed parts are references: under whose key, how
 * many bytes of ciphertext, and their salted digest. The personal fields come back when the caller
 * opens the parts (store/seal.h) and hands their plaintext to entry_to_event.
 */
#ifndef IFSWARM_STORE_ENTRY_H
#define IFSWARM_STORE_ENTRY_H

#include "protocol/event.h"

enum { ENTRY_VERSION = 1 };

struct sealed_part {
	struct id subject;
	struct id key_id;
	uint64_t length; /* of the ciphertext with its tag: plaintext + SEAL_TAG_BYTES */
	struct digest digest;
};

struct entry {
	uint64_t seq;
	uint64_t recorded_us;
	uint64_t occurred_us;
	uint64_t stream;
	uint64_t stream_version;
	uint64_t epoch;
	uint64_t type;
	uint64_t type_version;
	struct id command_id;
	struct id trace_id; /* may be none */
	bool has_cause;
	uint64_t cause;     /* seq of an earlier event, if has_cause */
	struct span fields; /* the encoded array: borrowed */
	uint32_t parts;
	struct sealed_part part[SEALED_PARTS_MAX];
	uint8_t nonce[16];
};

/* Sets w->bad if the memory is too small. */
void entry_write(struct mp_writer *w, const struct entry *entry);

/* Reads exactly these bytes; `out->fields` borrows from them. False if they are not one canonical
 * entry of version 1: not 15 elements, not shortest form, a cause that is not earlier, fields of
 * other types than uint, bin, str and nil, bytes left over, or more than ENTRY_BYTES_MAX. Types and
 * type versions that this program does not know are read all the same. */
bool entry_read(struct span bytes, struct entry *out);

/* RFC 6962 section 2.1: SHA-256(0x00 || entry). */
void entry_leaf_hash(struct span bytes, struct digest *out);

enum entry_meaning {
	ENTRY_KNOWN,   /* `out` is filled */
	ENTRY_FOREIGN, /* a type or type version that this program's catalog does not have */
	ENTRY_BROKEN,  /* known, but its fields or a plaintext part are not what the catalog says */
};

/* The event that an entry records. `plain` are the opened parts, entry->parts of them; NULL, or a
 * part with count 0, leaves its personal fields empty. cause_back is seq - cause, counted in log
 * rows. */
enum entry_meaning entry_to_event(const struct entry *entry, const struct span *plain,
				  struct event *out);

#endif
