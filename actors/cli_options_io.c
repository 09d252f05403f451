#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "actors/cli_io.h"
#include "protocol/log_line_io.h"

enum { OPTION_CONFIG = 1000, OPTION_JSON, OPTION_HELP, OPTION_KEY };

/* getopt_long's table, made from settings.def: option OPTION_KEY + i is the i-th key. */
static void
make_table(struct option table[SETTINGS_COUNT + 4])
{
	size_t count;
	size_t used = 0;
	const struct setting_description *settings = settings_table(&count);

	table[used++] = (struct option){ "config", required_argument, NULL, OPTION_CONFIG };
	table[used++] = (struct option){ "json", no_argument, NULL, OPTION_JSON };
	table[used++] = (struct option){ "help", no_argument, NULL, OPTION_HELP };
	for (size_t i = 0; i < count; i++) {
		const int argument =
			settings[i].kind == SETTING_FLAG ? optional_argument : required_argument;

		table[used++] =
			(struct option){ settings[i].key, argument, NULL, OPTION_KEY + (int)i };
	}
	table[used] = (struct option){ 0 };
}

/* "--no-auth yes": a flag's value may stand apart, as every other key's does. */
static const char *
flag_value(int argc, char **argv)
{
	static const char *const words[] = { "yes", "no", "true", "false", "on", "off", "1", "0" };

	if (optarg != NULL || optind >= argc) {
		return optarg;
	}
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strcmp(argv[optind], words[i]) == 0) {
			return argv[optind++];
		}
	}
	return NULL;
}

static bool
take_key(struct cli *out, size_t at, bool all_keys, int argc, char **argv)
{
	size_t count;
	const struct setting_description *d = &settings_table(&count)[at];
	const char *value = d->kind == SETTING_FLAG ? flag_value(argc, argv) : optarg;

	if (!all_keys && strcmp(d->key, "data-dir") != 0) {
		fprintf(stderr, "ifswarm: --%s is an option of `ifswarm up`, not of this command\n",
			d->key);
		return false;
	}
	if (out->option_count == CLI_OPTIONS_MAX) {
		fprintf(stderr, "ifswarm: too many options: put them into ifswarm.conf\n");
		return false;
	}
	out->options[out->option_count++] = (struct settings_option){ d->key, value };
	return true;
}

static bool
refuse_option(int option, char **argv)
{
	const char *word = argv[optind - 1];

	if (option == ':') {
		fprintf(stderr, "ifswarm: %s needs a value\n", word);
		return false;
	}
	const char *near = setting_nearest_key(word + strspn(word, "-"));

	fprintf(stderr, "ifswarm: unknown option %s: %s%s%s\n", word,
		near == NULL ? "" : "did you mean --",
		near == NULL ? "see --help, and `man ifswarm.conf` for all keys" : near,
		near == NULL ? "" : "?");
	return false;
}

static bool
take_option(struct cli *out, int option, bool all_keys, int argc, char **argv)
{
	switch (option) {
	case OPTION_CONFIG:
		out->config = optarg;
		return true;
	case OPTION_JSON:
		out->json = true;
		return true;
	case OPTION_HELP:
	case 'h':
		out->help = true;
		return true;
	case ':':
	case '?':
		return refuse_option(option, argv);
	default:
		return take_key(out, (size_t)(option - OPTION_KEY), all_keys, argc, argv);
	}
}

bool
cli_read(struct cli *out, bool all_keys, int argc, char **argv)
{
	struct option table[SETTINGS_COUNT + 4];
	int option;

	memset(out, 0, sizeof *out);
	make_table(table);
	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, ":h", table, NULL)) != -1) {
		if (!take_option(out, option, all_keys, argc, argv)) {
			return false;
		}
	}
	for (; optind < argc; optind++) {
		if (out->word_count == CLI_WORDS_MAX) {
			fprintf(stderr, "ifswarm: too many arguments from \"%s\" on\n",
				argv[optind]);
			return false;
		}
		out->words[out->word_count++] = argv[optind];
	}
	return true;
}

static void
take_out(int *argc, char **argv, int at, int count)
{
	memmove(&argv[at], &argv[at + count], (size_t)(*argc - at - count + 1) * sizeof *argv);
	*argc -= count;
}

const char *
cli_take_value(int *argc, char **argv, const char *name)
{
	const size_t length = strlen(name);
	const char *value = NULL;

	for (int i = 1; i < *argc; i++) {
		const char *word = argv[i];
		const bool is_it =
			strncmp(word, "--", 2) == 0 && strncmp(word + 2, name, length) == 0;

		if (is_it && word[2 + length] == '=') {
			value = word + 2 + length + 1;
			take_out(argc, argv, i--, 1);
		} else if (is_it && word[2 + length] == '\0' && i + 1 < *argc) {
			value = argv[i + 1];
			take_out(argc, argv, i--, 2);
		}
	}
	return value;
}

bool
cli_take_flag(int *argc, char **argv, const char *name)
{
	bool found = false;

	for (int i = 1; i < *argc; i++) {
		if (strncmp(argv[i], "--", 2) == 0 && strcmp(argv[i] + 2, name) == 0) {
			found = true;
			take_out(argc, argv, i--, 1);
		}
	}
	return found;
}

int
cli_begin(struct cli *out, struct settings *settings, int argc, char **argv, const char *help,
	  const char *what)
{
	static struct setting_faults faults;
	struct setting_word file;

	if (!cli_read(out, false, argc, argv)) {
		return EXIT_USAGE;
	}
	if (out->help) {
		fputs(help, stdout);
		return EXIT_HOLDS;
	}
	if (out->word_count != (what == NULL ? 0 : 1)) {
		fprintf(stderr, "ifswarm %s: %s%s: see --help\n", argv[0],
			what == NULL ? "it takes no argument" : "name one ",
			what == NULL ? "" : what);
		return EXIT_USAGE;
	}
	settings_load(settings, out->config, out->options, out->option_count, SETTINGS_AGAIN,
		      &faults, &file);
	return -1;
}

size_t
cli_settings(const struct cli *cli, struct settings *out, struct setting_faults *faults,
	     struct setting_word *file)
{
	enum log_level level = LOG_LINE_INFO;

	settings_load(out, cli->config, cli->options, cli->option_count, SETTINGS_FIRST, faults,
		      file);
	for (size_t i = 0; i < faults->count; i++) {
		fprintf(stderr, "%s\n", faults->lines[i]);
	}
	log_level_from_word(out->log_level.bytes, &level);
	log_line_start("ifswarm", level);
	return faults->count;
}
