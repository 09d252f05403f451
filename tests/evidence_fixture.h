/* A data directory for one test, and the few moves that tests of the evidence make. */
#ifndef IFSWARM_TESTS_EVIDENCE_FIXTURE_H
#define IFSWARM_TESTS_EVIDENCE_FIXTURE_H

#include "tests/vector_file.h"

#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/evidence_io.h"
#include "store/merkle.h"
#include "store/read_io.h"
#include "store/sha256.h"

#define ORIGIN "ifswarm.local/test"
/* The 14th of November 2023. */
#define T0       UINT64_C(1700000000000000)
#define MONTH_US (UINT64_C(30) * 86400 * 1000000)

struct fixture {
	char parent[64];
	char directory[96];
};

struct seen {
	uint64_t count;
	uint64_t types[1024];
	struct event last;
};

static inline int
fixture_make(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	const char *parent = getenv("TMPDIR");

	assert_non_null(f);
	snprintf(f->parent, sizeof f->parent, "%.40s/evidence.XXXXXX",
		 parent == NULL ? "/tmp" : parent);
	assert_non_null(mkdtemp(f->parent));
	snprintf(f->directory, sizeof f->directory, "%s/data", f->parent);
	*state = f;
	return 0;
}

static inline int
fixture_remove(void **state)
{
	struct fixture *f = *state;
	char command[256];

	snprintf(command, sizeof command, "rm -rf -- '%s'", f->parent);
	const int code = system(command);
	free(f);
	return code;
}

#define evidence_test(function)                                                                    \
	cmocka_unit_test_setup_teardown(function, fixture_make, fixture_remove)

/* Files. */

static inline const char *
path_of(const struct fixture *f, const char *name)
{
	static char path[256];

	snprintf(path, sizeof path, "%s/%s", f->directory, name);
	return path;
}

static inline void
remove_file(const struct fixture *f, const char *name)
{
	assert_int_equal(unlink(path_of(f, name)), 0);
}

/* -1 if there is none. */
static inline long
file_size(const struct fixture *f, const char *name)
{
	struct stat status;

	return stat(path_of(f, name), &status) == 0 ? (long)status.st_size : -1;
}

/* Terminated. */
static inline size_t
read_file(const struct fixture *f, const char *name, char *out, size_t size)
{
	FILE *file = fopen(path_of(f, name), "r");

	if (file == NULL) {
		fail_msg("%s is missing", name);
	}
	const size_t count = fread(out, 1, size - 1, file);
	fclose(file);
	out[count] = '\0';
	return count;
}

static inline void
write_file(const struct fixture *f, const char *name, const char *bytes, size_t count)
{
	FILE *file = fopen(path_of(f, name), "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, count, file), count);
	assert_int_equal(fclose(file), 0);
}

/* Runs a command of /bin/sh beside the data directory. */
static inline void
shell(const struct fixture *f, const char *format)
{
	char command[1024];

	snprintf(command, sizeof command, "cd '%s' && %s", f->parent, format);
	assert_int_equal(system(command), 0);
}

/* SQL, as somebody with a shell would use it. */

static inline int
try_sql(const struct fixture *f, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path_of(f, "witness.db"), &db), SQLITE_OK);
	const int code = sqlite3_exec(db, sql, NULL, NULL, NULL);
	sqlite3_close(db);
	return code;
}

static inline void
run_sql(const struct fixture *f, const char *sql)
{
	assert_int_equal(try_sql(f, sql), SQLITE_OK);
}

static inline int
take_number(void *context, int columns, char **values, char **names)
{
	(void)columns;
	(void)names;
	*(long *)context = strtol(values[0], NULL, 10);
	return 0;
}

static inline long
count_rows(const struct fixture *f, const char *sql)
{
	sqlite3 *db;
	long count = -1;

	assert_int_equal(sqlite3_open(path_of(f, "witness.db"), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, take_number, &count, NULL), SQLITE_OK);
	sqlite3_close(db);
	return count;
}

/* Writing. */

static inline bool
try_open(const struct fixture *f, uint64_t now_us, struct evidence **out, char *fault, size_t size)
{
	const struct evidence_options options = { .directory = f->directory,
						  .origin = ORIGIN,
						  .now_us = now_us };

	return evidence_open(&options, out, fault, size);
}

static inline struct evidence *
open_evidence(const struct fixture *f, uint64_t now_us)
{
	struct evidence *e;
	char fault[EVIDENCE_FAULT_MAX];

	if (!try_open(f, now_us, &e, fault, sizeof fault)) {
		fail_msg("%s", fault);
	}
	return e;
}

/* An event on the wire, with the memory it borrows from. */
struct wire {
	uint8_t memory[4096];
	struct event_wire event;
};

static inline void
make_wire(struct wire *out, const struct event *event)
{
	struct mp_writer w = mp_writer_of(out->memory, sizeof out->memory);

	event_write(&w, event);
	struct mp_reader r = mp_reader_of(mp_written(&w));
	event_wire_read(&r, &out->event);
	assert_true(mp_reader_is_done(&r));
}

static inline void
agent_wire(struct wire *out, uint64_t number)
{
	struct event event = { .type = EVENT_AGENT_REGISTERED, .occurred_us = T0 };
	char name[32];

	event.command_id.bytes[0] = (uint8_t)(number + 1);
	event.agent_registered.agent = (struct id){ { (uint8_t)(number + 1), 1 } };
	event.agent_registered.room = (struct id){ { 1, 2 } };
	event.agent_registered.gateway = 1;
	event.agent_registered.instance = (struct id){ { 7 } };
	event.agent_registered.client =
		(struct address){ .family = ADDRESS_IPV4, .bytes = { 192, 0, 2, 7 }, .port = 4711 };
	snprintf(name, sizeof name, "agent-%u", (unsigned)number);
	name_set(&event.agent_registered.agent_name, name, strlen(name));
	name_set(&event.agent_registered.room_name, "default", 7);
	make_wire(out, &event);
}

