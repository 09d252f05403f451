/* The index never changes an answer: over logs that nobody thought up, every question is asked with
 * it and without it, and the bytes must be the same; whatever somebody has done to the file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <sys/wait.h>

#include "store/index_io.h"
#include "tests/replay_fixture.h"

enum { EVENTS = 5000, AGENTS = 12, OUTPUT_MAX = 1 << 22, SEEDS = 2 };

static char with[OUTPUT_MAX];
static char without[OUTPUT_MAX];
static char directory[sizeof fixture_base + 32];

/* --- a random log ------------------------------------------------------------------------------
 */

static uint64_t seed;

static uint64_t
any(uint64_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (seed >> 33) % below;
}

static const char *const names[AGENTS] = { "alice", "bob",   "carol", "dave", "eve",  "frank",
					   "grace", "heidi", "ivan",  "judy", "mike", "nina" };

static void
come_or_go(struct fixture *f, bool *is_in, uint8_t agent)
{
	if (is_in[agent]) {
		fixture_leave(f, agent, names[agent], agent);
	} else {
		fixture_register(f, agent, names[agent], agent);
	}
	is_in[agent] = !is_in[agent];
}

static void
relay(struct fixture *f, uint64_t number)
{
	struct event event = { .type = EVENT_TURN_ALLOCATION_CREATED,
			       .trace_id = fixture_id(0x7A, any(AGENTS)) };
	char user[32];

	snprintf(user, sizeof user, "1790003600:%s", names[number % AGENTS]);
	event.turn_allocation_created = (struct event_turn_allocation_created){
		.allocation = fixture_id(0xD0, number),
		.user = fixture_id(0xE0, number % AGENTS),
		.relay = 1,
		.relayed = fixture_address(250, (uint16_t)(49152 + number % 1000)),
		.user_name = fixture_name(user),
		.client = fixture_address((uint8_t)(number % AGENTS), 6000),
	};
	fixture_append(f, STREAM_ALLOCATION, &event);
	event = (struct event){ .type = EVENT_TURN_ALLOCATION_ENDED };
	event.turn_allocation_ended = (struct event_turn_allocation_ended){
		.allocation = fixture_id(0xD0, number), .relay = 1, .reason = END_EXPIRED
	};
	fixture_append(f, STREAM_ALLOCATION, &event);
}

static void
write_random_log(const char *path)
{
	bool is_in[AGENTS] = { false };
	struct fixture f;

	mkdir(path, 0700);
	fixture_open(&f, path);
	for (uint64_t i = 0; i < EVENTS; i++) {
		const uint64_t what = any(20);

		if (i % 500 == 0) {
			fixture_begin(&f);
		}
		if (what < 4) {
			come_or_go(&f, is_in, (uint8_t)any(AGENTS));
		} else if (what == 4) {
			relay(&f, i);
		} else if (what == 5 && i % 7 == 0) {
			fixture_refuse(&f);
		} else {
			fixture_signal(&f, (enum event_type)(EVENT_SDP_OFFER_RELAYED + any(3)),
				       (uint8_t)any(AGENTS), (uint8_t)any(AGENTS));
		}
		if (i % 500 == 499 || i + 1 == EVENTS) {
			assert(evidence_commit(f.evidence) == EVIDENCE_OK);
		}
	}
	fixture_close(&f);
}

/* --- questions ---------------------------------------------------------------------------------
 */

static const char *const questions[] = {
	"log --agent alice",
	"log --agent alice --peer bob --json",
	"log --agent carol --limit 7",
	"log --room lobby --type agent_disconnected",
	"log --agent dave --room lobby --outcome accepted --stream session --from 1000 --to 4000",
	"log --trace 7a000000000000000000000000000003 --csv",
	"log --allocation d0000000000000000000000000000005",
	"log --agent e0000000000000000000000000000005",
	"log --type turn_allocation_created --from 2000",
	"log --type key_created --limit 3",
	"log --outcome refused",
	"log --outcome FORBIDDEN --agent alice",
	"log --peer 127.0.0.1",
	"log --agent eve --page 5 --after 1500",
	"log --agent nobody",
	"agent alice",
	"agent alice --json --from 1500 --to 3000",
	"agent heidi --to 2026-09-21T14:13:25Z",
	"agent a0000000000000000000000000000004",
	"peers bob --csv",
	"peers bob --peer carol",
	"room lobby --agent frank",
	"session alice grace --limit 20",
	"trace 7a000000000000000000000000000002 --limit 5",
	"trace 01000000000000000000000000000700",
	"refusals",
	"stats --agent ivan",
};

