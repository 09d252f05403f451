/* Looking after the evidence: what backup, restore and repair share. All of it works on a directory
 * by name, because the log in it may not open at all.
 */
#ifndef IFSWARM_REPLAY_CARE_IO_H
#define IFSWARM_REPLAY_CARE_IO_H

#include "replay/verify.h"

enum { CARE_FAULT_MAX = 768 };

/* Takes the writer's lock on a data directory: a descriptor, or -1 while a witness runs there. */
int care_lock(const char *data);
void care_unlock(int lock);
/* The whole checker over a copy without keys; the first breaks are said on stderr. The number of
 * breaks, or UINT64_MAX if it does not open. */
uint64_t care_verify(const char *directory);
/* Appends those events as the witness's own; nobody may hold the lock. */
bool care_log(const char *data, const char *origin, const struct event *events, size_t count,
	      char fault[CARE_FAULT_MAX]);

#endif
