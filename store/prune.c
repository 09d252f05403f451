#include "store/prune.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "store/seal.h"

uint64_t
prune_month(uint64_t envelope_months, uint64_t now_us)
{
	const uint64_t now = seal_month(now_us);
	const uint64_t count = now / 100 * 12 + now % 100 - 1;

	if (envelope_months == 0 || envelope_months > count ||
	    count < 1970 * 12 + 1 + envelope_months) {
		return 0;
	}
	const uint64_t month = count - 1 - envelope_months;
	return month / 12 * 100 + month % 12 + 1;
}

static const char *const texts[PRUNE_WHYS] = {
	[PRUNE_GOES] = "nothing needs it any more",
	[PRUNE_YOUNG] = "it is not old enough",
	[PRUNE_BEGINNING] = "the log begins with it",
	[PRUNE_NEEDED] = "the actors are rebuilt from it or from what follows",
	[PRUNE_TORN] = "an entry of it is missing or unreadable: see ifreplay verify",
	[PRUNE_GONE] = "it was pruned before",
	[PRUNE_SEALED] =
		"a sealed part is left in it: retention, or the end of a hold, comes first",
	[PRUNE_KEY] = "a key that still lives was created in it",
	[PRUNE_LASTING] =
		"it holds an act that lasts: an erasure, a hold, a pruning, a declared type",
	[PRUNE_END] = "it holds the newest entry or claim of a stream",
	[PRUNE_COSIGNED] =
		"it holds the newest cosignature of a witness, or of ours on another log",
};

const char *
prune_why_text(enum prune_why why)
{
	assert(why < PRUNE_WHYS);
	return texts[why];
}

void
prune_plan_make(struct prune_plan *plan, const struct prune_bounds *bounds)
{
	memset(plan, 0, sizeof *plan);
	plan->bounds = *bounds;
}

void
prune_plan_free(struct prune_plan *plan)
{
	free(plan->going);
	memset(plan, 0, sizeof *plan);
}

/* --- one segment ---------------------------------------------------------------------------------
 */

/* What verify and repair read to tell removed from missing (replay/verify_allow.h), and the pairs
 * that only mean something together: a hold whose release were gone would stand again. */
static bool
is_lasting(uint64_t type)
{
	static const enum event_type lasting[] = {
		EVENT_LOG_CREATED,    EVENT_TYPE_DECLARED,   EVENT_HOLD_PLACED,
		EVENT_HOLD_RELEASED,  EVENT_ERASE_REQUESTED, EVENT_ERASE_REFUSED,
		EVENT_SUBJECT_ERASED, EVENT_PART_ERASED,     EVENT_ERASED,
		EVENT_MONTH_ERASED,   EVENT_KEY_KEPT,        EVENT_LOG_PRUNED,
		EVENT_PARTS_LOST,
	};

	for (size_t i = 0; i < sizeof lasting / sizeof lasting[0]; i++) {
		if (type == (uint64_t)lasting[i]) {
			return true;
		}
	}
	return false;
}

/* Those whose newest one is not kept in mind here are kept all. */
static void
see_cosignature(struct prune_plan *plan, struct prune_segment *segment, enum event_type type,
		const struct text *name)
{
	for (size_t i = 0; i < plan->cosigner_count; i++) {
		struct prune_cosigner *known = &plan->cosigners[i];
		if (known->type == type && known->name.length == name->length &&
		    memcmp(known->name.bytes, name->bytes, name->length) == 0) {
			known->segment = segment->index;
			return;
		}
	}
	if (plan->cosigner_count == PRUNE_COSIGNERS_MAX) {
		segment->has_lasting = true;
		return;
	}
	plan->cosigners[plan->cosigner_count++] =
		(struct prune_cosigner){ type, *name, segment->index };
}

