/* backup, restore and repair over a small true log: what they bring back, and what they refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/wait.h>

#include "replay/care_io.h"
#include "replay/commands_io.h"
#include "store/backup_io.h"
#include "store/manifest_io.h"
#include "store/read_io.h"
#include "tests/replay_fixture.h"

static int
sh(const char *script)
{
	char line[8192];

	snprintf(line, sizeof line, "cd %s && { %s; } >/dev/null", fixture_base, script);
	return system(line);
}

static const char *
at(const char *name)
{
	static char paths[32][256];
	static unsigned next;
	char *path = paths[next++ % 32];

	snprintf(path, sizeof paths[0], "%s/%s", fixture_base, name);
	return path;
}

static void
sql(const char *name, const char *statements)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(at(name), &db), SQLITE_OK);
	if (sqlite3_exec(db, statements, NULL, NULL, NULL) != SQLITE_OK) {
		fail_msg("%s", sqlite3_errmsg(db));
	}
	sqlite3_close(db);
}

static uint64_t
size_of(const char *name)
{
	struct log_reader *reader;
	uint64_t size = 0;
	char fault[512];

	assert_true(log_reader_open(at(name), &reader, fault, sizeof fault));
	assert_true(log_reader_size(reader, &size));
	log_reader_close(reader);
	return size;
}

/* `data`: the true log; `backup`, `keys`: made from it; then `data` gets more events. */
static void
make_backup(void)
{
	assert_int_equal(sh("rm -rf data backup backup.partial keys other; cp -a true data"), 0);
	const struct options care = { .data_dir = at("data"),
				      .copy = at("backup"),
				      .keys = at("keys") };
	assert_int_equal(backup_command(&care), 0);
}

static void
add_events(const char *name, enum event_type type)
{
	struct event event = { .type = type };
	char fault[CARE_FAULT_MAX];

	if (type == EVENT_SUBJECT_ERASED) {
		event.subject_erased.subject = fixture_id(0xA0, 1);
		event.subject_erased.keys = 1;
	}
	if (!care_log(at(name), FIXTURE_ORIGIN, &event, 1, fault)) {
		fail_msg("%s", fault);
	}
}

static int
restore(bool with_keys)
{
	const struct options care = { .data_dir = at("data"),
				      .copy = at("backup"),
				      .keys = with_keys ? at("keys") : NULL };

	return restore_command(&care);
}

static int
repair(const char *copy)
{
	const struct options care = { .data_dir = at("data"), .copy = at(copy) };

	return repair_command(&care);
}

static void
a_backup_is_whole_and_holds_no_keys(void **state)
{
	char fault[512];

	(void)state;
	make_backup();
	assert_int_equal(care_verify(at("backup")), 0);
	assert_true(manifest_check(at("backup"), fault, sizeof fault));
	assert_int_equal(sh("cd backup && sha256sum -c --quiet MANIFEST.sha256"), 0);
	assert_int_equal(sh("test ! -e backup/keys.db && test ! -e backup/private"), 0);
	assert_int_equal(sh("test -s keys/keys.db && test ! -e backup.partial"), 0);
	assert_int_equal(sh("test -s backup/head && test -s backup/pub/checkpoint"), 0);
}

static void
a_backup_is_made_beside_a_running_witness(void **state)
{
	struct evidence *evidence;
	char fault[512];
	const struct options care = { .data_dir = at("data"), .copy = at("beside") };
	const struct evidence_options options = { .directory = at("data"),
						  .origin = FIXTURE_ORIGIN,
						  .now_us = UINT64_C(1790000001000000) };

	(void)state;
	make_backup();
	assert_true(evidence_open(&options, &evidence, fault, sizeof fault));
	assert_int_equal(backup_command(&care), 0);
	assert_int_equal(care_verify(at("beside")), 0);
	/* And neither restore nor repair touches it. */
	assert_int_equal(restore(false), 1);
	assert_int_equal(repair("backup"), 1);
	evidence_close(evidence, UINT64_C(1790000002000000));
	assert_int_equal(care_verify(at("data")), 0);
}

