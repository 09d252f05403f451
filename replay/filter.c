#include "replay/filter.h"

#include <string.h>

#include "protocol/address.h"

void
filter_make(struct filter *filter, const struct options *options)
{
	memset(filter, 0, sizeof *filter);
	filter->options = options;
	filter->is_either = options->ask == ASK_SESSION;
	filter->has_address =
		options->peer != NULL && address_parse(&filter->address, options->peer) == NULL;
	who_make(&filter->agent, options->agent);
	who_make(&filter->peer, filter->has_address ? NULL : options->peer);
	who_make(&filter->room, options->room);
	idmap_make(&filter->allocations, ALLOCATIONS_MAX);
}

void
filter_free(struct filter *filter)
{
	who_free(&filter->agent);
	who_free(&filter->peer);
	who_free(&filter->room);
	idmap_free(&filter->allocations);
}

void
filter_tells(struct filter *filter, void (*learnt)(void *context, const struct id *id),
	     void *context)
{
	struct who *const all[] = { &filter->agent, &filter->peer, &filter->room };

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		all[i]->learnt = learnt;
		all[i]->context = context;
	}
	filter->learnt = learnt;
	filter->context = context;
}

bool
filter_must_learn(const struct filter *filter)
{
	return !filter->agent.is_any || !filter->peer.is_any || !filter->room.is_any ||
	       !id_is_none(&filter->options->trace);
}

const struct id *
filter_allocation_of(const struct event *event)
{
	switch ((unsigned)event->type) {
	case EVENT_TURN_ALLOCATION_CREATED:
		return &event->turn_allocation_created.allocation;
	case EVENT_TURN_ALLOCATION_REFRESHED:
		return &event->turn_allocation_refreshed.allocation;
	case EVENT_TURN_PERMISSION_INSTALLED:
		return &event->turn_permission_installed.allocation;
	case EVENT_TURN_CHANNEL_BOUND:
		return &event->turn_channel_bound.allocation;
	case EVENT_TURN_RELAY_USAGE:
		return &event->turn_relay_usage.allocation;
	case EVENT_TURN_PEER_FORBIDDEN:
		return &event->turn_peer_forbidden.allocation;
	case EVENT_TURN_ALLOCATION_MOVED:
		return &event->turn_allocation_moved.allocation;
	case EVENT_TURN_ADDRESS_RELEASED:
		return &event->turn_address_released.allocation;
	case EVENT_TURN_CONNECTION_OPENED:
		return &event->turn_connection_opened.allocation;
	case EVENT_TURN_CONNECTION_BOUND:
		return &event->turn_connection_bound.allocation;
	case EVENT_TURN_CONNECTION_ENDED:
		return &event->turn_connection_ended.allocation;
	case EVENT_TURN_ALLOCATION_ENDED:
		return &event->turn_allocation_ended.allocation;
	}
	return NULL;
}

const struct address *
filter_peer_of(const struct event *event)
{
	switch ((unsigned)event->type) {
	case EVENT_TURN_PERMISSION_INSTALLED:
		return &event->turn_permission_installed.peer;
	case EVENT_TURN_CHANNEL_BOUND:
		return &event->turn_channel_bound.peer;
	case EVENT_TURN_CONNECTION_OPENED:
		return &event->turn_connection_opened.peer;
	case EVENT_TURN_RELAY_USAGE:
		return &event->turn_relay_usage.peer;
	case EVENT_TURN_REQUEST_REFUSED:
		return &event->turn_request_refused.peer;
	}
	return NULL;
}

static bool
is_of_names(struct filter *filter, const struct event *event)
{
	if (event == NULL) {
		return filter->agent.is_any && filter->peer.is_any;
	}
	const bool is_agent = who_concerns_agent(&filter->agent, event);
	const bool is_peer = who_concerns_agent(&filter->peer, event);
	return filter->is_either ? is_agent || is_peer : is_agent && is_peer;
}

static bool
is_of_room(struct filter *filter, const struct event *event)
{
	return filter->room.is_any || (event != NULL && who_concerns_room(&filter->room, event));
}

/* A call: what bears the id as its trace or command, and all that its allocations do. */
static bool
is_of_trace(struct filter *filter, const struct entry *entry, const struct event *event)
{
	const struct id *trace = &filter->options->trace;
	const struct id *allocation = event == NULL ? NULL : filter_allocation_of(event);

	if (id_is_none(trace)) {
		return true;
	}
	const bool bears_it =
		id_equal(&entry->trace_id, trace) || id_equal(&entry->command_id, trace);
	if (allocation == NULL) {
		return bears_it;
	}
	if (bears_it && idmap_find(&filter->allocations, allocation) == NULL &&
	    idmap_put(&filter->allocations, allocation, 0) && filter->learnt != NULL) {
		filter->learnt(filter->context, allocation);
	}
	return bears_it || id_equal(allocation, trace) ||
	       idmap_find(&filter->allocations, allocation) != NULL;
}

static bool
is_of_allocation(const struct filter *filter, const struct event *event)
{
	const struct id *asked = &filter->options->allocation;

	if (id_is_none(asked)) {
		return true;
	}
	const struct id *allocation = event == NULL ? NULL : filter_allocation_of(event);
	return allocation != NULL && id_equal(allocation, asked);
}

bool
filter_admits_address(const struct filter *filter, const struct event *event)
{
	if (!filter->has_address) {
		return true;
	}
	const struct address *peer = event == NULL ? NULL : filter_peer_of(event);
	return peer != NULL && address_equal_ip(peer, &filter->address) &&
	       (filter->address.port == 0 || filter->address.port == peer->port);
}

bool
filter_admits_anybody(struct filter *filter, const struct entry *entry, const struct event *event)
{
	const struct options *o = filter->options;
	const bool is_inside = is_of_room(filter, event);
	const bool is_traced = is_of_trace(filter, entry, event);

	if (!is_inside || !is_traced) {
		return false;
	}
	if (o->type != NULL && entry->type != (uint64_t)o->type->type) {
		return false;
	}
	if (o->stream != 0 && entry->stream != o->stream) {
		return false;
	}
	return is_of_allocation(filter, event) && outcome_admits(&o->outcome, entry->type, event);
}

/* All are always asked, because asking is how they learn. */
bool
filter_admits(struct filter *filter, const struct entry *entry, const struct event *event)
{
	const bool is_theirs = is_of_names(filter, event);
	const bool is_admitted = filter_admits_anybody(filter, entry, event);

	return is_theirs && is_admitted && filter_admits_address(filter, event);
}

bool
filter_is_before(const struct filter *filter, const struct entry *entry)
{
	return !moment_is_reached(&filter->options->from, entry->seq, entry->recorded_us);
}

bool
filter_is_past(const struct filter *filter, const struct entry *entry)
{
	return !moment_is_kept(&filter->options->to, entry->seq, entry->recorded_us);
}
