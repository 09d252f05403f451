#include "replay/bundle_io.h"

#include <assert.h>
#include <errno.h>
#include <ftw.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/files_io.h"

enum { COPY_BYTES = 65536, FAULT_MAX = 512 };

struct item {
	char name[TAR_NAME_MAX + 1];
	uint64_t size;
	struct digest digest;
};

struct bundle {
	char target[FILE_PATH_MAX];
	char folder[FILE_PATH_MAX];
	char fault[FAULT_MAX];
	struct item *items;
	size_t count, room;
};

struct bundle_member {
	struct bundle *bundle;
	FILE *file;
	EVP_MD_CTX *sum;
	struct item item;
};

static void __attribute__((format(printf, 2, 3))) fail(struct bundle *b, const char *format, ...)
{
	va_list arguments;

	if (b->fault[0] == '\0') {
		va_start(arguments, format);
		vsnprintf(b->fault, sizeof b->fault, format, arguments);
		va_end(arguments);
	}
}

const char *
bundle_fault(const struct bundle *b)
{
	return b->fault[0] == '\0' ? NULL : b->fault;
}

/* --- the folder ---------------------------------------------------------------------------------
 */

void
bundle_path(const struct bundle *b, const char *name, char out[BUNDLE_PATH_MAX])
{
	snprintf(out, BUNDLE_PATH_MAX, "%s/%s", b->folder, name);
	char *slash = strrchr(out, '/');
	*slash = '\0';
	directory_make(out, 0700);
	*slash = '/';
}

static int
remove_one(const char *path, const struct stat *status, int kind, struct FTW *at)
{
	(void)status;
	(void)kind;
	(void)at;
	return remove(path);
}

/* Links in it are removed, not followed. */
static void
remove_folder(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

struct bundle *
bundle_make(const char *target, char *fault, size_t fault_size)
{
	struct bundle *b = calloc(1, sizeof *b);

	assert(b != NULL);
	snprintf(b->target, sizeof b->target, "%s", target);
	snprintf(b->folder, sizeof b->folder, "%s.parts", target);
	remove_folder(b->folder);
	if (mkdir(b->folder, 0700) != 0) {
		snprintf(fault, fault_size, "%s cannot be made: %s", b->folder, strerror(errno));
		free(b);
		return NULL;
	}
	return b;
}

void
bundle_free(struct bundle *b)
{
	if (b != NULL) {
		remove_folder(b->folder);
		free(b->items);
		free(b);
	}
}

/* --- members ------------------------------------------------------------------------------------
 */

static void
keep(struct bundle *b, const struct item *item)
{
	if (b->count == b->room) {
		b->room = b->room == 0 ? 64 : 2 * b->room;
		b->items = realloc(b->items, b->room * sizeof *b->items);
		assert(b->items != NULL);
	}
	b->items[b->count++] = *item;
}

static FILE *
open_member(struct bundle *b, const char *name)
{
	char path[BUNDLE_PATH_MAX];

	bundle_path(b, name, path);
	FILE *file = fopen(path, "wbxe");
	if (file == NULL) {
		fail(b, "%.300s cannot be written: %s", path, strerror(errno));
	}
	return file;
}

struct bundle_member *
bundle_begin(struct bundle *b, const char *name)
{
	struct bundle_member *m = calloc(1, sizeof *m);

	assert(m != NULL);
	assert(strlen(name) <= TAR_NAME_MAX);
	m->bundle = b;
	m->file = b->fault[0] == '\0' ? open_member(b, name) : NULL;
	if (m->file == NULL) {
		free(m);
		return NULL;
	}
	memcpy(m->item.name, name, strlen(name));
	m->sum = EVP_MD_CTX_new();
	assert(m->sum != NULL);
	EVP_DigestInit_ex2(m->sum, EVP_sha256(), NULL);
	return m;
}

void
bundle_write(struct bundle_member *m, const void *bytes, size_t count)
{
	if (m == NULL) {
		return;
	}
	EVP_DigestUpdate(m->sum, bytes, count);
	m->item.size += count;
	if (fwrite(bytes, 1, count, m->file) != count) {
		fail(m->bundle, "%s cannot be written: %s", m->item.name, strerror(errno));
	}
}

void
bundle_end(struct bundle_member *m)
{
	if (m == NULL) {
		return;
	}
	if (fclose(m->file) != 0) {
		fail(m->bundle, "%s cannot be written: %s", m->item.name, strerror(errno));
	}
	EVP_DigestFinal_ex(m->sum, m->item.digest.bytes, NULL);
	EVP_MD_CTX_free(m->sum);
	keep(m->bundle, &m->item);
	free(m);
}

void
bundle_put(struct bundle *b, const char *name, const void *bytes, size_t count)
{
	struct bundle_member *m = bundle_begin(b, name);

	bundle_write(m, bytes, count);
	bundle_end(m);
}

/* Gives every piece of a file; false if it cannot be read. */
static bool
read_pieces(const char *path, void (*take)(void *, const void *, size_t), void *context)
{
	FILE *file = fopen(path, "rbe");
	char *piece = malloc(COPY_BYTES);

	assert(piece != NULL);
	if (file == NULL) {
		free(piece);
		return false;
	}
	for (size_t got = 0; (got = fread(piece, 1, COPY_BYTES, file)) > 0;) {
		take(context, piece, got);
	}
	const bool ok = ferror(file) == 0;
	fclose(file);
	free(piece);
	return ok;
}

static void
sum_piece(void *context, const void *bytes, size_t count)
{
	struct bundle_member *m = context;

	EVP_DigestUpdate(m->sum, bytes, count);
	m->item.size += count;
}

void
bundle_adopt(struct bundle *b, const char *name)
{
	char path[BUNDLE_PATH_MAX];
	struct bundle_member m = { .bundle = b, .sum = EVP_MD_CTX_new() };

	if (b->fault[0] == '\0') {
		assert(m.sum != NULL && strlen(name) <= TAR_NAME_MAX);
		memcpy(m.item.name, name, strlen(name));
		EVP_DigestInit_ex2(m.sum, EVP_sha256(), NULL);
		bundle_path(b, name, path);
		if (!read_pieces(path, sum_piece, &m)) {
			fail(b, "%.300s cannot be read: %s", path, strerror(errno));
		}
		EVP_DigestFinal_ex(m.sum, m.item.digest.bytes, NULL);
		keep(b, &m.item);
	}
	EVP_MD_CTX_free(m.sum);
}

/* --- sums ---------------------------------------------------------------------------------------
 */

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct item *)a)->name, ((const struct item *)b)->name);
}

