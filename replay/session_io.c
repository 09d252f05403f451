/* session: the story of two agents. When both were in one room, what they signaled to each other,
 * and which relays either of them had meanwhile.
 */
#include <stdio.h>
#include <string.h>

#include "replay/commands_io.h"
#include "replay/print_io.h"
#include "replay/rows_io.h"
#include "replay/stays.h"
#include "replay/walk_io.h"
#include "replay/words.h"

struct side {
	uint64_t offers, answers, candidates, allocations;
	uint64_t bytes_up, bytes_down;
};

struct pair {
	const struct options *options;
	struct source *source;
	struct walk walk;
	struct rows rows;
	struct stays stays;
	struct idmap allocations; /* to whose side */
	struct side sides[2];     /* the agent, the peer */
	uint64_t rooms;           /* shared at the moment */
	uint64_t since_us, together_us, meetings;
	uint64_t last_us;
	uint64_t told;
};

enum { AGENT, PEER };

/* Saturating: a forged log may say anything. */
static void
add(uint64_t *sum, uint64_t more)
{
	*sum = *sum > UINT64_MAX - more ? UINT64_MAX : *sum + more;
}

static const char *
name_of_side(const struct pair *pair, size_t side)
{
	return side == AGENT ? pair->options->agent : pair->options->peer;
}

static bool
is_side(const struct pair *pair, size_t side, const struct id *handle)
{
	return who_is_handle(side == AGENT ? &pair->walk.filter.agent : &pair->walk.filter.peer,
			     handle);
}

/* --- together ----------------------------------------------------------------------------------
 */

/* In which both are now. Handles of one name differ only after a long time: rarely more than one.
 */
static uint64_t
shared_rooms(const struct pair *pair)
{
	uint64_t count = 0;

	for (size_t i = pair->stays.count; i-- > 0;) {
		const struct stay *one = &pair->stays.items[i];

		for (size_t k = pair->stays.count; one->to_seq == 0 && k-- > 0;) {
			const struct stay *other = &pair->stays.items[k];
			count += other->to_seq == 0 && id_equal(&one->room, &other->room) &&
				 is_side(pair, AGENT, &one->agent) &&
				 is_side(pair, PEER, &other->agent);
		}
	}
	return count;
}

/* Stays that are over are of no use here. */
static void
drop_ended(struct pair *pair)
{
	size_t kept = 0;

	for (size_t i = 0; i < pair->stays.count; i++) {
		const struct stay *stay = &pair->stays.items[i];
		const struct id key = stays_key(&stay->agent, &stay->room);

		if (stay->to_seq == 0) {
			idmap_put(&pair->stays.present, &key, (uint32_t)kept);
			pair->stays.items[kept++] = *stay;
		}
	}
	pair->stays.count = kept;
}

/* "; together" or "; parted after ..." where that changes. */
static void
add_presence(struct pair *pair, const struct entry *entry, const struct event *event,
	     struct paper *what)
{
	char shown[MOMENT_PRINT_MAX];

	stays_feed(&pair->stays, entry, event);
	drop_ended(pair);
	const uint64_t rooms = shared_rooms(pair);
	if (rooms > 0 && pair->rooms == 0) {
		pair->since_us = entry->recorded_us;
		pair->meetings++;
		paper_add(what, "; they are together");
	} else if (rooms == 0 && pair->rooms > 0) {
		const uint64_t span = entry->recorded_us - pair->since_us;
		pair->together_us += span;
		paper_add(what, "; they part after %s",
			  moment_print_span(shown, sizeof shown, span));
	}
	pair->rooms = rooms;
}

/* --- what is told ------------------------------------------------------------------------------
 */

static void
add_handle(struct pair *pair, struct paper *what, const struct id *handle)
{
	const struct cell cell = cell_handle(pair->source, handle);

	paper_add_escaped(what, cell.bytes != NULL ? cell.bytes : cell.memory, cell.count);
}

static void
add_address(struct paper *what, const struct address *address)
{
	const struct cell cell = cell_address(address);

	paper_add(what, "%s", cell.kind == CELL_NONE ? "a sealed address" : cell.memory);
}

