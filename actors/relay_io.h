/* The relay as a process: sockets in, the pure relay, sockets out. */
#ifndef IFSWARM_ACTORS_RELAY_IO_H
#define IFSWARM_ACTORS_RELAY_IO_H

#include "actors/start_io.h"

/* Serves until SIGTERM, then reports what was relayed and ends. Returns the exit code; every fault
 * has been logged. When the allocation actor gives this instance up it ends too: a new one
 * attaches. */
int relay_run(const struct start *start);

#endif
