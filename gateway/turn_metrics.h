/* The TURN side of /metrics, from what relays count. The number of lines depends on the number of
 * relays alone: no label is a name or an address (THREATS D16). */
#ifndef IFSWARM_GATEWAY_TURN_METRICS_H
#define IFSWARM_GATEWAY_TURN_METRICS_H

#include <stddef.h>

#include "protocol/turn_tally.h"

enum { TURN_METRICS_BYTES_MAX = 32 * 1024 * RELAYS_MAX };

/* Appends to `out` (terminated; `size` TURN_METRICS_BYTES_MAX is enough) and returns how much.
 * `limit`: how many allocations may be held in all. */
size_t turn_metrics_write(char *out, size_t size, const struct turn_tally *tallies, size_t count,
			  uint64_t limit);

#endif
