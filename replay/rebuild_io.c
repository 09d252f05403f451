#include "replay/rebuild_io.h"

#include <inttypes.h>
#include <stdio.h>

#include "store/read_scan_io.h"

/* Of all pruned ranges together. */
struct gap {
	bool is_there;
	uint64_t first, end, event;
};

static bool
take_range(void *context, const struct log_pruned_row *row)
{
	struct gap *gap = context;

	gap->first = gap->is_there ? gap->first : row->first;
	gap->is_there = true;
	gap->end = row->end;
	gap->event = row->event;
	return true;
}

/* The first entry behind the moment, or the last it keeps. */
static bool
find_seq(struct source *source, const struct moment *moment, uint64_t *seq)
{
	uint64_t size = 0;

	if (!log_reader_size(source->reader, &size)) {
		return false;
	}
	*seq = size;
	return !moment->is_set || source_seek(source, moment, size, seq);
}

/* False if the stream has entries and no snapshot behind the gap is old enough. */
static bool
restore(struct rebuild *rebuild, struct source *source, struct states *states, enum stream stream,
	uint64_t gap_end, uint64_t seq)
{
	struct log_snapshot snapshot;
	bool found = false;

	if (!log_snapshot_before(source->reader, source->keys, stream, seq, &snapshot, &found) ||
	    !found) {
		return false;
	}
	const bool is_restored = snapshot.from_seq >= gap_end &&
				 states_restore(states, stream, snapshot.dump, snapshot.annex);
	if (is_restored) {
		rebuild->from_version[stream] = snapshot.version;
		rebuild->from_seq = snapshot.from_seq < rebuild->from_seq ? snapshot.from_seq
									  : rebuild->from_seq;
	}
	log_snapshot_free(&snapshot);
	return is_restored;
}

struct heads {
	bool has_logged[STREAMS];
};

static bool
visit_head(void *context, uint64_t stream, uint64_t version, uint64_t epoch, uint64_t last_seq)
{
	struct heads *heads = context;

	(void)epoch;
	(void)last_seq;
	if (stream < STREAMS) {
		heads->has_logged[stream] = version > 0;
	}
	return true;
}

static bool
restore_all(struct rebuild *rebuild, struct source *source, struct states *states, uint64_t gap_end,
	    uint64_t seq)
{
	static const enum stream streams[] = { STREAM_SESSION, STREAM_ALLOCATION };
	struct heads heads = { 0 };

	rebuild->from_seq = seq;
	if (!log_read_stream_heads(source->reader, visit_head, &heads)) {
		return false;
	}
	for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
		if (heads.has_logged[streams[i]] &&
		    !restore(rebuild, source, states, streams[i], gap_end, seq)) {
			return false;
		}
	}
	return true;
}

bool
rebuild_begin(struct rebuild *rebuild, struct source *source, struct states *states,
	      const struct moment *first, const struct moment *last, char why[REBUILD_WHY_MAX])
{
	struct gap gap = { 0 };
	uint64_t seq = 0, last_seq = 0;

	*rebuild = (struct rebuild){ 0 };
	if (!log_read_pruned(source->reader, take_range, &gap) || !find_seq(source, first, &seq) ||
	    !find_seq(source, last, &last_seq)) {
		snprintf(why, REBUILD_WHY_MAX, "%s", log_reader_fault(source->reader));
		return false;
	}
	if (!gap.is_there || last_seq < gap.first) {
		return true;
	}
	/* Of a time the entry that was found may lie behind it already. */
	const uint64_t most = first->is_time && seq > 0 ? seq - 1 : seq;
	if (restore_all(rebuild, source, states, gap.end, most)) {
		return true;
	}
	snprintf(why, REBUILD_WHY_MAX,
		 "the state at that moment cannot be rebuilt: entries were pruned (%" PRIu64
		 " and later, as the log_pruned events up to %" PRIu64
		 " say), and no snapshot that is kept is as old: ask for a moment before seq "
		 "%" PRIu64 ", or a later one",
		 gap.first, gap.event, gap.first);
	return false;
}

bool
rebuild_needs(const struct rebuild *rebuild, const struct entry *entry)
{
	return entry->stream >= STREAMS ||
	       entry->stream_version >= rebuild->from_version[entry->stream];
}
