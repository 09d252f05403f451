#include "actors/fronts.h"

#include <assert.h>
#include <string.h>

bool
front_is_valid(uint64_t front)
{
	return front >= 1 && front <= FRONTS_MAX;
}

void
fronts_attach(struct fronts *fronts, uint64_t front, const struct id *instance)
{
	assert(front_is_valid(front));
	fronts->items[front] = (struct front){ .instance = *instance };
}

void
fronts_note(struct fronts *fronts, uint64_t front, const struct id *command_id)
{
	assert(front_is_valid(front));
	struct id *last = &fronts->items[front].last_command;

	if (memcmp(command_id->bytes, last->bytes, sizeof last->bytes) > 0) {
		*last = *command_id;
	}
}

bool
fronts_is_known(const struct fronts *fronts, uint64_t front)
{
	return front_is_valid(front) && !id_is_none(&fronts->items[front].instance);
}

bool
fronts_is_current(const struct fronts *fronts, uint64_t front, const struct id *instance)
{
	return front_is_valid(front) && !id_is_none(instance) &&
	       id_equal(&fronts->items[front].instance, instance);
}

bool
fronts_repeat(const struct fronts *fronts, const struct command *command)
{
	if (!fronts_is_current(fronts, command->front, &command->instance)) {
		return false;
	}
	const struct id *last = &fronts->items[command->front].last_command;
	return memcmp(command->command_id.bytes, last->bytes, sizeof last->bytes) <= 0;
}

void
fronts_write(struct mp_writer *w, const struct fronts *fronts)
{
	mp_put_array(w, FRONTS_MAX);
	for (size_t i = 1; i <= FRONTS_MAX; i++) {
		mp_put_array(w, 2);
		mp_put_id(w, &fronts->items[i].instance);
		mp_put_id(w, &fronts->items[i].last_command);
	}
}

void
fronts_read(struct mp_reader *r, struct fronts *out)
{
	memset(out, 0, sizeof *out);
	r->bad |= mp_get_array(r, FRONTS_MAX) != FRONTS_MAX;
	for (size_t i = 1; i <= FRONTS_MAX; i++) {
		r->bad |= mp_get_array(r, 2) != 2;
		out->items[i].instance = mp_get_id(r);
		out->items[i].last_command = mp_get_id(r);
	}
}
