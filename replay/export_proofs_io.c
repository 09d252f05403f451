/* Tiles and proofs of a bundle: docs/bundle.md, log/ and proofs/. */
#include "replay/export_state_io.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/tlog_proof.h"

static bool
unreadable(struct export *x)
{
	return export_fails(x, "its tiles cannot be read: run ifreplay verify");
}

/* --- log/ ---------------------------------------------------------------------------------------
 */

static bool
put_tile(struct export *x, unsigned level, uint64_t index, uint32_t width)
{
	char path[MERKLE_PATH_MAX];
	char name[MERKLE_PATH_MAX + 8];
	struct digest hashes[TILE_HASHES];

	if (!log_fetch_hashes(x->source->reader, level, index, width, hashes)) {
		return unreadable(x);
	}
	merkle_tile_path(path, (int)level, index, width);
	snprintf(name, sizeof name, "log/%s", path);
	bundle_put(x->bundle, name, hashes, width * sizeof hashes[0]);
	return true;
}

/* Level 0: what holds the range or an event that says what of it was pruned, and the rightmost if
 * it is partial. Above: all. */
static bool
put_level(struct export *x, unsigned level)
{
	const uint64_t count = x->newest.checkpoint.size >> 8 * level;
	const uint64_t tiles = (count + TILE_HASHES - 1) / TILE_HASHES;
	const uint64_t from = level > 0 ? 0 : x->words.from / TILE_HASHES;
	const uint64_t end = level > 0 ? tiles : (x->words.end - 1) / TILE_HASHES + 1;
	bool ok = true;

	for (uint64_t index = from; index < end && ok; index++) {
		const uint64_t left = count - index * TILE_HASHES;
		ok = put_tile(x, level, index, left < TILE_HASHES ? (uint32_t)left : TILE_HASHES);
	}
	if (ok && end < tiles && count % TILE_HASHES != 0) {
		ok = put_tile(x, level, tiles - 1, (uint32_t)(count % TILE_HASHES));
	}
	return ok;
}

/* Of level 0, what put_level has not. */
static bool
put_tiles_of_pruned(struct export *x)
{
	const uint64_t from = x->words.from / TILE_HASHES;
	const uint64_t end = (x->words.end - 1) / TILE_HASHES + 1;
	const uint64_t full = x->newest.checkpoint.size / TILE_HASHES;
	uint64_t last = UINT64_MAX;
	bool ok = true;

	for (size_t i = 0; i < x->pruned_count && ok; i++) {
		const uint64_t index = x->pruned[i] / TILE_HASHES;
		if (index != last && (index < from || index >= end) && index < full) {
			ok = put_tile(x, 0, index, TILE_HASHES);
		}
		last = index;
	}
	return ok;
}

static bool
put_tiles(struct export *x)
{
	bool ok = true;

	bundle_put(x->bundle, "log/checkpoint", x->newest.note, x->newest.count);
	for (unsigned level = 0;
	     level < MERKLE_LEVELS && ok && x->newest.checkpoint.size >> 8 * level > 0; level++) {
		ok = put_level(x, level);
	}
	return ok;
}

struct entries {
	struct bundle_member *member;
};

static bool
put_entry(void *context, const struct log_row *row)
{
	struct entries *entries = context;
	const uint8_t length[2] = { (uint8_t)(row->entry.count >> 8), (uint8_t)row->entry.count };

	bundle_write(entries->member, length, sizeof length);
	bundle_write(entries->member, row->entry.at, row->entry.count);
	return true;
}

