#include "replay/timeline.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/verdict.h"
#include "replay/moment.h"
#include "replay/words.h"

void
timeline_make(struct timeline *t, struct who *who, names_ask *name_of, void *names,
	      timeline_say *say, void *context)
{
	*t = (struct timeline){
		.who = who, .name_of = name_of, .names = names, .say = say, .context = context
	};
	idmap_make(&t->present_at, TIMELINE_PRESENT_MAX);
	idmap_make(&t->met_at, TIMELINE_MET_MAX);
	idmap_make(&t->relay_at, TIMELINE_RELAYS_MAX);
	t->present = calloc(TIMELINE_PRESENT_MAX, sizeof t->present[0]);
	t->across = calloc(TIMELINE_PRESENT_MAX, sizeof t->across[0]);
	t->met = calloc(TIMELINE_MET_MAX, sizeof t->met[0]);
	t->peers = calloc(TIMELINE_PEERS_MAX, sizeof t->peers[0]);
	t->relays = calloc(TIMELINE_RELAYS_MAX, sizeof t->relays[0]);
	assert(t->present != NULL && t->across != NULL && t->met != NULL);
	assert(t->peers != NULL && t->relays != NULL);
}

void
timeline_free(struct timeline *t)
{
	idmap_free(&t->present_at);
	idmap_free(&t->met_at);
	idmap_free(&t->relay_at);
	free(t->present);
	free(t->across);
	free(t->met);
	free(t->peers);
	free(t->relays);
}

void
timeline_add_name(const struct timeline *t, struct paper *paper, const struct id *handle)
{
	const struct name *name = t->name_of == NULL ? NULL : t->name_of(t->names, handle);
	char hex[2 * sizeof handle->bytes + 1];

	if (name != NULL) {
		paper_add_escaped(paper, name->bytes, name->length);
		return;
	}
	hex_write(hex, handle->bytes, sizeof handle->bytes);
	paper_add(paper, "%s", hex);
}

void
timeline_tell(struct timeline *t, const struct entry *entry, const char *kind,
	      const struct paper *paper)
{
	if (!t->is_quiet) {
		t->say(t->context, entry->seq, entry->recorded_us, kind, paper->text);
	}
}

struct timeline_met *
timeline_met_of(struct timeline *t, const struct id *agent)
{
	const uint32_t *place = idmap_find(&t->met_at, agent);

	if (place != NULL) {
		return &t->met[*place];
	}
	if (t->met_count == TIMELINE_MET_MAX) {
		t->not_kept++;
		return NULL;
	}
	t->met[t->met_count].agent = *agent;
	idmap_put(&t->met_at, agent, t->met_count);
	return &t->met[t->met_count++];
}

/* --- signals --- */

struct signal {
	const struct id *from, *to;
	uint64_t bytes;
	enum signal_sort { OFFER, ANSWER, CANDIDATE } sort;
};

static bool
signal_of(const struct event *event, struct signal *out)
{
	if (event->type == EVENT_SDP_OFFER_RELAYED) {
		*out = (struct signal){ &event->sdp_offer_relayed.from,
					&event->sdp_offer_relayed.to,
					event->sdp_offer_relayed.bytes, OFFER };
		return true;
	}
	if (event->type == EVENT_SDP_ANSWER_RELAYED) {
		*out = (struct signal){ &event->sdp_answer_relayed.from,
					&event->sdp_answer_relayed.to,
					event->sdp_answer_relayed.bytes, ANSWER };
		return true;
	}
	if (event->type == EVENT_ICE_CANDIDATE_RELAYED) {
		*out = (struct signal){ &event->ice_candidate_relayed.from,
					&event->ice_candidate_relayed.to,
					event->ice_candidate_relayed.bytes, CANDIDATE };
		return true;
	}
	return false;
}

static void
count_signal(struct timeline_met *met, enum signal_sort sort, bool is_sent)
{
	uint64_t *counters[3][2] = {
		[OFFER] = { &met->offers_received, &met->offers_sent },
		[ANSWER] = { &met->answers_received, &met->answers_sent },
		[CANDIDATE] = { &met->candidates_received, &met->candidates_sent },
	};

	(*counters[sort][is_sent])++;
}

