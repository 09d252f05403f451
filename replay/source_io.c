#include "replay/source_io.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/index_io.h"

static void
open_keys(struct source *source)
{
	char fault[512];

	if (log_keys_open(source->reader, NULL, &source->keys, fault, sizeof fault) &&
	    log_keys_open(source->far_reader, NULL, &source->far_keys, fault, sizeof fault)) {
		return;
	}
	fprintf(stderr, "ifreplay: names stay sealed, handles are shown in their place: %s\n",
		fault);
	source_forget_keys(source);
}

void
source_forget_keys(struct source *source)
{
	if (source->keys != NULL) {
		log_keys_close(source->keys);
	}
	if (source->far_keys != NULL) {
		log_keys_close(source->far_keys);
	}
	source->keys = NULL;
	source->far_keys = NULL;
}

static void
say_gap(void *context, uint64_t first, uint64_t end, uint64_t event)
{
	struct source *source = context;

	for (size_t i = 0; i < source->gap_count; i++) {
		if (source->gaps[i] == event) {
			return;
		}
	}
	if (source->gap_count == SOURCE_GAPS_MAX) {
		return;
	}
	source->gaps[source->gap_count++] = event;
	fprintf(stderr,
		"ifreplay: entries %" PRIu64 " to %" PRIu64 " were pruned, as event %" PRIu64
		" says: what they told is not shown%s\n",
		first, end - 1, event,
		source->gap_count == SOURCE_GAPS_MAX ? "; more such ranges are not named" : "");
}

void
source_pass_silently(struct source *source)
{
	log_pass_pruned(source->reader, NULL, NULL);
}

void
source_say_missing(struct source *source, uint64_t seq, char *out, size_t size)
{
	uint64_t first = 0, end = 0, event = 0;

	if (log_pruned_at(source->reader, seq, &first, &end, &event)) {
		snprintf(out, size,
			 "entry %" PRIu64 " was pruned with %" PRIu64 " to %" PRIu64
			 ", as event %" PRIu64 " says",
			 seq, first, end - 1, event);
	} else {
		snprintf(out, size, "entry %" PRIu64 " is missing: run ifreplay verify", seq);
	}
}

bool
source_open(struct source *source, const char *data_dir, char *fault, size_t fault_size)
{
	*source = (struct source){ 0 };
	if (!log_reader_open(data_dir, &source->reader, fault, fault_size)) {
		return false;
	}
	if (!log_reader_open(data_dir, &source->far_reader, fault, fault_size)) {
		log_reader_close(source->reader);
		return false;
	}
	log_pass_pruned(source->reader, say_gap, source);
	log_pass_pruned(source->far_reader, NULL, NULL);
	open_keys(source);
	names_make(&source->names);
	idmap_make(&source->nameless, NAMES_MAX);
	source->searched = calloc(NAMES_MAX, sizeof source->searched[0]);
	assert(source->searched != NULL);
	return true;
}

void
source_close(struct source *source)
{
	log_index_close(source->index);
	source_forget_keys(source);
	log_reader_close(source->far_reader);
	log_reader_close(source->reader);
	names_free(&source->names);
	idmap_free(&source->nameless);
	free(source->searched);
}

void
source_forget_names(struct source *source)
{
	names_free(&source->names);
	names_make(&source->names);
	idmap_free(&source->nameless);
	idmap_make(&source->nameless, NAMES_MAX);
	source->names_from = 0;
	source->is_by_index = false;
}

struct search {
	struct source *source;
	const struct id *handle;
};

static bool
search_event(void *context, const struct event *event, const struct entry *entry)
{
	struct search *search = context;
	struct source *source = search->source;

	source->names_from = entry->seq;
	if (event != NULL) {
		names_learn(&source->names, event);
	}
	return names_find(&source->names, search->handle) == NULL;
}

/* Backwards, down to `first`; every name on that way is kept. */
static const struct name *
look_back(struct source *source, const struct id *handle, uint64_t first)
{
	struct search search = { source, handle };

	if (source->names_from <= first) {
		return NULL;
	}
	log_read_events_back(source->far_reader, source->far_keys, first, source->names_from,
			     LOG_STREAM(STREAM_SESSION) | LOG_STREAM(STREAM_ALLOCATION),
			     search_event, &search);
	const struct name *known = names_find(&source->names, handle);
	if (known == NULL) {
		source->names_from = first;
	}
	return known;
}

/* What the walk has passed by and not read is looked up; what was looked through before is not
 * looked through again. */
static const struct name *
look_up(struct source *source, const struct id *handle)
{
	const uint64_t end = source->is_by_index ? source->position + 1 : source->names_from;
	const uint32_t *place = idmap_find(&source->nameless, handle);
	const uint64_t from = place != NULL ? source->searched[*place] : 0;

	if (from >= end || index_find_name(source, handle, from, end)) {
		return names_find(&source->names, handle);
	}
	if (place != NULL || idmap_put(&source->nameless, handle, source->nameless.count)) {
		source->searched[*idmap_find(&source->nameless, handle)] = end;
	}
	return NULL;
}

const struct name *
source_name_of(void *context, const struct id *handle)
{
	struct source *source = context;
	const struct name *known = names_find(&source->names, handle);

	if (known != NULL || source->keys == NULL ||
	    (source->names_from == 0 && !source->is_by_index)) {
		return known;
	}
	if (source_index(source, false) == NULL) {
		return look_back(source, handle, 0);
	}
	known = look_back(source, handle, log_index_covered(source->index));
	return known != NULL ? known : look_up(source, handle);
}

void
source_names_from(struct source *source, uint64_t seq)
{
	source->names_from = seq;
}

/* The row at that seq, or the first behind what was pruned there. */
static bool
read_at_or_behind(struct source *source, uint64_t *seq, struct log_row *row, bool *found)
{
	uint64_t first = 0, end = 0, event = 0;

	while (log_read_row(source->reader, *seq, row, found)) {
		if (*found || !log_pruned_at(source->reader, *seq, &first, &end, &event)) {
			return true;
		}
		*seq = end;
	}
	return false;
}

bool
source_time(struct source *source, uint64_t seq, uint64_t *us)
{
	struct log_row row;
	bool found = false;

	if (!read_at_or_behind(source, &seq, &row, &found)) {
		return false;
	}
	*us = found ? row.recorded_us : 0;
	return true;
}

/* recorded_us never decreases, so halving finds the place. */
bool
source_seek(struct source *source, const struct moment *moment, uint64_t size, uint64_t *seq)
{
	uint64_t low = 0;
	uint64_t high = size;

	if (!moment->is_time) {
		*seq = moment->value;
		return true;
	}
	while (low < high) {
		const uint64_t middle = low + (high - low) / 2;
		uint64_t at = middle;
		struct log_row row;
		bool found = false;

		if (!read_at_or_behind(source, &at, &row, &found)) {
			return false;
		}
		if (found && row.recorded_us < moment->value) {
			low = at + 1;
		} else {
			high = middle;
		}
	}
	*seq = low;
	return true;
}

int
source_failed(const struct source *source)
{
	fprintf(stderr, "ifreplay: %s\n", log_reader_fault(source->reader));
	return 1;
}

struct telling
source_telling(struct source *source, const struct event *event, const struct entry *entry)
{
	return (struct telling){
		.entry = entry,
		.event = event,
		.name_of = source_name_of,
		.names = source,
		.part = { PART_UNKNOWN, PART_UNKNOWN },
	};
}
