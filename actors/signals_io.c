#include "actors/signals_io.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t stop;

static void
on_stop(int number)
{
	(void)number;
	stop = 1;
}

bool
signals_catch(void)
{
	struct sigaction ends = { .sa_handler = on_stop };
	struct sigaction ignored = { .sa_handler = SIG_IGN };

	return sigaction(SIGTERM, &ends, NULL) == 0 && sigaction(SIGINT, &ignored, NULL) == 0 &&
	       sigaction(SIGPIPE, &ignored, NULL) == 0;
}

bool
signals_stop(void)
{
	return stop != 0;
}
