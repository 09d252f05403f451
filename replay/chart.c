#include "replay/chart.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "replay/stays.h"
#include "store/sha256.h"

void
chart_make(struct chart *chart, const struct filter *filter, names_ask *name_of, void *names)
{
	memset(chart, 0, sizeof *chart);
	chart->filter = filter;
	chart->name_of = name_of;
	chart->names = names;
	chart->bucket_us = 1;
	idmap_make(&chart->party_of_handle, CHART_HANDLES_MAX);
	idmap_make(&chart->party_of_key, CHART_PARTIES_MAX);
	idmap_make(&chart->pair_at, CHART_LANES_MAX);
	idmap_make(&chart->present, CHART_PRESENT_MAX);
	idmap_make(&chart->allocations, ALLOCATIONS_MAX);
	chart->parties = calloc(CHART_PARTIES_MAX, sizeof chart->parties[0]);
	chart->lanes = calloc(CHART_LANES_MAX, sizeof chart->lanes[0]);
	assert(chart->parties != NULL && chart->lanes != NULL);
}

void
chart_free(struct chart *chart)
{
	idmap_free(&chart->party_of_handle);
	idmap_free(&chart->party_of_key);
	idmap_free(&chart->pair_at);
	idmap_free(&chart->present);
	idmap_free(&chart->allocations);
	free(chart->parties);
	free(chart->lanes);
}

/* Saturating: a forged log may say anything. */
static void
add(uint64_t *sum, uint64_t more)
{
	*sum = *sum > UINT64_MAX - more ? UINT64_MAX : *sum + more;
}

/* --- the axis --- */

static enum chart_level
mark_of(const struct chart_lane *lane, uint32_t bucket)
{
	return (enum chart_level)(lane->marks[bucket / 4] >> (2 * (bucket % 4)) & 3);
}

static void
set_mark(struct chart_lane *lane, uint32_t bucket, enum chart_level level)
{
	if (mark_of(lane, bucket) < level) {
		const unsigned shift = 2 * (bucket % 4);
		lane->marks[bucket / 4] &= (uint8_t) ~(3u << shift);
		lane->marks[bucket / 4] |= (uint8_t)((unsigned)level << shift);
	}
}

/* Two buckets become one, and the second half of them is free. */
static void
fold(struct chart_lane *lane)
{
	struct chart_lane wide = *lane;

	memset(lane->marks, 0, sizeof lane->marks);
	for (uint32_t i = 0; i < CHART_BUCKETS; i++) {
		set_mark(lane, i / 2, mark_of(&wide, i));
	}
}

static uint32_t
bucket_at(struct chart *chart, uint64_t us)
{
	const uint64_t past = us > chart->begin_us ? us - chart->begin_us : 0;

	while (past / chart->bucket_us >= CHART_BUCKETS) {
		for (uint32_t i = 0; i < chart->lane_count; i++) {
			fold(&chart->lanes[i]);
		}
		chart->bucket_us *= 2;
	}
	return (uint32_t)(past / chart->bucket_us);
}

/* From then until now it was so; of what was before the range its part within. */
static void
mark(struct chart *chart, struct chart_lane *lane, uint64_t since_us, enum chart_level level)
{
	const uint64_t from = since_us > chart->begin_us ? since_us : chart->begin_us;

	if (!chart->has_begun || from > chart->now_us) {
		return;
	}
	const uint32_t last = bucket_at(chart, chart->now_us);
	for (uint32_t i = bucket_at(chart, from); i <= last; i++) {
		set_mark(lane, i, level);
	}
	lane->from_us = lane->is_drawn ? lane->from_us : from;
	lane->to_us = chart->now_us;
	lane->is_drawn = true;
}

enum chart_level
chart_level_at(const struct chart *chart, const struct chart_lane *lane, unsigned column,
	       unsigned columns)
{
	const uint64_t used = (chart->end_us - chart->begin_us) / chart->bucket_us + 1;
	const uint64_t first = column * used / columns;
	const uint64_t behind = ((column + 1) * used + columns - 1) / columns;
	enum chart_level level = CHART_NOTHING;

	assert(columns > 0 && column < columns && used <= CHART_BUCKETS);
	for (uint64_t i = first; i < behind; i++) {
		const enum chart_level here = mark_of(lane, (uint32_t)i);
		level = here > level ? here : level;
	}
	return level;
}

/* --- parties and lanes --- */

