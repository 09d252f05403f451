/* The two clocks. Pure code never reads them: times arrive inside commands. */
#ifndef IFSWARM_PROTOCOL_TIME_IO_H
#define IFSWARM_PROTOCOL_TIME_IO_H

#include <stdint.h>

/* Microseconds since 1970, UTC. It may step when somebody sets the clock. */
uint64_t time_now_us(void);
/* Microseconds since some moment of this boot; never steps. For intervals and deadlines. */
uint64_t time_monotonic_us(void);

#endif
