/* peers: whom an agent met, and what its relays carried to whom. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/address.h"
#include "replay/commands_io.h"
#include "replay/print_io.h"
#include "replay/rows_io.h"
#include "replay/story_io.h"
#include "replay/words.h"

static void
say_nothing(void *context, uint64_t seq, uint64_t us, const char *kind, const char *text)
{
	bool *is_known = context;

	(void)seq;
	(void)us;
	(void)kind;
	(void)text;
	*is_known = true;
}

static void
print_met(const struct options *options, struct source *source, const struct timeline *t,
	  const struct who *peer)
{
	static const struct column columns[] = {
		{ "agent", 34 },           { "meetings", 10 },           { "together_us", 14 },
		{ "first_met", 29 },       { "last_parted", 29 },        { "offers_sent", 13 },
		{ "offers_received", 17 }, { "answers_sent", 14 },       { "answers_received", 18 },
		{ "candidates_sent", 17 }, { "candidates_received", 0 },
	};
	struct rows rows = rows_unpaged(options, options->csv ? NULL : "agent", columns, 11);

	for (uint32_t i = 0; i < t->met_count; i++) {
		const struct timeline_met *met = &t->met[i];
		const bool is_over = met->rooms == 0 && met->meetings > 0;
		const struct cell cells[] = {
			cell_handle(source, &met->agent),
			cell_number(met->meetings),
			cell_span(timeline_together_us(t, met)),
			met->meetings > 0 ? cell_time(met->first_us) : cell_none(),
			is_over ? cell_time(met->parted_us) : cell_none(),
			cell_number(met->offers_sent),
			cell_number(met->offers_received),
			cell_number(met->answers_sent),
			cell_number(met->answers_received),
			cell_number(met->candidates_sent),
			cell_number(met->candidates_received),
		};

		if (peer->is_any || who_is_handle(peer, &met->agent)) {
			rows_row(&rows, i, cells);
		}
	}
}

static void
print_addresses(const struct options *options, const struct timeline *t, const struct address *only)
{
	static const struct column columns[] = {
		{ "address", 34 }, { "permissions", 13 }, { "bytes_up", 12 }, { "bytes_down", 0 }
	};
	struct rows rows = rows_unpaged(options, "address", columns, 4);

	for (uint32_t i = 0; i < t->peer_count; i++) {
		const struct timeline_peer *peer = &t->peers[i];
		const struct cell cells[] = { cell_address(&peer->address),
					      cell_number(peer->permissions),
					      cell_bytes(peer->bytes_up),
					      cell_bytes(peer->bytes_down) };

		if (only == NULL || address_equal_ip(only, &peer->address)) {
			rows_row(&rows, i, cells);
		}
	}
}

static void
print_tables(const struct options *options, struct source *source, const struct story *story)
{
	const struct filter *filter = &story->filter;

	print_met(options, source, &story->timeline, &filter->peer);
	if (!options->csv) {
		printf("%s", options->json ? "" : "\n");
		print_addresses(options, &story->timeline,
				filter->has_address ? &filter->address : NULL);
	}
}

int
peers_command(const struct options *options, struct source *source)
{
	struct story story;
	bool is_known = false;

	story_make(&story, options, source, say_nothing, &is_known);
	int code = 0;
	if (!story_read(&story)) {
		code = source_failed(source);
	} else if (!is_known) {
		code = story_is_empty(&story);
	} else {
		print_tables(options, source, &story);
	}
	story_free(&story);
	return print_flush() ? code : 1;
}
