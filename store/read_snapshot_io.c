/* Snapshots that the log vouches for. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "store/pruned_io.h"
#include "store/reader_state_io.h"
#include "store/sha256.h"

struct search {
	struct log_reader *reader;
	struct log_keys *keys;
	uint64_t stream;
	uint64_t most;   /* the last seq that its event may have */
	unsigned wanted; /* the first usable one, or the second if there is one */
	struct log_snapshot *out;
	unsigned found;
};

static bool
is_vouched_for(struct search *search, uint64_t version, uint64_t seq, const struct digest *digest)
{
	struct entry header;
	struct event event;

	if (lookup_event(&search->reader->lookup, seq, &header, &event) != ENTRY_KNOWN ||
	    header.stream != search->stream) {
		return false;
	}
	if (event.type == EVENT_SESSION_STATE_DIGEST) {
		return event.session_state_digest.version == version &&
		       digest_equal(&event.session_state_digest.digest, digest);
	}
	return event.type == EVENT_ALLOCATION_STATE_DIGEST &&
	       event.allocation_state_digest.version == version &&
	       digest_equal(&event.allocation_state_digest.digest, digest);
}

/* Backwards from the digest's event: the state is as of `version`, and events may lie between. What
 * was pruned holds none of them (store/prune.h). */
static bool
find_start(struct search *search, uint64_t version, uint64_t seq, uint64_t *from_seq)
{
	struct lookup *lookup = &search->reader->lookup;
	struct pruned_range range;
	struct entry header;
	struct event event;

	*from_seq = seq;
	for (uint64_t at = seq; at-- > 0;) {
		if (lookup_event(lookup, at, &header, &event) == ENTRY_BROKEN) {
			return pruned_find(lookup, at, &range);
		}
		if (header.stream == search->stream && header.stream_version < version) {
			return true;
		}
		if (header.stream == search->stream) {
			*from_seq = at;
		}
	}
	return true;
}

static bool
open_annex(struct search *search, const struct seal_annex_place *place, struct span box,
	   uint8_t *memory, struct span *annex)
{
	*annex = (struct span){ memory, 0 };
	return search->keys == NULL ||
	       seal_annex_open(search->keys->sealer, keys_wrap_key(search->keys->keys), place, box,
			       memory, &annex->count);
}

static bool
try_snapshot(void *context, uint64_t stream, uint64_t version, uint64_t seq, struct span dump,
	     struct span box)
{
	struct search *search = context;
	struct log_snapshot found = { .version = version, .seq = seq };
	struct seal_annex_place place = { .stream = stream, .version = version };

	sha256_span(dump, &place.dump);
	if (stream != search->stream || seq > search->most ||
	    !is_vouched_for(search, version, seq, &place.dump) ||
	    !find_start(search, version, seq, &found.from_seq)) {
		return true;
	}
	found.memory = malloc(dump.count + box.count + 1);
	assert(found.memory != NULL);
	if (!open_annex(search, &place, box, found.memory + dump.count, &found.annex)) {
		free(found.memory);
		return true;
	}
	if (dump.count > 0) {
		memcpy(found.memory, dump.at, dump.count);
	}
	found.dump = (struct span){ found.memory, dump.count };
	log_snapshot_free(search->out);
	*search->out = found;
	return ++search->found < search->wanted;
}

bool
log_snapshot_latest(struct log_reader *reader, struct log_keys *keys, uint64_t stream,
		    struct log_snapshot *out, bool *found)
{
	return log_snapshot_before(reader, keys, stream, UINT64_MAX, out, found);
}

bool
log_snapshot_before(struct log_reader *reader, struct log_keys *keys, uint64_t stream, uint64_t seq,
		    struct log_snapshot *out, bool *found)
{
	struct search search = { .reader = reader,
				 .keys = keys,
				 .stream = stream,
				 .most = seq,
				 .wanted = 1,
				 .out = out };

	memset(out, 0, sizeof *out);
	const bool ok = log_read_snapshots(reader, try_snapshot, &search);
	*found = search.found > 0;
	return ok;
}

bool
log_snapshots_need(struct log_reader *reader, struct log_keys *keys, uint64_t stream,
		   uint64_t *from_seq, bool *found)
{
	struct log_snapshot older = { 0 };
	struct search search = { .reader = reader,
				 .keys = keys,
				 .stream = stream,
				 .most = UINT64_MAX,
				 .wanted = 2,
				 .out = &older };
	const bool ok = log_read_snapshots(reader, try_snapshot, &search);

	*from_seq = older.from_seq;
	*found = search.found > 0;
	log_snapshot_free(&older);
	return ok;
}

void
log_snapshot_free(struct log_snapshot *snapshot)
{
	free(snapshot->memory);
	memset(snapshot, 0, sizeof *snapshot);
}
