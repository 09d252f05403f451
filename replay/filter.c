#include "replay/filter.h"

void
filter_make(struct filter *filter, const struct options *options)
{
	filter->options = options;
	who_make(&filter->agent, options->agent);
	who_make(&filter->room, options->room);
}

void
filter_free(struct filter *filter)
{
	who_free(&filter->agent);
	who_free(&filter->room);
}

bool
filter_must_learn(const struct filter *filter)
{
	return !filter->agent.is_any || !filter->room.is_any;
}

/* Both are always asked, because asking is how they learn. */
static bool
concerns(struct filter *filter, const struct event *event)
{
	if (event == NULL) {
		return !filter_must_learn(filter);
	}
	const bool is_agent = who_concerns_agent(&filter->agent, event);
	const bool is_room = who_concerns_room(&filter->room, event);
	return is_agent && is_room;
}

bool
filter_admits(struct filter *filter, const struct entry *entry, const struct event *event)
{
	const struct options *o = filter->options;

	if (!concerns(filter, event)) {
		return false;
	}
	if (o->type != NULL && entry->type != (uint64_t)o->type->type) {
		return false;
	}
	if (o->stream != 0 && entry->stream != o->stream) {
		return false;
	}
	return moment_is_reached(&o->from, entry->seq, entry->recorded_us) &&
	       moment_is_kept(&o->to, entry->seq, entry->recorded_us);
}

bool
filter_is_past(const struct filter *filter, const struct entry *entry)
{
	return !moment_is_kept(&filter->options->to, entry->seq, entry->recorded_us);
}