/* Entry bundles only when nothing of the range is withheld; they cover whole tiles. */
static bool
put_entries(struct export *x)
{
	const uint64_t size = x->newest.checkpoint.size;

	for (uint64_t index = x->words.from / TILE_HASHES; index * TILE_HASHES < x->words.end;
	     index++) {
		const uint64_t first = index * TILE_HASHES;
		const uint64_t end = first + TILE_HASHES < size ? first + TILE_HASHES : size;
		char path[MERKLE_PATH_MAX];
		char name[MERKLE_PATH_MAX + 8];

		merkle_tile_path(path, MERKLE_ENTRIES, index, (uint32_t)(end - first));
		snprintf(name, sizeof name, "log/%s", path);
		struct entries entries = { bundle_begin(x->bundle, name) };
		const bool ok = log_read_rows(x->source->reader, first, end, put_entry, &entries);
		bundle_end(entries.member);
		if (!ok) {
			return unreadable(x);
		}
	}
	return true;
}

/* --- proofs/ ------------------------------------------------------------------------------------
 */

static json_t *
base64_json(const struct digest *digest)
{
	char text[64];

	base64_write(text, digest->bytes, sizeof digest->bytes);
	return json_string(text);
}

static bool
put_range(struct export *x)
{
	const struct checkpoint *c = &x->newest.checkpoint;
	struct proof proof;

	if (!proof_range(log_fetch_hashes, x->source->reader, x->words.from, x->words.end, c->size,
			 &proof)) {
		return unreadable(x);
	}
	json_t *hashes = json_array();
	for (uint32_t i = 0; i < proof.count; i++) {
		json_array_append_new(hashes, base64_json(&proof.hashes[i]));
	}
	json_t *object = json_pack("{s:I, s:I, s:I, s:o, s:o}", "from", (json_int_t)x->words.from,
				   "end", (json_int_t)x->words.end, "size", (json_int_t)c->size,
				   "root", base64_json(&c->root), "hashes", hashes);
	char *text = json_dumps(object, JSON_INDENT(1) | JSON_SORT_KEYS);
	assert(text != NULL);
	struct bundle_member *member = bundle_begin(x->bundle, "proofs/range.json");
	bundle_write(member, text, strlen(text));
	bundle_write(member, "\n", 1);
	bundle_end(member);
	free(text);
	json_decref(object);
	return true;
}

static void
put_proof(struct export *x, const char *name, const struct tlog_proof *proof)
{
	char *text = malloc(TLOG_PROOF_MAX);

	assert(text != NULL);
	bundle_put(x->bundle, name, text, tlog_proof_write(text, proof));
	free(text);
}

static bool
put_growth(struct export *x)
{
	struct tlog_proof proof = { .kind = TLOG_CONSISTENCY,
				    .number = x->previous.checkpoint.size,
				    .note = newest_note(&x->previous) };

	if (!proof_consistency(log_fetch_hashes, x->source->reader, proof.number,
			       x->newest.checkpoint.size, &proof.proof)) {
		return unreadable(x);
	}
	put_proof(x, "proofs/consistency.txt", &proof);
	return true;
}

static bool
put_inclusion(struct export *x, uint64_t seq)
{
	struct tlog_proof proof = { .kind = TLOG_INCLUSION,
				    .number = seq,
				    .note = newest_note(&x->newest) };
	char name[64];

	if (!proof_inclusion(log_fetch_hashes, x->source->reader, x->newest.checkpoint.size, seq,
			     &proof.proof)) {
		return unreadable(x);
	}
	snprintf(name, sizeof name, "proofs/%" PRIu64 ".tlog-proof", seq);
	put_proof(x, name, &proof);
	return true;
}

bool
export_proofs(struct export *x)
{
	bool ok = put_tiles(x) && put_tiles_of_pruned(x) && export_pruned(x) && put_range(x);

	if (ok && x->words.omitted == 0) {
		ok = put_entries(x);
	}
	if (ok && x->previous.checkpoint.size > 0) {
		ok = put_growth(x);
	}
	for (uint64_t i = 0;
	     ok && x->words.disclosed <= EXPORT_PROOFS_MAX && i < x->words.disclosed; i++) {
		ok = put_inclusion(x, x->proof[i]);
	}
	return ok;
}