static void
a_backup_is_refused_where_it_must_not_be(void **state)
{
	static const struct {
		const char *what, *target, *keys;
	} rows[] = {
		{ "a directory that holds something", "backup", NULL },
		{ "keys within the backup", "new", "new/keys" },
		{ "keys in the backup's own directory", "new", "new" },
		{ "the backup within the keys' place", "more/new", "more" },
		{ "the backup within the data directory", "data/new", NULL },
		{ "keys within the data directory", "new", "data/k" },
		{ "a place whose parent is missing", "nowhere/at/all", NULL },
	};

	(void)state;
	make_backup();
	assert_int_equal(sh("mkdir -p more"), 0);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct options care = { .data_dir = at("data"),
					      .copy = at(rows[i].target),
					      .keys = rows[i].keys ? at(rows[i].keys) : NULL };
		if (backup_command(&care) != 1) {
			fail_msg("not refused: %s", rows[i].what);
		}
	}
	assert_int_equal(sh("test ! -e new && test ! -e data/new"), 0);
}

static void
a_damaged_log_gives_no_backup(void **state)
{
	const struct options care = { .data_dir = at("data"), .copy = at("bad") };

	(void)state;
	make_backup();
	sql("data/witness.db", "DROP TRIGGER event_update;"
			       "UPDATE event SET entry = zeroblob(80) WHERE seq = 100");
	assert_int_equal(backup_command(&care), 1);
	assert_int_equal(sh("test -d bad.partial && test ! -e bad && rm -rf bad.partial"), 0);
}

static void
restore_brings_events_after_the_backup(void **state)
{
	(void)state;
	make_backup();
	add_events("data", EVENT_CLOCK_STEPPED_BACK);
	const uint64_t size = size_of("data");

	/* Its own witness.db is there; then only what it published. */
	assert_int_equal(restore(false), 0);
	assert_true(size_of("data") > size);
	assert_int_equal(care_verify(at("data")), 0);
	const uint64_t again = size_of("data");
	assert_int_equal(sh("rm data/witness.db*"), 0);
	assert_int_equal(restore(false), 0);
	assert_true(size_of("data") > again);
	assert_int_equal(care_verify(at("data")), 0);
}

static void
restore_into_an_empty_directory(void **state)
{
	(void)state;
	make_backup();
	assert_int_equal(sh("mv data other; mkdir -m 700 data"), 0);
	/* Without the signing key, then without the keys. */
	assert_int_equal(restore(true), 1);
	assert_int_equal(sh("cp -a other/private data/"), 0);
	assert_int_equal(restore(false), 1);
	assert_int_equal(restore(true), 0);
	assert_int_equal(care_verify(at("data")), 0);
}

static void
restore_refuses_a_fork(void **state)
{
	(void)state;
	make_backup();
	add_events("data", EVENT_CLOCK_STEPPED_BACK);
	/* The head knows more than anybody can show. */
	assert_int_equal(sh("rm -r data/witness.db* data/pub"), 0);
	assert_int_equal(restore(false), 1);
	assert_int_equal(sh("test ! -e data/witness.db && test ! -e data/witness.db.new"), 0);
	/* Another history under the same key. */
	assert_int_equal(sh("rm -rf data && cp -a true data && rm -rf other && cp -a true other"),
			 0);
	add_events("data", EVENT_CLOCK_STEPPED_BACK);
	add_events("other", EVENT_LOG_RESUMED);
	assert_int_equal(sh("rm -rf backup keys"), 0);
	const struct options care = { .data_dir = at("other"), .copy = at("backup") };
	assert_int_equal(backup_command(&care), 0);
	assert_int_equal(restore(false), 1);
	assert_int_equal(care_verify(at("data")), 0);
}

