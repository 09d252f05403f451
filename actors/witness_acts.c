#include "actors/witness_acts.h"

#include <string.h>

enum { ERASE_ELEMENTS = 8 };

void
erase_request_write(struct mp_writer *w, const struct id *id, const struct erase_order *order)
{
	mp_put_array(w, ERASE_ELEMENTS);
	mp_put_u64(w, REQUEST_ERASE);
	mp_put_id(w, id);
	mp_put_str(w, order->agent.bytes, order->agent.length);
	mp_put_id(w, &order->operator);
	mp_put_str(w, order->operator_name.bytes, order->operator_name.length);
	mp_put_str(w, order->reason.bytes, order->reason.length);
	mp_put_u64(w, order->ends[STREAM_SESSION]);
	mp_put_u64(w, order->ends[STREAM_ALLOCATION]);
}

static bool
read_name(struct mp_reader *r, struct name *out)
{
	const struct span bytes = mp_get_str(r, NAME_BYTES_MAX);

	return bytes.count > 0 && name_set(out, (const char *)bytes.at, bytes.count) &&
	       name_is_wellformed(out);
}

enum verdict
erase_request_read(struct mp_reader *r, struct id *id, struct erase_order *order)
{
	memset(order, 0, sizeof *order);
	*id = mp_get_id(r);
	const bool has_agent = read_name(r, &order->agent);
	order->operator= mp_get_id(r);
	const bool has_operator = read_name(r, &order->operator_name);
	const bool has_reason = read_name(r, &order->reason);
	order->ends[STREAM_SESSION] = mp_get_u64(r);
	order->ends[STREAM_ALLOCATION] = mp_get_u64(r);
	/* What agents claim reaches the log through session. */
	order->ends[STREAM_CLAIMED] = order->ends[STREAM_SESSION];
	return mp_reader_is_done(r) && has_agent && has_operator && has_reason && !id_is_none(id) &&
			       !id_is_none(&order->operator)
		       ? ACCEPTED
		       : REFUSED_MALFORMED;
}

void
erase_answer_put(uint64_t numbers[ERASE_NUMBERS], enum erase_state state,
		 const struct erase_report *report)
{
	const uint64_t said[ERASE_NUMBERS] = {
		(uint64_t)state,     report->read,      report->size,
		report->subjects,    report->keys,      report->own_parts,
		report->other_parts, report->addresses, report->holds,
	};

	memcpy(numbers, said, sizeof said);
}

bool
erase_answer_read(struct mp_reader *r, enum erase_state *state, struct erase_report *report)
{
	uint64_t numbers[ERASE_NUMBERS];

	for (size_t i = 0; i < ERASE_NUMBERS; i++) {
		numbers[i] = mp_get_u64(r);
	}
	if (!mp_reader_is_done(r) || numbers[0] > ERASE_FAILED) {
		return false;
	}
	*state = (enum erase_state)numbers[0];
	*report = (struct erase_report){
		.read = numbers[1],
		.size = numbers[2],
		.subjects = numbers[3],
		.keys = numbers[4],
		.own_parts = numbers[5],
		.other_parts = numbers[6],
		.addresses = numbers[7],
		.holds = numbers[8],
	};
	return true;
}

void
retain_request_write(struct mp_writer *w, const struct id *id, const struct retain_order *order)
{
	mp_put_array(w, 4);
	mp_put_u64(w, REQUEST_RETAIN);
	mp_put_id(w, id);
	mp_put_u64(w, order->payload_days);
	mp_put_u64(w, order->envelope_months);
}

enum verdict
retain_request_read(struct mp_reader *r, struct id *id, struct retain_order *order)
{
	*id = mp_get_id(r);
	order->payload_days = mp_get_u64(r);
	order->envelope_months = mp_get_u64(r);
	return mp_reader_is_done(r) && !id_is_none(id) && order->payload_days <= RETAIN_DAYS_MAX &&
			       order->envelope_months <= RETAIN_MONTHS_MAX
		       ? ACCEPTED
		       : REFUSED_MALFORMED;
}

void
retain_answer_put(uint64_t numbers[RETAIN_NUMBERS], enum erase_state state,
		  const struct retain_result *result)
{
	const struct retain_report *payload = &result->payload;
	const struct prune_report *envelope = &result->envelope;
	const uint64_t said[RETAIN_NUMBERS] = {
		(uint64_t)state, payload->month,  payload->keys,    payload->parts,   payload->kept,
		payload->holds,  envelope->month, envelope->ranges, envelope->entries
	};

	memcpy(numbers, said, sizeof said);
}

bool
retain_answer_read(struct mp_reader *r, enum erase_state *state, struct retain_result *result)
{
	uint64_t numbers[RETAIN_NUMBERS];

	for (size_t i = 0; i < RETAIN_NUMBERS; i++) {
		numbers[i] = mp_get_u64(r);
	}
	if (!mp_reader_is_done(r) || numbers[0] > ERASE_FAILED) {
		return false;
	}
	*state = (enum erase_state)numbers[0];
	*result = (struct retain_result){
		.payload = { numbers[1], numbers[2], numbers[3], numbers[4], numbers[5] },
		.envelope = { .month = numbers[6], .ranges = numbers[7], .entries = numbers[8] },
	};
	return true;
}
