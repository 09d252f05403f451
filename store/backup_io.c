#include "store/backup_io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/checkpoint.h"
#include "store/head_io.h"
#include "store/keys_io.h"
#include "store/lookup_io.h"
#include "store/pub_io.h"

enum { LIST_BYTES_MAX = 64 << 20, DEPTH_MAX = 16 };

struct copying {
	const struct backup_plan *plan;
	struct backup_made *made;
	char *fault;
	size_t fault_size;
};

static bool
say(const struct copying *c, const char *path, const char *what)
{
	snprintf(c->fault, c->fault_size, "%s: %s", path, what);
	return false;
}

static bool
say_errno(const struct copying *c, const char *path, const char *what)
{
	snprintf(c->fault, c->fault_size, "%s: %s: %s", path, what, strerror(errno));
	return false;
}

/* --- where to ----------------------------------------------------------------------------------
 */

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
check_keys_place(const struct copying *c, const char *target, const char *data)
{
	char keys[FILE_PATH_MAX];

	if (c->plan->keys == NULL) {
		return true;
	}
	if (!absolute(c->plan->keys, keys)) {
		return say_errno(c, c->plan->keys, "its parent directory cannot be found");
	}
	if (lies_within(keys, target) || lies_within(target, keys)) {
		return say(c, c->plan->keys,
			   "keys that lie beside the log undo every erasure: name a separate "
			   "place");
	}
	if (lies_within(keys, data)) {
		return say(c, c->plan->keys, "it lies within the data directory itself");
	}
	return is_empty_or_absent(keys) || say(c, keys, "not empty: name another directory");
}

static bool
check_places(const struct copying *c)
{
	char target[FILE_PATH_MAX];
	char data[FILE_PATH_MAX];

	if (realpath(c->plan->data, data) == NULL) {
		return say_errno(c, c->plan->data, "the data directory cannot be read");
	}
	if (!absolute(c->plan->target, target) || strlen(target) + 64 > FILE_PATH_MAX) {
		return say_errno(c, c->plan->target, "its parent directory cannot be found");
	}
	if (lies_within(target, data)) {
		return say(c, target, "it lies within the data directory: name another place");
	}
	if (!is_empty_or_absent(target)) {
		return say(c, target, "not an empty directory: name one that is not there yet");
	}
	snprintf(c->made->partial, sizeof c->made->partial, "%.4080s.partial", target);
	if (file_exists(c->made->partial)) {
		return say(c, c->made->partial,
			   "left by a backup that failed or still runs: remove it first");
	}
	return check_keys_place(c, target, data);
}

/* --- databases ---------------------------------------------------------------------------------
 */

/* VACUUM INTO copies what is there and nothing else: no free page with deleted rows comes along. */
static bool
copy_database(const struct copying *c, const char *from, const char *to, const struct db_kind *kind)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *statement = NULL;

	if (!db_open(from, DB_READ, kind, &db, c->fault, c->fault_size)) {
		return false;
	}
	bool ok = sqlite3_prepare_v2(db, "VACUUM INTO ?", -1, &statement, NULL) == SQLITE_OK;
	if (ok) {
		sqlite3_bind_text(statement, 1, to, -1, SQLITE_STATIC);
		ok = sqlite3_step(statement) == SQLITE_DONE;
	}
	if (!ok) {
		snprintf(c->fault, c->fault_size, "%s: cannot be copied to %s: %s", from, to,
			 sqlite3_errmsg(db));
	}
	sqlite3_finalize(statement);
	db_close(db);
	if (ok && chmod(to, 0600) != 0) {
		ok = say_errno(c, to, "its mode cannot be set");
	}
	return ok;
}

/* --- small files -------------------------------------------------------------------------------
 */

static bool
copy_file(const struct copying *c, const char *from, const char *to, unsigned mode)
{
	static uint8_t memory[65536];
	const int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (in < 0) {
		return errno == ENOENT || say_errno(c, from, "cannot be read");
	}
	const int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	ssize_t count = out < 0 ? -1 : 1;
	while (count > 0) {
		count = read(in, memory, sizeof memory);
		if (count > 0 && write(out, memory, (size_t)count) != count) {
			count = -1;
		}
	}
	const bool ok = count == 0;
	if (!ok) {
		say_errno(c, to, "cannot be written");
	}
	close(in);
	if (out >= 0) {
		close(out);
	}
	return ok;
}

