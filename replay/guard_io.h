/* Work that a hostile log may make end in an assertion (a replay of events that contradict one
 * another) runs in a child process: its end is then a finding, not the end of the audit.
 */
#ifndef IFSWARM_REPLAY_GUARD_IO_H
#define IFSWARM_REPLAY_GUARD_IO_H

#include <stdbool.h>
#include <stdint.h>

/* The child's report on where it is: shared with the parent. */
struct guard {
	uint64_t seq;
	uint64_t count;
	int output; /* a pipe to the parent */
};

typedef int guard_work(void *context, struct guard *guard);
typedef void guard_read(void *context, const void *message, uint64_t count);

struct guard_end {
	bool is_whole; /* it ended by itself, with this code */
	int code;
	uint64_t seq; /* where it was */
	uint64_t count;
};

/* Runs `work` in a child; each message of exactly `message_bytes` (at most 4096) that it writes to
 * its output goes to `read` here. A database connection must not be carried into it: it opens its
 * own. */
struct guard_end guard_run(guard_work *work, void *context, guard_read *read, void *reader,
			   uint64_t message_bytes);
/* A replay that sends nothing: the exit code of its end. One that broke is said on stderr. */
int guard_replay(guard_work *work, void *context);
/* The same in two steps: the child works while the caller does something else. Once a pipe of
 * messages is full it waits for guard_finish. */
struct guard_child {
	struct guard *guard;
	int input;
	int process;
};
struct guard_child guard_start(guard_work *work, void *context);
/* One message, if there is one at hand now; false if there is none. */
bool guard_take(const struct guard_child *child, guard_read *read, void *reader,
		uint64_t message_bytes);
struct guard_end guard_finish(struct guard_child *child, guard_read *read, void *reader,
			      uint64_t message_bytes);

/* In the child: one message to the parent. */
void guard_send(const struct guard *guard, const void *message, uint64_t count);

#endif
