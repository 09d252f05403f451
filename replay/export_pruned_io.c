/* data/pruned.jsonl: the log_pruned events that tell of entries of the range, whole, so that
 * whoever reads `pruned` among the omissions can check it. They stand behind the range, mostly: the
 * tile of level 0 that holds each is in the bundle, too. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/export_state_io.h"
#include "replay/words.h"

void
export_note_pruned(struct export *x, uint64_t event)
{
	size_t at = x->pruned_count;

	while (at > 0 && x->pruned[at - 1] > event) {
		at--;
	}
	if (at > 0 && x->pruned[at - 1] == event) {
		return;
	}
	x->pruned = reallocarray(x->pruned, x->pruned_count + 1, sizeof x->pruned[0]);
	assert(x->pruned != NULL);
	for (size_t i = x->pruned_count++; i > at; i--) {
		x->pruned[i] = x->pruned[i - 1];
	}
	x->pruned[at] = event;
}

static bool
put_event(struct export *x, struct bundle_member *member, uint64_t seq)
{
	struct digest leaf;
	struct log_row row;
	bool found = false;
	char hex[2 * sizeof leaf + 1];
	char head[160];

	if (!log_read_row(x->source->reader, seq, &row, &found) || !found ||
	    seq >= x->newest.checkpoint.size) {
		return export_fails(x,
				    "event %" PRIu64
				    " says that entries of the range were pruned, and the "
				    "checkpoint does not cover it: take a later one",
				    seq);
	}
	char *text = malloc(4 * ((row.entry.count + 2) / 3) + 1);
	assert(text != NULL);
	entry_leaf_hash(row.entry, &leaf);
	hex_write(hex, leaf.bytes, sizeof leaf.bytes);
	words_base64(text, row.entry.at, row.entry.count);
	const int count =
		snprintf(head, sizeof head,
			 "{\"seq\":%" PRIu64 ",\"leaf_hash\":\"%s\",\"entry_b64\":\"", seq, hex);
	bundle_write(member, head, (size_t)count);
	bundle_write(member, text, strlen(text));
	bundle_write(member, "\"}\n", 3);
	free(text);
	return true;
}

bool
export_pruned(struct export *x)
{
	bool ok = true;

	if (x->pruned_count == 0) {
		return true;
	}
	struct bundle_member *member = bundle_begin(x->bundle, "data/pruned.jsonl");
	for (size_t i = 0; i < x->pruned_count && ok; i++) {
		ok = put_event(x, member, x->pruned[i]);
	}
	bundle_end(member);
	return ok;
}
