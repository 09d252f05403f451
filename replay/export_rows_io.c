/* One walk over the log: what is disclosed of each event of the range, and what is not. Events
 * before the range are read only where the filter must learn whose handles are whose. */
#include "replay/export_state_io.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/csv.h"
#include "replay/fields.h"
#include "replay/ocsf.h"
#include "replay/print_io.h"
#include "replay/subject.h"
#include "replay/words.h"
#include "store/evidence_db_io.h"

enum { PROGRESS_EVERY = 8192, FAULT_MAX = 256 };

struct rows {
	struct export *x;
	struct filter filter;
	struct names shown; /* names as the profile shows them */
	struct bundle_member *events, *omissions, *csv, *ocsf;
	struct evidence_db *db;
	uint64_t tile; /* the tile whose hashes are at hand */
	struct digest hashes[TILE_HASHES];
	uint64_t next; /* the seq that must come */
	struct paper paper;
	struct json_line line;
};

static bool
broken(struct rows *r, uint64_t seq, const char *what)
{
	return export_fails(r->x, "entry %" PRIu64 " %s: run ifreplay verify", seq, what);
}

/* As the signed tree has it; NULL if its tile cannot be read. */
static const struct digest *
leaf_in_tree(struct rows *r, uint64_t seq)
{
	const uint64_t size = r->x->newest.checkpoint.size;
	const uint64_t tile = seq / TILE_HASHES;
	const uint64_t left = size - tile * TILE_HASHES;

	if (tile != r->tile) {
		if (!log_fetch_hashes(r->x->source->reader, 0, tile,
				      left < TILE_HASHES ? (uint32_t)left : TILE_HASHES,
				      r->hashes)) {
			return NULL;
		}
		r->tile = tile;
	}
	return &r->hashes[seq % TILE_HASHES];
}

/* The export never vouches for an entry that the signed tree does not hold. */
static bool
is_in_tree(struct rows *r, uint64_t seq, const struct digest *leaf)
{
	const struct digest *signed_leaf = leaf_in_tree(r, seq);

	return signed_leaf != NULL && digest_equal(signed_leaf, leaf);
}

/* --- one disclosed event, for each of its readers
 * ------------------------------------------------- */

static void
add_names(struct rows *r, const struct event *event)
{
	const struct record_shape shape = event_describe(event->type)->shape;

	json_line_open(&r->line, "names", '{');
	for (size_t i = 0; i < shape.count; i++) {
		const struct field *field = &shape.fields[i];
		const void *value = (const uint8_t *)event_fields_const(event) + field->offset;
		const struct name *name = field->kind != FIELD_ID || id_is_none(value)
						  ? NULL
						  : names_find(&r->shown, value);
		if (name != NULL) {
			json_line_string(&r->line, field->name, name->bytes, name->length);
		}
	}
	json_line_close(&r->line, '}');
}

static void
add_sealed(struct json_line *line, const struct disclosed *d)
{
	json_line_open(line, "sealed", '[');
	for (uint32_t i = 0; i < d->entry->parts; i++) {
		if (d->body[i].count == 0) {
			json_line_null(line, NULL);
			continue;
		}
		json_line_open(line, NULL, '{');
		json_line_base64(line, "salt", d->salt[i].at, d->salt[i].count);
		json_line_base64(line, "body", d->body[i].at, d->body[i].count);
		json_line_close(line, '}');
	}
	json_line_close(line, ']');
}

static void
add_envelope(struct json_line *line, const struct disclosed *d)
{
	const struct entry *e = d->entry;
	char when[MOMENT_PRINT_MAX];

	json_line_number(line, "seq", e->seq);
	json_line_hex(line, "leaf_hash", d->leaf.bytes, sizeof d->leaf.bytes);
	json_line_base64(line, "entry_b64", d->bytes.at, d->bytes.count);
	json_line_number(line, "recorded_us", e->recorded_us);
	json_line_number(line, "occurred_us", e->occurred_us);
	json_line_number(line, "stream", e->stream);
	json_line_number(line, "stream_version", e->stream_version);
	json_line_number(line, "epoch", e->epoch);
	json_line_number(line, "type", e->type);
	json_line_number(line, "type_version", e->type_version);
	fields_id(line, "command_id", &e->command_id);
	fields_id(line, "trace_id", &e->trace_id);
	if (e->has_cause) {
		json_line_number(line, "cause", e->cause);
	} else {
		json_line_null(line, "cause");
	}
	json_line_word(line, "recorded", moment_print(when, sizeof when, e->recorded_us));
}

/* Keys in the order that docs/bundle.md fixes. The fields are the database's, too: its row borrows
 * them from the line. */
