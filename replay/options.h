/* The command line of ifreplay, as a value. Everything that is not understood is refused by name:
 * an audit that silently ignored an option would answer another question than the one asked.
 *
 * What there is stands in commands.def and options.def: the parser and --help come from them.
 */
#ifndef IFSWARM_REPLAY_OPTIONS_H
#define IFSWARM_REPLAY_OPTIONS_H

#include "protocol/event.h"
#include "replay/moment.h"
#include "replay/outcome.h"

enum ask {
	ASK_NONE,
#define COMMAND(ask, function, name, kind, first, second, needed, operands, summary, example)      \
	ASK_##ask,
#include "replay/commands.def"
#undef COMMAND
	ASK_COUNT,
};

#define OPTION_FIELD_FLAG    bool
#define OPTION_FIELD_TEXT    const char *
#define OPTION_FIELD_NAME    const char *
#define OPTION_FIELD_PRIVATE const char *
#define OPTION_FIELD_COUNT   uint64_t
#define OPTION_FIELD_WIDTH   uint64_t
#define OPTION_FIELD_MOMENT  struct moment
#define OPTION_FIELD_SEQ     struct moment
#define OPTION_FIELD_TYPE    const struct event_description *
#define OPTION_FIELD_STREAM  uint64_t
#define OPTION_FIELD_OUTCOME struct outcome
#define OPTION_FIELD_PLACE   struct moment
#define OPTION_FIELD_ID      struct id

/* Strings are borrowed from the command line; what was not given is NULL, 0, false or not set. */
struct options {
	enum ask ask;
	bool is_help;               /* --help, of that command or of all: nothing else counts */
	bool is_version;            /* likewise */
	unsigned operands;          /* how many were given */
	const char *asked;          /* the first name that was given: who the question is about */
	char scope[TEXT_BYTES_MAX]; /* the other options that were given, cut if they are long */
	uint64_t seq;               /* the operand of show and prove; the last seq of a range */
	struct id hold;             /* the operand of release */
	const char *at_file;        /* of --at, where that is no moment: a checkpoint's file */
#define OPTION(field, take, name, value, meaning, commands) OPTION_FIELD_##take field;
#define OPTION_AS(field, take, name, value, meaning, commands)
#include "replay/options.def"
#undef OPTION
#undef OPTION_AS
};

enum { OPTIONS_FAULT_MAX = 320, OPTIONS_HELP_MAX = 4096 };

/* Reads argv[1..]; without --data-dir the value of IFSWARM_DATA counts, which may be NULL (then
 * ./var). False: `fault` holds one line that names what is wrong and what to do. */
bool options_parse(int argc, char *const argv[], const char *data_variable, struct options *out,
		   char fault[OPTIONS_FAULT_MAX]);

/* What --help prints, of one command or (ASK_NONE) of all: it fits a screen. */
void options_help(enum ask ask, char out[OPTIONS_HELP_MAX]);

/* "show" */
const char *options_command_name(enum ask ask);

#endif
