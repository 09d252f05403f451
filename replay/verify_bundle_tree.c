/* The tree of a bundle: tiles under the signed root, and every leaf of the range in its place. */
#include "replay/verify_bundle.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- tiles ---------------------------------------------------------------------------------------
 */

static void
tile_name(char out[MERKLE_PATH_MAX + 8], int level, uint64_t index, uint32_t width)
{
	char path[MERKLE_PATH_MAX];

	merkle_tile_path(path, level, index, width);
	snprintf(out, MERKLE_PATH_MAX + 8, "log/%s", path);
}

static uint64_t
hashes_at(const struct bundle *b, unsigned level)
{
	return level < MERKLE_LEVELS ? b->manifest.size >> (8 * level) : 0;
}

static uint32_t
width_of(const struct bundle *b, unsigned level, uint64_t index)
{
	const uint64_t left = hashes_at(b, level) - index * TILE_HASHES;

	return left < TILE_HASHES ? (uint32_t)left : TILE_HASHES;
}

/* The tile of that place; one that is not there, or not whole, is not sound. */
static const struct bundle_tile *
tile_at(struct bundle *b, unsigned level, uint64_t index)
{
	struct bundle_tile *tile = &b->tiles[level];
	char name[MERKLE_PATH_MAX + 8];

	assert(index * TILE_HASHES < hashes_at(b, level));
	if (tile->is_read && tile->index == index) {
		return tile;
	}
	tile->is_read = true;
	tile->index = index;
	tile->width = width_of(b, level, index);
	tile_name(name, (int)level, index, tile->width);
	const struct bundle_file *file = bundle_find(b->files, name);
	tile->is_sound =
		file != NULL && file->size == tile->width * sizeof tile->hashes[0] &&
		b->files->read(b->files->context, file, 0, tile->hashes[0].bytes, file->size);
	return tile;
}

bool
bundle_fetch(void *context, unsigned level, uint64_t index, uint32_t count, struct digest *hashes)
{
	struct bundle *b = context;

	if (level >= MERKLE_LEVELS || index * TILE_HASHES >= hashes_at(b, level)) {
		return false;
	}
	const struct bundle_tile *tile = tile_at(b, level, index);
	if (!tile->is_sound || count > tile->width) {
		return false;
	}
	memcpy(hashes, tile->hashes, count * sizeof *hashes);
	return true;
}

bool
bundle_check_tile(struct bundle *b, unsigned level, uint64_t index)
{
	const struct bundle_tile *tile = tile_at(b, level, index);
	char name[MERKLE_PATH_MAX + 8];
	struct digest root;

	tile_name(name, (int)level, index, tile->width);
	if (!tile->is_sound) {
		bundle_say(b, "a tile is missing, or has another length", name,
			   "its hashes, 32 bytes each", "something else, or no file");
		return false;
	}
	if (tile->width < TILE_HASHES) {
		return true; /* the root stands directly above it */
	}
	merkle_hashes_root(tile->hashes, TILE_HASHES, &root);
	const struct bundle_tile *above = tile_at(b, level + 1, index / TILE_HASHES);
	if (above->is_sound && !digest_equal(&root, &above->hashes[index % TILE_HASHES])) {
		voice_say_digests(&b->voice, "a tile is not under its parent", name,
				  &above->hashes[index % TILE_HASHES], &root);
		return false;
	}
	return above->is_sound;
}

/* A forged size asks for any number of tiles: once so many are not as they should be, the rest of
 * the level is passed over, and that is said. */
static void
check_level(struct bundle *b, unsigned level)
{
	const uint64_t count = (hashes_at(b, level) + TILE_HASHES - 1) / TILE_HASHES;
	const uint64_t last = (b->manifest.end - 1) / TILE_HASHES;
	const uint64_t end = level == 0 ? last + 1 : count;
	unsigned bad = 0;
	char where[64];

	for (uint64_t index = level == 0 ? b->manifest.from / TILE_HASHES : 0;
	     index < end && bad < BUNDLE_FOLD_MAX; index++) {
		bad += !bundle_check_tile(b, level, index);
	}
	if (bad == BUNDLE_FOLD_MAX) {
		snprintf(where, sizeof where, "log/tile/%u", level);
		bundle_say(b, "too many tiles of a level are wrong to name them all", where,
			   "the tiles of the log", "others, or none");
	}
	/* The rightmost one, which the range may not reach. */
	if (level == 0 && end < count && hashes_at(b, 0) % TILE_HASHES != 0) {
		bundle_check_tile(b, 0, count - 1);
	}
}

