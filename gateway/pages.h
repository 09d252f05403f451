/* The HTTP pages on the WebSocket port, as text. Written pages are allocated and terminated; free()
 * them.
 *
 * `/`, `/health`, `/ready` and `/metrics` are for anybody who reaches the port: they name nobody.
 * `/agents` and
 * `/connections` name agents: they are served to clients on this host only. */
#ifndef IFSWARM_GATEWAY_PAGES_H
#define IFSWARM_GATEWAY_PAGES_H

#include "protocol/turn_tally.h"

enum page {
	PAGE_ROOT,
	PAGE_HEALTH,
	PAGE_READY,
	PAGE_METRICS,
	PAGE_AGENTS,
	PAGE_CONNECTIONS,
	PAGE_NONE
};

/* By path, without the query; a slash at the end does not matter. */
enum page page_find(const char *path);
/* True if the page names agents. */
bool page_is_private(enum page page);
const char *page_type(enum page page);

struct page_facts {
	uint64_t gateway;
	uint64_t epoch; /* of session; 0: not known yet */
	bool attached;  /* session answers */
	uint64_t connections;
	uint64_t frames_in;
	uint64_t frames_out;
	uint64_t refusals;
	uint64_t closed_slow;
	uint64_t closed_fast;
	/* As the supervisor says it with each ping. */
	uint64_t scrub_ended_s; /* UTC; 0: no whole round yet */
	uint64_t scrub_findings;
	size_t relays; /* whose tallies follow */
	struct turn_tally tallies[RELAYS_MAX];
	uint64_t allocations_limit;
};

/* 200 or 503. */
unsigned page_status(enum page page, const struct page_facts *facts);
/* Every page but the two that list agents. */
char *page_write(enum page page, const struct page_facts *facts);
/* /agents and /connections from session's reply to ROSTER; NULL if that cannot be read. */
char *page_write_roster(enum page page, struct span reply);

#endif
