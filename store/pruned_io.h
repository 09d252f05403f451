/* The table `pruned` of witness.db: the ranges that may go, written before any of their rows does.
 * It is made at the first pruning, together with two triggers in place of those that a log which
 * never pruned has: rows of `event` may be deleted within these ranges and nowhere else, and a log
 * that is put together again (store/repair_io.h) may leave them out.
 *
 * The table is an index of the log_pruned events, and believed no further: a range counts for
 * readers if the event at `event` says the same. `done` is 0 until nothing of the range is left in
 * any file; a start carries through what is not done.
 */
#ifndef IFSWARM_STORE_PRUNED_IO_H
#define IFSWARM_STORE_PRUNED_IO_H

#include "store/lookup_io.h"

/* first <= seq < end. */
struct pruned_range {
	uint64_t first, end;
	uint64_t event; /* seq of the log_pruned */
	bool is_done;
};

/* Makes the table and its triggers if they are not there. Within a transaction. */
enum db_result pruned_make(sqlite3 *db);
/* Within the transaction that holds the event. */
enum db_result pruned_put(sqlite3 *db, const struct pruned_range *range);
/* All that are not done: nothing of them is left. */
enum db_result pruned_finish(sqlite3 *db);
/* Deletes the rows of the log that lie in from <= seq < end, and in a range. */
enum db_result pruned_delete(sqlite3 *db, uint64_t from, uint64_t end);

/* The range that the log says was pruned and that holds the seq; false if there is none. */
bool pruned_find(struct lookup *lookup, uint64_t seq, struct pruned_range *out);

/* The rows of the table as they lie there, in order of `first`; a visitor that gives false ends it.
 * A log without the table has none. */
typedef bool pruned_visitor(void *context, const struct pruned_range *range);
bool pruned_each(sqlite3 *db, pruned_visitor *visit, void *context);

#endif
