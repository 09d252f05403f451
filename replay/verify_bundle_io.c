/* verify-bundle: what a reviewer was handed, checked with nothing but what is in it and what the
 * reviewer has from elsewhere. */
#include "replay/verify_bundle_io.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replay/commands_io.h"
#include "replay/moment.h"
#include "replay/print_io.h"
#include "replay/witnesses_io.h"
#include "store/files_io.h"
#include "store/read_bundle_db_io.h"

enum { EXIT_BREAK = 1, EXIT_USAGE = 2 };

/* --- evidence.db ---------------------------------------------------------------------------------
 */

struct comparing {
	struct bundle *b;
	struct bundle_rows *rows;
	uint64_t lying;
	uint64_t expected;
};

static bool
is_cell(const struct foreign_cell *cell, const struct bundle_value *value, const char *text)
{
	switch (value->kind) {
	case CELL_UNKNOWN:
		return true;
	case CELL_NULL:
		return cell->kind == FOREIGN_NULL;
	case CELL_NUMBER:
		return cell->kind == FOREIGN_NUMBER && cell->number >= 0 &&
		       (uint64_t)cell->number == value->number;
	case CELL_TEXT:
		return cell->kind == FOREIGN_TEXT && cell->text.count == strlen(text) &&
		       memcmp(cell->text.at, text, cell->text.count) == 0;
	}
	return false;
}

static void
check_cell(struct bundle *b, const struct bundle_row *row, const struct foreign_cell *cell)
{
	const struct bundle_value value = bundle_column(row, cell->name);
	const bool is_entry = strcmp(cell->name, "entry_b64") == 0;
	char what[96];
	char where[64];

	if (is_entry ? cell->kind == FOREIGN_TEXT && cell->text.count == row->base64.count &&
			       memcmp(cell->text.at, row->base64.at, row->base64.count) == 0
		     : is_cell(cell, &value, value.text)) {
		return;
	}
	snprintf(what, sizeof what, "column %.40s differs from the entry", cell->name);
	snprintf(where, sizeof where, "data/evidence.db seq %" PRIu64, row->seq);
	bundle_say(b, what, where, "the entry's own value", "another");
}

static bool
compare_row(void *context, const struct foreign_cell *cells, size_t count)
{
	struct comparing *c = context;
	struct bundle_row row;

	c->lying++;
	if (!bundle_rows_next(c->rows, &row)) {
		return true;
	}
	c->expected++;
	for (size_t i = 0; i < count; i++) {
		check_cell(c->b, &row, &cells[i]);
	}
	return true;
}

static void
compare_all(struct bundle *b, const char *path)
{
	struct comparing c = { .b = b, .rows = bundle_rows_open(b->files) };
	struct bundle_row row;
	char fault[256];

	if (!foreign_db_read(path, compare_row, &c, fault, sizeof fault)) {
		bundle_say(b, "the database cannot be read", "data/evidence.db", "table event",
			   fault);
	}
	while (bundle_rows_next(c.rows, &row)) {
		c.expected++;
	}
	bundle_rows_close(c.rows);
	if (c.lying != c.expected) {
		voice_say_numbers(&b->voice, "the database has other rows", "data/evidence.db",
				  c.expected, c.lying);
	}
}

/* SQLite reads no database within a tar: a copy, whose name is gone as soon as it is open. */
static bool
copy_out(struct bundle *b, const struct bundle_file *file, char path[FILE_PATH_MAX])
{
	const char *folder = getenv("TMPDIR");
	static uint8_t piece[1 << 16];
	bool ok = true;

	snprintf(path, FILE_PATH_MAX, "%s/ifreplay-XXXXXX",
		 folder == NULL || strpbrk(folder, "?#%") != NULL ? "/tmp" : folder);
	const int fd = mkostemp(path, O_CLOEXEC);
	for (uint64_t at = 0; fd >= 0 && ok && at < file->size;) {
		const uint64_t left = file->size - at;
		const size_t count = left < sizeof piece ? (size_t)left : sizeof piece;

		ok = b->files->read(b->files->context, file, at, piece, count) &&
		     write(fd, piece, count) == (ssize_t)count;
		at += count;
	}
	if (fd >= 0) {
		close(fd);
	}
	if (fd >= 0 && !ok) {
		unlink(path);
	}
	return fd >= 0 && ok;
}