/* What pub/ holds beside the tiles (timestamps): those are written again from the log, and the
 * bundles of what was pruned are not. The cosignatures are there already. */
static bool
is_copied(const char *name, unsigned depth)
{
	const size_t count = strlen(name);

	if (name[0] == '.' || (count > 4 && strcmp(name + count - 4, ".new") == 0)) {
		return false;
	}
	if (depth == 0 && (strcmp(name, "checkpoint") == 0 || strcmp(name, "tile") == 0 ||
			   strcmp(name, "cosigned") == 0)) {
		return false;
	}
	return count < 2 || strcmp(name + count - 2, ".p") != 0;
}

static bool
copy_tree(const struct copying *c, const char *from, const char *to, unsigned depth)
{
	DIR *directory = depth < DEPTH_MAX ? opendir(from) : NULL;
	bool ok = directory_make(to, 0755) == FILE_OK || say_errno(c, to, "cannot be made");

	if (directory == NULL) {
		return ok;
	}
	for (const struct dirent *item = readdir(directory); item != NULL && ok;
	     item = readdir(directory)) {
		char in[FILE_PATH_MAX], out[FILE_PATH_MAX];
		struct stat status;

		if (!is_copied(item->d_name, depth)) {
			continue;
		}
		path_join(in, from, item->d_name);
		path_join(out, to, item->d_name);
		if (lstat(in, &status) == 0 && S_ISDIR(status.st_mode)) {
			ok = copy_tree(c, in, out, depth + 1);
		} else if (S_ISREG(status.st_mode)) {
			ok = copy_file(c, in, out, 0644);
		}
	}
	closedir(directory);
	return ok;
}

/* --- head and pub/, as the copied log says them ------------------------------------------------
 */

static bool
newest_note(sqlite3 *db, char note[CHECKPOINT_NOTE_MAX], size_t *count)
{
	sqlite3_stmt *statement =
		db_prepare(db, "SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1");

	*count = 0;
	if (statement != NULL && sqlite3_step(statement) == SQLITE_ROW) {
		const struct span bytes = db_span(statement, 0);
		*count = bytes.count < CHECKPOINT_NOTE_MAX ? bytes.count : 0;
		memcpy(note, bytes.at, *count);
	}
	sqlite3_finalize(statement);
	return *count > 0;
}

static bool
publish_copy(const struct copying *c, struct lookup *lookup)
{
	struct merkle *tree = malloc(sizeof *tree);
	char note[CHECKPOINT_NOTE_MAX];
	char from[FILE_PATH_MAX], to[FILE_PATH_MAX];
	size_t count = 0;
	struct checkpoint checkpoint;
	bool ok = tree != NULL && newest_note(lookup->db, note, &count);

	if (!ok) {
		free(tree);
		return say(c, c->plan->data, "no checkpoint is in the log yet: start it once");
	}
	const struct span bytes = { (const uint8_t *)note, count };
	path_join(from, c->plan->data, "pub");
	path_join(to, c->made->partial, "pub");
	ok = copy_tree(c, from, to, 0);
	if (ok && (!checkpoint_read(bytes, &checkpoint) ||
		   !merkle_resume(tree, checkpoint.size, lookup_hashes, lookup))) {
		ok = say(c, c->plan->data, "its newest checkpoint is damaged: ifreplay verify");
	}
	if (ok && (pub_publish(c->made->partial, lookup, 0, tree, bytes) != FILE_OK ||
		   head_write(c->made->partial, bytes) != FILE_OK)) {
		ok = say_errno(c, to, "cannot be written");
	}
	c->made->published = ok ? checkpoint.size : 0;
	free(tree);
	return ok;
}

static bool
finish_log(const struct copying *c, const char *path)
{
	sqlite3 *db = NULL;
	struct lookup lookup = { 0 };

	if (!db_open(path, DB_READ, &log_kind, &db, c->fault, c->fault_size)) {
		return false;
	}
	bool ok = lookup_open(&lookup, db) && lookup_size(&lookup, &c->made->size);
	ok = ok ? publish_copy(c, &lookup) : say(c, path, "not a log that can be read");
	lookup_close(&lookup);
	db_close(db);
	return ok;
}

