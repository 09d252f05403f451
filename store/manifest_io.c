#include "store/manifest_io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LIST_BYTES_MAX = 64 << 20, DEPTH_MAX = 16 };

struct list {
	char **lines;
	size_t count, room;
	bool failed;
};

static int
compare_lines(const void *a, const void *b)
{
	const char *const *left = a;
	const char *const *right = b;

	return strcmp(*left + 66, *right + 66);
}

static void
list_add(struct list *list, const uint8_t digest[32], const char *name)
{
	char hex[65];
	char *line = NULL;

	if (list->count == list->room) {
		list->room = list->room == 0 ? 64 : 2 * list->room;
		list->lines = reallocarray(list->lines, list->room, sizeof *list->lines);
	}
	for (size_t i = 0; i < 32; i++) {
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	}
	if (list->lines == NULL || asprintf(&line, "%s  %s\n", hex, name) < 0) {
		abort();
	}
	list->lines[list->count++] = line;
}

static bool
hash_file(const char *path, uint8_t out[32])
{
	static uint8_t memory[65536];
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	ssize_t count = fd < 0 ? -1 : 1;

	EVP_DigestInit_ex(context, EVP_sha256(), NULL);
	while (count > 0) {
		count = read(fd, memory, sizeof memory);
		if (count > 0) {
			EVP_DigestUpdate(context, memory, (size_t)count);
		}
	}
	EVP_DigestFinal_ex(context, out, NULL);
	EVP_MD_CTX_free(context);
	if (fd >= 0) {
		close(fd);
	}
	return count == 0;
}

/* `name` is the path below the root; it grows and shrinks on the way. */
static void
list_tree(struct list *list, const char *root, char name[FILE_PATH_MAX], unsigned depth)
{
	char path[FILE_PATH_MAX];
	const size_t end = strlen(name);

	path_join(path, root, end == 0 ? "." : name);
	DIR *directory = depth < DEPTH_MAX ? opendir(path) : NULL;
	if (directory == NULL) {
		list->failed = true;
		return;
	}
	for (const struct dirent *item = readdir(directory); item != NULL;
	     item = readdir(directory)) {
		struct stat status;
		uint8_t digest[32];

		if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0 ||
		    (depth == 0 && strcmp(item->d_name, MANIFEST_NAME) == 0)) {
			continue;
		}
		snprintf(name + end, FILE_PATH_MAX - end, "%s%s", end == 0 ? "" : "/",
			 item->d_name);
		if (strlen(root) + strlen(name) + 2 >= FILE_PATH_MAX) {
			list->failed = true;
			continue;
		}
		path_join(path, root, name);
		if (lstat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
			list_tree(list, root, name, depth + 1);
		} else if (hash_file(path, digest)) {
			list_add(list, digest, name);
		} else {
			list->failed = true;
		}
	}
	name[end] = '\0';
	closedir(directory);
}

static void
list_free(struct list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->lines[i]);
	}
	free(list->lines);
}

/* All lines as one text, in the order of the names; NULL if a file could not be read. */
static char *
list_text(const char *directory, uint64_t *files)
{
	struct list list = { 0 };
	char name[FILE_PATH_MAX] = "";
	size_t bytes = 1;

	list_tree(&list, directory, name, 0);
	if (list.count > 0) {
		qsort(list.lines, list.count, sizeof *list.lines, compare_lines);
	}
	for (size_t i = 0; i < list.count; i++) {
		bytes += strlen(list.lines[i]);
	}
	char *text = list.failed ? NULL : malloc(bytes);
	char *at = text;
	for (size_t i = 0; i < list.count && text != NULL; i++) {
		at = stpcpy(at, list.lines[i]);
	}
	if (text != NULL) {
		*at = '\0';
	}
	*files = list.count;
	list_free(&list);
	return text;
}

bool
manifest_write(const char *directory, uint64_t *files, struct digest *out, char *fault,
	       size_t fault_size)
{
	char path[FILE_PATH_MAX];
	char *text = list_text(directory, files);

	if (text == NULL) {
		snprintf(fault, fault_size, "%s: its files cannot be read back", directory);
		return false;
	}
	const struct span bytes = { (const uint8_t *)text, strlen(text) };
	path_join(path, directory, MANIFEST_NAME);
	EVP_Digest(bytes.at, bytes.count, out->bytes, NULL, EVP_sha256(), NULL);
	const bool ok = file_replace(path, bytes, 0644, true) == FILE_OK;
	if (!ok) {
		snprintf(fault, fault_size, "%s: cannot be written: %s", path, strerror(errno));
	}
	free(text);
	return ok;
}

bool
manifest_check(const char *directory, char *fault, size_t fault_size)
{
	char path[FILE_PATH_MAX];
	char *kept = malloc(LIST_BYTES_MAX + 1);
	size_t count = 0;
	uint64_t files = 0;
	size_t at = 0;

	path_join(path, directory, MANIFEST_NAME);
	if (kept == NULL || file_read(path, kept, LIST_BYTES_MAX, &count) != FILE_OK) {
		snprintf(fault, fault_size, "%s: missing or unreadable: not a whole backup", path);
		free(kept);
		return false;
	}
	kept[count] = '\0';
	char *found = list_text(directory, &files);
	while (found != NULL && found[at] != '\0' && found[at] == kept[at]) {
		at++;
	}
	const bool ok = found != NULL && at == count && found[at] == '\0';
	if (!ok) {
		while (at > 0 && kept[at - 1] != '\n') {
			at--;
		}
		snprintf(fault, fault_size,
			 "%s: the files are not those of the list, which says: %.*s", directory,
			 (int)strcspn(kept + at, "\n"), kept + at);
	}
	free(found);
	free(kept);
	return ok;
}
