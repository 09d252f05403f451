/* The rows of a bundle: data/events.jsonl and data/omissions.jsonl. */
#include "replay/verify_bundle.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/seal.h"

static bool
take_word(struct span *line, const char *word)
{
	const size_t count = strlen(word);

	if (line->count < count || memcmp(line->at, word, count) != 0) {
		return false;
	}
	line->at += count;
	line->count -= count;
	return true;
}

static bool
take_number(struct span *line, uint64_t *out)
{
	size_t digits = 0;

	*out = 0;
	while (digits < line->count && digits < 18 && line->at[digits] >= '0' &&
	       line->at[digits] <= '9') {
		*out = *out * 10 + (uint64_t)(line->at[digits++] - '0');
	}
	const bool is_canonical = digits > 0 && (digits == 1 || line->at[0] != '0');
	line->at += digits;
	line->count -= digits;
	return is_canonical;
}

static bool
take_hex(struct span *line, struct digest *out)
{
	for (size_t i = 0; i < sizeof out->bytes; i++) {
		unsigned byte = 0;

		for (size_t k = 0; k < 2; k++) {
			const uint8_t c = 2 * i + k < line->count ? line->at[2 * i + k] : 0;
			if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
				return false;
			}
			byte = byte << 4 | (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
		}
		out->bytes[i] = (uint8_t)byte;
	}
	line->at += 2 * sizeof out->bytes;
	line->count -= 2 * sizeof out->bytes;
	return true;
}

static bool
take_head(struct span *line, uint64_t *seq, struct digest *leaf)
{
	return take_word(line, "{\"seq\":") && take_number(line, seq) &&
	       take_word(line, ",\"leaf_hash\":\"") && take_hex(line, leaf) &&
	       take_word(line, "\",");
}

bool
bundle_row_head(struct span line, uint64_t *seq, struct digest *leaf)
{
	return take_head(&line, seq, leaf);
}

/* --- a row, without judging it ------------------------------------------------------------------
 */

struct bundle_rows {
	struct bundle_lines lines;
	uint8_t entry[ENTRY_BYTES_MAX];
};

/* The entry as the line's beginning has it; false if the line begins otherwise or it is none. */
bool
bundle_row_read(struct span line, uint8_t memory[ENTRY_BYTES_MAX], struct bundle_row *out)
{
	size_t count = 0;

	memset(out, 0, sizeof *out);
	if (!take_head(&line, &out->seq, &out->leaf) || !take_word(&line, "\"entry_b64\":\"")) {
		return false;
	}
	const uint8_t *end = memchr(line.at, '"', line.count);
	if (end == NULL) {
		return false;
	}
	out->base64 = (struct span){ line.at, (size_t)(end - line.at) };
	if (!bundle_base64(out->base64, memory, ENTRY_BYTES_MAX, &count)) {
		return false;
	}
	out->bytes = (struct span){ memory, count };
	return entry_read(out->bytes, &out->entry);
}

struct bundle_rows *
bundle_rows_open(const struct bundle_files *files)
{
	struct bundle_rows *rows = calloc(1, sizeof *rows);

	assert(rows != NULL);
	bundle_lines_open(&rows->lines, files, "data/events.jsonl");
	return rows;
}

bool
bundle_rows_next(struct bundle_rows *rows, struct bundle_row *out)
{
	struct span line;

	while (bundle_lines_next(&rows->lines, &line)) {
		if (bundle_row_read(line, rows->entry, out)) {
			return true;
		}
	}
	return false;
}

void
bundle_rows_close(struct bundle_rows *rows)
{
	bundle_lines_close(&rows->lines);
	free(rows);
}

/* --- columns -------------------------------------------------------------------------------------
 */

static struct bundle_value
number_of(uint64_t number)
{
	return (struct bundle_value){ .kind = CELL_NUMBER, .number = number };
}

static struct bundle_value
id_of(const struct id *id, bool is_null)
{
	struct bundle_value value = { .kind = is_null ? CELL_NULL : CELL_TEXT };

	if (!is_null) {
		hex_write(value.text, id->bytes, sizeof id->bytes);
	}
	return value;
}

struct bundle_value
bundle_column(const struct bundle_row *row, const char *name)
{
	const struct entry *e = &row->entry;
	const struct {
		const char *name;
		uint64_t number;
	} numbers[] = { { "seq", e->seq },
			{ "recorded_us", e->recorded_us },
			{ "occurred_us", e->occurred_us },
			{ "stream", e->stream },
			{ "stream_version", e->stream_version },
			{ "epoch", e->epoch },
			{ "type", e->type },
			{ "type_version", e->type_version } };
	struct bundle_value value = { .kind = CELL_UNKNOWN };

	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		if (strcmp(numbers[i].name, name) == 0) {
			return number_of(numbers[i].number);
		}
	}
	if (strcmp(name, "command_id") == 0) {
		return id_of(&e->command_id, false);
	}
	if (strcmp(name, "trace_id") == 0) {
		return id_of(&e->trace_id, id_is_none(&e->trace_id));
	}
	if (strcmp(name, "cause") == 0) {
		value = number_of(e->cause);
		value.kind = e->has_cause ? CELL_NUMBER : CELL_NULL;
	} else if (strcmp(name, "leaf_hash") == 0) {
		value.kind = CELL_TEXT;
		hex_write(value.text, row->leaf.bytes, sizeof row->leaf.bytes);
	}
	return value;
}

