#include "replay/timeline.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "replay/moment.h"
#include "replay/stays.h"

enum { NAMES_SHOWN = 8 };

uint64_t
timeline_together_us(const struct timeline *t, const struct timeline_met *met)
{
	const uint64_t now = t->last_us > met->since_us ? t->last_us - met->since_us : 0;

	return met->together_us + (met->rooms > 0 ? now : 0);
}

uint64_t
timeline_connected_us(const struct timeline *t)
{
	uint64_t sum = t->connected_us;

	for (uint32_t i = 0; i < t->present_count; i++) {
		const struct timeline_present *one = &t->present[i];
		if (one->is_used && one->is_ours && t->last_us > one->since_us) {
			sum += t->last_us - one->since_us;
		}
	}
	return sum;
}

static void
meet(struct timeline *t, const struct id *agent)
{
	struct timeline_met *met = timeline_met_of(t, agent);

	if (met == NULL || met->rooms++ > 0) {
		return;
	}
	met->since_us = t->last_us;
	met->first_us = met->meetings++ == 0 ? t->last_us : met->first_us;
}

static void
part(struct timeline *t, const struct id *agent)
{
	struct timeline_met *met = timeline_met_of(t, agent);

	if (met == NULL || met->rooms == 0) {
		return;
	}
	if (met->rooms == 1) {
		met->together_us = timeline_together_us(t, met);
		met->parted_us = t->last_us;
	}
	met->rooms--;
}

static int
compare(const void *a, const void *b)
{
	const struct timeline_across *one = a;
	const struct timeline_across *other = b;

	return one->since_seq < other->since_seq ? -1 : one->since_seq > other->since_seq;
}

/* Everybody on the other side (ours or not) who is in that room, the longest there first. */
static uint32_t
find_across(struct timeline *t, const struct timeline_present *one)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < t->present_count; i++) {
		const struct timeline_present *other = &t->present[i];

		if (other->is_used && other->is_ours != one->is_ours &&
		    id_equal(&other->room, &one->room)) {
			t->across[count++] = (struct timeline_across){ other->since_seq, i };
		}
	}
	if (count > 1) {
		qsort(t->across, count, sizeof t->across[0], compare);
	}
	return count;
}

/* They meet, or part from, this agent. */
static uint32_t
for_each_across(struct timeline *t, const struct timeline_present *one,
		void (*act)(struct timeline *t, const struct id *agent), struct paper *names)
{
	const uint32_t count = find_across(t, one);

	for (uint32_t i = 0; i < count; i++) {
		const struct timeline_present *other = &t->present[t->across[i].place];

		act(t, one->is_ours ? &other->agent : &one->agent);
		if (names != NULL && i < NAMES_SHOWN) {
			paper_add(names, i == 0 ? " " : ", ");
			timeline_add_name(t, names, &other->agent);
		}
	}
	return count;
}

bool
timeline_has_ours(const struct timeline *t, const struct id *room)
{
	for (uint32_t i = 0; i < t->present_count; i++) {
		const struct timeline_present *one = &t->present[i];

		if (one->is_used && one->is_ours && id_equal(&one->room, room)) {
			return true;
		}
	}
	return false;
}

void
timeline_forget_room(struct timeline *t, const struct id *room)
{
	for (uint32_t i = 0; i < t->present_count; i++) {
		struct timeline_present *one = &t->present[i];

		if (one->is_used && id_equal(&one->room, room)) {
			const struct id key = stays_key(&one->agent, room);
			one->is_used = false;
			idmap_remove(&t->present_at, &key);
		}
	}
}

static uint32_t
free_place(struct timeline *t)
{
	for (uint32_t i = 0; i < t->present_count; i++) {
		if (!t->present[i].is_used) {
			return i;
		}
	}
	return t->present_count < TIMELINE_PRESENT_MAX ? t->present_count++ : UINT32_MAX;
}

static void
leave(struct timeline *t, const struct id *agent, const struct id *room)
{
	const struct id key = stays_key(agent, room);
	const uint32_t *place = idmap_find(&t->present_at, &key);

	if (place == NULL) {
		return;
	}
	struct timeline_present *one = &t->present[*place];
	for_each_across(t, one, part, NULL);
	if (one->is_ours && t->last_us > one->since_us) {
		t->connected_us += t->last_us - one->since_us;
	}
	one->is_used = false;
	idmap_remove(&t->present_at, &key);
}

static void
join(struct timeline *t, const struct event_agent_registered *e, uint64_t seq, bool is_ours,
     struct paper *paper)
{
	const struct id key = stays_key(&e->agent, &e->room);
	const uint32_t place = free_place(t);
	struct paper others;

	if (place == UINT32_MAX) {
		t->not_kept++;
		return;
	}
	t->present[place] =
		(struct timeline_present){ e->agent, e->room, t->last_us, seq, true, is_ours };
	idmap_put(&t->present_at, &key, place);
	paper_clear(&others);
	const uint32_t count =
		for_each_across(t, &t->present[place], meet, is_ours ? &others : NULL);
	if (is_ours && count > 0) {
		paper_add(paper, "; %u there already:%s%s", count, others.text,
			  count > NAMES_SHOWN ? ", ..." : "");
	}
}

static void
registered(struct timeline *t, const struct entry *entry, const struct event_agent_registered *e)
{
	const bool is_ours = who_is_handle(t->who, &e->agent);
	char shown[ADDRESS_PRINT_MAX];
	struct paper paper;

	paper_clear(&paper);
	paper_add(&paper, "registered in room ");
	timeline_add_name(t, &paper, &e->room);
	paper_add(&paper, " at gateway %" PRIu64, e->gateway);
	if (e->client.family != ADDRESS_NONE) {
		address_print(shown, sizeof shown, &e->client);
		paper_add(&paper, " from %s", shown);
	}
	leave(t, &e->agent, &e->room); /* a second registration replaces the first */
	join(t, e, entry->seq, is_ours, &paper);
	if (is_ours) {
		t->registrations += !t->is_quiet;
		timeline_tell(t, entry, "registered", &paper);
	}
}

static void
disconnected(struct timeline *t, const struct entry *entry,
	     const struct event_agent_disconnected *e)
{
	const bool is_ours = who_is_handle(t->who, &e->agent);
	const struct id key = stays_key(&e->agent, &e->room);
	const uint32_t *place = idmap_find(&t->present_at, &key);
	char shown[MOMENT_PRINT_MAX];
	struct paper paper;

	if (is_ours) {
		paper_clear(&paper);
		paper_add(&paper, "left room ");
		timeline_add_name(t, &paper, &e->room);
		paper_add(&paper, " (%s)", leave_reason_name(e->reason));
		if (place != NULL && t->last_us > t->present[*place].since_us) {
			const uint64_t span = t->last_us - t->present[*place].since_us;
			paper_add(&paper, " after %s",
				  moment_print_span(shown, sizeof shown, span));
		}
		timeline_tell(t, entry, "disconnected", &paper);
	}
	leave(t, &e->agent, &e->room);
}

void
timeline_presence(struct timeline *t, const struct entry *entry, const struct event *event)
{
	if (event->type == EVENT_AGENT_REGISTERED) {
		registered(t, entry, &event->agent_registered);
	} else if (event->type == EVENT_AGENT_DISCONNECTED) {
		disconnected(t, entry, &event->agent_disconnected);
	}
}