static bool
tell_signal(struct pair *pair, const struct event *event, struct paper *what, size_t *side)
{
	static const char *const words[] = { "an offer", "an answer", "a candidate" };
	const size_t sort = (size_t)event->type - EVENT_SDP_OFFER_RELAYED;
	/* The three kinds of signals have the same fields. */
	const struct event_sdp_offer_relayed *e = &event->sdp_offer_relayed;

	*side = is_side(pair, AGENT, &e->from) ? AGENT : PEER;
	if (!is_side(pair, *side, &e->from) || !is_side(pair, !*side, &e->to)) {
		return false; /* one of them and somebody else */
	}
	uint64_t *const counters[] = { &pair->sides[*side].offers, &pair->sides[*side].answers,
				       &pair->sides[*side].candidates };
	(*counters[sort])++;
	paper_add(what, "sent %s (%llu bytes)", words[sort], (unsigned long long)e->bytes);
	return true;
}

static bool
tell_presence(struct pair *pair, const struct entry *entry, const struct event *event,
	      struct paper *what, size_t *side)
{
	const bool is_joining = event->type == EVENT_AGENT_REGISTERED;
	const struct id *agent =
		is_joining ? &event->agent_registered.agent : &event->agent_disconnected.agent;

	*side = is_side(pair, AGENT, agent) ? AGENT : PEER;
	paper_add(what, is_joining ? "registered in room " : "left room ");
	add_handle(pair, what,
		   is_joining ? &event->agent_registered.room : &event->agent_disconnected.room);
	if (!is_joining) {
		paper_add(what, " (%s)", leave_reason_name(event->agent_disconnected.reason));
	}
	add_presence(pair, entry, event, what);
	return true;
}

static bool
tell_usage(struct pair *pair, const struct event_turn_relay_usage *e, struct paper *what,
	   size_t side)
{
	char up[WORDS_BYTES_MAX];
	char down[WORDS_BYTES_MAX];

	add(&pair->sides[side].bytes_up, e->bytes_up);
	add(&pair->sides[side].bytes_down, e->bytes_down);
	paper_add(what, "relayed %s up, %s down with ", words_bytes(up, sizeof up, e->bytes_up),
		  words_bytes(down, sizeof down, e->bytes_down));
	add_address(what, &e->peer);
	return true;
}

/* The event that made it names the user; the others name the allocation alone. */
static size_t
side_of_allocation(struct pair *pair, const struct event *event)
{
	const struct id *allocation = filter_allocation_of(event);
	const uint32_t *known = idmap_find(&pair->allocations, allocation);

	if (known != NULL) {
		return *known;
	}
	const size_t side =
		event->type == EVENT_TURN_ALLOCATION_CREATED &&
				is_side(pair, AGENT, &event->turn_allocation_created.user)
			? AGENT
			: PEER;
	idmap_put(&pair->allocations, allocation, (uint32_t)side);
	return side;
}

static bool
tell_relay(struct pair *pair, const struct event *event, struct paper *what, size_t *side)
{
	*side = side_of_allocation(pair, event);
	switch ((unsigned)event->type) {
	case EVENT_TURN_ALLOCATION_CREATED:
		pair->sides[*side].allocations++;
		paper_add(what, "was given the relay ");
		add_address(what, &event->turn_allocation_created.relayed);
		if (event->turn_allocation_created.relayed_also.family != ADDRESS_NONE) {
			paper_add(what, " and ");
			add_address(what, &event->turn_allocation_created.relayed_also);
		}
		return true;
	case EVENT_TURN_PERMISSION_INSTALLED:
		paper_add(what, "may exchange packets with ");
		add_address(what, &event->turn_permission_installed.peer);
		return true;
	case EVENT_TURN_CHANNEL_BOUND:
		paper_add(what, "bound a channel to ");
		add_address(what, &event->turn_channel_bound.peer);
		return true;
	case EVENT_TURN_CONNECTION_OPENED:
		paper_add(what, event->turn_connection_opened.attempted == 0
					? "connected over TCP to "
					: "was connected to over TCP by ");
		add_address(what, &event->turn_connection_opened.peer);
		return true;
	case EVENT_TURN_RELAY_USAGE:
		return tell_usage(pair, &event->turn_relay_usage, what, *side);
	case EVENT_TURN_ALLOCATION_ENDED:
		paper_add(what, "gave its relay back (%s)",
			  end_reason_name(event->turn_allocation_ended.reason));
		return true;
	}
	return false; /* refreshes say nothing about two agents */
}

