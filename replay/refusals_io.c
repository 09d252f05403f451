/* refusals: who was refused what. One row for each refusal event, which folds what one source was
 * refused for one reason within a window; then how much that was by verdict and by source.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocol/address.h"
#include "replay/commands_io.h"
#include "replay/print_io.h"
#include "replay/rows_io.h"
#include "replay/walk_io.h"

enum { VERDICTS_MAX = 64, SOURCES_MAX = 4096, SOURCES_SHOWN = 20 };

struct tally {
	uint64_t verdict;
	struct address source;
	uint64_t count;
};

struct refusals {
	const struct options *options;
	struct source *source;
	struct rows rows;
	struct tally verdicts[VERDICTS_MAX];
	size_t verdict_count;
	struct tally *sources;
	size_t source_count;
	uint64_t not_kept; /* of sources that found no room */
};

static void
add(uint64_t *sum, uint64_t more)
{
	*sum = *sum > UINT64_MAX - more ? UINT64_MAX : *sum + more;
}

static void
add_verdict(struct refusals *r, uint64_t verdict, uint64_t count)
{
	size_t i = 0;

	while (i < r->verdict_count && r->verdicts[i].verdict != verdict) {
		i++;
	}
	if (i == VERDICTS_MAX) {
		return;
	}
	r->verdict_count += i == r->verdict_count;
	r->verdicts[i].verdict = verdict;
	add(&r->verdicts[i].count, count);
}

static void
add_source(struct refusals *r, const struct address *source, uint64_t count)
{
	size_t i = 0;

	while (i < r->source_count && !address_equal_ip(&r->sources[i].source, source)) {
		i++;
	}
	if (i == SOURCES_MAX) {
		add(&r->not_kept, count);
		return;
	}
	r->source_count += i == r->source_count;
	r->sources[i].source = *source;
	r->sources[i].source.port = 0;
	add(&r->sources[i].count, count);
}

static struct cell
verdict_cell(uint64_t number)
{
	enum verdict verdict = ACCEPTED;

	return verdict_from_number(number, &verdict) ? cell_word(verdict_name(verdict))
						     : cell_number(number);
}

/* The two kinds of refusals have their fields at different places. */
struct refusal {
	const char *where;
	const struct address *source, *peer;
	const struct name *name;
	uint64_t verdict, count, window_us;
};

static bool
refusal_of(const struct event *event, struct refusal *out)
{
	static const struct address nowhere;
	const struct event_signaling_request_refused *s = &event->signaling_request_refused;
	const struct event_turn_request_refused *t = &event->turn_request_refused;

	if (event->type == EVENT_SIGNALING_REQUEST_REFUSED) {
		*out = (struct refusal){ "signaling", &s->source, &nowhere,    &s->agent_name,
					 s->verdict,  s->count,   s->window_us };
		return true;
	}
	if (event->type == EVENT_TURN_REQUEST_REFUSED) {
		*out = (struct refusal){ "turn",     &t->source, &t->peer,    &t->user_name,
					 t->verdict, t->count,   t->window_us };
		return true;
	}
	return false;
}

static bool
visit(void *context, const struct event *event, const struct entry *entry)
{
	struct refusals *r = context;
	struct refusal refusal;

	if (event == NULL || !refusal_of(event, &refusal)) {
		return true;
	}
	if (!r->rows.is_counting) {
		add_verdict(r, refusal.verdict, refusal.count);
		add_source(r, refusal.source, refusal.count);
	}
	const struct cell cells[] = {
		cell_number(entry->seq),    cell_time(entry->recorded_us),
		cell_word(refusal.where),   cell_address(refusal.source),
		cell_name(refusal.name),    verdict_cell(refusal.verdict),
		cell_number(refusal.count), cell_span(refusal.window_us),
		cell_address(refusal.peer),
	};
	return rows_row(&r->rows, entry->seq, cells);
}

static void
print_verdicts(struct refusals *r)
{
	static const struct column columns[] = { { "verdict", 30 }, { "times", 0 } };
	struct rows rows = rows_unpaged(r->options, "verdict", columns, 2);

	for (size_t i = 0; i < r->verdict_count; i++) {
		const struct cell cells[] = { verdict_cell(r->verdicts[i].verdict),
					      cell_number(r->verdicts[i].count) };
		rows_row(&rows, i, cells);
	}
}

static int
compare(const void *a, const void *b)
{
	const struct tally *one = a;
	const struct tally *other = b;

	if (one->count != other->count) {
		return one->count > other->count ? -1 : 1;
	}
	return address_compare_ip(&one->source, &other->source);
}

static void
print_sources(struct refusals *r)
{
	static const struct column columns[] = { { "source", 30 }, { "times", 0 } };
	struct rows rows = rows_unpaged(r->options, "source", columns, 2);
	uint64_t rest = r->not_kept;

	qsort(r->sources, r->source_count, sizeof r->sources[0], compare);
	for (size_t i = 0; i < r->source_count; i++) {
		if (i >= SOURCES_SHOWN) {
			add(&rest, r->sources[i].count);
			continue;
		}
		const struct cell cells[] = { cell_address(&r->sources[i].source),
					      cell_number(r->sources[i].count) };
		rows_row(&rows, i, cells);
	}
	if (rest > 0) {
		const struct cell cells[] = { cell_word("(all others)"), cell_number(rest) };
		rows_row(&rows, r->source_count, cells);
	}
}

/* On a page there are no sums: they would be those of the page. CSV is one table. */
static void
print_sums(struct refusals *r)
{
	if (r->rows.page.is_forward || r->options->csv) {
		return;
	}
	printf("%s", r->options->json ? "" : "\n");
	print_verdicts(r);
	printf("%s", r->options->json ? "" : "\n");
	print_sources(r);
}

static bool
read_twice(struct refusals *r)
{
	struct walk walk = { .options = r->options, .source = r->source };

	if (rows_counts_first(&r->rows)) {
		if (!walk_log(&walk, visit, r)) {
			return false;
		}
		rows_counted(&r->rows);
	}
	return walk_log(&walk, visit, r);
}

int
refusals_command(const struct options *options, struct source *source)
{
	static const struct column columns[] = {
		{ "seq", 10 },    { "recorded", 29 },  { "where", 11 },
		{ "source", 24 }, { "name", 20 },      { "verdict", 28 },
		{ "times", 8 },   { "window_us", 11 }, { "peer", 0 },
	};
	/* Whoever did not ask for an outcome asks for all refusals: the index knows these. */
	struct options only = *options;
	struct refusals r = { .options = &only, .source = source };

	if (only.outcome.kind == OUTCOME_ANY) {
		only.outcome.kind = OUTCOME_REFUSED;
	}
	r.rows = rows_of(&only, options->csv ? NULL : "refusal", columns, 9);
	r.sources = calloc(SOURCES_MAX, sizeof r.sources[0]);
	assert(r.sources != NULL);
	if (!read_twice(&r)) {
		free(r.sources);
		return source_failed(source);
	}
	rows_end(&r.rows);
	print_sums(&r);
	free(r.sources);
	return print_flush() ? 0 : 1;
}