static inline uint64_t
append_wire(struct evidence *e, uint64_t stream, uint64_t epoch, const struct event_wire *wire,
	    uint64_t now_us)
{
	uint64_t seq;

	assert_int_equal(evidence_begin(e), EVIDENCE_OK);
	assert_int_equal(evidence_append(e, stream, epoch, wire, now_us, &seq), EVIDENCE_OK);
	assert_int_equal(evidence_commit(e), EVIDENCE_OK);
	return seq;
}

static inline uint64_t
append_event(struct evidence *e, uint64_t stream, uint64_t epoch, const struct event *event,
	     uint64_t now_us)
{
	struct wire wire;

	make_wire(&wire, event);
	return append_wire(e, stream, epoch, &wire.event, now_us);
}

static inline uint64_t
append_agent(struct evidence *e, uint64_t epoch, uint64_t number, uint64_t now_us)
{
	struct wire wire;

	agent_wire(&wire, number);
	return append_wire(e, STREAM_SESSION, epoch, &wire.event, now_us);
}

/* No personal parts: the plainest event. */
static inline uint64_t
append_candidate(struct evidence *e, uint64_t epoch, uint64_t number, uint64_t now_us)
{
	struct event event = { .type = EVENT_ICE_CANDIDATE_RELAYED, .occurred_us = now_us };

	event.command_id.bytes[0] = (uint8_t)(number + 1);
	event.ice_candidate_relayed.bytes = number;
	return append_event(e, STREAM_SESSION, epoch, &event, now_us);
}

static inline uint64_t
claim(struct evidence *e, uint64_t stream, uint64_t now_us)
{
	uint64_t epoch;

	assert_int_equal(evidence_begin(e), EVIDENCE_OK);
	assert_int_equal(evidence_claim(e, stream, "test", now_us, &epoch), EVIDENCE_OK);
	assert_int_equal(evidence_commit(e), EVIDENCE_OK);
	return epoch;
}

/* A log that was closed well. */
static inline void
make_log(const struct fixture *f)
{
	struct evidence *e = open_evidence(f, T0);
	const uint64_t epoch = claim(e, STREAM_SESSION, T0);

	for (uint64_t i = 0; i < 40; i++) {
		append_agent(e, epoch, i, T0);
	}
	evidence_close(e, T0);
}

/* Reading. */

struct reading {
	struct log_reader *reader;
	struct log_keys *keys;
};

static inline struct reading
open_reading(const struct fixture *f)
{
	struct reading r;
	char fault[512];

	if (!log_reader_open(f->directory, &r.reader, fault, sizeof fault) ||
	    !log_keys_open(r.reader, NULL, &r.keys, fault, sizeof fault)) {
		fail_msg("%s", fault);
	}
	return r;
}

static inline void
close_reading(struct reading *r)
{
	log_keys_close(r->keys);
	log_reader_close(r->reader);
}

struct one_event {
	struct event event;
	uint64_t recorded_us;
};

static inline bool
keep_event(void *context, const struct event *event, const struct entry *entry)
{
	struct one_event *one = context;

	assert_non_null(event);
	one->event = *event;
	one->recorded_us = entry->recorded_us;
	return false;
}

static inline struct one_event
read_one(const struct fixture *f, uint64_t seq)
{
	struct reading r = open_reading(f);
	struct one_event one = { .event = { .occurred_us = UINT64_MAX } };

	if (!log_read_events(r.reader, r.keys, seq, seq + 1, LOG_STREAMS_ALL, keep_event, &one)) {
		fail_msg("%s", log_reader_fault(r.reader));
	}
	close_reading(&r);
	return one;
}

static inline struct event
read_event(const struct fixture *f, uint64_t seq)
{
	return read_one(f, seq).event;
}

static inline uint64_t
recorded_us(const struct fixture *f, uint64_t seq)
{
	return read_one(f, seq).recorded_us;
}

/* Entry bundles of pub/ alone give the checkpoint's root: what a stranger with a copy would
 * compute. */
static inline bool
ignore_tile(void *context, unsigned level, uint64_t index, const struct digest *hashes)
{
	(void)context;
	(void)level;
	(void)index;
	(void)hashes;
	return true;
}

static inline void
check_published_tree(const struct fixture *f, const struct checkpoint *checkpoint)
{
	static char bundle[TILE_HASHES * 1024];
	struct merkle *tree = malloc(sizeof *tree);
	struct digest leaf, root;

	assert_non_null(tree);
	merkle_init(tree);
	while (tree->size < checkpoint->size) {
		const uint64_t left = checkpoint->size - tree->size;
		char name[MERKLE_PATH_MAX], path[MERKLE_PATH_MAX + 8];
		merkle_tile_path(name, MERKLE_ENTRIES, tree->size / TILE_HASHES,
				 left < TILE_HASHES ? (uint32_t)left : TILE_HASHES);
		snprintf(path, sizeof path, "pub/%s", name);
		const size_t count = read_file(f, path, bundle, sizeof bundle);
		for (size_t at = 0; at < count;) {
			const uint8_t *entry = (const uint8_t *)bundle + at;
			const size_t length = (size_t)entry[0] << 8 | entry[1];
			merkle_leaf_hash((struct span){ entry + 2, length }, &leaf);
			merkle_append(tree, &leaf, ignore_tile, NULL);
			at += 2 + length;
		}
	}
	merkle_root(tree, &root);
	assert_true(digest_equal(&root, &checkpoint->root));
	free(tree);
}

#endif