void
bundle_check_tiles(struct bundle *b)
{
	const uint64_t before = b->voice.findings;
	struct digest root;

	for (unsigned level = 0; level < MERKLE_LEVELS && hashes_at(b, level) > 0; level++) {
		check_level(b, level);
	}
	if (proof_root(bundle_fetch, b, b->manifest.size, &root)) {
		if (!digest_equal(&root, &b->manifest.root)) {
			voice_say_digests(&b->voice, "the tiles do not give the signed root",
					  "log/tile", &b->manifest.root, &root);
		}
	} else if (b->voice.findings == before) {
		bundle_say(b, "the tiles do not give a root", "log/tile", "all that it needs",
			   "fewer");
	}
}

/* --- leaves --------------------------------------------------------------------------------------
 */

/* Rows of one file, by what stands at the beginning of each line. */
struct heads {
	struct bundle_lines lines;
	bool is_there;
	uint64_t seq;
	struct digest leaf;
};

/* Disclosed and omitted rows together, in order of seq. */
struct leaves {
	struct heads events;
	struct heads omissions;
};

static void
advance(struct heads *heads)
{
	struct span line;

	heads->is_there = false;
	while (!heads->is_there && bundle_lines_next(&heads->lines, &line)) {
		heads->is_there = bundle_row_head(line, &heads->seq, &heads->leaf);
	}
}

static void
leaves_open(struct leaves *leaves, const struct bundle_files *files)
{
	bundle_lines_open(&leaves->events.lines, files, "data/events.jsonl");
	bundle_lines_open(&leaves->omissions.lines, files, "data/omissions.jsonl");
	advance(&leaves->events);
	advance(&leaves->omissions);
}

static void
leaves_close(struct leaves *leaves)
{
	bundle_lines_close(&leaves->events.lines);
	bundle_lines_close(&leaves->omissions.lines);
}

static bool
leaves_next(struct leaves *leaves, uint64_t *seq, struct digest *leaf)
{
	struct heads *next = &leaves->events;

	if (!next->is_there || (leaves->omissions.is_there && leaves->omissions.seq < next->seq)) {
		next = &leaves->omissions;
	}
	if (!next->is_there) {
		return false;
	}
	*seq = next->seq;
	*leaf = next->leaf;
	advance(next);
	return true;
}

static void
say_absent(struct bundle *b, uint64_t first, uint64_t end)
{
	char where[64];

	snprintf(where, sizeof where, "seq %" PRIu64 " to %" PRIu64, first, end - 1);
	bundle_say(b, "an event is neither disclosed nor omitted",
		   end - first == 1 ? verify_place_of(first).text : where,
		   "its entry or its leaf hash", "nothing");
}

static void
check_leaf(struct bundle *b, uint64_t seq, const struct digest *leaf)
{
	const struct bundle_tile *tile = tile_at(b, 0, seq / TILE_HASHES);

	/* A tile that is not sound was named already. */
	if (tile->is_sound && !digest_equal(leaf, &tile->hashes[seq % TILE_HASHES])) {
		voice_say_digests(&b->voice, "a leaf is not the one in the tree",
				  verify_place_of(seq).text, &tile->hashes[seq % TILE_HASHES],
				  leaf);
	}
}

static void
check_leaves(struct bundle *b)
{
	struct leaves leaves;
	struct digest leaf;
	uint64_t next = b->manifest.from;
	uint64_t seq = 0;

	leaves_open(&leaves, b->files);
	while (leaves_next(&leaves, &seq, &leaf)) {
		if (seq < b->manifest.from || seq >= b->manifest.end) {
			bundle_say(b, "an event outside the range", verify_place_of(seq).text,
				   "seqs of the range", "another");
			continue;
		}
		if (seq < next) {
			bundle_say(b, "an event is there twice, or out of order",
				   verify_place_of(seq).text, "disclosed or omitted, once",
				   "again");
			continue;
		}
		if (seq > next) {
			say_absent(b, next, seq);
		}
		check_leaf(b, seq, &leaf);
		next = seq + 1;
	}
	leaves_close(&leaves);
	if (next < b->manifest.end) {
		say_absent(b, next, b->manifest.end);
	}
}

/* --- bundles of entries --------------------------------------------------------------------------
 */

