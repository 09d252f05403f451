/* Where a backup may go: never into what it copies, never over something, and its keys never beside
 * its log. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/backup_state_io.h"

struct places {
	const struct backup_plan *plan;
	char *partial;
	char *fault;
	size_t fault_size;
};

static bool
say(const struct places *p, const char *path, const char *what)
{
	snprintf(p->fault, p->fault_size, "%s: %s", path, what);
	return false;
}

static bool
say_errno(const struct places *p, const char *path, const char *what)
{
	snprintf(p->fault, p->fault_size, "%s: %s: %s", path, what, strerror(errno));
	return false;
}

/* The absolute form of a path whose last part need not be there yet. */
static bool
absolute(const char *path, char out[FILE_PATH_MAX])
{
	char parent[FILE_PATH_MAX];
	size_t count = strlen(path);

	if (realpath(path, out) != NULL) {
		return true;
	}
	while (count > 1 && path[count - 1] == '/') {
		count--;
	}
	if (count == 0 || count >= sizeof parent) {
		return false;
	}
	snprintf(parent, sizeof parent, "%.*s", (int)count, path);
	char *slash = strrchr(parent, '/');
	char real[FILE_PATH_MAX];
	if (slash == NULL) {
		return realpath(".", real) != NULL &&
		       snprintf(out, FILE_PATH_MAX, "%s/%s", real, parent) < FILE_PATH_MAX;
	}
	*slash = '\0';
	return realpath(parent[0] == '\0' ? "/" : parent, real) != NULL &&
	       snprintf(out, FILE_PATH_MAX, "%s/%s", real, slash + 1) < FILE_PATH_MAX;
}

static bool
lies_within(const char *inner, const char *outer)
{
	const size_t count = strlen(outer);

	return strncmp(inner, outer, count) == 0 && (inner[count] == '/' || inner[count] == '\0');
}

static bool
is_empty_or_absent(const char *path)
{
	DIR *directory = opendir(path);
	bool empty = true;

	if (directory == NULL) {
		return errno == ENOENT;
	}
	for (const struct dirent *item = readdir(directory); item != NULL && empty;
	     item = readdir(directory)) {
		empty = strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0;
	}
	closedir(directory);
	return empty;
}

static bool
check_keys_place(const struct places *p, const char *target, const char *data)
{
	char keys[FILE_PATH_MAX];

	if (p->plan->keys == NULL) {
		return true;
	}
	if (!absolute(p->plan->keys, keys)) {
		return say_errno(p, p->plan->keys, "its parent directory cannot be found");
	}
	if (lies_within(keys, target) || lies_within(target, keys)) {
		return say(p, p->plan->keys,
			   "keys that lie beside the log undo every erasure: name a separate "
			   "place");
	}
	if (lies_within(keys, data)) {
		return say(p, p->plan->keys, "it lies within the data directory itself");
	}
	return is_empty_or_absent(keys) || say(p, keys, "not empty: name another directory");
}

bool
backup_find_place(const struct backup_plan *plan, char partial[FILE_PATH_MAX], char *fault,
		  size_t fault_size)
{
	const struct places places = { plan, partial, fault, fault_size };
	const struct places *p = &places;
	char target[FILE_PATH_MAX];
	char data[FILE_PATH_MAX];

	if (realpath(p->plan->data, data) == NULL) {
		return say_errno(p, p->plan->data, "the data directory cannot be read");
	}
	if (!absolute(p->plan->target, target) || strlen(target) + 64 > FILE_PATH_MAX) {
		return say_errno(p, p->plan->target, "its parent directory cannot be found");
	}
	if (lies_within(target, data)) {
		return say(p, target, "it lies within the data directory: name another place");
	}
	if (!is_empty_or_absent(target)) {
		return say(p, target, "not an empty directory: name one that is not there yet");
	}
	snprintf(p->partial, FILE_PATH_MAX, "%.4080s.partial", target);
	if (file_exists(p->partial)) {
		return say(p, p->partial,
			   "left by a backup that failed or still runs: remove it first");
	}
	return check_keys_place(p, target, data);
}
