#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "replay/report_state.h"
#include "replay/who.h"
#include "store/sha256.h"

void
report_people_make(struct report *r)
{
	idmap_make(&r->agent_of_handle, REPORT_HANDLES_MAX);
	idmap_make(&r->agent_of_key, REPORT_AGENTS_MAX);
	idmap_make(&r->present_at, REPORT_PRESENT_MAX);
	idmap_make(&r->room_first, REPORT_PRESENT_MAX);
	idmap_make(&r->rooms_seen, REPORT_ROOMS_MAX);
	idmap_make(&r->pair_at, REPORT_PAIRS_MAX);
	r->agents = calloc(REPORT_AGENTS_MAX, sizeof r->agents[0]);
	r->present = calloc(REPORT_PRESENT_MAX, sizeof r->present[0]);
	r->pairs = calloc(REPORT_PAIRS_MAX, sizeof r->pairs[0]);
	assert(r->agents != NULL && r->present != NULL && r->pairs != NULL);
	for (uint32_t i = 0; i < REPORT_PRESENT_MAX; i++) {
		r->present[i].next = i + 1 < REPORT_PRESENT_MAX ? i + 1 : REPORT_NONE;
	}
}

void
report_people_free(struct report *r)
{
	idmap_free(&r->agent_of_handle);
	idmap_free(&r->agent_of_key);
	idmap_free(&r->present_at);
	idmap_free(&r->room_first);
	idmap_free(&r->rooms_seen);
	idmap_free(&r->pair_at);
	free(r->agents);
	free(r->present);
	free(r->pairs);
}

/* --- agents --- */

/* One name is one agent, whatever its handles; without a name each handle is one. */
static struct id
key_of_agent(const struct id *handle, const struct name *name)
{
	struct id key = *handle;
	struct digest digest;

	if (name->length > 0) {
		sha256_span((struct span){ (const uint8_t *)name->bytes, name->length }, &digest);
		memcpy(key.bytes, digest.bytes, sizeof key.bytes);
	}
	return key;
}

static uint32_t
add_agent(struct report *r, const struct id *handle, const struct name *name)
{
	const struct id key = key_of_agent(handle, name);
	const uint32_t *known = idmap_find(&r->agent_of_key, &key);

	if (known != NULL) {
		return *known;
	}
	if (r->agent_count == REPORT_AGENTS_MAX) {
		r->agents_not_kept++;
		return REPORT_NONE;
	}
	r->agents[r->agent_count].name = *name;
	r->agents[r->agent_count].handle = *handle;
	idmap_put(&r->agent_of_key, &key, r->agent_count);
	return r->agent_count++;
}

/* `name`: as the event says it, NULL where it does not. REPORT_NONE if there is no room for more.
 */
static uint32_t
agent_of(struct report *r, const struct id *handle, const struct name *name)
{
	const uint32_t *known = idmap_find(&r->agent_of_handle, handle);
	struct name said = { 0 };

	if (known != NULL) {
		return *known;
	}
	if (name != NULL && name->length > 0) {
		said = who_agent_of_user(name);
	} else if (r->scope.name_of != NULL) {
		const struct name *before = r->scope.name_of(r->scope.names, handle);
		said = before != NULL ? *before : said;
	}
	const uint32_t agent = add_agent(r, handle, &said);
	if (agent != REPORT_NONE) {
		idmap_put(&r->agent_of_handle, handle, agent);
	}
	return agent;
}

static struct report_agent *
took_part(struct report *r, uint32_t agent)
{
	if (agent == REPORT_NONE) {
		return NULL;
	}
	r->agents[agent].events++;
	return &r->agents[agent];
}

/* --- pairs --- */

static struct id
key_of_pair(uint32_t a, uint32_t b)
{
	struct id key = { { 'p' } };

	memcpy(key.bytes + 4, &a, sizeof a);
	memcpy(key.bytes + 8, &b, sizeof b);
	return key;
}