static int
ask(const char *question, const char *extra, char *out)
{
	char line[1024];

	snprintf(line, sizeof line, "%s/ifreplay --data-dir %s %s %s 2>&1", IFSWARM_BIN, directory,
		 question, extra);
	FILE *pipe = popen(line, "r");
	assert_non_null(pipe);
	out[fread(out, 1, OUTPUT_MAX - 1, pipe)] = '\0';
	const int status = pclose(pipe);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* Every `step`-th question. */
static size_t
differences(const char *why, size_t step)
{
	size_t count = 0;

	for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i += step) {
		const int code = ask(questions[i], "", with);
		const int expected = ask(questions[i], "--no-index", without);

		if (code != expected || strcmp(with, without) != 0) {
			print_message("%s: %s: %d, not %d\n", why, questions[i], code, expected);
			count++;
		}
	}
	return count;
}

static void
index_path(char *out, size_t size)
{
	snprintf(out, size, "%s/index.db", directory);
}

static void
make_index(void)
{
	char path[256];

	index_path(path, sizeof path);
	log_index_delete(directory);
	ask("log --agent alice", "", with);
	assert_int_equal(access(path, R_OK), 0);
}

static void
answers_are_the_same(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < SEEDS; i++) {
		char line[512];

		seed = 1000 + i;
		print_message("seed %llu\n", (unsigned long long)seed);
		snprintf(directory, sizeof directory, "%s/random%u", fixture_base, (unsigned)i);
		write_random_log(directory);
		snprintf(line, sizeof line, "rm %s/private/log.key", directory);
		assert_int_equal(system(line), 0);
		make_index();
		assert_int_equal(differences("honest", i + 1), 0);
	}
}

/* --- what somebody may have done to it ---------------------------------------------------------
 */

static void
run_sql(const char *sql)
{
	char path[256];
	sqlite3 *db = NULL;

	index_path(path, sizeof path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void
write_bytes(long at, size_t count)
{
	char path[256];

	index_path(path, sizeof path);
	FILE *file = fopen(path, at < 0 ? "w" : "r+");
	assert_non_null(file);
	fseek(file, at < 0 ? 0 : at, SEEK_SET);
	for (size_t i = 0; i < count; i++) {
		fputc((int)any(256), file);
	}
	fclose(file);
}

static const struct {
	const char *name;
	const char *sql;
} forgeries[] = {
	{ "rows inserted for every key", "UPDATE posting SET seqs = x'0000000000010203'" },
	{ "seqs beyond the log", "UPDATE posting SET seqs = x'ffffffffffffffff7f'" },
	{ "lists that do not end", "UPDATE posting SET seqs = x'8080808080'" },
	{ "no bytes at all", "UPDATE posting SET seqs = x''" },
	{ "ahead of the log", "UPDATE about SET covered = 999999" },
	{ "a negative size", "UPDATE about SET covered = -5" },
	{ "another log's origin", "UPDATE about SET origin = 'elsewhere/x'" },
	{ "another log's last entry", "UPDATE about SET last = zeroblob(32)" },
	{ "names under another key", "UPDATE about SET names = zeroblob(32)" },
	{ "rosters of nobody",
	  "DELETE FROM roster; INSERT INTO roster SELECT room, 3000, x'00010203'"
	  " FROM room" },
	{ "a trigger", "CREATE TRIGGER t AFTER INSERT ON posting BEGIN DELETE FROM posting; END" },
	{ "a view in a table's place", "DROP TABLE posting; CREATE VIEW posting AS SELECT 1 AS key,"
				       " 2 AS block, x'00' AS seqs" },
	{ "text where bytes belong", "UPDATE posting SET seqs = CAST(x'8080808080' AS TEXT)" },
	{ "an empty table", "DELETE FROM about" },
};

/* What is damaged or forged so that it still fits may hide something (store/index_io.h says so): an
 * entry, or the name of a handle. Whatever else it is, the question is answered, and what is shown
 * is what the log says. */
static bool
is_word_said(const char *shown, size_t shown_count, const char *said, size_t said_count)
{
	const char *value = memchr(shown, '=', shown_count);
	const size_t key_count = value == NULL ? 0 : (size_t)(value - shown) + 1;

	if (shown_count == said_count && memcmp(shown, said, said_count) == 0) {
		return true;
	}
	return key_count > 0 && key_count <= said_count && memcmp(shown, said, key_count) == 0 &&
	       shown_count - key_count == 2 * sizeof(struct id) &&
	       strspn(value + 1, "0123456789abcdef") == 2 * sizeof(struct id);
}

static bool
is_line_said(const char *shown, const char *said)
{
	static const char blank[] = " ";
	static const char end[] = " \n";

	while (*shown != '\n' && *said != '\n') {
		const size_t shown_count = strcspn(shown, end);
		const size_t said_count = strcspn(said, end);

		if (!is_word_said(shown, shown_count, said, said_count)) {
			return false;
		}
		shown += shown_count;
		said += said_count;
		shown += strspn(shown, blank);
		said += strspn(said, blank);
	}
	return *shown == *said;
}

static const char *
next_line(const char *line)
{
	return line + strcspn(line, "\n") + 1;
}

/* The lines of both are in the same order. */
static bool
is_part_of(const char *shown, const char *whole)
{
	while (*shown != '\0') {
		while (*whole != '\0' && !is_line_said(shown, whole)) {
			whole = next_line(whole);
		}
		if (*whole == '\0') {
			return false;
		}
		shown = next_line(shown);
		whole = next_line(whole);
	}
	return true;
}

static void
a_forged_index_shows_nothing_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof forgeries / sizeof forgeries[0]; i++) {
		make_index();
		run_sql(forgeries[i].sql);
		const int code = ask("log --agent alice", "", with);
		ask("log --agent alice", "--no-index", without);
		if (code != 0 || !is_part_of(with, without)) {
			fail_msg("%s: %d\n%.500s", forgeries[i].name, code, with);
		}
		if (i % 4 == 1) {
			assert_true(ask("agent alice", "", with) <= 1);
		}
	}
}

