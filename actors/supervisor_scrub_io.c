#include "actors/supervisor_scrub_io.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "actors/child_io.h"
#include "actors/supervisor_act_io.h"
#include "protocol/log_line_io.h"
#include "protocol/time_io.h"

enum {
	LOOK_US = 600 * 1000 * 1000, /* whether a round is due */
	AGAIN_US = 5 * 1000 * 1000,  /* after an end that was none */
	END_MS = 3000,               /* from SIGTERM to SIGKILL */
	END_STEP_MS = 20,
};

static void
start(struct running *r)
{
	const struct settings *settings = r->cluster.settings;
	char program[CLUSTER_PROGRAM_MAX];
	char days[24];
	struct child_plan plan;

	r->scrub.next_us = time_monotonic_us() + LOOK_US;
	if (!cluster_program(program, "ifreplay")) {
		return;
	}
	snprintf(days, sizeof days, "%" PRIu64, settings->scrub_interval);
	child_plan_start(&plan, program);
	child_plan_add(&plan, "--data-dir", settings->data_dir.bytes);
	child_plan_add(&plan, "--if-older", days);
	plan.arguments[plan.argument_count++] = "scrub";
	const pid_t pid = child_start(&plan);
	if (pid < 0) {
		log_warning("cannot start the scrub: %s: it is tried again", strerror(errno));
		return;
	}
	r->scrub.pid = pid;
}

static void
take_end(struct running *r)
{
	int status = 0;
	char cause[32];

	if (r->scrub.pid == 0 || waitpid(r->scrub.pid, &status, WNOHANG) != r->scrub.pid) {
		return;
	}
	if (WIFSIGNALED(status) && !r->scrub.was_told_to_end) {
		log_warning("the scrub with pid %ld ended: %s: it will go on", (long)r->scrub.pid,
			    child_cause(status, cause, sizeof cause));
		r->scrub.next_us = time_monotonic_us() + AGAIN_US;
	}
	r->scrub.pid = 0;
}

void
scrub_work(struct running *r)
{
	take_end(r);
	if (r->cluster.supervisor.stopping) {
		if (r->scrub.pid > 0 && !r->scrub.was_told_to_end) {
			kill(r->scrub.pid, SIGTERM);
			r->scrub.was_told_to_end = true;
		}
		return;
	}
	if (r->scrub.pid == 0 && r->cluster.settings->scrub_interval > 0 && r->done.announced &&
	    time_monotonic_us() >= r->scrub.next_us) {
		start(r);
	}
}

void
scrub_end(struct running *r)
{
	for (int waited_ms = 0; r->scrub.pid > 0; waited_ms += END_STEP_MS) {
		scrub_work(r);
		if (r->scrub.pid > 0 && waited_ms == END_MS) {
			kill(r->scrub.pid, SIGKILL);
		}
		poll(NULL, 0, r->scrub.pid > 0 ? END_STEP_MS : 0);
	}
}
