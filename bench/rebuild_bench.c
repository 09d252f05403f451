/* How long session takes to be back: a log of a million events, its state rebuilt from all of it,
 * and from a snapshot and the tail; beside them a bare scan of the same file that only hashes, as
 * the floor.
 *
 *   build/bench/rebuild_bench [EVENTS [DIRECTORY]]      default 1000000, a directory of its own in
 * /tmp
 */
#include "bench/bench_log.h"

struct rebuild {
	struct states states;
	uint64_t from_version;
	uint64_t applied;
};

static bool
apply(void *context, const struct event *event, const struct entry *entry)
{
	struct rebuild *rebuild = context;
	struct digest claimed;
	struct digest found;

	if (event != NULL && entry->stream_version >= rebuild->from_version) {
		rebuild->applied++;
		states_feed(&rebuild->states, entry, event, &claimed, &found);
	}
	return true;
}

static struct stopwatch
rebuild_all(struct log_reader *reader, struct log_keys *keys, uint64_t events, struct digest *out)
{
	struct rebuild rebuild = { .applied = 0 };
	states_make(&rebuild.states);
	const struct stopwatch start = bench_now();

	assert(log_read_events(reader, keys, 0, UINT64_MAX, LOG_STREAM(STREAM_SESSION), apply,
			       &rebuild));
	const struct stopwatch took = bench_since("rebuilt from every event", start, events);
	states_digest(&rebuild.states, STREAM_SESSION, out);
	states_free(&rebuild.states);
	return took;
}

static void
rebuild_tail(struct log_reader *reader, struct log_keys *keys, struct digest *out)
{
	struct rebuild rebuild = { .applied = 0 };
	struct log_snapshot snapshot;
	bool found = false;

	states_make(&rebuild.states);
	const struct stopwatch start = bench_now();
	assert(log_snapshot_latest(reader, keys, STREAM_SESSION, &snapshot, &found));
	assert(found);
	assert(states_restore(&rebuild.states, STREAM_SESSION, snapshot.dump, snapshot.annex));
	rebuild.from_version = snapshot.version;
	assert(log_read_events(reader, keys, snapshot.from_seq, UINT64_MAX,
			       LOG_STREAM(STREAM_SESSION), apply, &rebuild));
	bench_since("rebuilt from a snapshot and the tail", start, rebuild.applied);
	log_snapshot_free(&snapshot);
	states_digest(&rebuild.states, STREAM_SESSION, out);
	states_free(&rebuild.states);
}

static void
measure(const char *directory, uint64_t events)
{
	struct log_reader *reader;
	struct log_keys *keys;
	struct digest whole;
	struct digest tail;
	char fault[512];

	if (!log_reader_open(directory, &reader, fault, sizeof fault) ||
	    !log_keys_open(reader, NULL, &keys, fault, sizeof fault)) {
		fprintf(stderr, "%s\n", fault);
		exit(1);
	}
	bench_scan(reader, events); /* warms the cache */
	const struct stopwatch bare = bench_scan(reader, events);
	const struct stopwatch full = rebuild_all(reader, keys, events, &whole);
	printf("%-44s %8.2f\n", "CPU, rebuild to bare scan", full.cpu / bare.cpu);
	rebuild_tail(reader, keys, &tail);
	printf("%-44s %s\n", "both states",
	       digest_equal(&whole, &tail) ? "are the same" : "DIFFER");
	log_keys_close(keys);
	log_reader_close(reader);
}

int
main(int argc, char *argv[])
{
	const uint64_t events = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
	const char *directory = bench_open_log(argc, argv, events);

	measure(directory, events);
	return bench_close_log(argc, directory);
}
