/* What a process may still touch once it serves: as little as its work needs.
 *
 * An actor opens what it needs first (files, its mailbox, its connections), then enters, then
 * handles the first outside byte. From there on no path of the file system but the named ones can
 * be opened, made or connected to, nothing is gained by executing a program, and a crash leaves no
 * core with keys in it.
 */
#ifndef IFSWARM_ACTORS_SANDBOX_IO_H
#define IFSWARM_ACTORS_SANDBOX_IO_H

#include <stdbool.h>

enum { SANDBOX_PATHS_MAX = 8 };

/* Paths that exist; everything below them is meant. Unused places are NULL. */
struct sandbox_rules {
	const char *readable[SANDBOX_PATHS_MAX];
	const char *writable[SANDBOX_PATHS_MAX]; /* read, write, make, remove; sockets too */
};

/* No new privileges, not dumpable, no core files; then Landlock with these rules, for this thread
 * and all threads it starts: call it before there are others. A kernel without Landlock is logged
 * at level info, and the rest holds. False if a part that every kernel has was refused: it is
 * logged, and the process ends. A Unix socket below a path that is not named cannot be made;
 * connecting to one is not restricted by Landlock, so nng may reconnect. */
bool sandbox_enter(const struct sandbox_rules *rules);

/* The first half alone, for a parent that still starts programs. */
bool sandbox_harden(void);

#endif
