/* ifreplay: the audit, and the care of the log. See docs/reviewer-guide.md, docs/operator-guide.md.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "replay/acts_io.h"
#include "replay/commands_io.h"

enum { EXIT_USAGE = 2 };

typedef int read_function(const struct options *options, struct source *source);
typedef int alone_function(const struct options *options);

/* One of the two functions is set. */
static const struct {
	bool asks;
	read_function *reads;
	alone_function *alone;
} commands[ASK_COUNT] = {
#define COMMAND_IS_ASKS(function)  .asks = true, .reads = (function)
#define COMMAND_IS_READS(function) .reads = (function)
#define COMMAND_IS_ALONE(function) .alone = (function)
#define COMMAND(ask, function, name, kind, first, second, needed, operands, summary, example)      \
	[ASK_##ask] = { COMMAND_IS_##kind(function##_command) },
#include "replay/commands.def"
#undef COMMAND
};

static int
help(const struct options *options)
{
	char text[OPTIONS_HELP_MAX] = "ifreplay " IFSWARM_VERSION "\n";

	if (options->is_help) {
		options_help(options->ask, text);
	}
	fputs(text, stdout);
	return 0;
}

int
main(int argc, char *argv[])
{
	struct options options;
	struct source source;
	char fault[512];

	if (!options_parse(argc, argv, getenv("IFSWARM_DATA"), &options, fault)) {
		fprintf(stderr, "ifreplay: %s\n", fault);
		return EXIT_USAGE;
	}
	if (options.is_help || options.is_version) {
		return help(&options);
	}
	if (commands[options.ask].alone != NULL) {
		return commands[options.ask].alone(&options);
	}
	if (!source_open(&source, options.data_dir, fault, sizeof fault)) {
		fprintf(stderr, "ifreplay: %s\n", fault);
		return 1;
	}
	assert(commands[options.ask].reads != NULL);
	if (commands[options.ask].asks) {
		acts_query(&options, &source);
	}
	const int code = commands[options.ask].reads(&options, &source);
	source_close(&source);
	return code;
}