const struct report_pair *
report_pair_of(const struct report *r, uint32_t one, uint32_t other)
{
	const struct id key = one < other ? key_of_pair(one, other) : key_of_pair(other, one);
	const uint32_t *place = idmap_find(&r->pair_at, &key);

	return place == NULL ? NULL : &r->pairs[*place];
}

/* NULL for one agent with itself, and when there is no room. */
static struct report_pair *
pair_of(struct report *r, uint32_t one, uint32_t other)
{
	const uint32_t a = one < other ? one : other, b = one < other ? other : one;

	if (a == b || b == REPORT_NONE) {
		return NULL;
	}
	const struct id key = key_of_pair(a, b);
	const uint32_t *place = idmap_find(&r->pair_at, &key);
	if (place != NULL) {
		return &r->pairs[*place];
	}
	if (r->pair_count == REPORT_PAIRS_MAX) {
		r->pairs_not_kept++;
		return NULL;
	}
	idmap_put(&r->pair_at, &key, r->pair_count);
	r->pairs[r->pair_count] = (struct report_pair){ .a = a, .b = b };
	return &r->pairs[r->pair_count++];
}

static void
meet(struct report *r, uint32_t one, uint32_t other)
{
	struct report_pair *pair = pair_of(r, one, other);

	if (pair != NULL && pair->rooms++ == 0) {
		pair->times++;
		pair->since_us = r->last_us;
	}
}

static void
part(struct report *r, uint32_t one, uint32_t other)
{
	struct report_pair *pair = pair_of(r, one, other);

	if (pair == NULL || pair->rooms == 0) {
		return;
	}
	if (--pair->rooms == 0) {
		pair->together_us += r->last_us - pair->since_us;
	}
}

/* --- who is in which room --- */

/* An agent may be in several rooms: both handles make the key. Both are random. */
static struct id
key_of_present(const struct id *agent, const struct id *room)
{
	struct id key;

	for (size_t i = 0; i < sizeof key.bytes; i++) {
		key.bytes[i] = agent->bytes[i] ^ room->bytes[(i + 1) % sizeof room->bytes];
	}
	return key;
}

static uint32_t
first_in(const struct report *r, const struct id *room)
{
	const uint32_t *place = idmap_find(&r->room_first, room);

	return place == NULL ? REPORT_NONE : *place;
}

static void
for_each_in(struct report *r, const struct id *room, uint32_t agent,
	    void (*act)(struct report *report, uint32_t one, uint32_t other))
{
	uint32_t left = REPORT_ROOM_MET_MAX;

	for (uint32_t i = first_in(r, room); i != REPORT_NONE && left > 0; i = r->present[i].next) {
		act(r, agent, r->present[i].agent);
		left--;
	}
}

static void
come(struct report *r, const struct event_agent_registered *e, uint32_t agent)
{
	const struct id key = key_of_present(&e->agent, &e->room);
	const uint32_t place = r->present_free;

	if (idmap_find(&r->present_at, &key) != NULL) {
		return;
	}
	if (place == REPORT_NONE || agent == REPORT_NONE) {
		r->present_not_kept++;
		return;
	}
	for_each_in(r, &e->room, agent, meet);
	struct report_present *one = &r->present[place];
	r->present_free = one->next;
	*one = (struct report_present){ e->agent, e->room, agent, first_in(r, &e->room),
					r->last_us };
	idmap_put(&r->present_at, &key, place);
	idmap_put(&r->room_first, &e->room, place);
	r->present_count++;
	r->present_most = r->present_count > r->present_most ? r->present_count : r->present_most;
}

static void
count_stay(struct report *r, uint32_t agent, uint64_t since_us)
{
	if (agent != REPORT_NONE) {
		report_mark(r, &r->agents[agent].present, since_us, r->last_us);
		r->agents[agent].connected_us += r->last_us - since_us;
	}
}

static void
unlink_from_room(struct report *r, uint32_t place)
{
	const struct report_present *one = &r->present[place];
	uint32_t at = first_in(r, &one->room);

	if (at == place) {
		idmap_remove(&r->room_first, &one->room);
		if (one->next != REPORT_NONE) {
			idmap_put(&r->room_first, &one->room, one->next);
		}
		return;
	}
	while (r->present[at].next != place) {
		at = r->present[at].next;
	}
	r->present[at].next = one->next;
}

