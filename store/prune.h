/* Pruning: which whole segments of the log may go, and what keeps the others. A segment is the 256
 * entries under one full tile of level 0; the tile itself stays, and with it every proof that was
 * ever given. Segments are old when the calendar month (UTC) of their last entry ended so many
 * months ago.
 *
 * A segment stays, however old it is, while somebody still needs one of its entries:
 *
 *   the beginning      segment 0; later type_declared events
 *   a snapshot         what session and allocation are rebuilt from: nothing from the older of an
 *                      actor's newest two snapshots on may go
 *   a sealed part      personal data goes first (store/retain.h); what a hold keeps, stays
 *   a living key       its commitment stands in key_created
 *   a lasting act      erasures, retentions, holds, prunings, lost parts: `verify` tells by them
 *                      what is lawfully gone, whatever comes later
 *   a stream's end     its newest entry, and the claim of its living epoch
 *   a cosignature      ours on a log: the newest, or we might cosign a smaller one after it; those
 * of each witness on this log: the newest, which pub/cosigned is judged by
 */
#ifndef IFSWARM_STORE_PRUNE_H
#define IFSWARM_STORE_PRUNE_H

#include "store/entry.h"
#include "store/merkle.h"

/* The newest month (202611) that ended at least so many whole months before the month of now_us; 0
 * if there is none, or envelope_months is 0: then everything is kept. */
uint64_t prune_month(uint64_t envelope_months, uint64_t now_us);

enum prune_why {
	PRUNE_GOES,
	PRUNE_YOUNG,
	PRUNE_BEGINNING,
	PRUNE_NEEDED,
	PRUNE_TORN, /* an entry is missing or unreadable: that is for `verify` to name */
	PRUNE_GONE, /* pruned before */
	PRUNE_SEALED,
	PRUNE_KEY,
	PRUNE_LASTING,
	PRUNE_END,
	PRUNE_COSIGNED,
	PRUNE_WHYS
};
/* "a sealed part is left in it", for people. */
const char *prune_why_text(enum prune_why why);

/* What holds for all segments of a round. */
struct prune_bounds {
	uint64_t before_us;   /* entries recorded before it are old */
	uint64_t needed_from; /* of the snapshots: entries from that seq on are needed */
	struct prune_end {
		uint64_t last_seq; /* of the stream's newest entry; UINT64_MAX: it has none */
		uint64_t epoch;
	} ends[STREAMS];
};

/* What one segment holds, gathered entry by entry. */
struct prune_segment {
	uint64_t index;
	uint64_t entries;
	uint64_t last_us;
	bool is_gone;
	bool has_part;    /* a sealed row lies beside one of them */
	bool has_key;     /* keys.db has a key that was created in it */
	bool has_lasting; /* types and epochs, by prune_see */
	bool has_end;
};

enum { PRUNE_COSIGNERS_MAX = 64, PRUNE_SEGMENTS_MAX = 1 << 16, PRUNE_RANGES_MAX = 256 };

/* One round: segments are judged in order of their index. */
struct prune_plan {
	struct prune_bounds bounds;
	uint64_t *going; /* indexes of the segments that go */
	size_t count, room;
	uint64_t stays[PRUNE_WHYS]; /* old segments by what keeps them */
	/* The newest segment so far with a cosignature of each witness, or of ours on each log. */
	struct prune_cosigner {
		enum event_type type;
		struct text name;
		uint64_t segment;
	} cosigners[PRUNE_COSIGNERS_MAX];
	size_t cosigner_count;
};

void prune_plan_make(struct prune_plan *plan, const struct prune_bounds *bounds);
void prune_plan_free(struct prune_plan *plan);

/* Adds one entry to what is known of its segment; `event` NULL: of a type this program does not
 * know. */
void prune_see(struct prune_plan *plan, struct prune_segment *segment, const struct entry *entry,
	       const struct event *event);
/* Whether it goes, all its entries seen. The first reason that applies, in the order of the enum.
 */
enum prune_why prune_judge(const struct prune_plan *plan, const struct prune_segment *segment);
/* Judges it and keeps the answer. False once later segments need not be looked at: they are young,
 * or needed, or there are enough for one round. */
bool prune_take(struct prune_plan *plan, const struct prune_segment *segment);

/* first <= seq < end, both multiples of TILE_HASHES. */
struct prune_range {
	uint64_t first, end;
};
/* The segments that go, after the last one: those that hold somebody's newest cosignature are left
 * out. At most PRUNE_RANGES_MAX, the oldest first; the next round takes the rest. */
size_t prune_ranges(struct prune_plan *plan, struct prune_range ranges[PRUNE_RANGES_MAX]);

struct prune_report {
	uint64_t month;   /* 0: nothing is old */
	uint64_t ranges;  /* said, or (a survey) that would be */
	uint64_t entries; /* in them */
	uint64_t stays[PRUNE_WHYS];
};
struct prune_report prune_report_of(const struct prune_plan *plan, uint64_t month,
				    const struct prune_range *ranges, size_t count);

#endif
