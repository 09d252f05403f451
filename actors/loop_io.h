/* The worldly half of the one loop (the pure half is desk.h): runs a deciding actor as a process.
 */
#ifndef IFSWARM_ACTORS_LOOP_IO_H
#define IFSWARM_ACTORS_LOOP_IO_H

#include "actors/core.h"
#include "protocol/settings.h"

struct loop_options {
	const char *
		name; /* "session" or "allocation": its mailbox, and the writer's name in the log */
	const char *run_dir;
	struct settings *settings; /* replaced by a reload */
	const struct core *core;   /* its state is empty; recovery fills it */
	/* Hears of reloaded settings; NULL if nothing of them is the core's. */
	void (*reload)(void *state, const struct settings *settings);
};

/* Claims the stream, recovers the state from snapshot and log, gives up files and keys, serves
 * until SIGTERM or REQUEST_STOP; then ends everything in order (CLOSE), logs the state's digest and
 * leaves a snapshot. Returns the process's exit code; every fault has been logged. */
int loop_run(const struct loop_options *options);

#endif
