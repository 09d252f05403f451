#include "replay/guard_io.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MESSAGE_MAX = 4096 };

static void
fail(const char *what)
{
	fprintf(stderr,
		"ifreplay: cannot start a helper process (%s): free some memory, try again\n",
		what);
	exit(1);
}

void
guard_send(const struct guard *guard, const void *message, uint64_t count)
{
	const char *at = message;

	while (count > 0) {
		const ssize_t sent = write(guard->output, at, count);

		if (sent < 0 && errno == EINTR) {
			continue;
		}
		if (sent <= 0) {
			_exit(1); /* nobody listens any more */
		}
		at += sent;
		count -= (uint64_t)sent;
	}
}

/* Whole messages; false at the end. */
static bool
receive(int input, char *message, uint64_t count)
{
	uint64_t got = 0;

	while (got < count) {
		const ssize_t more = read(input, message + got, count - got);

		if (more < 0 && errno == EINTR) {
			continue;
		}
		if (more <= 0) {
			return false;
		}
		got += (uint64_t)more;
	}
	return true;
}

static void
run_child(guard_work *work, void *context, struct guard *guard)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	const int code = work(context, guard);
	fflush(stdout);
	_exit(code);
}

struct guard_child
guard_start(guard_work *work, void *context)
{
	struct guard *guard = mmap(NULL, sizeof *guard, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int ends[2];

	if (guard == MAP_FAILED || pipe(ends) != 0) {
		fail("mmap or pipe");
	}
	guard->output = ends[1];
	fflush(stdout);
	fflush(stderr);
	const pid_t process = fork();
	if (process < 0) {
		fail("fork");
	}
	if (process == 0) {
		close(ends[0]);
		run_child(work, context, guard);
	}
	close(ends[1]);
	return (struct guard_child){ guard, ends[0], process };
}

bool
guard_take(const struct guard_child *child, guard_read *read, void *reader, uint64_t message_bytes)
{
	struct pollfd ready = { child->input, POLLIN, 0 };
	char message[MESSAGE_MAX];

	assert(message_bytes <= sizeof message);
	if (poll(&ready, 1, 0) != 1 || (ready.revents & POLLIN) == 0 ||
	    !receive(child->input, message, message_bytes)) {
		return false;
	}
	read(reader, message, message_bytes);
	return true;
}

struct guard_end
guard_finish(struct guard_child *child, guard_read *read, void *reader, uint64_t message_bytes)
{
	struct guard_end end = { 0 };
	char message[MESSAGE_MAX];
	int status = 0;

	assert(message_bytes <= sizeof message);
	while (message_bytes > 0 && receive(child->input, message, message_bytes)) {
		read(reader, message, message_bytes);
	}
	while (waitpid(child->process, &status, 0) < 0 && errno == EINTR) {
	}
	close(child->input);
	end.is_whole = WIFEXITED(status);
	end.code = end.is_whole ? WEXITSTATUS(status) : 1;
	end.seq = child->guard->seq;
	end.count = child->guard->count;
	munmap(child->guard, sizeof *child->guard);
	return end;
}

struct guard_end
guard_run(guard_work *work, void *context, guard_read *read, void *reader, uint64_t message_bytes)
{
	struct guard_child child = guard_start(work, context);

	return guard_finish(&child, read, reader, message_bytes);
}

static void
read_nothing(void *context, const void *message, uint64_t count)
{
	(void)context;
	(void)message;
	(void)count;
}

int
guard_replay(guard_work *work, void *context)
{
	const struct guard_end end = guard_run(work, context, read_nothing, NULL, 0);

	if (!end.is_whole) {
		fprintf(stderr,
			"ifreplay: the replay broke at seq %" PRIu64 ": that event contradicts the "
			"state before it; run ifreplay verify\n",
			end.seq);
		return 1;
	}
	return end.code;
}
