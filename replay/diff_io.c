/* diff: what changed in the registry between two moments. The log is replayed once by the live
 * actors' own code; their rosters are taken at --from and at --to, and compared row by row.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/commands_io.h"
#include "replay/guard_io.h"
#include "replay/print_io.h"
#include "replay/rebuild_io.h"
#include "replay/roster_rows.h"
#include "replay/rows_io.h"

enum { PROGRESS_EVERY = 16384 };

/* One row: its cells, of which the first key_count name it. */
struct line {
	char *cells[ROSTER_COLUMNS_MAX];
};

struct roster {
	struct line *lines; /* in the order of their keys */
	size_t count;
};

struct diff {
	const struct options *options;
	struct source source;
	struct states states;
	struct rebuild rebuild;
	struct guard *guard;
	uint64_t size;
	bool has_before;
	struct roster before[STREAMS];
	struct roster after[STREAMS];
	bool differs;
};

static const enum stream streams[] = { STREAM_SESSION, STREAM_ALLOCATION };

/* --- rosters -----------------------------------------------------------------------------------
 */

static void
read_line(struct line *line, const struct roster_kind *kind, struct mp_reader *r)
{
	const size_t count = mp_get_array(r, 16);
	struct paper value;

	for (size_t i = 0; i < count && !r->bad; i++) {
		if (i >= kind->column_count) {
			mp_get_value(r);
			continue;
		}
		paper_clear(&value);
		roster_add_value(&value, r);
		line->cells[i] = strdup(value.text);
		assert(line->cells[i] != NULL);
	}
}

static const char *
cell_of(const struct line *line, size_t i)
{
	return line->cells[i] == NULL ? "" : line->cells[i];
}

static int
compare_keys(const struct line *a, const struct line *b, const struct roster_kind *kind)
{
	int order = 0;

	for (size_t i = 0; i < kind->key_count && order == 0; i++) {
		order = strcmp(cell_of(a, i), cell_of(b, i));
	}
	return order;
}

/* Both kinds at once: what does not belong to the key only makes the order whole. */
static int
compare_lines(const void *a, const void *b)
{
	int order = 0;

	for (size_t i = 0; i < ROSTER_COLUMNS_MAX && order == 0; i++) {
		order = strcmp(cell_of(a, i), cell_of(b, i));
	}
	return order;
}

static void
take_roster(const struct diff *diff, enum stream stream, struct roster *out)
{
	const struct core *core = &diff->states.cores[stream];
	uint8_t *memory = malloc(MESSAGE_BYTES_MAX);
	struct mp_writer w = mp_writer_of(memory, MESSAGE_BYTES_MAX);

	assert(memory != NULL && core->roster != NULL);
	core->roster(core->state, &w);
	struct mp_reader r = mp_reader_of(mp_written(&w));
	out->count = w.bad ? 0 : mp_get_array(&r, UINT32_MAX);
	out->lines = calloc(out->count + 1, sizeof out->lines[0]);
	assert(out->lines != NULL);
	for (size_t i = 0; i < out->count && !r.bad; i++) {
		read_line(&out->lines[i], roster_kind_of(stream), &r);
	}
	qsort(out->lines, out->count, sizeof out->lines[0], compare_lines);
	free(memory);
}

static void
take_rosters(const struct diff *diff, struct roster out[STREAMS])
{
	for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
		take_roster(diff, streams[i], &out[streams[i]]);
	}
}

static void
free_rosters(struct roster rosters[STREAMS])
{
	for (size_t stream = 0; stream < STREAMS; stream++) {
		for (size_t i = 0; i < rosters[stream].count; i++) {
			for (size_t k = 0; k < ROSTER_COLUMNS_MAX; k++) {
				free(rosters[stream].lines[i].cells[k]);
			}
		}
		free(rosters[stream].lines);
	}
}

/* --- the two moments ---------------------------------------------------------------------------
 */

static bool
visit(void *context, const struct event *event, const struct entry *entry)
{
	struct diff *diff = context;
	const struct options *o = diff->options;
	struct digest claimed;
	struct digest found;

	if (!diff->has_before &&
	    (!o->from.is_set || !moment_is_kept(&o->from, entry->seq, entry->recorded_us))) {
		diff->has_before = true;
		take_rosters(diff, diff->before);
	}
	if (!moment_is_kept(&o->to, entry->seq, entry->recorded_us)) {
		return false;
	}
	diff->guard->seq = entry->seq;
	if (event != NULL && rebuild_needs(&diff->rebuild, entry)) {
		states_feed(&diff->states, entry, event, &claimed, &found);
	}
	if (entry->seq % PROGRESS_EVERY == 0) {
		print_progress("replaying", entry->seq, diff->size);
	}
	return true;
}

