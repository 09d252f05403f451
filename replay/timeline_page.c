#include "replay/timeline.h"

#include <inttypes.h>

#include "replay/moment.h"
#include "replay/words.h"

enum { ROWS_PER_PIECE = 32 };

static void
page_totals(const struct timeline *t, struct paper *out)
{
	char shown[MOMENT_PRINT_MAX];
	char up[WORDS_BYTES_MAX];
	char down[WORDS_BYTES_MAX];

	paper_add(out, "\nIN ALL\n");
	paper_add(out, "  registrations   %" PRIu64 ", connected %s\n", t->registrations,
		  moment_print_span(shown, sizeof shown, timeline_connected_us(t)));
	paper_add(out, "  agents met      %u\n", t->met_count);
	paper_add(out, "  relays          %" PRIu64 ", %s up, %s down\n", t->allocations,
		  words_bytes(up, sizeof up, t->bytes_up),
		  words_bytes(down, sizeof down, t->bytes_down));
	paper_add(out, "  refusals        %" PRIu64 "\n", t->refusals);
	if (t->not_kept > 0 || t->who->is_overfull) {
		paper_add(out,
			  "  not kept        %" PRIu64 " rows: the tables below are not complete\n",
			  t->not_kept);
	}
}

static void
page_met(const struct timeline *t, uint32_t from, struct paper *out)
{
	char shown[MOMENT_PRINT_MAX];

	if (from == 0) {
		paper_add(out, "\n%-34s %-14s %-12s %-12s %s\n", "WHOM IT MET", "TOGETHER",
			  "OFFERS", "ANSWERS", "CANDIDATES  (sent/received; * still together)");
	}
	for (uint32_t i = from; i < t->met_count && i < from + ROWS_PER_PIECE; i++) {
		const struct timeline_met *met = &t->met[i];
		const uint64_t together = timeline_together_us(t, met);

		paper_add(out, "  ");
		timeline_add_name(t, out, &met->agent);
		paper_to_column(out, 35);
		paper_add(out, "%s%s", moment_print_span(shown, sizeof shown, together),
			  met->rooms > 0 ? " *" : "");
		paper_to_column(out, 50);
		paper_add(out, "%" PRIu64 "/%" PRIu64, met->offers_sent, met->offers_received);
		paper_to_column(out, 63);
		paper_add(out, "%" PRIu64 "/%" PRIu64, met->answers_sent, met->answers_received);
		paper_to_column(out, 76);
		paper_add(out, "%" PRIu64 "/%" PRIu64 "\n", met->candidates_sent,
			  met->candidates_received);
	}
}

static void
page_relays(const struct timeline *t, uint32_t from, struct paper *out)
{
	char shown[MOMENT_PRINT_MAX];
	char bytes[WORDS_BYTES_MAX];

	if (from == 0) {
		paper_add(out, "\n%-34s %-14s %-12s %-12s %s\n", "OVER WHICH RELAYS", "FOR", "UP",
			  "DOWN", "ENDED");
	}
	for (uint32_t i = from; i < t->relay_count && i < from + ROWS_PER_PIECE; i++) {
		const struct timeline_relay *relay = &t->relays[i];
		const uint64_t until = relay->end_reason == 0 ? t->last_us : relay->until_us;
		char address[ADDRESS_PRINT_MAX];

		address_print(address, sizeof address, &relay->relayed);
		paper_add(out, "  %s", address);
		if (relay->relayed_also.family != ADDRESS_NONE) {
			address_print(address, sizeof address, &relay->relayed_also);
			paper_add(out, "\n  %s", address);
		}
		paper_to_column(out, 35);
		paper_add(out, "%s",
			  moment_print_span(shown, sizeof shown,
					    until > relay->since_us ? until - relay->since_us : 0));
		paper_to_column(out, 50);
		paper_add(out, "%s", words_bytes(bytes, sizeof bytes, relay->bytes_up));
		paper_to_column(out, 63);
		paper_add(out, "%s", words_bytes(bytes, sizeof bytes, relay->bytes_down));
		paper_to_column(out, 76);
		paper_add(out, "%s\n",
			  relay->end_reason == 0 ? "not yet" : end_reason_name(relay->end_reason));
	}
}

