#include "protocol/log_line_io.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const words[] = { "error", "warning", "info", "debug" };

static char own_name[32] = "ifswarm";
static enum log_level highest = LOG_LINE_INFO;

bool
log_level_from_word(const char *word, enum log_level *out)
{
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strcmp(word, words[i]) == 0) {
			*out = (enum log_level)i;
			return true;
		}
	}
	return false;
}

void
log_line_start(const char *actor, enum log_level level)
{
	assert(actor != NULL);
	snprintf(own_name, sizeof own_name, "%s", actor);
	highest = level;
}

void
log_level_set(enum log_level level)
{
	highest = level;
}

/* "2026-01-31T12:00:00.123Z info relay-1: " */
static size_t
write_prefix(char *out, size_t size, enum log_level level)
{
	struct timespec now;
	struct tm parts;
	char second[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	strftime(second, sizeof second, "%Y-%m-%dT%H:%M:%S", &parts);
	return (size_t)snprintf(out, size, "%s.%03ldZ %s %s: ", second, now.tv_nsec / 1000000,
				words[level], own_name);
}

static size_t
escape(char *out, size_t size, const char *text)
{
	size_t used = 0;

	for (; *text != '\0' && used + 4 < size; text++) {
		const unsigned char byte = (unsigned char)*text;

		if (byte >= 0x20 && byte != 0x7F) {
			out[used++] = *text;
		} else {
			used += (size_t)snprintf(out + used, size - used, "\\x%02x", byte);
		}
	}
	return used;
}

void
log_line(enum log_level level, const char *format, ...)
{
	const int kept = errno;
	char text[LOG_LINE_BYTES_MAX];
	char line[LOG_LINE_BYTES_MAX + 128];
	va_list arguments;

	if (level > highest) {
		return;
	}
	errno = kept;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	size_t used = write_prefix(line, sizeof line, level);
	used += escape(line + used, sizeof line - used - 1, text);
	line[used++] = '\n';
	/* Nobody can be told that nobody can be told. */
	(void)!write(STDERR_FILENO, line, used);
	errno = kept;
}
