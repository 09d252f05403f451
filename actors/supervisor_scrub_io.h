/* The rolling scrub of a running cluster: now and then the supervisor starts `ifreplay scrub
 * --if-older`, which ends at once while no round is due. It is no actor: nobody asks it anything,
 * nobody waits for it, and its end by any cause is made good by the next one, which goes on where
 * it was. */
#ifndef IFSWARM_ACTORS_SUPERVISOR_SCRUB_IO_H
#define IFSWARM_ACTORS_SUPERVISOR_SCRUB_IO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct running;

struct scrub_child {
	pid_t pid; /* 0 if none runs */
	uint64_t next_us;
	bool was_told_to_end;
};

/* At each turn of the loop: starts it, takes its end, and ends it when the cluster stops. */
void scrub_work(struct running *r);
/* It has ended when this returns. */
void scrub_end(struct running *r);

#endif
