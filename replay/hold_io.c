/* hold, release, holds: what is kept from erasure and retention, by whom and why. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "protocol/time_io.h"
#include "replay/acts_io.h"
#include "replay/commands_io.h"
#include "replay/print_io.h"
#include "replay/rows_io.h"

enum { USAGE = 2 };

static int
fail(const char *verb, const char *fault, int code)
{
	fprintf(stderr, "ifreplay: %s: %s\n", verb, fault);
	return code;
}

static bool
take_name(struct name *out, const char *word)
{
	return word != NULL && name_set(out, word, strlen(word)) && name_is_wellformed(out);
}

static int
record(const struct options *options, struct source *source, const struct event *event,
       const char *verb, const struct id *hold)
{
	char fault[ACTS_FAULT_MAX] = "";
	char digits[33];

	switch (acts_record(options->data_dir, log_reader_origin(source->reader), event, fault)) {
	case ACTS_RECORDED:
		break;
	case ACTS_COPY:
		return fail(verb, "this is a copy of a log, where nothing can be decided", 1);
	case ACTS_FAILED:
		return fail(verb, fault, 1);
	}
	hex_write(digits, hold->bytes, sizeof hold->bytes);
	if (options->json) {
		print_json(json_pack("{s:s, s:s}", "kind", verb, "hold", digits));
	} else {
		printf("%-13s %s\n", verb, digits);
	}
	return print_flush() ? 0 : 1;
}

/* --- the list ----------------------------------------------------------------------------------
 */

struct hold {
	uint64_t seq, placed_us;
	struct event_hold_placed placed;
	bool is_released;
};

struct holds {
	struct hold *items;
	size_t count, room;
};

static void
add_hold(struct holds *holds, const struct event *event, const struct entry *entry)
{
	if (holds->count == holds->room) {
		holds->room = holds->room == 0 ? 16 : 2 * holds->room;
		holds->items = reallocarray(holds->items, holds->room, sizeof *holds->items);
		assert(holds->items != NULL);
	}
	holds->items[holds->count++] =
		(struct hold){ entry->seq, entry->recorded_us, event->hold_placed, false };
}

static struct hold *
find_hold(const struct holds *holds, const struct id *id)
{
	for (size_t i = 0; i < holds->count; i++) {
		if (id_equal(&holds->items[i].placed.hold, id)) {
			return &holds->items[i];
		}
	}
	return NULL;
}

static bool
visit(void *context, const struct event *event, const struct entry *entry)
{
	if (event != NULL && event->type == EVENT_HOLD_PLACED) {
		add_hold(context, event, entry);
	} else if (event != NULL && event->type == EVENT_HOLD_RELEASED) {
		struct hold *hold = find_hold(context, &event->hold_released.hold);
		if (hold != NULL) {
			hold->is_released = true;
		}
	}
	return true;
}

static bool
read_holds(struct source *source, struct holds *holds)
{
	source_pass_silently(source);
	return log_read_events(source->reader, source->keys, 0, UINT64_MAX,
			       LOG_STREAM(STREAM_WITNESS), visit, holds);
}

static bool
stands(const struct hold *hold, uint64_t now_us)
{
	return !hold->is_released && (hold->placed.until_us == 0 || hold->placed.until_us > now_us);
}

int
holds_command(const struct options *options, struct source *source)
{
	static const struct column columns[] = {
		{ "hold", 34 },  { "agent", 20 }, { "placed", 29 },
		{ "until", 29 }, { "by", 14 },    { "reason", 0 },
	};
	struct rows rows = rows_unpaged(options, "hold", columns, 6);
	struct holds holds = { 0 };
	const uint64_t now_us = time_now_us();

	if (!read_holds(source, &holds)) {
		free(holds.items);
		return source_failed(source);
	}
	for (size_t i = 0; i < holds.count; i++) {
		const struct hold *hold = &holds.items[i];
		const struct cell cells[] = {
			cell_id(&hold->placed.hold),
			cell_name(&hold->placed.agent_name),
			cell_time(hold->placed_us),
			hold->placed.until_us == 0 ? cell_none() : cell_time(hold->placed.until_us),
			cell_name(&hold->placed.operator_name),
			cell_name(&hold->placed.reason),
		};
		if (stands(hold, now_us)) {
			rows_row(&rows, hold->seq, cells);
		}
	}
	rows_end(&rows);
	free(holds.items);
	return print_flush() ? 0 : 1;
}

/* --- the two acts ------------------------------------------------------------------------------
 */

int
hold_command(const struct options *options, struct source *source)
{
	struct event event = { .type = EVENT_HOLD_PLACED };
	struct event_hold_placed *placed = &event.hold_placed;
	struct id operator;

	if (!take_name(&placed->agent_name, options->agent) ||
	    !take_name(&placed->reason, options->reason)) {
		return fail("hold", "--agent NAME and --reason TEXT are needed", USAGE);
	}
	if (options->until.is_set &&
	    (!options->until.is_time || options->until.value <= time_now_us())) {
		return fail("hold", "--until is a time to come, such as 2027-01-31T00:00:00Z",
			    USAGE);
	}
	placed->until_us = options->until.is_set ? options->until.value : 0;
	acts_operator(source, &operator, & placed->operator_name);
	/* The subject is the hold's own: it goes when the agent is erased after its release. */
	while (id_is_none(&placed->hold)) {
		const ssize_t got = getrandom(placed->hold.bytes, sizeof placed->hold.bytes, 0);
		assert(got == (ssize_t)sizeof placed->hold.bytes);
	}
	const struct id hold = placed->hold;
	return record(options, source, &event, "hold", &hold);
}

int
release_command(const struct options *options, struct source *source)
{
	struct event event = { .type = EVENT_HOLD_RELEASED };
	struct event_hold_released *released = &event.hold_released;
	struct holds holds = { 0 };

	if (!take_name(&released->reason, options->reason)) {
		return fail("release", "--reason TEXT is needed", USAGE);
	}
	if (!read_holds(source, &holds)) {
		free(holds.items);
		return source_failed(source);
	}
	const struct hold *hold = find_hold(&holds, &options->hold);
	const bool is_standing = hold != NULL && !hold->is_released;
	free(holds.items);
	if (!is_standing) {
		return fail("release", "no such hold stands: ifreplay holds lists them", 1);
	}
	released->hold = options->hold;
	acts_operator(source, &released->operator, & released->operator_name);
	return record(options, source, &event, "release", &options->hold);
}
