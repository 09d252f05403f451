/* What ifreplay does, one function for each command of commands.def. Each prints its answer and
 * gives the exit code: 0 it holds, 1 something was found or could not be read. */
#ifndef IFSWARM_REPLAY_COMMANDS_IO_H
#define IFSWARM_REPLAY_COMMANDS_IO_H

#include "replay/options.h"
#include "replay/source_io.h"

#define COMMAND_TAKES_ASKS  (const struct options *options, struct source *source)
#define COMMAND_TAKES_READS (const struct options *options, struct source *source)
#define COMMAND_TAKES_ALONE (const struct options *options)
#define COMMAND(ask, function, name, kind, first, second, needed, operands, summary, example)      \
	int function##_command COMMAND_TAKES_##kind;
#include "replay/commands.def"
#undef COMMAND

#endif