/* --- what differs ------------------------------------------------------------------------------
 */

static void
print_line(struct diff *diff, struct rows *rows, const char *change, const struct line *line,
	   const struct roster_kind *kind)
{
	struct cell cells[ROSTER_COLUMNS_MAX + 1] = { cell_word(change) };

	/* What stands in a line is escaped already. */
	for (size_t i = 0; i < kind->column_count; i++) {
		cells[i + 1] = cell_word(cell_of(line, i));
	}
	diff->differs = true;
	rows_row(rows, 0, cells);
}

static void
print_pair(struct diff *diff, struct rows *rows, const struct line *before,
	   const struct line *after, const struct roster_kind *kind)
{
	if (after == NULL) {
		print_line(diff, rows, "removed", before, kind);
	} else if (before == NULL) {
		print_line(diff, rows, "added", after, kind);
	} else if (compare_lines(before, after) != 0) {
		print_line(diff, rows, "was", before, kind);
		print_line(diff, rows, "became", after, kind);
	}
}

static void
print_roster(struct diff *diff, enum stream stream)
{
	const struct roster_kind *kind = roster_kind_of(stream);
	struct column columns[ROSTER_COLUMNS_MAX + 1] = { { "change", 9 } };
	const struct roster *before = &diff->before[stream];
	const struct roster *after = &diff->after[stream];

	for (size_t i = 0; i < kind->column_count; i++) {
		const size_t next = i + 1 < kind->column_count ? kind->at[i + 1] : kind->at[i];
		columns[i + 1] =
			(struct column){ kind->columns[i], (unsigned)(next - kind->at[i]) };
	}
	struct rows rows = rows_unpaged(diff->options, kind->name, columns, kind->column_count + 1);
	for (size_t i = 0, k = 0; i < before->count || k < after->count;) {
		const struct line *one = i < before->count ? &before->lines[i] : NULL;
		const struct line *other = k < after->count ? &after->lines[k] : NULL;
		const int order = one == NULL     ? 1
				  : other == NULL ? -1
						  : compare_keys(one, other, kind);

		print_pair(diff, &rows, order <= 0 ? one : NULL, order >= 0 ? other : NULL, kind);
		i += order <= 0;
		k += order >= 0;
	}
}

static int
print_diff(struct diff *diff)
{
	print_progress_end();
	if (!diff->has_before) {
		take_rosters(diff, diff->before); /* --from lies behind the end */
	}
	take_rosters(diff, diff->after);
	for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
		print_roster(diff, streams[i]);
	}
	if (!diff->differs && !diff->options->json && !diff->options->csv) {
		printf("nothing changed\n");
	}
	free_rosters(diff->before);
	free_rosters(diff->after);
	return print_flush() ? 0 : 1;
}

/* --- in the child --- */

struct task {
	const struct options *options;
	bool shows_names;
};

static int
work(void *context, struct guard *guard)
{
	const struct task *task = context;
	struct diff diff = { .options = task->options, .guard = guard };
	char fault[REBUILD_WHY_MAX];

	if (!source_open(&diff.source, diff.options->data_dir, fault, sizeof fault)) {
		fprintf(stderr, "ifreplay: %s\n", fault);
		return 1;
	}
	source_pass_silently(&diff.source); /* rebuild_begin knows what may be passed */
	if (!task->shows_names) {
		source_forget_keys(&diff.source);
	}
	states_make(&diff.states);
	const struct moment beginning = { .is_set = true };
	const struct options *o = diff.options;
	if (!rebuild_begin(&diff.rebuild, &diff.source, &diff.states,
			   o->from.is_set ? &o->from : &beginning, &o->to, fault)) {
		fprintf(stderr, "ifreplay: %s\n", fault);
		states_free(&diff.states);
		source_close(&diff.source);
		return 1;
	}
	const bool is_read =
		log_reader_size(diff.source.reader, &diff.size) &&
		log_read_events(
			diff.source.reader, diff.source.keys, diff.rebuild.from_seq, UINT64_MAX,
			LOG_STREAM(STREAM_SESSION) | LOG_STREAM(STREAM_ALLOCATION), visit, &diff);
	const int code = is_read ? print_diff(&diff) : source_failed(&diff.source);
	states_free(&diff.states);
	source_close(&diff.source);
	return code;
}

int
diff_command(const struct options *options, struct source *source)
{
	struct task task = { options, source->keys != NULL };

	return guard_replay(work, &task);
}
