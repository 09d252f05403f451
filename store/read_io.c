/* Opening for reading, and walking the events. */
#include "store/read_io.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store/pruned_io.h"
#include "store/reader_state_io.h"

bool
reader_fails(struct log_reader *reader, const char *what)
{
	snprintf(reader->fault, sizeof reader->fault, "%.*s: %s", READER_FAULT_MAX / 2,
		 reader->path, what);
	return false;
}

static void
find_paths(struct log_reader *reader, const char *named)
{
	struct stat status;

	if (stat(named, &status) == 0 && S_ISREG(status.st_mode)) {
		const char *slash = strrchr(named, '/');
		snprintf(reader->path, sizeof reader->path, "%s", named);
		snprintf(reader->directory, sizeof reader->directory, "%.*s",
			 slash == NULL ? 1 : (int)(slash - named), slash == NULL ? "." : named);
		return;
	}
	snprintf(reader->directory, sizeof reader->directory, "%s", named);
	path_join(reader->path, named, "witness.db");
}

static bool
read_origin(struct log_reader *reader)
{
	struct entry header;
	struct event event;

	if (lookup_event(&reader->lookup, 0, &header, &event) != ENTRY_KNOWN ||
	    event.type != EVENT_LOG_CREATED) {
		return reader_fails(
			reader, "it does not begin with log_created: it is empty, or not a log");
	}
	memcpy(reader->origin, event.log_created.origin.bytes, event.log_created.origin.length);
	return true;
}

bool
log_reader_open(const char *directory, struct log_reader **out, char *fault, size_t fault_size)
{
	struct log_reader *reader = calloc(1, sizeof *reader);

	assert(reader != NULL);
	find_paths(reader, directory);
	if (!db_open(reader->path, DB_READ, &log_kind, &reader->db, fault, fault_size)) {
		free(reader);
		return false;
	}
	const bool reads = lookup_open(&reader->lookup, reader->db);
	reader->rows =
		db_prepare(reader->db, "SELECT seq, recorded_us, stream, type, entry FROM event"
				       " WHERE seq >= ? AND seq < ? ORDER BY seq");
	reader->sealed = db_prepare(reader->db, "SELECT id, salt, body FROM sealed"
						" WHERE id >= ? AND id < ? ORDER BY id");
	if (!reads || reader->rows == NULL || reader->sealed == NULL) {
		snprintf(fault, fault_size, "%s: its tables are not those of an evidence log: %s",
			 reader->path, sqlite3_errmsg(reader->db));
		log_reader_close(reader);
		return false;
	}
	if (!read_origin(reader)) {
		snprintf(fault, fault_size, "%s", reader->fault);
		log_reader_close(reader);
		return false;
	}
	*out = reader;
	return true;
}

void
log_reader_close(struct log_reader *reader)
{
	if (reader == NULL) {
		return;
	}
	sqlite3_finalize(reader->rows);
	sqlite3_finalize(reader->sealed);
	lookup_close(&reader->lookup);
	db_close(reader->db);
	free(reader->row_memory);
	free(reader);
}

const char *
log_reader_fault(const struct log_reader *reader)
{
	return reader->fault;
}

const char *
log_reader_origin(const struct log_reader *reader)
{
	return reader->origin;
}

bool
log_reader_size(struct log_reader *reader, uint64_t *size)
{
	return lookup_size(&reader->lookup, size) ||
	       reader_fails(reader, sqlite3_errmsg(reader->db));
}

/* --- keys
 * ------------------------------------------------------------------------------------------ */

bool
log_keys_open_with(struct log_reader *reader, const struct seal_key *wrap, struct log_keys **out,
		   char *fault, size_t fault_size)
{
	struct log_keys *keys = calloc(1, sizeof *keys);
	char path[FILE_PATH_MAX];

	assert(keys != NULL);
	path_join(path, reader->directory, "keys.db");
	if (!keys_open(path, DB_READ, wrap, &keys->keys, fault, fault_size)) {
		free(keys);
		return false;
	}
	keys->reader = reader;
	keys->sealer = sealer_new(reader->origin);
	*out = keys;
	return true;
}

