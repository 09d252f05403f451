/* restore and repair: a new witness.db of proven rows takes the place of the old one, which is kept
 * aside. Both never fork: the new log extends every checkpoint that any of the copies shows. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "replay/care_io.h"
#include "replay/commands_io.h"
#include "replay/print_io.h"
#include "store/head_io.h"
#include "store/manifest_io.h"
#include "store/read_io.h"
#include "store/repair_io.h"
#include "store/scrub_io.h"

struct work {
	const struct options *options;
	const char *verb; /* "restore" or "repair" */
	struct log_verifier verifier;
	struct repair_plan plan;
	struct repair_done done;
	char fresh[FILE_PATH_MAX]; /* the new witness.db */
	char aside[FILE_PATH_MAX]; /* where the old files go */
	uint64_t backup_size;
	uint64_t forgotten;
	char fault[CARE_FAULT_MAX];
};

static int
fail(const struct work *w)
{
	fprintf(stderr, "ifreplay: %s: %s\n", w->verb, w->fault);
	return 1;
}

static bool
say(struct work *w, const char *path, const char *what)
{
	snprintf(w->fault, sizeof w->fault, "%.400s: %.300s", path, what);
	return false;
}

static bool
read_verifier(const char *directory, struct log_verifier *out)
{
	char path[FILE_PATH_MAX];
	char text[CHECKPOINT_VKEY_MAX + 1];
	size_t count = 0;

	path_join(path, directory, "log.vkey");
	if (file_read(path, text, sizeof text - 1, &count) != FILE_OK) {
		return false;
	}
	text[count] = '\0';
	return log_verifier_read(text, out);
}

static bool
is_there(const char *directory, const char *name)
{
	char path[FILE_PATH_MAX];

	path_join(path, directory, name);
	return file_exists(path);
}

/* --- the new log takes its place ---------------------------------------------------------------
 */

static bool
put_aside(struct work *w)
{
	static const char *const names[] = { "witness.db", "witness.db-wal", "witness.db-shm" };
	char stamp[32];
	const time_t now = time(NULL);
	struct tm utc;
	char from[FILE_PATH_MAX], to[FILE_PATH_MAX];

	strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &utc));
	snprintf(w->aside, sizeof w->aside, "%.4000s/before-%s-%s", w->options->data_dir, w->verb,
		 stamp);
	if (!is_there(w->options->data_dir, "witness.db")) {
		w->aside[0] = '\0';
		return true;
	}
	if (mkdir(w->aside, 0700) != 0) {
		return say(w, w->aside, strerror(errno));
	}
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		path_join(from, w->options->data_dir, names[i]);
		path_join(to, w->aside, names[i]);
		if (rename(from, to) != 0 && errno != ENOENT) {
			return say(w, from, strerror(errno));
		}
	}
	return true;
}

/* The head of the largest checkpoint known; and pub/ loses its own, so that the next publishing
 * writes all of it again from the proven log. */
static bool
renew_head(struct work *w)
{
	struct checkpoint best = { 0 };
	char kept[CHECKPOINT_NOTE_MAX], note[CHECKPOINT_NOTE_MAX], path[FILE_PATH_MAX];
	size_t count = 0, kept_count = 0;

	for (unsigned i = 0; i < w->plan.source_count; i++) {
		struct checkpoint found;
		if (repair_anchor(w->plan.sources[i].directory, &w->verifier, &found, note,
				  &count) &&
		    found.size > best.size) {
			best = found;
			memcpy(kept, note, count);
			kept_count = count;
		}
	}
	path_join(path, w->options->data_dir, "pub/checkpoint");
	if (head_write(w->options->data_dir, (struct span){ (const uint8_t *)kept, kept_count }) !=
	    FILE_OK) {
		return say(w, w->options->data_dir, "head cannot be written");
	}
	return unlink(path) == 0 || errno == ENOENT || say(w, path, strerror(errno));
}

static bool
take_place(struct work *w)
{
	char path[FILE_PATH_MAX];

	path_join(path, w->options->data_dir, "witness.db");
	if (!put_aside(w) || !renew_head(w)) {
		return false;
	}
	if (rename(w->fresh, path) != 0) {
		return say(w, path, strerror(errno));
	}
	scrub_forget(w->options->data_dir);
	const int fd = care_lock(w->options->data_dir);
	if (fd >= 0) {
		fsync(fd);
		care_unlock(fd);
	}
	return true;
}

static bool
rebuild(struct work *w, const char *const directories[], const bool own[], unsigned count)
{
	path_join(w->fresh, w->options->data_dir, "witness.db.new");
	w->plan.path = w->fresh;
	w->plan.verifier = w->verifier;
	for (unsigned i = 0; i < count; i++) {
		w->plan.sources[w->plan.source_count++] =
			(struct repair_source){ directories[i], own[i] };
	}
	/* What an attempt left that was interrupted; nobody else makes this name under the lock. */
	unlink(w->fresh);
	return repair_rebuild(&w->plan, &w->done, w->fault, sizeof w->fault);
}