static void
leave_place(struct report *r, uint32_t place)
{
	struct report_present *one = &r->present[place];
	const struct id key = key_of_present(&one->agent_handle, &one->room);

	unlink_from_room(r, place);
	for_each_in(r, &one->room, one->agent, part);
	count_stay(r, one->agent, one->since_us);
	idmap_remove(&r->present_at, &key);
	one->next = r->present_free;
	r->present_free = place;
	r->present_count--;
}

/* Whoever leaves without having come was there when the range began. */
static void
go(struct report *r, const struct event_agent_disconnected *e)
{
	const struct id key = key_of_present(&e->agent, &e->room);
	const uint32_t *place = idmap_find(&r->present_at, &key);
	const uint32_t agent = agent_of(r, &e->agent, &e->agent_name);

	took_part(r, agent);
	if (place != NULL) {
		leave_place(r, *place);
		return;
	}
	count_stay(r, agent, r->scope.from_us < r->last_us ? r->scope.from_us : r->last_us);
}

void
report_people_close(struct report *r)
{
	r->last_us = r->scope.to_us > r->last_us ? r->scope.to_us : r->last_us;
	for (uint32_t i = 0; i < REPORT_PRESENT_MAX && r->present_count > 0; i++) {
		const struct report_present *one = &r->present[i];
		const struct id key = key_of_present(&one->agent_handle, &one->room);
		const uint32_t *place = idmap_find(&r->present_at, &key);

		if (place != NULL && *place == i) {
			leave_place(r, i);
		}
	}
}

/* --- events --- */

static void
come_in(struct report *r, const struct event_agent_registered *e)
{
	const uint32_t agent = agent_of(r, &e->agent, &e->agent_name);
	struct report_agent *one = took_part(r, agent);

	idmap_put(&r->rooms_seen, &e->room, 0);
	r->sessions++;
	if (one != NULL) {
		one->sessions++;
	}
	come(r, e, agent);
}

static void
pass_on(struct report *r, const struct id *from, const struct id *to)
{
	const uint32_t one = agent_of(r, from, NULL), other = agent_of(r, to, NULL);
	struct report_agent *sender = took_part(r, one);
	struct report_pair *pair = pair_of(r, one, other);

	r->signals++;
	if (sender != NULL) {
		sender->signals++;
	}
	took_part(r, other);
	if (pair != NULL) {
		pair->signals++;
	}
}

static void
relay(struct report *r, const struct event_turn_allocation_created *e)
{
	struct report_agent *one = took_part(r, agent_of(r, &e->user, &e->user_name));

	if (one != NULL) {
		one->relays++;
	}
}

static void
use_relay(struct report *r, const struct event_turn_relay_usage *e)
{
	struct report_agent *one = took_part(r, agent_of(r, &e->user, NULL));

	if (one != NULL) {
		one->bytes += e->bytes_up + e->bytes_down;
	}
}

void
report_people_feed(struct report *r, const struct event *event)
{
	switch ((unsigned)event->type) {
	case EVENT_AGENT_REGISTERED:
		come_in(r, &event->agent_registered);
		break;
	case EVENT_AGENT_DISCONNECTED:
		go(r, &event->agent_disconnected);
		break;
	case EVENT_SDP_OFFER_RELAYED:
		pass_on(r, &event->sdp_offer_relayed.from, &event->sdp_offer_relayed.to);
		break;
	case EVENT_SDP_ANSWER_RELAYED:
		pass_on(r, &event->sdp_answer_relayed.from, &event->sdp_answer_relayed.to);
		break;
	case EVENT_ICE_CANDIDATE_RELAYED:
		pass_on(r, &event->ice_candidate_relayed.from, &event->ice_candidate_relayed.to);
		break;
	case EVENT_TURN_ALLOCATION_CREATED:
		relay(r, &event->turn_allocation_created);
		break;
	case EVENT_TURN_RELAY_USAGE:
		use_relay(r, &event->turn_relay_usage);
		break;
	}
}
