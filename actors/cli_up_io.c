#include <stdio.h>
#include <string.h>

#include "actors/certificate_io.h"
#include "actors/cli_io.h"
#include "actors/data_dir_io.h"
#include "actors/supervisor_io.h"
#include "protocol/log_line_io.h"

static const char up_help[] =
	"usage: ifswarm up [--config FILE] [--KEY VALUE]...\n"
	"\n"
	"Runs the cluster in the foreground: witness, session, allocation, relays, gateways.\n"
	"Prints one line beginning `ready ` on standard output when it serves. Ctrl-C stops it in "
	"order.\n"
	"\n"
	"  --config FILE            default ./ifswarm.conf, else /etc/ifswarm/ifswarm.conf, if "
	"there is one\n"
	"  --data-dir DIR           the log, keys and sockets (default ./var; environment "
	"IFSWARM_DATA)\n"
	"  --host IP                of WebSocket and HTTP (default 127.0.0.1)\n"
	"  --port N                 likewise (default 8443)\n"
	"  --open-signaling         anyone who reaches the port may register; needed beyond "
	"loopback\n"
	"  --tls-cert FILE          certificate chain of the WebSocket port (PEM), with --tls-key "
	"FILE\n"
	"  --listening-ip IP        of STUN and TURN; several times for several\n"
	"  --listening-port N       likewise (default 3478)\n"
	"  --cert FILE, --pkey FILE certificate chain and key of TURN over TLS and DTLS (PEM)\n"
	"  --external-ip IP         the public address of a server behind NAT\n"
	"  --min-port N             first relayed port (default 49152), --max-port N the last\n"
	"  --allowed-peer-ip RANGE  peers in a private network that may be reached: IP, A-B or "
	"CIDR\n"
	"  --relays N, --gateways N numbers of processes (default 1)\n"
	"  --log-level LEVEL        error, warning, info or debug\n"
	"\n"
	"Every key of ifswarm.conf is an option: `man ifswarm.conf` lists them all. Secrets are "
	"not: they\n"
	"come from the file or the environment.\n";

static const char config_help[] =
	"usage: ifswarm config check [--config FILE] [--KEY VALUE]...\n"
	"\n"
	"Reads the configuration as `ifswarm up` would, and names every fault with its file and "
	"line.\n"
	"Nothing is started and nothing is changed. Exit code 0: `ifswarm up` would take it; 1: "
	"faults.\n"
	"\n"
	"  --config FILE  default ./ifswarm.conf, else /etc/ifswarm/ifswarm.conf, if there is one\n"
	"  --KEY VALUE    as for `ifswarm up`: `man ifswarm.conf` lists all keys\n"
	"\n"
	"`ifswarm config import --help`: from a turnserver.conf of coturn.\n";

static struct cli cli;
static struct settings settings;
static struct setting_faults faults;

int
cli_up(int argc, char **argv)
{
	struct setting_word file;

	if (!cli_read(&cli, true, argc, argv)) {
		return EXIT_USAGE;
	}
	if (cli.help) {
		fputs(up_help, stdout);
		return EXIT_HOLDS;
	}
	if (cli.word_count != 0 || cli.json) {
		fprintf(stderr, "ifswarm up: %s is no option: see `ifswarm up --help`\n",
			cli.json ? "--json" : cli.words[0]);
		return EXIT_USAGE;
	}
	if (cli_settings(&cli, &settings, &faults, &file) != 0) {
		return EXIT_USAGE;
	}
	if (file.bytes[0] != '\0') {
		log_info("configuration %s", file.bytes);
	}
	const struct settings_source source = {
		.file = cli.config,
		.options = cli.options,
		.option_count = cli.option_count,
		.listening_is_preset =
			strcmp(setting_source(&faults, "listening-ip"), "preset") == 0,
	};

	return supervisor_run(&settings, &source);
}

int
cli_config(int argc, char **argv)
{
	struct setting_word file;

	if (argc > 1 && strcmp(argv[1], "import") == 0) {
		return cli_import(argc - 1, argv + 1);
	}
	if (!cli_read(&cli, true, argc, argv)) {
		return EXIT_USAGE;
	}
	if (cli.help) {
		fputs(config_help, stdout);
		return EXIT_HOLDS;
	}
	if (cli.word_count != 1 || strcmp(cli.words[0], "check") != 0 || cli.json) {
		fprintf(stderr, "ifswarm config: `ifswarm config check` or `ifswarm config import "
				"turnserver.conf`\n");
		return EXIT_USAGE;
	}
	size_t count = cli_settings(&cli, &settings, &faults, &file);

	certificate_doubt(&settings, &faults);
	for (; count < faults.count; count++) {
		fprintf(stderr, "%s\n", faults.lines[count]);
	}
	const char *name =
		file.bytes[0] == '\0' ? "the configuration (no file, presets)" : file.bytes;

	if (count != 0) {
		fprintf(stderr, "%s: %zu fault%s\n", name, count, count == 1 ? "" : "s");
		return EXIT_TROUBLE;
	}
	printf("%s is right\n", name);
	return EXIT_HOLDS;
}
