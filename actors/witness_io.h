/* The witness as a process: takes what waits, makes it durable in one transaction, answers. */
#ifndef IFSWARM_ACTORS_WITNESS_IO_H
#define IFSWARM_ACTORS_WITNESS_IO_H

#include "protocol/settings.h"

/* Serves until SIGTERM; gives the process's exit code. Every fault has been logged. */
int witness_run(const char *run_dir, struct settings *settings);

#endif
