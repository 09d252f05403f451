/* One child process of the supervisor: how it is started, so that nothing is inherited but what is
 * named. */
#ifndef IFSWARM_ACTORS_CHILD_IO_H
#define IFSWARM_ACTORS_CHILD_IO_H

#include <stddef.h>
#include <sys/types.h>

enum { CHILD_FDS_MAX = 328, CHILD_ARGUMENTS_MAX = 2 * CHILD_FDS_MAX + 16 };

/* What is to be executed. Strings are borrowed until the call returns. */
/* A child's exit code: another start would end alike. */
enum { CHILD_EXIT_HOPELESS = 3 };

struct child_plan {
	const char *program; /* a path */
	size_t argument_count;
	const char *arguments[CHILD_ARGUMENTS_MAX]; /* terminated by NULL; [0] is the program */
	size_t fd_count;
	int fds[CHILD_FDS_MAX]; /* stay open under their numbers */
};

void child_plan_start(struct child_plan *plan, const char *program);
void child_plan_add(struct child_plan *plan, const char *option, const char *value);
/* `digits` has room for the number, and lives as long as the plan. */
void child_plan_add_fd(struct child_plan *plan, const char *option, int fd, char digits[12]);

/* Starts it: in its own process group (a Ctrl-C is for the supervisor), with default signals,
 * standard input from /dev/null, standard output on standard error, SIGTERM when the supervisor
 * dies, without cores and without new privileges. The pid, or -1 with errno; a program that cannot
 * be executed exits with 127. */
pid_t child_start(const struct child_plan *plan);

/* "exit 1" or "signal 9", from waitpid's status. */
const char *child_cause(int status, char *out, size_t size);

#endif