static void
signaled(struct timeline *t, const struct entry *entry, const struct signal *signal)
{
	static const char *const words[] = { "an offer", "an answer", "a candidate" };
	static const char *const kinds[] = { "offer", "answer", "candidate" };
	const bool is_sent = who_is_handle(t->who, signal->from);
	const struct id *other = is_sent ? signal->to : signal->from;
	struct timeline_met *met = timeline_met_of(t, other);
	struct paper paper;

	if (met != NULL && !t->is_quiet) {
		count_signal(met, signal->sort, is_sent);
	}
	paper_clear(&paper);
	if (is_sent) {
		paper_add(&paper, "sent %s to ", words[signal->sort]);
		timeline_add_name(t, &paper, other);
	} else {
		timeline_add_name(t, &paper, other);
		paper_add(&paper, " sent it %s", words[signal->sort]);
	}
	paper_add(&paper, " (%" PRIu64 " bytes)", signal->bytes);
	timeline_tell(t, entry, kinds[signal->sort], &paper);
}

/* --- relays --- */

void
timeline_print_address(char *out, size_t size, const struct address *address)
{
	address_print(out, size, address);
	char *colon = strrchr(out, ':');
	if (address->port == 0 && colon != NULL && address->family != ADDRESS_NONE) {
		*colon = '\0';
	}
}

static void
add_address(struct paper *paper, const struct address *address)
{
	char shown[ADDRESS_PRINT_MAX];

	timeline_print_address(shown, sizeof shown, address);
	paper_add(paper, "%s", address->family == ADDRESS_NONE ? "a sealed address" : shown);
}

static void
add_volume(struct paper *paper, uint64_t up, uint64_t down)
{
	char one[WORDS_BYTES_MAX];
	char other[WORDS_BYTES_MAX];

	paper_add(paper, "%s up, %s down", words_bytes(one, sizeof one, up),
		  words_bytes(other, sizeof other, down));
}

/* Adds saturating: a forged log may say anything. */
static void
add_bytes(uint64_t *sum, uint64_t more)
{
	*sum = *sum > UINT64_MAX - more ? UINT64_MAX : *sum + more;
}

static struct timeline_peer *
peer_of(struct timeline *t, const struct address *address)
{
	for (uint32_t i = 0; i < t->peer_count; i++) {
		const struct address *known = &t->peers[i].address;
		if (known->family == address->family && known->port == address->port &&
		    memcmp(known->bytes, address->bytes, sizeof known->bytes) == 0) {
			return &t->peers[i];
		}
	}
	if (t->peer_count == TIMELINE_PEERS_MAX) {
		t->not_kept++;
		return NULL;
	}
	t->peers[t->peer_count].address = *address;
	return &t->peers[t->peer_count++];
}

static struct timeline_relay *
relay_of(struct timeline *t, const struct id *allocation)
{
	const uint32_t *place = idmap_find(&t->relay_at, allocation);

	return place == NULL ? NULL : &t->relays[*place];
}

static void
allocated(struct timeline *t, const struct entry *entry,
	  const struct event_turn_allocation_created *e)
{
	struct paper paper;

	t->allocations += !t->is_quiet;
	if (t->relay_count < TIMELINE_RELAYS_MAX) {
		idmap_put(&t->relay_at, &e->allocation, t->relay_count);
		t->relays[t->relay_count++] =
			(struct timeline_relay){ .allocation = e->allocation,
						 .relayed = e->relayed,
						 .relayed_also = e->relayed_also,
						 .since_us = t->last_us };
	} else {
		t->not_kept++;
	}
	paper_clear(&paper);
	paper_add(&paper, "was given the relay ");
	add_address(&paper, &e->relayed);
	if (e->relayed_also.family != ADDRESS_NONE) {
		paper_add(&paper, " and ");
		add_address(&paper, &e->relayed_also);
	}
	paper_add(&paper, " (relay %" PRIu64 "), called from ", e->relay);
	add_address(&paper, &e->client);
	if (e->user_name.length > 0) {
		paper_add(&paper, " as ");
		paper_add_escaped(&paper, e->user_name.bytes, e->user_name.length);
	}
	timeline_tell(t, entry, "allocated", &paper);
}