static bool
is_listed(const char *name, const char *const *unlisted)
{
	for (; *unlisted != NULL; unlisted++) {
		if (strcmp(name, *unlisted) == 0) {
			return false;
		}
	}
	return true;
}

void
bundle_sum(struct bundle *b, const char *const *unlisted)
{
	struct bundle_member *m = bundle_begin(b, "SHA256SUMS");

	qsort(b->items, b->count, sizeof *b->items, by_name);
	for (size_t i = 0; i < b->count; i++) {
		char line[2 * sizeof(struct digest) + TAR_NAME_MAX + 8];
		char hex[2 * sizeof(struct digest) + 1];

		if (is_listed(b->items[i].name, unlisted)) {
			hex_write(hex, b->items[i].digest.bytes, sizeof(struct digest));
			const int count =
				snprintf(line, sizeof line, "%s  %s\n", hex, b->items[i].name);
			bundle_write(m, line, (size_t)count);
		}
	}
	bundle_end(m);
}

bool
bundle_digest(const struct bundle *b, const char *name, struct digest *out)
{
	for (size_t i = 0; i < b->count; i++) {
		if (strcmp(b->items[i].name, name) == 0) {
			*out = b->items[i].digest;
			return true;
		}
	}
	return false;
}

/* --- the tar ------------------------------------------------------------------------------------
 */

static void
copy_piece(void *context, const void *bytes, size_t count)
{
	fwrite(bytes, 1, count, context);
}

static void
pack_member(struct bundle *b, FILE *tar, const struct item *item)
{
	char path[BUNDLE_PATH_MAX];
	char block[TAR_BLOCK_BYTES];

	if (!tar_header(block, item->name, item->size)) {
		fail(b, "%s is larger than a tar's header can say: choose a shorter range",
		     item->name);
		return;
	}
	fwrite(block, 1, sizeof block, tar);
	bundle_path(b, item->name, path);
	if (!read_pieces(path, copy_piece, tar)) {
		fail(b, "%.300s cannot be read: %s", path, strerror(errno));
	}
	memset(block, 0, sizeof block);
	fwrite(block, 1, tar_padding(item->size), tar);
}

bool
bundle_pack(struct bundle *b)
{
	static const char end[2 * TAR_BLOCK_BYTES];
	char path[FILE_PATH_MAX + 16];

	snprintf(path, sizeof path, "%s.partial", b->target);
	FILE *tar = b->fault[0] == '\0' ? fopen(path, "wbe") : NULL;
	if (tar == NULL) {
		fail(b, "%.300s cannot be written: %s", path, strerror(errno));
		return false;
	}
	qsort(b->items, b->count, sizeof *b->items, by_name);
	for (size_t i = 0; i < b->count; i++) {
		pack_member(b, tar, &b->items[i]);
	}
	fwrite(end, 1, sizeof end, tar);
	if (fflush(tar) != 0 || ferror(tar) != 0 || fsync(fileno(tar)) != 0) {
		fail(b, "%.300s cannot be written: %s", path, strerror(errno));
	}
	fclose(tar);
	if (b->fault[0] != '\0') {
		unlink(path);
	}
	return b->fault[0] == '\0';
}

bool
bundle_publish(struct bundle *b)
{
	char path[FILE_PATH_MAX + 16];

	snprintf(path, sizeof path, "%s.partial", b->target);
	if (rename(path, b->target) != 0) {
		fail(b, "%.200s cannot become %.200s: %s", path, b->target, strerror(errno));
		return false;
	}
	return true;
}
