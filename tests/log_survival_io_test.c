/* What can befall a log while it is written and read, and what is left of it: kill -9, places that
 * cannot be written, a reader beside the writer, a full disk. */
#include "tests/evidence_fixture.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>

/* Kill -9. */

/* Appends until it is killed, and says each seq that was acknowledged. */
static void
append_for_ever(const struct fixture *f, int acknowledge)
{
	struct evidence *e = open_evidence(f, T0);
	const uint64_t epoch = claim(e, STREAM_SESSION, T0);

	for (uint64_t i = 0;; i++) {
		const uint64_t seq = append_agent(e, epoch, i % 200, T0);
		if (write(acknowledge, &seq, sizeof seq) != sizeof seq) {
			_exit(1);
		}
		if (i % 16 == 0) {
			evidence_publish(e);
		}
	}
}

static uint64_t
kill_a_writer(const struct fixture *f, unsigned milliseconds)
{
	uint64_t last = 0, seq;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	const pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(ends[0]);
		append_for_ever(f, ends[1]);
	}
	close(ends[1]);
	/* From its first word on, so that every round is killed at work. */
	assert_int_equal(read(ends[0], &last, sizeof last), sizeof last);
	const struct timespec pause = { 0, (long)milliseconds * 1000000 };
	nanosleep(&pause, NULL);
	kill(child, SIGKILL);
	while (read(ends[0], &seq, sizeof seq) == sizeof seq) {
		last = seq;
	}
	close(ends[0]);
	waitpid(child, NULL, 0);
	return last;
}

static bool
count_names(void *context, const struct event *event, const struct entry *entry)
{
	uint64_t *nameless = context;

	(void)entry;
	*nameless += event->type == EVENT_AGENT_REGISTERED &&
		     event->agent_registered.agent_name.length == 0;
	return true;
}

static void
test_threat_G7_kill_9_loses_nothing_acknowledged(void **state)
{
	struct fixture *f = *state;
	char text[CHECKPOINT_NOTE_MAX];
	struct checkpoint checkpoint;

	for (unsigned round = 0; round < 15; round++) {
		uint64_t nameless = 0;
		const uint64_t last = kill_a_writer(f, 3 + 7 * round % 40);
		struct evidence *e = open_evidence(f, T0);

		assert_null(evidence_read_only(e));
		assert_true(evidence_size(e) > last + 1);
		assert_int_equal(read_event(f, evidence_size(e) - 1).witness_started.clean, 0);
		struct reading r = open_reading(f);
		if (!log_read_events(r.reader, r.keys, 0, UINT64_MAX, LOG_STREAMS_ALL, count_names,
				     &nameless)) {
			fail_msg("%s", log_reader_fault(r.reader));
		}
		assert_int_equal(nameless, 0);
		close_reading(&r);
		const size_t count = read_file(f, "pub/checkpoint", text, sizeof text);
		assert_true(checkpoint_read((struct span){ (uint8_t *)text, count }, &checkpoint));
		check_published_tree(f, &checkpoint);
		/* This run ends without an end, too. */
		if (round % 2 == 0) {
			evidence_close(e, T0);
			e = open_evidence(f, T0);
			assert_int_equal(read_event(f, evidence_size(e) - 1).witness_started.clean,
					 1);
		}
		evidence_close(e, T0);
	}
}

/* Places that cannot be written. */

