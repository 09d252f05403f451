/* Between the files that look for what others said: verify_anchors_io.c (witnesses),
 * verify_stamps_io.c (authorities). */
#ifndef IFSWARM_REPLAY_VERIFY_ANCHORS_STATE_IO_H
#define IFSWARM_REPLAY_VERIFY_ANCHORS_STATE_IO_H

#include "replay/verify_anchors_io.h"

enum { ANCHOR_WHERE_MAX = 512, COSIGNED_LINES_MAX = 128 };

/* The lines of pub/cosigned, each of which an event must have brought. */
struct cosigned_file {
	char note[CHECKPOINT_NOTE_MAX];
	struct span bytes; /* count 0: there is no such file */
	uint64_t size;
	uint32_t count;
	struct span lines[COSIGNED_LINES_MAX];
	bool is_logged[COSIGNED_LINES_MAX];
};

/* The tokens that events name for one size: pub/timestamp/ holds the last one that came. */
struct stamps {
	uint64_t size;
	bool is_matched, is_there;
	uint64_t seq; /* of the last event that did not match */
	struct digest expected, found;
	struct anchor_tree tree;
};

struct anchors_check {
	const struct anchors_place *place;
	const struct witnesses *witnesses;
	struct verify *v;
	struct anchors_summary *out;
	struct anchor_judge judge;
	struct anchor_quorum quorum;
	struct anchor_tree tree; /* of the size that was asked for last */
	struct cosigned_file cosigned;
	struct stamps stamps;
	uint64_t *stamped; /* sizes that events name, in order */
	size_t stamped_count;
	uint8_t token[TIMESTAMP_RESPONSE_MAX];
};

/* The tree as the log gives it at that size; false, and said, if it never had so many entries. */
bool anchors_find_tree(struct anchors_check *check, const char *where, uint64_t size);

/* An event that names a token; after the last one, the tokens that no event names. */
void stamps_see(struct anchors_check *check, const struct event_checkpoint_timestamped *event,
		const struct entry *entry);
void stamps_end(struct anchors_check *check);

#endif
