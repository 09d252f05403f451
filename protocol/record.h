/* Records: structs that a table of fields describes, so that one encoder, one decoder and one
 * printer serve every event, command and notice. The catalogs (*.def) make the tables.
 *
 * A record's fields lie in one of several places. The clear ones form one msgpack array; the
 * personal ones form an array per sealed part, whose subject is the clear id field marked SUBJECT0
 * or SUBJECT1.
 */
#ifndef IFSWARM_PROTOCOL_RECORD_H
#define IFSWARM_PROTOCOL_RECORD_H

#include "protocol/mp.h"

enum field_kind {
	FIELD_U64,
	FIELD_ID,          /* bin16 or nil */
	FIELD_DIGEST,      /* bin32 */
	FIELD_TRANSACTION, /* bin12 */
	FIELD_NAME,        /* str, nil when empty */
	FIELD_TEXT,        /* str */
	FIELD_JSON,        /* str, nil when empty */
	FIELD_ADDRESS,     /* bin: 4 or 16 bytes of IP, 2 bytes of port, big-endian; nil for none */
};

/* The C type of each kind, for the catalogs. */
#define FIELD_TYPE_U64         uint64_t
#define FIELD_TYPE_ID          struct id
#define FIELD_TYPE_DIGEST      struct digest
#define FIELD_TYPE_TRANSACTION struct transaction
#define FIELD_TYPE_NAME        struct name
#define FIELD_TYPE_TEXT        struct text
#define FIELD_TYPE_JSON        struct json_text
#define FIELD_TYPE_ADDRESS     struct address

enum field_place {
	PLACE_CLEAR,
	PLACE_SUBJECT0, /* clear; the subject under whose key part 0 is sealed */
	PLACE_SUBJECT1,
	PLACE_SEALED0, /* personal: part 0 */
	PLACE_SEALED1,
};

struct field {
	const char *name;
	enum field_kind kind;
	enum field_place place;
	size_t offset;
};

struct record_shape {
	const struct field *fields;
	size_t count;
};

/* The array of the clear fields, and of those of sealed part 0 or 1. */
void record_write_clear(struct mp_writer *w, struct record_shape shape, const void *record);
void record_write_part(struct mp_writer *w, struct record_shape shape, unsigned part,
		       const void *record);
/* Reads into `record` (which the caller zeroed); sets r->bad on any fault. */
void record_read_clear(struct mp_reader *r, struct record_shape shape, void *record);
/* The same of an older version of the record: fields are only ever added at the end, so it has the
 * first of them, and the others stay zero. */
void record_read_older(struct mp_reader *r, struct record_shape shape, void *record);
void record_read_part(struct mp_reader *r, struct record_shape shape, unsigned part, void *record);
/* Number of sealed parts, 0 to 2. */
unsigned record_parts(struct record_shape shape);
/* The subject of a part; the shape has that part. */
struct id record_subject(struct record_shape shape, unsigned part, const void *record);

/* One value in words, as an audit prints it, terminated and never longer than `size`: a number,
 * hex, a name with control characters escaped, "192.0.2.1:3478". "" for nil. Returns `out`. */
const char *field_print(char *out, size_t size, const struct field *field, const void *record);
enum { FIELD_PRINT_MAX = 4 * JSON_BYTES_MAX + 1 };

/* The FIELD_ADDRESS encoding by itself, for dumps. Reading leaves `address` alone (zeroed by the
 * caller) at nil. */
void address_write(struct mp_writer *w, const struct address *address);
void address_read(struct mp_reader *r, struct address *address);

/* "192.0.2.1:3478" or "[2001:db8::1]:3478"; "" for none. */
void address_print(char *out, size_t size, const struct address *address);
enum { ADDRESS_PRINT_MAX = 64 };

#endif
