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
};

static bool
broken(struct rows *r, uint64_t seq, const char *what)
{
	return export_fails(r->x, "entry %" PRIu64 " %s: run ifreplay verify", seq, what);
}

/* The export never vouches for an entry that the signed tree does not hold. */
static bool
is_in_tree(struct rows *r, uint64_t seq, const struct digest *leaf)
{
	const uint64_t size = r->x->newest.checkpoint.size;
	const uint64_t tile = seq / TILE_HASHES;
	const uint64_t left = size - tile * TILE_HASHES;

	if (tile != r->tile) {
		if (!log_fetch_hashes(r->x->source->reader, 0, tile,
				      left < TILE_HASHES ? (uint32_t)left : TILE_HASHES,
				      r->hashes)) {
			return false;
		}
		r->tile = tile;
	}
	return digest_equal(&r->hashes[seq % TILE_HASHES], leaf);
}

/* --- one disclosed event, for each of its readers
 * ------------------------------------------------- */

static json_t *
known_names(struct rows *r, const struct event *event)
{
	const struct record_shape shape = event_describe(event->type)->shape;
	json_t *known = json_object();

	for (size_t i = 0; i < shape.count; i++) {
		const struct field *field = &shape.fields[i];
		const void *value = (const uint8_t *)event_fields_const(event) + field->offset;
		const struct name *name = field->kind != FIELD_ID || id_is_none(value)
						  ? NULL
						  : names_find(&r->shown, value);
		if (name != NULL) {
			json_object_set_new(known, field->name,
					    fields_string(name->bytes, name->length));
		}
	}
	return known;
}

static json_t *
sealed_json(const struct disclosed *d)
{
	json_t *parts = json_array();
	char text[BASE64_TEXT_MAX * 2];

	for (uint32_t i = 0; i < d->entry->parts; i++) {
		json_t *part = json_null();

		if (d->body[i].count > 0) {
			part = json_object();
			words_base64(text, d->salt[i].at, d->salt[i].count);
			json_object_set_new(part, "salt", json_string(text));
			words_base64(text, d->body[i].at, d->body[i].count);
			json_object_set_new(part, "body", json_string(text));
		}
		json_array_append_new(parts, part);
	}
	return parts;
}

static json_t *
id_json(const struct id *id)
{
	return id_is_none(id) ? json_null() : fields_hex(id->bytes, sizeof id->bytes);
}

/* Keys in the order that docs/bundle.md fixes. */
static json_t *
event_json(struct rows *r, const struct disclosed *d)
{
	const struct entry *e = d->entry;
	json_t *o = json_object();
	char *base64 = malloc(4 * ((d->bytes.count + 2) / 3) + 1);
	char when[MOMENT_PRINT_MAX];

	assert(base64 != NULL);
	words_base64(base64, d->bytes.at, d->bytes.count);
	json_object_set_new(o, "seq", fields_number(e->seq));
	json_object_set_new(o, "leaf_hash", fields_hex(d->leaf.bytes, sizeof d->leaf.bytes));
	json_object_set_new(o, "entry_b64", json_string(base64));
	json_object_set_new(o, "recorded_us", fields_number(e->recorded_us));
	json_object_set_new(o, "occurred_us", fields_number(e->occurred_us));
	json_object_set_new(o, "stream", fields_number(e->stream));
	json_object_set_new(o, "stream_version", fields_number(e->stream_version));
	json_object_set_new(o, "epoch", fields_number(e->epoch));
	json_object_set_new(o, "type", fields_number(e->type));
	json_object_set_new(o, "type_version", fields_number(e->type_version));
	json_object_set_new(o, "command_id", id_json(&e->command_id));
	json_object_set_new(o, "trace_id", id_json(&e->trace_id));
	json_object_set_new(o, "cause", e->has_cause ? fields_number(e->cause) : json_null());
	json_object_set_new(o, "recorded",
			    json_string(moment_print(when, sizeof when, e->recorded_us)));
	if (d->event != NULL) {
		json_object_set_new(o, "event", json_string(event_describe(d->event->type)->name));
		json_object_set_new(o, "fields", fields_json(d->event));
		json_object_set_new(o, "names", known_names(r, d->event));
	}
	if (d->body[0].count > 0 || d->body[1].count > 0) {
		json_object_set_new(o, "sealed", sealed_json(d));
	}
	free(base64);
	return o;
}

static void
write_json(struct bundle_member *member, json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);

	assert(text != NULL);
	bundle_write(member, text, strlen(text));
	bundle_write(member, "\n", 1);
	free(text);
}

static bool
put_sql(struct rows *r, const struct disclosed *d, const json_t *object)
{
	const json_t *fields = json_object_get(object, "fields");
	char *text = fields == NULL ? NULL : json_dumps(fields, JSON_COMPACT | JSON_ENSURE_ASCII);
	const struct evidence_db_row row = {
		.entry = d->entry,
		.bytes = d->bytes,
		.leaf = &d->leaf,
		.event = d->event == NULL ? NULL : event_describe(d->event->type)->name,
		.fields = text,
	};
	const bool ok = evidence_db_put(r->db, &row);

	free(text);
	return ok || export_fails(r->x, "%s", evidence_db_fault(r->db));
}

static bool
disclose(struct rows *r, const struct disclosed *d)
{
	struct export_words *words = &r->x->words;

	if (d->event != NULL) {
		names_learn(&r->shown, d->event);
	}
	report_feed(r->x->report, d);
	json_t *object = event_json(r, d);
	write_json(r->events, object);
	paper_clear(&r->paper);
	csv_row(&r->paper, d);
	bundle_write(r->csv, r->paper.text, r->paper.count);
	paper_clear(&r->paper);
	ocsf_line(&r->paper, d, words->origin);
	bundle_write(r->ocsf, r->paper.text, r->paper.count);
	const bool ok = put_sql(r, d, object);
	json_decref(object);
	if (words->disclosed < EXPORT_PROOFS_MAX) {
		r->x->proof[words->disclosed] = d->entry->seq;
	}
	words->disclosed++;
	return ok;
}

static bool
omit(struct rows *r, uint64_t seq, const struct digest *leaf)
{
	const char *reason = r->x->options->subject != NULL ? "not about the subject" : "filter";
	char hex[2 * sizeof leaf->bytes + 1];
	char line[256];

	hex_write(hex, leaf->bytes, sizeof leaf->bytes);
	const int count = snprintf(line, sizeof line,
				   "{\"seq\":%" PRIu64 ",\"leaf_hash\":\"%s\",\"reason\":\"%s\"}\n",
				   seq, hex, reason);
	bundle_write(r->omissions, line, (size_t)count);
	r->x->words.omitted++;
	return evidence_db_omit(r->db, seq, leaf, reason) ||
	       export_fails(r->x, "%s", evidence_db_fault(r->db));
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

	if (!open_row(r, row, &o)) {
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
		return omit(r, row->seq, &o.leaf);
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
	if (ok && x->fault[0] == '\0' && r->next != x->words.end) {
		broken(r, r->next, "is missing");
	}
	ok = close_readers(r, ok && x->fault[0] == '\0');
	names_free(&r->shown);
	filter_free(&r->filter);
	free(r);
	return ok;
}
