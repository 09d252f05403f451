#include "store/pub_io.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/checkpoint.h"
#include "store/pruned_io.h"

/* Up to here each file is synced by itself; beyond, one sync of the file system is cheaper. */
enum { SYNC_EACH_EVENTS_MAX = 4096 };

struct publication {
	char directory[FILE_PATH_MAX]; /* DATA/pub */
	struct lookup *log;
	const struct merkle *tree;
	uint64_t from;
	bool sync_each;
};

uint64_t
pub_size(const char *directory)
{
	char path[FILE_PATH_MAX];
	char note[CHECKPOINT_NOTE_MAX];
	size_t count = 0;
	struct checkpoint checkpoint;

	path_join(path, directory, "pub/checkpoint");
	if (file_read(path, note, sizeof note, &count) != FILE_OK ||
	    !checkpoint_read((struct span){ (const uint8_t *)note, count }, &checkpoint)) {
		return 0;
	}
	return checkpoint.size;
}

static enum file_result
write_file(const struct publication *p, const char *name, struct span bytes)
{
	char path[FILE_PATH_MAX];
	char *slash;

	path_join(path, p->directory, name);
	enum file_result result = file_replace(path, bytes, 0644, p->sync_each);
	if (result != FILE_MISSING) {
		return result;
	}
	slash = strrchr(path, '/');
	*slash = '\0';
	result = directory_make(path, 0755);
	*slash = '/';
	return result == FILE_OK ? file_replace(path, bytes, 0644, p->sync_each) : result;
}

/* Once a tile is full nobody needs its partial forms (C2SP tlog-tiles: partial tiles). */
static void
drop_partials(const struct publication *p, const char *name)
{
	char path[FILE_PATH_MAX];
	char partial[MERKLE_PATH_MAX + 8];

	snprintf(partial, sizeof partial, "%s.p", name);
	path_join(path, p->directory, partial);
	DIR *directory = opendir(path);
	if (directory == NULL) {
		return;
	}
	for (const struct dirent *item = readdir(directory); item != NULL;
	     item = readdir(directory)) {
		if (item->d_name[0] != '.') {
			unlinkat(dirfd(directory), item->d_name, 0);
		}
	}
	closedir(directory);
	rmdir(path);
}

static enum file_result
write_tile(const struct publication *p, unsigned level, uint64_t index, uint32_t width,
	   const struct digest *hashes)
{
	char name[MERKLE_PATH_MAX];

	merkle_tile_path(name, (int)level, index, width);
	const enum file_result result =
		write_file(p, name, (struct span){ hashes->bytes, width * sizeof *hashes });
	if (result == FILE_OK && width == TILE_HASHES) {
		drop_partials(p, name);
	}
	return result;
}

static enum file_result
write_tiles(const struct publication *p, unsigned level)
{
	const uint64_t before = p->from >> (8 * level);
	const uint64_t after = p->tree->size >> (8 * level);
	enum file_result result = FILE_OK;
	const struct merkle_tile *t = &p->tree->level[level];

	for (uint64_t index = before / TILE_HASHES;
	     index < after / TILE_HASHES && result == FILE_OK; index++) {
		struct digest hashes[TILE_HASHES];

		if (!lookup_hashes(p->log, level, index, TILE_HASHES, hashes)) {
			return FILE_FAILED;
		}
		result = write_tile(p, level, index, TILE_HASHES, hashes);
	}
	if (result == FILE_OK && t->count > 0 && after != before) {
		result = write_tile(p, level, after / TILE_HASHES, t->count, t->hashes);
	}
	return result;
}

/* An entry bundle: each entry behind its length as two big-endian bytes. Of what was pruned there
 * is none. */
static enum file_result
write_bundle(const struct publication *p, uint64_t index, uint32_t width, uint8_t *memory)
{
	char name[MERKLE_PATH_MAX];
	struct pruned_range range;
	size_t count = 0;

	for (uint32_t i = 0; i < width; i++) {
		const uint64_t seq = index * TILE_HASHES + i;
		struct span entry;

		if (!lookup_entry(p->log, seq, memory + count + 2, &entry)) {
			return pruned_find(p->log, seq, &range) ? FILE_OK : FILE_FAILED;
		}
		memory[count] = (uint8_t)(entry.count >> 8);
		memory[count + 1] = (uint8_t)entry.count;
		count += 2 + entry.count;
	}
	merkle_tile_path(name, MERKLE_ENTRIES, index, width);
	const enum file_result result = write_file(p, name, (struct span){ memory, count });
	if (result == FILE_OK && width == TILE_HASHES) {
		drop_partials(p, name);
	}
	return result;
}

static enum file_result
write_bundles(const struct publication *p)
{
	uint8_t *memory = malloc((size_t)TILE_HASHES * (ENTRY_BYTES_MAX + 2));
	const uint64_t size = p->tree->size;
	enum file_result result = FILE_OK;

	assert(memory != NULL);
	for (uint64_t at = p->from / TILE_HASHES * TILE_HASHES; at < size && result == FILE_OK;
	     at += TILE_HASHES) {
		const uint64_t left = size - at;
		result = write_bundle(p, at / TILE_HASHES,
				      left < TILE_HASHES ? (uint32_t)left : TILE_HASHES, memory);
	}
	free(memory);
	return result;
}

static bool
sync_all(const struct publication *p)
{
	const int fd = open(p->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		return false;
	}
	const bool ok = p->sync_each || syncfs(fd) == 0;
	close(fd);
	return ok;
}

enum file_result
pub_drop_entries(const char *directory, uint64_t first, uint64_t end)
{
	char name[MERKLE_PATH_MAX];
	char pub[FILE_PATH_MAX];
	char path[FILE_PATH_MAX];

	path_join(pub, directory, "pub");
	for (uint64_t at = first; at + TILE_HASHES <= end; at += TILE_HASHES) {
		merkle_tile_path(name, MERKLE_ENTRIES, at / TILE_HASHES, TILE_HASHES);
		path_join(path, pub, name);
		if (unlink(path) != 0 && errno != ENOENT) {
			return FILE_FAILED;
		}
	}
	return FILE_OK;
}

enum file_result
pub_sync(const char *directory)
{
	struct publication p = { .sync_each = false };

	path_join(p.directory, directory, "pub");
	return sync_all(&p) ? FILE_OK : FILE_FAILED;
}

enum file_result
pub_publish(const char *directory, struct lookup *log, uint64_t from, const struct merkle *tree,
	    struct span note)
{
	struct publication p = { .log = log, .tree = tree, .from = from <= tree->size ? from : 0 };

	path_join(p.directory, directory, "pub");
	p.sync_each = tree->size - p.from <= SYNC_EACH_EVENTS_MAX;
	enum file_result result = directory_make(p.directory, 0755);
	for (unsigned level = 0; level < MERKLE_LEVELS && result == FILE_OK; level++) {
		result = write_tiles(&p, level);
	}
	if (result == FILE_OK) {
		result = write_bundles(&p);
	}
	if (result == FILE_OK && !sync_all(&p)) {
		result = FILE_FAILED;
	}
	/* Last, so that whatever it covers is there. */
	return result == FILE_OK ? write_file(&p, "checkpoint", note) : result;
}
