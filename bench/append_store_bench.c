/* How fast the evidence takes events on one thread, beside what bare SQLite does in the same run
 * and on the same disk. Usage: append_store_bench [DIRECTORY [EVENTS]]. The directory is made and
 * removed. */
#include <assert.h>
#include <dirent.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/evidence_io.h"
#include "store/read_io.h"
#include "store/sha256.h"

enum { BATCH = 256, SINGLES = 4000, AGENTS = 5000, MEMORY = 4096 };

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Of this process so far: what stays the same when others use the machine. */
static double
cpu_s(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec * 1e-6 +
	       (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec * 1e-6;
}

static uint64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

struct stretch {
	double wall;
	double cpu;
};

static struct stretch
begin_stretch(void)
{
	return (struct stretch){ now_s(), cpu_s() };
}

static void
report(const char *what, uint64_t events, struct stretch since)
{
	const double seconds = now_s() - since.wall;
	const double cpu = cpu_s() - since.cpu;

	printf("%-52s %9.0f /s %7.2f s, %6.2f us of CPU each\n", what, (double)events / seconds,
	       seconds, cpu * 1e6 / (double)events);
	fflush(stdout);
}

static void
must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "append_store_bench: %s\n", what);
		exit(1);
	}
}

/* --- bare SQLite
 * ------------------------------------------------------------------------------------- */

static void
run_sql(sqlite3 *db, const char *sql)
{
	must(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, sqlite3_errmsg(db));
}

static void
bare_sqlite(const char *directory, uint64_t events, uint64_t batch, const char *what)
{
	char path[4096];
	sqlite3 *db;
	sqlite3_stmt *insert;
	uint8_t row[200] = { 0 };
	struct digest digest;

	snprintf(path, sizeof path, "%s/bare-%" PRIu64 ".db", directory, batch);
	must(sqlite3_open(path, &db) == SQLITE_OK, path);
	run_sql(db,
		"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4096;"
		"CREATE TABLE t(seq INTEGER PRIMARY KEY, row BLOB) STRICT");
	sqlite3_prepare_v2(db, "INSERT INTO t VALUES(?, ?)", -1, &insert, NULL);
	const struct stretch start = begin_stretch();
	for (uint64_t i = 0; i < events; i++) {
		if (i % batch == 0) {
			run_sql(db, "BEGIN");
		}
		memcpy(row, &i, sizeof i);
		sha256_span((struct span){ row, sizeof row - sizeof digest }, &digest);
		memcpy(row + sizeof row - sizeof digest, &digest, sizeof digest);
		sqlite3_bind_int64(insert, 1, (int64_t)i);
		sqlite3_bind_blob(insert, 2, row, sizeof row, SQLITE_STATIC);
		must(sqlite3_step(insert) == SQLITE_DONE, sqlite3_errmsg(db));
		sqlite3_reset(insert);
		if (i % batch == batch - 1 || i + 1 == events) {
			run_sql(db, "COMMIT");
		}
	}
	report(what, events, start);
	sqlite3_finalize(insert);
	sqlite3_close(db);
}

/* --- the evidence
 * ------------------------------------------------------------------------------------ */

static void
number_id(struct id *id, uint64_t kind, uint64_t number)
{
	memset(id, 0, sizeof *id);
	memcpy(id->bytes, &number, sizeof number);
	id->bytes[15] = (uint8_t)kind;
}

/* agent_registered: two sealed parts, the dearest event there is; candidates: the commonest. */
static void
make_event(struct event *event, uint64_t i, bool sealed)
{
	memset(event, 0, sizeof *event);
	event->occurred_us = now_us();
	number_id(&event->command_id, 7, i + 1);
	if (!sealed) {
		event->type = EVENT_ICE_CANDIDATE_RELAYED;
		number_id(&event->ice_candidate_relayed.from, 1, i % AGENTS);
		number_id(&event->ice_candidate_relayed.to, 1, (i + 1) % AGENTS);
		number_id(&event->ice_candidate_relayed.room, 2, i % 50);
		event->ice_candidate_relayed.bytes = 180;
		return;
	}
	struct event_agent_registered *registered = &event->agent_registered;
	char name[32];

	event->type = EVENT_AGENT_REGISTERED;
	number_id(&registered->agent, 1, i % AGENTS);
	number_id(&registered->room, 2, i % 50);
	number_id(&registered->instance, 3, 1);
	registered->gateway = 1;
	registered->connection = i;
	name_set(&registered->agent_name, name,
		 (size_t)snprintf(name, sizeof name, "agent-%05" PRIu64, i % AGENTS));
	name_set(&registered->room_name, "default", 7);
	registered->client =
		(struct address){ .family = ADDRESS_IPV4, .bytes = { 192, 0, 2, 1 }, .port = 4711 };
}

static void
append_one(struct evidence *evidence, uint64_t i, bool sealed, uint64_t epoch)
{
	uint8_t memory[MEMORY];
	struct mp_writer w = mp_writer_of(memory, sizeof memory);
	struct event_wire wire;
	struct event event;
	uint64_t seq;

	make_event(&event, i, sealed);
	event_write(&w, &event);
	struct mp_reader r = mp_reader_of(mp_written(&w));
	event_wire_read(&r, &wire);
	must(mp_reader_is_done(&r), "an event cannot be read");
	must(evidence_append(evidence, STREAM_SESSION, epoch, &wire, now_us(), &seq) == EVIDENCE_OK,
	     evidence_fault(evidence));
}

