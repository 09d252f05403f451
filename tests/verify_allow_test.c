/* What was lawfully erased, pruned or lost is told from what is missing: a true log says it, rows
 * are taken away, and the checker must name exactly what no event explains (threat_G8: delete). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "replay/verify_io.h"
#include "store/proof.h"
#include "store/read_io.h"
#include "store/seal.h"
#include "tests/replay_fixture.h"
#include "tests/seen_fixture.h"

enum { FILL = 600 };

/* Seqs of the log that each row begins with: two registrations of two agents. */
struct story {
	struct fixture f;
	uint64_t alice, bob, end;
	uint64_t month;
	struct digest root_512;
};

static char base[] = "/tmp/ifswarm-allow-XXXXXX";
static char data[sizeof base + 8];

static void
shell(const char *line)
{
	if (system(line) != 0) {
		fail_msg("%s", line);
	}
}

static void
note(struct story *story, const struct event *event)
{
	struct event told = *event;

	told.occurred_us = story->f.now_us;
	told.command_id = fixture_id(0x02, ++story->f.commands);
	fixture_begin(&story->f);
	assert_int_equal(evidence_note(story->f.evidence, &told, story->f.now_us), EVIDENCE_OK);
	fixture_commit(&story->f);
}

/* --- what the log may say ------------------------------------------------------------------------
 */

static void
say_subject_erased(struct story *story)
{
	struct event event = { .type = EVENT_SUBJECT_ERASED };

	event.subject_erased.request = fixture_id(0x11, 1);
	event.subject_erased.subject = fixture_id(0xA0, 1);
	event.subject_erased.keys = 1;
	note(story, &event);
}

static void
say_erased(struct story *story)
{
	struct event event = { .type = EVENT_ERASED };

	event.erased.request = fixture_id(0x11, 1);
	note(story, &event);
}

static void
erase_subject(struct story *story)
{
	say_subject_erased(story);
	say_erased(story);
}

static void
erase_and_register_again(struct story *story)
{
	erase_subject(story);
	fixture_begin(&story->f);
	fixture_register(&story->f, 1, "alice", 13);
	fixture_commit(&story->f);
	story->end = story->f.seq;
}

static void
erase_part(struct story *story)
{
	struct event event = { .type = EVENT_PART_ERASED };

	event.part_erased.request = fixture_id(0x11, 1);
	event.part_erased.seq = story->bob;
	event.part_erased.part = 1;
	note(story, &event);
	say_erased(story);
}

static void
erase_month(struct story *story)
{
	struct event event = { .type = EVENT_MONTH_ERASED };

	event.month_erased.month = story->month;
	note(story, &event);
}

static void
erase_month_but_bob(struct story *story)
{
	struct event event = { .type = EVENT_KEY_KEPT };

	event.key_kept.subject = fixture_id(0xA0, 2);
	event.key_kept.month = story->month;
	note(story, &event);
	erase_month(story);
}

static void
erase_month_before(struct story *story)
{
	struct event event = { .type = EVENT_MONTH_ERASED };

	event.month_erased.month = story->month - 1;
	note(story, &event);
}

static void
lose_parts(struct story *story)
{
	struct event event = { .type = EVENT_PARTS_LOST };

	event.parts_lost.first = story->alice;
	event.parts_lost.end = story->alice + 1;
	note(story, &event);
}

static void
prune(struct story *story)
{
	struct event event = { .type = EVENT_LOG_PRUNED };

	event.log_pruned.first = 256;
	event.log_pruned.end = 512;
	event.log_pruned.root = story->root_512;
	note(story, &event);
}

static void
prune_with_another_root(struct story *story)
{
	story->root_512.bytes[3] ^= 1;
	prune(story);
}

static void
say_nothing(struct story *story)
{
	(void)story;
}

/* --- rows ----------------------------------------------------------------------------------------
 */

#define PART_GONE(seq, part) "DELETE FROM sealed WHERE id = " seq " * 2 + " part ";"
#define NO_PARTS             "DELETE FROM sealed;"
#define KEY_GONE(subject)    "DELETE FROM data_key WHERE hex(subject) LIKE '" subject "%';"
#define ALICE                "A0000000000000000000000000000001"
#define PRUNED                                                                                     \
	"DELETE FROM event WHERE seq BETWEEN 256 AND 511;"                                         \
	"DELETE FROM sealed WHERE id >> 1 BETWEEN 256 AND 511;"
#define ENTRIES_GONE "rm pub/tile/entries/001"

