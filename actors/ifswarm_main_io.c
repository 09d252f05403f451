/* ifswarm: the operator's program. */
#include <stdio.h>
#include <string.h>

#include "actors/cli_io.h"

static const char help[] =
	"usage: ifswarm COMMAND [OPTION]...\n"
	"\n"
	"Signaling, STUN and TURN for WebRTC agents, with an evidence log.\n"
	"\n"
	"  up                run the cluster in the foreground\n"
	"  status            what runs, and how long the log is\n"
	"  config check      every fault of the configuration\n"
	"  config import     a turnserver.conf of coturn, as ifswarm.conf\n"
	"  credential AGENT  a time-limited TURN credential\n"
	"  reload            take over a changed configuration\n"
	"  allocations       who relays what, now\n"
	"  kill WHAT         end an allocation, or an agent's connections\n"
	"  revoke AGENT      refuse an agent's TURN credentials from now on\n"
	"  drain             take no new work, and wait until nothing is left\n"
	"  stop              stop the cluster in order\n"
	"\n"
	"  ifswarm COMMAND --help   more about one\n"
	"  ifswarm --version        the version\n"
	"\n"
	"The data directory is --data-dir, else the environment IFSWARM_DATA, else ./var.\n"
	"Exit codes: 0 done, 1 trouble, 2 wrong usage or configuration.\n"
	"`man ifswarm`, `man ifswarm.conf`; the audit is `ifreplay`.\n";

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "up", cli_up },         { "status", cli_status },
	{ "config", cli_config }, { "credential", cli_credential },
	{ "reload", cli_reload }, { "allocations", cli_allocations },
	{ "kill", cli_kill },     { "revoke", cli_revoke },
	{ "drain", cli_drain },   { "stop", cli_stop },
};

static int
say_help(FILE *stream, int code)
{
	fputs(help, stream);
	return code;
}

int
main(int argc, char **argv)
{
	if (argc < 2) {
		return say_help(stderr, EXIT_USAGE);
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		return say_help(stdout, EXIT_HOLDS);
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("ifswarm " IFSWARM_VERSION);
		return EXIT_HOLDS;
	}
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		if (strcmp(argv[1], commands[i].name) == 0) {
			return commands[i].run(argc - 1, argv + 1);
		}
	}
	fprintf(stderr, "ifswarm: unknown command \"%s\": see `ifswarm --help`\n", argv[1]);
	return EXIT_USAGE;
}
