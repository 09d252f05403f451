/* log, show and follow: entries, told one by one. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "replay/commands_io.h"
#include "replay/filter.h"
#include "replay/print_io.h"

enum { FOLLOW_POLL_NS = 20 * 1000 * 1000 };

struct walk {
	const struct options *options;
	struct source *source;
	struct filter filter;
	bool is_counting; /* the first of two passes: nothing is printed */
	uint64_t admitted;
	uint64_t skip; /* of those that are admitted, before the last --limit */
};

static void
tell(struct walk *walk, const struct event *event, const struct entry *entry)
{
	const struct telling telling = source_telling(walk->source, event, entry);
	struct paper paper;

	if (walk->options->json) {
		print_json(telling_json(&telling, (struct span){ 0 }));
		return;
	}
	paper_clear(&paper);
	telling_line(&paper, &telling);
	print_paper(&paper);
}

static bool
visit(void *context, const struct event *event, const struct entry *entry)
{
	struct walk *walk = context;

	if (event != NULL) {
		names_learn(&walk->source->names, event);
	}
	if (filter_is_past(&walk->filter, entry)) {
		return false;
	}
	if (!filter_admits(&walk->filter, entry, event)) {
		return true;
	}
	if (++walk->admitted > walk->skip && !walk->is_counting) {
		tell(walk, event, entry);
	}
	return ferror(stdout) == 0;
}

/* One pass from `from` to `size`, with a filter that knows nothing yet. */
static bool
pass(struct walk *walk, uint64_t from, uint64_t size)
{
	const bool is_one_stream = walk->options->stream != 0 && walk->options->agent == NULL &&
				   walk->options->room == NULL;

	walk->admitted = 0;
	filter_make(&walk->filter, walk->options);
	const bool is_read = log_read_events(
		walk->source->reader, walk->source->keys, from, size,
		is_one_stream ? LOG_STREAM(walk->options->stream) : LOG_STREAMS_ALL, visit, walk);
	filter_free(&walk->filter);
	return is_read;
}

static bool
is_plain(const struct options *options)
{
	return options->agent == NULL && options->room == NULL && options->type == NULL &&
	       options->stream == 0 && !options->to.is_set;
}

/* Where reading must begin: at --from, unless handles are to be learnt from the start. */
static bool
begin_at(struct walk *walk, uint64_t size, uint64_t *from)
{
	const struct options *o = walk->options;

	*from = 0;
	if (o->agent != NULL || o->room != NULL) {
		return true;
	}
	if (o->from.is_set && !source_seek(walk->source, &o->from, size, from)) {
		return false;
	}
	if (o->limit > 0 && is_plain(o) && size > o->limit && *from < size - o->limit) {
		*from = size - o->limit;
	}
	source_names_from(walk->source, *from);
	return true;
}

static void
print_table_head(const struct options *options)
{
	struct paper paper;

	if (!options->json) {
		paper_clear(&paper);
		telling_head(&paper);
		print_head(&paper);
	}
}

/* Which are the last N is known only at the end: the log is read twice rather than kept in memory.
 */
static bool
count_for_limit(struct walk *walk, uint64_t from, uint64_t size)
{
	if (walk->options->limit == 0 || is_plain(walk->options)) {
		return true;
	}
	walk->is_counting = true;
	const bool is_read = pass(walk, from, size);
	walk->is_counting = false;
	walk->skip =
		walk->admitted > walk->options->limit ? walk->admitted - walk->options->limit : 0;
	return is_read;
}

int
log_command(const struct options *options, struct source *source)
{
	struct walk walk = { .options = options, .source = source };
	uint64_t size = 0;
	uint64_t from = 0;

	if (!log_reader_size(source->reader, &size) || !begin_at(&walk, size, &from) ||
	    !count_for_limit(&walk, from, size)) {
		return source_failed(source);
	}
	print_table_head(options);
	if (!pass(&walk, from, size)) {
		print_flush();
		return source_failed(source);
	}
	return print_flush() ? 0 : 1;
}

/* --- show --- */

