#include "store/backup_io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/backup_state_io.h"
#include "store/checkpoint.h"
#include "store/head_io.h"
#include "store/keys_io.h"
#include "store/lookup_io.h"
#include "store/manifest_io.h"
#include "store/pub_io.h"

enum { DEPTH_MAX = 16 };

bool
backup_say(const struct backup_copying *c, const char *path, const char *what)
{
	snprintf(c->fault, c->fault_size, "%s: %s", path, what);
	return false;
}

bool
backup_say_errno(const struct backup_copying *c, const char *path, const char *what)
{
	snprintf(c->fault, c->fault_size, "%s: %s: %s", path, what, strerror(errno));
	return false;
}

/* --- databases ---------------------------------------------------------------------------------
 */

/* VACUUM INTO copies what is there and nothing else: no free page with deleted rows comes along. */
static bool
copy_database(const struct backup_copying *c, const char *from, const char *to,
	      const struct db_kind *kind)
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
		ok = backup_say_errno(c, to, "its mode cannot be set");
	}
	return ok;
}

/* --- small files -------------------------------------------------------------------------------
 */

static bool
copy_file(const struct backup_copying *c, const char *from, const char *to, unsigned mode)
{
	static uint8_t memory[65536];
	const int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (in < 0) {
		return errno == ENOENT || backup_say_errno(c, from, "cannot be read");
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
		backup_say_errno(c, to, "cannot be written");
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
copy_tree(const struct backup_copying *c, const char *from, const char *to, unsigned depth)
{
	DIR *directory = depth < DEPTH_MAX ? opendir(from) : NULL;
	bool ok = directory_make(to, 0755) == FILE_OK || backup_say_errno(c, to, "cannot be made");

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
publish_copy(const struct backup_copying *c, struct lookup *lookup)
{
	struct merkle *tree = malloc(sizeof *tree);
	char note[CHECKPOINT_NOTE_MAX];
	char from[FILE_PATH_MAX], to[FILE_PATH_MAX];
	size_t count = 0;
	struct checkpoint checkpoint;
	bool ok = tree != NULL && newest_note(lookup->db, note, &count);

	if (!ok) {
		free(tree);
		return backup_say(c, c->plan->data,
				  "no checkpoint is in the log yet: start it once");
	}
	const struct span bytes = { (const uint8_t *)note, count };
	path_join(from, c->plan->data, "pub");
	path_join(to, c->made->partial, "pub");
	ok = copy_tree(c, from, to, 0);
	if (ok && (!checkpoint_read(bytes, &checkpoint) ||
		   !merkle_resume(tree, checkpoint.size, lookup_hashes, lookup))) {
		ok = backup_say(c, c->plan->data,
				"its newest checkpoint is damaged: ifreplay verify");
	}
	if (ok && (pub_publish(c->made->partial, lookup, 0, tree, bytes) != FILE_OK ||
		   head_write(c->made->partial, bytes) != FILE_OK)) {
		ok = backup_say_errno(c, to, "cannot be written");
	}
	c->made->published = ok ? checkpoint.size : 0;
	free(tree);
	return ok;
}

static bool
finish_log(const struct backup_copying *c, const char *path)
{
	sqlite3 *db = NULL;
	struct lookup lookup = { 0 };

	if (!db_open(path, DB_READ, &log_kind, &db, c->fault, c->fault_size)) {
		return false;
	}
	bool ok = lookup_open(&lookup, db) && lookup_size(&lookup, &c->made->size);
	ok = ok ? publish_copy(c, &lookup) : backup_say(c, path, "not a log that can be read");
	lookup_close(&lookup);
	db_close(db);
	return ok;
}

/* --- the whole ---------------------------------------------------------------------------------
 */

static bool
sync_tree(const struct backup_copying *c, const char *path)
{
	const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const bool ok = fd >= 0 && syncfs(fd) == 0 && fsync(fd) == 0;

	if (fd >= 0) {
		close(fd);
	}
	return ok || backup_say_errno(c, path, "cannot be brought to the disk");
}

/* After the log: keys are durable before the log that uses them is, so none of its keys is missing.
 */
static bool
copy_keys(const struct backup_copying *c)
{
	char from[FILE_PATH_MAX], to[FILE_PATH_MAX];

	if (c->plan->keys == NULL) {
		return true;
	}
	if (directory_make(c->plan->keys, 0700) != FILE_OK) {
		return backup_say_errno(c, c->plan->keys, "cannot be made");
	}
	path_join(from, c->plan->data, "keys.db");
	path_join(to, c->plan->keys, "keys.db");
	return copy_database(c, from, to, &keys_kind) && sync_tree(c, c->plan->keys);
}

/* Before the log: each is logged before it stands there, so none that the copied log does not know
 * comes along. Timestamps come after it: they stand there before they are logged. */
static bool
copy_cosigned(const struct backup_copying *c)
{
	char from[FILE_PATH_MAX], to[FILE_PATH_MAX];

	path_join(to, c->made->partial, "pub");
	if (directory_make(to, 0755) != FILE_OK) {
		return backup_say_errno(c, to, "cannot be made");
	}
	path_join(from, c->plan->data, "pub/cosigned");
	path_join(to, c->made->partial, "pub/cosigned");
	return copy_file(c, from, to, 0644);
}

bool
backup_copy(const struct backup_plan *plan, struct backup_made *out, char *fault, size_t fault_size)
{
	const struct backup_copying c = { plan, out, fault, fault_size };
	char from[FILE_PATH_MAX], to[FILE_PATH_MAX];

	*out = (struct backup_made){ 0 };
	if (!backup_find_place(&c)) {
		return false;
	}
	if (directory_make(out->partial, 0700) != FILE_OK) {
		return backup_say_errno(&c, out->partial, "cannot be made");
	}
	path_join(from, plan->data, "witness.db");
	path_join(to, out->partial, "witness.db");
	if (!copy_cosigned(&c) || !copy_database(&c, from, to, &log_kind) || !finish_log(&c, to)) {
		return false;
	}
	path_join(from, plan->data, "log.vkey");
	path_join(to, out->partial, "log.vkey");
	return copy_file(&c, from, to, 0644) && copy_keys(&c) &&
	       manifest_write(out->partial, &out->files, &out->manifest, fault, fault_size) &&
	       sync_tree(&c, out->partial);
}

bool
backup_finish(const struct backup_plan *plan, const struct backup_made *made, char *fault,
	      size_t fault_size)
{
	const struct backup_made copy = *made;
	const struct backup_copying c = { plan, NULL, fault, fault_size };
	char target[FILE_PATH_MAX];

	snprintf(target, sizeof target, "%.*s", (int)(strlen(copy.partial) - strlen(".partial")),
		 copy.partial);
	if (rename(copy.partial, target) != 0) {
		return backup_say_errno(&c, target, "the finished copy cannot take its name");
	}
	return sync_tree(&c, target);
}
