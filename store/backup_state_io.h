/* Shared by the backup_*_io.c files, and by nobody else. */
#ifndef IFSWARM_STORE_BACKUP_STATE_IO_H
#define IFSWARM_STORE_BACKUP_STATE_IO_H

#include "store/backup_io.h"

struct backup_copying {
	const struct backup_plan *plan;
	struct backup_made *made;
	char *fault;
	size_t fault_size;
};

/* Both give false, with one line in the fault; the second with errno's reason. */
bool backup_say(const struct backup_copying *c, const char *path, const char *what);
bool backup_say_errno(const struct backup_copying *c, const char *path, const char *what);

/* The name under which the copy grows, TARGET.partial, into what is made; nothing is there yet.
 * False if the plan's places cannot be taken. */
bool backup_find_place(const struct backup_copying *c);

#endif
