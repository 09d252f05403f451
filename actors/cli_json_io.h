/* What the commands of `ifswarm` say with --json: one line on standard output. */
#ifndef IFSWARM_ACTORS_CLI_JSON_IO_H
#define IFSWARM_ACTORS_CLI_JSON_IO_H

#include <jansson.h>

/* Takes it over. */
void cli_json_print(json_t *all);

#endif
