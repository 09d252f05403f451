/* What a relay counts, as it reaches who serves the metrics: the relay says it with each answer to
 * the supervisor's ping, the supervisor with each ping to the gateways. Its size is fixed: no name
 * and no address is ever in it (THREATS D16). */
#ifndef IFSWARM_PROTOCOL_TURN_TALLY_H
#define IFSWARM_PROTOCOL_TURN_TALLY_H

#include "protocol/mp.h"

enum tally_count {
	TALLY_PACKETS_UP,
	TALLY_BYTES_UP,
	TALLY_PACKETS_DOWN,
	TALLY_BYTES_DOWN,
	TALLY_REQUESTS,
	TALLY_CHALLENGES, /* 401 to who has shown nothing yet, 438: the first step of every client
			   */
	TALLY_NOT_STUN,
	TALLY_NO_ROUTE,
	TALLY_DENIED,
	TALLY_LIMITED,
	TALLY_PENDING_FULL,
	TALLY_OVER_RATE,
	TALLY_KERNEL_DROPS,
	TALLY_COUNTS
};

enum tally_family { TALLY_IPV4, TALLY_IPV6, TALLY_BOTH, TALLY_FAMILIES };

enum {
	TALLY_TRANSPORTS = 4, /* enum client_transport */
	TALLY_VERDICTS = 96,  /* by verdict_number */
	TURN_TALLY_BYTES_MAX =
		9 * (TALLY_COUNTS + TALLY_TRANSPORTS * TALLY_FAMILIES + TALLY_VERDICTS + 2) + 16,
};

struct turn_tally {
	uint64_t relay; /* its number; 0: nothing is known */
	uint64_t allocations[TALLY_TRANSPORTS][TALLY_FAMILIES];
	uint64_t counts[TALLY_COUNTS];
	uint64_t refused[TALLY_VERDICTS];
};

void turn_tally_write(struct mp_writer *w, const struct turn_tally *tally);
/* Sets r->bad if it is none. */
void turn_tally_read(struct mp_reader *r, struct turn_tally *out);

#endif
