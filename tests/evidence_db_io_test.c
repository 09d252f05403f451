#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replay/fields.h"
#include "store/evidence_db_io.h"
#include "tests/disclosed_fixture.h"

static char folder[] = "/tmp/ifswarm-evidence-db-XXXXXX";

static int
make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL || chdir(folder) != 0;
}

static int
remove_folder(void **state)
{
	static const char *const files[] = { "one.db", "two.db", "there.db" };

	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		unlink(files[i]);
	}
	return chdir("/") != 0 || rmdir(folder) != 0;
}

static void
put(struct evidence_db *db, struct sample *s, uint64_t seq, uint64_t second)
{
	sample_wrap(s, seq, (UINT64_C(1790000000) + second) * 1000000);
	struct json_line fields = { 0 };

	json_line_start(&fields);
	fields_json(&fields, NULL, &s->event);
	const struct evidence_db_row row = {
		.entry = &s->entry,
		.bytes = s->disclosed.bytes,
		.leaf = &s->disclosed.leaf,
		.event = event_describe(s->event.type)->name,
		.fields = { (const uint8_t *)fields.text, fields.count },
	};
	assert_true(evidence_db_put(db, &row));
	json_line_free(&fields);
}

static void
put_session(struct evidence_db *db, uint64_t seq, uint64_t second, const char *agent,
	    bool is_leaving)
{
	struct sample s;

	s.event = (struct event){ .type = is_leaving ? EVENT_AGENT_DISCONNECTED
						     : EVENT_AGENT_REGISTERED };
	struct event_agent_registered *in = &s.event.agent_registered;
	struct event_agent_disconnected *out = &s.event.agent_disconnected;
	const struct id handle = { { 0xA0, (uint8_t)agent[0] } }, room = { { 0xB0 } };
	if (is_leaving) {
		out->agent = handle;
		out->room = room;
		out->connection = (uint8_t)agent[0];
		out->reason = LEAVE_TOO_SLOW;
	} else {
		in->agent = handle;
		in->room = room;
		in->connection = (uint8_t)agent[0];
		name_set(&in->agent_name, agent, strlen(agent));
		name_set(&in->room_name, "lobby", 5);
	}
	put(db, &s, seq, second);
}

/* alice 0 to 100, bob 40 on, a refusal, a relay with traffic, an act, a step back. */
static void
put_story(struct evidence_db *db)
{
	const struct digest leaf = { { 5 } };
	struct sample s;

	put_session(db, 10, 0, "alice", false);
	put_session(db, 11, 40, "bob", false);
	put_session(db, 12, 100, "alice", true);
	sample_make(&s, EVENT_TURN_REQUEST_REFUSED, 13, "eve");
	s.event.turn_request_refused.verdict = 61;
	put(db, &s, 13, 101);
	sample_make(&s, EVENT_TURN_ALLOCATION_CREATED, 14, "alice");
	put(db, &s, 14, 102);
	sample_make(&s, EVENT_TURN_RELAY_USAGE, 15, "alice");
	s.event.turn_relay_usage.bytes_up = 1000;
	put(db, &s, 15, 103);
	sample_make(&s, EVENT_HOLD_PLACED, 16, "o'hara\"); DROP TABLE event;--");
	put(db, &s, 16, 104);
	sample_make(&s, EVENT_CLOCK_STEPPED_BACK, 17, "");
	put(db, &s, 17, 140);
	assert_true(evidence_db_omit(db, 18, &leaf, "not asked for"));
	assert_true(evidence_db_about(db, "origin", "ifswarm.local/test"));
}

static void
make(const char *path)
{
	struct evidence_db *db = NULL;
	char fault[512];

	assert_true(evidence_db_create(path, &db, fault, sizeof fault));
	put_story(db);
	assert_true(evidence_db_finish(db, fault, sizeof fault));
}

