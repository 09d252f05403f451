#include "replay/rows_io.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "replay/csv.h"
#include "replay/print_io.h"
#include "replay/timeline.h"
#include "replay/words.h"

struct cell
cell_none(void)
{
	return (struct cell){ .kind = CELL_NONE };
}

struct cell
cell_number(uint64_t number)
{
	return (struct cell){ .kind = CELL_NUMBER, .number = number };
}

struct cell
cell_time(uint64_t us)
{
	return (struct cell){ .kind = CELL_TIME, .number = us };
}

struct cell
cell_span(uint64_t us)
{
	return (struct cell){ .kind = CELL_SPAN, .number = us };
}

struct cell
cell_bytes(uint64_t bytes)
{
	return (struct cell){ .kind = CELL_BYTES, .number = bytes };
}

struct cell
cell_text(const char *bytes, size_t count)
{
	return (struct cell){ .kind = CELL_WORDS, .bytes = bytes, .count = count };
}

struct cell
cell_word(const char *word)
{
	return cell_text(word, strlen(word));
}

struct cell
cell_name(const struct name *name)
{
	return name->length == 0 ? cell_none() : cell_text(name->bytes, name->length);
}

struct cell
cell_address(const struct address *address)
{
	struct cell cell = { .kind = CELL_WORDS };

	if (address->family == ADDRESS_NONE) {
		return cell_none();
	}
	timeline_print_address(cell.memory, sizeof cell.memory, address);
	cell.count = strlen(cell.memory);
	return cell;
}

struct cell
cell_id(const struct id *id)
{
	struct cell cell = { .kind = CELL_WORDS, .count = 2 * sizeof id->bytes };

	_Static_assert(sizeof cell.memory > 2 * sizeof id->bytes, "an id fits");
	if (id_is_none(id)) {
		return cell_none();
	}
	hex_write(cell.memory, id->bytes, sizeof id->bytes);
	return cell;
}

struct cell
cell_handle(struct source *source, const struct id *handle)
{
	const struct name *name = id_is_none(handle) ? NULL : source_name_of(source, handle);

	return name != NULL ? cell_name(name) : cell_id(handle);
}

static const char *
bytes_of(const struct cell *cell)
{
	return cell->bytes != NULL ? cell->bytes : cell->memory;
}

static void
add_cell(struct paper *out, const struct cell *cell)
{
	char shown[MOMENT_PRINT_MAX];

	switch (cell->kind) {
	case CELL_NONE:
		paper_add(out, "-");
		break;
	case CELL_WORDS:
		paper_add_escaped(out, bytes_of(cell), cell->count);
		break;
	case CELL_NUMBER:
		paper_add(out, "%" PRIu64, cell->number);
		break;
	case CELL_TIME:
		paper_add(out, "%s", moment_print(shown, sizeof shown, cell->number));
		break;
	case CELL_SPAN:
		paper_add(out, "%s", moment_print_span(shown, sizeof shown, cell->number));
		break;
	case CELL_BYTES:
		paper_add(out, "%s", words_bytes(shown, sizeof shown, cell->number));
		break;
	}
}

static json_t *
cell_json(const struct cell *cell)
{
	char shown[4 * NAME_BYTES_MAX + 1];
	json_t *exact = NULL;

	switch (cell->kind) {
	case CELL_NONE:
		return json_null();
	case CELL_WORDS:
		exact = json_stringn(bytes_of(cell), cell->count);
		return exact != NULL ? exact
				     : json_string(words_escape(shown, sizeof shown, bytes_of(cell),
								cell->count));
	case CELL_TIME:
		return json_string(moment_print(shown, sizeof shown, cell->number));
	case CELL_NUMBER:
	case CELL_SPAN:
	case CELL_BYTES:
		return json_integer(cell->number > INT64_MAX ? INT64_MAX
							     : (json_int_t)cell->number);
	}
	return json_null();
}

/* Numbers and times as programs read them, the rest as a spreadsheet may open it. */
static void
add_csv(struct paper *out, const struct cell *cell)
{
	char shown[MOMENT_PRINT_MAX];

	switch (cell->kind) {
	case CELL_NONE:
		break;
	case CELL_WORDS:
		csv_cell(out, bytes_of(cell), cell->count);
		break;
	case CELL_TIME:
		paper_add(out, "%s", moment_print(shown, sizeof shown, cell->number));
		break;
	case CELL_NUMBER:
	case CELL_SPAN:
	case CELL_BYTES:
		paper_add(out, "%" PRIu64, cell->number);
		break;
	}
}

struct rows
rows_of(const struct options *options, const char *kind, const struct column *columns,
	size_t column_count)
{
	struct rows rows = rows_unpaged(options, kind, columns, column_count);

	rows.page = page_of(options);
	return rows;
}

