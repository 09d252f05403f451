#include "actors/settings_io.h"

#include "actors/anchor_config_io.h"
#include "actors/certificate_io.h"
#include "actors/external.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/log_line_io.h"

static const char *const usual_files[] = { "ifswarm.conf", "/etc/ifswarm/ifswarm.conf" };

/* --- the file --- */

/* The file's text, to be freed; NULL with a fault. */
static char *
read_text(const char *file, struct setting_faults *faults)
{
	FILE *stream = fopen(file, "re");
	char *text = stream == NULL ? NULL : calloc(1, SETTINGS_FILE_BYTES_MAX + 1);

	if (text == NULL) {
		setting_fault_add(faults, "%s: cannot be opened: %s", file, strerror(errno));
		if (stream != NULL) {
			fclose(stream);
		}
		return NULL;
	}
	const size_t length = fread(text, 1, SETTINGS_FILE_BYTES_MAX + 1, stream);

	if (ferror(stream) != 0) {
		setting_fault_add(faults, "%s: cannot be read: %s", file, strerror(errno));
	} else if (length > SETTINGS_FILE_BYTES_MAX) {
		setting_fault_add(faults, "%s: is larger than 1 MiB: is it the right file?", file);
	} else if (memchr(text, '\0', length) != NULL) {
		setting_fault_add(faults, "%s: contains a zero byte: is it a text file?", file);
	} else {
		fclose(stream);
		return text;
	}
	fclose(stream);
	free(text);
	return NULL;
}

static void
warn_if_readable(const char *file, const struct settings *settings)
{
	struct stat status;

	if (settings->user.count + settings->static_auth_secret.count == 0 ||
	    stat(file, &status) != 0) {
		return;
	}
	if ((status.st_mode & (S_IRGRP | S_IROTH)) != 0) {
		log_warning("%s holds secrets and others may read it: chmod 600 %s", file, file);
	}
}

static void
read_file(struct settings *settings, const char *file, struct setting_faults *faults)
{
	char *text = read_text(file, faults);

	if (text == NULL) {
		return;
	}
	settings_read(settings, text, file, faults);
	explicit_bzero(text, strlen(text));
	free(text);
	warn_if_readable(file, settings);
}

/* The file that was asked for, else the first usual one there is, else NULL. */
static const char *
choose_file(const char *asked)
{
	if (asked != NULL) {
		return asked;
	}
	for (size_t i = 0; i < sizeof usual_files / sizeof usual_files[0]; i++) {
		if (access(usual_files[i], F_OK) == 0) {
			return usual_files[i];
		}
	}
	return NULL;
}

/* --- the environment --- */

/* A list comes comma-separated; a secret may contain commas and comes alone. */
static void
set_from_environment(struct settings *settings, const struct setting_description *d, char *value,
		     struct setting_faults *faults)
{
	char where[64];
	char *rest = NULL;
	bool fresh = true;

	snprintf(where, sizeof where, "environment %s", d->environment);
	if (d->kind != SETTING_LIST) {
		settings_set(settings, d->key, value, true, where, faults);
		return;
	}
	for (char *item = strtok_r(value, ",", &rest); item != NULL;
	     item = strtok_r(NULL, ",", &rest)) {
		settings_set(settings, d->key, item, fresh, where, faults);
		fresh = false;
	}
}

static void
read_environment(struct settings *settings, struct setting_faults *faults)
{
	size_t count;
	const struct setting_description *table = settings_table(&count);

	for (size_t i = 0; i < count; i++) {
		const char *value =
			table[i].environment[0] == '\0' ? NULL : getenv(table[i].environment);

		if (value == NULL || value[0] == '\0') {
			continue;
		}
		char *copy = strdup(value);
		assert(copy != NULL);
		set_from_environment(settings, &table[i], copy, faults);
		explicit_bzero(copy, strlen(copy));
		free(copy);
	}
}

/* What existing deployments set and this one has no use for. */
static void
note_environment(void)
{
	if (getenv("REDIS_URL") != NULL) {
		log_info("REDIS_URL is not needed: the evidence log holds the state, there is no "
			 "Redis");
	}
	if (getenv("WITNESS_LOGGER_URL") != NULL) {
		log_info("WITNESS_LOGGER_URL is for those who send claims: here they are taken at "
			 "claims-port");
	}
}

/* --- the options --- */

static void
read_options(struct settings *settings, const struct settings_option *options, size_t count,
	     struct setting_faults *faults)
{
	for (size_t i = 0; i < count; i++) {
		const struct setting_description *d = settings_find(options[i].key);
		char where[80];
		bool fresh = true;

		snprintf(where, sizeof where, "option --%.60s", options[i].key);
		if (d != NULL && d->kind == SETTING_SECRETS) {
			setting_fault_add(faults,
					  "%s: every user of this machine can read a command line: "
					  "put the secret "
					  "into ifswarm.conf%s%s",
					  where,
					  d->environment[0] == '\0' ? "" : " or the environment ",
					  d->environment);
			continue;
		}
		for (size_t before = 0; before < i; before++) {
			fresh &= strcmp(options[before].key, options[i].key) != 0;
		}
		settings_set(settings, options[i].key, options[i].value, fresh, where, faults);
	}
}

