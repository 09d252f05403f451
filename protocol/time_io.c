#include "protocol/time_io.h"

#include <assert.h>
#include <time.h>

static uint64_t
read_clock_us(clockid_t clock)
{
	struct timespec now;
	const int failed = clock_gettime(clock, &now);

	assert(failed == 0);
	assert(now.tv_sec >= 0);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t
time_now_us(void)
{
	return read_clock_us(CLOCK_REALTIME);
}

uint64_t
time_monotonic_us(void)
{
	return read_clock_us(CLOCK_MONOTONIC);
}