static enum part_state
state_of_part(const struct log_row *row, const struct span *plain, uint32_t i)
{
	if (plain[i].count > 0) {
		return PART_OPEN;
	}
	return row->body[i].count > 0 ? PART_SEALED : PART_ERASED;
}

static int
show_row(const struct options *options, struct source *source, const struct log_row *row)
{
	struct span plain[SEALED_PARTS_MAX] = { { 0 } };
	struct event event;
	struct entry entry;
	struct paper paper;

	if (!entry_read(row->entry, &entry)) {
		fprintf(stderr,
			"ifreplay: entry %llu is not a canonical entry: run ifreplay verify\n",
			(unsigned long long)row->seq);
		return 1;
	}
	if (source->keys != NULL &&
	    !log_open_parts(source->keys, &entry, row->salt, row->body, plain)) {
		fprintf(stderr,
			"ifreplay: a key is not the one that the log committed to: its part "
			"stays sealed; run ifreplay verify\n");
	}
	const enum entry_meaning meaning = entry_to_event(&entry, plain, &event);
	if (meaning == ENTRY_BROKEN) {
		fprintf(stderr, "ifreplay: the entry's fields are not what the catalog says: run "
				"ifreplay verify\n");
	}
	source_names_from(source, row->seq + 1);
	struct telling telling =
		source_telling(source, meaning == ENTRY_KNOWN ? &event : NULL, &entry);
	for (uint32_t i = 0; i < entry.parts; i++) {
		telling.part[i] = state_of_part(row, plain, i);
	}
	if (options->json) {
		print_json(telling_json(&telling, row->entry));
	} else {
		paper_clear(&paper);
		telling_page(&paper, &telling, row->entry);
		print_paper(&paper);
	}
	return print_flush() && meaning != ENTRY_BROKEN ? 0 : 1;
}

int
show_command(const struct options *options, struct source *source)
{
	struct log_row row;
	uint64_t size = 0;
	bool found = false;

	if (!log_reader_size(source->reader, &size) ||
	    !log_read_row(source->reader, options->seq, &row, &found)) {
		return source_failed(source);
	}
	if (!found) {
		fprintf(stderr, "ifreplay: no entry %llu: the log holds 0 to %llu\n",
			(unsigned long long)options->seq,
			(unsigned long long)(size > 0 ? size - 1 : 0));
		return 1;
	}
	return show_row(options, source, &row);
}

/* --- follow --- */

/* With --agent or --room, what lies before is read for its handles and not shown. */
static bool
learn_past(struct walk *walk, uint64_t until)
{
	if (!filter_must_learn(&walk->filter)) {
		return true;
	}
	walk->is_counting = true;
	const bool is_read = log_read_events(walk->source->reader, walk->source->keys, 0, until,
					     LOG_STREAMS_ALL, visit, walk);
	walk->is_counting = false;
	return is_read;
}

static bool
follow_on(struct walk *walk, uint64_t *next)
{
	uint64_t size = 0;

	if (!log_reader_size(walk->source->reader, &size)) {
		return false;
	}
	if (size <= *next) {
		return true;
	}
	if (!log_read_events(walk->source->reader, walk->source->keys, *next, size, LOG_STREAMS_ALL,
			     visit, walk)) {
		return false;
	}
	*next = size;
	return true;
}

int
follow_command(const struct options *options, struct source *source)
{
	struct walk walk = { .options = options, .source = source };
	const struct timespec pause = { .tv_nsec = FOLLOW_POLL_NS };
	uint64_t next = 0;
	bool is_read = log_reader_size(source->reader, &next);

	if (is_read && options->from.is_set) {
		is_read = source_seek(source, &options->from, next, &next);
	}
	filter_make(&walk.filter, options);
	source_names_from(source, next);
	is_read = is_read && learn_past(&walk, next);
	print_table_head(options);
	while (is_read && print_flush()) {
		is_read = follow_on(&walk, &next);
		if (print_flush()) {
			nanosleep(&pause, NULL);
		}
	}
	filter_free(&walk.filter);
	return is_read ? 1 : source_failed(source);
}
