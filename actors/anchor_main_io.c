/* ifswarm-anchor: shows our checkpoints to witnesses and to a timestamping authority. Started by
 * `ifswarm up`. */
#include "actors/anchor_io.h"

int
main(int argc, char **argv)
{
	static struct start start;

	if (!start_read(&start, "anchor", true, argc, argv)) {
		return 2;
	}
	return anchor_run(&start);
}
