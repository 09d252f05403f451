/* What operators ask of a relay over its mailbox: who holds what now, and what is to end. A
 * picture of the moment, page by page; what begins or ends while it is taken may be missing in it.
 *
 *   [ALLOCATIONS, from, agent name]   [ACCEPTED, epoch, next, [allocation, ...]]
 *   [KILL, agent name, allocation]    [ACCEPTED, epoch, found]
 *
 * An empty agent name asks for all. `next` is where the next page begins, 0 after the last. KILL
 * names one of the two, the other is empty or none; `found` counts those that have not ended yet:
 * ask again until there are none.
 *
 *   allocation  [id, user name, client, client transport, server, transport, relayed,
 *                relayed also, created_us, expires_us, packets_up, bytes_up, packets_down,
 * bytes_down, [[peer, channel, expires_us]]]
 *
 * Its counts are those in the log and those that are not reported yet, together. created_us is 0
 * where nobody knows it: the relay and, since its last snapshot, the allocation actor were
 * restarted. */
#ifndef IFSWARM_ACTORS_RELAY_OPERATE_H
#define IFSWARM_ACTORS_RELAY_OPERATE_H

#include "actors/relay.h"

enum {
	OPERATE_PAGE_BYTES = 64 * 1024,
	OPERATE_ROWS_LOOKED_AT = 2048, /* for one page, so that packets do not wait */
	OPERATE_ALLOCATION_ELEMENTS = 15,
	OPERATE_PEERS_MAX = 2 * PEERS_PER_ALLOCATION_MAX,
};

/* False, with nothing written, if it is no such request. `w` has OPERATE_PAGE_BYTES. */
bool relay_operate(struct relay *relay, struct span request, uint64_t epoch, uint64_t now_us,
		   struct mp_writer *w);

#endif
