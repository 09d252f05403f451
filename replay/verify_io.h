/* The worldly half of verify: feeds the checker (verify.h) from the files, and replays the states.
 */
#ifndef IFSWARM_REPLAY_VERIFY_IO_H
#define IFSWARM_REPLAY_VERIFY_IO_H

#include "replay/guard_io.h"
#include "replay/options.h"
#include "replay/source_io.h"
#include "replay/verify_anchors_io.h"
#include "replay/verify_rows_io.h"

/* What was looked at, beside the findings. */
struct verify_summary {
	uint64_t size;
	uint64_t full_tiles;
	uint64_t checkpoints;
	uint64_t sealed_present;
	uint64_t sealed_opened;
	uint64_t sealed_erased; /* parts that are lawfully gone */
	uint64_t sealed_lost;   /* parts that a restore could not bring back, as an event says */
	uint64_t pruned;        /* entries that are lawfully gone */
	uint64_t going;         /* entries that are to go with a pruning under way */
	bool is_overfull;       /* so much was erased that missing parts were not judged */
	uint64_t signed_size;
	uint64_t digests; /* state digests that the replay reproduced */
	uint64_t first_us, last_us;
	uint64_t findings;
	bool has_keys;
	bool has_head;
	bool has_published;
	struct anchors_summary anchors; /* what others said of it */
};

/* Checks everything; each break goes to `report` as it is found. */
struct verify_summary verify_log(const struct options *options, struct source *source,
				 verify_report *report, void *context);

/* The replay of the states, part of verify_log, in a process of its own: a log that was tampered
 * with may contradict what apply asserts. It runs beside the rest, over the rows that are looked at
 * there. */
void states_start_beside(struct guard_child *child, struct verify_rows *rows, struct verify *v);
/* By itself, from a seq above 0 because what lies before it is pruned: from the newest snapshots.
 */
struct guard_child states_start(const char *data_dir, uint64_t from_seq);
void states_drop(struct guard_child *child);
void states_end(struct guard_child *child, struct verify *v, struct verify_summary *summary);

#endif
