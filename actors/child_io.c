#include "actors/child_io.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_NOT_EXECUTED = 127 };

void
child_plan_start(struct child_plan *plan, const char *program)
{
	memset(plan, 0, sizeof *plan);
	plan->program = program;
	plan->arguments[0] = program;
	plan->argument_count = 1;
}

void
child_plan_add(struct child_plan *plan, const char *option, const char *value)
{
	assert(plan->argument_count + 2 < CHILD_ARGUMENTS_MAX);
	plan->arguments[plan->argument_count++] = option;
	plan->arguments[plan->argument_count++] = value;
}

void
child_plan_add_fd(struct child_plan *plan, const char *option, int fd, char digits[12])
{
	assert(plan->fd_count < CHILD_FDS_MAX);
	snprintf(digits, 12, "%d", fd);
	plan->fds[plan->fd_count++] = fd;
	child_plan_add(plan, option, digits);
}

/* From here to exec only what is safe after a fork beside threads. */
static void
reset_signals(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++) {
		signal(number, SIG_DFL);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int
confine(pid_t parent)
{
	const struct rlimit no_cores = { 0 };

	if (setpgid(0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 ||
	    setrlimit(RLIMIT_CORE, &no_cores) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
		return -1;
	}
	/* The parent may have died before it could be watched. */
	return getppid() == parent ? 0 : -1;
}

static int
arrange_fds(const struct child_plan *plan)
{
	const int nothing = open("/dev/null", O_RDONLY);

	if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 ||
	    dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
		return -1;
	}
	if (nothing > STDERR_FILENO) {
		close(nothing);
	}
	for (size_t i = 0; i < plan->fd_count; i++) {
		if (fcntl(plan->fds[i], F_SETFD, 0) != 0) {
			return -1;
		}
	}
	return 0;
}

static void
become(const struct child_plan *plan, pid_t parent)
{
	reset_signals();
	if (confine(parent) == 0 && arrange_fds(plan) == 0) {
		/* execv promises not to write through these pointers. */
		execv(plan->program, (char *const *)(uintptr_t)plan->arguments);
	}
	_exit(EXIT_NOT_EXECUTED);
}

pid_t
child_start(const struct child_plan *plan)
{
	const pid_t parent = getpid();
	const pid_t pid = fork();

	if (pid == 0) {
		become(plan, parent);
	}
	return pid;
}

const char *
child_cause(int status, char *out, size_t size)
{
	if (WIFSIGNALED(status)) {
		snprintf(out, size, "signal %d", WTERMSIG(status));
	} else if (WEXITSTATUS(status) == EXIT_NOT_EXECUTED) {
		snprintf(out, size, "exit 127 (not executed)");
	} else {
		snprintf(out, size, "exit %d", WEXITSTATUS(status));
	}
	return out;
}
