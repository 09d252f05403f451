#include <stdio.h>

#include "actors/cli_io.h"
#include "actors/cli_json_io.h"
#include "actors/operate_ask_io.h"

static const char reload_help[] =
	"usage: ifswarm reload [--json] [--data-dir DIR]\n"
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
	"  --json  {\"taken\":[...],\"kept\":[...],\"faults\":[...],\"late\":[...]}: these lines; "
	"kept: "
	"needs a "
	"restart,\n"
	"          late: an actor that has not answered\n"
	"\n"
	"Exit code 0: done; 1: faults, no cluster, or an actor that has not answered.\n";

static struct cli cli;
static struct settings settings;
static struct report report;

/* The lines of one kind. */
static json_t *
lines_json(enum report_kind kind)
{
	json_t *all = json_array();

	for (size_t i = 0; i < report.count; i++) {
		if (report.kinds[i] == kind) {
			json_array_append_new(all, json_string(report.lines[i]));
		}
	}
	return all;
}

static void
print_lines(bool is_done)
{
	for (size_t i = 0; i < report.count; i++) {
		fprintf(report.kinds[i] == REPORT_DONE ? stdout : stderr, "%s\n", report.lines[i]);
	}
	if (is_done && report.count == 0) {
		puts("nothing has changed");
	}
}

/* Where the cluster runs is all that is read here: its configuration is the supervisor's to read.
 */
int
cli_reload(int argc, char **argv)
{
	const int code = cli_begin(&cli, &settings, argc, argv, reload_help, NULL);
	bool late = false;

	if (code >= 0) {
		return code;
	}
	const struct operate_question question = { .act = "reload", .about = "" };
	const bool is_done = operate_ask(settings.data_dir.bytes, &question, &report) == ACCEPTED;

	for (size_t i = 0; i < report.count; i++) {
		late |= report.kinds[i] == REPORT_LATE;
	}
	if (cli.json) {
		cli_json_print(json_pack("{s:o, s:o, s:o, s:o}", "taken", lines_json(REPORT_DONE),
					 "kept", lines_json(REPORT_KEPT), "faults",
					 lines_json(REPORT_FAULT), "late",
					 lines_json(REPORT_LATE)));
	} else {
		print_lines(is_done);
	}
	return is_done && !late ? EXIT_HOLDS : EXIT_TROUBLE;
}
