/* A long log for the benches that read one: agents come, signal and go, the way a busy mesh does;
 * and a stopwatch for wall and CPU. Static functions, included by the benches that need them.
 */
#ifndef IFSWARM_BENCH_BENCH_LOG_H
#define IFSWARM_BENCH_BENCH_LOG_H

#include <inttypes.h>
#include <sys/resource.h>
#include <time.h>

#include "store/read_io.h"
#include "tests/replay_fixture.h"

enum { BENCH_PER_APPEND = 1000, BENCH_TAIL = 10000, BENCH_AGENTS = 200 };

struct stopwatch {
	double wall;
	double cpu; /* of this process, its threads, and its children that have ended */
};

static inline double
bench_cpu_in(const struct rusage *usage)
{
	return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
	       (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1e6;
}

static inline double
bench_cpu_of(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return bench_cpu_in(&usage);
}

static inline struct stopwatch
bench_now(void)
{
	struct timespec wall;

	clock_gettime(CLOCK_MONOTONIC, &wall);
	return (struct stopwatch){
		(double)wall.tv_sec + (double)wall.tv_nsec / 1e9,
		bench_cpu_of(RUSAGE_SELF) + bench_cpu_of(RUSAGE_CHILDREN),
	};
}

static inline struct stopwatch
bench_since(const char *what, struct stopwatch start, uint64_t events)
{
	const struct stopwatch end = bench_now();
	const struct stopwatch took = { end.wall - start.wall, end.cpu - start.cpu };

	printf("%-44s %8.3f s wall %8.3f s CPU %8.2f us CPU an event\n", what, took.wall, took.cpu,
	       took.cpu * 1e6 / (double)events);
	return took;
}

/* One registration or leave in ten events. */
static inline void
bench_write_one(struct fixture *f, uint64_t i)
{
	static bool is_in[BENCH_AGENTS];
	const uint8_t agent = (uint8_t)(i / 10 % BENCH_AGENTS);
	const uint8_t other = (uint8_t)((agent + 1) % BENCH_AGENTS);
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

/* A snapshot lies BENCH_TAIL events before the end. */
static inline void
bench_write_log(const char *directory, uint64_t events)
{
	const uint64_t snapshot_at =
		events > BENCH_TAIL ? (events - BENCH_TAIL) / BENCH_PER_APPEND * BENCH_PER_APPEND
				    : 0;
	struct fixture f;

	mkdir(directory, 0700);
	fixture_open(&f, directory);
	for (uint64_t i = 0; i < events; i++) {
		if (i % BENCH_PER_APPEND == 0) {
			fixture_begin(&f);
		}
		bench_write_one(&f, i);
		if (i % BENCH_PER_APPEND == BENCH_PER_APPEND - 1 || i + 1 == events) {
			assert(evidence_commit(f.evidence) == EVIDENCE_OK);
		}
		if (i + 1 == snapshot_at) {
			fixture_snapshot(&f, STREAM_SESSION);
		}
	}
	fixture_close(&f);
}

/* The directory of argv[2], or one of its own in /tmp; the log is written unless it is there. */
static inline const char *
bench_open_log(int argc, char *argv[], uint64_t events)
{
	static char own[] = "/tmp/ifswarm-bench-XXXXXX";
	const char *directory = argc > 2 ? argv[2] : mkdtemp(own);
	char path[4096];

	assert(directory != NULL && events > 0);
	snprintf(path, sizeof path, "%s/witness.db", directory);
	if (access(path, R_OK) != 0) {
		const struct stopwatch start = bench_now();
		bench_write_log(directory, events);
		bench_since("written, 1000 events a commit", start, events);
	}
	return directory;
}

static inline int
bench_close_log(int argc, const char *directory)
{
	char line[4096];

	if (argc > 2) {
		return 0;
	}
	snprintf(line, sizeof line, "rm -rf '%s'", directory);
	return system(line);
}

static inline bool
bench_hash_row(void *context, const struct log_row *row)
{
	entry_leaf_hash(row->entry, context);
	return true;
}

/* The floor: SQLite hands out each row, and its entry is hashed once. */
static inline struct stopwatch
bench_scan(struct log_reader *reader, uint64_t events)
{
	const struct stopwatch start = bench_now();
	struct digest digest;

	assert(log_read_rows(reader, 0, UINT64_MAX, bench_hash_row, &digest));
	return bench_since("bare scan, SHA-256 of each entry", start, events);
}

#endif