static void
restore_refuses_what_is_no_whole_backup(void **state)
{
	static const char *const scripts[] = {
		"rm backup/MANIFEST.sha256",
		"echo more >backup/more",
		"rm backup/log.vkey",
		"truncate -s 20000 backup/witness.db",
		"cp backup/log.vkey backup/head",
		"rm -r backup/pub",
		"rm -r backup",
	};

	(void)state;
	for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
		make_backup();
		assert_int_equal(sh(scripts[i]), 0);
		if (restore(false) != 1) {
			fail_msg("not refused: %s", scripts[i]);
		}
		assert_int_equal(care_verify(at("data")), 0);
	}
}

static uint64_t
count_keys(const char *name)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *statement = NULL;

	assert_int_equal(sqlite3_open(at(name), &db), SQLITE_OK);
	sqlite3_prepare_v2(db,
			   "SELECT count(*) FROM data_key WHERE"
			   " subject = x'a0000000000000000000000000000001'",
			   -1, &statement, NULL);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	const uint64_t count = (uint64_t)sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return count;
}

static void
a_restore_brings_no_erased_person_back(void **state)
{
	(void)state;
	make_backup();
	assert_int_equal(count_keys("keys/keys.db"), 1);
	add_events("data", EVENT_SUBJECT_ERASED);
	/* Log and keys are lost; the backups are from before the erasure, which was published. */
	assert_int_equal(sh("rm data/witness.db* data/keys.db*"), 0);
	assert_int_equal(restore(true), 0);
	assert_int_equal(count_keys("data/keys.db"), 0);
	sqlite3 *db = NULL;
	sqlite3_stmt *statement = NULL;
	assert_int_equal(sqlite3_open(at("data/witness.db"), &db), SQLITE_OK);
	/* The first sealed part of all was about the one who is erased. */
	char attach[512];
	snprintf(attach, sizeof attach, "ATTACH '%s' AS before", at("backup/witness.db"));
	assert_int_equal(sqlite3_exec(db, attach, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_prepare_v2(db,
			   "SELECT count(*) FROM main.sealed WHERE id ="
			   " (SELECT min(id) FROM before.sealed)",
			   -1, &statement, NULL);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int64(statement, 0), 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
}

static const struct {
	const char *what;
	const char *file;
	const char *damage; /* of data/witness.db, in SQL */
	const char *script; /* of any file */
	const char *copy;
	int code;
} repairs[] = {
	{ "an altered entry, from a backup", "data/witness.db",
	  "DROP TRIGGER event_update; UPDATE event SET entry = zeroblob(80) WHERE seq = 100",
	  "true", "backup", 0 },
	{ "an altered entry with columns made to match, from a stranger's pub", "data/witness.db",
	  "DROP TRIGGER event_update; UPDATE event SET (entry, type, stream) ="
	  " (SELECT entry, type, stream FROM event WHERE seq = 300) WHERE seq = 301",
	  "true", "backup/pub", 0 },
	{ "missing entries, from a backup", "data/witness.db",
	  "DROP TRIGGER event_delete; DELETE FROM event WHERE seq > 200 AND seq < 420", "true",
	  "backup", 0 },
	{ "altered sealed parts and tiles", "data/witness.db",
	  "DROP TRIGGER sealed_update; DROP TRIGGER tile_update;"
	  "UPDATE sealed SET body = zeroblob(40); UPDATE tile SET hashes = zeroblob(8192)",
	  "true", "backup", 0 },
	{ "a truncated file", NULL, NULL, "truncate -s 90000 data/witness.db", "backup", 0 },
	{ "a file of other bytes", NULL, NULL, "cp data/log.vkey data/witness.db", "backup", 0 },
	{ "a copy damaged at the same place", "backup/witness.db",
	  "DROP TRIGGER event_update; UPDATE event SET entry = zeroblob(80) WHERE seq = 100",
	  "cp backup/witness.db data/witness.db; rm -r data/pub/tile backup/pub/tile", "backup",
	  1 },
	{ "a copy that is not there", NULL, NULL,
	  "cp data/log.vkey data/witness.db; rm -r data/pub", "nowhere", 1 },
	{ "without the log's own key", NULL, NULL, "rm data/log.vkey", "backup", 1 },
};

static void
repair_takes_what_proves(void **state)
{
	size_t failures = 0;

	(void)state;
	for (size_t i = 0; i < sizeof repairs / sizeof repairs[0]; i++) {
		make_backup();
		if (repairs[i].damage != NULL) {
			sql(repairs[i].file, repairs[i].damage);
		}
		assert_int_equal(sh(repairs[i].script), 0);
		const int code = repair(repairs[i].copy);
		if (code != repairs[i].code || (code == 0 && care_verify(at("data")) != 0)) {
			print_message("NOT AS EXPECTED: %s: %d\n", repairs[i].what, code);
			failures++;
		}
	}
	assert_int_equal(failures, 0);
}

#define POLICY "printf 'witness w %s http://127.0.0.1:1\nquorum w\n' \"$VKEY\" >data/policy.txt"

/* What the built program says about a directory that was harmed. */
static const struct {
	const char *what;
	const char *script;
	int code;
	const char *has;
} visits[] = {
	{ "a healthy one", "true", 0, "well; the cluster does not run" },
	{ "nothing there", "rm -rf data", 1, "not a directory" },
	{ "no log", "rm data/witness.db*", 1, "witness.db is missing" },
	{ "a log of other bytes", "cp data/log.vkey data/witness.db", 1, "the log does not open" },
	{ "a truncated log", "truncate -s 4096 data/witness.db", 1, "LOST" },
	{ "an empty log", ": >data/witness.db", 1, "witness.db is empty" },
	{ "no keys", "rm data/keys.db*", 1, "keys.db is missing" },
	{ "no signing key", "rm data/private/log.key", 1, "private/log.key is missing" },
	{ "a signing key that is none", "echo no >data/private/log.key", 1, "64 hex digits" },
	{ "an open directory", "chmod 755 data", 1, "open to others (mode 0755)" },
	{ "keys that others can write", "chmod 666 data/keys.db", 1,
	  "keys.db can be reached by others" },
	{ "no head", "rm data/head", 1, "head is missing" },
	{ "no checkpoint at all", "rm data/head data/pub/checkpoint", 1, "neither head nor" },
	{ "another log's key", "sed -i s,ifswarm.local/test,ifswarm.local/other, data/log.vkey", 1,
	  "log.vkey" },
	{ "an old log under a newer head", "cp backup/witness.db data/; rm -f data/witness.db-*", 1,
	  "were published and are missing" },
	{ "remains", "mkdir data/before-repair-20260101T000000Z", 0, "keeps the files of before" },
};

/* What it says of those who see the log's checkpoints. */
static const struct {
	const char *what;
	const char *script;
	bool runs;         /* somebody holds the directory */
	uint64_t cosigned; /* the log says that w.example has cosigned that size */
	uint64_t stamped;  /* and that it was timestamped */
	int code;
	const char *has;
} anchored[] = {
	{ "a witness that was never reached", POLICY, true, 0, 0, 1,
	  "witness w has seen nothing after size 0" },
	{ "a quorum that never met", POLICY, true, 0, 0, 1,
	  "no checkpoint has been seen by the quorum" },
	{ "a witness that was reached long ago", POLICY, true, 100, 0, 1,
	  "witness w has seen nothing after size 100" },
	{ "a quorum that is behind", POLICY, true, 100, 0, 1,
	  "the quorum is behind: it has seen size 100" },
	{ "the same, and nobody runs", POLICY, false, 100, 0, 0, "well; the cluster does not run" },
	{ "a policy that is none", "echo x >data/policy.txt", false, 0, 0, 1,
	  "the policy cannot be read" },
	{ "a timestamp without its file", "true", false, 0, 7, 1,
	  "1 timestamps that the log knows are missing" },
	{ "a timestamp with its file", "mkdir -p data/pub/timestamp; : >data/pub/timestamp/7.tsr",
	  false, 0, 7, 0, "well; the cluster does not run" },
};

/* $VKEY in the rows: a witness of that name. */
static void
export_witness(void)
{
	char vkey[CHECKPOINT_VKEY_MAX];
	struct log_signer witness;

	vkey_signer_make(&witness, "w.example", VKEY_COSIGNER, (uint8_t[32]){ 5 });
	log_verifier_write(vkey, &witness.verifier);
	assert_int_equal(setenv("VKEY", vkey, 1), 0);
}

static void
add_anchors(uint64_t cosigned, uint64_t stamped)
{
	struct event events[2];
	uint32_t count = 0;
	char fault[CARE_FAULT_MAX];

	if (cosigned > 0) {
		events[count] = (struct event){ .type = EVENT_CHECKPOINT_COSIGNED };
		events[count].checkpoint_cosigned.size = cosigned;
		text_set(&events[count].checkpoint_cosigned.witness, "w.example");
		count++;
	}
	if (stamped > 0) {
		events[count] = (struct event){ .type = EVENT_CHECKPOINT_TIMESTAMPED };
		events[count].checkpoint_timestamped.size = stamped;
		count++;
	}
	if (count > 0 && !care_log(at("data"), FIXTURE_ORIGIN, events, count, fault)) {
		fail_msg("%s", fault);
	}
}

/* True if it ends with that code, and says that. */
static bool
doctor_says(const char *what, int code, const char *has)
{
	char line[1024];
	char said[8192];

	snprintf(line, sizeof line, "%s/ifreplay doctor --data-dir %s", IFSWARM_BIN, at("data"));
	FILE *pipe = popen(line, "r");
	assert_non_null(pipe);
	said[fread(said, 1, sizeof said - 1, pipe)] = '\0';
	const int found = WEXITSTATUS(pclose(pipe));
	if (found == code && strstr(said, has) != NULL) {
		return true;
	}
	print_message("NOT AS EXPECTED: %s: %d\n%s\n", what, found, said);
	return false;
}

static void
doctor_says_what_is_wrong(void **state)
{
	size_t failures = 0;

	(void)state;
	for (size_t i = 0; i < sizeof visits / sizeof visits[0]; i++) {
		make_backup();
		assert_int_equal(sh(visits[i].script), 0);
		failures += !doctor_says(visits[i].what, visits[i].code, visits[i].has);
	}
	assert_int_equal(failures, 0);
}

static void
doctor_says_who_is_behind(void **state)
{
	size_t failures = 0;

	(void)state;
	export_witness();
	for (size_t i = 0; i < sizeof anchored / sizeof anchored[0]; i++) {
		make_backup();
		assert_int_equal(sh(anchored[i].script), 0);
		add_anchors(anchored[i].cosigned, anchored[i].stamped);
		const int lock = anchored[i].runs ? care_lock(at("data")) : -1;
		failures += !doctor_says(anchored[i].what, anchored[i].code, anchored[i].has);
		if (lock >= 0) {
			care_unlock(lock);
		}
	}
	assert_int_equal(failures, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_backup_is_whole_and_holds_no_keys),
		cmocka_unit_test(a_backup_is_made_beside_a_running_witness),
		cmocka_unit_test(a_backup_is_refused_where_it_must_not_be),
		cmocka_unit_test(a_damaged_log_gives_no_backup),
		cmocka_unit_test(restore_brings_events_after_the_backup),
		cmocka_unit_test(restore_into_an_empty_directory),
		cmocka_unit_test(restore_refuses_a_fork),
		cmocka_unit_test(restore_refuses_what_is_no_whole_backup),
		cmocka_unit_test(a_restore_brings_no_erased_person_back),
		cmocka_unit_test(repair_takes_what_proves),
		cmocka_unit_test(doctor_says_what_is_wrong),
		cmocka_unit_test(doctor_says_who_is_behind),
	};

	return cmocka_run_group_tests(tests, fixture_set_up, fixture_tear_down);
}
