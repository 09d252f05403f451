/* Events: what happened, as values. The catalog is events.def; from it come the enum, the structs,
 * the tables, and with record.h the encoder, the decoder and the printer.
 *
 * An event on its way to the witness (and in notices to relays) is a msgpack array
 *   [type, type_version, occurred_us, command_id, trace_id, cause_back, fields, [part, ...]]
 * where each part is a bin that holds the array of its personal fields in the clear: the witness
 * seals it. The entry that the log keeps is another form of the same (store/entry.h).
 */
#ifndef IFSWARM_PROTOCOL_EVENT_H
#define IFSWARM_PROTOCOL_EVENT_H

#include "protocol/record.h"

enum stream {
	STREAM_SESSION = 1,
	STREAM_ALLOCATION = 2,
	STREAM_WITNESS = 3,
	STREAM_OPERATOR = 4,
	STREAM_CLAIMED = 5,
};

/* "session", "allocation", "witness", "operator", "claimed"; NULL for another number. */
const char *stream_name(uint64_t stream);

enum event_type {
#define EVENT(constant, name, number, version, stream, fields) EVENT_##constant = (number),
#include "protocol/events.def"
#undef EVENT
};

#define F(kind, place, name) FIELD_TYPE_##kind name;
#define EVENT(constant, name, number, version, stream, fields)                                     \
	struct event_##name {                                                                      \
		fields                                                                             \
	};
#include "protocol/events.def"
#undef EVENT
#undef F

/* Why an agent left. */
enum leave_reason {
	LEAVE_CLOSED = 1,       /* the client closed its connection, or it broke */
	LEAVE_GATEWAY_LOST = 2, /* its gateway died */
	LEAVE_TOO_SLOW = 3,
	LEAVE_TOO_FAST = 4,
	LEAVE_SHUTDOWN = 5,
	LEAVE_GATEWAY_STOPPED = 6, /* its gateway ended in order */
	LEAVE_EXPELLED = 7,        /* an operator ended it, and had it forgotten */
	LEAVE_KILLED = 8,          /* an operator ended it */
};

/* Why an allocation ended. */
enum end_reason {
	END_RELEASED = 1, /* Refresh with lifetime 0 */
	END_EXPIRED = 2,
	END_PORT_LOST = 3, /* a restarted relay could not bind the relayed address again */
	END_SHUTDOWN = 4,
	END_EXPELLED = 5,    /* an operator ended its agent */
	END_CLIENT_GONE = 6, /* its connection closed, or its relay was restarted under it */
	END_KILLED = 7,      /* an operator ended it, or its agent */
	END_REVOKED = 8,     /* an operator took its agent's credentials back */
};

/* Why a TCP connection with a peer ended. */
enum connection_end {
	CONNECTION_END_PEER = 1,   /* the peer's side closed or broke */
	CONNECTION_END_CLIENT = 2, /* the client's did */
	CONNECTION_END_UNUSED = 3, /* no client came for it in time */
};

/* How a TURN client reached its relay. */
enum client_transport { CLIENT_UDP, CLIENT_TCP, CLIENT_TLS, CLIENT_DTLS };

const char *leave_reason_name(uint64_t reason);
const char *end_reason_name(uint64_t reason);
const char *connection_end_name(uint64_t reason);
const char *client_transport_name(uint64_t transport); /* "udp"; "unknown" */

struct event {
	enum event_type type;
	uint32_t cause_back; /* 0 none; k: the k-th event before this one in the same append */
	uint64_t occurred_us;
	struct id command_id;
	struct id trace_id; /* may be none */
	union {
#define EVENT(constant, name, number, version, stream, fields) struct event_##name name;
#include "protocol/events.def"
#undef EVENT
	};
};

/* What one decision leads to. */
struct event_list {
	uint32_t count;
	struct event items[EVENTS_PER_COMMAND_MAX];
};

/* The next free place, zeroed, with type, time, command and trace set; the caller fills the fields.
 * Asserts that there is room: a decision that may emit many emits in rounds. */
struct event *event_emit(struct event_list *list, enum event_type type, uint64_t now_us,
			 const struct id *command_id, const struct id *trace_id);

struct event_description {
	enum event_type type;
	const char *name; /* "agent_registered" */
	uint64_t version;
	enum stream stream;
	struct record_shape
		shape; /* its offsets count from the start of the fields (event_fields) */
};

/* NULL if no event has that number. */
const struct event_description *event_describe(uint64_t number);
/* NULL if no event has that name. */
const struct event_description *event_describe_name(const char *name);
/* By place in the catalog, 0 to event_types() - 1. */
const struct event_description *event_describe_at(size_t index);
size_t event_types(void);

/* The start of the union: what the offsets of the shape count from. */
void *event_fields(struct event *event);
const void *event_fields_const(const struct event *event);

/* An encoded event, read and checked against the catalog but left in place. */
struct event_wire {
	const struct event_description *description;
	uint64_t occurred_us;
	struct id command_id;
	struct id trace_id;
	uint32_t cause_back;
	bool is_older; /* of an earlier version: it may lack the fields that were added since */
	struct span fields;
	uint32_t parts;
	struct span part[SEALED_PARTS_MAX];
};

void event_write(struct mp_writer *w, const struct event *event);
/* Sets r->bad if it is not canonical, not in the catalog, or has other fields than the catalog
 * says. */
void event_wire_read(struct mp_reader *r, struct event_wire *out);
/* False if a part cannot be read. A part with count 0 (erased, or no key) leaves its fields empty.
 */
bool event_from_wire(const struct event_wire *wire, struct event *out);
/* Both at once, from a stream of them. */
void event_read(struct mp_reader *r, struct event *out);

#endif
