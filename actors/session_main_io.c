#include "actors/loop_io.h"
#include "actors/session.h"
#include "actors/start_io.h"
#include "protocol/log_line_io.h"

#include <stdlib.h>
#include <sys/random.h>

int
main(int argc, char **argv)
{
	const struct session_sizes sizes = session_sizes_default();
	struct start start;
	uint64_t seed;

	if (!start_read(&start, "session", true, argc, argv)) {
		return EXIT_FAILURE;
	}
	if (getrandom(&seed, sizeof seed, 0) != sizeof seed) {
		log_error("the kernel gives no random bytes: start on a kernel with getrandom");
		return EXIT_FAILURE;
	}
	struct session_state *state = session_new(&sizes, seed);
	if (state == NULL) {
		log_error("no memory for the tables of session: free some, or start on a larger "
			  "host");
		return EXIT_FAILURE;
	}
	const struct core core = session_core(state);
	const struct loop_options options = {
		.name = "session",
		.run_dir = start.run_dir,
		.settings = start.settings,
		.core = &core,
	};
	const int code = loop_run(&options);
	session_free(state);
	return code;
}
