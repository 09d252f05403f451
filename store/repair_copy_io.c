/* The copies that a repair reads from, and the anchor among them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/merkle.h"
#include "store/repair_io.h"
#include "store/repair_state_io.h"
#include "store/seal.h"

enum { BUNDLE_BYTES_MAX = TILE_HASHES * (ENTRY_BYTES_MAX + 2) };

static bool
exists_in(const char *directory, const char *name)
{
	char path[FILE_PATH_MAX];

	return strlen(directory) + strlen(name) + 2 < FILE_PATH_MAX &&
	       (path_join(path, directory, name), file_exists(path));
}

static void
open_log(struct repair_copy *copy)
{
	char path[FILE_PATH_MAX];
	char fault[512];
	sqlite3 *db = NULL;

	path_join(path, copy->directory, "witness.db");
	if (!db_open(path, DB_READ, &log_kind, &db, fault, sizeof fault)) {
		return;
	}
	copy->part = db_prepare(db, "SELECT salt, body FROM sealed WHERE id = ?");
	copy->note = db_prepare(db, "SELECT note FROM checkpoint WHERE size = ?");
	copy->has_log = lookup_open(&copy->lookup, db) && copy->part != NULL && copy->note != NULL;
	if (!copy->has_log) {
		sqlite3_finalize(copy->part);
		sqlite3_finalize(copy->note);
		lookup_close(&copy->lookup);
		db_close(db);
	}
}

static void
open_pub(struct repair_copy *copy)
{
	char path[FILE_PATH_MAX];
	char note[CHECKPOINT_NOTE_MAX];
	size_t count = 0;
	struct checkpoint checkpoint;

	if (exists_in(copy->directory, "pub/tile")) {
		path_join(copy->pub, copy->directory, "pub");
	} else if (exists_in(copy->directory, "tile")) {
		snprintf(copy->pub, sizeof copy->pub, "%s", copy->directory);
	} else {
		return;
	}
	path_join(path, copy->pub, "checkpoint");
	if (file_read(path, note, sizeof note, &count) == FILE_OK &&
	    checkpoint_read((struct span){ (const uint8_t *)note, count }, &checkpoint)) {
		copy->pub_size = checkpoint.size;
	}
}

void
repair_copy_open(struct repair_copy *copy, const char *directory)
{
	*copy = (struct repair_copy){ .bundle_index = UINT64_MAX };
	if (strlen(directory) + MERKLE_PATH_MAX + 32 >= FILE_PATH_MAX) {
		return;
	}
	snprintf(copy->directory, sizeof copy->directory, "%s", directory);
	open_log(copy);
	open_pub(copy);
}

void
repair_copy_close(struct repair_copy *copy)
{
	if (copy->has_log) {
		sqlite3 *db = copy->lookup.db;
		sqlite3_finalize(copy->part);
		sqlite3_finalize(copy->note);
		lookup_close(&copy->lookup);
		db_close(db);
	}
	free(copy->bundle);
}

/* --- pub/ --------------------------------------------------------------------------------------
 */

/* The full file, else the partial one of the checkpoint beside it. */
static bool
read_published(struct repair_copy *copy, int level, uint64_t index, void *out, size_t size,
	       size_t *count)
{
	const uint64_t width = (copy->pub_size >> (level > 0 ? 8 * level : 0)) % TILE_HASHES;
	char name[MERKLE_PATH_MAX];
	char path[FILE_PATH_MAX];

	*count = 0;
	if (copy->pub[0] == '\0') {
		return false;
	}
	merkle_tile_path(name, level, index, TILE_HASHES);
	path_join(path, copy->pub, name);
	if (file_read(path, out, size, count) == FILE_OK) {
		return true;
	}
	if (width == 0) {
		return false;
	}
	merkle_tile_path(name, level, index, (uint32_t)width);
	path_join(path, copy->pub, name);
	return file_read(path, out, size, count) == FILE_OK;
}

static bool
published_entry(struct repair_copy *copy, uint64_t seq, struct span *out)
{
	const uint64_t index = seq / TILE_HASHES;
	uint64_t left = seq % TILE_HASHES;
	size_t at = 0;

	if (copy->bundle == NULL) {
		copy->bundle = malloc(BUNDLE_BYTES_MAX);
	}
	if (copy->bundle == NULL) {
		return false;
	}
	if (copy->bundle_index != index) {
		copy->bundle_index = index;
		if (!read_published(copy, MERKLE_ENTRIES, index, copy->bundle, BUNDLE_BYTES_MAX,
				    &copy->bundle_count)) {
			copy->bundle_count = 0;
		}
	}
	while (at + 2 <= copy->bundle_count) {
		const size_t length = (size_t)copy->bundle[at] << 8 | copy->bundle[at + 1];
		at += 2;
		if (length == 0 || length > copy->bundle_count - at) {
			return false;
		}
		if (left-- == 0) {
			*out = (struct span){ copy->bundle + at, length };
			return true;
		}
		at += length;
	}
	return false;
}

/* --- what the copy has -------------------------------------------------------------------------
 */

static bool
table_tile(struct repair_copy *copy, unsigned level, uint64_t index, uint32_t count,
	   struct digest *hashes)
{
	sqlite3_stmt *statement = copy->lookup.tile;
	bool found = false;