struct rows
rows_unpaged(const struct options *options, const char *kind, const struct column *columns,
	     size_t column_count)
{
	assert(column_count <= COLUMNS_MAX);
	return (struct rows){
		.options = options, .kind = kind, .columns = columns, .column_count = column_count
	};
}

bool
rows_counts_first(struct rows *rows)
{
	rows->is_counting = !rows->page.is_forward && rows->page.room > 0;
	return rows->is_counting;
}

void
rows_counted(struct rows *rows)
{
	rows->is_counting = false;
	rows_expect(rows, rows->total);
}

void
rows_expect(struct rows *rows, uint64_t total)
{
	const bool is_last = !rows->page.is_forward && rows->page.room > 0;

	rows->skip = is_last && total > rows->page.room ? total - rows->page.room : 0;
	rows->total = 0;
}

/* "together_us" is TOGETHER: in a table each span says its own unit. */
static void
add_title(struct paper *head, const char *name)
{
	const size_t count = strlen(name);
	const bool has_unit = count > 3 && strcmp(name + count - 3, "_us") == 0;

	for (size_t i = 0; i < (has_unit ? count - 3 : count); i++) {
		paper_add(head, "%c", name[i] == '_' ? ' ' : toupper((unsigned char)name[i]));
	}
}

static void
print_titles(const struct rows *rows)
{
	struct paper head;
	size_t column = 0;

	paper_clear(&head);
	for (size_t i = 0; i < rows->column_count; i++) {
		paper_to_column(&head, column);
		add_title(&head, rows->columns[i].name);
		column += rows->columns[i].width;
	}
	paper_add(&head, "\n");
	print_head(&head);
}

static void
print_csv_titles(const struct rows *rows)
{
	struct paper head;

	paper_clear(&head);
	paper_add(&head, rows->kind != NULL ? "kind," : "");
	for (size_t i = 0; i < rows->column_count; i++) {
		paper_add(&head, "%s%s", i > 0 ? "," : "", rows->columns[i].name);
	}
	paper_add(&head, "\r\n");
	print_paper(&head);
}

static void
print_as_object(const struct rows *rows, const struct cell *cells)
{
	json_t *object = json_object();

	if (rows->kind != NULL) {
		json_object_set_new(object, "kind", json_string(rows->kind));
	}
	for (size_t i = 0; i < rows->column_count; i++) {
		json_object_set_new(object, rows->columns[i].name, cell_json(&cells[i]));
	}
	print_json(object);
}

static void
print_as_csv(const struct rows *rows, const struct cell *cells)
{
	struct paper line;

	paper_clear(&line);
	if (rows->kind != NULL) {
		paper_add(&line, "%s,", rows->kind);
	}
	for (size_t i = 0; i < rows->column_count; i++) {
		paper_add(&line, i > 0 ? "," : "");
		add_csv(&line, &cells[i]);
	}
	paper_add(&line, "\r\n");
	print_paper(&line);
}

static void
print_as_line(const struct rows *rows, const struct cell *cells)
{
	struct paper line;
	size_t column = 0;

	paper_clear(&line);
	for (size_t i = 0; i < rows->column_count; i++) {
		paper_to_column(&line, column);
		add_cell(&line, &cells[i]);
		column += rows->columns[i].width;
	}
	paper_add(&line, "\n");
	print_paper(&line);
}

static void
print_row(struct rows *rows, const struct cell *cells)
{
	if (rows->options->json) {
		print_as_object(rows, cells);
		return;
	}
	if (!rows->has_head) {
		rows->has_head = true;
		rows->options->csv ? print_csv_titles(rows) : print_titles(rows);
	}
	rows->options->csv ? print_as_csv(rows, cells) : print_as_line(rows, cells);
}

bool
rows_turn(struct rows *rows, uint64_t seq)
{
	return ++rows->total > rows->skip && !rows->is_counting &&
	       page_turn(&rows->page, seq) == PAGE_SHOWS;
}

bool
rows_row(struct rows *rows, uint64_t seq, const struct cell *cells)
{
	if (rows_turn(rows, seq)) {
		print_row(rows, cells);
	}
	return !rows->page.has_more && ferror(stdout) == 0;
}

void
page_print_more(const struct options *options, const struct page *page)
{
	if (!page->has_more) {
		return;
	}
	if (options->json) {
		print_json(
			json_pack("{s:s, s:I}", "kind", "more", "after", (json_int_t)page->last));
		return;
	}
	fprintf(options->csv ? stderr : stdout, "more: --after %" PRIu64 "\n", page->last);
}

void
rows_end(struct rows *rows)
{
	page_print_more(rows->options, &rows->page);
}