/* {a} and {b} are the seqs of alice's and bob's registration, {e} of the last event. */
static const struct {
	const char *name;
	void (*say)(struct story *story);
	const char *log_sql;
	const char *keys_sql;
	const char *command;
	const char *what; /* NULL: it holds */
	const char *where;
	uint64_t most; /* findings; 0: any number */
	uint64_t erased, lost, pruned;
} rows[] = {
	{ "nothing is gone", say_nothing, "", "", "", NULL, NULL, 0, 0, 0, 0 },
	{ "a part is gone, and nothing says so", say_nothing, PART_GONE("{a}", "0"), "", "",
	  "a sealed part is missing", "seq {a} sealed part 0", 1, 0, 0, 0 },
	{ "a subject was erased", erase_subject, PART_GONE("{a}", "0"), KEY_GONE(ALICE), "", NULL,
	  NULL, 0, 1, 0, 0 },
	{ "a subject was erased, and another's part is gone", erase_subject,
	  PART_GONE("{a}", "0") PART_GONE("{b}", "0"), KEY_GONE(ALICE), "",
	  "a sealed part is missing", "seq {b} sealed part 0", 1, 1, 0, 0 },
	{ "erased, and the ciphertext is still there", erase_subject, "", KEY_GONE(ALICE), "",
	  "erased, but still there", "seq {a} sealed part 0", 2, 0, 0, 0 },
	{ "erased, and the key is still there", erase_subject, PART_GONE("{a}", "0"), "", "",
	  "erased, but its key is still there", NULL, 1, 1, 0, 0 },
	{ "an erasure that is under way", say_subject_erased, "", KEY_GONE(ALICE), "", NULL, NULL,
	  0, 0, 0, 0 },
	{ "an erasure covers nothing that came after it", erase_and_register_again,
	  PART_GONE("{a}", "0") PART_GONE("{e}", "0"), KEY_GONE(ALICE), "",
	  "a sealed part is missing", "seq {e} sealed part 0", 1, 1, 0, 0 },
	{ "one part was erased", erase_part, PART_GONE("{b}", "1"), "", "", NULL, NULL, 0, 1, 0,
	  0 },
	{ "one part was erased, and its neighbour is gone", erase_part,
	  PART_GONE("{b}", "1") PART_GONE("{b}", "0"), "", "", "a sealed part is missing",
	  "seq {b} sealed part 0", 1, 1, 0, 0 },
	{ "one part was erased, and is still there", erase_part, "", "", "",
	  "erased, but still there", "seq {b} sealed part 1", 1, 0, 0, 0 },
	{ "a month was erased", erase_month, NO_PARTS, "DELETE FROM data_key;", "", NULL, NULL, 0,
	  4, 0, 0 },
	{ "the month before was erased", erase_month_before, PART_GONE("{a}", "0"), "", "",
	  "a sealed part is missing", "seq {a} sealed part 0", 1, 0, 0, 0 },
	{ "a month was erased, but for a held subject", erase_month_but_bob,
	  "DELETE FROM sealed WHERE id <> {b} * 2;",
	  "DELETE FROM data_key WHERE hex(subject) NOT LIKE 'A0%02';", "", NULL, NULL, 0, 3, 0, 0 },
	{ "a month was erased, and a held subject's part with it", erase_month_but_bob, NO_PARTS,
	  "DELETE FROM data_key;", "", "a sealed part is missing", "seq {b} sealed part 0", 1, 3, 0,
	  0 },
	{ "parts were lost in a restore", lose_parts, PART_GONE("{a}", "0") PART_GONE("{a}", "1"),
	  "", "", NULL, NULL, 0, 0, 2, 0 },
	{ "parts were lost in a restore, others are gone", lose_parts, PART_GONE("{b}", "0"), "",
	  "", "a sealed part is missing", "seq {b} sealed part 0", 1, 0, 0, 0 },
	{ "a range was pruned", prune, PRUNED, "", ENTRIES_GONE, NULL, NULL, 0, 0, 0, 256 },
	{ "a range was pruned, and a row beside it is gone", prune,
	  PRUNED "DELETE FROM event WHERE seq = 520;", "", ENTRIES_GONE, "entries are missing",
	  "seq 520", 0, 0, 0, 256 },
	{ "rows before a pruned range are gone with it", prune,
	  PRUNED "DELETE FROM event WHERE seq = 255;", "", ENTRIES_GONE, "entries are missing",
	  "seq 255", 0, 0, 0, 256 },
	{ "a range was pruned, and some of it is there", prune,
	  "DELETE FROM event WHERE seq BETWEEN 256 AND 510;", "", ENTRIES_GONE,
	  "pruned, but still there", "seq 511", 0, 0, 0, 255 },
	{ "a range was pruned, and all of it is there", prune, "", "", ENTRIES_GONE,
	  "pruned, but still there", "seq 256", 0, 0, 0, 0 },
	{ "a range was pruned, and is still published", prune, PRUNED, "", "",
	  "pruned, but still published", "pub/tile/entries/001", 1, 0, 0, 256 },
	{ "a range was pruned, and its tile is gone", prune,
	  PRUNED "DELETE FROM tile WHERE id = 1;", "", ENTRIES_GONE, "a tile cannot be read",
	  "tile level 0 index 1", 0, 0, 0, 256 },
	{ "a range was pruned, and its tile is another", prune,
	  PRUNED "UPDATE tile SET hashes = zeroblob(8192) WHERE id = 1;", "", ENTRIES_GONE,
	  "the root over the entries is not the signed one", NULL, 0, 0, 0, 256 },
	{ "a range was pruned over another root", prune_with_another_root, PRUNED, "", ENTRIES_GONE,
	  "the root of what was pruned is not the one that was logged", NULL, 1, 0, 0, 256 },
};

