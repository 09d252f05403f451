#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "actors/cli_io.h"
#include "actors/cli_json_io.h"
#include "actors/data_dir_io.h"
#include "protocol/address.h"
#include "protocol/credential.h"
#include "protocol/record.h"
#include "protocol/time_io.h"

enum { URL_MAX = 160 };

static const char help[] =
	"usage: ifswarm credential AGENT [--json] [--data-dir DIR] [--config FILE]\n"
	"\n"
	"Makes a time-limited TURN credential for an agent, as `registered` hands out. It is valid "
	"for\n"
	"credential-lifetime seconds, on every relay that has the same secret; nothing is stored.\n"
	"\n"
	"  --json  {\"urls\":[...],\"username\":...,\"credential\":...,\"expires\":...}, for "
	"iceServers\n";

static struct cli cli;
static struct settings settings;
static struct setting_faults faults;

struct urls {
	size_t count;
	char items[3 * SETTING_ITEMS_MAX][URL_MAX];
};

/* "turn:192.0.2.1:3478?transport=udp"; a host that is no address is a name. */
static void
add_url(struct urls *out, const char *scheme, const char *host, uint64_t port,
	const char *transport)
{
	struct address address = { 0 };
	char text[URL_MAX];

	if (address_parse(&address, host) == NULL) {
		address.port = (uint16_t)port;
		address_print(text, sizeof text, &address);
	} else {
		snprintf(text, sizeof text, "%.100s:%" PRIu64, host, port);
	}
	snprintf(out->items[out->count++], URL_MAX, "%s:%.120s?transport=%s", scheme, text,
		 transport);
}

/* What clients reach: the public address where there is one (PUBLIC/PRIVATE is cut at the slash),
 * and instead of every address the one that relayed sockets have. */
static const struct setting_list *
reachable_addresses(struct settings *s)
{
	const char *first = s->listening_ip.items[0].bytes;

	if (s->external_ip.count == 0) {
		return strcmp(first, "0.0.0.0") == 0 || strcmp(first, "::") == 0 ? &s->relay_ip
										 : &s->listening_ip;
	}
	for (size_t i = 0; i < s->external_ip.count; i++) {
		char *text = s->external_ip.items[i].bytes;

		text[strcspn(text, "/")] = '\0';
	}
	return &s->external_ip;
}

static void
list_urls(struct urls *out, const struct setting_list *ips)
{
	const bool is_named = settings.turns_host.bytes[0] != '\0';

	for (size_t i = 0; i < ips->count; i++) {
		add_url(out, "turn", ips->items[i].bytes, settings.listening_port, "udp");
	}
	for (size_t i = 0; settings.turn_tcp && i < ips->count; i++) {
		add_url(out, "turn", ips->items[i].bytes, settings.listening_port, "tcp");
	}
	if (!settings_serve_tls(&settings)) {
		return;
	}
	for (size_t i = 0; i < (is_named ? 1 : ips->count); i++) {
		add_url(out, "turns", is_named ? settings.turns_host.bytes : ips->items[i].bytes,
			settings.tls_listening_port, "tcp");
	}
}

static void
print_json(const struct urls *urls, const struct credential_pair *pair, uint64_t expires_s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < urls->count; i++) {
		json_array_append_new(list, json_string(urls->items[i]));
	}
	json_t *all = json_pack("{s:o, s:s, s:s, s:I}", "urls", list, "username", pair->username,
				"credential", pair->password, "expires", (json_int_t)expires_s);
	cli_json_print(all);
}

static void
print_text(const struct urls *urls, const struct credential_pair *pair, uint64_t expires_s)
{
	for (size_t i = 0; i < urls->count; i++) {
		printf("url         %s\n", urls->items[i]);
	}
	printf("username    %s\ncredential  %s\nexpires     %" PRIu64 "\n", pair->username,
	       pair->password, expires_s);
}

static bool
make_pair(struct credential_pair *out, const char *agent, uint64_t expires_s)
{
	struct integrity integrity;
	struct name name;

	if (!name_set(&name, agent, strlen(agent)) || !name_is_wellformed(&name)) {
		return false;
	}
	integrity_open(&integrity);
	const bool made = credential_make(
		out, &integrity, settings.static_auth_secret.items[0].bytes, &name, expires_s);

	integrity_close(&integrity);
	return made;
}

/* A cluster that runs was perhaps started with other options than are given here: what it listens
 * on counts. */
static void
take_running(void)
{
	static struct settings running;

	if (running_settings_read(settings.data_dir.bytes, &running)) {
		running.static_auth_secret = settings.static_auth_secret;
		settings = running;
	}
}

static int
print_credential(const char *agent)
{
	const uint64_t expires_s = time_now_us() / 1000000 + settings.credential_lifetime;
	struct credential_pair pair;

	if (!make_pair(&pair, agent, expires_s)) {
		fprintf(stderr, "ifswarm: the agent must be 1 to 256 bytes of UTF-8 without "
				"control characters\n");
		return EXIT_USAGE;
	}
	static struct urls urls;

	list_urls(&urls, reachable_addresses(&settings));
	if (cli.json) {
		print_json(&urls, &pair, expires_s);
	} else {
		print_text(&urls, &pair, expires_s);
	}
	return EXIT_HOLDS;
}

int
cli_credential(int argc, char **argv)
{
	struct setting_word file;

	if (!cli_read(&cli, true, argc, argv)) {
		return EXIT_USAGE;
	}
	if (cli.help) {
		fputs(help, stdout);
		return EXIT_HOLDS;
	}
	if (cli.word_count != 1) {
		fprintf(stderr, "ifswarm credential: name one agent: ifswarm credential AGENT\n");
		return EXIT_USAGE;
	}
	if (cli_settings(&cli, &settings, &faults, &file) != 0) {
		return EXIT_USAGE;
	}
	take_running();
	if (settings.no_auth) {
		fprintf(stderr, "ifswarm: no-auth is set: TURN asks for no credential\n");
		return EXIT_TROUBLE;
	}
	if (!turn_secret_add(&settings, false)) {
		return EXIT_TROUBLE;
	}
	if (settings.static_auth_secret.count == 0) {
		fprintf(stderr,
			"ifswarm: %s has no secret yet: the first `ifswarm up` makes it, or name "
			"the data "
			"directory with --data-dir\n",
			settings.data_dir.bytes);
		return EXIT_TROUBLE;
	}
	return print_credential(cli.words[0]);
}
