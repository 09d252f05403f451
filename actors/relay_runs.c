#include "actors/relay_runs.h"

#include <assert.h>
#include <errno.h>

struct run_limits
run_limits_at_start(void)
{
	return (struct run_limits){ .segment_max = RUN_BYTES_MAX };
}

struct run
run_begin(size_t bytes)
{
	return (struct run){ .segment = bytes, .bytes = bytes, .count = 1 };
}

bool
run_take(struct run *run, const struct run_limits *limits, size_t bytes, bool same)
{
	assert(run->count > 0);
	if (limits->refused || run->segment > limits->segment_max || !same || run->is_closed) {
		return false;
	}
	if (bytes == 0 || bytes > run->segment || run->count == RUN_DATAGRAMS_MAX ||
	    run->bytes + bytes > RUN_BYTES_MAX) {
		return false;
	}
	run->is_closed = bytes < run->segment;
	run->bytes += bytes;
	run->count++;
	return true;
}

/* EINVAL is said by a kernel that knows no runs, and of datagrams that are too long for their path.
 * A path may be anybody's, so it can make long datagrams of others leave one by one and no more. */
static bool
is_about_the_path(const struct run *run, int error)
{
	return error == EMSGSIZE || (error == EINVAL && run->segment > RUN_SEGMENT_SURE);
}

bool
run_refused(struct run_limits *limits, const struct run *run, int error)
{
	if (run->count < 2) {
		return false;
	}
	if (is_about_the_path(run, error)) {
		if (run->segment > RUN_SEGMENT_FLOOR && run->segment <= limits->segment_max) {
			limits->segment_max = run->segment - 1;
		}
		return true;
	}
	/* EIO: a device without checksums or without scattered memory, or a tunnel. */
	if (error == EINVAL || error == EIO || error == EOPNOTSUPP || error == ENOPROTOOPT) {
		limits->refused = true;
		return true;
	}
	return false;
}
