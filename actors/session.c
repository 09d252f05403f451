/* The session as a core: what it has decided before, who hears of a new front. */
#include "actors/session_state.h"

bool
session_repeats(const void *state, const struct command *command)
{
	const struct session_state *s = state;

	return fronts_repeat(&s->fronts, command) &&
	       session_find_recent(s, &command->command_id) != NULL;
}

static bool
knows_front(const void *state, uint64_t front)
{
	const struct session_state *s = state;

	return fronts_is_known(&s->fronts, front);
}

/* Gateways keep their connections and rosters while session restarts: there is nothing to say. */
static void
greet(const void *state, uint64_t front, struct outbox *outbox)
{
	(void)state;
	(void)front;
	(void)outbox;
}

struct core
session_core(struct session_state *state)
{
	return (struct core){
		.stream = STREAM_SESSION,
		.state = state,
		.decide = session_decide,
		.apply = session_apply,
		.repeats = session_repeats,
		.tell = session_tell,
		.greet = greet,
		.knows_front = knows_front,
		.dump = session_dump,
		.dump_personal = session_dump_personal,
		.restore = session_restore,
		.roster = session_roster,
	};
}
