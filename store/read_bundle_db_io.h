/* An evidence.db that came from outside, read as a table and believed in nothing: it is opened as a
 * file that never changes, and only a plain table is read, so that nothing in it can run. */
#ifndef IFSWARM_STORE_READ_BUNDLE_DB_IO_H
#define IFSWARM_STORE_READ_BUNDLE_DB_IO_H

#include "protocol/types.h"

enum { FOREIGN_COLUMNS_MAX = 64 };

enum foreign_kind { FOREIGN_NULL, FOREIGN_NUMBER, FOREIGN_TEXT, FOREIGN_OTHER };
struct foreign_cell {
	const char *name; /* of the column */
	enum foreign_kind kind;
	int64_t number;
	struct span text;
};
/* One row of table `event`, in order of rowid. False stops. */
typedef bool foreign_row(void *context, const struct foreign_cell *cells, size_t count);

/* False, with `fault`, if it cannot be read as one. The file is a copy for this alone: its name is
 * taken away as soon as it is open. */
bool foreign_db_read(const char *path, foreign_row *visit, void *context, char *fault,
		     size_t fault_size);

#endif
