/* What checking a log costs: all that `ifreplay verify` does, with and without keys, beside a bare
 * scan of the same file that only hashes.
 *
 *   build/bench/verify_bench [EVENTS [DIRECTORY [JOBS]]]      default 1000000, a directory of its
 * own in /tmp, one job
 */
#include "bench/bench_log.h"

#include "replay/verify_io.h"

static void
say(void *context, const struct finding *finding)
{
	(void)context;
	printf("BREAK %s | %s | %s | %s\n", finding->what, finding->where, finding->expected,
	       finding->found);
}

static void
verify(const char *what, const char *directory, uint64_t events, uint64_t jobs, bool with_keys)
{
	struct options options = { .ask = ASK_VERIFY, .data_dir = directory, .jobs = jobs };
	struct source source;
	char fault[512];

	if (!source_open(&source, directory, fault, sizeof fault)) {
		fprintf(stderr, "%s\n", fault);
		exit(1);
	}
	struct log_keys *keys = source.keys;
	source.keys = with_keys ? keys : NULL;
	const struct stopwatch start = bench_now();
	const struct verify_summary summary = verify_log(&options, &source, say, NULL);
	const struct stopwatch took = bench_since(what, start, events);
	printf("%-44s %8.0f events/s of CPU, %.0f of wall, %" PRIu64 " breaks, %" PRIu64
	       " parts opened\n",
	       "", (double)summary.size / took.cpu, (double)summary.size / took.wall,
	       summary.findings, summary.sealed_opened);
	source.keys = keys;
	source_close(&source);
}

/* In the page cache, so that nobody waits for the disk. */
static void
warm(const char *directory)
{
	char line[4096];

	snprintf(line, sizeof line, "cat '%s'/witness.db > /dev/null", directory);
	assert(system(line) == 0);
}

static void
scan(const char *directory, uint64_t events)
{
	struct log_reader *reader;
	char fault[512];

	if (!log_reader_open(directory, &reader, fault, sizeof fault)) {
		fprintf(stderr, "%s\n", fault);
		exit(1);
	}
	bench_scan(reader, events);
	log_reader_close(reader);
}

int
main(int argc, char *argv[])
{
	const uint64_t events = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
	const char *directory = bench_open_log(argc, argv, events);
	const uint64_t jobs = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
	struct rusage usage;

	warm(directory);
	verify("verify, without keys", directory, events, jobs, false);
	verify("verify, every part opened", directory, events, jobs, true);
	scan(directory, events);
	getrusage(RUSAGE_SELF, &usage);
	printf("%-44s %8ld MB\n", "memory at most, this process", usage.ru_maxrss / 1024);
	getrusage(RUSAGE_CHILDREN, &usage);
	printf("%-44s %8ld MB\n", "memory at most, a helper", usage.ru_maxrss / 1024);
	return bench_close_log(argc, directory);
}