static const char *
filled(const struct story *story, const char *text)
{
	static char out[2048];
	size_t at = 0;

	for (; *text != '\0' && at + 24 < sizeof out; text++) {
		const uint64_t seq = text[0] != '{'   ? 0
				     : text[1] == 'a' ? story->alice
				     : text[1] == 'b' ? story->bob
						      : story->end;
		if (text[0] != '{') {
			out[at++] = *text;
			continue;
		}
		at += (size_t)snprintf(out + at, sizeof out - at, "%llu", (unsigned long long)seq);
		text += 2;
	}
	out[at] = '\0';
	return out;
}

static void
tell(struct story *story)
{
	struct log_reader *reader;
	char fault[512];
	char line[256];

	snprintf(line, sizeof line, "rm -rf %s", data);
	shell(line);
	mkdir(data, 0700);
	fixture_open(&story->f, data);
	fixture_begin(&story->f);
	fixture_register(&story->f, 1, "alice", 11);
	story->alice = story->f.seq;
	fixture_register(&story->f, 2, "bob", 12);
	story->bob = story->f.seq;
	for (int i = 0; i < FILL; i++) {
		fixture_signal(&story->f, EVENT_ICE_CANDIDATE_RELAYED, (uint8_t)(1 + i % 2),
			       (uint8_t)(2 - i % 2));
	}
	fixture_commit(&story->f);
	fixture_snapshot(&story->f, STREAM_SESSION);
	story->end = story->f.seq;
	story->month = seal_month(story->f.now_us);
	if (!log_reader_open(data, &reader, fault, sizeof fault)) {
		fail_msg("%s", fault);
	}
	assert_true(proof_root(log_fetch_hashes, reader, 512, &story->root_512));
	log_reader_close(reader);
}

static void
change(const struct story *story, const char *log_sql, const char *keys_sql, const char *command)
{
	char line[4096];

	snprintf(line, sizeof line,
		 "cd %s && sqlite3 witness.db \"SELECT 'DROP TRIGGER ' || name || ';' FROM "
		 "sqlite_master WHERE type = 'trigger'\" | sqlite3 witness.db && "
		 "sqlite3 -batch witness.db \"%s\" && sqlite3 -batch keys.db \"%s\" && %s",
		 data, filled(story, log_sql), keys_sql, *command == '\0' ? "true" : command);
	shell(line);
}

static struct verify_summary
check(struct seen *seen)
{
	struct options options = { .ask = ASK_VERIFY, .data_dir = data };
	struct source source;
	char fault[512];

	memset(seen, 0, sizeof *seen);
	if (!source_open(&source, data, fault, sizeof fault)) {
		fail_msg("%s", fault);
	}
	const struct verify_summary summary = verify_log(&options, &source, collect, seen);
	source_close(&source);
	return summary;
}

/* The very words, anywhere if `where` is NULL. */
static bool
is_said(const struct seen *seen, const char *what, const char *where)
{
	for (uint64_t i = 0; i < seen->count && i < SEEN_MAX; i++) {
		if (strcmp(seen->findings[i].what, what) == 0 &&
		    (where == NULL || strcmp(seen->findings[i].where, where) == 0)) {
			return true;
		}
	}
	return false;
}

static bool
is_as_expected(const struct story *story, size_t i, const struct seen *seen,
	       const struct verify_summary *s)
{
	const char *where = rows[i].where == NULL ? NULL : filled(story, rows[i].where);
	const bool named =
		rows[i].what == NULL ? seen->count == 0 : is_said(seen, rows[i].what, where);

	return named && (rows[i].most == 0 || seen->count <= rows[i].most) &&
	       s->sealed_erased == rows[i].erased && s->sealed_lost == rows[i].lost &&
	       s->pruned == rows[i].pruned;
}

static void
what_is_lawfully_gone_is_told_from_what_is_missing(void **state)
{
	size_t failures = 0;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct story story;
		struct seen seen;

		tell(&story);
		rows[i].say(&story);
		fixture_close(&story.f);
		change(&story, rows[i].log_sql, rows[i].keys_sql, rows[i].command);
		const struct verify_summary summary = check(&seen);
		if (!is_as_expected(&story, i, &seen, &summary)) {
			print_message("NOT AS EXPECTED: %s (%llu findings, erased %llu, lost %llu, "
				      "pruned %llu)\n",
				      rows[i].name, (unsigned long long)seen.count,
				      (unsigned long long)summary.sealed_erased,
				      (unsigned long long)summary.sealed_lost,
				      (unsigned long long)summary.pruned);
			print_seen(&seen);
			failures++;
		}
	}
	assert_int_equal(failures, 0);
}

static int
set_up(void **state)
{
	(void)state;
	if (mkdtemp(base) == NULL) {
		return 1;
	}
	snprintf(data, sizeof data, "%s/data", base);
	return 0;
}

static int
tear_down(void **state)
{
	char line[256];

	(void)state;
	snprintf(line, sizeof line, "rm -rf %s", base);
	return system(line);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_lawfully_gone_is_told_from_what_is_missing),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
