/* doctor: what a person would look at in a data directory, in plain words, the worst first. It
 * needs no log that opens: that is when it is asked. */
#include "replay/commands_io.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "protocol/time_io.h"
#include "replay/care_io.h"
#include "replay/doctor_state_io.h"
#include "replay/print_io.h"
#include "store/files_io.h"
#include "store/read_io.h"
#include "store/repair_io.h"

enum {
	WAL_BYTES_LARGE = 256 << 20,
	ROOM_MB_MIN = 256,
	CHECKPOINT_OLD_S = 3600,
	SCRUB_OLD_DAYS = 30,
	SECRET_BYTES = 32,
};

void
doctor_note(struct visit *v, enum severity severity, const char *todo, const char *what, ...)
{
	va_list list;

	if (v->count == AILMENTS_MAX) {
		return;
	}
	struct ailment *a = &v->ailments[v->count++];
	a->severity = severity;
	va_start(list, what);
	vsnprintf(a->what, sizeof a->what, what, list);
	va_end(list);
	snprintf(a->todo, sizeof a->todo, "%s", todo);
}

static bool
look(const struct visit *v, const char *name, struct stat *status)
{
	char path[FILE_PATH_MAX];

	path_join(path, v->data, name);
	return stat(path, status) == 0;
}

/* --- files -------------------------------------------------------------------------------------
 */

static const struct {
	const char *name;
	enum severity severity; /* if it is missing */
	unsigned mode;          /* bits that it must not have */
	const char *todo;       /* if it is missing */
} files[] = {
	{ "witness.db", LOST, 022, "ifreplay restore BACKUP; never start with an empty one" },
	{ "keys.db", LOST, 022, "ifreplay restore BACKUP --keys DIR: the keys' own backup" },
	{ "private", LOST, 077, "put it back from your safe: nothing can replace it" },
	{ "private/log.key", LOST, 077,
	  "put it back from your safe: the log is signed with it, a new key is another log" },
	{ "head", WRONG, 0, "put it back, or copy the newest pub/checkpoint there" },
	{ "log.vkey", WRONG, 0, "start the witness: it writes it again from private/log.key" },
	{ "pub/checkpoint", NOTICE, 0, "start the witness: it publishes all of pub/ again" },
};

static void
look_at_files(struct visit *v)
{
	struct stat status;

	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		if (!look(v, files[i].name, &status)) {
			doctor_note(v, files[i].severity, files[i].todo, "%s is missing",
				    files[i].name);
		} else if (S_ISREG(status.st_mode) && status.st_size == 0) {
			doctor_note(v, files[i].severity, files[i].todo, "%s is empty",
				    files[i].name);
		} else if ((status.st_mode & files[i].mode) != 0) {
			doctor_note(v, WRONG, "chmod go= on it",
				    "%s can be reached by others (mode %04o)", files[i].name,
				    (unsigned)status.st_mode & 07777);
		}
	}
	if (look(v, ".", &status) && (status.st_mode & 077) != 0) {
		doctor_note(v, WRONG, "chmod 700 on it",
			    "the data directory is open to others (mode %04o)",
			    (unsigned)status.st_mode & 07777);
	}
	if (look(v, ".", &status) && status.st_uid != geteuid() && geteuid() != 0) {
		doctor_note(v, WRONG, "ask as the user that runs the cluster",
			    "the data directory belongs to user %u, and you are %u",
			    (unsigned)status.st_uid, (unsigned)geteuid());
	}
}

static void
look_at_secrets(struct visit *v)
{
	static const char *const names[] = { "private/log.key", "private/wrap.key" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		uint8_t secret[SECRET_BYTES];
		char path[FILE_PATH_MAX];

		path_join(path, v->data, names[i]);
		if (file_exists(path) && access(path, R_OK) == 0 &&
		    secret_read(path, secret) != FILE_OK) {
			doctor_note(v, LOST, "put back the right file: nothing can replace it",
				    "%s does not hold 64 hex digits", names[i]);
		}
		explicit_bzero(secret, sizeof secret);
	}
}

/* What was left lying by something that failed. */
static void
look_for_remains(struct visit *v)
{
	DIR *directory = opendir(v->data);

	if (directory == NULL) {
		return;
	}
	for (const struct dirent *item = readdir(directory); item != NULL;
	     item = readdir(directory)) {
		const size_t count = strlen(item->d_name);
		if (strncmp(item->d_name, "before-", 7) == 0) {
			doctor_note(v, NOTICE, "remove it once the log is well: it undoes erasures",
				    "%.200s keeps the files of before a restore or repair",
				    item->d_name);
		} else if (count > 4 && strcmp(item->d_name + count - 4, ".new") == 0 &&
			   !v->is_running) {
			doctor_note(v, NOTICE, "remove it",
				    "%.200s was left by something that did not finish",
				    item->d_name);
		}
	}
	closedir(directory);
}

/* --- the disk and the clock --------------------------------------------------------------------
 */

