/* Runs: datagrams that the kernel takes, or gives, as one piece of work.
 *
 * Out, UDP_SEGMENT (generic segmentation offload): datagrams for one target, all as long as the
 * first and only the last one shorter, leave in one call and walk most of the kernel once.
 *
 * In, UDP_GRO: such a run comes as one long piece and the size of its datagrams; again only the
 * last is shorter. Each of them is then a datagram like any other, cut off exactly where it ends.
 */
#ifndef IFSWARM_ACTORS_RELAY_RUNS_H
#define IFSWARM_ACTORS_RELAY_RUNS_H

#include "protocol/types.h"

enum {
	RUN_DATAGRAMS_MAX = 64,   /* what every kernel that knows UDP_SEGMENT takes */
	RUN_BYTES_MAX = 65507,    /* of a UDP datagram in IPv4: the run is one on its way down */
	RUN_SEGMENT_FLOOR = 1200, /* runs this long are tried for ever: paths carry them */
	RUN_SEGMENT_SURE = 500,   /* what no path refuses (IPv4's least MTU is 552 here) */
};

/* --- out --- */

struct run {
	size_t segment; /* the length of its first datagram */
	size_t bytes;
	uint32_t count;
	bool is_closed; /* its last one is shorter */
};

/* What is known of the kernel and the paths behind it. */
struct run_limits {
	bool refused;       /* it takes no runs at all */
	size_t segment_max; /* longer datagrams leave one by one */
};

struct run_limits run_limits_at_start(void);
struct run run_begin(size_t bytes);
/* Takes one more datagram in, which has the same target if `same`; false, with nothing changed, if
 * it has to begin a run of its own. */
bool run_take(struct run *run, const struct run_limits *limits, size_t bytes, bool same);
/* The kernel refused a run with `error`. True if its datagrams are to be sent one by one instead;
 * what follows from it for later runs is remembered. */
bool run_refused(struct run_limits *limits, const struct run *run, int error);

/* --- in --- */

/* The datagram at `at` of a piece of `bytes`, whose datagrams are `segment` > 0 long. */
static inline size_t
run_cut(size_t bytes, size_t segment, size_t at)
{
	return bytes - at < segment ? bytes - at : segment;
}

#endif
