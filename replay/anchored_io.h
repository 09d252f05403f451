/* Which anchors speak for a checkpoint (docs/bundle.md, anchors/): of the first cosigned
 * checkpoints that cover it the one with most lines; the oldest timestamped one that covers it; the
 * newest ones there are, if none does yet.
 */
#ifndef IFSWARM_REPLAY_ANCHORED_IO_H
#define IFSWARM_REPLAY_ANCHORED_IO_H

#include "replay/anchored.h"
#include "store/cosignature.h"
#include "store/read_io.h"

struct anchored_choice {
	uint64_t size; /* cosigned; 0: none */
	uint32_t count;
	char lines[POLICY_WITNESSES_MAX]
		  [COSIGNATURE_LINE_MAX]; /* each once, as they came; without newlines */
	uint64_t stamped;                 /* its size; 0: none */
	uint64_t stamped_us;
	struct digest token;
	struct text authority;
};

/* For the checkpoint of that size. False if the events cannot be read: log_reader_fault. */
bool anchored_choose(struct log_reader *reader, uint64_t cover, struct anchored_choice *out);
/* The same for people. */
void anchored_tell(const struct anchored_choice *choice, struct anchored *out);

#endif
