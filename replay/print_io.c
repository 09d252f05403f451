#include "replay/print_io.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool progress_is_shown;

void
print_paper(const struct paper *paper)
{
	fwrite(paper->text, 1, paper->count, stdout);
	if (paper->is_cut) {
		fputs("... (cut)\n", stdout);
	}
}

void
print_head(const struct paper *paper)
{
	const bool is_terminal = isatty(STDOUT_FILENO) == 1;

	fputs(is_terminal ? "\x1b[1m" : "", stdout);
	fwrite(paper->text, 1, paper->count, stdout);
	fputs(is_terminal ? "\x1b[0m" : "", stdout);
}

void
print_json(json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);

	assert(text != NULL);
	fputs(text, stdout);
	fputc('\n', stdout);
	free(text);
	json_decref(object);
}

bool
print_flush(void)
{
	return fflush(stdout) == 0 && ferror(stdout) == 0;
}

void
print_progress(const char *what, uint64_t done, uint64_t of)
{
	if (isatty(STDERR_FILENO) == 1) {
		progress_is_shown = true;
		fprintf(stderr, "\r%s %" PRIu64 " of %" PRIu64, what, done, of);
	}
}

void
print_progress_end(void)
{
	if (progress_is_shown) {
		fputs("\r\x1b[K", stderr);
		progress_is_shown = false;
	}
}