static void
append_many(struct evidence *evidence, uint64_t events, uint64_t batch, bool sealed, uint64_t epoch,
	    const char *what)
{
	const struct stretch start = begin_stretch();

	for (uint64_t i = 0; i < events; i++) {
		if (i % batch == 0) {
			must(evidence_begin(evidence) == EVIDENCE_OK, evidence_fault(evidence));
		}
		append_one(evidence, i, sealed, epoch);
		if (i % batch == batch - 1 || i + 1 == events) {
			must(evidence_commit(evidence) == EVIDENCE_OK, evidence_fault(evidence));
		}
	}
	report(what, events, start);
}

static uint64_t
claim(struct evidence *evidence)
{
	uint64_t epoch;

	must(evidence_begin(evidence) == EVIDENCE_OK, "begin");
	must(evidence_claim(evidence, STREAM_SESSION, "bench", now_us(), &epoch) == EVIDENCE_OK,
	     "claim");
	must(evidence_commit(evidence) == EVIDENCE_OK, "commit");
	return epoch;
}

/* Moves the WAL, so that the file says what the rows cost. */
static uint64_t
file_bytes(struct evidence *evidence, const char *directory)
{
	char path[4096];
	struct stat status;

	must(evidence_idle(evidence) == EVIDENCE_OK, "idle");
	snprintf(path, sizeof path, "%s/witness.db", directory);
	must(stat(path, &status) == 0, path);
	return (uint64_t)status.st_size;
}

static bool
count_event(void *context, const struct event *event, const struct entry *entry)
{
	uint64_t *named = context;

	(void)entry;
	*named += event != NULL && event->type == EVENT_AGENT_REGISTERED &&
		  event->agent_registered.agent_name.length > 0;
	return true;
}

static void
read_all(const char *directory)
{
	char fault[512];
	struct log_reader *reader;
	struct log_keys *keys;
	uint64_t size = 0, named = 0;

	must(log_reader_open(directory, &reader, fault, sizeof fault), fault);
	must(log_keys_open(reader, NULL, &keys, fault, sizeof fault), fault);
	must(log_reader_size(reader, &size), "size");
	struct stretch start = begin_stretch();
	must(log_read_events(reader, NULL, 0, UINT64_MAX, LOG_STREAMS_ALL, count_event, &named),
	     log_reader_fault(reader));
	report("read all, no keys", size, start);
	start = begin_stretch();
	must(log_read_events(reader, keys, 0, UINT64_MAX, LOG_STREAMS_ALL, count_event, &named),
	     log_reader_fault(reader));
	report("read all, opened with keys", size, start);
	printf("%" PRIu64 " events, %" PRIu64 " with a name\n", size, named);
	log_keys_close(keys);
	log_reader_close(reader);
}

int
main(int argc, char **argv)
{
	char made[] = "/tmp/append_store_bench.XXXXXX";
	char fault[512], command[4200];
	const char *directory = argc > 1 ? argv[1] : mkdtemp(made);
	const uint64_t events = argc > 2 ? strtoull(argv[2], NULL, 10) : 200000;
	const struct evidence_options options = { .directory = directory,
						  .origin = "ifswarm.local/bench",
						  .now_us = now_us() };
	struct evidence *evidence;

	must(directory != NULL, "no directory");
	mkdir(directory, 0700);
	bare_sqlite(directory, events, BATCH, "bare SQLite, 200-byte rows and a SHA-256, by 256");
	bare_sqlite(directory, SINGLES, 1, "bare SQLite, one by one");
	must(evidence_open(&options, &evidence, fault, sizeof fault), fault);
	const uint64_t epoch = claim(evidence);
	append_many(evidence, AGENTS, BATCH, true, epoch,
		    "evidence, first events of 5000 agents (new keys)");
	uint64_t before = file_bytes(evidence, directory);
	append_many(evidence, events, BATCH, true, epoch,
		    "evidence, agent_registered (2 sealed), by 256");
	uint64_t after = file_bytes(evidence, directory);
	printf("%.0f bytes an event in witness.db\n", (double)(after - before) / (double)events);
	before = after;
	append_many(evidence, events, BATCH, false, epoch,
		    "evidence, ice_candidate_relayed, by 256");
	after = file_bytes(evidence, directory);
	printf("%.0f bytes an event in witness.db\n", (double)(after - before) / (double)events);
	append_many(evidence, SINGLES, 1, true, epoch, "evidence, agent_registered, one by one");
	const struct stretch start = begin_stretch();
	must(evidence_publish(evidence) == EVIDENCE_OK, evidence_fault(evidence));
	report("publish all of it", evidence_size(evidence), start);
	read_all(directory);
	evidence_close(evidence, now_us());
	snprintf(command, sizeof command, "rm -rf -- '%s'", directory);
	return system(command) == 0 ? 0 : 1;
}
