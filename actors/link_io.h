/* A link with its mailbox: what a gateway or a relay holds to talk with its actor.
 *
 * The owner polls link_fd, calls link_run when it is readable and at least every 100 ms, then takes
 * all notices. One thread. */
#ifndef IFSWARM_ACTORS_LINK_IO_H
#define IFSWARM_ACTORS_LINK_IO_H

#include "actors/link.h"

struct link_io;

/* `actor` is "session" or "allocation"; `front` this gateway's or relay's number, from 1. Makes a
 * random instance. NULL, with a sentence in `fault`, if it cannot. */
struct link_io *link_open(const char *run_dir, const char *actor, uint64_t front, char *fault,
			  size_t fault_size);
int link_fd(const struct link_io *link);
enum link_state link_state(const struct link_io *link);
uint64_t link_epoch(const struct link_io *link);

/* A fresh command id, greater than all before: UUIDv7. */
struct id link_command_id(struct link_io *link);
/* Sends a command; its command_id must come from link_command_id and be set. It leaves with the
 * next link_run, together with what gathers until then. False if too much is unsettled: refuse the
 * work. */
bool link_send(struct link_io *link, const struct command *command, struct span body);
/* Takes replies, sends what is waiting. Call it after a round of link_send too. */
void link_run(struct link_io *link);
/* The next notice; `body` stays until the next link_run. */
bool link_next(struct link_io *link, struct notice *notice, struct span *body);
/* True if everything sent is settled: a process that stops waits for this (bounded). */
bool link_is_quiet(const struct link_io *link);
void link_close(struct link_io *link);

#endif
