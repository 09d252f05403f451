#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actors/cli_io.h"
#include "protocol/coturn_import.h"

enum { FILE_BYTES_MAX = 1024 * 1024 };

static const char help[] =
	"usage: ifswarm config import turnserver.conf [--output FILE [--force]]\n"
	"\n"
	"Reads a configuration of coturn and writes one of ifswarm, to standard output or "
	"--output. Says\n"
	"of each line on standard error what became of it: taken; differs (taken, and means "
	"something\n"
	"else here); left (no counterpart, and what to do); and what the two do otherwise without "
	"being\n"
	"asked. Secrets are written into --output alone, which is made for this user's eyes "
	"(0600).\n"
	"\n"
	"  --output FILE  written whole or not at all; one that exists stays, unless --force\n"
	"\n"
	"Exit code 0: `ifswarm config check` accepts the result; 1: it does not yet, and why is "
	"said.\n";

struct work {
	const char *file;
	FILE *out;
	bool with_secrets;
	size_t counts[IMPORT_KINDS];
};

static void
write_text(void *context, const char *text, bool is_secret)
{
	struct work *work = context;

	if (is_secret && !work->with_secrets) {
		fprintf(work->out, "# %.*s: a secret, written with --output alone\n",
			(int)strcspn(text, " "), text);
	} else {
		fputs(text, work->out);
	}
}

static void
say(void *context, enum import_kind kind, unsigned number, const char *key, const char *text)
{
	static const char *const words[IMPORT_KINDS] = { "taken", "differs", "left", "fault" };
	struct work *work = context;

	work->counts[kind]++;
	if (number > 0) {
		fprintf(stderr, "%s:%u: ", work->file, number);
	}
	fprintf(stderr, "%s%s%s%s%s\n", words[kind], key[0] == '\0' ? "" : ": ", key,
		text[0] == '\0' ? "" : ": ", text);
}

/* NULL, with a line said, if it cannot be read whole. */
static char *
read_whole(const char *name)
{
	FILE *file = fopen(name, "r");
	char *text = file == NULL ? NULL : calloc(1, FILE_BYTES_MAX + 1);

	if (text == NULL) {
		fprintf(stderr, "ifswarm: cannot read %s: %s\n", name, strerror(errno));
	} else if (fread(text, 1, FILE_BYTES_MAX, file) == FILE_BYTES_MAX || ferror(file)) {
		fprintf(stderr,
			"ifswarm: cannot read %s: it is a directory, or longer than 1 MiB\n", name);
		free(text);
		text = NULL;
	}
	if (file != NULL) {
		fclose(file);
	}
	return text;
}

/* The file that becomes `output` when it is whole. */
static FILE *
open_output(const char *output, bool force, char *partial, size_t size)
{
	struct stat there;

	if (!force && lstat(output, &there) == 0) {
		fprintf(stderr, "ifswarm: %s exists: choose another name, or --force\n", output);
		return NULL;
	}
	snprintf(partial, size, "%s.new", output);
	unlink(partial);
	const int fd = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

	if (file == NULL) {
		fprintf(stderr, "ifswarm: cannot write %s: %s\n", partial, strerror(errno));
	}
	return file;
}

static bool
close_output(FILE *file, const char *partial, const char *output)
{
	const bool written = !ferror(file) && fflush(file) == 0 && fsync(fileno(file)) == 0;

	if (fclose(file) != 0 || !written || rename(partial, output) != 0) {
		fprintf(stderr, "ifswarm: cannot write %s: %s\n", output, strerror(errno));
		unlink(partial);
		return false;
	}
	return true;
}

static int
import_text(const char *text, struct work *work)
{
	const struct import import = { .write = write_text, .say = say, .context = work };

	fprintf(work->out, "# From %s, by `ifswarm config import`.\n", work->file);
	const size_t faults = coturn_import(text, &import);

	fprintf(stderr, "%zu taken, %zu differ, %zu left, %zu faults\n", work->counts[IMPORT_TAKEN],
		work->counts[IMPORT_DIFFERS], work->counts[IMPORT_LEFT],
		work->counts[IMPORT_FAULT]);
	return faults == 0 ? EXIT_HOLDS : EXIT_TROUBLE;
}

static int
import_file(const char *name, const char *output, bool force)
{
	struct work work = { .file = name, .out = stdout, .with_secrets = output != NULL };
	char partial[4096];
	char *text = read_whole(name);
	int code = EXIT_TROUBLE;

	if (text == NULL) {
		return EXIT_TROUBLE;
	}
	if (output != NULL) {
		work.out = open_output(output, force, partial, sizeof partial);
	}
	if (work.out != NULL) {
		code = import_text(text, &work);
	}
	if (output != NULL && work.out != NULL && !close_output(work.out, partial, output)) {
		code = EXIT_TROUBLE;
	}
	explicit_bzero(text, strlen(text));
	free(text);
	return code;
}

int
cli_import(int argc, char **argv)
{
	static struct cli cli;
	const char *output = cli_take_value(&argc, argv, "output");
	const bool force = cli_take_flag(&argc, argv, "force");

	if (!cli_read(&cli, false, argc, argv)) {
		return EXIT_USAGE;
	}
	if (cli.help) {
		fputs(help, stdout);
		return EXIT_HOLDS;
	}
	if (cli.word_count != 1 || cli.json || cli.option_count != 0) {
		fprintf(stderr, "ifswarm config import: name one file: see --help\n");
		return EXIT_USAGE;
	}
	return import_file(cli.words[0], output, force);
}
