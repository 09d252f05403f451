/* `ifswarm up`: runs the cluster in the foreground. supervisor.h decides; here are processes,
 * signals, heartbeats and the deployment events. */
#ifndef IFSWARM_ACTORS_SUPERVISOR_IO_H
#define IFSWARM_ACTORS_SUPERVISOR_IO_H

#include "actors/supervisor_reload_io.h"

/* Starts all actors and keeps them running until SIGTERM, SIGINT or a STOP request; then stops them
 * in order. The exit code: 0 after an orderly stop, 1 if it could not start (every fault was
 * logged). `settings` has been checked, and is changed: what only the host knows is filled in.
 * `source` is where it came from, for a reload. */
int supervisor_run(struct settings *settings, const struct settings_source *source);

#endif
