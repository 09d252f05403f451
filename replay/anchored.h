/* Who else has seen a stretch of the log, as its events tell it: for pages and bundles. It is
 * judged by those who read them (verify_anchors.h): here is only said what was logged.
 */
#ifndef IFSWARM_REPLAY_ANCHORED_H
#define IFSWARM_REPLAY_ANCHORED_H

#include "store/checkpoint.h"
#include "store/policy.h"

struct anchored_by {
	char name[ORIGIN_BYTES_MAX + 1];
	uint64_t time_s; /* as the cosignature says */
};

struct anchored {
	uint64_t cosigned_size; /* 0: nobody has cosigned */
	uint32_t count;
	struct anchored_by by[POLICY_WITNESSES_MAX];
	uint64_t stamped_size; /* 0: there is no timestamp */
	uint64_t stamped_us;   /* when it was recorded */
	char authority[TEXT_BYTES_MAX + 1];
};

#endif
