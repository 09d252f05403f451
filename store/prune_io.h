/* Pruning, done: whole segments of old months leave the log, in this order.
 *
 *   1. they are found (store/prune_survey_io.h)
 *   2. one transaction holds a log_pruned for each range and its row of the table `pruned`
 *   3. a checkpoint is signed over it and published: the statement stands before anything goes
 *   4. their rows go, then their published bundles; tiles stay, and with them every old proof
 *   5. index.db goes and both -wal files are emptied: no file holds a byte of them
 *   6. the ranges are marked `done`
 *
 * Like retention (store/retain_io.h) it goes in steps outside any transaction, and evidence_open
 * carries through what is not done. Nothing is logged if nothing goes. Personal data is not its
 * business: a segment with a sealed part stays, so retention comes first.
 */
#ifndef IFSWARM_STORE_PRUNE_IO_H
#define IFSWARM_STORE_PRUNE_IO_H

#include "store/erase.h"
#include "store/evidence_io.h"
#include "store/prune.h"

struct pruning;

/* month: from prune_month, not 0. NULL, with `fault`, if the log or its keys cannot be read. */
struct pruning *prune_begin(struct evidence *evidence, uint64_t month, char *fault,
			    size_t fault_size);
/* ERASE_DONE at the end; never ERASE_HELD. */
enum erase_state prune_step(struct pruning *pruning, uint64_t now_us);
struct prune_report prune_report_now(const struct pruning *pruning);
const char *prune_fault(const struct pruning *pruning);
void prune_end(struct pruning *pruning);

/* At the start: the ranges that are not done. False with `fault`. */
bool prune_resume(struct evidence *evidence, uint64_t now_us, char *fault, size_t fault_size);

#endif
