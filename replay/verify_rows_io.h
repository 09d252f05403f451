/* The rows of a log, looked at by several processes at once and handed out in order of seq.
 *
 * Processes, not threads: SQLite is set up for one thread, and a file that brings SQLite down takes
 * a helper with it, not the audit. Each has its own connection and looks at every n-th block of
 * rows; what it found comes back through shared memory.
 */
#ifndef IFSWARM_REPLAY_VERIFY_ROWS_IO_H
#define IFSWARM_REPLAY_VERIFY_ROWS_IO_H

#include "replay/guard_io.h"
#include "replay/verify.h"

enum { ROWS_JOBS_MAX = 16, ROWS_JOBS_DEFAULT_MAX = 4 };

struct verify_rows;

struct rows_options {
	const char *data_dir;
	uint64_t size;      /* rows below it are looked at */
	uint64_t published; /* entries below it lie in pub/, too; 0: there is none to compare */
	bool has_keys;      /* open the sealed parts */
	unsigned jobs;      /* 0: as many as pay here */
};

/* Ends the program if there is no memory or no process to be had. No database connection of the
 * caller is within a transaction. */
struct verify_rows *rows_start(const struct rows_options *options);
/* After the last row was taken; what stands behind it is said. */
void verify_rows_end(struct verify_rows *rows, struct verify *v);

/* --- the follower: a process that is given every entry of the deciding actors' streams, too ---
 */

/* In that process, a fork that was made after rows_start: calls `visit` for each entry in order of
 * seq, until the parent has no more or `visit` gives false. */
typedef bool rows_entry(void *context, const struct entry *entry);
bool rows_follow(struct verify_rows *rows, rows_entry *visit, void *context);
/* In the parent, before the first row is taken: messages of that child go to `read`, as guard_take
 * gives them. */
void rows_followed(struct verify_rows *rows, struct guard_child *child, guard_read *read,
		   void *reader, uint64_t message_bytes);

/* --- in the parent --- */

/* The next row in order, which stays the next until rows_take; NULL at the end. What could not be
 * read is said to v on the way. */
const struct verify_fact *rows_peek(struct verify_rows *rows, struct verify *v);
/* Gives the findings about that row to v, and joins it. */
void rows_take(struct verify_rows *rows, struct verify *v);

#endif
