#include "actors/witness.h"

#include <string.h>

bool
witness_stream_is_open(uint64_t stream)
{
	return stream_name(stream) != NULL && stream != STREAM_WITNESS;
}

static enum verdict
check_event(const struct witness_append *append, const struct event_wire *event)
{
	if (event->description->stream != (enum stream)append->stream) {
		return REFUSED_WRONG_STREAM;
	}
	return id_is_none(&event->command_id) ? REFUSED_MALFORMED : ACCEPTED;
}

enum verdict
witness_read_append(struct mp_reader *r, struct witness_append *out)
{
	out->stream = mp_get_u64(r);
	out->epoch = mp_get_u64(r);
	out->version = mp_get_u64(r);
	out->count = mp_get_array(r, EVENTS_PER_APPEND_MAX);
	if (r->bad || out->count == 0 || !witness_stream_is_open(out->stream) ||
	    (out->stream == STREAM_CLAIMED && out->count > CLAIMS_PER_APPEND_MAX)) {
		return REFUSED_MALFORMED;
	}
	for (size_t i = 0; i < out->count; i++) {
		event_wire_read(r, &out->events[i]);
		if (r->bad) {
			return out->events[i].description == NULL ? REFUSED_UNKNOWN_TYPE
								  : REFUSED_NOT_CANONICAL;
		}
		const enum verdict verdict = check_event(out, &out->events[i]);
		if (verdict != ACCEPTED) {
			return verdict;
		}
	}
	return mp_reader_is_done(r) ? ACCEPTED : REFUSED_MALFORMED;
}

enum verdict
witness_check(const struct witness_append *append, struct witness_stream head, bool *repeated)
{
	*repeated = false;
	if (append->epoch != head.epoch) {
		return REFUSED_STALE_EPOCH;
	}
	if (append->version == head.version) {
		return ACCEPTED;
	}
	if (append->version < head.version && head.version - append->version >= append->count) {
		*repeated = true;
		return ACCEPTED;
	}
	return REFUSED_VERSION;
}

bool
witness_same_commands(const struct witness_append *append, const struct id *logged, size_t count)
{
	if (count < append->count) {
		return false;
	}
	for (size_t i = 0; i < append->count; i++) {
		if (!id_equal(&append->events[i].command_id, &logged[i])) {
			return false;
		}
	}
	return true;
}

/* What people and programs beside it do with the log, and nothing that it says of itself. */
static bool
is_act(enum event_type type)
{
	return type == EVENT_BACKUP_MADE || type == EVENT_QUERY_MADE || type == EVENT_EXPORT_MADE ||
	       type == EVENT_HOLD_PLACED || type == EVENT_HOLD_RELEASED ||
	       type == EVENT_LOG_SCRUBBED;
}

enum verdict
witness_read_act(struct mp_reader *r, struct event_wire *out)
{
	event_wire_read(r, out);
	if (r->bad) {
		return out->description == NULL ? REFUSED_UNKNOWN_TYPE : REFUSED_NOT_CANONICAL;
	}
	if (!is_act(out->description->type)) {
		return REFUSED_WRONG_STREAM;
	}
	return mp_reader_is_done(r) && out->cause_back == 0 && !id_is_none(&out->command_id)
		       ? ACCEPTED
		       : REFUSED_MALFORMED;
}
