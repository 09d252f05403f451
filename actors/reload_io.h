/* A reload as an actor sees it: the supervisor sends the whole configuration, checked, with the
 * secrets that kind of actor is given at start, over the mailbox (never over a command line). What
 * an actor does not read while it runs stays as it was: the supervisor sends only what may change
 * (protocol/reload.def). */
#ifndef IFSWARM_ACTORS_RELOAD_IO_H
#define IFSWARM_ACTORS_RELOAD_IO_H

#include "protocol/settings.h"

/* True if the request is a RELOAD. */
bool reload_is(struct span request);
/* Puts what it holds into `settings`, and the level of log_line. False, with nothing changed, if it
 * cannot be read. */
bool reload_take(struct span request, struct settings *settings);
/* The packed certificate (certificate_io.h) of a RELOAD, borrowed; empty if it brings none. */
struct span reload_certificate(struct span request);

#endif
