#include "actors/revocations.h"

#include <string.h>

const struct id *
revocations_find(const struct revocations *revocations, const struct name *name)
{
	for (uint32_t i = 0; name->length > 0 && i < revocations->count; i++) {
		if (name_equal(&revocations->items[i].name, name)) {
			return &revocations->items[i].agent;
		}
	}
	return NULL;
}

static uint32_t
place_of(const struct revocations *revocations, const struct id *agent)
{
	uint32_t at = 0;

	while (at < revocations->count && !id_equal(&revocations->items[at].agent, agent)) {
		at++;
	}
	return at;
}

void
revocations_put(struct revocations *revocations, const struct id *agent, const struct name *name)
{
	if (!id_is_none(agent) && revocations->count < REVOKED_MAX &&
	    place_of(revocations, agent) == revocations->count) {
		revocations->items[revocations->count++] = (struct revocation){ *agent, *name };
	}
}

void
revocations_take(struct revocations *revocations, const struct id *agent)
{
	const uint32_t at = place_of(revocations, agent);

	if (at < revocations->count) {
		revocations->count--;
		memmove(&revocations->items[at], &revocations->items[at + 1],
			(revocations->count - at) * sizeof revocations->items[0]);
		revocations->items[revocations->count] = (struct revocation){ 0 };
	}
}

void
revocations_clear(struct revocations *revocations)
{
	memset(revocations->items, 0, revocations->count * sizeof revocations->items[0]);
	revocations->count = 0;
}

bool
revocations_last(const struct event *event)
{
	return event->type == EVENT_TURN_AGENT_REVOKED;
}

void
revocations_write(struct mp_writer *w, const struct revocations *revocations)
{
	mp_put_array(w, revocations->count);
	for (uint32_t i = 0; i < revocations->count; i++) {
		mp_put_id(w, &revocations->items[i].agent);
	}
}

void
revocations_write_names(struct mp_writer *w, const struct revocations *revocations)
{
	mp_put_array(w, revocations->count);
	for (uint32_t i = 0; i < revocations->count; i++) {
		const struct name *name = &revocations->items[i].name;

		if (name->length == 0) {
			mp_put_nil(w);
		} else {
			mp_put_str(w, name->bytes, name->length);
		}
	}
}

void
revocations_read(struct revocations *revocations, struct mp_reader *handles,
		 struct mp_reader *names)
{
	const size_t count = mp_get_array(handles, REVOKED_MAX);

	/* An empty table is not written: one state has one dump. */
	handles->bad |= count == 0;
	if (names != NULL && mp_get_array(names, REVOKED_MAX) != count) {
		names->bad = true;
	}
	for (size_t i = 0; i < count && !handles->bad; i++) {
		const struct id agent = mp_get_id(handles);
		const struct name name = names == NULL ? (struct name){ 0 } : mp_get_name(names);

		revocations_put(revocations, &agent, &name);
		handles->bad |= revocations->count != i + 1;
	}
}
