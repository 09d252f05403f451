/* `ifswarm up`: runs the cluster in the foreground. supervisor.h decides; here are processes,
 * signals, heartbeats and the deployment events. */
#ifndef IFSWARM_ACTORS_SUPERVISOR_IO_H
#define IFSWARM_ACTORS_SUPERVISOR_IO_H

#include "protocol/settings.h"

/* Starts all actors and keeps them running until SIGTERM, SIGINT or a STOP request; then stops them
 * in order. The exit code: 0 after an orderly stop, 1 if it could not start (every fault was
 * logged). `settings` has been checked, and is changed: what only the host knows is filled in. */
int supervisor_run(struct settings *settings, bool listening_is_preset);

#endif
