/* ifswarm-allocation: who holds which relayed address. Started by `ifswarm up`. */
#include <stdlib.h>
#include <sys/random.h>

#include "actors/allocation.h"
#include "actors/loop_io.h"
#include "actors/start_io.h"
#include "protocol/log_line_io.h"

int
main(int argc, char **argv)
{
	static struct start start;
	uint64_t seed = 0;

	if (!start_read(&start, "allocation", true, argc, argv)) {
		return 2;
	}
	if (getrandom(&seed, sizeof seed, 0) != sizeof seed) {
		log_error("the kernel gave no random bytes: nothing can be decided without them");
		return 1;
	}
	const struct settings *settings = start.settings;
	struct allocation_limits limits = allocation_limits_of(
		settings->user_quota, settings->total_quota, settings->max_allocate_lifetime, seed);
	limits.legacy_channels = settings->legacy_channels;
	struct allocation_state *state = allocation_new(&limits);
	const struct core core = allocation_core(state);
	const struct loop_options options = {
		.name = "allocation",
		.run_dir = start.run_dir,
		.settings = settings,
		.core = &core,
	};
	const int code = loop_run(&options);

	allocation_free(state);
	return code;
}