static void
permitted(struct timeline *t, const struct entry *entry, const struct address *peer,
	  uint64_t channel)
{
	struct timeline_peer *row = peer_of(t, peer);
	struct paper paper;

	if (row != NULL && !t->is_quiet) {
		row->permissions++;
	}
	paper_clear(&paper);
	if (channel == 0) {
		paper_add(&paper, "may exchange packets with ");
	} else {
		paper_add(&paper, "bound channel 0x%04" PRIX64 " to ", channel);
	}
	add_address(&paper, peer);
	timeline_tell(t, entry, channel == 0 ? "permission" : "channel", &paper);
}

static void
connected(struct timeline *t, const struct entry *entry,
	  const struct event_turn_connection_opened *e)
{
	struct paper paper;

	peer_of(t, &e->peer);
	paper_clear(&paper);
	paper_add(&paper,
		  e->attempted == 0 ? "connected over TCP to " : "was connected to over TCP by ");
	add_address(&paper, &e->peer);
	timeline_tell(t, entry, "connection", &paper);
}

static void
used(struct timeline *t, const struct entry *entry, const struct event_turn_relay_usage *e)
{
	struct timeline_peer *peer = peer_of(t, &e->peer);
	struct timeline_relay *relay = relay_of(t, &e->allocation);
	struct paper paper;

	if (t->is_quiet) {
		return;
	}
	if (peer != NULL) {
		add_bytes(&peer->bytes_up, e->bytes_up);
		add_bytes(&peer->bytes_down, e->bytes_down);
	}
	if (relay != NULL) {
		add_bytes(&relay->bytes_up, e->bytes_up);
		add_bytes(&relay->bytes_down, e->bytes_down);
	}
	add_bytes(&t->bytes_up, e->bytes_up);
	add_bytes(&t->bytes_down, e->bytes_down);
	paper_clear(&paper);
	paper_add(&paper, "relayed ");
	add_volume(&paper, e->bytes_up, e->bytes_down);
	paper_add(&paper, " with ");
	add_address(&paper, &e->peer);
	timeline_tell(t, entry, "usage", &paper);
}

static void
moved(struct timeline *t, const struct entry *entry, const struct event_turn_allocation_moved *e)
{
	struct paper paper;

	paper_clear(&paper);
	paper_add(&paper, "took its relay along from ");
	add_address(&paper, &e->client_before);
	paper_add(&paper, " to ");
	add_address(&paper, &e->client);
	timeline_tell(t, entry, "moved", &paper);
}

static void
gave_up(struct timeline *t, const struct entry *entry, const struct address *relayed)
{
	struct paper paper;

	paper_clear(&paper);
	paper_add(&paper, "gave up the relay ");
	add_address(&paper, relayed);
	paper_add(&paper, ", and kept the other");
	timeline_tell(t, entry, "released", &paper);
}

static void
ended(struct timeline *t, const struct entry *entry, const struct event_turn_allocation_ended *e)
{
	struct timeline_relay *relay = relay_of(t, &e->allocation);
	struct paper paper;

	paper_clear(&paper);
	paper_add(&paper, "its relay ");
	if (relay != NULL) {
		relay->end_reason = e->reason == 0 ? UINT64_MAX : e->reason;
		relay->until_us = t->last_us;
		add_address(&paper, &relay->relayed);
	}
	paper_add(&paper, " ended (%s); in all ", end_reason_name(e->reason));
	add_volume(&paper, e->bytes_up, e->bytes_down);
	paper_add(&paper, e->never_used != 0 ? "; never used" : "");
	timeline_tell(t, entry, "ended", &paper);
}

/* --- refusals --- */