static void
a_name_that_is_hidden_is_shown_as_its_handle(void **state)
{
	const struct id grace = fixture_id(0xA0, 6);
	char sql[128];

	(void)state;
	make_index();
	snprintf(sql, sizeof sql, "DELETE FROM posting WHERE key = %llu",
		 (unsigned long long)log_index_key(INDEX_NAMED, grace.bytes, sizeof grace.bytes));
	run_sql(sql);
	assert_int_equal(ask("log --agent alice", "", with), 0);
	ask("log --agent alice", "--no-index", without);
	assert_non_null(strstr(with, "to=a0000000000000000000000000000006 room=lobby"));
	assert_true(is_part_of(with, without));
	assert_false(is_part_of(without, with));
}

static void
what_is_no_index_is_made_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < 8; i++) {
		make_index();
		write_bytes(i < 2 ? -1 : (long)any(30000), 1 + any(i < 4 ? 20000 : 200));
		assert_int_equal(ask("log --agent alice", "", with), 0);
		ask("log --agent alice", "--no-index", without);
		assert_true(is_part_of(with, without));
	}
	/* Another log's: of the other seed. */
	char line[512];
	make_index();
	snprintf(line, sizeof line, "cp %s/index.db %s/random0/index.db", directory, fixture_base);
	assert_int_equal(system(line), 0);
	snprintf(directory, sizeof directory, "%s/random0", fixture_base);
	assert_int_equal(differences("another log's", 6), 0);
}

static void
it_holds_no_name(void **state)
{
	char line[512];

	(void)state;
	make_index();
	snprintf(line, sizeof line, "! grep -aq -e alice -e lobby -e 192.0.2 %s/index.db",
		 directory);
	assert_int_equal(system(line), 0);
}

static void
without_keys_handles_are_found(void **state)
{
	char line[512];

	(void)state;
	make_index();
	snprintf(line, sizeof line, "mv %s/keys.db %s/keys.away", directory, directory);
	assert_int_equal(system(line), 0);
	assert_int_equal(differences("made with keys, asked without", 6), 0);
	make_index();
	assert_int_equal(differences("made and asked without keys", 6), 0);
	snprintf(line, sizeof line, "mv %s/keys.away %s/keys.db", directory, directory);
	assert_int_equal(system(line), 0);
	assert_int_equal(differences("made without keys, asked with", 6), 0);
}

static void
a_place_that_cannot_be_written_to_needs_none(void **state)
{
	char line[512];

	(void)state;
	log_index_delete(directory);
	snprintf(line, sizeof line, "mkdir %s/index.db", directory); /* root writes anywhere else */
	assert_int_equal(system(line), 0);
	assert_int_equal(differences("no index can be made", 6), 0);
	snprintf(line, sizeof line, "rmdir %s/index.db", directory);
	assert_int_equal(system(line), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_the_same),
		cmocka_unit_test(a_forged_index_shows_nothing_wrong),
		cmocka_unit_test(a_name_that_is_hidden_is_shown_as_its_handle),
		cmocka_unit_test(what_is_no_index_is_made_again),
		cmocka_unit_test(it_holds_no_name),
		cmocka_unit_test(without_keys_handles_are_found),
		cmocka_unit_test(a_place_that_cannot_be_written_to_needs_none),
	};

	return cmocka_run_group_tests(tests, fixture_set_up, fixture_tear_down);
}
