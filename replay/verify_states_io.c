/* The part of verify that runs the actors' own apply over the log, in a child of its own: a log
 * that was tampered with may contradict what apply asserts. */
#include <inttypes.h>
#include <stdio.h>

#include "replay/guard_io.h"
#include "replay/states.h"
#include "replay/verify_io.h"

/* A digest that was not reproduced, on its way to the parent. */
struct difference {
	uint64_t seq;
	enum states_check check;
	struct digest claimed;
	struct digest found;
};

struct replay {
	struct states states;
	struct guard *guard;
};

static bool
visit(void *context, const struct event *event, const struct entry *entry)
{
	struct replay *replay = context;
	struct difference difference = { .seq = entry->seq };

	replay->guard->seq = entry->seq;
	if (event == NULL) {
		return true;
	}
	difference.check =
		states_feed(&replay->states, entry, event, &difference.claimed, &difference.found);
	if (difference.check == STATES_HOLDS) {
		replay->guard->count++;
	} else if (difference.check != STATES_NO_DIGEST) {
		guard_send(replay->guard, &difference, sizeof difference);
	}
	return true;
}

static int
work(void *context, struct guard *guard)
{
	struct replay replay = { .guard = guard };
	struct log_reader *reader;
	char fault[512];

	if (!log_reader_open(context, &reader, fault, sizeof fault)) {
		return 1;
	}
	states_make(&replay.states);
	/* Without keys: personal fields do not matter to a state's digest, and that is checked here
	 * too. */
	const bool is_read = log_read_events(
		reader, NULL, 0, UINT64_MAX,
		LOG_STREAM(STREAM_SESSION) | LOG_STREAM(STREAM_ALLOCATION), visit, &replay);
	states_free(&replay.states);
	log_reader_close(reader);
	return is_read ? 0 : 1;
}

static void
read_difference(void *context, const void *message, uint64_t count)
{
	const struct difference *difference = message;
	struct verify *v = context;
	char where[64];

	(void)count;
	snprintf(where, sizeof where, "seq %" PRIu64, difference->seq);
	verify_say_digests(v,
			   difference->check == STATES_DIFFERS
				   ? "the replayed state is not the one that was logged"
				   : "a state digest speaks of another version than its own place",
			   where, &difference->claimed, &difference->found);
}

void
verify_states(struct verify *v, const char *data_dir, struct verify_summary *summary)
{
	char directory[4096];
	char where[64];

	snprintf(directory, sizeof directory, "%s", data_dir);
	const struct guard_end end =
		guard_run(work, directory, read_difference, v, sizeof(struct difference));
	summary->digests = end.count;
	snprintf(where, sizeof where, "seq %" PRIu64, end.seq);
	if (!end.is_whole) {
		verify_say(v, "the replay of the states broke", where,
			   "events that fit the state before them", "one that contradicts it");
	} else if (end.code != 0) {
		verify_say(v, "the states cannot be replayed", where, "readable events to the end",
			   "one after that seq that cannot be read");
	}
}
