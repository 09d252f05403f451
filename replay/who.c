#include "replay/who.h"

#include <string.h>

#include "replay/words.h"

void
who_make(struct who *who, const char *word)
{
	struct id handle;

	memset(who, 0, sizeof *who);
	idmap_make(&who->handles, WHO_HANDLES_MAX);
	idmap_make(&who->traces, WHO_TRACES_MAX);
	idmap_make(&who->allocations, ALLOCATIONS_MAX);
	if (word == NULL) {
		who->is_any = true;
		return;
	}
	if (words_is_handle(word) && hex_read(handle.bytes, word, sizeof handle.bytes)) {
		idmap_put(&who->handles, &handle, 0);
	}
	/* A name that looks like a handle is a name too; one that is too long is nobody's. */
	name_set(&who->name, word, strlen(word));
}

void
who_free(struct who *who)
{
	idmap_free(&who->handles);
	idmap_free(&who->traces);
	idmap_free(&who->allocations);
}

struct name
who_agent_of_user(const struct name *user)
{
	struct name agent = *user;
	uint16_t digits = 0;

	while (digits < user->length && user->bytes[digits] >= '0' && user->bytes[digits] <= '9') {
		digits++;
	}
	if (digits > 0 && digits + 1 < user->length && user->bytes[digits] == ':') {
		name_set(&agent, user->bytes + digits + 1, (size_t)(user->length - digits - 1));
	}
	return agent;
}

bool
who_is_handle(const struct who *who, const struct id *id)
{
	return idmap_find(&who->handles, id) != NULL;
}

static bool
is_name(const struct who *who, const struct name *name)
{
	return name->length > 0 && name_equal(&who->name, name);
}

static bool
is_user_name(const struct who *who, const struct name *user)
{
	const struct name agent = who_agent_of_user(user);

	return is_name(who, user) || is_name(who, &agent);
}

static void
learn(struct who *who, struct idmap *map, const struct id *id)
{
	if (id_is_none(id) || idmap_find(map, id) != NULL) {
		return;
	}
	if (!idmap_put(map, id, 0)) {
		who->is_overfull = true;
	} else if (who->learnt != NULL) {
		who->learnt(who->context, id);
	}
}

/* Every handle stands for itself in the log, so a name is learnt where it is said together with
 * one. */
static bool
is_registered(struct who *who, const struct event *event)
{
	const struct event_agent_registered *e = &event->agent_registered;

	if (!who_is_handle(who, &e->agent) && !is_name(who, &e->agent_name)) {
		return false;
	}
	learn(who, &who->handles, &e->agent);
	learn(who, &who->traces, &event->trace_id);
	return true;
}

static bool
is_allocated(struct who *who, const struct event *event)
{
	const struct event_turn_allocation_created *e = &event->turn_allocation_created;

	if (!who_is_handle(who, &e->user) && !is_user_name(who, &e->user_name) &&
	    (id_is_none(&event->trace_id) || idmap_find(&who->traces, &event->trace_id) == NULL)) {
		return false;
	}
	learn(who, &who->handles, &e->user);
	learn(who, &who->allocations, &e->allocation);
	return true;
}

static bool
is_revoked(struct who *who, const struct event *event)
{
	const struct event_turn_agent_revoked *e = &event->turn_agent_revoked;

	if (!who_is_handle(who, &e->agent) && !is_user_name(who, &e->agent_name)) {
		return false;
	}
	learn(who, &who->handles, &e->agent);
	return true;
}

static bool
is_allocation(const struct who *who, const struct id *allocation)
{
	return idmap_find(&who->allocations, allocation) != NULL;
}

static bool
is_allocation_ended(struct who *who, const struct id *allocation)
{
	const bool is_theirs = is_allocation(who, allocation);

	idmap_remove(&who->allocations, allocation);
	return is_theirs;
}

static bool
is_either(const struct who *who, const struct id *from, const struct id *to)
{
	return who_is_handle(who, from) || who_is_handle(who, to);
}