bool
log_keys_open(struct log_reader *reader, const char *wrap_key_file, struct log_keys **out,
	      char *fault, size_t fault_size)
{
	char wrap_path[FILE_PATH_MAX];
	struct seal_key wrap;

	path_join(wrap_path, reader->directory, "private/wrap.key");
	if (wrap_key_file == NULL || wrap_key_file[0] == '\0') {
		wrap_key_file = wrap_path;
	}
	const enum file_result result = secret_read(wrap_key_file, wrap.bytes);
	if (result != FILE_OK) {
		snprintf(fault, fault_size, "%s: %s: name the wrap key of this log", wrap_key_file,
			 result == FILE_MISSING ? "missing" : "not 64 hex digits, or not readable");
		return false;
	}
	const bool opened = log_keys_open_with(reader, &wrap, out, fault, fault_size);
	seal_forget(&wrap, sizeof wrap);
	return opened;
}

void
log_keys_derive(const struct log_keys *keys, const char *label, uint8_t out[32])
{
	seal_derive(keys_wrap_key(keys->keys), label, out);
}

void
log_keys_close(struct log_keys *keys)
{
	if (keys != NULL) {
		keys_close(keys->keys);
		sealer_free(keys->sealer);
		seal_forget(keys, sizeof *keys);
		free(keys);
	}
}

static bool
open_part(struct log_keys *keys, const struct entry *entry, unsigned part, struct span salt,
	  struct span body, struct span *plain)
{
	const struct sealed_part *sealed = &entry->part[part];
	const struct seal_place place = { entry->seq, (uint8_t)part, sealed->key_id };
	const struct data_key *key = NULL;
	bool announced = false;
	size_t count = 0;

	if (salt.count != SEAL_SALT_BYTES || body.count == 0 || id_is_none(&sealed->subject)) {
		return true;
	}
	const enum keys_found found = keys_find(keys->keys, &keys->reader->lookup, &sealed->subject,
						seal_month(entry->recorded_us), &key, &announced);
	if (found == KEYS_NONE || (found == KEYS_FOUND && !id_equal(&key->id, &sealed->key_id))) {
		return true;
	}
	if (found == KEYS_BROKEN || !announced) {
		return reader_fails(
			keys->reader,
			"keys.db holds a key that is not the one the log committed to, or the "
			"wrap key is another log's: see ifreplay verify");
	}
	if (seal_open(keys->sealer, &key->key, &place, salt.at, body, keys->plain[part], &count)) {
		*plain = (struct span){ keys->plain[part], count };
	}
	return true;
}

bool
log_open_parts(struct log_keys *keys, const struct entry *entry, const struct span salt[],
	       const struct span body[], struct span plain[SEALED_PARTS_MAX])
{
	bool ok = true;

	for (unsigned part = 0; part < SEALED_PARTS_MAX; part++) {
		plain[part] = (struct span){ 0 };
	}
	for (unsigned part = 0; part < entry->parts && ok; part++) {
		ok = open_part(keys, entry, part, salt[part], body[part], &plain[part]);
	}
	return ok;
}

/* --- events
 * ---------------------------------------------------------------------------------------- */

void
log_pass_pruned(struct log_reader *reader, log_pruned_visitor *visit, void *context)
{
	reader->passes_pruned = true;
	reader->pruned = visit;
	reader->pruned_context = context;
}

bool
log_pruned_at(struct log_reader *reader, uint64_t seq, uint64_t *first, uint64_t *end,
	      uint64_t *event)
{
	struct pruned_range range;

	if (!pruned_find(&reader->lookup, seq, &range)) {
		return false;
	}
	*first = range.first;
	*end = range.end;
	*event = range.event;
	return true;
}

struct walk {
	struct log_reader *reader;
	struct log_keys *keys;
	uint32_t streams;
	uint64_t expected; /* seq of the next row */
	log_event_visitor *visit;
	void *context;
	bool failed;
	bool stopped;
};

static bool
fail_walk(struct walk *walk, uint64_t seq, const char *what)
{
	char text[128];

	snprintf(text, sizeof text, "event %" PRIu64 " %s: see ifreplay verify", seq, what);
	walk->failed = true;
	return reader_fails(walk->reader, text);
}

/* Whether what is not there was pruned, and the reader passes that over: then it is told. */
static bool
passes(const struct walk *walk, uint64_t seq, struct pruned_range *range)
{
	struct log_reader *reader = walk->reader;

	if (!reader->passes_pruned || !pruned_find(&reader->lookup, seq, range)) {
		return false;
	}
	if (reader->pruned != NULL) {
		reader->pruned(reader->pruned_context, range->first, range->end, range->event);
	}
	return true;
}

