/* Shared by the backup_*_io.c files, and by nobody else. */
#ifndef IFSWARM_STORE_BACKUP_STATE_IO_H
#define IFSWARM_STORE_BACKUP_STATE_IO_H

#include "store/backup_io.h"

/* The name under which the copy grows, TARGET.partial; nothing is made yet. False with one line in
 * `fault` if the plan's places cannot be taken. */
bool backup_find_place(const struct backup_plan *plan, char partial[FILE_PATH_MAX], char *fault,
		       size_t fault_size);

#endif