/* --- the list ----------------------------------------------------------------------------------
 */

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
		    (depth == 0 && strcmp(item->d_name, BACKUP_MANIFEST) == 0)) {
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

static bool
write_list(const struct copying *c)
{
	char path[FILE_PATH_MAX];
	char *text = list_text(c->made->partial, &c->made->files);

	if (text == NULL) {
		return say(c, c->made->partial, "its files cannot be read back");
	}
	const struct span bytes = { (const uint8_t *)text, strlen(text) };
	path_join(path, c->made->partial, BACKUP_MANIFEST);
	EVP_Digest(bytes.at, bytes.count, c->made->manifest.bytes, NULL, EVP_sha256(), NULL);
	const bool ok = file_replace(path, bytes, 0644, true) == FILE_OK;
	free(text);
	return ok || say_errno(c, path, "cannot be written");
}

bool
backup_check_list(const char *directory, char *fault, size_t fault_size)
{
	char path[FILE_PATH_MAX];
	char *kept = malloc(LIST_BYTES_MAX + 1);
	size_t count = 0;
	uint64_t files = 0;
	size_t at = 0;

	path_join(path, directory, BACKUP_MANIFEST);
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

/* --- the whole ---------------------------------------------------------------------------------
 */

static bool
sync_tree(const struct copying *c, const char *path)
{
	const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const bool ok = fd >= 0 && syncfs(fd) == 0 && fsync(fd) == 0;

	if (fd >= 0) {
		close(fd);
	}
	return ok || say_errno(c, path, "cannot be brought to the disk");
}

/* After the log: keys are durable before the log that uses them is, so none of its keys is missing.
 */
static bool
copy_keys(const struct copying *c)
{
	char from[FILE_PATH_MAX], to[FILE_PATH_MAX];

	if (c->plan->keys == NULL) {
		return true;
	}
	if (directory_make(c->plan->keys, 0700) != FILE_OK) {
		return say_errno(c, c->plan->keys, "cannot be made");
	}
	path_join(from, c->plan->data, "keys.db");
	path_join(to, c->plan->keys, "keys.db");
	return copy_database(c, from, to, &keys_kind) && sync_tree(c, c->plan->keys);
}

/* Before the log: each is logged before it stands there, so none that the copied log does not know
 * comes along. Timestamps come after it: they stand there before they are logged. */
static bool
copy_cosigned(const struct copying *c)
{
	char from[FILE_PATH_MAX], to[FILE_PATH_MAX];

	path_join(to, c->made->partial, "pub");
	if (directory_make(to, 0755) != FILE_OK) {
		return say_errno(c, to, "cannot be made");
	}
	path_join(from, c->plan->data, "pub/cosigned");
	path_join(to, c->made->partial, "pub/cosigned");
	return copy_file(c, from, to, 0644);
}

bool
backup_copy(const struct backup_plan *plan, struct backup_made *out, char *fault, size_t fault_size)
{
	const struct copying c = { plan, out, fault, fault_size };
	char from[FILE_PATH_MAX], to[FILE_PATH_MAX];

	*out = (struct backup_made){ 0 };
	if (!check_places(&c)) {
		return false;
	}
	if (directory_make(out->partial, 0700) != FILE_OK) {
		return say_errno(&c, out->partial, "cannot be made");
	}
	path_join(from, plan->data, "witness.db");
	path_join(to, out->partial, "witness.db");
	if (!copy_cosigned(&c) || !copy_database(&c, from, to, &log_kind) || !finish_log(&c, to)) {
		return false;
	}
	path_join(from, plan->data, "log.vkey");
	path_join(to, out->partial, "log.vkey");
	return copy_file(&c, from, to, 0644) && copy_keys(&c) && write_list(&c) &&
	       sync_tree(&c, out->partial);
}

bool
backup_finish(const struct backup_plan *plan, const struct backup_made *made, char *fault,
	      size_t fault_size)
{
	const struct backup_made copy = *made;
	const struct copying c = { plan, NULL, fault, fault_size };
	char target[FILE_PATH_MAX];

	snprintf(target, sizeof target, "%.*s", (int)(strlen(copy.partial) - strlen(".partial")),
		 copy.partial);
	if (rename(copy.partial, target) != 0) {
		return say_errno(&c, target, "the finished copy cannot take its name");
	}
	return sync_tree(&c, target);
}
