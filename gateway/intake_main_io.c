/* ifswarm-intake: takes what agents report about themselves over HTTP. Started by `ifswarm up`. */
#include "actors/start_io.h"
#include "gateway/intake_io.h"

int
main(int argc, char **argv)
{
	static struct start start;

	if (!start_read(&start, "intake", true, argc, argv)) {
		return 2;
	}
	return intake_run(&start);
}