static void
refused(struct timeline *t, const struct entry *entry, uint64_t number, uint64_t count,
	const struct address *source, const struct address *peer)
{
	enum verdict verdict = ACCEPTED;
	struct paper paper;

	if (t->is_quiet) {
		return;
	}
	add_bytes(&t->refusals, count);
	paper_clear(&paper);
	paper_add(&paper, "was refused %" PRIu64 " times: ", count);
	if (verdict_from_number(number, &verdict)) {
		paper_add(&paper, "%s (%s)", verdict_name(verdict), verdict_text(verdict));
	} else {
		paper_add(&paper, "verdict %" PRIu64, number);
	}
	paper_add(&paper, ", from ");
	add_address(&paper, source);
	if (peer->family != ADDRESS_NONE) {
		paper_add(&paper, ", for the peer ");
		add_address(&paper, peer);
	}
	timeline_tell(t, entry, "refused", &paper);
}

/* An operator ended it: who bears the name from here on is another. */
static void
forgotten(struct timeline *t, const struct entry *entry, const char *what)
{
	struct paper paper;

	paper_clear(&paper);
	paper_add(&paper, "%s is forgotten: under this name another life begins", what);
	timeline_tell(t, entry, "forgotten", &paper);
}

static void
credentials(struct timeline *t, const struct entry *entry, const char *what, const char *now)
{
	struct paper paper;

	paper_clear(&paper);
	paper_add(&paper, "the agent's TURN credentials are %s", now);
	timeline_tell(t, entry, what, &paper);
}

static void
told_of_relay(struct timeline *t, const struct entry *entry, const struct event *event)
{
	static const struct address nowhere;

	switch ((unsigned)event->type) {
	case EVENT_TURN_ALLOCATION_CREATED:
		allocated(t, entry, &event->turn_allocation_created);
		break;
	case EVENT_TURN_PERMISSION_INSTALLED:
		permitted(t, entry, &event->turn_permission_installed.peer, 0);
		break;
	case EVENT_TURN_CHANNEL_BOUND:
		permitted(t, entry, &event->turn_channel_bound.peer,
			  event->turn_channel_bound.channel);
		break;
	case EVENT_TURN_CONNECTION_OPENED:
		connected(t, entry, &event->turn_connection_opened);
		break;
	case EVENT_TURN_RELAY_USAGE:
		used(t, entry, &event->turn_relay_usage);
		break;
	case EVENT_TURN_ALLOCATION_MOVED:
		moved(t, entry, &event->turn_allocation_moved);
		break;
	case EVENT_TURN_ADDRESS_RELEASED:
		gave_up(t, entry, &event->turn_address_released.relayed);
		break;
	case EVENT_TURN_ALLOCATION_ENDED:
		ended(t, entry, &event->turn_allocation_ended);
		break;
	case EVENT_TURN_REQUEST_REFUSED:
		refused(t, entry, event->turn_request_refused.verdict,
			event->turn_request_refused.count, &event->turn_request_refused.source,
			&event->turn_request_refused.peer);
		break;
	case EVENT_SIGNALING_REQUEST_REFUSED:
		refused(t, entry, event->signaling_request_refused.verdict,
			event->signaling_request_refused.count,
			&event->signaling_request_refused.source, &nowhere);
		break;
	case EVENT_SUBJECT_FORGOTTEN:
		forgotten(t, entry, "the agent");
		break;
	case EVENT_USER_FORGOTTEN:
		forgotten(t, entry, "the TURN user");
		break;
	case EVENT_TURN_AGENT_REVOKED:
		credentials(t, entry, "revoked", "taken back: they are refused from here on");
		break;
	case EVENT_TURN_AGENT_RESTORED:
		credentials(t, entry, "restored", "good again");
		break;
	}
}

void
timeline_feed(struct timeline *t, const struct entry *entry, const struct event *event)
{
	const bool is_theirs = who_concerns_agent(t->who, event);
	struct signal signal;

	t->last_us = entry->recorded_us;
	timeline_presence(t, entry, event);
	if (!is_theirs) {
		return;
	}
	if (signal_of(event, &signal)) {
		signaled(t, entry, &signal);
		return;
	}
	told_of_relay(t, entry, event);
}
