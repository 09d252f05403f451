/* SIGTERM and SIGINT mean: end in order. */
#ifndef IFSWARM_ACTORS_SIGNALS_IO_H
#define IFSWARM_ACTORS_SIGNALS_IO_H

#include <stdbool.h>

/* Catches SIGTERM (a poll or epoll_wait returns with EINTR) and ignores SIGINT, which a terminal
 * sends to the whole family: the supervisor stops its children in their order. Ignores SIGPIPE. */
bool signals_catch(void);
/* True once SIGTERM has come. */
bool signals_stop(void);

#endif