static void
look_at_disk(struct visit *v)
{
	struct statvfs disk;
	struct stat status;

	if (statvfs(v->data, &disk) == 0) {
		const uint64_t free_mb = (uint64_t)disk.f_bavail * disk.f_frsize >> 20;
		if (free_mb < ROOM_MB_MIN) {
			doctor_note(v, WRONG, "make room: new work is refused while it is full",
				    "only %" PRIu64 " MB are free on the log's disk", free_mb);
		}
		if (disk.f_files > 0 && disk.f_favail < 1000) {
			doctor_note(v, WRONG,
				    "remove small files elsewhere, or enlarge the file system",
				    "the disk is nearly out of inodes");
		}
		if ((disk.f_flag & ST_RDONLY) != 0) {
			doctor_note(v, WRONG, "see dmesg: a disk with errors is mounted so",
				    "the log's disk is mounted read-only");
		}
	}
	if (look(v, "witness.db-wal", &status) && status.st_size > WAL_BYTES_LARGE) {
		doctor_note(v, NOTICE, "end the reader that holds it open: fuser witness.db",
			    "witness.db-wal has grown to %" PRIu64 " MB",
			    (uint64_t)status.st_size >> 20);
	}
}

/* --- the log -----------------------------------------------------------------------------------
 */

struct seen {
	uint64_t recorded_us;
	uint64_t requested, ended, lost, suspended;
};

static bool
see_event(void *context, const struct event *event, const struct entry *entry)
{
	struct seen *seen = context;

	if (seen->recorded_us == 0) {
		seen->recorded_us = entry->recorded_us;
	}
	if (event == NULL) {
		return true;
	}
	seen->requested += event->type == EVENT_ERASE_REQUESTED;
	seen->ended += event->type == EVENT_ERASED || event->type == EVENT_ERASE_REFUSED;
	seen->lost += event->type == EVENT_PARTS_LOST;
	/* Backwards: only the newest of the two counts. */
	if (seen->suspended == 0 &&
	    (event->type == EVENT_LOG_SUSPENDED || event->type == EVENT_LOG_RESUMED)) {
		seen->suspended = event->type == EVENT_LOG_SUSPENDED ? 1 : 2;
	}
	return true;
}

static void
look_at_events(struct visit *v, struct log_reader *reader)
{
	const uint64_t now_us = time_now_us();
	struct seen seen = { 0 };

	log_pass_pruned(reader, NULL, NULL);
	if (!log_read_events_back(reader, NULL, 0, UINT64_MAX, LOG_STREAM(STREAM_WITNESS),
				  see_event, &seen)) {
		doctor_note(v, LOST, "ifreplay verify names it; then ifreplay repair --from COPY",
			    "the log cannot be read to its beginning: %s",
			    log_reader_fault(reader));
		return;
	}
	if (seen.recorded_us > now_us + 1000000) {
		doctor_note(v, WRONG,
			    "set the clock (timedatectl): recorded times stand still until then",
			    "the clock is %" PRIu64 " s behind the log's newest event",
			    (seen.recorded_us - now_us) / 1000000);
	}
	if (seen.requested > seen.ended) {
		doctor_note(v, WRONG, "start the witness, then ask for the erasure again",
			    "%" PRIu64 " erasures were asked for and not finished",
			    seen.requested - seen.ended);
	}
	if (seen.suspended == 1) {
		doctor_note(v, WRONG, "make room on the disk: it goes on by itself",
			    "the log is suspended: its disk was full");
	}
	if (seen.lost > 0) {
		doctor_note(v, NOTICE, "nothing: names in them stay unknown",
			    "a restore in the past lost sealed parts (see parts_lost in the log)");
	}
}

static void
look_at_head(struct visit *v, struct log_reader *reader)
{
	struct log_verifier verifier;
	struct checkpoint head = { 0 };
	char text[CHECKPOINT_NOTE_MAX];
	size_t count = 0;
	uint64_t size = 0;
	struct stat status;

	if (!log_reader_size(reader, &size) || !log_read_verifier(reader, &verifier)) {
		doctor_note(v, WRONG, "put the log's own log.vkey back",
			    "log.vkey is not a verifier key");
		return;
	}
	if (strcmp(verifier.name, log_reader_origin(reader)) != 0) {
		doctor_note(v, WRONG, "put the log's own log.vkey back",
			    "log.vkey is the key of %s, the log is %s", verifier.name,
			    log_reader_origin(reader));
	}
	if (!repair_anchor(v->data, &verifier, &head, text, &count)) {
		doctor_note(v, WRONG, "put head back, or the newest pub/checkpoint in its place",
			    "neither head nor pub/checkpoint holds a checkpoint of this log");
	} else if (head.size > size) {
		doctor_note(v, LOST, "ifreplay restore BACKUP fetches them from pub/ or a backup",
			    "events %" PRIu64 " to %" PRIu64 " were published and are missing in "
			    "witness.db",
			    size, head.size - 1);
	} else if (v->is_running && look(v, "head", &status) && head.size < size &&
		   (uint64_t)status.st_mtime + CHECKPOINT_OLD_S < time_now_us() / 1000000) {
		doctor_note(v, WRONG, "see the witness's lines in the cluster's output",
			    "the newest checkpoint is over an hour old, and %" PRIu64
			    " events are not signed",
			    size - head.size);
	}
}

