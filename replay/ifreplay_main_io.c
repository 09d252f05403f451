/* ifreplay: the audit. Read-only; see docs/reviewer-guide.md. */
#include <stdio.h>
#include <stdlib.h>

#include "replay/commands_io.h"

enum { EXIT_USAGE = 2 };

static int
run(const struct options *options, struct source *source)
{
	switch (options->ask) {
	case ASK_LOG:
		return log_command(options, source);
	case ASK_SHOW:
		return show_command(options, source);
	case ASK_AGENT:
		return agent_command(options, source);
	case ASK_STATE:
		return state_command(options, source);
	case ASK_VERIFY:
		return verify_command(options, source);
	case ASK_FOLLOW:
		return follow_command(options, source);
	case ASK_NONE:
	case ASK_HELP:
	case ASK_VERSION:
		break;
	}
	return EXIT_USAGE;
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
	if (options.ask == ASK_HELP || options.ask == ASK_VERSION) {
		fputs(options.ask == ASK_HELP ? options_help() : "ifreplay " IFSWARM_VERSION "\n",
		      stdout);
		return 0;
	}
	if (!source_open(&source, options.data_dir, fault, sizeof fault)) {
		fprintf(stderr, "ifreplay: %s\n", fault);
		return 1;
	}
	const int code = run(&options, &source);
	source_close(&source);
	return code;
}