void
prune_see(struct prune_plan *plan, struct prune_segment *segment, const struct entry *entry,
	  const struct event *event)
{
	assert(entry->seq / TILE_HASHES == segment->index);
	segment->entries++;
	segment->last_us =
		entry->recorded_us > segment->last_us ? entry->recorded_us : segment->last_us;
	segment->has_lasting |= is_lasting(entry->type);
	segment->has_end |=
		entry->stream < STREAMS && plan->bounds.ends[entry->stream].last_seq == entry->seq;
	if (event == NULL) {
		return;
	}
	if (event->type == EVENT_STREAM_CLAIMED && event->stream_claimed.stream < STREAMS) {
		const struct prune_end *end = &plan->bounds.ends[event->stream_claimed.stream];
		segment->has_end |= end->epoch == event->stream_claimed.epoch;
	} else if (event->type == EVENT_FOREIGN_CHECKPOINT_COSIGNED) {
		see_cosignature(plan, segment, event->type,
				&event->foreign_checkpoint_cosigned.origin);
	} else if (event->type == EVENT_CHECKPOINT_COSIGNED) {
		see_cosignature(plan, segment, event->type, &event->checkpoint_cosigned.witness);
	}
}

enum prune_why
prune_judge(const struct prune_plan *plan, const struct prune_segment *s)
{
	if (s->is_gone) {
		return PRUNE_GONE;
	}
	if (s->last_us >= plan->bounds.before_us) {
		return PRUNE_YOUNG;
	}
	if (s->index == 0) {
		return PRUNE_BEGINNING;
	}
	if ((s->index + 1) * TILE_HASHES > plan->bounds.needed_from) {
		return PRUNE_NEEDED;
	}
	if (s->entries != TILE_HASHES) {
		return PRUNE_TORN;
	}
	if (s->has_part) {
		return PRUNE_SEALED;
	}
	if (s->has_key) {
		return PRUNE_KEY;
	}
	if (s->has_lasting) {
		return PRUNE_LASTING;
	}
	return s->has_end ? PRUNE_END : PRUNE_GOES;
}

/* --- a round -------------------------------------------------------------------------------------
 */

static void
add_going(struct prune_plan *plan, uint64_t index)
{
	if (plan->count == plan->room) {
		plan->room = plan->room == 0 ? 64 : 2 * plan->room;
		plan->going = reallocarray(plan->going, plan->room, sizeof *plan->going);
		assert(plan->going != NULL);
	}
	plan->going[plan->count++] = index;
}

bool
prune_take(struct prune_plan *plan, const struct prune_segment *segment)
{
	const enum prune_why why = prune_judge(plan, segment);

	plan->stays[why]++;
	if (why == PRUNE_GOES) {
		add_going(plan, segment->index);
	}
	return why != PRUNE_YOUNG && why != PRUNE_NEEDED && plan->count < PRUNE_SEGMENTS_MAX;
}

static bool
has_newest_cosignature(const struct prune_plan *plan, uint64_t index)
{
	for (size_t i = 0; i < plan->cosigner_count; i++) {
		if (plan->cosigners[i].segment == index) {
			return true;
		}
	}
	return false;
}

static void
leave_out_cosigned(struct prune_plan *plan)
{
	size_t kept = 0;

	for (size_t i = 0; i < plan->count; i++) {
		if (has_newest_cosignature(plan, plan->going[i])) {
			plan->stays[PRUNE_COSIGNED]++;
			plan->stays[PRUNE_GOES]--;
		} else {
			plan->going[kept++] = plan->going[i];
		}
	}
	plan->count = kept;
}

size_t
prune_ranges(struct prune_plan *plan, struct prune_range ranges[PRUNE_RANGES_MAX])
{
	size_t count = 0;

	leave_out_cosigned(plan);
	for (size_t i = 0; i < plan->count; i++) {
		const uint64_t first = plan->going[i] * TILE_HASHES;
		if (count > 0 && ranges[count - 1].end == first) {
			ranges[count - 1].end += TILE_HASHES;
		} else if (count < PRUNE_RANGES_MAX) {
			ranges[count++] = (struct prune_range){ first, first + TILE_HASHES };
		} else {
			break;
		}
	}
	return count;
}

struct prune_report
prune_report_of(const struct prune_plan *plan, uint64_t month, const struct prune_range *ranges,
		size_t count)
{
	struct prune_report report = { .month = month, .ranges = count };

	for (size_t i = 0; i < count; i++) {
		report.entries += ranges[i].end - ranges[i].first;
	}
	memcpy(report.stays, plan->stays, sizeof report.stays);
	return report;
}