static void
write_json(struct rows *r, const struct disclosed *d, struct evidence_db_row *row)
{
	struct json_line *line = &r->line;
	size_t start = 0;

	json_line_start(line);
	json_line_open(line, NULL, '{');
	add_envelope(line, d);
	if (d->event != NULL) {
		row->event = event_describe(d->event->type)->name;
		json_line_word(line, "event", row->event);
		start = line->count + strlen(",\"fields\":");
		fields_json(line, "fields", d->event);
		row->fields = (struct span){ NULL, line->count - start };
		add_names(r, d->event);
	}
	if (d->body[0].count > 0 || d->body[1].count > 0) {
		add_sealed(line, d);
	}
	json_line_close(line, '}');
	row->fields.at = (const uint8_t *)line->text + start;
	bundle_write(r->events, line->text, line->count);
	bundle_write(r->events, "\n", 1);
}

static void
write_ocsf(struct rows *r, const struct disclosed *d)
{
	ocsf_line(&r->line, d, r->x->words.origin);
	bundle_write(r->ocsf, r->line.text, r->line.count);
	bundle_write(r->ocsf, "\n", 1);
}

static bool
disclose(struct rows *r, const struct disclosed *d)
{
	struct export_words *words = &r->x->words;
	struct evidence_db_row row = {
		.entry = d->entry,
		.bytes = d->bytes,
		.leaf = &d->leaf,
	};

	if (d->event != NULL) {
		names_learn(&r->shown, d->event);
	}
	report_feed(r->x->report, d);
	write_json(r, d, &row);
	if (!evidence_db_put(r->db, &row)) {
		return export_fails(r->x, "%s", evidence_db_fault(r->db));
	}
	write_ocsf(r, d);
	paper_clear(&r->paper);
	csv_row(&r->paper, d);
	bundle_write(r->csv, r->paper.text, r->paper.count);
	if (words->disclosed < EXPORT_PROOFS_MAX) {
		r->x->proof[words->disclosed] = d->entry->seq;
	}
	words->disclosed++;
	return true;
}

/* `more`: what the line says behind its reason. */
static bool
omit(struct rows *r, uint64_t seq, const struct digest *leaf, const char *reason, const char *more)
{
	char hex[2 * sizeof leaf->bytes + 1];
	char line[256];

	hex_write(hex, leaf->bytes, sizeof leaf->bytes);
	const int count =
		snprintf(line, sizeof line,
			 "{\"seq\":%" PRIu64 ",\"leaf_hash\":\"%s\",\"reason\":\"%s\"%s}\n", seq,
			 hex, reason, more);
	bundle_write(r->omissions, line, (size_t)count);
	r->x->words.omitted++;
	return evidence_db_omit(r->db, seq, leaf, reason) ||
	       export_fails(r->x, "%s", evidence_db_fault(r->db));
}

/* From `next` up to `seq` nothing is there: true if all of it was pruned, and now is named. */
static bool
pass_pruned(struct rows *r, uint64_t seq)
{
	uint64_t first = 0, end = 0, event = 0;
	char more[64];

	while (r->next < seq) {
		if (!log_pruned_at(r->x->source->reader, r->next, &first, &end, &event)) {
			return broken(r, r->next, "is missing");
		}
		snprintf(more, sizeof more, ",\"pruned_by\":%" PRIu64, event);
		for (; r->next < end && r->next < seq; r->next++) {
			const struct digest *leaf = leaf_in_tree(r, r->next);

			if (leaf == NULL) {
				return broken(r, r->next, "was pruned, and its tile is not there");
			}
			if (r->next < r->x->words.from) {
				continue;
			}
			export_note_pruned(r->x, event);
			if (!omit(r, r->next, leaf, "pruned", more)) {
				return false;
			}
		}
	}
	return true;
}

/* --- one row of the log
 * --------------------------------------------------------------------------- */

struct opened {
	struct entry entry;
	struct event event;
	struct digest leaf;
	enum entry_meaning meaning;
	struct span salt[SEALED_PARTS_MAX];
	struct span body[SEALED_PARTS_MAX];
};

static bool
open_row(struct rows *r, const struct log_row *row, struct opened *out)
{
	struct source *source = r->x->source;
	struct span plain[SEALED_PARTS_MAX] = { { 0 } };

	if (row->seq != r->next || !entry_read(row->entry, &out->entry) ||
	    out->entry.seq != row->seq) {
		return broken(r, r->next, "is missing or not canonical");
	}
	entry_leaf_hash(row->entry, &out->leaf);
	if (!is_in_tree(r, row->seq, &out->leaf)) {
		return broken(r, row->seq, "is not the one in the signed tree");
	}
	if (source->keys != NULL &&
	    !log_open_parts(source->keys, &out->entry, row->salt, row->body, plain)) {
		return broken(r, row->seq, "is sealed under another key than the log's");
	}
	memcpy(out->salt, row->salt, sizeof out->salt);
	memcpy(out->body, row->body, sizeof out->body);
	out->meaning = entry_to_event(&out->entry, plain, &out->event);
	return out->meaning != ENTRY_BROKEN ||
	       broken(r, row->seq, "has fields that the catalog does not know");
}

/* A subject's access is wider than a question about an agent: acts that name them are theirs, too.
 */
