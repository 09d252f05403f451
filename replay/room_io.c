/* room: who was in it, and when. */
#include <stdio.h>
#include <string.h>

#include "replay/commands_io.h"
#include "replay/print_io.h"
#include "replay/rows_io.h"
#include "replay/stays.h"
#include "replay/walk_io.h"
#include "replay/words.h"

struct room {
	const struct options *options;
	struct source *source;
	struct stays stays;
	struct rows rows;
	bool is_known; /* any event concerned it */
	uint64_t last_us;
};

static bool
visit(void *context, const struct event *event, const struct entry *entry)
{
	struct room *room = context;

	room->is_known = true;
	room->last_us = entry->recorded_us;
	if (event != NULL) {
		stays_feed(&room->stays, entry, event);
	}
	return true;
}

static bool
is_within(const struct room *room, const struct stay *stay)
{
	return stay->to_seq == 0 ||
	       moment_is_reached(&room->options->from, stay->to_seq, stay->to_us);
}

static uint64_t
count_stays(const struct room *room)
{
	uint64_t count = 0;

	for (size_t i = 0; i < room->stays.count; i++) {
		count += is_within(room, &room->stays.items[i]);
	}
	return count;
}

static bool
print_stay(struct room *room, const struct stay *stay)
{
	const uint64_t until = stay->to_seq == 0 ? room->last_us : stay->to_us;
	const bool is_there = stay->to_seq == 0;
	const struct cell cells[] = {
		cell_number(stay->from_seq),
		cell_handle(room->source, &stay->agent),
		cell_time(stay->from_us),
		is_there ? cell_none() : cell_time(stay->to_us),
		cell_span(until > stay->from_us ? until - stay->from_us : 0),
		is_there            ? cell_word("still there")
		: stay->reason == 0 ? cell_word("registered again")
				    : cell_word(leave_reason_name(stay->reason)),
		cell_number(stay->gateway),
		is_there ? cell_none() : cell_number(stay->to_seq),
	};

	return rows_row(&room->rows, stay->from_seq, cells);
}

static void
print_stays(struct room *room)
{
	rows_expect(&room->rows, count_stays(room));
	for (size_t i = 0; i < room->stays.count; i++) {
		const struct stay *stay = &room->stays.items[i];

		if (is_within(room, stay) && !print_stay(room, stay)) {
			break;
		}
	}
	rows_end(&room->rows);
	if (room->stays.not_kept > 0) {
		fprintf(stderr, "ifreplay: %llu more stays found no room: narrow it by --to\n",
			(unsigned long long)room->stays.not_kept);
	}
}

static int
tell(struct room *room)
{
	struct walk walk = { .options = room->options, .source = room->source, .with_past = true };
	char shown[80];

	if (!walk_log(&walk, visit, room)) {
		return source_failed(room->source);
	}
	if (!room->is_known) {
		words_escape(shown, sizeof shown, room->options->room, strlen(room->options->room));
		fprintf(stderr, "ifreplay: the log says nothing about a room '%s'%s\n", shown,
			room->source->keys == NULL ? ": names are sealed, give a handle" : "");
		return 1;
	}
	print_stays(room);
	return print_flush() ? 0 : 1;
}

int
room_command(const struct options *options, struct source *source)
{
	static const struct column columns[] = {
		{ "seq", 10 },     { "agent", 34 }, { "from", 29 },   { "to", 29 },
		{ "span_us", 14 }, { "left", 27 },  { "gateway", 9 }, { "left_seq", 0 },
	};
	struct room room = { .options = options, .source = source };

	room.rows = rows_of(options, options->csv ? NULL : "stay", columns, 8);
	stays_make(&room.stays);
	const int code = tell(&room);
	stays_free(&room.stays);
	return code;
}
