/* How long session takes to be back: a log of a million events, its state rebuilt from all of it,
 * and from a snapshot and the tail; beside them a bare scan of the same file that only hashes, as
 * the floor.
 *
 *   build/bench/rebuild_bench [EVENTS [DIRECTORY]]      default 1000000, a directory of its own in
 * /tmp
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "store/read_io.h"
#include "tests/replay_fixture.h"

enum { PER_APPEND = 1000, TAIL = 10000, AGENTS = 200 };

struct stopwatch {
	double wall;
	double cpu;
};

static struct stopwatch
now(void)
{
	struct timespec wall;
	struct rusage usage;

	clock_gettime(CLOCK_MONOTONIC, &wall);
	getrusage(RUSAGE_SELF, &usage);
	return (struct stopwatch){
		(double)wall.tv_sec + (double)wall.tv_nsec / 1e9,
		(double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
			(double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
	};
}

static struct stopwatch
print_since(const char *what, struct stopwatch start, uint64_t events)
{
	const struct stopwatch end = now();
	const struct stopwatch took = { end.wall - start.wall, end.cpu - start.cpu };

	printf("%-44s %8.3f s wall %8.3f s CPU %8.2f us CPU an event\n", what, took.wall, took.cpu,
	       took.cpu * 1e6 / (double)events);
	return took;
}

/* Agents come, signal and go, the way a busy mesh does: one registration and one leave in ten
 * events. */
static void
write_one(struct fixture *f, uint64_t i)
{
	static bool is_in[AGENTS];
	const uint8_t agent = (uint8_t)(i / 10 % AGENTS);
	const uint8_t other = (uint8_t)((agent + 1) % AGENTS);
	char name[32];

	snprintf(name, sizeof name, "agent-%u", agent);
	if (i % 10 == 0) {
		if (is_in[agent]) {
			fixture_leave(f, agent, name, agent);
		} else {
			fixture_register(f, agent, name, agent);
		}
		is_in[agent] = !is_in[agent];
		return;
	}
	fixture_signal(f, i % 10 < 3 ? EVENT_SDP_OFFER_RELAYED : EVENT_ICE_CANDIDATE_RELAYED, agent,
		       other);
}

static void
write_log(const char *directory, uint64_t events)
{
	struct fixture f;

	mkdir(directory, 0700);
	fixture_open(&f, directory);
	for (uint64_t i = 0; i < events; i++) {
		if (i % PER_APPEND == 0) {
			fixture_begin(&f);
		}
		write_one(&f, i);
		if (i % PER_APPEND == PER_APPEND - 1 || i + 1 == events) {
			assert(evidence_commit(f.evidence) == EVIDENCE_OK);
		}
		if (i + 1 == (events > TAIL ? (events - TAIL) / PER_APPEND * PER_APPEND : 0)) {
			fixture_snapshot(&f);
		}
	}
	fixture_close(&f);
}

static bool
hash_row(void *context, const struct log_row *row)
{
	entry_leaf_hash(row->entry, context);
	return true;
}

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
scan(struct log_reader *reader, uint64_t events)
{
	const struct stopwatch start = now();
	struct digest digest;

	assert(log_read_rows(reader, 0, UINT64_MAX, hash_row, &digest));
	return print_since("bare scan, SHA-256 of each entry", start, events);
}

static struct stopwatch
rebuild_all(struct log_reader *reader, struct log_keys *keys, uint64_t events, struct digest *out)
{
	struct rebuild rebuild = { .applied = 0 };
	states_make(&rebuild.states);
	const struct stopwatch start = now();

	assert(log_read_events(reader, keys, 0, UINT64_MAX, LOG_STREAM(STREAM_SESSION), apply,
			       &rebuild));
	const struct stopwatch took = print_since("rebuilt from every event", start, events);
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
	const struct stopwatch start = now();
	assert(log_snapshot_latest(reader, keys, STREAM_SESSION, &snapshot, &found));
	assert(found);
	assert(states_restore(&rebuild.states, STREAM_SESSION, snapshot.dump, snapshot.annex));
	rebuild.from_version = snapshot.version;
	assert(log_read_events(reader, keys, snapshot.from_seq, UINT64_MAX,
			       LOG_STREAM(STREAM_SESSION), apply, &rebuild));
	print_since("rebuilt from a snapshot and the tail", start, rebuild.applied);
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
	scan(reader, events); /* warms the cache */
	const struct stopwatch bare = scan(reader, events);
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
	char own[] = "/tmp/ifswarm-rebuild-XXXXXX";
	const char *directory = argc > 2 ? argv[2] : mkdtemp(own);
	char path[4096];

	assert(directory != NULL && events > 0);
	snprintf(path, sizeof path, "%s/witness.db", directory);
	if (access(path, R_OK) != 0) {
		const struct stopwatch start = now();
		write_log(directory, events);
		print_since("written, 1000 events a commit", start, events);
	}
	measure(directory, events);
	if (argc <= 2) {
		char line[4096];
		snprintf(line, sizeof line, "rm -rf '%s'", directory);
		return system(line);
	}
	return 0;
}