static void
page_peers(const struct timeline *t, uint32_t from, struct paper *out)
{
	char bytes[WORDS_BYTES_MAX];

	if (from == 0) {
		paper_add(out, "\n%-34s %-14s %-12s %s\n", "WITH WHICH PEERS", "PERMISSIONS", "UP",
			  "DOWN");
	}
	for (uint32_t i = from; i < t->peer_count && i < from + ROWS_PER_PIECE; i++) {
		const struct timeline_peer *peer = &t->peers[i];
		char address[ADDRESS_PRINT_MAX];

		timeline_print_address(address, sizeof address, &peer->address);
		paper_add(out, "  %s", peer->address.family == ADDRESS_NONE ? "(sealed)" : address);
		paper_to_column(out, 35);
		paper_add(out, "%" PRIu64, peer->permissions);
		paper_to_column(out, 50);
		paper_add(out, "%s", words_bytes(bytes, sizeof bytes, peer->bytes_up));
		paper_to_column(out, 63);
		paper_add(out, "%s\n", words_bytes(bytes, sizeof bytes, peer->bytes_down));
	}
}

static uint32_t
pieces_of(uint32_t rows)
{
	return (rows + ROWS_PER_PIECE - 1) / ROWS_PER_PIECE;
}

bool
timeline_page(const struct timeline *t, uint32_t piece, struct paper *out)
{
	const struct {
		uint32_t rows;
		void (*page)(const struct timeline *t, uint32_t from, struct paper *out);
	} tables[] = { { t->met_count, page_met },
		       { t->relay_count, page_relays },
		       { t->peer_count, page_peers } };

	paper_clear(out);
	if (piece == 0) {
		page_totals(t, out);
		return true;
	}
	piece--;
	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
		if (piece < pieces_of(tables[i].rows)) {
			tables[i].page(t, piece * ROWS_PER_PIECE, out);
			return true;
		}
		piece -= pieces_of(tables[i].rows);
	}
	return false;
}

static json_t *
integer(uint64_t value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

static json_t *
name_or_handle(const struct timeline *t, const struct id *handle)
{
	struct paper paper;

	paper_clear(&paper);
	timeline_add_name(t, &paper, handle);
	return json_string(paper.text);
}

static json_t *
met_json(const struct timeline *t)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < t->met_count; i++) {
		const struct timeline_met *met = &t->met[i];
		json_array_append_new(
			array, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "agent",
					 name_or_handle(t, &met->agent), "together_us",
					 integer(timeline_together_us(t, met)), "offers_sent",
					 integer(met->offers_sent), "offers_received",
					 integer(met->offers_received), "answers_sent",
					 integer(met->answers_sent), "answers_received",
					 integer(met->answers_received), "candidates_sent",
					 integer(met->candidates_sent), "candidates_received",
					 integer(met->candidates_received)));
	}
	return array;
}

static json_t *
address_json(const struct address *address)
{
	char shown[ADDRESS_PRINT_MAX];

	timeline_print_address(shown, sizeof shown, address);
	return address->family == ADDRESS_NONE ? json_null() : json_string(shown);
}

static json_t *
relays_json(const struct timeline *t)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < t->relay_count; i++) {
		const struct timeline_relay *relay = &t->relays[i];
		const char *end =
			relay->end_reason == 0 ? NULL : end_reason_name(relay->end_reason);
		json_array_append_new(array,
				      json_pack("{s:o, s:o, s:o, s:o, s:o, s:s?}", "relayed",
						address_json(&relay->relayed), "relayed_also",
						address_json(&relay->relayed_also), "since_us",
						integer(relay->since_us), "bytes_up",
						integer(relay->bytes_up), "bytes_down",
						integer(relay->bytes_down), "ended", end));
	}
	return array;
}

static json_t *
peers_json(const struct timeline *t)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < t->peer_count; i++) {
		const struct timeline_peer *peer = &t->peers[i];
		json_array_append_new(array, json_pack("{s:o, s:o, s:o, s:o}", "peer",
						       address_json(&peer->address), "permissions",
						       integer(peer->permissions), "bytes_up",
						       integer(peer->bytes_up), "bytes_down",
						       integer(peer->bytes_down)));
	}
	return array;
}

json_t *
timeline_json(const struct timeline *t)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "registrations",
			 integer(t->registrations), "connected_us",
			 integer(timeline_connected_us(t)), "allocations", integer(t->allocations),
			 "bytes_up", integer(t->bytes_up), "bytes_down", integer(t->bytes_down),
			 "refusals", integer(t->refusals), "rows_not_kept", integer(t->not_kept),
			 "met", met_json(t), "relays", relays_json(t), "peers", peers_json(t));
}
