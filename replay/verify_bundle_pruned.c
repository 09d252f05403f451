/* data/pruned.jsonl of a bundle: log_pruned events, each an entry of the signed tree, by which the
 * omissions that are called pruned are judged. */
#include "replay/verify_bundle.h"

#include <inttypes.h>
#include <stdio.h>

static bool
is_in_tree(struct bundle *b, const struct bundle_row *row)
{
	const uint64_t tile = row->seq / TILE_HASHES;
	const uint32_t place = (uint32_t)(row->seq % TILE_HASHES);
	struct digest hashes[TILE_HASHES];
	struct digest leaf;

	entry_leaf_hash(row->bytes, &leaf);
	return row->seq < b->manifest.size && digest_equal(&leaf, &row->leaf) &&
	       bundle_check_tile(b, 0, tile) && bundle_fetch(b, 0, tile, place + 1, hashes) &&
	       digest_equal(&hashes[place], &leaf);
}

static bool
read_pruned(const struct bundle_row *row, struct bundle_pruned *out)
{
	struct event event;

	if (row->entry.seq != row->seq ||
	    entry_to_event(&row->entry, NULL, &event) != ENTRY_KNOWN ||
	    event.type != EVENT_LOG_PRUNED || event.log_pruned.end > row->seq) {
		return false;
	}
	*out = (struct bundle_pruned){ row->seq, event.log_pruned.first, event.log_pruned.end };
	return true;
}

void
bundle_check_pruned(struct bundle *b)
{
	uint8_t memory[ENTRY_BYTES_MAX];
	struct bundle_lines lines;
	struct bundle_pruned pruned;
	struct bundle_row row;
	struct span line;
	char where[64];

	bundle_lines_open(&lines, b->files, "data/pruned.jsonl");
	while (bundle_lines_next(&lines, &line)) {
		snprintf(where, sizeof where, "data/pruned.jsonl line %" PRIu64, lines.number);
		if (b->pruned_count == BUNDLE_PRUNED_MAX || !bundle_row_read(line, memory, &row) ||
		    !read_pruned(&row, &pruned)) {
			bundle_say(b, "a line cannot be read", where,
				   "a log_pruned as docs/bundle.md says", "something else");
		} else if (!is_in_tree(b, &row)) {
			bundle_say(b, "an entry is not the one in the tree", where,
				   "the leaf under the signed root", "another");
		} else {
			b->pruned[b->pruned_count++] = pruned;
		}
	}
	if (lines.is_broken) {
		bundle_say(b, "a file cannot be read to its end", "data/pruned.jsonl",
			   "lines that end in newlines", "a line that does not, or is too long");
	}
	bundle_lines_close(&lines);
}

bool
bundle_is_pruned(const struct bundle *b, uint64_t event, uint64_t seq)
{
	for (size_t i = 0; i < b->pruned_count; i++) {
		const struct bundle_pruned *pruned = &b->pruned[i];
		if (pruned->event == event && pruned->first <= seq && seq < pruned->end) {
			return true;
		}
	}
	return false;
}
