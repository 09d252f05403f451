/* What a question costs on a long log: each asked as an operator asks it, by the program itself,
 * with the time to its first line, to its end, and its memory; proofs also alone, in this process;
 * and how long after its commit an event is seen by `follow`.
 *
 *   build/bench/query_bench [EVENTS [DIRECTORY]]      default 1000000, a directory of its own in
 * /tmp
 */
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "bench/bench_log.h"
#include "store/proof.h"

enum { PROOFS = 2000, FOLLOWED = 100, WORDS_MAX = 12 };

static char program[4096];

struct running {
	pid_t process;
	int output;
};

static double
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static struct running
start(const char *directory, const char *const *words)
{
	char *argv[WORDS_MAX + 4] = { program };
	int ends[2];
	size_t count = 1;

	for (; *words != NULL; words++) {
		assert(count < WORDS_MAX);
		argv[count++] = (char *)(uintptr_t)*words;
	}
	argv[count++] = "--data-dir";
	argv[count++] = (char *)(uintptr_t)directory;
	assert(pipe(ends) == 0);
	const pid_t child = fork();
	if (child == 0) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		execv(program, argv);
		_exit(127);
	}
	assert(child > 0);
	close(ends[1]);
	return (struct running){ child, ends[0] };
}

static void
ask(const char *directory, const char *what, const char *const *words)
{
	char bytes[65536];
	struct rusage usage;
	double first = 0;
	size_t all = 0;
	int code = 0;
	const double began = now_ms();
	const struct running asked = start(directory, words);

	for (ssize_t got; (got = read(asked.output, bytes, sizeof bytes)) > 0;) {
		first = all == 0 ? now_ms() - began : first;
		all += (size_t)got;
	}
	close(asked.output);
	assert(wait4(asked.process, &code, 0, &usage) == asked.process);
	printf("%-34s %9.1f ms to the first line %9.1f ms in all %9.1f ms CPU %6.1f MB at most "
	       "(%zu bytes, exit %d)\n",
	       what, first, now_ms() - began, bench_cpu_in(&usage) * 1e3,
	       (double)usage.ru_maxrss / 1024, all, WEXITSTATUS(code));
}

#define ASK(directory, what, ...) ask(directory, what, (const char *const[]){ __VA_ARGS__, NULL })

static void
prove(const char *directory, uint64_t events)
{
	struct log_reader *reader;
	char fault[512];
	struct proof proof;

	if (!log_reader_open(directory, &reader, fault, sizeof fault)) {
		fprintf(stderr, "%s\n", fault);
		exit(1);
	}
	const struct stopwatch began = bench_now();
	for (uint64_t i = 0; i < PROOFS; i++) {
		const uint64_t seq = i * UINT64_C(2654435761) % events;
		assert(proof_inclusion(log_fetch_hashes, reader, events, seq, &proof));
	}
	bench_since("a proof of inclusion, anywhere", began, PROOFS);
	log_reader_close(reader);
}

/* Until that line has come: one for each seq from 0 on. */
static void
await_line(int output, uint64_t seq)
{
	static uint64_t lines;
	char bytes[65536];

	while (lines <= seq) {
		const ssize_t got = read(output, bytes, sizeof bytes);
		assert(got > 0);
		for (ssize_t i = 0; i < got; i++) {
			lines += bytes[i] == '\n';
		}
	}
}

static int
compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* On a small log of its own: it is written to while it is followed. */
static void
follow(void)
{
	char directory[] = "/tmp/ifswarm-bench-XXXXXX";
	char line[4096];
	double took[FOLLOWED];
	struct fixture f;

	assert(mkdtemp(directory) != NULL);
	fixture_open(&f, directory);
	const struct running asked =
		start(directory, (const char *const[]){ "follow", "--json", "--from", "0", NULL });
	await_line(asked.output, f.seq);
	for (size_t i = 0; i < FOLLOWED; i++) {
		fixture_begin(&f);
		fixture_signal(&f, EVENT_ICE_CANDIDATE_RELAYED, 1, 2);
		assert(evidence_commit(f.evidence) == EVIDENCE_OK);
		const double committed = now_ms();
		await_line(asked.output, f.seq);
		took[i] = now_ms() - committed;
	}
	kill(asked.process, SIGTERM);
	waitpid(asked.process, NULL, 0);
	close(asked.output);
	fixture_close(&f);
	qsort(took, FOLLOWED, sizeof took[0], compare);
	printf("%-44s %9.1f ms median %9.1f ms at most, of %d\n", "from a commit to follow's line",
	       took[FOLLOWED / 2], took[FOLLOWED - 1], FOLLOWED);
	snprintf(line, sizeof line, "rm -rf '%s'", directory);
	assert(system(line) == 0);
}

int
main(int argc, char *argv[])
{
	const uint64_t events = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
	const char *directory = bench_open_log(argc, argv, events);
	char *own = strdup(argv[0]);
	char seq[32];

	snprintf(program, sizeof program, "%s/../bin/ifreplay", dirname(own));
	free(own);
	snprintf(seq, sizeof seq, "%" PRIu64, events / 2);
	ASK(directory, "log --last 20", "log", "--last", "20");
	ASK(directory, "agent, the index is made", "agent", "agent-7");
	ASK(directory, "agent, with the index", "agent", "agent-7");
	ASK(directory, "agent, without", "agent", "agent-7", "--no-index");
	ASK(directory, "peers, with the index", "peers", "agent-7");
	ASK(directory, "stats", "stats");
	ASK(directory, "state", "state");
	ASK(directory, "why, in the middle", "why", seq);
	ASK(directory, "show, in the middle", "show", seq);
	ASK(directory, "prove, in the middle", "prove", seq);
	ASK(directory, "timeline", "timeline");
	ASK(directory, "verify", "verify");
	prove(directory, events);
	follow();
	return bench_close_log(argc, directory);
}
