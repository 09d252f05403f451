/* ifswarm-cosigner: takes others' checkpoints over HTTP. Started by `ifswarm up`. */
#include "actors/start_io.h"
#include "gateway/cosigner_io.h"

int
main(int argc, char **argv)
{
	static struct start start;

	if (!start_read(&start, "cosigner", true, argc, argv)) {
		return 2;
	}
	return cosigner_run(&start);
}