	db_bind_u64(statement, 1, tile_id(level, index));
	if (sqlite3_step(statement) == SQLITE_ROW) {
		const struct span bytes = db_span(statement, 0);
		found = bytes.count == TILE_HASHES * sizeof *hashes;
		if (found) {
			memcpy(hashes, bytes.at, count * sizeof *hashes);
		}
	}
	sqlite3_reset(statement);
	return found;
}

bool
repair_copy_tile(struct repair_copy *copy, unsigned level, uint64_t index, uint32_t count,
		 struct digest *hashes)
{
	struct digest whole[TILE_HASHES];
	size_t bytes = 0;

	if (copy->has_log && table_tile(copy, level, index, count, hashes)) {
		return true;
	}
	if (!read_published(copy, (int)level, index, whole, sizeof whole, &bytes) ||
	    bytes < count * sizeof *whole) {
		return false;
	}
	memcpy(hashes, whole, count * sizeof *whole);
	return true;
}

bool
repair_copy_compute(struct repair_copy *copy, unsigned level, uint64_t index, uint32_t count,
		    struct digest *hashes)
{
	uint8_t memory[ENTRY_BYTES_MAX];

	for (uint32_t i = 0; i < count; i++) {
		struct digest below[TILE_HASHES];
		struct span entry;
		const uint64_t at = index * TILE_HASHES + i;

		if (level == 0 && repair_copy_entry(copy, at, memory, &entry)) {
			merkle_leaf_hash(entry, &hashes[i]);
		} else if (level > 0 &&
			   (repair_copy_tile(copy, level - 1, at, TILE_HASHES, below) ||
			    repair_copy_compute(copy, level - 1, at, TILE_HASHES, below))) {
			merkle_hashes_root(below, TILE_HASHES, &hashes[i]);
		} else {
			return false;
		}
	}
	return true;
}

/* A row that is no entry any more is none: what was published may be better. */
bool
repair_copy_row(struct repair_copy *copy, uint64_t seq, uint8_t memory[ENTRY_BYTES_MAX],
		struct span *out)
{
	struct entry entry;

	return copy->has_log && lookup_entry(&copy->lookup, seq, memory, out) &&
	       entry_read(*out, &entry) && entry.seq == seq;
}

bool
repair_copy_published(struct repair_copy *copy, uint64_t seq, uint8_t memory[ENTRY_BYTES_MAX],
		      struct span *out)
{
	struct span found;

	if (!published_entry(copy, seq, &found) || found.count > ENTRY_BYTES_MAX) {
		return false;
	}
	memcpy(memory, found.at, found.count);
	*out = (struct span){ memory, found.count };
	return true;
}

bool
repair_copy_entry(struct repair_copy *copy, uint64_t seq, uint8_t memory[ENTRY_BYTES_MAX],
		  struct span *out)
{
	return repair_copy_row(copy, seq, memory, out) ||
	       repair_copy_published(copy, seq, memory, out);
}

bool
repair_copy_part(struct repair_copy *copy, const struct entry *entry, unsigned part,
		 struct span *salt, struct span *body)
{
	struct digest digest;

	if (!copy->has_log) {
		return false;
	}
	sqlite3_reset(copy->part);
	db_bind_u64(copy->part, 1, sealed_id(entry->seq, part));
	if (sqlite3_step(copy->part) != SQLITE_ROW) {
		return false;
	}
	*salt = db_span(copy->part, 0);
	*body = db_span(copy->part, 1);
	if (salt->count != SEAL_SALT_BYTES || body->count != entry->part[part].length) {
		return false;
	}
	seal_digest(salt->at, *body, &digest);
	return digest_equal(&digest, &entry->part[part].digest);
}

bool
repair_copy_note(struct repair_copy *copy, uint64_t size, char note[CHECKPOINT_NOTE_MAX],
		 size_t *count)
{
	*count = 0;
	if (!copy->has_log) {
		return false;
	}
	db_bind_u64(copy->note, 1, size);
	if (sqlite3_step(copy->note) == SQLITE_ROW) {
		const struct span bytes = db_span(copy->note, 0);
		*count = bytes.count <= CHECKPOINT_NOTE_MAX ? bytes.count : 0;
		memcpy(note, bytes.at, *count);
	}
	sqlite3_reset(copy->note);
	return *count > 0;
}

bool
repair_anchor(const char *directory, const struct log_verifier *verifier, struct checkpoint *out,
	      char note[CHECKPOINT_NOTE_MAX], size_t *count)
{
	static const char *const names[] = { "head", "pub/checkpoint", "checkpoint" };
	bool found = false;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char path[FILE_PATH_MAX];
		char text[CHECKPOINT_NOTE_MAX];
		size_t length = 0;
		struct checkpoint checkpoint;

		path_join(path, directory, names[i]);
		if (file_read(path, text, sizeof text, &length) == FILE_OK &&
		    checkpoint_verify((struct span){ (const uint8_t *)text, length }, verifier,
				      &checkpoint) == CHECKPOINT_HOLDS &&
		    (!found || checkpoint.size > out->size)) {
			found = true;
			*out = checkpoint;
			*count = length;
			memcpy(note, text, length);
		}
	}
	return found;
}