static struct id
key_of(const struct id *handle, const struct name *name)
{
	struct digest digest;
	struct id key;

	if (name->length == 0) {
		return *handle;
	}
	sha256_span((struct span){ (const uint8_t *)name->bytes, name->length }, &digest);
	memcpy(key.bytes, digest.bytes, sizeof key.bytes);
	return key;
}

static uint32_t
add_party(struct chart *chart, const struct id *handle, const struct name *name)
{
	const struct id key = key_of(handle, name);
	const uint32_t *known = idmap_find(&chart->party_of_key, &key);

	if (known != NULL) {
		return *known;
	}
	if (chart->party_count == CHART_PARTIES_MAX) {
		chart->not_kept++;
		return CHART_NONE;
	}
	idmap_put(&chart->party_of_key, &key, chart->party_count);
	chart->parties[chart->party_count] = (struct chart_party){
		*name, *handle, CHART_NONE, CHART_NONE, CHART_NONE,
	};
	return chart->party_count++;
}

/* The party of a handle; `said` is the name beside it in the event, if there is one. */
static uint32_t
party_of(struct chart *chart, const struct id *handle, const struct name *said)
{
	static const struct name nameless;
	const uint32_t *known = idmap_find(&chart->party_of_handle, handle);

	if (known != NULL) {
		return *known;
	}
	if (said == NULL || said->length == 0) {
		said = chart->name_of(chart->names, handle);
	}
	const uint32_t party = add_party(chart, handle, said == NULL ? &nameless : said);
	if (party != CHART_NONE && !idmap_put(&chart->party_of_handle, handle, party)) {
		chart->not_kept++;
	}
	return party;
}

static bool
is_one_of(const struct who *who, const struct id *handle)
{
	return who->is_any || who_is_handle(who, handle);
}

/* With two names each of them alone, too: when it was there, and its relays. */
static bool
is_asked_about(const struct chart *chart, const struct id *handle)
{
	const struct who *agent = &chart->filter->agent, *peer = &chart->filter->peer;

	return (agent->is_any && peer->is_any) ||
	       (!agent->is_any && who_is_handle(agent, handle)) ||
	       (!peer->is_any && who_is_handle(peer, handle));
}

static bool
is_pair_asked_about(const struct chart *chart, const struct id *one, const struct id *other)
{
	const struct who *agent = &chart->filter->agent, *peer = &chart->filter->peer;

	return (is_one_of(agent, one) && is_one_of(peer, other)) ||
	       (is_one_of(agent, other) && is_one_of(peer, one));
}

static uint32_t
add_lane(struct chart *chart, enum chart_kind kind, uint32_t one, uint32_t other, uint64_t seq)
{
	if (chart->lane_count == CHART_LANES_MAX) {
		chart->not_kept++;
		return CHART_NONE;
	}
	chart->lanes[chart->lane_count] = (struct chart_lane){
		.kind = kind,
		.party = { one, other },
		.next = { CHART_NONE, CHART_NONE },
		.seq = seq,
	};
	return chart->lane_count++;
}

/* NULL if there is no room. */
static struct chart_lane *
lane_of(struct chart *chart, enum chart_kind kind, uint32_t party, uint64_t seq)
{
	struct chart_party *one = &chart->parties[party];
	uint32_t *place = kind == CHART_THERE ? &one->there : &one->relay;

	assert(kind != CHART_CONNECTED);
	if (*place == CHART_NONE) {
		*place = add_lane(chart, kind, party, CHART_NONE, seq);
	}
	return *place == CHART_NONE ? NULL : &chart->lanes[*place];
}

static uint32_t
link_pair(struct chart *chart, uint32_t a, uint32_t b, uint64_t seq)
{
	const uint32_t place = add_lane(chart, CHART_CONNECTED, a, b, seq);

	if (place != CHART_NONE) {
		chart->lanes[place].next[0] = chart->parties[a].pairs;
		chart->lanes[place].next[1] = chart->parties[b].pairs;
		chart->parties[a].pairs = chart->parties[b].pairs = place;
	}
	return place;
}

static struct chart_lane *
pair_of(struct chart *chart, uint32_t a, uint32_t b, uint64_t seq)
{
	const uint32_t low = a < b ? a : b, high = a < b ? b : a;
	struct id key = { { 0 } };

	memcpy(key.bytes, &low, sizeof low);
	memcpy(key.bytes + sizeof low, &high, sizeof high);
	const uint32_t *known = idmap_find(&chart->pair_at, &key);
	if (known != NULL) {
		return &chart->lanes[*known];
	}
	const uint32_t place = link_pair(chart, a, b, seq);
	if (place != CHART_NONE) {
		idmap_put(&chart->pair_at, &key, place);
	}
	return place == CHART_NONE ? NULL : &chart->lanes[place];
}

