#include "gateway/turn_metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "protocol/event.h"
#include "protocol/verdict.h"

struct page {
	char *at;
	size_t size;
	size_t used;
};

static void __attribute__((format(printf, 2, 3))) add(struct page *page, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	const int count =
		vsnprintf(page->at + page->used, page->size - page->used, format, arguments);
	va_end(arguments);
	assert(count >= 0 && (size_t)count < page->size - page->used);
	page->used += (size_t)count;
}

/* A metric is one value for each relay, or several told apart by a label of fixed words. */
static const struct {
	const char *name;
	const char *label;
	enum tally_count count;
} counters[] = {
	{ "ifswarm_turn_packets_total", "direction=\"up\"", TALLY_PACKETS_UP },
	{ "ifswarm_turn_packets_total", "direction=\"down\"", TALLY_PACKETS_DOWN },
	{ "ifswarm_turn_bytes_total", "direction=\"up\"", TALLY_BYTES_UP },
	{ "ifswarm_turn_bytes_total", "direction=\"down\"", TALLY_BYTES_DOWN },
	{ "ifswarm_turn_requests_total", "", TALLY_REQUESTS },
	{ "ifswarm_turn_challenges_total", "", TALLY_CHALLENGES },
	{ "ifswarm_turn_dropped_total", "reason=\"not_stun\"", TALLY_NOT_STUN },
	{ "ifswarm_turn_dropped_total", "reason=\"no_route\"", TALLY_NO_ROUTE },
	{ "ifswarm_turn_dropped_total", "reason=\"peer_denied\"", TALLY_DENIED },
	{ "ifswarm_turn_dropped_total", "reason=\"source_limited\"", TALLY_LIMITED },
	{ "ifswarm_turn_dropped_total", "reason=\"queue_full\"", TALLY_PENDING_FULL },
	{ "ifswarm_turn_dropped_total", "reason=\"over_rate\"", TALLY_OVER_RATE },
	{ "ifswarm_turn_kernel_drops_total", "", TALLY_KERNEL_DROPS },
};

static void
add_counters(struct page *page, const struct turn_tally *tallies, size_t count)
{
	for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++) {
		if (i == 0 || counters[i].name != counters[i - 1].name) {
			add(page, "# TYPE %s counter\n", counters[i].name);
		}
		for (size_t t = 0; t < count; t++) {
			add(page, "%s{relay=\"%" PRIu64 "\"%s%s} %" PRIu64 "\n", counters[i].name,
			    tallies[t].relay, counters[i].label[0] == '\0' ? "" : ",",
			    counters[i].label, tallies[t].counts[counters[i].count]);
		}
	}
}

/* One series for each refusal a TURN client can get, whether it ever got it or not. */
static void
add_refusals(struct page *page, const struct turn_tally *tallies, size_t count)
{
	add(page, "# TYPE ifswarm_turn_refused_total counter\n");
	for (uint64_t number = 0; number < TALLY_VERDICTS; number++) {
		enum verdict verdict;

		if (!verdict_from_number(number, &verdict) || verdict_stun_code(verdict) == 0) {
			continue;
		}
		for (size_t t = 0; t < count; t++) {
			add(page,
			    "ifswarm_turn_refused_total{relay=\"%" PRIu64
			    "\",code=\"%u\",reason=\"%s\"} %" PRIu64 "\n",
			    tallies[t].relay, verdict_stun_code(verdict), verdict_code(verdict),
			    tallies[t].refused[number]);
		}
	}
}

static void
add_allocations(struct page *page, const struct turn_tally *tallies, size_t count)
{
	static const char *const families[TALLY_FAMILIES] = { "ipv4", "ipv6", "both" };

	add(page, "# TYPE ifswarm_turn_allocations gauge\n");
	for (size_t t = 0; t < count; t++) {
		for (size_t i = 0; i < TALLY_TRANSPORTS * TALLY_FAMILIES; i++) {
			const size_t transport = i / TALLY_FAMILIES;
			const size_t family = i % TALLY_FAMILIES;

			add(page,
			    "ifswarm_turn_allocations{relay=\"%" PRIu64
			    "\",transport=\"%s\",family=\"%s\"} %" PRIu64 "\n",
			    tallies[t].relay, client_transport_name(transport), families[family],
			    tallies[t].allocations[transport][family]);
		}
	}
}

size_t
turn_metrics_write(char *out, size_t size, const struct turn_tally *tallies, size_t count,
		   uint64_t limit)
{
	struct page page = { .at = out, .size = size };

	add_allocations(&page, tallies, count);
	add(&page,
	    "# TYPE ifswarm_turn_allocations_limit gauge\n"
	    "ifswarm_turn_allocations_limit %" PRIu64 "\n",
	    limit);
	add_counters(&page, tallies, count);
	add_refusals(&page, tallies, count);
	return page.used;
}