static bool
tell_event(struct pair *pair, const struct entry *entry, const struct event *event,
	   struct paper *what, size_t *side)
{
	switch ((unsigned)event->type) {
	case EVENT_AGENT_REGISTERED:
	case EVENT_AGENT_DISCONNECTED:
		return tell_presence(pair, entry, event, what, side);
	case EVENT_SDP_OFFER_RELAYED:
	case EVENT_SDP_ANSWER_RELAYED:
	case EVENT_ICE_CANDIDATE_RELAYED:
		return tell_signal(pair, event, what, side);
	}
	return filter_allocation_of(event) != NULL && tell_relay(pair, event, what, side);
}

static bool
visit(void *context, const struct event *event, const struct entry *entry)
{
	struct pair *pair = context;
	struct paper what;
	size_t side = AGENT;

	pair->last_us = entry->recorded_us;
	paper_clear(&what);
	if (event == NULL || !tell_event(pair, entry, event, &what, &side)) {
		return true;
	}
	pair->told++;
	if (pair->walk.is_before) {
		return true;
	}
	const struct cell cells[] = {
		cell_number(entry->seq),
		cell_time(entry->recorded_us),
		cell_word(name_of_side(pair, side)),
		cell_word(event_describe(event->type)->name),
		cell_text(what.text, what.count),
	};
	return rows_row(&pair->rows, entry->seq, cells);
}

static void
forget(struct pair *pair)
{
	stays_free(&pair->stays);
	idmap_free(&pair->allocations);
}

/* What was told once is told again from the beginning. */
static void
begin(struct pair *pair)
{
	stays_make(&pair->stays);
	idmap_make(&pair->allocations, ALLOCATIONS_MAX);
	memset(pair->sides, 0, sizeof pair->sides);
	pair->rooms = pair->meetings = pair->together_us = pair->told = 0;
}

static void
print_side(const struct pair *pair, struct rows *rows, size_t side)
{
	const struct side *s = &pair->sides[side];
	const struct cell cells[] = {
		cell_word(name_of_side(pair, side)),
		cell_number(s->offers),
		cell_number(s->answers),
		cell_number(s->candidates),
		cell_number(s->allocations),
		cell_bytes(s->bytes_up),
		cell_bytes(s->bytes_down),
	};

	rows_row(rows, side, cells);
}

static void
print_sums(const struct pair *pair)
{
	static const struct column columns[] = {
		{ "agent", 34 }, { "offers", 8 },    { "answers", 9 },    { "candidates", 12 },
		{ "relays", 8 }, { "bytes_up", 12 }, { "bytes_down", 0 },
	};
	struct rows rows = rows_unpaged(pair->options, "side", columns, 7);
	const uint64_t now = pair->rooms > 0 ? pair->last_us - pair->since_us : 0;
	char shown[MOMENT_PRINT_MAX];

	if (pair->options->csv || pair->rows.page.is_forward) {
		return; /* one table, and no sums of a page */
	}
	if (pair->options->json) {
		print_json(json_pack("{s:s, s:I, s:I, s:b}", "kind", "together", "meetings",
				     (json_int_t)pair->meetings, "together_us",
				     (json_int_t)(pair->together_us + now), "still",
				     pair->rooms > 0));
	} else {
		printf("\nin one room %llu times, for %s%s\n\n", (unsigned long long)pair->meetings,
		       moment_print_span(shown, sizeof shown, pair->together_us + now),
		       pair->rooms > 0 ? " and still" : "");
	}
	print_side(pair, &rows, AGENT);
	print_side(pair, &rows, PEER);
}

static bool
read_pair(struct pair *pair)
{
	if (rows_counts_first(&pair->rows)) {
		begin(pair);
		const bool is_read = walk_log(&pair->walk, visit, pair);
		rows_counted(&pair->rows);
		forget(pair);
		if (!is_read) {
			begin(pair);
			return false;
		}
	}
	begin(pair);
	return walk_log(&pair->walk, visit, pair);
}

int
session_command(const struct options *options, struct source *source)
{
	static const struct column columns[] = {
		{ "seq", 10 }, { "recorded", 29 }, { "who", 20 }, { "event", 27 }, { "what", 0 }
	};
	struct pair pair = { .options = options, .source = source };
	int code = 0;

	pair.walk = (struct walk){ .options = options, .source = source, .with_past = true };
	pair.rows = rows_of(options, options->csv ? NULL : "told", columns, 5);
	if (!read_pair(&pair)) {
		code = source_failed(source);
	} else if (pair.told == 0) {
		fprintf(stderr, "ifreplay: the log says nothing about these two\n");
		code = 1;
	} else {
		rows_end(&pair.rows);
		print_sums(&pair);
	}
	forget(&pair);
	return print_flush() ? code : 1;
}