/* Every entry behind its length; a bundle is 256 of them at most, so it is read piece by piece. */
static void
check_entries(struct bundle *b, uint64_t index, const struct bundle_file *file)
{
	const struct bundle_tile *tile = tile_at(b, 0, index);
	uint8_t entry[ENTRY_BYTES_MAX];
	uint8_t head[2];
	struct digest leaf;
	uint64_t at = 0;
	char where[BUNDLE_NAME_MAX + 32];

	for (uint32_t place = 0; place < tile->width; place++) {
		snprintf(where, sizeof where, "%s entry %" PRIu32, file->name, place);
		const bool has_head =
			file->size - at >= sizeof head &&
			b->files->read(b->files->context, file, at, head, sizeof head);
		const size_t length = has_head ? (size_t)(head[0] << 8 | head[1]) : 0;
		if (!has_head || file->size - at - sizeof head < length ||
		    !b->files->read(b->files->context, file, at + sizeof head, entry, length)) {
			bundle_say(b, "an entry bundle breaks off", where,
				   "an entry behind its length", "fewer bytes");
			return;
		}
		entry_leaf_hash((struct span){ entry, length }, &leaf);
		if (tile->is_sound && !digest_equal(&leaf, &tile->hashes[place])) {
			voice_say_digests(&b->voice, "an entry is not the one in the tree", where,
					  &tile->hashes[place], &leaf);
		}
		at += sizeof head + length;
	}
	if (at != file->size) {
		voice_say_numbers(&b->voice, "an entry bundle has another length", file->name, at,
				  file->size);
	}
}

static void
check_bundles(struct bundle *b)
{
	const uint64_t end = (b->manifest.end - 1) / TILE_HASHES + 1;
	unsigned missing = 0;

	for (uint64_t index = b->manifest.from / TILE_HASHES;
	     index < end && missing < BUNDLE_FOLD_MAX; index++) {
		char name[MERKLE_PATH_MAX + 8];

		tile_name(name, MERKLE_ENTRIES, index, width_of(b, 0, index));
		const struct bundle_file *file = bundle_find(b->files, name);
		if (file != NULL) {
			check_entries(b, index, file);
		} else if (b->manifest.omitted == 0) {
			bundle_say(b, "an entry bundle is missing", name, "a file", "none");
			missing++;
		} else {
			missing += tile_at(b, 0, index)->is_sound ? 0 : 1;
		}
	}
}

/* --- completeness --------------------------------------------------------------------------------
 */

static bool
next_leaf(void *context, uint64_t seq, struct digest *out)
{
	uint64_t found = 0;

	return leaves_next(context, &found, out) && found == seq;
}

static bool
take_hashes(const json_t *list, struct proof *proof)
{
	proof->count = (uint32_t)json_array_size(list);
	if (!json_is_array(list) || json_array_size(list) > PROOF_HASHES_MAX) {
		return false;
	}
	for (uint32_t i = 0; i < proof->count; i++) {
		const json_t *const text = json_array_get(list, i);
		size_t count = 0;

		if (!json_is_string(text) ||
		    !bundle_base64((struct span){ (const uint8_t *)json_string_value(text),
						  json_string_length(text) },
				   proof->hashes[i].bytes, sizeof(struct digest), &count) ||
		    count != sizeof(struct digest)) {
			return false;
		}
	}
	return true;
}

static bool
read_range_proof(struct bundle *b, uint64_t numbers[3], struct digest *root, struct proof *proof)
{
	size_t count = 0;
	char *text = bundle_text(b, "proofs/range.json", &count);
	json_error_t error;
	json_t *const json =
		text == NULL ? NULL : json_loadb(text, count, JSON_REJECT_DUPLICATES, &error);
	const bool ok = bundle_take_count(json, "from", &numbers[0]) &&
			bundle_take_count(json, "end", &numbers[1]) &&
			bundle_take_count(json, "size", &numbers[2]) &&
			bundle_take_root(json, "root", root) &&
			take_hashes(json_object_get(json, "hashes"), proof);

	json_decref(json);
	free(text);
	return ok;
}

static void
check_range_proof(struct bundle *b)
{
	static const char *const names[] = { "range.json names another from",
					     "range.json names another end",
					     "range.json names another size" };
	const struct bundle_manifest *m = &b->manifest;
	const uint64_t expected[] = { m->from, m->end, m->size };
	uint64_t numbers[3] = { 0 };
	struct digest root;
	struct proof proof;
	struct leaves leaves;

	if (!read_range_proof(b, numbers, &root, &proof)) {
		bundle_say(b, "the range proof cannot be followed", "proofs/range.json",
			   "what docs/bundle.md says", "something else");
		return;
	}
	for (size_t i = 0; i < 3; i++) {
		if (numbers[i] != expected[i]) {
			voice_say_numbers(&b->voice, names[i], "proofs/range.json", expected[i],
					  numbers[i]);
		}
	}
	if (!digest_equal(&root, &m->root)) {
		voice_say_digests(&b->voice, "range.json names another root", "proofs/range.json",
				  &m->root, &root);
	}
	leaves_open(&leaves, b->files);
	if (!proof_check_range(next_leaf, &leaves, m->from, m->end, m->size, &m->root, &proof)) {
		bundle_say(b, "the range proof does not lead to the root", "proofs/range.json",
			   "the signed root, from every leaf of the range", "another, or none");
	}
	leaves_close(&leaves);
}

void
bundle_check_range(struct bundle *b)
{
	check_leaves(b);
	check_bundles(b);
	check_range_proof(b);
}
