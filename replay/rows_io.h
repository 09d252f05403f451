/* A report's rows, printed as a table for people, as one JSON object on each line, or as CSV. A
 * command says each cell once; which form it takes is decided here. Text from outside is escaped in
 * every form.
 *
 * The order of rows is that of their seqs, so that they can be paged (page.h). `--limit` asks for
 * the last ones, which are known at the end: rows are counted first (rows_counts_first), or all of
 * them are at hand (rows_expect).
 */
#ifndef IFSWARM_REPLAY_ROWS_IO_H
#define IFSWARM_REPLAY_ROWS_IO_H

#include "protocol/record.h"
#include "replay/page.h"
#include "replay/source_io.h"

enum cell_kind {
	CELL_NONE,
	CELL_WORDS,
	CELL_NUMBER,
	CELL_TIME,  /* microseconds since 1970 */
	CELL_SPAN,  /* microseconds */
	CELL_BYTES, /* a volume */
};

struct cell {
	enum cell_kind kind;
	uint64_t number;
	const char *bytes; /* borrowed; NULL: memory */
	size_t count;
	char memory[ADDRESS_PRINT_MAX];
};

struct cell cell_none(void);
struct cell cell_number(uint64_t number);
struct cell cell_time(uint64_t us);
struct cell cell_span(uint64_t us);
struct cell cell_bytes(uint64_t bytes);
struct cell cell_word(const char *word);
struct cell cell_text(const char *bytes, size_t count);
struct cell cell_name(const struct name *name);
/* None if it is sealed or erased; without its port where that is 0. */
struct cell cell_address(const struct address *address);
struct cell cell_id(const struct id *id);
/* The name behind a handle, or the handle. Borrows from the source's names until it learns. */
struct cell cell_handle(struct source *source, const struct id *handle);

struct column {
	const char *name; /* of JSON and CSV; in capitals the title of the table */
	unsigned width;   /* of the table; the last may be 0 */
};
enum { COLUMNS_MAX = 16 };

struct rows {
	const struct options *options;
	const char *kind; /* "kind" of every JSON object; NULL: what --json gives needs none */
	const struct column *columns;
	size_t column_count;
	struct page page;
	bool has_head;
	bool is_counting;
	uint64_t total; /* counted */
	uint64_t skip;  /* of them, before the last --limit */
};

/* Columns are borrowed; unpaged: a table without order, of which all rows are shown. */
struct rows rows_of(const struct options *options, const char *kind, const struct column *columns,
		    size_t column_count);
struct rows rows_unpaged(const struct options *options, const char *kind,
			 const struct column *columns, size_t column_count);
/* True if the rows must be given twice; then is_counting is set until rows_counted. */
bool rows_counts_first(struct rows *rows);
void rows_counted(struct rows *rows);
/* So many rows will come. */
void rows_expect(struct rows *rows, uint64_t total);

/* Whether a row of that seq is to be shown: for who prints it otherwise. */
bool rows_turn(struct rows *rows, uint64_t seq);
/* column_count cells. False once no further row fits, or nobody reads our output any more. */
bool rows_row(struct rows *rows, uint64_t seq, const struct cell *cells);
/* Where the next page begins, if there is one. */
void rows_end(struct rows *rows);

/* Says where the next page begins: on standard output, or beside it where that is CSV. */
void page_print_more(const struct options *options, const struct page *page);

#endif