static void
check_database(struct bundle *b)
{
	const struct bundle_file *file = bundle_find(b->files, "data/evidence.db");
	char path[FILE_PATH_MAX];

	if (file == NULL || !b->is_signed) {
		return;
	}
	if (!copy_out(b, file, path)) {
		bundle_say(b, "the database cannot be read", "data/evidence.db",
			   "room for a copy in TMPDIR", "none");
		return;
	}
	compare_all(b, path);
}

/* --- what is said --------------------------------------------------------------------------------
 */

static void
report(void *context, const struct finding *finding)
{
	const struct options *options = context;
	struct paper paper;

	if (options->json) {
		print_json(json_pack("{s:s, s:s, s:s, s:s, s:s}", "kind", "break", "what",
				     finding->what, "where", finding->where, "expected",
				     finding->expected, "found", finding->found));
		return;
	}
	paper_clear(&paper);
	paper_add(&paper, "BREAK  %s\n  where     %s\n  expected  %s\n  found     %s\n\n",
		  finding->what, finding->where, finding->expected, finding->found);
	print_paper(&paper);
}

static void
print_json_summary(const struct bundle *b, uint64_t findings)
{
	const struct bundle_manifest *m = &b->manifest;

	print_json(json_pack(
		"{s:s, s:b, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b, s:o, "
		"s:o}",
		"kind", "summary", "holds", findings == 0, "breaks", (json_int_t)findings, "origin",
		m->origin, "size", (json_int_t)m->size, "from", (json_int_t)m->from, "end",
		(json_int_t)m->end, "disclosed", (json_int_t)m->disclosed, "omitted",
		(json_int_t)m->omitted, "files", (json_int_t)b->files->count, "log_key_given",
		b->trust->has_log_key, "export_key_given", b->trust->has_export_key, "anchors",
		anchors_json(&b->anchors), "manifest_timestamped_time_s",
		b->stamped_s == 0 ? json_null() : json_integer((json_int_t)b->stamped_s)));
}

static void
add_what_holds(struct paper *paper, const struct bundle *b)
{
	const struct bundle_manifest *m = &b->manifest;

	paper_add(paper, "log           %s, size %" PRIu64 "\n", m->origin, m->size);
	paper_add(paper,
		  "range         seq %" PRIu64 " to %" PRIu64 ", all of it: %" PRIu64
		  " disclosed, %" PRIu64 " named as left out\n",
		  m->from, m->end - 1, m->disclosed, m->omitted);
	paper_add(paper, "files         %zu, each as it was exported and signed by %s\n",
		  b->files->count, m->export_key.name);
	paper_add(paper, "proofs        %" PRIu64 " of single events, and one of the range\n",
		  b->proofs);
	if (m->has_previous) {
		paper_add(paper, "grown from    the previous export, size %" PRIu64 "\n",
			  m->previous_size);
	}
}

/* What is judged for what the reviewer has handed in is told, and what is not for the lack of it.
 */
static void
add_anchors(struct paper *paper, const struct bundle *b)
{
	char time[MOMENT_PRINT_MAX];

	anchors_add(paper, &b->anchors);
	if (b->stamped_s != 0) {
		paper_add(paper, "manifest      timestamped at %s%s\n",
			  moment_print(time, sizeof time, b->stamped_s * 1000000),
			  b->trust->trust == NULL ? "; who signed that was not judged (--tsa-ca)"
						  : "");
	}
}

static void
print_summary(const struct bundle *b, uint64_t findings)
{
	struct paper paper;

	paper_clear(&paper);
	if (findings == 0) {
		add_what_holds(&paper, b);
		add_anchors(&paper, b);
	}
	if (!b->trust->has_log_key) {
		paper_add(&paper, "not compared  the log's key: it is the one the bundle names; "
				  "have it from elsewhere (--log-key)\n");
	}
	if (!b->trust->has_export_key) {
		paper_add(&paper, "not compared  the export key (--export-key)\n");
	}
	print_paper(&paper);
	paper_clear(&paper);
	if (findings == 0) {
		paper_add(&paper, "HOLDS\n");
	} else {
		paper_add(&paper, "DOES NOT HOLD: %" PRIu64 " breaks, named above\n", findings);
	}
	print_head(&paper);
}

/* --- the command ---------------------------------------------------------------------------------
 */

