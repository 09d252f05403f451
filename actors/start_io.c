#include "actors/start_io.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "protocol/log_line_io.h"

/* All of a memfd, whoever else has moved its offset; -1 on a fault. */
static ssize_t
read_whole(int fd, char *out, size_t size)
{
	size_t used = 0;

	while (used < size) {
		const ssize_t got = pread(fd, out + used, size - used, (off_t)used);

		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got < 0) {
			return -1;
		}
		if (got == 0) {
			return (ssize_t)used;
		}
		used += (size_t)got;
	}
	return -1;
}

static bool
read_settings(int fd, struct settings *out)
{
	static char text[SETTINGS_TEXT_MAX];
	static struct setting_faults faults;
	const ssize_t length = read_whole(fd, text, sizeof text - 1);

	if (length < 0) {
		return false;
	}
	text[length] = '\0';
	faults.count = 0;
	settings_preset(out);
	settings_read(out, text, "settings", &faults);
	explicit_bzero(text, sizeof text);
	return faults.count == 0;
}

static const struct option options[] = {
	{ "number", required_argument, NULL, 'n' },
	{ "settings-fd", required_argument, NULL, 's' },
	{ "run-dir", required_argument, NULL, 'r' },
	{ "udp-fd", required_argument, NULL, 'u' },
	{ "listen-fd", required_argument, NULL, 'u' },
	{ "nonce-key-fd", required_argument, NULL, 'k' },
	{ "certificate-fd", required_argument, NULL, 'c' },
	{ 0 },
};

/* An open descriptor, from now on close-on-exec; -1 if it is none. */
static int
take_fd(const char *digits)
{
	char *end = NULL;
	const long fd = strtol(digits, &end, 10);

	if (end == digits || *end != '\0' || fd < 0 || fd > INT_MAX) {
		return -1;
	}
	return fcntl((int)fd, F_SETFD, FD_CLOEXEC) == 0 ? (int)fd : -1;
}

static bool
add_fd(struct start *out, const char *digits)
{
	if (out->socket_count == START_FDS_MAX) {
		return false;
	}
	out->sockets[out->socket_count] = take_fd(digits);
	return out->sockets[out->socket_count++] >= 0;
}

static bool
take_run_dir(struct start *out, const char *path)
{
	const int length = snprintf(out->run_dir, sizeof out->run_dir, "%s", path);

	return length > 0 && (size_t)length < sizeof out->run_dir;
}

static bool
take_option(struct start *out, int option, const char *value, int *settings_fd)
{
	switch (option) {
	case 'n':
		out->number = (unsigned)strtoul(value, NULL, 10);
		return out->number > 0;
	case 's':
		*settings_fd = take_fd(value);
		return *settings_fd >= 0;
	case 'r':
		return take_run_dir(out, value);
	case 'u':
		return add_fd(out, value);
	case 'k':
		out->nonce_key_fd = take_fd(value);
		return out->nonce_key_fd >= 0;
	case 'c':
		out->certificate_fd = take_fd(value);
		return out->certificate_fd >= 0;
	default:
		return false;
	}
}

static void
name_log(const struct start *start, const char *kind, bool single)
{
	char name[32];
	enum log_level level = LOG_LINE_INFO;

	if (single) {
		snprintf(name, sizeof name, "%s", kind);
	} else {
		snprintf(name, sizeof name, "%s-%u", kind, start->number);
	}
	log_level_from_word(start->settings->log_level.bytes, &level);
	log_line_start(name, level);
}

bool
start_read(struct start *out, const char *kind, bool single, int argc, char **argv)
{
	static struct settings settings;
	int settings_fd = -1;
	int option;

	*out = (struct start){ .settings = &settings, .nonce_key_fd = -1, .certificate_fd = -1 };
	log_line_start(kind, LOG_LINE_INFO);
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (!take_option(out, option, optarg, &settings_fd)) {
			log_error("argument %s is wrong: this program is started by `ifswarm up`",
				  argv[optind - 1]);
			return false;
		}
	}
	if (optind != argc || out->number == 0 || out->run_dir[0] == '\0' || settings_fd < 0) {
		log_error("--number, --settings-fd and --run-dir are needed: this program is "
			  "started by `ifswarm up`");
		return false;
	}
	if (!read_settings(settings_fd, &settings)) {
		log_error("cannot read the settings from descriptor %d: start it with `ifswarm up`",
			  settings_fd);
		return false;
	}
	name_log(out, kind, single);
	return true;
}
