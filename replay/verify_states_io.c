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

/* What the child is given, before it is forked. */
struct replay_task {
	char data_dir[4096];
	uint64_t
		from_seq; /* entries before it are pruned: a state begins at a snapshot behind it */
};

struct replay {
	struct states states;
	struct guard *guard;
	uint64_t from_version[STREAMS];
	uint64_t next_version[STREAMS];
	uint32_t streams; /* those that are replayed */
};

static bool
visit(void *context, const struct event *event, const struct entry *entry)
{
	struct replay *replay = context;
	struct difference difference = { .seq = entry->seq };

	replay->guard->seq = entry->seq;
	if (event == NULL || entry->stream_version < replay->from_version[entry->stream]) {
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

/* The state as a snapshot behind the pruned ranges has it; without one the stream is left out. What
 * a snapshot is worth its hash in the log says. */
static void
restore(struct replay *replay, struct log_reader *reader, enum stream stream, uint64_t from_seq)
{
	struct log_snapshot snapshot;
	bool found = false;

	if (!log_snapshot_latest(reader, NULL, stream, &snapshot, &found) || !found) {
		return;
	}
	if (snapshot.from_seq >= from_seq &&
	    states_restore(&replay->states, stream, snapshot.dump, snapshot.annex)) {
		replay->from_version[stream] = snapshot.version;
		replay->streams |= LOG_STREAM(stream);
	}
	log_snapshot_free(&snapshot);
}

static void
begin(struct replay *replay, struct log_reader *reader, uint64_t from_seq)
{
	states_make(&replay->states);
	if (from_seq == 0) {
		replay->streams = LOG_STREAM(STREAM_SESSION) | LOG_STREAM(STREAM_ALLOCATION);
		return;
	}
	restore(replay, reader, STREAM_SESSION, from_seq);
	restore(replay, reader, STREAM_ALLOCATION, from_seq);
}

static int
work(void *context, struct guard *guard)
{
	const struct replay_task *task = context;
	struct replay replay = { .guard = guard };
	struct log_reader *reader;
	char fault[512];

	if (!log_reader_open(task->data_dir, &reader, fault, sizeof fault)) {
		return 1;
	}
	begin(&replay, reader, task->from_seq);
	/* Without keys: personal fields do not matter to a state's digest, and that is checked here
	 * too. */
	const bool is_read =
		replay.streams == 0 || log_read_events(reader, NULL, task->from_seq, UINT64_MAX,
						       replay.streams, visit, &replay);
	states_free(&replay.states);
	log_reader_close(reader);
	return is_read ? 0 : 1;
}

/* Beside the rest: the entries come from those who look at the rows. What they cannot give, whole
 * and in order, ends the replay. */
static bool
visit_entry(void *context, const struct entry *entry)
{
	struct replay *replay = context;
	struct event event;

	replay->guard->seq = entry->seq;
	if (entry->stream_version != replay->next_version[entry->stream]) {
		return false;
	}
	replay->next_version[entry->stream]++;
	switch (entry_to_event(entry, NULL, &event)) {
	case ENTRY_KNOWN:
		return visit(replay, &event, entry);
	case ENTRY_FOREIGN:
		return true;
	case ENTRY_BROKEN:
		break;
	}
	return false;
}

static int
follow(void *context, struct guard *guard)
{
	struct replay replay = { .guard = guard };

	states_make(&replay.states);
	const bool is_whole = rows_follow(context, visit_entry, &replay);
	states_free(&replay.states);
	return is_whole ? 0 : 1;
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

struct guard_child
states_start(const char *data_dir, uint64_t from_seq)
{
	struct replay_task task = { .from_seq = from_seq };

	snprintf(task.data_dir, sizeof task.data_dir, "%s", data_dir);
	return guard_start(work, &task);
}

void
states_start_beside(struct guard_child *child, struct verify_rows *rows, struct verify *v)
{
	*child = guard_start(follow, rows);
	rows_followed(rows, child, read_difference, v, sizeof(struct difference));
}

static void
pass_over(void *context, const void *message, uint64_t count)
{
	(void)context;
	(void)message;
	(void)count;
}

void
states_drop(struct guard_child *child)
{
	guard_finish(child, pass_over, NULL, sizeof(struct difference));
}

void
states_end(struct guard_child *child, struct verify *v, struct verify_summary *summary)
{
	const struct guard_end end =
		guard_finish(child, read_difference, v, sizeof(struct difference));
	char where[64];

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
