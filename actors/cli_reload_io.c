#include <stdio.h>

#include "actors/cli_io.h"
#include "actors/operate_ask_io.h"

static const char reload_help[] =
	"usage: ifswarm reload [--data-dir DIR]\n"
	"\n"
	"Makes the running cluster read its configuration again, from where `ifswarm up` read it: "
	"the same\n"
	"file, environment and options. No call is dropped. SIGHUP to `ifswarm up` does the same.\n"
	"\n"
	"Says line by line which keys were taken over and which need a restart. A configuration "
	"with a\n"
	"fault changes nothing, and every fault is named. A secret that is no longer configured "
	"stays\n"
	"accepted for secret-overlap seconds; permissions that the new peer policy forbids end "
	"within a\n"
	"second. The reload is an event of the log, with who asked.\n"
	"\n"
	"Exit code 0: done; 1: faults, no cluster, or an actor that has not answered.\n";

static struct cli cli;
static struct settings settings;
static struct setting_faults faults;
static struct report report;

/* Where the cluster runs is all that is read here: its configuration is the supervisor's to read.
 */
static int
begin(int argc, char **argv)
{
	static struct setting_word file;

	if (!cli_read(&cli, false, argc, argv)) {
		return EXIT_USAGE;
	}
	if (cli.help) {
		fputs(reload_help, stdout);
		return EXIT_HOLDS;
	}
	if (cli.word_count != 0 || cli.json) {
		fprintf(stderr, "ifswarm reload: \"%s\" does not belong here: see --help\n",
			cli.word_count != 0 ? cli.words[0] : "--json");
		return EXIT_USAGE;
	}
	settings_load(&settings, cli.config, cli.options, cli.option_count, SETTINGS_AGAIN, &faults,
		      &file);
	return -1;
}

int
cli_reload(int argc, char **argv)
{
	const int code = begin(argc, argv);
	bool late = false;

	if (code >= 0) {
		return code;
	}
	const struct operate_question question = { .act = "reload", .about = "" };
	const enum verdict verdict = operate_ask(settings.data_dir.bytes, &question, &report);

	for (size_t i = 0; i < report.count; i++) {
		late |= report.kinds[i] == REPORT_LATE;
		fprintf(report.kinds[i] == REPORT_DONE ? stdout : stderr, "%s\n", report.lines[i]);
	}
	if (verdict == ACCEPTED && report.count == 0) {
		puts("nothing has changed");
	}
	return verdict == ACCEPTED && !late ? EXIT_HOLDS : EXIT_TROUBLE;
}
