#include "replay/report.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "replay/report_state.h"

struct report *
report_make(const struct report_scope *scope)
{
	struct report *r = calloc(1, sizeof *r);

	assert(r != NULL);
	assert(scope->from <= scope->end);
	assert(event_types() <= REPORT_TYPES_MAX);
	r->scope = *scope;
	r->next_seq = scope->from;
	r->last_us = scope->from_us;
	r->acts = calloc(REPORT_ACTS_MAX, sizeof r->acts[0]);
	assert(r->acts != NULL);
	report_people_make(r);
	return r;
}

void
report_free(struct report *r)
{
	if (r == NULL) {
		return;
	}
	report_people_free(r);
	free(r->acts);
	free(r);
}

uint32_t
report_bucket(const struct report *r, uint64_t us, uint32_t count)
{
	const uint64_t from = r->scope.from_us;
	const uint64_t width = r->scope.to_us > from ? r->scope.to_us - from + 1 : 1;
	const uint64_t at = us > from ? us - from : 0;

	/* Divided first where the product could overflow: a range of 300,000 years. */
	if (at >= width) {
		return count - 1;
	}
	return (uint32_t)(at > UINT64_MAX / count ? at / (width / count + 1) : at * count / width);
}

void
report_mark(const struct report *r, struct report_strip *strip, uint64_t from_us, uint64_t to_us)
{
	const uint32_t last = report_bucket(r, to_us, REPORT_BUCKETS);

	for (uint32_t i = report_bucket(r, from_us, REPORT_BUCKETS); i <= last; i++) {
		strip->bits[i / 8] |= (uint8_t)(1u << (i % 8));
	}
}

bool
report_is_marked(const struct report_strip *strip, uint32_t bucket)
{
	assert(bucket < REPORT_BUCKETS);
	return (strip->bits[bucket / 8] >> (bucket % 8) & 1) != 0;
}

/* --- completeness and clock --- */

static void
miss(struct report *r, uint64_t from, uint64_t end)
{
	if (from >= end) {
		return;
	}
	r->missing += end - from;
	if (r->gap_count < REPORT_GAPS_MAX) {
		r->gaps[r->gap_count++] = (struct report_gap){ from, end };
	} else {
		r->gaps_not_kept++;
	}
}

/* In powers of two of milliseconds: 0 is below one. */
static uint32_t
delay_class(uint64_t us)
{
	uint32_t class = 0;

	for (uint64_t ms = us / 1000; ms > 0 && class < REPORT_DELAYS_MAX - 1; ms /= 2) {
		class ++;
	}
	return class;
}

static void
take_clock(struct report *r, const struct entry *entry)
{
	if (entry->occurred_us > entry->recorded_us) {
		r->early++;
		return;
	}
	const uint64_t delay = entry->recorded_us - entry->occurred_us;
	r->delays[delay_class(delay)]++;
	r->delay_longest_us = delay > r->delay_longest_us ? delay : r->delay_longest_us;
}

/* --- counts --- */

static void
count_type(struct report *r, const struct event *event)
{
	for (size_t i = 0; i < event_types(); i++) {
		if (event_describe_at(i)->type == event->type) {
			r->by_type[i]++;
			return;
		}
	}
}

static void
refuse(struct report *r, unsigned service, uint64_t verdict, uint64_t count)
{
	const uint64_t place =
		verdict < REPORT_VERDICTS_MAX - 1 ? verdict : REPORT_VERDICTS_MAX - 1;

	r->refused[service][place] += count;
	r->refused_requests += count;
}

static void
add_reason(uint64_t reasons[REPORT_REASONS_MAX], uint64_t reason)
{
	reasons[reason < REPORT_REASONS_MAX ? reason : 0]++;
}

static void
use(struct report *r, const struct event_turn_relay_usage *e)
{
	const uint32_t bar = report_bucket(r, r->last_us, REPORT_BARS);

	r->bytes_up += e->bytes_up;
	r->bytes_down += e->bytes_down;
	r->packets_up += e->packets_up;
	r->packets_down += e->packets_down;
	r->bars_up[bar] += e->bytes_up;
	r->bars_down[bar] += e->bytes_down;
}

static void
step_back(struct report *r, uint64_t by_us)
{
	r->steps_back++;
	r->step_longest_us = by_us > r->step_longest_us ? by_us : r->step_longest_us;
}

static void
count(struct report *r, const struct event *e)
{
	switch ((unsigned)e->type) {
	case EVENT_AGENT_DISCONNECTED:
		add_reason(r->leaves, e->agent_disconnected.reason);
		break;
	case EVENT_SIGNALING_REQUEST_REFUSED:
		refuse(r, 0, e->signaling_request_refused.verdict,
		       e->signaling_request_refused.count);
		break;
	case EVENT_TURN_ALLOCATION_CREATED:
		r->allocations++;
		break;
	case EVENT_TURN_RELAY_USAGE:
		use(r, &e->turn_relay_usage);
		break;
	case EVENT_TURN_ALLOCATION_ENDED:
		add_reason(r->ends, e->turn_allocation_ended.reason);
		r->never_used += e->turn_allocation_ended.never_used != 0;
		break;
	case EVENT_TURN_REQUEST_REFUSED:
		refuse(r, 1, e->turn_request_refused.verdict, e->turn_request_refused.count);
		break;
	case EVENT_WITNESS_STARTED:
		/* A log's first start follows no run at all. */
		r->unclean_starts += e->witness_started.clean == 0 && e->witness_started.size > 0;
		break;
	case EVENT_CLOCK_STEPPED_BACK:
		step_back(r, e->clock_stepped_back.by_us);
		break;
	case EVENT_LOG_SUSPENDED:
		r->suspensions++;
		break;
	case EVENT_TURN_AUTO_RESTARTED:
	case EVENT_SIGNALING_AUTO_RESTARTED:
		r->restarts++;
		break;
	case EVENT_TURN_HEALTH_CHECK_FAILED:
	case EVENT_SIGNALING_HEALTH_CHECK_FAILED:
		r->health_failures++;
		break;
	case EVENT_CLAIM_REPORTED:
		r->claims++;
		break;
	}
}

void
report_feed(struct report *r, const struct disclosed *d)
{
	const struct entry *entry = d->entry;

	miss(r, r->next_seq, entry->seq);
	r->next_seq = entry->seq + 1;
	/* recorded_us never decreases in a log that holds; in one that does not, nothing may run
	 * backwards here either. */
	r->last_us = entry->recorded_us > r->last_us ? entry->recorded_us : r->last_us;
	r->events++;
	take_clock(r, entry);
	if (d->event == NULL) {
		r->unknown_types++;
		return;
	}
	count_type(r, d->event);
	count(r, d->event);
	report_people_feed(r, d->event);
	report_acts_feed(r, entry, d->event);
}

void
report_close(struct report *r)
{
	report_people_close(r);
	miss(r, r->next_seq, r->scope.end);
	r->next_seq = r->scope.end > r->next_seq ? r->scope.end : r->next_seq;
}
