/* Command ids: UUIDv7 (RFC 9562 section 5.7) that never decrease within one generator. */
#ifndef IFSWARM_PROTOCOL_UUID_H
#define IFSWARM_PROTOCOL_UUID_H

#include "protocol/types.h"

struct uuid_generator {
	uint64_t last_ms;
	uint32_t counter; /* within that millisecond, RFC 9562 section 6.2 method 1 */
	uint8_t tail[6];  /* random, fixed for the life of the generator */
};

/* The next id at time `now_ms`; a clock that went back does not make ids go back. */
struct id uuid_next(struct uuid_generator *generator, uint64_t now_ms);

#endif