static void
look_at_log(struct visit *v)
{
	struct log_reader *reader = NULL;
	struct log_keys *keys = NULL;
	struct stat status;
	char fault[CARE_FAULT_MAX];

	if (!look(v, "witness.db", &status)) {
		return;
	}
	if (!log_reader_open(v->data, &reader, fault, sizeof fault)) {
		doctor_note(v, LOST, "ifreplay repair --from COPY, or ifreplay restore BACKUP",
			    "the log does not open: %.400s", fault);
		return;
	}
	look_at_head(v, reader);
	look_at_events(v, reader);
	doctor_look_at_anchors(v, reader);
	if (log_keys_open(reader, NULL, &keys, fault, sizeof fault)) {
		log_keys_close(keys);
	} else {
		doctor_note(v, WRONG,
			    "names stay sealed until keys.db and private/wrap.key are back",
			    "the keys do not open: %.400s", fault);
	}
	log_reader_close(reader);
}

/* What reading it again, block by block, has found. */
static void
look_at_scrub(struct visit *v)
{
	const uint64_t now_s = time_now_us() / 1000000;

	scrub_load(v->data, &v->scrub);
	const uint64_t findings = v->scrub.ended_findings + v->scrub.findings;
	if (findings > 0) {
		doctor_note(v, WRONG,
			    "ifreplay verify names them; then stop the cluster, ifreplay repair "
			    "--from COPY",
			    "%" PRIu64 " breaks were found when the log was last read again",
			    findings);
	} else if (v->scrub.ended_s > 0 &&
		   now_s > v->scrub.ended_s + SCRUB_OLD_DAYS * UINT64_C(86400)) {
		doctor_note(v, NOTICE, "ifreplay scrub --all, or set scrub-interval",
			    "the log was last read again %" PRIu64 " days ago",
			    (now_s - v->scrub.ended_s) / 86400);
	}
}

/* --- telling -----------------------------------------------------------------------------------
 */

static const char *const severities[] = { "LOST", "WRONG", "NOTICE" };
static const char *const severity_words[] = { "lost", "wrong", "notice" };

static void
tell(const struct visit *v, enum severity severity, bool json)
{
	for (unsigned i = 0; i < v->count; i++) {
		const struct ailment *a = &v->ailments[i];
		struct paper paper;

		if (a->severity != severity) {
			continue;
		}
		if (json) {
			print_json(json_pack("{s:s, s:s, s:s, s:s}", "kind", "ailment", "severity",
					     severity_words[severity], "what", a->what, "todo",
					     a->todo));
			continue;
		}
		paper_clear(&paper);
		paper_add(&paper, "%-7s %s\n        do: %s\n", severities[severity], a->what,
			  a->todo);
		print_paper(&paper);
	}
}

static bool
is_ill(const struct visit *v)
{
	for (unsigned i = 0; i < v->count; i++) {
		if (v->ailments[i].severity != NOTICE) {
			return true;
		}
	}
	return false;
}

int
doctor_command(const struct options *options)
{
	struct visit *v = calloc(1, sizeof *v);
	struct stat status;

	if (v == NULL) {
		return 1;
	}
	v->data = options->data_dir;
	if (stat(options->data_dir, &status) != 0 || !S_ISDIR(status.st_mode)) {
		doctor_note(v, LOST, "name the data directory with --data-dir",
			    "%.300s is not a directory that can be read", options->data_dir);
	} else {
		const int lock = care_lock(options->data_dir);
		v->is_running = lock < 0;
		if (lock >= 0) {
			care_unlock(lock);
		}
		look_at_files(v);
		look_at_secrets(v);
		look_at_disk(v);
		look_at_log(v);
		look_at_scrub(v);
		look_for_remains(v);
	}
	const bool ill = is_ill(v);
	tell(v, LOST, options->json);
	tell(v, WRONG, options->json);
	tell(v, NOTICE, options->json);
	if (options->json) {
		print_json(json_pack("{s:s, s:b, s:b, s:I}", "kind", "summary", "well", !ill,
				     "running", v->is_running, "scrubbed",
				     (json_int_t)v->scrub.ended_s));
	} else {
		char when[MOMENT_PRINT_MAX] = "never";

		if (v->scrub.ended_s > 0) {
			moment_print(when, sizeof when, v->scrub.ended_s * 1000000);
		}
		printf("%s; the cluster %s; the log was last read again: %s. Whether every entry "
		       "holds: ifreplay verify\n",
		       ill ? "not well" : "well", v->is_running ? "runs" : "does not run", when);
	}
	free(v);
	return print_flush() && !ill ? 0 : 1;
}
