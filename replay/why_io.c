/* why: what led to an entry, and what it led to.
 *
 * Causes are followed upwards, entry by entry, and downwards. An entry and its cause belong to one
 * append, and so do all events of one command: what follows lies within APPEND_REACH entries, and
 * looking there is looking everywhere.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "replay/commands_io.h"
#include "replay/print_io.h"
#include "replay/rows_io.h"
#include "replay/telling.h"

/* One event of an append may take three seqs: two keys are announced before it. */
enum { APPEND_REACH = 3 * EVENTS_PER_APPEND_MAX };

enum bond { BOND_NONE, BOND_CAUSE, BOND_ASKED, BOND_COMMAND, BOND_FOLLOWED };

struct why {
	const struct options *options;
	struct source *source;
	struct rows rows;
	uint64_t asked;
	struct id command;
	struct id trace;
	uint64_t first;  /* of the entries around it */
	uint8_t *bond;   /* enum bond, by seq - first */
	uint64_t *cause; /* by seq - first; UINT64_MAX: none */
	uint64_t count;
	bool is_found;
};

static bool
gather(void *context, const struct event *event, const struct entry *entry)
{
	struct why *why = context;
	const uint64_t at = entry->seq - why->first;

	if (event != NULL) {
		names_learn(&why->source->names, event);
	}
	why->cause[at] = entry->has_cause ? entry->cause : UINT64_MAX;
	why->count = at + 1;
	if (entry->seq == why->asked) {
		why->is_found = true;
		why->command = entry->command_id;
		why->trace = entry->trace_id;
	}
	return true;
}

/* Upwards: a cause is always earlier, so this ends. What lies before the entries around it cannot
 * be a cause, whatever a forged entry says. */
static void
mark_causes(struct why *why)
{
	uint64_t seq = why->asked;

	why->bond[seq - why->first] = BOND_ASKED;
	while (why->cause[seq - why->first] < seq && why->cause[seq - why->first] >= why->first) {
		seq = why->cause[seq - why->first];
		why->bond[seq - why->first] = BOND_CAUSE;
	}
}

/* Downwards: in the order of seqs, what is caused by something that followed has followed. */
static void
mark_followed(struct why *why)
{
	for (uint64_t at = why->asked - why->first + 1; at < why->count; at++) {
		const uint64_t cause = why->cause[at];
		const bool is_near = cause >= why->first && cause < why->first + at;
		const uint8_t bond = is_near ? why->bond[cause - why->first] : BOND_NONE;

		if (bond == BOND_ASKED || bond == BOND_FOLLOWED) {
			why->bond[at] = BOND_FOLLOWED;
		}
	}
}

static bool
print_bond(void *context, const struct event *event, const struct entry *entry)
{
	static const char *const words[] = { [BOND_CAUSE] = "led to it",
					     [BOND_ASKED] = "asked for",
					     [BOND_COMMAND] = "same command",
					     [BOND_FOLLOWED] = "followed" };
	struct why *why = context;
	const struct telling telling = source_telling(why->source, event, entry);
	uint8_t bond = why->bond[entry->seq - why->first];
	struct paper what;

	if (bond == BOND_NONE && id_equal(&entry->command_id, &why->command)) {
		bond = BOND_COMMAND;
	}
	if (bond == BOND_NONE) {
		return true;
	}
	paper_clear(&what);
	telling_what(&what, &telling);
	const struct cell cells[] = {
		cell_number(entry->seq),
		cell_word(words[bond]),
		entry->has_cause ? cell_number(entry->cause) : cell_none(),
		cell_time(entry->recorded_us),
		event != NULL ? cell_word(event_describe(event->type)->name)
			      : cell_number(entry->type),
		cell_text(what.text, what.count),
	};
	return rows_row(&why->rows, entry->seq, cells);
}

static void
print_trace(const struct why *why)
{
	char hex[2 * sizeof why->trace.bytes + 1];

	if (!id_is_none(&why->trace) && !why->options->json && !why->options->csv) {
		hex_write(hex, why->trace.bytes, sizeof why->trace.bytes);
		printf("\nthe call it belongs to: ifreplay trace %s\n", hex);
	}
}

static bool
read_around(struct why *why, log_event_visitor *visit)
{
	return log_read_events(why->source->reader, why->source->keys, why->first,
			       why->asked + APPEND_REACH, LOG_STREAMS_ALL, visit, why);
}

static int
answer(struct why *why)
{
	uint64_t size = 0;

	if (!log_reader_size(why->source->reader, &size)) {
		return source_failed(why->source);
	}
	if (why->asked >= size) {
		fprintf(stderr, "ifreplay: no entry %" PRIu64 ": the log holds 0 to %" PRIu64 "\n",
			why->asked, size > 0 ? size - 1 : 0);
		return 1;
	}
	source_names_from(why->source, why->first);
	if (!read_around(why, gather)) {
		return source_failed(why->source);
	}
	if (!why->is_found) {
		fprintf(stderr, "ifreplay: entry %" PRIu64 " cannot be read: run ifreplay verify\n",
			why->asked);
		return 1;
	}
	mark_causes(why);
	mark_followed(why);
	if (!read_around(why, print_bond)) {
		return source_failed(why->source);
	}
	print_trace(why);
	return print_flush() ? 0 : 1;
}

int
why_command(const struct options *options, struct source *source)
{
	static const struct column columns[] = {
		{ "seq", 10 },      { "how", 14 },   { "cause", 10 },
		{ "recorded", 29 }, { "event", 27 }, { "what", 0 },
	};
	struct why why = { .options = options, .source = source, .asked = options->seq };

	why.rows = rows_unpaged(options, options->csv ? NULL : "event", columns, 6);
	why.first = why.asked > APPEND_REACH ? why.asked - APPEND_REACH : 0;
	why.bond = calloc(2 * APPEND_REACH + 1, sizeof why.bond[0]);
	why.cause = calloc(2 * APPEND_REACH + 1, sizeof why.cause[0]);
	assert(why.bond != NULL && why.cause != NULL);
	const int code = answer(&why);
	free(why.bond);
	free(why.cause);
	return code;
}
