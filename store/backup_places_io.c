/* Where a backup may go: never into what it copies, never over something, and its keys never beside
 * its log. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/backup_state_io.h"

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
check_keys_place(const struct backup_copying *c, const char *target, const char *data)
{
	char keys[FILE_PATH_MAX];

	if (c->plan->keys == NULL) {
		return true;
	}
	if (!absolute(c->plan->keys, keys)) {
		return backup_say_errno(c, c->plan->keys, "its parent directory cannot be found");
	}
	if (lies_within(keys, target) || lies_within(target, keys)) {
		return backup_say(
			c, c->plan->keys,
			"keys that lie beside the log undo every erasure: name a separate "
			"place");
	}
	if (lies_within(keys, data)) {
		return backup_say(c, c->plan->keys, "it lies within the data directory itself");
	}
	return is_empty_or_absent(keys) || backup_say(c, keys, "not empty: name another directory");
}

bool
backup_find_place(const struct backup_copying *c)
{
	char target[FILE_PATH_MAX];
	char data[FILE_PATH_MAX];

	if (realpath(c->plan->data, data) == NULL) {
		return backup_say_errno(c, c->plan->data, "the data directory cannot be read");
	}
	if (!absolute(c->plan->target, target) || strlen(target) + 64 > FILE_PATH_MAX) {
		return backup_say_errno(c, c->plan->target, "its parent directory cannot be found");
	}
	if (lies_within(target, data)) {
		return backup_say(c, target,
				  "it lies within the data directory: name another place");
	}
	if (!is_empty_or_absent(target)) {
		return backup_say(c, target,
				  "not an empty directory: name one that is not there yet");
	}
	snprintf(c->made->partial, sizeof c->made->partial, "%.4080s.partial", target);
	if (file_exists(c->made->partial)) {
		return backup_say(c, c->made->partial,
				  "left by a backup that failed or still runs: remove it first");
	}
	return check_keys_place(c, target, data);
}
