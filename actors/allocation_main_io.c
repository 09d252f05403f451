/* ifswarm-allocation: who holds which relayed address. Started by `ifswarm up`. */
#include <stdlib.h>
#include <sys/random.h>

#include "actors/allocation.h"
#include "actors/loop_io.h"
#include "actors/start_io.h"
#include "protocol/log_line_io.h"

static void
reload(void *state, const struct settings *settings)
{
	allocation_set_limits(state, settings);
}

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
	const struct allocation_limits limits =
		allocation_limits_of(0, 0, start.settings->max_allocate_lifetime, seed);
	struct allocation_state *state = allocation_new(&limits);
	allocation_set_limits(state, start.settings);
	const struct core core = allocation_core(state);
	const struct loop_options options = {
		.name = "allocation",
		.run_dir = start.run_dir,
		.settings = start.settings,
		.core = &core,
		.reload = reload,
	};
	const int code = loop_run(&options);

	allocation_free(state);
	return code;
}