/* Moves on over pruned ranges, up to `seq`; false if entries before it are missing. */
static bool
expect(struct walk *walk, uint64_t seq)
{
	struct pruned_range range;

	while (walk->expected < seq) {
		if (!passes(walk, walk->expected, &range)) {
			return false;
		}
		walk->expected = range.end;
	}
	return true;
}

/* Gives false to end the walk. */
static bool
visit_row(void *context, const struct log_row *row)
{
	struct walk *walk = context;
	struct span plain[SEALED_PARTS_MAX];
	struct entry entry;

	if (!expect(walk, row->seq)) {
		return fail_walk(walk, walk->expected, "is missing");
	}
	/* Some rows of a range that is on its way out may be left: they are passed over as well. */
	if (row->seq < walk->expected) {
		return true;
	}
	walk->expected++;
	if (!entry_read(row->entry, &entry) || entry.seq != row->seq) {
		return fail_walk(walk, row->seq, "cannot be read");
	}
	if (entry.stream >= 32 || (walk->streams & LOG_STREAM(entry.stream)) == 0) {
		return true;
	}
	const bool opens = walk->keys != NULL && entry.parts > 0;
	if (opens && !log_open_parts(walk->keys, &entry, row->salt, row->body, plain)) {
		walk->failed = true;
		return false;
	}
	const enum entry_meaning meaning =
		entry_to_event(&entry, opens ? plain : NULL, &walk->reader->event);
	if (meaning == ENTRY_BROKEN) {
		return fail_walk(walk, row->seq, "does not have the fields of its type");
	}
	walk->stopped = !walk->visit(walk->context,
				     meaning == ENTRY_KNOWN ? &walk->reader->event : NULL, &entry);
	return !walk->stopped;
}

bool
log_read_events(struct log_reader *reader, struct log_keys *keys, uint64_t from_seq,
		uint64_t to_seq, uint32_t streams, log_event_visitor *visit, void *context)
{
	struct walk walk = { .reader = reader,
			     .keys = keys,
			     .streams = streams,
			     .expected = from_seq,
			     .visit = visit,
			     .context = context };
	uint64_t size = 0;

	if (!log_reader_size(reader, &size)) {
		return false;
	}
	to_seq = to_seq < size ? to_seq : size;
	if (!log_read_rows(reader, from_seq, to_seq, visit_row, &walk) || walk.failed) {
		return false;
	}
	return walk.stopped || expect(&walk, to_seq) ||
	       fail_walk(&walk, walk.expected, "is missing");
}

enum { ROWS_BACK_PER_TRANSACTION = 1024 };

/* Moves *seq down to the first of a range that was pruned. */
static bool
visit_back(struct walk *walk, uint64_t *seq)
{
	struct pruned_range range;
	struct log_row row;
	bool found = false;

	walk->expected = *seq;
	if (!log_read_row(walk->reader, *seq, &row, &found)) {
		return false;
	}
	if (!found && passes(walk, *seq, &range)) {
		*seq = range.first;
		return true;
	}
	if (!found) {
		return fail_walk(walk, *seq, "is missing");
	}
	visit_row(walk, &row);
	return !walk->failed;
}

bool
log_read_events_back(struct log_reader *reader, struct log_keys *keys, uint64_t from_seq,
		     uint64_t to_seq, uint32_t streams, log_event_visitor *visit, void *context)
{
	struct walk walk = { .reader = reader,
			     .keys = keys,
			     .streams = streams,
			     .visit = visit,
			     .context = context };
	uint64_t size = 0;

	if (!log_reader_size(reader, &size)) {
		return false;
	}
	bool ok = true;
	for (uint64_t seq = to_seq < size ? to_seq : size;
	     ok && seq-- > from_seq && !walk.stopped;) {
		/* A transaction for each row costs more than the row. */
		log_reader_hold(reader);
		ok = visit_back(&walk, &seq);
		if (seq % ROWS_BACK_PER_TRANSACTION == 0) {
			log_reader_let_go(reader);
		}
	}
	log_reader_let_go(reader);
	return ok;
}