/* --- what a lane goes through --- */

/* Where a beginning was asked for, what lasts already is drawn from there on. */
static void
begin(struct chart *chart)
{
	if (!chart->is_quiet && !chart->has_begun) {
		chart->has_begun = true;
		chart->begin_us = chart->from_us > 0 ? chart->from_us : chart->now_us;
	}
}

/* What the lane was until now is drawn; pairs that only waited for an answer are in no sum. */
static void
settle(struct chart *chart, struct chart_lane *lane)
{
	const uint64_t since = lane->since_us > chart->begin_us ? lane->since_us : chart->begin_us;
	const bool counts = lane->kind != CHART_CONNECTED || lane->level == CHART_FULL;

	if (lane->level != CHART_NOTHING) {
		mark(chart, lane, lane->since_us, lane->level);
		if (chart->has_begun && counts && chart->now_us > since) {
			add(&lane->span_us, chart->now_us - since);
		}
	}
	lane->since_us = chart->now_us;
}

static void
become(struct chart *chart, struct chart_lane *lane, enum chart_level level)
{
	begin(chart);
	settle(chart, lane);
	lane->level = level;
}

static void
open(struct chart *chart, struct chart_lane *lane)
{
	if (lane->open++ == 0) {
		become(chart, lane, lane->kind == CHART_THERE ? CHART_FULL : CHART_FAINT);
		lane->times += !chart->is_quiet;
	}
}

static void
shut(struct chart *chart, struct chart_lane *lane)
{
	if (lane->open > 0 && --lane->open == 0) {
		become(chart, lane, CHART_NOTHING);
	}
}

static void
part(struct chart *chart, uint32_t party, const struct id *room)
{
	for (uint32_t i = chart->parties[party].pairs; i != CHART_NONE;) {
		struct chart_lane *pair = &chart->lanes[i];

		if (pair->level != CHART_NOTHING && id_equal(&pair->room, room)) {
			become(chart, pair, CHART_NOTHING);
		}
		i = pair->next[pair->party[0] == party ? 0 : 1];
	}
}

/* --- events --- */

static void
leave(struct chart *chart, const struct id *agent, const struct id *room)
{
	const struct id key = stays_key(agent, room);
	const uint32_t *present = idmap_find(&chart->present, &key);
	const uint32_t *known = idmap_find(&chart->party_of_handle, agent);

	if (known != NULL) {
		part(chart, *known, room);
	}
	if (present != NULL) {
		const uint32_t there = chart->parties[*present].there;
		idmap_remove(&chart->present, &key);
		shut(chart, &chart->lanes[there]);
	}
}

static void
registered(struct chart *chart, const struct event_agent_registered *e, uint64_t seq)
{
	const struct id key = stays_key(&e->agent, &e->room);
	struct chart_lane *lane = NULL;

	leave(chart, &e->agent, &e->room); /* a second registration replaces the first */
	if (!is_asked_about(chart, &e->agent)) {
		return;
	}
	const uint32_t party = party_of(chart, &e->agent, &e->agent_name);
	if (party != CHART_NONE) {
		lane = lane_of(chart, CHART_THERE, party, seq);
	}
	if (lane == NULL || !idmap_put(&chart->present, &key, party)) {
		chart->not_kept++;
		return;
	}
	open(chart, lane);
}

static void
count_signal(struct chart_lane *pair, enum event_type type)
{
	pair->offers += type == EVENT_SDP_OFFER_RELAYED;
	pair->answers += type == EVENT_SDP_ANSWER_RELAYED;
	pair->candidates += type == EVENT_ICE_CANDIDATE_RELAYED;
}