static const char *const columns[] = { "seq",      "recorded_us",    "occurred_us",
				       "stream",   "stream_version", "epoch",
				       "type",     "type_version",   "command_id",
				       "trace_id", "cause" };

static bool
is_value(const json_t *json, const struct bundle_value *value)
{
	switch (value->kind) {
	case CELL_UNKNOWN:
	case CELL_NULL:
		return json_is_null(json);
	case CELL_NUMBER:
		return json_is_integer(json) && json_integer_value(json) >= 0 &&
		       (uint64_t)json_integer_value(json) == value->number;
	case CELL_TEXT:
		return json_is_string(json) && strcmp(json_string_value(json), value->text) == 0;
	}
	return false;
}

/* --- judging -------------------------------------------------------------------------------------
 */

struct judging {
	struct bundle *b;
	const char *where;
	const json_t *json;
	const struct bundle_row *row;
	uint8_t *memory; /* BUNDLE_LINE_MAX bytes */
};

static void
check_columns(const struct judging *j)
{
	for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
		const struct bundle_value value = bundle_column(j->row, columns[i]);
		char what[96];

		if (!is_value(json_object_get(j->json, columns[i]), &value)) {
			snprintf(what, sizeof what, "column %s is not what the entry says",
				 columns[i]);
			bundle_say(j->b, what, j->where, "the entry's own value", "another");
		}
	}
}

static struct span
string_of(const json_t *json)
{
	return (struct span){ (const uint8_t *)json_string_value(json), json_string_length(json) };
}

static void
check_part(const struct judging *j, const json_t *given, const struct sealed_part *part)
{
	uint8_t salt[SEAL_SALT_BYTES];
	size_t salt_count = 0;
	size_t count = 0;
	struct digest digest;
	const json_t *const salt_json = json_object_get(given, "salt");
	const json_t *const body_json = json_object_get(given, "body");

	if (json_is_null(given)) {
		return;
	}
	if (!json_is_string(salt_json) || !json_is_string(body_json) ||
	    !bundle_base64(string_of(salt_json), salt, sizeof salt, &salt_count) ||
	    salt_count != sizeof salt ||
	    !bundle_base64(string_of(body_json), j->memory, BUNDLE_LINE_MAX, &count)) {
		bundle_say(j->b, "a sealed part cannot be read", j->where, "salt and body",
			   "something else");
		return;
	}
	seal_digest(salt, (struct span){ j->memory, count }, &digest);
	if (!digest_equal(&digest, &part->digest)) {
		voice_say_digests(&j->b->voice, "a sealed part is not the one that was logged",
				  j->where, &part->digest, &digest);
	}
	if (count != part->length) {
		voice_say_numbers(&j->b->voice, "a sealed part has another length", j->where,
				  part->length, count);
	}
}

static void
check_sealed(const struct judging *j)
{
	const json_t *const sealed = json_object_get(j->json, "sealed");

	if (sealed == NULL || json_is_null(sealed)) {
		return;
	}
	if (!json_is_array(sealed) || json_array_size(sealed) != j->row->entry.parts) {
		bundle_say(j->b, "sealed parts", j->where, "as many as the entry has",
			   "another number, or no list");
		return;
	}
	for (uint32_t i = 0; i < j->row->entry.parts; i++) {
		check_part(j, json_array_get(sealed, i), &j->row->entry.part[i]);
	}
}

struct heads {
	uint64_t rows;
	uint64_t seq;
	uint64_t recorded_us;
	uint64_t version[STREAMS];
	bool is_begun[STREAMS];
};

/* Beside the rows before it; streams are dense where nothing is left out. */
static void
check_order(const struct judging *j, struct heads *heads)
{
	const struct entry *e = &j->row->entry;
	struct verify_voice *voice = &j->b->voice;

	if (heads->rows > 0 && e->seq <= heads->seq) {
		voice_say_numbers(voice, "events are not in order", j->where, heads->seq + 1,
				  e->seq);
	}
	if (e->recorded_us < heads->recorded_us) {
		voice_say_numbers(voice, "time goes back", j->where, heads->recorded_us,
				  e->recorded_us);
	}
	heads->rows++;
	heads->seq = e->seq;
	heads->recorded_us = e->recorded_us;
	if (e->stream >= STREAMS) {
		return;
	}
	if (heads->is_begun[e->stream]) {
		const uint64_t last = heads->version[e->stream];
		if (e->stream_version <= last) {
			voice_say_numbers(voice, "a stream version goes back", j->where, last + 1,
					  e->stream_version);
		} else if (j->b->manifest.omitted == 0 && e->stream_version != last + 1) {
			voice_say_numbers(voice, "a stream has a gap", j->where, last + 1,
					  e->stream_version);
		}
	}
	heads->version[e->stream] = e->stream_version;
	heads->is_begun[e->stream] = true;
}

