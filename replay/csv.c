#include "replay/csv.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "replay/fields.h"
#include "replay/words.h"

/* Cells are bounded so that a row fits a sheet, each doubled by quoting at worst. */
enum { CELL_MAX = 6000 };
_Static_assert(2 * CELL_MAX + 1024 <= PAPER_MAX, "one long cell and the other columns fit a sheet");

static const char *const columns =
	"seq,leaf_hash,recorded_us,occurred_us,stream,stream_version,epoch,type,type_version,"
	"command_id,trace_id,cause,event,fields";

/* What a spreadsheet takes for the start of a formula: the ASCII signs, and the full-width forms
 * that some fold to them (U+FF0B, U+FF0D, U+FF1D, U+FF20).
 * https://owasp.org/www-community/attacks/CSV_Injection */
static bool
begins_formula(const uint8_t *at, size_t left)
{
	uint32_t scalar = 0;

	if (utf8_scalar(at, left, &scalar) == 0) {
		return false;
	}
	return (scalar < 0x80 && memchr("=+-@\t\r\n", (int)scalar, 7) != NULL) ||
	       scalar == 0xFF0B || scalar == 0xFF0D || scalar == 0xFF1D || scalar == 0xFF20;
}

/* Blanks that a spreadsheet may trim before it looks: ASCII space, no-break and ideographic space,
 * and the others of Unicode's category Zs. */
static bool
is_blank(uint32_t scalar)
{
	return scalar == ' ' || scalar == 0xA0 || scalar == 0x1680 ||
	       (scalar >= 0x2000 && scalar <= 0x200A) || scalar == 0x202F || scalar == 0x205F ||
	       scalar == 0x3000;
}

/* Judged on the bytes as they came: the escapes that follow would hide a tab behind a backslash. */
static bool
is_dangerous(const uint8_t *at, size_t count)
{
	uint32_t scalar = 0;
	size_t used = 0;

	while (count > 0 && (used = utf8_scalar(at, count, &scalar)) > 0 && is_blank(scalar)) {
		at += used;
		count -= used;
	}
	return count > 0 && begins_formula(at, count);
}

/* RFC 4180 section 2, rules 5 to 7: quotes around what needs them, doubled within. `shown` is
 * escaped. */
static void
add_quoted(struct paper *out, const char *shown, bool is_guarded)
{
	if (!is_guarded && strpbrk(shown, "\", ;'") == NULL) {
		paper_put(out, shown, strlen(shown));
		return;
	}
	paper_put(out, "\"'", is_guarded ? 2 : 1);
	while (*shown != '\0') {
		const size_t run = strcspn(shown, "\"");

		paper_put(out, shown, run);
		shown += run;
		if (*shown == '"') {
			paper_put(out, "\"\"", 2);
			shown++;
		}
	}
	paper_put(out, "\"", 1);
}

void
csv_cell(struct paper *out, const char *bytes, size_t count)
{
	char shown[CELL_MAX + 1];

	words_escape(shown, sizeof shown, bytes, count);
	add_quoted(out, shown, is_dangerous((const uint8_t *)bytes, count));
}

void
csv_head(struct paper *out)
{
	paper_add(out, "%s\r\n", columns);
}

static void
add_id(struct paper *out, const struct id *id)
{
	char hex[2 * sizeof id->bytes + 1] = "";

	if (!id_is_none(id)) {
		hex_write(hex, id->bytes, sizeof id->bytes);
	}
	paper_add(out, "%s,", hex);
}

static void
add_header(struct paper *out, const struct disclosed *d)
{
	const struct entry *e = d->entry;
	char leaf[2 * sizeof d->leaf.bytes + 1];

	hex_write(leaf, d->leaf.bytes, sizeof d->leaf.bytes);
	paper_add(out, "%" PRIu64 ",%s,%" PRIu64 ",%" PRIu64 ",", e->seq, leaf, e->recorded_us,
		  e->occurred_us);
	paper_add(out, "%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",", e->stream,
		  e->stream_version, e->epoch, e->type, e->type_version);
	add_id(out, &e->command_id);
	add_id(out, &e->trace_id);
	if (e->has_cause) {
		paper_add(out, "%" PRIu64, e->cause);
	}
	paper_add(out, ",");
}

void
csv_row(struct paper *out, const struct disclosed *d)
{
	char text[CELL_MAX + 1];

	add_header(out, d);
	if (d->event == NULL) {
		paper_add(out, ",\"(this program does not know the type: see events.jsonl)\"\r\n");
		return;
	}
	/* It begins with a field's name, so no formula does. */
	fields_text(text, sizeof text, d->event);
	paper_add(out, "%s,", event_describe(d->event->type)->name);
	add_quoted(out, text, false);
	paper_add(out, "\r\n");
	assert(!out->is_cut);
}
