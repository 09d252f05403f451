/* How often strangers are answered: replies a second to one source and to all of them together, so
 * that a spoofed flood is not reflected (THREATS E3). A source is an IPv4 address or an IPv6 /64.
 *
 * The table is fixed: sources that meet in a place within one second share its allowance. */
#ifndef IFSWARM_ACTORS_RELAY_LIMIT_H
#define IFSWARM_ACTORS_RELAY_LIMIT_H

#include "protocol/types.h"

enum { LIMIT_PLACES = 8192, LIMIT_WHOLE_FACTOR = 50 };

struct limit {
	uint64_t seed;
	uint64_t rate; /* a second and source; all together LIMIT_WHOLE_FACTOR times as many; 0: no
			  limit */
	uint64_t whole_second;
	uint64_t whole_count;
	uint32_t seconds[LIMIT_PLACES];
	uint32_t counts[LIMIT_PLACES];
};

void limit_init(struct limit *limit, uint64_t rate, uint64_t seed);
/* Counts a reply to this source and says whether it may be sent. */
bool limit_take(struct limit *limit, const struct address *source, uint64_t now_us);

#endif
