/* What ifreplay does, one function for each command. Each prints its answer and gives the exit
 * code: 0 it holds, 1 something was found or could not be read. */
#ifndef IFSWARM_REPLAY_COMMANDS_IO_H
#define IFSWARM_REPLAY_COMMANDS_IO_H

#include "replay/options.h"
#include "replay/source_io.h"

int log_command(const struct options *options, struct source *source);
int show_command(const struct options *options, struct source *source);
int agent_command(const struct options *options, struct source *source);
int state_command(const struct options *options, struct source *source);
int prove_command(const struct options *options, struct source *source);
int verify_command(const struct options *options, struct source *source);
/* Until the output is closed or the process is ended. */
int follow_command(const struct options *options, struct source *source);

#endif
