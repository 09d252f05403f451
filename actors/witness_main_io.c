/* ifswarm-witness: the one writer of the log. Started by `ifswarm up`. */
#include "actors/start_io.h"
#include "actors/witness_io.h"

int
main(int argc, char **argv)
{
	static struct start start;

	if (!start_read(&start, "witness", true, argc, argv)) {
		return 2;
	}
	return witness_run(start.run_dir, start.settings);
}
