#include "store/prune_survey_io.h"

#include <assert.h>
#include <stdlib.h>

#include "protocol/time_io.h"
#include "store/read_scan_io.h"
#include "store/retain.h"

enum { READ_US = 20 * 1000 };

struct prune_survey {
	struct log_reader *reader;
	struct log_keys *keys;
	uint64_t month;
	struct prune_plan plan;
	struct prune_segment segment; /* that is looked at */
	uint64_t next;                /* the next segment to look at */
	uint64_t segments;            /* whole ones in the log */
	uint64_t *created;            /* seqs at which living keys were created, in order */
	size_t created_count, created_room;
	struct event event;
};

/* --- what keeps segments -------------------------------------------------------------------------
 */

static bool
visit_head(void *context, uint64_t stream, uint64_t version, uint64_t epoch, uint64_t last_seq)
{
	struct prune_bounds *bounds = context;

	if (stream < STREAMS) {
		bounds->ends[stream] =
			(struct prune_end){ version > 0 ? last_seq : UINT64_MAX, epoch };
	}
	return true;
}

/* An actor that has logged anything and has no snapshot is rebuilt from the beginning. */
static bool
bound_by_snapshots(struct prune_survey *survey, struct prune_bounds *bounds)
{
	static const enum stream streams[] = { STREAM_SESSION, STREAM_ALLOCATION };

	bounds->needed_from = UINT64_MAX;
	for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
		uint64_t from_seq = 0;
		bool found = false;

		if (bounds->ends[streams[i]].last_seq == UINT64_MAX) {
			continue;
		}
		if (!log_snapshots_need(survey->reader, survey->keys, streams[i], &from_seq,
					&found)) {
			return false;
		}
		from_seq = found ? from_seq : 0;
		bounds->needed_from =
			from_seq < bounds->needed_from ? from_seq : bounds->needed_from;
	}
	return true;
}

static bool
visit_key(void *context, const struct id *subject, const struct id *key, uint64_t month,
	  uint64_t created_seq)
{
	struct prune_survey *survey = context;

	(void)subject;
	(void)key;
	(void)month;
	if (survey->created_count == survey->created_room) {
		survey->created_room = survey->created_room == 0 ? 256 : 2 * survey->created_room;
		survey->created = reallocarray(survey->created, survey->created_room,
					       sizeof survey->created[0]);
		assert(survey->created != NULL);
	}
	survey->created[survey->created_count++] = created_seq;
	return true;
}

static int
compare(const void *a, const void *b)
{
	const uint64_t *one = a, *other = b;

	return (*one > *other) - (*one < *other);
}

static bool
has_key(const struct prune_survey *survey, uint64_t index)
{
	size_t low = 0, high = survey->created_count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (survey->created[middle] < index * TILE_HASHES) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low < survey->created_count && survey->created[low] / TILE_HASHES == index;
}

static bool
begin(struct prune_survey *survey)
{
	struct prune_bounds bounds = { .before_us = retain_month_end_us(survey->month) };
	uint64_t size = 0;
	bool has_keys = false;

	for (size_t i = 0; i < STREAMS; i++) {
		bounds.ends[i] = (struct prune_end){ UINT64_MAX, 0 };
	}
	if (!log_reader_size(survey->reader, &size) ||
	    !log_read_stream_heads(survey->reader, visit_head, &bounds) ||
	    !bound_by_snapshots(survey, &bounds) ||
	    !log_read_keys(survey->reader, visit_key, survey, &has_keys)) {
		return false;
	}
	if (survey->created_count > 0) {
		qsort(survey->created, survey->created_count, sizeof survey->created[0], compare);
	}
	survey->segments = size / TILE_HASHES;
	prune_plan_make(&survey->plan, &bounds);
	return true;
}

bool
prune_survey_begin(struct log_reader *reader, struct log_keys *keys, uint64_t month,
		   struct prune_survey **out)
{
	struct prune_survey *survey = calloc(1, sizeof *survey);

	assert(survey != NULL);
	assert(month > 0);
	survey->reader = reader;
	survey->keys = keys;
	survey->month = month;
	if (!begin(survey)) {
		prune_survey_end(survey);
		return false;
	}
	*out = survey;
	return true;
}

/* --- segment by segment --------------------------------------------------------------------------
 */

/* What cannot be read keeps its segment: one entry is missing from the count then. */
static bool
see_row(void *context, const struct log_row *row)
{
	struct prune_survey *survey = context;
	struct entry entry;

	survey->segment.last_us = row->recorded_us > survey->segment.last_us
					  ? row->recorded_us
					  : survey->segment.last_us;
	for (unsigned part = 0; part < SEALED_PARTS_MAX; part++) {
		survey->segment.has_part |= row->body[part].count + row->salt[part].count > 0;
	}
	if (entry_read(row->entry, &entry) && entry.seq == row->seq) {
		const bool is_known = entry_to_event(&entry, NULL, &survey->event) == ENTRY_KNOWN;
		prune_see(&survey->plan, &survey->segment, &entry,
			  is_known ? &survey->event : NULL);
	}
	return true;
}

/* False if the log cannot be read; *goes_on false if no later segment can go. */
static bool
look_at_next(struct prune_survey *survey, bool *goes_on)
{
	const uint64_t first = survey->next * TILE_HASHES;
	uint64_t pruned_first = 0, pruned_end = 0, event = 0;

	survey->segment = (struct prune_segment){ .index = survey->next };
	if (log_pruned_at(survey->reader, first, &pruned_first, &pruned_end, &event)) {
		survey->segment.is_gone = true;
		survey->next = pruned_end / TILE_HASHES;
		*goes_on = prune_take(&survey->plan, &survey->segment);
		survey->plan.stays[PRUNE_GONE] += (pruned_end - first) / TILE_HASHES - 1;
		return true;
	}
	survey->segment.has_key = has_key(survey, survey->next);
	if (!log_read_rows(survey->reader, first, first + TILE_HASHES, see_row, survey)) {
		return false;
	}
	survey->next++;
	*goes_on = prune_take(&survey->plan, &survey->segment);
	return true;
}

bool
prune_survey_step(struct prune_survey *survey, bool *done)
{
	const uint64_t until_us = time_monotonic_us() + READ_US;
	bool goes_on = survey->next < survey->segments;

	while (goes_on && time_monotonic_us() < until_us) {
		if (!look_at_next(survey, &goes_on)) {
			return false;
		}
		goes_on = goes_on && survey->next < survey->segments;
	}
	*done = !goes_on;
	return true;
}

size_t
prune_survey_ranges(struct prune_survey *survey, struct prune_range ranges[],
		    struct prune_report *report)
{
	const size_t count = prune_ranges(&survey->plan, ranges);

	*report = prune_report_of(&survey->plan, survey->month, ranges, count);
	return count;
}

void
prune_survey_end(struct prune_survey *survey)
{
	if (survey != NULL) {
		prune_plan_free(&survey->plan);
		free(survey->created);
		free(survey);
	}
}
