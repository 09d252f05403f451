/* log and show: entries, told one by one. */
#include <stdio.h>

#include "replay/commands_io.h"
#include "replay/print_io.h"
#include "replay/rows_io.h"
#include "replay/tell_io.h"
#include "replay/walk_io.h"

struct list {
	struct walk walk;
	struct page page;
	bool is_counting; /* the first of two passes: nothing is printed */
	uint64_t admitted;
	uint64_t skip; /* of those that are admitted, before the last --limit */
};

static bool
visit(void *context, const struct event *event, const struct entry *entry)
{
	struct list *list = context;

	if (++list->admitted <= list->skip || list->is_counting) {
		return true;
	}
	switch (page_turn(&list->page, entry->seq)) {
	case PAGE_BEFORE:
		return true;
	case PAGE_IS_FULL:
		return false;
	case PAGE_SHOWS:
		break;
	}
	const struct telling telling = source_telling(list->walk.source, event, entry);
	print_telling(list->walk.options, &telling);
	return true;
}

/* Nothing but the place decides: the last N are the last N of the log. */
static bool
is_plain(const struct options *o)
{
	return o->agent == NULL && o->peer == NULL && o->room == NULL && o->type == NULL &&
	       o->stream == 0 && o->outcome.kind == OUTCOME_ANY && id_is_none(&o->allocation) &&
	       id_is_none(&o->trace) && !o->to.is_set;
}

/* Which are the last N is known only at the end: the log is read twice rather than kept in memory.
 */
static bool
count_for_limit(struct list *list, struct options *plain)
{
	const struct options *o = list->walk.options;
	uint64_t size = 0;

	if (list->page.is_forward || o->limit == 0) {
		return true;
	}
	if (is_plain(o)) {
		if (!log_reader_size(list->walk.source->reader, &size)) {
			return false;
		}
		if (!o->from.is_set && size > o->limit) {
			plain->from = (struct moment){ .is_set = true, .value = size - o->limit };
			return true;
		}
	}
	list->is_counting = true;
	const bool is_read = walk_log(&list->walk, visit, list);
	list->is_counting = false;
	list->skip = list->admitted > o->limit ? list->admitted - o->limit : 0;
	list->admitted = 0;
	return is_read;
}

static int
print_list(const struct options *options, struct source *source)
{
	struct options plain = *options; /* with a --from of its own, if that is all it takes */
	struct list list = { .walk = { .options = &plain, .source = source },
			     .page = page_of(options) };

	if (!count_for_limit(&list, &plain)) {
		return source_failed(source);
	}
	print_telling_head(options);
	if (!walk_log(&list.walk, visit, &list)) {
		print_flush();
		return source_failed(source);
	}
	page_print_more(options, &list.page);
	return print_flush() ? 0 : 1;
}

int
log_command(const struct options *options, struct source *source)
{
	return print_list(options, source);
}

/* --- trace --- */

static bool
search_trace(void *context, const struct event *event, const struct entry *entry)
{
	struct id *trace = context;

	(void)event;
	*trace = entry->trace_id;
	return id_is_none(trace);
}

/* A command or an allocation belongs to a call: then the whole call is told, from its registration
 * on. What belongs to none is told by itself. */
int
trace_command(const struct options *options, struct source *source)
{
	struct options call = *options;
	const struct options any = { .ask = options->ask,
				     .trace = options->trace,
				     .no_index = options->no_index };
	struct walk walk = { .options = &any, .source = source };
	struct id trace = { { 0 } };

	if (!walk_log(&walk, search_trace, &trace)) {
		return source_failed(source);
	}
	if (!id_is_none(&trace)) {
		call.trace = trace;
	}
	return print_list(&call, source);
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
	if (!found && options->seq < size) {
		char what[SOURCE_WORDS_MAX];
		source_say_missing(source, options->seq, what, sizeof what);
		fprintf(stderr, "ifreplay: %s\n", what);
		return 1;
	}
	if (!found) {
		fprintf(stderr, "ifreplay: no entry %llu: the log holds 0 to %llu\n",
			(unsigned long long)options->seq,
			(unsigned long long)(size > 0 ? size - 1 : 0));
		return 1;
	}
	return show_row(options, source, &row);
}
