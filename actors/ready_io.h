/* Whether the cluster serves, as anybody outside would find out. */
#ifndef IFSWARM_ACTORS_READY_IO_H
#define IFSWARM_ACTORS_READY_IO_H

#include "protocol/settings.h"

/* True if GET /ready on the WebSocket port answers 200 within a second. Over TLS it is not asked:
 * true. */
bool ready_ask(const struct settings *settings);

/* Prints "ready ws://127.0.0.1:8443 turn:127.0.0.1:3478 data ./var" and a newline on standard
 * output. */
void ready_print(const struct settings *settings);

#endif
