#include <inttypes.h>
#include <openssl/sha.h>
#include <stdio.h>

#include "replay/states.h"
#include "replay/verify_pub_io.h"
#include "replay/verify_run_io.h"
#include "store/read_scan_io.h"
#include "store/seal.h"

/* --- tiles, sealed rows, snapshots --- */

bool
verify_fetch_recorded(void *context, unsigned level, uint64_t index, uint32_t count,
		      struct digest *hashes)
{
	struct verify_run *run = context;

	if (!log_fetch_hashes(run->tiles, level, index, count, hashes)) {
		return false;
	}
	if (count == TILE_HASHES && index < (run->published >> (8 * level)) / TILE_HASHES) {
		pub_tile_check(&run->v, run->options->data_dir, level, index, TILE_HASHES, hashes);
	}
	return true;
}

struct tile_walk {
	struct verify_run *run;
	struct verify_tiles at;
};

static bool
visit_tile(void *context, unsigned level, uint64_t index, uint64_t bytes)
{
	struct tile_walk *walk = context;

	verify_tile(&walk->run->v, &walk->at, level, index, bytes);
	return true;
}

/* The rightmost tiles of what is published, which the table has not. */
static void
check_partial_tiles(struct verify_run *run)
{
	struct digest hashes[TILE_HASHES];

	for (unsigned level = 0; level < MERKLE_LEVELS; level++) {
		const uint64_t count = run->published >> (8 * level);
		const uint32_t width = (uint32_t)(count % TILE_HASHES);

		if (width > 0 &&
		    log_fetch_hashes(run->tiles, level, count / TILE_HASHES, width, hashes)) {
			pub_tile_check(&run->v, run->options->data_dir, level, count / TILE_HASHES,
				       width, hashes);
		}
	}
}

static void
check_tiles(struct verify_run *run)
{
	struct tile_walk walk = { .run = run };

	if (!log_read_tile_sizes(run->source->reader, visit_tile, &walk)) {
		verify_unreadable(run, "the tiles cannot all be read", run->source->reader);
		return;
	}
	verify_tiles_end(&run->v, &walk.at);
	check_partial_tiles(run);
	pub_pruned_check(&run->v, run->options->data_dir, run->published);
}

/* The table lets rows go and readers pass: no word of it counts that an event does not say. */
static bool
visit_pruned(void *context, const struct log_pruned_row *row)
{
	struct verify_run *run = context;
	uint64_t first = 0, end = 0, event = 0;
	char where[96];

	if (!log_pruned_at(run->tiles, row->first, &first, &end, &event) || first != row->first) {
		snprintf(where, sizeof where, "table pruned, seq %" PRIu64 " to %" PRIu64,
			 row->first, row->end - 1);
		verify_say(&run->v, "a range is marked as pruned and no event says so", where,
			   "a log_pruned event of that range", "none at the seq that it names");
	}
	return true;
}

static void
check_pruned_table(struct verify_run *run)
{
	if (!log_read_pruned(run->source->reader, visit_pruned, run)) {
		verify_unreadable(run, "what was pruned cannot all be read", run->source->reader);
	}
}

static bool
visit_stray(void *context, uint64_t seq)
{
	struct verify_run *run = context;
	char where[64];

	snprintf(where, sizeof where, "seq %" PRIu64, seq);
	verify_say(&run->v, "a sealed row without an entry", where, "an entry that names it",
		   "none");
	return true;
}

static bool
visit_snapshot(void *context, uint64_t stream, uint64_t version, uint64_t seq, struct span dump,
	       struct span box)
{
	struct verify_run *run = context;
	uint64_t claimed = 0;
	struct digest digest;
	struct digest logged = { { 0 } };
	struct entry entry;
	struct event event;
	struct log_row row;
	bool found = false;
	char where[96];

	SHA256(dump.at, dump.count, digest.bytes);
	snprintf(where, sizeof where, "snapshot of stream %" PRIu64 " version %" PRIu64, stream,
		 version);
	if (!log_read_row(run->tiles, seq, &row, &found) || !found ||
	    !entry_read(row.entry, &entry) || entry_to_event(&entry, NULL, &event) != ENTRY_KNOWN ||
	    entry.stream != stream || !states_claim(&event, &claimed, &logged)) {
		verify_say(&run->v, "a snapshot that the log does not vouch for", where,
			   "a state digest event at the seq that it names", "none");
	} else if (claimed != version) {
		verify_say_numbers(&run->v, "a snapshot stands under another version", where,
				   claimed, version);
	} else if (!digest_equal(&digest, &logged)) {
		verify_say_digests(&run->v, "a snapshot is not the state that was logged", where,
				   &logged, &digest);
	} else if (box.count < SEAL_BOX_EXTRA && allow_is_empty(&run->allow)) {
		verify_say(&run->v, "a snapshot without its sealed annex", where,
			   "the personal half of the state, sealed",
			   "none, and no event says that anything was erased");
	}
	return true;
}

/* --- declared types, keys --- */

static bool
visit_type(void *context, uint64_t number, uint64_t version, uint64_t seq)
{
	verify_declared_type(context, number, version, seq);
	return true;
}

static bool
visit_key(void *context, const struct id *subject, const struct id *key, uint64_t month,
	  uint64_t created_seq)
{
	verify_key(context, subject, key, month, created_seq);
	return true;
}

static void
check_keys(struct verify_run *run)
{
	bool found = false;

	if (!log_read_keys(run->tiles, visit_key, &run->v, &found)) {
		verify_say(&run->v, "the keys cannot all be read", "keys.db",
			   "readable rows to the end", log_reader_fault(run->tiles));
	}
}

static void
check_declared_types(struct verify_run *run)
{
	if (!log_read_declared_types(run->source->reader, visit_type, &run->v)) {
		verify_unreadable(run, "the declared types cannot all be read",
				  run->source->reader);
		return;
	}
	verify_declared_types_end(&run->v);
}

static void
check_hidden(struct verify_run *run)
{
	uint64_t count = 0;

	if (!log_count_hidden(run->source->reader, &count)) {
		verify_unreadable(run, "the entries cannot all be read", run->source->reader);
	} else if (count > 0) {
		verify_say_numbers(&run->v, "rows that no reader comes by", "below seq 0", 0,
				   count);
	}
}

void
verify_check_rest(struct verify_run *run)
{
	check_hidden(run);
	check_tiles(run);
	/* The helpers have named those below. */
	if (!log_read_stray_sealed(run->source->reader, run->summary.size, visit_stray, run)) {
		verify_unreadable(run, "the sealed rows cannot all be read", run->source->reader);
	}
	if (!log_read_snapshots(run->source->reader, visit_snapshot, run)) {
		verify_unreadable(run, "the snapshots cannot all be read", run->source->reader);
	}
	check_pruned_table(run);
	check_declared_types(run);
	check_keys(run);
	anchors_check(&(struct anchors_place){ run->options->data_dir, run->options->policy,
					       run->options->tsa_ca, run->options->checkpoint,
					       run->source->far_reader, run->tiles },
		      &run->v, &run->summary.anchors);
}
