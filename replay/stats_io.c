/* stats: how many events of each type, how many refusals of what, how much was relayed; for all of
 * the log or what the filters leave of it, and for each day.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "replay/commands_io.h"
#include "replay/print_io.h"
#include "replay/rows_io.h"
#include "replay/walk_io.h"

enum { DAYS_MAX = 8192, VERDICTS_MAX = 256, TYPES_MAX = 512 };
static const uint64_t DAY_US = UINT64_C(86400000000);

struct day {
	uint64_t day; /* since 1970, UTC */
	uint64_t events, registrations, offers, answers, candidates, allocations, refusals;
	uint64_t bytes_up, bytes_down;
};

struct stats {
	const struct options *options;
	uint64_t types[TYPES_MAX]; /* by place in the catalog; the last: types not in it */
	uint64_t verdicts[VERDICTS_MAX];
	uint64_t accepted;
	struct day *days;
	size_t day_count;
	uint64_t not_kept; /* events of days that found no room */
	struct day all;
};

static void
add(uint64_t *sum, uint64_t more)
{
	*sum = *sum > UINT64_MAX - more ? UINT64_MAX : *sum + more;
}

/* recorded_us never decreases: the day is the newest one, or a new one. */
static struct day *
day_of(struct stats *s, uint64_t recorded_us)
{
	const uint64_t day = recorded_us / DAY_US;

	if (s->day_count > 0 && s->days[s->day_count - 1].day == day) {
		return &s->days[s->day_count - 1];
	}
	if (s->day_count == DAYS_MAX) {
		s->not_kept++;
		return NULL;
	}
	s->days[s->day_count].day = day;
	return &s->days[s->day_count++];
}

static size_t
place_of(const struct event *event)
{
	for (size_t i = 0; event != NULL && i < event_types() && i < TYPES_MAX - 1; i++) {
		if (event_describe_at(i)->type == event->type) {
			return i;
		}
	}
	return TYPES_MAX - 1;
}

static void
count_on(struct day *day, const struct event *event)
{
	uint64_t verdict = 0;
	uint64_t count = 0;

	day->events++;
	if (event == NULL) {
		return;
	}
	day->registrations += event->type == EVENT_AGENT_REGISTERED;
	day->offers += event->type == EVENT_SDP_OFFER_RELAYED;
	day->answers += event->type == EVENT_SDP_ANSWER_RELAYED;
	day->candidates += event->type == EVENT_ICE_CANDIDATE_RELAYED;
	day->allocations += event->type == EVENT_TURN_ALLOCATION_CREATED;
	if (outcome_of(event, &verdict, &count)) {
		add(&day->refusals, count);
	}
	if (event->type == EVENT_TURN_RELAY_USAGE) {
		add(&day->bytes_up, event->turn_relay_usage.bytes_up);
		add(&day->bytes_down, event->turn_relay_usage.bytes_down);
	}
}

static bool
visit(void *context, const struct event *event, const struct entry *entry)
{
	struct stats *s = context;
	struct day *day = day_of(s, entry->recorded_us);
	uint64_t verdict = 0;
	uint64_t count = 0;

	s->types[place_of(event)]++;
	s->accepted += !outcome_is_refusal(entry->type);
	if (event != NULL && outcome_of(event, &verdict, &count)) {
		add(&s->verdicts[verdict < VERDICTS_MAX ? verdict : VERDICTS_MAX - 1], count);
	}
	count_on(&s->all, event);
	if (day != NULL) {
		count_on(day, event);
	}
	return true;
}

static void
print_types(const struct stats *s)
{
	static const struct column columns[] = { { "type", 34 }, { "events", 0 } };
	struct rows rows = rows_unpaged(s->options, "type", columns, 2);

	for (size_t i = 0; i < TYPES_MAX; i++) {
		const char *name = i < event_types() ? event_describe_at(i)->name
						     : "(not in this program's catalog)";
		const struct cell cells[] = { cell_word(name), cell_number(s->types[i]) };

		if (s->types[i] > 0) {
			rows_row(&rows, i, cells);
		}
	}
}

static void
print_outcomes(const struct stats *s)
{
	static const struct column columns[] = { { "outcome", 34 }, { "times", 0 } };
	struct rows rows = rows_unpaged(s->options, "outcome", columns, 2);
	const struct cell accepted[] = { cell_word("accepted"), cell_number(s->accepted) };
	const struct cell refused[] = { cell_word("refused"), cell_number(s->all.refusals) };

	rows_row(&rows, 0, accepted);
	rows_row(&rows, 1, refused);
	for (uint64_t i = 0; i < VERDICTS_MAX; i++) {
		enum verdict verdict = ACCEPTED;
		const bool is_known = verdict_from_number(i, &verdict);
		const struct cell cells[] = { is_known ? cell_word(verdict_name(verdict))
						       : cell_number(i),
					      cell_number(s->verdicts[i]) };

		if (s->verdicts[i] > 0) {
			rows_row(&rows, i + 2, cells);
		}
	}
}

static void
print_day(struct rows *rows, const struct day *day, const char *name)
{
	const struct cell cells[] = {
		cell_word(name),
		cell_number(day->events),
		cell_number(day->registrations),
		cell_number(day->offers),
		cell_number(day->answers),
		cell_number(day->candidates),
		cell_number(day->allocations),
		cell_number(day->refusals),
		cell_bytes(day->bytes_up),
		cell_bytes(day->bytes_down),
	};

	rows_row(rows, day->day, cells);
}

static void
print_days(const struct stats *s)
{
	static const struct column columns[] = {
		{ "day", 13 },         { "events", 11 },   { "registrations", 15 },
		{ "offers", 9 },       { "answers", 9 },   { "candidates", 12 },
		{ "allocations", 13 }, { "refusals", 10 }, { "bytes_up", 12 },
		{ "bytes_down", 0 },
	};
	struct rows rows = rows_unpaged(s->options, s->options->csv ? NULL : "day", columns, 10);
	char shown[MOMENT_PRINT_MAX];

	for (size_t i = 0; i < s->day_count; i++) {
		moment_print(shown, sizeof shown, s->days[i].day * DAY_US);
		shown[10] = '\0'; /* the date alone */
		print_day(&rows, &s->days[i], shown);
	}
	print_day(&rows, &s->all, "all");
	if (s->not_kept > 0) {
		fprintf(stderr, "ifreplay: %llu events lie on further days, which are not shown\n",
			(unsigned long long)s->not_kept);
	}
}

int
stats_command(const struct options *options, struct source *source)
{
	struct stats *s = calloc(1, sizeof *s);
	struct walk walk = { .options = options, .source = source };
	const char *gap = options->json || options->csv ? "" : "\n";

	assert(s != NULL);
	s->options = options;
	s->days = calloc(DAYS_MAX, sizeof s->days[0]);
	assert(s->days != NULL);
	int code = 0;
	if (!walk_log(&walk, visit, s)) {
		code = source_failed(source);
	} else if (options->csv) {
		print_days(s); /* CSV is one table */
	} else {
		print_types(s);
		printf("%s", gap);
		print_outcomes(s);
		printf("%s", gap);
		print_days(s);
	}
	free(s->days);
	free(s);
	return print_flush() ? code : 1;
}