static const struct {
	const char *name;
	const char *sql;
	const char *answer;
} questions[] = {
	{ "every row is there", "SELECT count(*) FROM event", "8" },
	{ "columns repeat the entry", "SELECT recorded_us FROM event WHERE seq = 11",
	  "1790000040000000" },
	{ "no cause is NULL", "SELECT count(*) FROM event WHERE trace_id IS NULL", "0" },
	{ "hex stays text", "SELECT length(leaf_hash) || typeof(leaf_hash) FROM event LIMIT 1",
	  "64text" },
	{ "omissions", "SELECT seq || ' ' || reason FROM omission", "18 not asked for" },
	{ "about", "SELECT value FROM about WHERE key = 'origin'", "ifswarm.local/test" },
	{ "how long alice stayed", "SELECT seconds FROM sessions WHERE agent = 'alice'", "100.0" },
	{ "why she left", "SELECT ended_because FROM sessions WHERE agent = 'alice'", "too slow" },
	{ "bob is still there", "SELECT ended_us IS NULL FROM sessions WHERE agent = 'bob'", "1" },
	{ "who met whom",
	  "SELECT agent || ' ' || other || ' ' || room || ' ' || seconds_together FROM "
	  "who_met_whom",
	  "alice bob lobby 60.0" },
	{ "refusals have words", "SELECT reason FROM refusals", "REFUSED_UNAUTHENTICATED" },
	{ "relays", "SELECT user FROM relays", "alice" },
	{ "traffic by the minute", "SELECT sum(bytes_up) FROM traffic", "1000" },
	{ "acts, and a name that is no SQL",
	  "SELECT operator FROM acts WHERE event = 'hold_placed'",
	  "o'hara\"); DROP TABLE event;--" },
	{ "the clock", "SELECT stepped_back_us FROM clock WHERE seq = 17", "1" },
	{ "and how late", "SELECT recorded_after_ms FROM clock WHERE seq = 17", "1.5" },
	{ "the file says what it is", "PRAGMA application_id", "1768310116" },
	{ "and it is whole", "PRAGMA integrity_check", "ok" },
};

static void
sql_answers(void **state)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *statement = NULL;

	(void)state;
	make("one.db");
	assert_int_equal(sqlite3_open_v2("one.db", &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA trusted_schema=OFF", NULL, NULL, NULL),
			 SQLITE_OK);
	for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
		sqlite3_prepare_v2(db, questions[i].sql, -1, &statement, NULL);
		if (sqlite3_step(statement) != SQLITE_ROW) {
			fail_msg("%s: %s", questions[i].name, sqlite3_errmsg(db));
		}
		const char *answer = (const char *)sqlite3_column_text(statement, 0);
		if (answer == NULL || strcmp(answer, questions[i].answer) != 0) {
			fail_msg("%s: %s", questions[i].name, answer == NULL ? "NULL" : answer);
		}
		sqlite3_finalize(statement);
	}
	sqlite3_close(db);
}

static size_t
read_all(const char *path, char **out)
{
	FILE *file = fopen(path, "rb");
	struct stat status;

	assert_non_null(file);
	assert_int_equal(stat(path, &status), 0);
	*out = malloc((size_t)status.st_size);
	assert_int_equal(fread(*out, 1, (size_t)status.st_size, file), status.st_size);
	fclose(file);
	return (size_t)status.st_size;
}

static void
the_same_rows_give_the_same_bytes(void **state)
{
	char *one = NULL, *two = NULL;

	(void)state;
	make("two.db");
	const size_t count = read_all("one.db", &one);
	assert_int_equal(read_all("two.db", &two), count);
	assert_memory_equal(one, two, count);
	free(one);
	free(two);
}

static void
what_is_there_is_refused(void **state)
{
	struct evidence_db *db = NULL;
	char fault[512];

	(void)state;
	fclose(fopen("there.db", "w"));
	assert_false(evidence_db_create("there.db", &db, fault, sizeof fault));
	assert_non_null(strstr(fault, "there.db"));
	assert_false(evidence_db_create("no/such/folder.db", &db, fault, sizeof fault));
	assert_non_null(strstr(fault, "No such file"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sql_answers),
		cmocka_unit_test(the_same_rows_give_the_same_bytes),
		cmocka_unit_test(what_is_there_is_refused),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
