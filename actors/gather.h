/* When it pays to leave datagrams alone for a moment, so that several come at once: as network
 * cards do it (interrupt moderation), for to be woken costs a process more than to forward one
 * datagram.
 *
 * Whoever reads datagrams tells after each turn how many it took, and may pause before it waits for
 * the next if gather_is_due says so. A turn that took nothing is not followed by a pause, so what
 * comes after silence is served at once. Who sleeps on a machine where others want the processor
 * comes back late: when that happens often, there are no pauses for a while. */
#ifndef IFSWARM_ACTORS_GATHER_H
#define IFSWARM_ACTORS_GATHER_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed: nothing came yet. */
struct gather {
	uint64_t window_us; /* when the window began */
	uint32_t window_taken;
	bool pays;      /* the last window brought enough */
	uint32_t taken; /* in the last turn */
	uint32_t late;  /* grows with pauses that ended late, shrinks with all others */
	uint64_t not_before_us;
};

/* At the end of a turn that took so many datagrams. */
void gather_count(struct gather *gather, uint32_t taken, uint64_t now_us);
/* True if a pause of that length is due now; 0: never. */
bool gather_is_due(const struct gather *gather, uint64_t pause_us, uint64_t now_us);
/* The pause of that length that was due took from there to there. */
void gather_paused(struct gather *gather, uint64_t pause_us, uint64_t from_us, uint64_t to_us);

#endif
