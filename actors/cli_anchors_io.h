/* `ifswarm status`: what the anchor says of those who see our checkpoints. */
#ifndef IFSWARM_ACTORS_CLI_ANCHORS_IO_H
#define IFSWARM_ACTORS_CLI_ANCHORS_IO_H

#include <jansson.h>

#include "actors/anchor.h"
#include "protocol/mp.h"

struct anchors_status {
	bool is_there;  /* an anchor runs, and answered */
	uint64_t round; /* the size that is being shown; 0: none yet */
	uint64_t age_s; /* of that round */
	size_t count;
	struct anchor_line {
		char name[POLICY_NAME_MAX + 1];
		bool is_authority;
		uint64_t size;     /* seen last, since the anchor's start; 0: nothing */
		uint64_t failures; /* in a row */
		char why[ANCHOR_WHY_MAX];
	} lines[ANCHOR_TARGETS_MAX];
};

/* The reply to REQUEST_ANCHORS, behind its verdict. */
void anchors_status_read(struct mp_reader *r, struct anchors_status *out);

/* `log_size`: what a lag is counted from. null if no anchor runs. */
json_t *anchors_status_json(const struct anchors_status *status, uint64_t log_size);
void anchors_status_print(const struct anchors_status *status, uint64_t log_size);

#endif
