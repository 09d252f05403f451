/* A look at the old segments of a log, a piece at a time: what store/prune.h wants to know is read
 * through a reader, so that the witness, between two requests, and `ifreplay retain --dry-run` see
 * the same. Nothing is written. */
#ifndef IFSWARM_STORE_PRUNE_SURVEY_IO_H
#define IFSWARM_STORE_PRUNE_SURVEY_IO_H

#include "store/prune.h"
#include "store/read_io.h"

struct prune_survey;

/* month: from prune_month, not 0. `keys` may be NULL: then a snapshot is taken for usable without
 * opening its sealed half. Both stay the caller's. False if the log cannot be read: the reader's
 * fault says why. */
bool prune_survey_begin(struct log_reader *reader, struct log_keys *keys, uint64_t month,
			struct prune_survey **out);
/* For some 20 ms; *done at the end. */
bool prune_survey_step(struct prune_survey *survey, bool *done);
/* After the end: what would go, at most PRUNE_RANGES_MAX ranges. */
size_t prune_survey_ranges(struct prune_survey *survey, struct prune_range ranges[],
			   struct prune_report *report);
void prune_survey_end(struct prune_survey *survey);

#endif
