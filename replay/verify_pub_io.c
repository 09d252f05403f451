#include "replay/verify_pub_io.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/files_io.h"

enum { BUNDLE_BYTES_MAX = TILE_HASHES * (ENTRY_BYTES_MAX + 2) };

struct pub_bundle {
	char directory[FILE_PATH_MAX];
	uint64_t published;
	uint64_t index; /* of the bundle that was read last */
	bool is_read;   /* the index means something */
	bool is_sound;
	char name[MERKLE_PATH_MAX];
	uint32_t at[TILE_HASHES + 1]; /* where each entry begins, behind its length */
	uint8_t *bytes;
};

struct pub_bundle *
pub_bundle_make(const char *data_dir, uint64_t published)
{
	struct pub_bundle *bundle = calloc(1, sizeof *bundle);

	if (bundle == NULL || (bundle->bytes = malloc(BUNDLE_BYTES_MAX)) == NULL) {
		fputs("ifreplay: out of memory\n", stderr);
		exit(1);
	}
	path_join(bundle->directory, data_dir, "pub");
	bundle->published = published;
	return bundle;
}

void
pub_bundle_free(struct pub_bundle *bundle)
{
	free(bundle->bytes);
	free(bundle);
}

/* False unless it is exactly `width` entries, each behind its length. */
static bool
split(struct pub_bundle *bundle, size_t count, uint32_t width)
{
	size_t at = 0;

	for (uint32_t i = 0; i < width; i++) {
		if (count - at < 2) {
			return false;
		}
		const size_t length = (size_t)(bundle->bytes[at] << 8 | bundle->bytes[at + 1]);
		bundle->at[i] = (uint32_t)at + 2;
		if (count - at - 2 < length) {
			return false;
		}
		at += 2 + length;
	}
	bundle->at[width] = (uint32_t)at + 2;
	return at == count;
}

/* Reads the tile of that width, whose name is `name` under `directory`. The partial one is gone
 * once the full one is there, which the running log may have written meanwhile: the full one begins
 * with it (C2SP tlog-tiles, "Partial Tiles"). Then `width` and `name` say that it was read. */
static enum file_result
read_tile(const char *directory, int level, uint64_t index, uint32_t *width,
	  char name[static MERKLE_PATH_MAX], void *bytes, size_t most, size_t *count)
{
	char path[FILE_PATH_MAX];
	const uint32_t widths[] = { *width, TILE_HASHES };

	for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
		merkle_tile_path(name, level, index, widths[i]);
		path_join(path, directory, name);
		const enum file_result result = file_read(path, bytes, most, count);
		if (result != FILE_MISSING) {
			*width = widths[i];
			return result;
		}
	}
	merkle_tile_path(name, level, index, *width);
	return FILE_MISSING;
}

static void
read_bundle(struct pub_bundle *bundle, struct verify_voice *voice, uint64_t index)
{
	const uint64_t left = bundle->published - index * TILE_HASHES;
	uint32_t width = left < TILE_HASHES ? (uint32_t)left : TILE_HASHES;
	char where[MERKLE_PATH_MAX + 8];
	size_t count = 0;

	bundle->is_read = true;
	bundle->index = index;
	const bool is_there =
		read_tile(bundle->directory, MERKLE_ENTRIES, index, &width, bundle->name,
			  bundle->bytes, BUNDLE_BYTES_MAX, &count) == FILE_OK;
	bundle->is_sound = is_there && split(bundle, count, width);
	if (!bundle->is_sound) {
		snprintf(where, sizeof where, "pub/%s", bundle->name);
		voice_say(voice, "published entries cannot be read", where,
			  "entries, each behind its length",
			  is_there ? "another form" : "no such file");
	}
}

void
pub_bundle_check(struct pub_bundle *bundle, struct verify_voice *voice, uint64_t seq,
		 struct span entry)
{
	const uint32_t place = (uint32_t)(seq % TILE_HASHES);
	char where[MERKLE_PATH_MAX + 32];

	if (seq >= bundle->published) {
		return;
	}
	if (!bundle->is_read || bundle->index != seq / TILE_HASHES) {
		read_bundle(bundle, voice, seq / TILE_HASHES);
	}
	if (!bundle->is_sound) {
		return;
	}
	const uint32_t count = bundle->at[place + 1] - 2 - bundle->at[place];
	if (count != entry.count ||
	    memcmp(bundle->bytes + bundle->at[place], entry.at, count) != 0) {
		snprintf(where, sizeof where, "pub/%s seq %" PRIu64, bundle->name, seq);
		voice_say(voice, "a published entry is not the log's", where,
			  "the bytes of the entry", "other bytes");
	}
}

/* --- tiles ---------------------------------------------------------------------------------------
 */

void
pub_tile_check(struct verify *v, const char *data_dir, unsigned level, uint64_t index,
	       uint32_t width, const struct digest *hashes)
{
	struct digest lying[TILE_HASHES];
	char pub[FILE_PATH_MAX];
	char name[MERKLE_PATH_MAX];
	char where[MERKLE_PATH_MAX + 32];
	uint32_t lying_width = width;
	size_t count = 0;

	path_join(pub, data_dir, "pub");
	const enum file_result result =
		read_tile(pub, (int)level, index, &lying_width, name, lying, sizeof lying, &count);
	snprintf(where, sizeof where, "pub/%s", name);
	if (result != FILE_OK || count != lying_width * sizeof *hashes) {
		verify_say(v, "a published tile cannot be read", where, "its hashes, 32 bytes each",
			   count == 0 ? "no such file" : "another length");
		return;
	}
	uint32_t first = width;
	uint32_t more = 0;
	for (uint32_t i = width; i > 0; i--) {
		if (!digest_equal(&lying[i - 1], &hashes[i - 1])) {
			more += first < width;
			first = i - 1;
		}
	}
	if (first < width) {
		const size_t end =
			(size_t)snprintf(where, sizeof where, "pub/%s hash %" PRIu32, name, first);
		if (more > 0) {
			snprintf(where + end, sizeof where - end, " and %" PRIu32 " more", more);
		}
		verify_say_digests(v, "a published tile's hash is not the log's", where,
				   &hashes[first], &lying[first]);
	}
}

void
pub_pruned_check(struct verify *v, const char *data_dir, uint64_t published)
{
	char name[MERKLE_PATH_MAX];
	char where[MERKLE_PATH_MAX + 8];
	char path[FILE_PATH_MAX];

	for (size_t i = 0; v->allow != NULL && i < allow_pruned_count(v->allow); i++) {
		const struct allow_range *range = allow_pruned_at(v->allow, i);

		if (range->is_under_way) {
			continue;
		}
		for (uint64_t at = range->first; at + TILE_HASHES <= range->end && at < published;
		     at += TILE_HASHES) {
			merkle_tile_path(name, MERKLE_ENTRIES, at / TILE_HASHES, TILE_HASHES);
			snprintf(where, sizeof where, "pub/%s", name);
			path_join(path, data_dir, where);
			if (file_exists(path)) {
				verify_say(v, "pruned, but still published", where, "no such file",
					   "entries");
			}
		}
	}
}
