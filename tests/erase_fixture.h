/* What tests of erasure and retention share: bytes that must be in no file any more, holds, and
 * evidence that is opened at a time of the test's choosing. */
#ifndef IFSWARM_TESTS_ERASE_FIXTURE_H
#define IFSWARM_TESTS_ERASE_FIXTURE_H

#include <ftw.h>

#include "store/erase_io.h"
#include "store/seal.h"
#include "tests/replay_fixture.h"

static uint64_t now_us = ((uint64_t)FIXTURE_START_S + 60) * 1000000;

enum { NEEDLES_MAX = 256 };

/* Bytes that must be nowhere: ciphertext and salts of what is erased, its wrapped keys, its name
 * and address in the clear. */
struct needle {
	uint8_t bytes[SEAL_BODY_MAX];
	size_t count;
};
static struct needle needles[NEEDLES_MAX];
static size_t needle_count;
static size_t found_count;
static char found_where[512];

static inline const char *
at(const char *name)
{
	static char paths[32][256];
	static unsigned next;
	char *path = paths[next++ % 32];

	snprintf(path, sizeof paths[0], "%s/%s", fixture_base, name);
	return path;
}

static inline int
sh(const char *script)
{
	char line[8192];

	snprintf(line, sizeof line, "cd %s && { %s; } >/dev/null 2>&1", fixture_base, script);
	return system(line);
}

static inline void
add_needle(const void *bytes, size_t count)
{
	assert_true(needle_count < NEEDLES_MAX);
	assert_true(count > 0 && count <= sizeof needles[0].bytes);
	memcpy(needles[needle_count].bytes, bytes, count);
	needles[needle_count++].count = count;
}

static inline int
search_file(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)where;
	if (kind != FTW_F || status->st_size == 0) {
		return 0;
	}
	FILE *file = fopen(path, "rb");
	uint8_t *bytes = malloc((size_t)status->st_size);
	assert_non_null(file);
	const size_t count = fread(bytes, 1, (size_t)status->st_size, file);
	fclose(file);
	for (size_t i = 0; i < needle_count; i++) {
		if (count >= needles[i].count &&
		    memmem(bytes, count, needles[i].bytes, needles[i].count) != NULL) {
			snprintf(found_where, sizeof found_where, "needle %zu of %zu bytes in %s",
				 i, needles[i].count, path);
			found_count++;
		}
	}
	free(bytes);
	return 0;
}

static inline size_t
search(const char *directory)
{
	found_count = 0;
	assert_int_equal(nftw(at(directory), search_file, 8, FTW_PHYS), 0);
	return found_count;
}

struct reading {
	struct log_reader *reader;
	struct log_keys *keys;
};

static inline struct reading
open_reading(const char *directory)
{
	struct reading r = { 0 };
	char fault[512];

	if (!log_reader_open(at(directory), &r.reader, fault, sizeof fault) ||
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

/* What can still be read: opened parts that hold a name (of alice the address counts, too), and how
 * many events there are of each type. */
struct remains {
	uint64_t alice, bob, carol;
	uint64_t types[512];
};

static inline bool
holds(struct span plain, const void *bytes, size_t count)
{
	return plain.count > 0 && memmem(plain.at, plain.count, bytes, count) != NULL;
}

static inline bool
look_into(void *context, const struct log_row *row)
{
	static const uint8_t alice_host[] = { 192, 0, 2, 1 };
	struct remains *remains = ((void **)context)[0];
	struct log_keys *keys = ((void **)context)[1];
	struct span plain[SEALED_PARTS_MAX];
	struct entry entry;

	assert_true(entry_read(row->entry, &entry));
	remains->types[entry.type]++;
	assert_true(log_open_parts(keys, &entry, row->salt, row->body, plain));
	for (unsigned part = 0; part < entry.parts; part++) {
		remains->alice += holds(plain[part], "alice", 5) ||
				  holds(plain[part], alice_host, sizeof alice_host);
		remains->bob += holds(plain[part], "bob", 3);
		remains->carol += holds(plain[part], "carol", 5);
	}
	return true;
}

static inline struct remains
look(const char *directory)
{
	struct reading r = open_reading(directory);
	struct remains remains = { 0 };
	void *context[] = { &remains, r.keys };

	assert_true(log_read_rows(r.reader, 0, UINT64_MAX, look_into, context));
	close_reading(&r);
	return remains;
}

static inline struct evidence *
open_evidence(const char *directory)
{
	struct evidence *e = NULL;
	char fault[EVIDENCE_FAULT_MAX];
	const struct evidence_options options = { .directory = at(directory),
						  .origin = FIXTURE_ORIGIN,
						  .now_us = now_us };

	if (!evidence_open(&options, &e, fault, sizeof fault)) {
		fail_msg("%s", fault);
	}
	return e;
}

static inline void
append_own(struct evidence *e, const struct event *event)
{
	uint8_t memory[4096];
	struct mp_writer w = mp_writer_of(memory, sizeof memory);
	struct event_wire wire;
	struct event own = *event;
	uint64_t seq;

	own.command_id = fixture_id(0x55, evidence_size(e));
	own.occurred_us = now_us;
	event_write(&w, &own);
	struct mp_reader r = mp_reader_of(mp_written(&w));
	event_wire_read(&r, &wire);
	assert_false(r.bad);
	const uint64_t stream = event_describe(event->type)->stream;
	assert_int_equal(evidence_begin(e), EVIDENCE_OK);
	assert_int_equal(evidence_append(e, stream, evidence_stream_head(e, stream).epoch, &wire,
					 now_us, &seq),
			 EVIDENCE_OK);
	assert_int_equal(evidence_commit(e), EVIDENCE_OK);
}

static inline void
place_hold(const char *directory, const char *agent, uint64_t until_us)
{
	struct event event = { .type = EVENT_HOLD_PLACED };
	struct evidence *e = open_evidence(directory);

	event.hold_placed = (struct event_hold_placed){ .hold = fixture_id(0x88, 1),
							.until_us = until_us,
							.operator_name = fixture_name("carol"),
							.agent_name = fixture_name(agent),
							.reason = fixture_name("case 7") };
	append_own(e, &event);
	evidence_close(e, now_us);
}

static inline void
release_hold(const char *directory)
{
	struct event event = { .type = EVENT_HOLD_RELEASED };
	struct evidence *e = open_evidence(directory);

	event.hold_released = (struct event_hold_released){ .hold = fixture_id(0x88, 1),
							    .operator= fixture_id(0xEE, 1),
							    .operator_name = fixture_name("carol"),
							    .reason = fixture_name("closed") };
	append_own(e, &event);
	evidence_close(e, now_us);
}

#endif
