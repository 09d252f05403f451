#include <stdlib.h>

#include "gateway/gateway_io.h"

int
main(int argc, char **argv)
{
	static struct start start;

	if (!start_read(&start, "gateway", false, argc, argv)) {
		return EXIT_FAILURE;
	}
	return gateway_run(&start);
}
