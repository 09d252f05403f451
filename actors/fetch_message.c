#include "actors/fetch_message.h"

#include <string.h>

#include "protocol/record.h"

void
fetch_write(struct mp_writer *w, const struct fetch_message *message)
{
	mp_put_array(w, message->kind == FETCH_NONE ? 3 : 4);
	mp_put_u64(w, message->kind);
	mp_put_u64(w, message->from);
	mp_put_bin(w, message->token, sizeof message->token);
	if (message->kind == FETCH_ASKED) {
		mp_put_str(w, message->user.bytes, message->user.length);
	} else if (message->kind == FETCH_GIVEN) {
		address_write(w, &message->relayed);
	}
}

bool
fetch_read(struct span bytes, struct fetch_message *out)
{
	struct mp_reader r = mp_reader_of(bytes);
	const size_t elements = mp_get_array(&r, 4);
	const uint64_t kind = mp_get_u64(&r);

	*out = (struct fetch_message){ .from = mp_get_u64(&r) };
	mp_get_fixed(&r, out->token, sizeof out->token);
	if (r.bad || kind < FETCH_ASKED || kind > FETCH_NONE || out->from == 0 ||
	    out->from > RELAYS_MAX) {
		return false;
	}
	out->kind = (enum fetch_kind)kind;
	if (out->kind == FETCH_ASKED) {
		out->user = mp_get_name(&r);
	} else if (out->kind == FETCH_GIVEN) {
		address_read(&r, &out->relayed);
	}
	return elements == (out->kind == FETCH_NONE ? 3 : 4) && mp_reader_is_done(&r);
}
