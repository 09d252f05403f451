/* Paging: a part of a long answer, and where the next part begins. The cursor is the seq of the
 * last row shown: events are never inserted before it, so the parts of an answer never overlap and
 * leave nothing out, whatever is recorded between two questions.
 *
 *   --limit N             the last N
 *   --page N              the first N; then "more: --after SEQ" if there are more
 *   --page N --after SEQ  the next N
 */
#ifndef IFSWARM_REPLAY_PAGE_H
#define IFSWARM_REPLAY_PAGE_H

#include "replay/options.h"

struct page {
	bool is_forward; /* the first ones after the cursor; else the last ones */
	bool has_after;
	uint64_t after;
	uint64_t room; /* how many rows; 0: all */
	uint64_t shown;
	uint64_t last; /* seq of the row that was shown last */
	bool has_more; /* set when a row did not fit */
};

enum page_says {
	PAGE_BEFORE, /* on an earlier page */
	PAGE_SHOWS,
	PAGE_IS_FULL, /* nothing after it will fit either */
};

struct page page_of(const struct options *options);
/* The next row, in the order of seqs. With --limit the caller leaves out all but the last. */
enum page_says page_turn(struct page *page, uint64_t seq);

#endif