static bool
is_asked_for(struct rows *r, const struct entry *entry, const struct event *event)
{
	if (filter_admits(&r->filter, entry, event)) {
		return true;
	}
	return r->x->options->subject != NULL && r->x->options->peer == NULL && event != NULL &&
	       subject_concerns(&r->filter.agent, event) &&
	       filter_admits_anybody(&r->filter, entry, event);
}

static bool
take_row(struct rows *r, const struct log_row *row)
{
	const struct export_words *words = &r->x->words;
	struct opened o;
	struct disclosed d;

	if (!pass_pruned(r, row->seq) || !open_row(r, row, &o)) {
		return false;
	}
	struct event *event = o.meaning == ENTRY_KNOWN ? &o.event : NULL;
	if (event != NULL) {
		names_learn(&r->x->source->names, event);
	}
	const bool admitted = is_asked_for(r, &o.entry, event);
	r->next++;
	if (row->seq % PROGRESS_EVERY == 0) {
		print_progress("exporting", row->seq, words->end);
	}
	if (row->seq < words->from) {
		return true;
	}
	if (!admitted) {
		return omit(r, row->seq, &o.leaf,
			    r->x->options->subject != NULL ? "not about the subject" : "filter",
			    "");
	}
	if (r->x->options->subject != NULL) {
		subject_mask(&r->filter.agent, &r->x->others, &o.entry, event, o.salt, o.body);
	}
	discloser_disclose(&r->x->discloser, &o.entry, row->entry, event, o.salt, o.body, &d);
	return disclose(r, &d);
}

static bool
visit(void *context, const struct log_row *row)
{
	struct rows *r = context;

	return take_row(r, row) && bundle_fault(r->x->bundle) == NULL;
}

/* --- the whole
 * ------------------------------------------------------------------------------------ */

static bool
open_readers(struct rows *r)
{
	struct export *x = r->x;
	char path[BUNDLE_PATH_MAX];
	char fault[FAULT_MAX];

	r->events = bundle_begin(x->bundle, "data/events.jsonl");
	r->omissions = bundle_begin(x->bundle, "data/omissions.jsonl");
	r->csv = bundle_begin(x->bundle, "data/events.csv");
	r->ocsf = bundle_begin(x->bundle, "data/ocsf.jsonl");
	bundle_path(x->bundle, "data/evidence.db", path);
	if (bundle_fault(x->bundle) != NULL) {
		return export_fails(x, "%s", bundle_fault(x->bundle));
	}
	if (!evidence_db_create(path, &r->db, fault, sizeof fault)) {
		return export_fails(x, "%s", fault);
	}
	paper_clear(&r->paper);
	csv_head(&r->paper);
	bundle_write(r->csv, r->paper.text, r->paper.count);
	return export_report_begin(x, r->next);
}

/* A row of a table that says what this database is about. */
static bool
say_about(struct rows *r)
{
	const struct export_words *w = &r->x->words;
	char number[32];
	bool ok = evidence_db_about(r->db, "origin", w->origin) &&
		  evidence_db_about(r->db, "profile", profile_name(w->profile)) &&
		  evidence_db_about(r->db, "filter", w->filter);

	snprintf(number, sizeof number, "%" PRIu64, w->from);
	ok = ok && evidence_db_about(r->db, "from", number);
	snprintf(number, sizeof number, "%" PRIu64, w->end);
	return (ok && evidence_db_about(r->db, "end", number)) ||
	       export_fails(r->x, "%s", evidence_db_fault(r->db));
}

static bool
close_readers(struct rows *r, bool ok)
{
	struct bundle *bundle = r->x->bundle;
	char fault[FAULT_MAX];

	bundle_end(r->events);
	bundle_end(r->omissions);
	bundle_end(r->csv);
	bundle_end(r->ocsf);
	if (r->db != NULL) {
		ok = ok && say_about(r);
		if (!evidence_db_finish(r->db, fault, sizeof fault) && ok) {
			ok = export_fails(r->x, "%s", fault);
		}
	}
	if (ok) {
		bundle_adopt(bundle, "data/evidence.db");
		export_report_end(r->x);
	}
	return ok;
}

bool
export_rows(struct export *x)
{
	struct rows *r = calloc(1, sizeof *r);

	assert(r != NULL);
	r->x = x;
	r->tile = UINT64_MAX;
	filter_make(&r->filter, x->options);
	names_make(&r->shown);
	r->next = filter_must_learn(&r->filter) ? 0 : x->words.from;
	bool ok = open_readers(r);
	if (ok && !log_read_rows(x->source->reader, r->next, x->words.end, visit, r)) {
		ok = export_fails(x, "%s", log_reader_fault(x->source->reader));
	}
	print_progress_end();
	if (bundle_fault(x->bundle) != NULL) {
		export_fails(x, "%s", bundle_fault(x->bundle));
	}
	if (ok && x->fault[0] == '\0' && r->next < x->words.end) {
		pass_pruned(r, x->words.end);
	}
	ok = close_readers(r, ok && x->fault[0] == '\0');
	names_free(&r->shown);
	json_line_free(&r->line);
	filter_free(&r->filter);
	free(r);
	return ok;
}
