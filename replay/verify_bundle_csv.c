/* data/events.csv (RFC 4180) beside data/events.jsonl. */
#include "replay/verify_bundle.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = 64, CELL_MAX = 1 << 16 };

enum cell_end { END_CELL, END_RECORD, END_FILE, END_BROKEN };

struct reading {
	struct bundle *b;
	struct bundle_lines bytes;
	char *cell; /* CELL_MAX bytes; what is longer is cut, and equals nothing */
	size_t count;
	char names[COLUMNS_MAX][32]; /* "" for a column that repeats nothing */
	size_t columns;
	uint64_t records;
};

static void
put(struct reading *r, int c)
{
	if (r->count + 1 < CELL_MAX) {
		r->cell[r->count++] = (char)c;
	}
}

static enum cell_end
after_cell(struct reading *r, int c)
{
	if (c == ',') {
		return END_CELL;
	}
	if (c == '\r') {
		return bundle_lines_byte(&r->bytes) == '\n' ? END_RECORD : END_BROKEN;
	}
	return c == '\n' ? END_RECORD : c == -1 ? END_FILE : END_BROKEN;
}

static enum cell_end
read_quoted(struct reading *r)
{
	for (;;) {
		int c = bundle_lines_byte(&r->bytes);

		if (c == -1) {
			return END_BROKEN;
		}
		if (c == '"') {
			c = bundle_lines_byte(&r->bytes);
			if (c != '"') {
				return after_cell(r, c);
			}
		}
		put(r, c);
	}
}

static enum cell_end
read_cell(struct reading *r)
{
	r->count = 0;
	for (;;) {
		const int c = bundle_lines_byte(&r->bytes);
		enum cell_end end = END_BROKEN;

		if (c == '"' && r->count == 0) {
			end = read_quoted(r);
		} else if (c != ',' && c != '\r' && c != '\n' && c != -1) {
			put(r, c);
			continue;
		} else {
			end = after_cell(r, c);
		}
		r->cell[r->count] = '\0';
		return end;
	}
}

static enum cell_end
read_header(struct reading *r)
{
	enum cell_end end;
	bool has_seq = false;

	do {
		end = read_cell(r);
		if (r->columns < COLUMNS_MAX) {
			snprintf(r->names[r->columns++], sizeof r->names[0], "%.31s", r->cell);
			has_seq |= strcmp(r->cell, "seq") == 0;
		}
	} while (end == END_CELL);
	if (!has_seq) {
		bundle_say(r->b, "the spreadsheet has no seq", "data/events.csv", "a column seq",
			   "none");
	}
	return end;
}

static void
check_cell(struct reading *r, const struct bundle_row *row, size_t column)
{
	const struct bundle_value value = bundle_column(row, r->names[column]);
	char text[sizeof value.text + 24] = "";
	char what[96];
	char where[64];

	if (value.kind == CELL_UNKNOWN) {
		return;
	}
	if (value.kind == CELL_NUMBER) {
		snprintf(text, sizeof text, "%" PRIu64, value.number);
	} else if (value.kind == CELL_TEXT) {
		snprintf(text, sizeof text, "%s", value.text);
	}
	if (strlen(r->cell) != r->count || strcmp(r->cell, text) != 0) {
		snprintf(what, sizeof what, "column %s differs from the entry", r->names[column]);
		snprintf(where, sizeof where, "data/events.csv seq %" PRIu64, row->seq);
		bundle_say(r->b, what, where, text, r->cell);
	}
}

/* One record beside one row; NULL: there is no row for it. */
static enum cell_end
read_record(struct reading *r, const struct bundle_row *row, bool *is_there)
{
	size_t column = 0;
	enum cell_end end;

	do {
		end = read_cell(r);
		*is_there = column > 0 || r->count > 0 || end == END_CELL || end == END_RECORD;
		if (*is_there && row != NULL && column < r->columns) {
			check_cell(r, row, column);
		}
		column++;
	} while (end == END_CELL);
	if (*is_there && row != NULL && column < r->columns) {
		bundle_say(r->b, "a record with fewer columns", "data/events.csv",
			   "as many as the header", "fewer");
	}
	return end;
}

static void
check_records(struct reading *r)
{
	struct bundle_rows *rows = bundle_rows_open(r->b->files);
	uint64_t expected = 0;
	enum cell_end end = END_RECORD;
	struct bundle_row row;
	bool has_row = bundle_rows_next(rows, &row);

	while (end == END_RECORD) {
		bool is_there = false;
		end = read_record(r, has_row ? &row : NULL, &is_there);
		r->records += is_there;
		expected += has_row;
		has_row = has_row && bundle_rows_next(rows, &row);
	}
	while (has_row) {
		expected++;
		has_row = bundle_rows_next(rows, &row);
	}
	bundle_rows_close(rows);
	if (end == END_BROKEN || r->bytes.is_broken) {
		bundle_say(r->b, "the spreadsheet cannot be read", "data/events.csv", "RFC 4180",
			   "something else");
	}
	if (r->records != expected) {
		voice_say_numbers(&r->b->voice, "the spreadsheet has other rows", "data/events.csv",
				  expected, r->records);
	}
}

void
bundle_check_csv(struct bundle *b)
{
	struct reading *r;

	if (bundle_find(b->files, "data/events.csv") == NULL) {
		return;
	}
	r = calloc(1, sizeof *r);
	assert(r != NULL);
	r->b = b;
	r->cell = malloc(CELL_MAX);
	assert(r->cell != NULL);
	bundle_lines_open(&r->bytes, b->files, "data/events.csv");
	if (read_header(r) == END_RECORD) {
		check_records(r);
	} else {
		bundle_say(b, "the spreadsheet cannot be read", "data/events.csv",
			   "a header, then records", "something else");
	}
	bundle_lines_close(&r->bytes);
	free(r->cell);
	free(r);
}
