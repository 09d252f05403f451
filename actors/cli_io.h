/* The commands of `ifswarm`, and what they share: options and how settings are found. */
#ifndef IFSWARM_ACTORS_CLI_IO_H
#define IFSWARM_ACTORS_CLI_IO_H

#include "actors/settings_io.h"

enum { EXIT_HOLDS = 0, EXIT_TROUBLE = 1, EXIT_USAGE = 2, CLI_OPTIONS_MAX = 256, CLI_WORDS_MAX = 4 };

/* A command line that was read. Strings are argv's. */
struct cli {
	const char *config; /* --config, or NULL */
	bool json;
	bool help;
	size_t option_count;
	struct settings_option options[CLI_OPTIONS_MAX]; /* keys of settings.def */
	size_t word_count;
	const char *words[CLI_WORDS_MAX];
};

/* Reads the arguments after the command's name. `all_keys`: every key of settings.def is an option
 * (of `up` and `config check`), else --data-dir alone. False if one is unknown or out of place: it
 * was said on standard error. */
bool cli_read(struct cli *out, bool all_keys, int argc, char **argv);

/* The options of one command alone; both take them out of the arguments, before cli_read sees
 * those. The value of "--NAME VALUE" or "--NAME=VALUE"; NULL if it is not there. */
const char *cli_take_value(int *argc, char **argv, const char *name);
/* "--NAME" */
bool cli_take_flag(int *argc, char **argv, const char *name);
/* Reads a command about the running cluster: --data-dir, --help, --json, and one word, which `what`
 * names, or none if that is NULL. -1 to go on, else the exit code. */
int cli_begin(struct cli *out, struct settings *settings, int argc, char **argv, const char *help,
	      const char *what);

/* All layers, and the level of log_line. Prints every fault, and returns how many there are; `file`
 * gets the configuration's name, or "". */
size_t cli_settings(const struct cli *cli, struct settings *out, struct setting_faults *faults,
		    struct setting_word *file);

/* Each takes the arguments after the command's name, and returns the exit code. */
int cli_up(int argc, char **argv);
int cli_status(int argc, char **argv);
int cli_config(int argc, char **argv);
int cli_import(int argc, char **argv); /* of `config import` */
int cli_credential(int argc, char **argv);
int cli_stop(int argc, char **argv);
int cli_reload(int argc, char **argv);
int cli_allocations(int argc, char **argv);
int cli_kill(int argc, char **argv);
int cli_revoke(int argc, char **argv);
int cli_drain(int argc, char **argv);

#endif
