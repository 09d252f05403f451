#include "replay/verify_bundle_io.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replay/untar.h"

enum { DEPTH_MAX = 16, PIECE = 1 << 16 };

struct finding_files {
	struct bundle_place *place;
	struct verify_voice *voice;
	size_t room;
	bool is_overfull;
};

static void
say(struct finding_files *f, const char *what, const char *where, const char *expected,
    const char *found)
{
	voice_say(f->voice, what, where, expected, found);
}

static void
add_file(struct finding_files *f, const char *name, uint64_t size, uint64_t offset)
{
	struct bundle_files *files = &f->place->files;

	if (files->count == BUNDLE_FILES_MAX) {
		if (!f->is_overfull) {
			say(f, "more files than a bundle can have", name, "fewer", "more");
		}
		f->is_overfull = true;
		return;
	}
	if (files->count == f->room) {
		f->room = f->room == 0 ? 256 : 2 * f->room;
		files->items = realloc(files->items, f->room * sizeof *files->items);
		assert(files->items != NULL);
	}
	char *copy = strdup(name);
	assert(copy != NULL);
	files->items[files->count++] = (struct bundle_file){ copy, size, offset, false };
}

static int
compare_files(const void *a, const void *b)
{
	const struct bundle_file *one = a;
	const struct bundle_file *other = b;
	const int order = strcmp(one->name, other->name);

	return order != 0 ? order : one->offset < other->offset ? -1 : one->offset > other->offset;
}

/* Sorted, and each name once: of two the later one counts, as whoever unpacks would have it. */
static void
settle(struct finding_files *f)
{
	struct bundle_files *files = &f->place->files;
	size_t kept = 0;

	if (files->count > 1) {
		qsort(files->items, files->count, sizeof *files->items, compare_files);
	}
	for (size_t i = 0; i < files->count; i++) {
		if (kept > 0 && strcmp(files->items[kept - 1].name, files->items[i].name) == 0) {
			say(f, "a name that is there twice", files->items[i].name, "once", "twice");
			free(files->items[--kept].name);
		}
		files->items[kept++] = files->items[i];
	}
	files->count = kept;
}

/* --- a tar ---------------------------------------------------------------------------------------
 */

static void
on_begin(void *context, const struct untar_member *member)
{
	add_file(context, member->name, member->size, member->offset);
}

static void
on_bytes(void *context, struct span piece)
{
	(void)context;
	(void)piece;
}

static void
on_end(void *context)
{
	(void)context;
}

static void
on_fault(void *context, enum untar_fault fault, const char *name, uint64_t offset)
{
	char where[UNTAR_NAME_MAX + 32];

	snprintf(where, sizeof where, "%s at byte %" PRIu64, name, offset);
	say(context, "the tar is not as it should be", where,
	    "plain files with plain names, and two blocks of zeroes at the end",
	    untar_fault_text(fault));
}

static bool
read_tar(void *context, const struct bundle_file *file, uint64_t at, uint8_t *out, size_t count)
{
	const struct bundle_place *place = context;

	while (count > 0) {
		const ssize_t got = pread(place->tar, out, count, (off_t)(file->offset + at));

		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got <= 0) {
			return false;
		}
		out += got;
		at += (uint64_t)got;
		count -= (size_t)got;
	}
	return true;
}

static void
list_tar(struct finding_files *f)
{
	const struct untar_reader reader = { on_begin, on_bytes, on_end, on_fault, f };
	static uint8_t piece[PIECE];
	struct untar tar;
	ssize_t got;

	untar_start(&tar, &reader);
	while ((got = read(f->place->tar, piece, sizeof piece)) > 0) {
		untar_feed(&tar, (struct span){ piece, (size_t)got });
	}
	untar_finish(&tar);
	if (got < 0) {
		say(f, "the tar cannot be read", f->place->path, "all its bytes", strerror(errno));
	}
}

/* --- a folder ------------------------------------------------------------------------------------
 */

static bool
read_plain(void *context, const struct bundle_file *file, uint64_t at, uint8_t *out, size_t count)
{
	const struct bundle_place *place = context;
	char path[4096];

	snprintf(path, sizeof path, "%s/%s", place->path, file->name);
	const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	const struct bundle_place one = { .tar = fd };
	const struct bundle_file whole = { .offset = 0 };
	struct bundle_place copy = one;
	const bool ok = fd >= 0 && read_tar(&copy, &whole, at, out, count);
	if (fd >= 0) {
		close(fd);
	}
	return ok;
}

static void list_folder(struct finding_files *f, int folder, const char *prefix, unsigned depth);

static void
list_item(struct finding_files *f, int folder, const char *prefix, const char *item, unsigned depth)
{
	char name[BUNDLE_NAME_MAX + 2];
	struct stat status;

	const int count = snprintf(name, sizeof name, "%s%s", prefix, item);
	if (count > BUNDLE_NAME_MAX || untar_name_check(name) != UNTAR_SOUND) {
		say(f, "a name that no file of a bundle has", name,
		    "letters, digits, ._- between single slashes", "another");
		return;
	}
	if (fstatat(folder, item, &status, AT_SYMLINK_NOFOLLOW) != 0) {
		say(f, "a file cannot be read", name, "a plain file", strerror(errno));
	} else if (S_ISREG(status.st_mode)) {
		add_file(f, name, (uint64_t)status.st_size, 0);
	} else if (S_ISDIR(status.st_mode) && depth < DEPTH_MAX) {
		snprintf(name, sizeof name, "%s%s/", prefix, item);
		list_folder(f,
			    openat(folder, item, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
			    name, depth + 1);
	} else {
		say(f, "not a plain file", name, "plain files only", "a link, device or pipe");
	}
}

static void
list_folder(struct finding_files *f, int folder, const char *prefix, unsigned depth)
{
	DIR *directory = folder < 0 ? NULL : fdopendir(folder);

	if (directory == NULL) {
		say(f, "a folder cannot be read", prefix, "a folder", strerror(errno));
		return;
	}
	for (const struct dirent *item = readdir(directory); item != NULL;
	     item = readdir(directory)) {
		if (strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0) {
			list_item(f, dirfd(directory), prefix, item->d_name, depth);
		}
	}
	closedir(directory);
}

/* --- both ----------------------------------------------------------------------------------------
 */

bool
bundle_place_open(struct bundle_place *place, const char *path, struct verify_voice *voice)
{
	struct finding_files f = { .place = place, .voice = voice };
	struct stat status;

	*place = (struct bundle_place){ .tar = -1 };
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &status) != 0) {
		return false;
	}
	place->path = strdup(path);
	assert(place->path != NULL);
	place->files.context = place;
	if (S_ISDIR(status.st_mode)) {
		place->files.read = read_plain;
		list_folder(&f, fd, "", 0);
	} else {
		place->tar = fd;
		place->files.read = read_tar;
		list_tar(&f);
	}
	settle(&f);
	return true;
}

void
bundle_place_close(struct bundle_place *place)
{
	for (size_t i = 0; i < place->files.count; i++) {
		free(place->files.items[i].name);
	}
	free(place->files.items);
	free(place->path);
	if (place->tar >= 0) {
		close(place->tar);
	}
}