static void
check_row(const struct judging *j, struct heads *heads)
{
	struct digest leaf;

	entry_leaf_hash(j->row->bytes, &leaf);
	if (!digest_equal(&leaf, &j->row->leaf)) {
		voice_say_digests(&j->b->voice, "an entry is not the one that was hashed", j->where,
				  &j->row->leaf, &leaf);
	}
	check_columns(j);
	check_sealed(j);
	check_order(j, heads);
}

static json_t *
read_json(struct span line)
{
	json_error_t error;

	return json_loadb((const char *)line.at, line.count, JSON_REJECT_DUPLICATES, &error);
}

static void
check_events(struct bundle *b, uint8_t *memory)
{
	struct bundle_lines lines;
	struct heads heads = { 0 };
	struct span line;
	char where[64];

	bundle_lines_open(&lines, b->files, "data/events.jsonl");
	if (lines.file == NULL) {
		bundle_say(b, "a file is missing", "data/events.jsonl", "a file", "none");
	}
	while (bundle_lines_next(&lines, &line)) {
		uint8_t entry[ENTRY_BYTES_MAX];
		struct bundle_row row;
		json_t *const json = read_json(line);
		const struct judging j = { b, where, json, &row, memory };

		snprintf(where, sizeof where, "data/events.jsonl line %" PRIu64, lines.number);
		if (!json_is_object(json) || !bundle_row_read(line, entry, &row)) {
			bundle_say(b, "a line cannot be read", where,
				   "a JSON object with a canonical entry, as docs/bundle.md says",
				   "something else");
		} else {
			check_row(&j, &heads);
		}
		json_decref(json);
	}
	if (lines.is_broken) {
		bundle_say(b, "a file cannot be read to its end", "data/events.jsonl",
			   "lines that end in newlines", "a line that does not, or is too long");
	}
	bundle_lines_close(&lines);
	if (heads.rows != b->manifest.disclosed) {
		voice_say_numbers(&b->voice, "the manifest counts other disclosed events",
				  "data/events.jsonl", b->manifest.disclosed, heads.rows);
	}
}

/* "pruned" is a claim that can be checked: any other reason is the exporter's word. */
static void
check_reason(struct bundle *b, const json_t *json, uint64_t seq)
{
	const char *reason = json_string_value(json_object_get(json, "reason"));
	uint64_t event = 0;

	if (reason != NULL && strcmp(reason, "pruned") == 0 &&
	    !(bundle_take_count(json, "pruned_by", &event) && bundle_is_pruned(b, event, seq))) {
		bundle_say(b, "an entry is called pruned, and nothing here says so",
			   verify_place_of(seq).text,
			   "a log_pruned of its range in data/pruned.jsonl", "none");
	}
}

static void
check_omissions(struct bundle *b)
{
	struct bundle_lines lines;
	struct span line;
	uint64_t count = 0;
	uint64_t next = 0;
	char where[64];

	bundle_lines_open(&lines, b->files, "data/omissions.jsonl");
	if (lines.file == NULL) {
		bundle_say(b, "a file is missing", "data/omissions.jsonl", "a file", "none");
	}
	while (bundle_lines_next(&lines, &line)) {
		json_t *const json = read_json(line);
		struct span rest = line;
		struct digest leaf;
		uint64_t seq = 0;

		snprintf(where, sizeof where, "data/omissions.jsonl line %" PRIu64, lines.number);
		if (!json_is_object(json) || !take_head(&rest, &seq, &leaf) ||
		    !take_word(&rest, "\"reason\":\"")) {
			bundle_say(b, "a line cannot be read", where,
				   "a JSON object as docs/bundle.md says", "something else");
		} else if (seq < next) {
			voice_say_numbers(&b->voice, "omissions are not in order", where, next,
					  seq);
		} else {
			check_reason(b, json, seq);
		}
		count++;
		next = seq + 1;
		json_decref(json);
	}
	if (lines.is_broken) {
		bundle_say(b, "a file cannot be read to its end", "data/omissions.jsonl",
			   "lines that end in newlines", "a line that does not, or is too long");
	}
	bundle_lines_close(&lines);
	if (count != b->manifest.omitted) {
		voice_say_numbers(&b->voice, "the manifest counts other omissions",
				  "data/omissions.jsonl", b->manifest.omitted, count);
	}
}

void
bundle_check_rows(struct bundle *b)
{
	uint8_t *memory = malloc(BUNDLE_LINE_MAX);

	assert(memory != NULL);
	check_events(b, memory);
	bundle_check_pruned(b);
	check_omissions(b);
	free(memory);
}
