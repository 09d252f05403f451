/* The witness's pure half: who may append what, and what was appended already. */
#ifndef IFSWARM_ACTORS_WITNESS_H
#define IFSWARM_ACTORS_WITNESS_H

#include "protocol/message.h"

/* The head of a stream, as the log has it. */
struct witness_stream {
	uint64_t version; /* of its next event */
	uint64_t epoch;   /* of its writer */
};

/* An APPEND request, read and checked; the spans are borrowed from it. */
struct witness_append {
	uint64_t stream;
	uint64_t epoch;
	uint64_t version;
	size_t count;
	struct event_wire *events; /* EVENTS_PER_APPEND_MAX of them, the caller's memory */
};

/* Reads what follows [APPEND, …. Malformed, an unknown type, or an event of another stream is
 * refused. */
enum verdict witness_read_append(struct mp_reader *r, struct witness_append *out);

/* May it be appended to a stream with that head?
 *   ACCEPTED               yes, or (with *repeated) it looks like one that was appended before: the
 * caller compares command ids and answers as it did then REFUSED_STALE_EPOCH    another incarnation
 * has claimed the stream REFUSED_VERSION        the writer has missed or imagined events */
enum verdict witness_check(const struct witness_append *append, struct witness_stream head,
			   bool *repeated);

/* True if the log holds exactly these commands from that version on. */
bool witness_same_commands(const struct witness_append *append, const struct id *logged,
			   size_t count);

/* An ACT request, after [ACT, …: one event of the witness's own stream that a person may cause.
 * Anything else is refused. */
enum verdict witness_read_act(struct mp_reader *r, struct event_wire *out);

/* A stream that an actor may claim and append to: all but the witness's own. */
bool witness_stream_is_open(uint64_t stream);

#endif