/* --- what only the host knows --- */

/* The address this host would send from to the internet. Nothing is sent: connecting a UDP socket
 * only asks for the route. */
static bool
find_own_address(char *out, size_t size)
{
	struct sockaddr_in remote = { .sin_family = AF_INET, .sin_port = htons(9) };
	struct sockaddr_in own = { 0 };
	socklen_t length = sizeof own;
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool found = false;

	if (fd < 0) {
		return false;
	}
	remote.sin_addr.s_addr = htonl(UINT32_C(0x08080808));
	if (connect(fd, (const struct sockaddr *)&remote, sizeof remote) == 0 &&
	    getsockname(fd, (struct sockaddr *)&own, &length) == 0) {
		found = inet_ntop(AF_INET, &own.sin_addr, out, (socklen_t)size) != NULL;
	}
	close(fd);
	return found;
}

/* What STUN servers say; false if none is configured, or none answers. */
static bool
ask_servers(const struct settings *settings, char *out, size_t size)
{
	struct address address;
	size_t votes = 0;

	if (settings->stun_server.count == 0) {
		return false;
	}
	const size_t answers = external_ask(&settings->stun_server, &address, &votes);

	if (answers == 0) {
		log_warning("external-ip auto-detect: no stun-server answers: the interface's own "
			    "address is taken");
		return false;
	}
	inet_ntop(address.family == ADDRESS_IPV4 ? AF_INET : AF_INET6, address.bytes, out,
		  (socklen_t)size);
	if (2 * votes > settings->stun_server.count) {
		log_info("external-ip auto-detect: %s, say %zu of %zu stun-servers", out, votes,
			 settings->stun_server.count);
	} else {
		log_warning(
			"external-ip auto-detect: %s, say %zu of %zu stun-servers: too few to be "
			"sure; name it, external-ip = PUBLIC",
			out, votes, settings->stun_server.count);
	}
	return true;
}

/* external-ip = auto-detect. Behind NAT the host cannot know its public address by itself, so what
 * it found is said. */
static void
detect_external(struct settings *settings, struct setting_faults *faults)
{
	for (size_t i = 0; i < settings->external_ip.count; i++) {
		struct setting_word *item = &settings->external_ip.items[i];

		if (strcmp(item->bytes, "auto-detect") != 0) {
			continue;
		}
		if (ask_servers(settings, item->bytes, sizeof item->bytes)) {
			continue;
		}
		if (!find_own_address(item->bytes, sizeof item->bytes)) {
			setting_fault_add(
				faults,
				"external-ip: auto-detect finds no route to the internet: write "
				"the public address, external-ip = ADDRESS");
			return;
		}
		log_info("external-ip auto-detect: %s is this host's own address: behind NAT, "
			 "write the "
			 "public one, external-ip = PUBLIC",
			 item->bytes);
	}
}

static void
check_readable(const struct setting_word *file, const char *key, struct setting_faults *faults)
{
	if (file->bytes[0] != '\0' && access(file->bytes, R_OK) != 0) {
		setting_fault_add(
			faults,
			"%s: %s: %.256s cannot be read: %s: check the path and who may read it",
			setting_source(faults, key), key, file->bytes, strerror(errno));
	}
}

static void
ask_host(struct settings *settings, enum settings_occasion occasion, struct setting_faults *faults)
{
	if (strcmp(settings->host.bytes, "localhost") == 0) {
		strcpy(settings->host.bytes, "127.0.0.1");
	}
	if (occasion == SETTINGS_FIRST) {
		detect_external(settings, faults);
	}
	check_readable(&settings->tls_cert, "tls-cert", faults);
	check_readable(&settings->tls_key, "tls-key", faults);
	certificate_check(settings, faults);
	anchor_config_check(settings, faults);
}

void
settings_load(struct settings *out, const char *file, const struct settings_option *options,
	      size_t option_count, enum settings_occasion occasion, struct setting_faults *faults,
	      struct setting_word *used)
{
	const char *chosen = choose_file(file);

	faults->count = 0;
	faults->denial_count = 0;
	settings_preset(out);
	snprintf(used->bytes, sizeof used->bytes, "%s", chosen == NULL ? "" : chosen);
	if (chosen != NULL) {
		read_file(out, chosen, faults);
	}
	read_environment(out, faults);
	if (occasion == SETTINGS_FIRST) {
		note_environment();
	}
	read_options(out, options, option_count, faults);
	ask_host(out, occasion, faults);
	settings_check(out, faults);
}