/* A key, or a file that holds one. */
static bool
take_key(const char *given, bool *has, struct log_verifier *out)
{
	char text[CHECKPOINT_VKEY_MAX + 2];
	size_t count = 0;

	if (given == NULL) {
		return true;
	}
	*has = log_verifier_read(given, out);
	if (!*has && file_read(given, text, sizeof text - 1, &count) == FILE_OK) {
		text[count] = '\0';
		*has = log_verifier_read(text, out);
	}
	if (!*has) {
		fprintf(stderr,
			"ifreplay: verify-bundle: %s is no verifier key, nor a file with "
			"one: give name+hash+base64\n",
			given);
	}
	return *has;
}

static bool
take_checkpoint(const char *path, char note[CHECKPOINT_NOTE_MAX], bool *has, struct span *out)
{
	size_t count = 0;

	if (path == NULL) {
		return true;
	}
	*has = file_read(path, note, CHECKPOINT_NOTE_MAX, &count) == FILE_OK;
	*out = (struct span){ (const uint8_t *)note, count };
	if (!*has) {
		fprintf(stderr,
			"ifreplay: verify-bundle: %s cannot be read: give a signed "
			"checkpoint\n",
			path);
	}
	return *has;
}

/* What stands within the bundle of before is not judged here, but for its checkpoint. */
static bool
take_previous(const char *path, char note[CHECKPOINT_NOTE_MAX], bool *has, struct span *out)
{
	struct options quiet = { .json = false };
	struct verify_voice voice = { report, &quiet, 0 };
	struct bundle_place place;

	if (path == NULL) {
		return true;
	}
	if (bundle_place_open(&place, path, &voice)) {
		const struct bundle_file *file = bundle_find(&place.files, "log/checkpoint");
		*has = file != NULL && file->size <= CHECKPOINT_NOTE_MAX &&
		       place.files.read(place.files.context, file, 0, (uint8_t *)note, file->size);
		*out = (struct span){ (const uint8_t *)note, *has ? file->size : 0 };
		bundle_place_close(&place);
	}
	if (!*has) {
		fprintf(stderr, "ifreplay: verify-bundle: %s is no bundle with a log/checkpoint\n",
			path);
	}
	return *has;
}

static int
check(const struct options *options, struct bundle *b, const struct bundle_trust *trust,
      const struct witnesses *w)
{
	struct options copy = *options;
	struct verify_voice form = { report, &copy, 0 };
	struct bundle_place place;

	if (!bundle_place_open(&place, options->copy, &form)) {
		fprintf(stderr, "ifreplay: verify-bundle: %s: no such file or folder\n",
			options->copy);
		return EXIT_USAGE;
	}
	bundle_check(b, &place.files, trust, report, &copy);
	snprintf(b->anchors.policy_from, sizeof b->anchors.policy_from, "%s", w->policy_from);
	snprintf(b->anchors.trust_from, sizeof b->anchors.trust_from, "%s", w->trust_from);
	check_database(b);
	const uint64_t findings = form.findings + b->voice.findings;
	if (options->json) {
		print_json_summary(b, findings);
	} else {
		print_summary(b, findings);
	}
	bundle_place_close(&place);
	return print_flush() && findings == 0 ? 0 : EXIT_BREAK;
}

int
verify_bundle_command(const struct options *options)
{
	static char checkpoint[CHECKPOINT_NOTE_MAX];
	static char previous[CHECKPOINT_NOTE_MAX];
	struct bundle_trust trust = { .has_log_key = false };
	struct bundle *b;

	if (!take_key(options->vkey, &trust.has_log_key, &trust.log_key) ||
	    !take_key(options->export_key, &trust.has_export_key, &trust.export_key) ||
	    !take_checkpoint(options->checkpoint, checkpoint, &trust.has_checkpoint,
			     &trust.checkpoint) ||
	    !take_previous(options->previous, previous, &trust.has_previous, &trust.previous)) {
		return EXIT_USAGE;
	}
	struct witnesses *w = witnesses_open(NULL, options->policy, options->tsa_ca);
	if (w->fault[0] != '\0') {
		fprintf(stderr, "ifreplay: verify-bundle: %s\n", w->fault);
		witnesses_close(w);
		return EXIT_USAGE;
	}
	trust.policy = w->has_policy ? &w->policy : NULL;
	trust.trust = w->trust;
	b = calloc(1, sizeof *b);
	if (b == NULL) {
		fputs("ifreplay: out of memory\n", stderr);
		return EXIT_BREAK;
	}
	const int code = check(options, b, &trust, w);
	witnesses_close(w);
	free(b);
	return code;
}