/* --- restore -----------------------------------------------------------------------------------
 */

static bool
check_backup(struct work *w)
{
	struct log_verifier own;
	struct log_reader *reader = NULL;

	if (!manifest_check(w->options->copy, w->fault, sizeof w->fault)) {
		return false;
	}
	if (!read_verifier(w->options->copy, &w->verifier)) {
		return say(w, w->options->copy, "no log.vkey in it: not a backup");
	}
	if (care_verify(w->options->copy) > 0) {
		return say(w, w->options->copy, "the backup itself does not verify (breaks above)");
	}
	if (read_verifier(w->options->data_dir, &own) &&
	    memcmp(own.public_key, w->verifier.public_key, sizeof own.public_key) != 0) {
		return say(w, w->options->copy, "a backup of another log: log.vkey differs");
	}
	if (!log_reader_open(w->options->copy, &reader, w->fault, sizeof w->fault)) {
		return false;
	}
	const bool ok = log_reader_size(reader, &w->backup_size);
	log_reader_close(reader);
	return ok || say(w, w->options->copy, "its log cannot be read");
}

/* Keys of the data directory itself know every erasure that was ever finished there. */
static bool
check_secrets(struct work *w)
{
	if (!is_there(w->options->data_dir, "private/log.key")) {
		return say(w, w->options->data_dir,
			   "private/log.key is missing: put private/ back there first; without it "
			   "this log cannot go on");
	}
	if (is_there(w->options->data_dir, "keys.db")) {
		return true;
	}
	if (w->options->keys == NULL) {
		return say(w, w->options->data_dir,
			   "no keys.db: name the place of the keys' own backup with --keys DIR");
	}
	return is_there(w->options->keys, "keys.db") ||
	       say(w, w->options->keys, "no keys.db in it");
}

static bool
take_keys(struct work *w)
{
	static uint8_t memory[65536];
	char from[FILE_PATH_MAX], to[FILE_PATH_MAX], fresh[FILE_PATH_MAX];
	size_t count;
	bool ok = true;

	path_join(to, w->options->data_dir, "keys.db");
	if (!file_exists(to)) {
		path_join(from, w->options->keys, "keys.db");
		path_join(fresh, w->options->data_dir, "keys.db.new");
		FILE *in = fopen(from, "rb");
		FILE *out = fopen(fresh, "wb");
		ok = in != NULL && out != NULL && fchmod(fileno(out), 0600) == 0;
		while (ok && (count = fread(memory, 1, sizeof memory, in)) > 0) {
			ok = fwrite(memory, 1, count, out) == count;
		}
		ok = ok && ferror(in) == 0 && fflush(out) == 0 && fsync(fileno(out)) == 0;
		if (in != NULL) {
			fclose(in);
		}
		if (out != NULL) {
			ok = fclose(out) == 0 && ok;
		}
		if (!ok) {
			return say(w, from, "cannot be copied into the data directory");
		}
	} else {
		snprintf(fresh, sizeof fresh, "%s", to);
	}
	/* Before they have their name, and so before anything can be decrypted with them. */
	if (!repair_forget_keys(w->fresh, fresh, &w->forgotten, w->fault, sizeof w->fault)) {
		return false;
	}
	return strcmp(fresh, to) == 0 || rename(fresh, to) == 0 || say(w, to, strerror(errno));
}

static bool
log_restored(struct work *w)
{
	struct event events[2];
	size_t count = 0;
	const uint64_t more = w->done.size > w->backup_size ? w->done.size - w->backup_size : 0;

	if (w->done.parts_absent > 0) {
		events[count++] = (struct event){ .type = EVENT_PARTS_LOST,
						  .parts_lost = { w->done.absent_first,
								  w->done.absent_end } };
	}
	events[count++] =
		(struct event){ .type = EVENT_LOG_RESTORED,
				.log_restored = { w->backup_size, more, w->done.erasures } };
	return care_log(w->options->data_dir, w->verifier.name, events, count, w->fault);
}

static void
remove_aside(const struct work *w)
{
	static const char *const names[] = { "witness.db", "witness.db-wal", "witness.db-shm" };
	char path[FILE_PATH_MAX];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		path_join(path, w->aside, names[i]);
		unlink(path);
	}
	rmdir(w->aside);
}

