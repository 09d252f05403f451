#include "store/erase.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/credential_name.h"
#include "store/seal.h"

void
erase_plan_make(struct erase_plan *plan, const struct name *agent)
{
	assert(agent->length > 0);
	memset(plan, 0, sizeof *plan);
	plan->agent = *agent;
	for (size_t stream = 0; stream < STREAMS; stream++) {
		plan->ends[stream] = UINT64_MAX;
	}
}

void
erase_plan_free(struct erase_plan *plan)
{
	free(plan->subjects);
	free(plan->addresses);
	free(plan->holds);
	free(plan->parts);
	memset(plan, 0, sizeof *plan);
}

/* Room for one more. */
static void *
grow(void *items, size_t count, size_t *room, size_t size)
{
	if (count < *room) {
		return items;
	}
	*room = *room == 0 ? 16 : 2 * *room;
	items = reallocarray(items, *room, size);
	assert(items != NULL);
	return items;
}

/* --- whose it is -------------------------------------------------------------------------------
 */

static bool
names_agent(const struct erase_plan *plan, const struct name *name)
{
	return name->length > 0 && credential_name_is_of(name, &plan->agent);
}

/* The place of a subject, or where it belongs. */
static size_t
find_subject(const struct erase_plan *plan, const struct id *subject)
{
	size_t low = 0, high = plan->subject_count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (memcmp(&plan->subjects[middle], subject, sizeof *subject) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

bool
erase_plan_has(const struct erase_plan *plan, const struct id *subject)
{
	const size_t at = find_subject(plan, subject);

	return at < plan->subject_count && id_equal(&plan->subjects[at], subject);
}

void
erase_plan_add_subject(struct erase_plan *plan, const struct id *subject)
{
	const size_t at = find_subject(plan, subject);

	if (id_is_none(subject) || erase_plan_has(plan, subject)) {
		return;
	}
	plan->subjects = grow(plan->subjects, plan->subject_count, &plan->subject_room,
			      sizeof *plan->subjects);
	memmove(&plan->subjects[at + 1], &plan->subjects[at],
		(plan->subject_count - at) * sizeof *plan->subjects);
	plan->subjects[at] = *subject;
	plan->subject_count++;
}

void
erase_plan_add_part(struct erase_plan *plan, const struct erase_part *part)
{
	plan->parts = grow(plan->parts, plan->part_count, &plan->part_room, sizeof *plan->parts);
	plan->parts[plan->part_count++] = *part;
}

static bool
same_host(const struct address *a, const struct address *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static void
learn_address(struct erase_plan *plan, const struct address *address, uint64_t now_us)
{
	if (address->family == ADDRESS_NONE) {
		return;
	}
	for (size_t i = 0; i < plan->address_count; i++) {
		if (same_host(&plan->addresses[i].host, address)) {
			plan->addresses[i].last_us = now_us;
			return;
		}
	}
	plan->addresses = grow(plan->addresses, plan->address_count, &plan->address_room,
			       sizeof *plan->addresses);
	struct erase_address *fresh = &plan->addresses[plan->address_count++];
	*fresh = (struct erase_address){ *address, now_us, now_us };
	fresh->host.port = 0;
}

static void
drop_hold(struct erase_plan *plan, const struct id *hold)
{
	for (size_t i = 0; i < plan->hold_count; i++) {
		if (id_equal(&plan->holds[i].hold, hold)) {
			plan->holds[i] = plan->holds[--plan->hold_count];
			return;
		}
	}
}

static void
learn_hold(struct erase_plan *plan, const struct event_hold_placed *placed)
{
	erase_plan_add_subject(plan, &placed->hold);
	plan->holds = grow(plan->holds, plan->hold_count, &plan->hold_room, sizeof *plan->holds);
	plan->holds[plan->hold_count++] = (struct erase_hold){ placed->hold, placed->until_us };
}

const struct erase_hold *
erase_plan_hold(const struct erase_plan *plan, uint64_t now_us)
{
	for (size_t i = 0; i < plan->hold_count; i++) {
		if (plan->holds[i].until_us == 0 || plan->holds[i].until_us > now_us) {
			return &plan->holds[i];
		}
	}
	return NULL;
}

static bool
is_of_this_life(const struct erase_plan *plan, const struct entry *entry)
{
	return entry->stream < STREAMS && entry->seq < plan->ends[entry->stream];
}

void
erase_learn(struct erase_plan *plan, const struct event *event, const struct entry *entry)
{
	if (!is_of_this_life(plan, entry)) {
		return;
	}
	if (event->type == EVENT_AGENT_REGISTERED &&
	    name_equal(&event->agent_registered.agent_name, &plan->agent)) {
		erase_plan_add_subject(plan, &event->agent_registered.agent);
		learn_address(plan, &event->agent_registered.client, entry->recorded_us);
	} else if (event->type == EVENT_AGENT_DISCONNECTED &&
		   name_equal(&event->agent_disconnected.agent_name, &plan->agent)) {
		erase_plan_add_subject(plan, &event->agent_disconnected.agent);
	} else if (event->type == EVENT_TURN_ALLOCATION_CREATED &&
		   names_agent(plan, &event->turn_allocation_created.user_name)) {
		erase_plan_add_subject(plan, &event->turn_allocation_created.user);
		learn_address(plan, &event->turn_allocation_created.client, entry->recorded_us);
	} else if (event->type == EVENT_TURN_ALLOCATION_MOVED &&
		   erase_plan_has(plan, &event->turn_allocation_moved.user)) {
		learn_address(plan, &event->turn_allocation_moved.client, entry->recorded_us);
	} else if (event->type == EVENT_CLAIM_REPORTED &&
		   name_equal(&event->claim_reported.agent_name, &plan->agent)) {
		erase_plan_add_subject(plan, &event->claim_reported.reporter);
		learn_address(plan, &event->claim_reported.client, entry->recorded_us);
	} else if (event->type == EVENT_HOLD_PLACED &&
		   name_equal(&event->hold_placed.agent_name, &plan->agent)) {
		learn_hold(plan, &event->hold_placed);
	} else if (event->type == EVENT_HOLD_RELEASED) {
		drop_hold(plan, &event->hold_released.hold);
	}
}

/* --- what names it -----------------------------------------------------------------------------
 */

static bool
continues_word(uint8_t byte)
{
	return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
	       (byte >= 'A' && byte <= 'Z') || byte >= 0x80;
}

bool
erase_text_names(struct span text, struct span word)
{
	assert(word.count > 0);
	for (size_t at = 0; at + word.count <= text.count; at++) {
		const size_t end = at + word.count;

		if (memcmp(text.at + at, word.at, word.count) == 0 &&
		    (at == 0 || !continues_word(text.at[at - 1])) &&
		    (end == text.count || !continues_word(text.at[end]))) {
			return true;
		}
	}
	return false;
}

static bool
is_at_its_time(const struct erase_address *own, uint64_t now_us)
{
	return now_us + ERASE_ADDRESS_SLACK_US >= own->first_us &&
	       now_us <= own->last_us + ERASE_ADDRESS_SLACK_US;
}

static bool
holds_address(const struct erase_plan *plan, const struct address *address, uint64_t now_us)
{
	for (size_t i = 0; i < plan->address_count; i++) {
		if (same_host(&plan->addresses[i].host, address) &&
		    is_at_its_time(&plan->addresses[i], now_us)) {
			return true;
		}
	}
	return false;
}

/* "192.0.2.1" or "2001:db8::1", as a claim would quote it. */
static struct span
print_host(char out[ADDRESS_PRINT_MAX], const struct address *host)
{
	address_print(out, ADDRESS_PRINT_MAX, host);
	const bool bracketed = out[0] == '[';
	const char *end = bracketed ? strchr(out, ']') : strchr(out, ':');
	const char *start = out + (bracketed ? 1 : 0);

	return (struct span){ (const uint8_t *)start, end == NULL ? 0 : (size_t)(end - start) };
}

/* What people and agents write as they like: the name may stand anywhere in it. */
static bool
text_holds(const struct erase_plan *plan, struct span text, uint64_t now_us)
{
	const struct span name = { (const uint8_t *)plan->agent.bytes, plan->agent.length };

	if (erase_text_names(text, name)) {
		return true;
	}
	for (size_t i = 0; i < plan->address_count; i++) {
		char memory[ADDRESS_PRINT_MAX];
		const struct span host = print_host(memory, &plan->addresses[i].host);

		if (host.count > 0 && is_at_its_time(&plan->addresses[i], now_us) &&
		    erase_text_names(text, host)) {
			return true;
		}
	}
	return false;
}

static bool
is_free_text(const struct field *field)
{
	static const char *const names[] = { "reason", "purpose", "requester", "event_name",
					     "trace" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strcmp(field->name, names[i]) == 0) {
			return true;
		}
	}
	return false;
}

/* The address by which somebody else came is theirs. */
static bool
is_own_address(const struct field *field)
{
	return strcmp(field->name, "client") == 0;
}

static bool
field_holds(const struct erase_plan *plan, const struct field *field, const void *record,
	    uint64_t now_us)
{
	const void *at = (const char *)record + field->offset;

	switch (field->kind) {
	case FIELD_NAME: {
		const struct name *name = at;
		return names_agent(plan, name) ||
		       (is_free_text(field) &&
			text_holds(plan,
				   (struct span){ (const uint8_t *)name->bytes, name->length },
				   now_us));
	}
	case FIELD_JSON: {
		const struct json_text *json = at;
		return text_holds(plan, (struct span){ (const uint8_t *)json->bytes, json->length },
				  now_us);
	}
	case FIELD_ADDRESS:
		return !is_own_address(field) && holds_address(plan, at, now_us);
	case FIELD_U64:
	case FIELD_ID:
	case FIELD_DIGEST:
	case FIELD_TRANSACTION:
	case FIELD_TEXT:
		return false;
	}
	return false;
}

static bool
part_holds(const struct erase_plan *plan, const struct event *event, const struct entry *entry,
	   unsigned part)
{
	const struct record_shape shape = event_describe(event->type)->shape;
	const enum field_place place = part == 0 ? PLACE_SEALED0 : PLACE_SEALED1;

	for (size_t i = 0; i < shape.count; i++) {
		if (shape.fields[i].place == place &&
		    field_holds(plan, &shape.fields[i], event_fields_const(event),
				entry->recorded_us)) {
			return true;
		}
	}
	return false;
}

void
erase_collect(struct erase_plan *plan, const struct event *event, const struct entry *entry)
{
	if (!is_of_this_life(plan, entry)) {
		return;
	}
	for (uint32_t part = 0; part < entry->parts; part++) {
		const struct id *subject = &entry->part[part].subject;

		if (erase_plan_has(plan, subject)) {
			plan->own_parts++;
		} else if (part_holds(plan, event, entry, part)) {
			const struct erase_part found = { entry->seq, part,
							  seal_month(entry->recorded_us),
							  *subject };
			erase_plan_add_part(plan, &found);
		}
	}
}

void
erase_collect_again(struct erase_plan *plan)
{
	plan->part_count = 0;
	plan->own_parts = 0;
}
