/* Claims: what agents report about themselves, as they send it over HTTP (DESIGN section 5):
 *
 *   {"event", "agent_id", "peer_id"?, "trace_id"?, "timestamp", "metadata"?}
 *
 * one object, an array of them, or one after another (NDJSON). Values are kept as they were sent: a
 * timestamp is a text or a number, and nobody here judges it. Members of other names are not kept,
 * and the sender is told so.
 */
#ifndef IFSWARM_GATEWAY_CLAIM_H
#define IFSWARM_GATEWAY_CLAIM_H

#include "protocol/types.h"

enum {
	CLAIM_BODY_MAX = 1024 * 1024,
	CLAIMS_PER_REQUEST_MAX = 256,
	CLAIM_FAULT_MAX = 256,
	CLAIM_IGNORED_MAX = 8,
	CLAIM_MEMBER_MAX = 40,
};

struct claim {
	struct name event;
	struct name agent;
	struct name peer;      /* empty: none */
	struct name trace;     /* empty: none */
	struct name timestamp; /* a number as its digits */
	struct json_text metadata;
};

struct claims_report {
	size_t count;    /* claims that were read */
	unsigned status; /* 400 or 413, when they were refused */
	char fault[CLAIM_FAULT_MAX];
	size_t ignored; /* members of other names: the first few of them */
	char ignored_name[CLAIM_IGNORED_MAX][CLAIM_MEMBER_MAX];
};

typedef void claim_take(void *context, const struct claim *claim);

/* Gives the claims in order. False, with the claim's index and the member in `fault`, if any is
 * wrong: then none of them counts, whatever was given before. */
bool claims_read(struct span body, claim_take *take, void *context, struct claims_report *report);

#endif