static void
print_restored(const struct work *w, bool was_empty)
{
	const uint64_t more = w->done.size > w->backup_size ? w->done.size - w->backup_size : 0;

	if (w->options->json) {
		print_json(json_pack(
			"{s:s, s:I, s:I, s:I, s:I, s:I, s:s}", "kind", "restored", "backup",
			(json_int_t)w->backup_size, "beyond", (json_int_t)more, "parts_lost",
			(json_int_t)w->done.parts_absent, "erasures", (json_int_t)w->done.erasures,
			"keys_destroyed", (json_int_t)w->forgotten, "aside",
			w->options->discard ? "" : w->aside));
		return;
	}
	printf("restored      %" PRIu64 " events of the backup, and %" PRIu64
	       " after it that are still here\n",
	       w->backup_size, more);
	printf("proven        by the checkpoint over %" PRIu64 " events\n", w->done.anchor.size);
	printf("erasures      %" PRIu64 " replayed, %" PRIu64 " keys destroyed by them\n",
	       w->done.erasures, w->forgotten);
	if (w->done.parts_absent > 0) {
		printf("lost          %" PRIu64 " sealed parts of events %" PRIu64 " to %" PRIu64
		       " that no copy holds (those erased among them)\n",
		       w->done.parts_absent, w->done.absent_first, w->done.absent_end - 1);
	}
	if (was_empty) {
		printf("unknown       whether there were events after the backup: nothing here "
		       "knew "
		       "them. If you hold a later checkpoint: ifreplay verify --checkpoint FILE\n");
	}
	if (w->aside[0] != '\0' && !w->options->discard) {
		printf("kept aside    %s: it may hold sealed parts of people who were erased; "
		       "remove "
		       "it when the log is well, or restore with --discard\n",
		       w->aside);
	}
}

static bool
restore(struct work *w, bool was_empty)
{
	const char *const directories[] = { w->options->data_dir, w->options->copy };
	const bool own[] = { true, true };

	if (!check_backup(w) || !check_secrets(w) || !rebuild(w, directories, own, 2) ||
	    !take_keys(w) || !take_place(w)) {
		return false;
	}
	if (was_empty) {
		w->aside[0] = '\0';
	}
	return true;
}

int
restore_command(const struct options *options)
{
	struct work w = { .options = options, .verb = "restore" };
	const bool was_empty =
		!is_there(options->data_dir, "head") && !is_there(options->data_dir, "witness.db");

	if (directory_make(options->data_dir, 0700) != FILE_OK) {
		return say(&w, options->data_dir, "cannot be made"), fail(&w);
	}
	const int lock = care_lock(options->data_dir);
	if (lock < 0) {
		return say(&w, options->data_dir,
			   "a witness runs there: ifswarm stop, then restore"),
		       fail(&w);
	}
	const bool ok = restore(&w, was_empty);
	care_unlock(lock);
	if (!ok || !log_restored(&w)) {
		return fail(&w);
	}
	if (options->discard && w.aside[0] != '\0') {
		remove_aside(&w);
	}
	print_restored(&w, was_empty);
	return print_flush() ? 0 : 1;
}

/* --- repair ------------------------------------------------------------------------------------
 */

static bool
repair(struct work *w)
{
	const char *const directories[] = { w->options->data_dir, w->options->copy };
	const bool own[] = { true, false };

	if (!read_verifier(w->options->data_dir, &w->verifier)) {
		return say(
			w, w->options->data_dir,
			"log.vkey is missing or damaged: put the log's own back; the copy's would "
			"prove the copy to itself");
	}
	return rebuild(w, directories, own, 2) && take_place(w);
}

static void
print_repaired(const struct work *w)
{
	if (w->options->json) {
		print_json(json_pack("{s:s, s:I, s:I, s:I, s:I, s:s}", "kind", "repaired", "events",
				     (json_int_t)w->done.size, "entries",
				     (json_int_t)w->done.entries, "parts",
				     (json_int_t)w->done.parts, "tiles", (json_int_t)w->done.tiles,
				     "aside", w->aside));
		return;
	}
	printf("repaired      %" PRIu64 " entries, %" PRIu64 " sealed parts, %" PRIu64
	       " tiles taken from the copy or made again\n",
	       w->done.entries, w->done.parts, w->done.tiles);
	printf("proven        all of it by the checkpoint over %" PRIu64
	       " events; the log has %" PRIu64 "\n",
	       w->done.anchor.size, w->done.size);
	printf("kept aside    %s: the damaged file as it was\n", w->aside);
}

int
repair_command(const struct options *options)
{
	struct work w = { .options = options, .verb = "repair" };
	const int lock = care_lock(options->data_dir);

	if (lock < 0) {
		return say(&w, options->data_dir,
			   "not there, or a witness runs there: ifswarm stop, then repair"),
		       fail(&w);
	}
	const bool ok = repair(&w);
	care_unlock(lock);
	const struct event event = { .type = EVENT_LOG_REPAIRED,
				     .log_repaired = { w.done.entries, w.done.parts,
						       w.done.tiles } };
	if (!ok || !care_log(options->data_dir, w.verifier.name, &event, 1, w.fault)) {
		return fail(&w);
	}
	print_repaired(&w);
	return print_flush() ? 0 : 1;
}
