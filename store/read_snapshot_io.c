/* Snapshots that the log vouches for. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "store/reader_state_io.h"
#include "store/sha256.h"

struct search {
	struct log_reader *reader;
	struct log_keys *keys;
	uint64_t stream;
	struct log_snapshot *out;
	bool found;
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

/* Backwards from the digest's event: the state is as of `version`, and events may lie between. */
static bool
find_start(struct search *search, uint64_t version, uint64_t seq, uint64_t *from_seq)
{
	struct entry header;
	struct event event;

	*from_seq = seq;
	for (uint64_t at = seq; at-- > 0;) {
		if (lookup_event(&search->reader->lookup, at, &header, &event) == ENTRY_BROKEN) {
			return false;
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
	struct log_snapshot *out = search->out;
	struct seal_annex_place place = { .stream = stream, .version = version };

	sha256_span(dump, &place.dump);
	if (stream != search->stream || !is_vouched_for(search, version, seq, &place.dump) ||
	    !find_start(search, version, seq, &out->from_seq)) {
		return true;
	}
	uint8_t *memory = malloc(dump.count + box.count + 1);
	assert(memory != NULL);
	if (!open_annex(search, &place, box, memory + dump.count, &out->annex)) {
		free(memory);
		return true;
	}
	if (dump.count > 0) {
		memcpy(memory, dump.at, dump.count);
	}
	out->memory = memory;
	out->dump = (struct span){ memory, dump.count };
	out->version = version;
	out->seq = seq;
	search->found = true;
	return false;
}

bool
log_snapshot_latest(struct log_reader *reader, struct log_keys *keys, uint64_t stream,
		    struct log_snapshot *out, bool *found)
{
	struct search search = { .reader = reader, .keys = keys, .stream = stream, .out = out };

	memset(out, 0, sizeof *out);
	const bool ok = log_read_snapshots(reader, try_snapshot, &search);
	*found = search.found;
	return ok;
}

void
log_snapshot_free(struct log_snapshot *snapshot)
{
	free(snapshot->memory);
	memset(snapshot, 0, sizeof *snapshot);
}