/* In a child that is nobody: root may write everywhere. */
static int
read_as_nobody(const struct fixture *f, bool expected, const char *why)
{
	const pid_t child = fork();
	int status = 0;

	if (child == 0) {
		char fault[512] = "";
		struct log_reader *reader;
		uint64_t names = 0;

		if (geteuid() == 0 && setuid(65534) != 0) {
			_exit(3);
		}
		const bool opened = log_reader_open(f->directory, &reader, fault, sizeof fault);
		if (opened != expected || (!opened && strstr(fault, why) == NULL)) {
			fprintf(stderr, "%s\n", fault);
			_exit(1);
		}
		_exit(opened && !log_read_events(reader, NULL, 0, UINT64_MAX, LOG_STREAMS_ALL,
						 count_names, &names));
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
test_a_copy_is_read_where_nothing_can_be_written(void **state)
{
	struct fixture *f = *state;

	make_log(f);
	shell(f, "chmod 755 . data && chmod 444 data/witness.db && chmod 555 data");
	assert_int_equal(read_as_nobody(f, true, ""), 0);
	assert_int_equal(file_size(f, "witness.db-shm"), -1);
	/* A -wal that holds something must not be passed over in silence. */
	shell(f, "chmod 755 data && echo something > data/witness.db-wal && chmod 444 "
		 "data/witness.db-wal"
		 " && chmod 555 data");
	assert_int_equal(read_as_nobody(f, false, "-wal"), 0);
	shell(f, "chmod 755 data");
}

static void
test_a_reader_beside_the_writer_never_blocks_it(void **state)
{
	struct fixture *f = *state;
	struct evidence *e = open_evidence(f, T0);
	const uint64_t epoch = claim(e, STREAM_SESSION, T0);
	struct log_reader *reader;
	uint64_t before, after;
	char fault[512];

	assert_true(log_reader_open(f->directory, &reader, fault, sizeof fault));
	assert_true(log_reader_size(reader, &before));
	for (uint64_t i = 0; i < 3000; i++) {
		append_agent(e, epoch, i % 100, T0);
		if (i % 500 == 0) {
			assert_int_equal(evidence_idle(e), EVIDENCE_OK);
		}
	}
	assert_true(log_reader_size(reader, &after));
	assert_int_equal(after, evidence_size(e));
	assert_true(after > before);
	log_reader_close(reader);
	assert_true(file_size(f, "witness.db-wal") < 24 * 1024 * 1024);
	evidence_close(e, T0);
	assert_int_equal(file_size(f, "witness.db-wal"), -1);
}

/* A full disk. */

/* A small file system of its own; false where that is not allowed. */
static bool
mount_small(const struct fixture *f)
{
	assert_int_equal(mkdir(f->directory, 0700), 0);
	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("small", f->directory, "tmpfs", 0, "size=10m") == 0;
}

static void
fill_disk(const struct fixture *f)
{
	static char zeroes[65536];
	const int fd = open(path_of(f, "filler"), O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	for (size_t size = sizeof zeroes; size > 0; size /= 2) {
		while (write(fd, zeroes, size) > 0) {
		}
	}
	close(fd);
}

static uint64_t
append_until_full(struct evidence *e, uint64_t epoch)
{
	struct wire wire;
	uint64_t acknowledged = evidence_size(e) - 1, seq;

	for (uint64_t i = 0; i < 100000; i++) {
		agent_wire(&wire, i % 200);
		enum evidence_result result = evidence_begin(e);
		if (result == EVIDENCE_OK) {
			result = evidence_append(e, STREAM_SESSION, epoch, &wire.event, T0, &seq);
		}
		if (result == EVIDENCE_OK) {
			result = evidence_commit(e);
		}
		if (result != EVIDENCE_OK) {
			assert_int_equal(result, EVIDENCE_FULL);
			return acknowledged;
		}
		acknowledged = seq;
	}
	fail_msg("the disk never filled");
	return 0;
}

static int
live_through_a_full_disk(const struct fixture *f)
{
	struct evidence *e = open_evidence(f, T0);
	const uint64_t epoch = claim(e, STREAM_SESSION, T0);

	fill_disk(f);
	assert_int_equal(truncate(path_of(f, "filler"), file_size(f, "filler") - 512 * 1024), 0);
	const uint64_t last = append_until_full(e, epoch);
	assert_true(evidence_is_suspended(e));
	assert_int_equal(file_size(f, "ballast"), -1);
	assert_int_equal(evidence_begin(e), EVIDENCE_FULL);
	assert_int_equal(evidence_size(e), last + 2);
	assert_int_equal(read_event(f, last + 1).type, EVENT_LOG_SUSPENDED);
	remove_file(f, "filler");
	append_agent(e, epoch, 1, T0);
	assert_false(evidence_is_suspended(e));
	assert_int_equal(read_event(f, last + 2).type, EVENT_LOG_RESUMED);
	assert_int_equal(evidence_publish(e), EVIDENCE_OK);
	assert_int_equal(file_size(f, "ballast"), 1024 * 1024);
	evidence_close(e, T0);
	/* A start on a full disk comes up suspended, and says so later. */
	fill_disk(f);
	e = open_evidence(f, T0);
	assert_true(evidence_is_suspended(e));
	const uint64_t size = evidence_size(e);
	remove_file(f, "filler");
	append_agent(e, epoch, 1, T0);
	assert_int_equal(read_event(f, size).type, EVENT_WITNESS_STARTED);
	assert_int_equal(read_event(f, size + 1).type, EVENT_LOG_RESUMED);
	evidence_close(e, T0);
	return 0;
}

static void
test_threat_G6_a_full_disk_suspends_and_resumes(void **state)
{
	struct fixture *f = *state;
	int status = 0;

	const pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		_exit(mount_small(f) ? live_through_a_full_disk(f) : 77);
	}
	waitpid(child, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		skip(); /* needs the right to mount */
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		evidence_test(test_threat_G7_kill_9_loses_nothing_acknowledged),
		evidence_test(test_a_copy_is_read_where_nothing_can_be_written),
		evidence_test(test_a_reader_beside_the_writer_never_blocks_it),
		evidence_test(test_threat_G6_a_full_disk_suspends_and_resumes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