static void
signaled(struct chart *chart, const struct event *event, uint64_t seq)
{
	/* The three kinds of signals have the same fields. */
	const struct event_sdp_offer_relayed *e = &event->sdp_offer_relayed;

	if (!is_pair_asked_about(chart, &e->from, &e->to)) {
		return;
	}
	const uint32_t from = party_of(chart, &e->from, NULL);
	const uint32_t to = party_of(chart, &e->to, NULL);
	struct chart_lane *pair = from == CHART_NONE || to == CHART_NONE || from == to
					  ? NULL
					  : pair_of(chart, from, to, seq);
	if (pair == NULL) {
		return;
	}
	if (chart->follows != NULL) {
		chart->follows(chart->context, &e->from);
		chart->follows(chart->context, &e->to);
	}
	if (!chart->is_quiet) {
		count_signal(pair, event->type);
	}
	if (event->type == EVENT_SDP_OFFER_RELAYED && pair->level == CHART_NOTHING) {
		pair->room = e->room;
		become(chart, pair, CHART_FAINT);
	} else if (event->type == EVENT_SDP_ANSWER_RELAYED && pair->level != CHART_FULL) {
		pair->room = e->room;
		become(chart, pair, CHART_FULL);
		pair->times += !chart->is_quiet;
	}
}

static void
allocated(struct chart *chart, const struct event_turn_allocation_created *e, uint64_t seq)
{
	const struct name name = who_agent_of_user(&e->user_name);
	struct chart_lane *lane = NULL;

	if (!is_asked_about(chart, &e->user) ||
	    idmap_find(&chart->allocations, &e->allocation) != NULL) {
		return;
	}
	const uint32_t party = party_of(chart, &e->user, &name);
	if (party != CHART_NONE) {
		lane = lane_of(chart, CHART_RELAY, party, seq);
	}
	if (lane == NULL || !idmap_put(&chart->allocations, &e->allocation, party)) {
		chart->not_kept++;
		return;
	}
	open(chart, lane);
}

/* Measured: since it was measured last, or since there is a relay. */
static void
used(struct chart *chart, const struct event_turn_relay_usage *e, uint64_t seq)
{
	const uint32_t party =
		is_asked_about(chart, &e->user) ? party_of(chart, &e->user, NULL) : CHART_NONE;
	struct chart_lane *lane =
		party == CHART_NONE ? NULL : lane_of(chart, CHART_RELAY, party, seq);

	if (lane == NULL || chart->is_quiet) {
		return;
	}
	begin(chart);
	mark(chart, lane, lane->open > 0 ? lane->since_us : chart->now_us, CHART_FULL);
	settle(chart, lane);
	add(&lane->bytes_up, e->bytes_up);
	add(&lane->bytes_down, e->bytes_down);
}

static void
ended(struct chart *chart, const struct id *allocation)
{
	const uint32_t *party = idmap_find(&chart->allocations, allocation);

	if (party != NULL) {
		const uint32_t relay = chart->parties[*party].relay;
		idmap_remove(&chart->allocations, allocation);
		shut(chart, &chart->lanes[relay]);
	}
}

/* --- the whole --- */

void
chart_feed(struct chart *chart, const struct entry *entry, const struct event *event)
{
	chart->now_us = entry->recorded_us > chart->now_us ? entry->recorded_us : chart->now_us;
	switch ((unsigned)event->type) {
	case EVENT_AGENT_REGISTERED:
		registered(chart, &event->agent_registered, entry->seq);
		break;
	case EVENT_AGENT_DISCONNECTED:
		leave(chart, &event->agent_disconnected.agent, &event->agent_disconnected.room);
		break;
	case EVENT_SDP_OFFER_RELAYED:
	case EVENT_SDP_ANSWER_RELAYED:
	case EVENT_ICE_CANDIDATE_RELAYED:
		signaled(chart, event, entry->seq);
		break;
	case EVENT_TURN_ALLOCATION_CREATED:
		allocated(chart, &event->turn_allocation_created, entry->seq);
		break;
	case EVENT_TURN_RELAY_USAGE:
		used(chart, &event->turn_relay_usage, entry->seq);
		break;
	case EVENT_TURN_ALLOCATION_ENDED:
		ended(chart, &event->turn_allocation_ended.allocation);
		break;
	}
}

void
chart_close(struct chart *chart, uint64_t end_us)
{
	chart->now_us = end_us > chart->now_us ? end_us : chart->now_us;
	chart->is_quiet = false;
	for (uint32_t i = 0; i < chart->lane_count; i++) {
		if (chart->lanes[i].level != CHART_NOTHING) {
			begin(chart);
			settle(chart, &chart->lanes[i]);
		}
	}
	chart->end_us = chart->begin_us;
	for (uint32_t i = 0; i < chart->lane_count; i++) {
		const struct chart_lane *lane = &chart->lanes[i];
		const bool is_last = lane->is_drawn && lane->to_us > chart->end_us;
		chart->end_us = is_last ? lane->to_us : chart->end_us;
	}
}