bool
who_concerns_agent(struct who *who, const struct event *event)
{
	if (who->is_any) {
		return true;
	}
	switch ((unsigned)event->type) {
	case EVENT_AGENT_REGISTERED:
		return is_registered(who, event);
	case EVENT_AGENT_DISCONNECTED:
		return who_is_handle(who, &event->agent_disconnected.agent);
	case EVENT_SDP_OFFER_RELAYED:
		return is_either(who, &event->sdp_offer_relayed.from, &event->sdp_offer_relayed.to);
	case EVENT_SDP_ANSWER_RELAYED:
		return is_either(who, &event->sdp_answer_relayed.from,
				 &event->sdp_answer_relayed.to);
	case EVENT_ICE_CANDIDATE_RELAYED:
		return is_either(who, &event->ice_candidate_relayed.from,
				 &event->ice_candidate_relayed.to);
	case EVENT_SIGNALING_REQUEST_REFUSED:
		return is_name(who, &event->signaling_request_refused.agent_name);
	case EVENT_SUBJECT_FORGOTTEN:
		return who_is_handle(who, &event->subject_forgotten.agent);
	case EVENT_USER_FORGOTTEN:
		return who_is_handle(who, &event->user_forgotten.user);
	case EVENT_TURN_AGENT_REVOKED:
		return is_revoked(who, event);
	case EVENT_TURN_AGENT_RESTORED:
		return who_is_handle(who, &event->turn_agent_restored.agent);
	case EVENT_TURN_ALLOCATION_CREATED:
		return is_allocated(who, event);
	case EVENT_TURN_ALLOCATION_REFRESHED:
		return is_allocation(who, &event->turn_allocation_refreshed.allocation);
	case EVENT_TURN_PERMISSION_INSTALLED:
		return is_allocation(who, &event->turn_permission_installed.allocation);
	case EVENT_TURN_CHANNEL_BOUND:
		return is_allocation(who, &event->turn_channel_bound.allocation);
	case EVENT_TURN_RELAY_USAGE:
		return is_allocation(who, &event->turn_relay_usage.allocation);
	case EVENT_TURN_PEER_FORBIDDEN:
		return is_allocation(who, &event->turn_peer_forbidden.allocation);
	case EVENT_TURN_ALLOCATION_MOVED:
		return is_allocation(who, &event->turn_allocation_moved.allocation);
	case EVENT_TURN_ADDRESS_RELEASED:
		return is_allocation(who, &event->turn_address_released.allocation);
	case EVENT_TURN_CONNECTION_OPENED:
		return is_allocation(who, &event->turn_connection_opened.allocation);
	case EVENT_TURN_CONNECTION_BOUND:
		return is_allocation(who, &event->turn_connection_bound.allocation);
	case EVENT_TURN_CONNECTION_ENDED:
		return is_allocation(who, &event->turn_connection_ended.allocation);
	case EVENT_TURN_ALLOCATION_ENDED:
		return is_allocation_ended(who, &event->turn_allocation_ended.allocation);
	case EVENT_TURN_REQUEST_REFUSED:
		return is_user_name(who, &event->turn_request_refused.user_name);
	case EVENT_KEY_CREATED:
		return who_is_handle(who, &event->key_created.subject);
	}
	return false;
}

static bool
is_room_registered(struct who *who, const struct event_agent_registered *e)
{
	if (!who_is_handle(who, &e->room) && !is_name(who, &e->room_name)) {
		return false;
	}
	learn(who, &who->handles, &e->room);
	return true;
}

bool
who_concerns_room(struct who *who, const struct event *event)
{
	if (who->is_any) {
		return true;
	}
	switch ((unsigned)event->type) {
	case EVENT_AGENT_REGISTERED:
		return is_room_registered(who, &event->agent_registered);
	case EVENT_AGENT_DISCONNECTED:
		return who_is_handle(who, &event->agent_disconnected.room);
	case EVENT_SDP_OFFER_RELAYED:
		return who_is_handle(who, &event->sdp_offer_relayed.room);
	case EVENT_SDP_ANSWER_RELAYED:
		return who_is_handle(who, &event->sdp_answer_relayed.room);
	case EVENT_ICE_CANDIDATE_RELAYED:
		return who_is_handle(who, &event->ice_candidate_relayed.room);
	}
	return false;
}
