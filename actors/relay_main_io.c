/* ifswarm-relay: STUN and TURN over UDP. Started by `ifswarm up`, one process for each relay. */
#include "actors/relay_io.h"

int
main(int argc, char **argv)
{
	static struct start start;

	if (!start_read(&start, "relay", false, argc, argv)) {
		return 2;
	}
	return relay_run(&start);
}
