/* What an export costs: a whole log under each profile, each in a process of its own, so that its
 * memory is its own too; beside a bare scan of the same file that only hashes.
 *
 *   build/bench/export_bench [EVENTS [DIRECTORY]]      default 1000000, a directory of its own in
 * /tmp
 */
#include "bench/bench_log.h"

#include <sys/wait.h>

#include "replay/commands_io.h"

static int
export_all(const char *directory, const char *file, const char *profile)
{
	char *const argv[] = { "ifreplay",
			       "export",
			       (char *)(uintptr_t)file,
			       "--data-dir",
			       (char *)(uintptr_t)directory,
			       "--profile",
			       (char *)(uintptr_t)profile,
			       "--discard",
			       NULL };
	struct options options;
	struct source source;
	char fault[512];

	if (!options_parse(8, argv, NULL, &options, fault) ||
	    !source_open(&source, directory, fault, sizeof fault)) {
		fprintf(stderr, "%s\n", fault);
		return 1;
	}
	const int code = export_command(&options, &source);
	source_close(&source);
	return code;
}

static void
measure(const char *directory, const char *profile, uint64_t events)
{
	char file[4096];
	char what[64];
	struct rusage usage;
	struct stat status;
	int code = 0;

	snprintf(file, sizeof file, "%s/bench.tar", directory);
	snprintf(what, sizeof what, "export, profile %s", profile);
	fflush(stdout);
	const struct stopwatch start = bench_now();
	const pid_t child = fork();
	if (child == 0) {
		exit(export_all(directory, file, profile));
	}
	assert(child > 0);
	assert(wait4(child, &code, 0, &usage) == child);
	assert(code == 0);
	assert(stat(file, &status) == 0);
	bench_since(what, start, events);
	printf("%-44s %8.1f MB of memory at most, %.0f MB of tar\n", "",
	       (double)usage.ru_maxrss / 1024, (double)status.st_size / 1e6);
	unlink(file);
}

int
main(int argc, char *argv[])
{
	const uint64_t events = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
	const char *directory = bench_open_log(argc, argv, events);
	struct log_reader *reader;
	char fault[512];

	if (!log_reader_open(directory, &reader, fault, sizeof fault)) {
		fprintf(stderr, "%s\n", fault);
		return 1;
	}
	bench_scan(reader, events); /* warms the cache */
	bench_scan(reader, events);
	log_reader_close(reader);
	measure(directory, "pseudonymous", events);
	measure(directory, "none", events);
	measure(directory, "envelope", events);
	return bench_close_log(argc, directory);
}
