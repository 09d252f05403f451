#include "protocol/coturn_import.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* What is ours under the same name, and not quite the same. */
static const struct {
	const char *key;
	const char *text;
} differences[] = {
	{ "no-auth", "anyone may relay through this server: as open as with coturn, and every "
		     "refusal and allocation is in the log" },
	{ "denied-peer-ip",
	  "beyond what is denied here anyway: every private and special-purpose range" },
	{ "allowed-peer-ip", "the only way to a private range here; cloud metadata addresses stay "
			     "denied unless one is named alone" },
	{ "user", "a password, not coturn's 0x key" },
	{ "user-quota", "the allocation beyond it gets 486, as with coturn" },
	{ "total-quota", "for the whole server; the allocation beyond it gets 508, not 486" },
	{ "max-bps",
	  "bytes a second each way, one second's worth at once; what is beyond is dropped "
	  "and counted" },
	{ "bps-capacity",
	  "each allocation takes one max-bps of it; who does not find one gets 508, "
	  "not 486" },
	{ "stale-nonce", "always on here; 30 s at least" },
	{ "max-allocate-lifetime", "3600 s at most" },
	{ "external-ip", "peers at this address are taken for our own relayed addresses" },
	{ "mobility", "as RFC 8016 has it: a ticket is good once" },
};

struct importing {
	const struct import *import;
	struct settings settings;
	struct setting_faults faults;
	bool seen[SETTINGS_COUNT];
	bool no_tcp;
	bool has_credentials; /* lt-cred-mech or use-auth-secret */
};

static void
say(struct importing *i, enum import_kind kind, unsigned number, const char *key, const char *text)
{
	i->import->say(i->import->context, kind, number, key, text);
}

static void
write_line(struct importing *i, const char *before, const char *key, const char *value,
	   bool is_secret)
{
	char line[2 * IMPORT_LINE_MAX];

	snprintf(line, sizeof line, "%s%s%s%s\n", before, key,
		 before[0] != '\0' && value[0] == '\0' ? "" : " = ", value);
	i->import->write(i->import->context, line, is_secret);
}

/* --- one line --------------------------------------------------------------------------------- */

static char *
trim(char *text)
{
	char *end = text + strlen(text);

	while (end > text && strchr(" \t\r", end[-1]) != NULL) {
		*--end = '\0';
	}
	return text + strspn(text, " \t");
}

static const char *
difference_of(const char *key)
{
	for (size_t n = 0; n < sizeof differences / sizeof differences[0]; n++) {
		if (strcmp(differences[n].key, key) == 0) {
			return differences[n].text;
		}
	}
	return NULL;
}

/* A fault's line without the place before it. */
static const char *
fault_text(const char *line, const char *key)
{
	const char *at = strstr(line, key);

	at = at == NULL ? line : at + strlen(key);
	return at + strspn(at, ": ");
}

/* The key is one of ours. */
static void
take_ours(struct importing *i, unsigned number, const struct setting_description *d, char *value)
{
	const bool is_secret = d->kind == SETTING_SECRETS;
	const bool is_bare = value == NULL;
	size_t count;
	bool *seen = &i->seen[d - settings_table(&count)];

	if (is_bare && strcmp(d->key, "stale-nonce") == 0) {
		say(i, IMPORT_DIFFERS, number, d->key, difference_of(d->key));
		return; /* coturn's default, which is ours */
	}
	i->faults.count = 0;
	if (!settings_set(&i->settings, d->key, value, !*seen, "", &i->faults)) {
		write_line(i, "# not taken: ", d->key, is_secret || is_bare ? "" : value, false);
		say(i, IMPORT_LEFT, number, d->key, fault_text(i->faults.lines[0], d->key));
		return;
	}
	*seen = true;
	write_line(i, "", d->key, is_bare ? "yes" : value, is_secret);
	const char *text = difference_of(d->key);

	say(i, text == NULL ? IMPORT_TAKEN : IMPORT_DIFFERS, number, d->key,
	    text == NULL ? "" : text);
}

static void
take_coturns(struct importing *i, unsigned number, const char *key)
{
	bool holds = false;
	const char *text = setting_coturn(key, &holds);

	i->no_tcp |= strcmp(key, "no-tcp") == 0;
	i->has_credentials |=
		strcmp(key, "lt-cred-mech") == 0 || strcmp(key, "use-auth-secret") == 0;
	if (text != NULL && holds) {
		say(i, IMPORT_TAKEN, number, key, "it is so without being asked");
		return;
	}
	write_line(i, "# not taken: ", key, "", false);
	say(i, IMPORT_LEFT, number, key,
	    text != NULL ? text : "no key of coturn's that is known here: see what it is for");
}

static void
take_line(struct importing *i, unsigned number, char *line)
{
	char *at = trim(line);
	char *equals = strchr(at, '=');
	char *value = NULL;

	if (*at == '\0' || *at == '#' || *at == ';') {
		return;
	}
	if (equals != NULL) {
		*equals = '\0';
		value = trim(equals + 1);
	}
	const char *key = trim(at);
	const struct setting_description *d = settings_find(key);

	if (d != NULL) {
		take_ours(i, number, d, value);
	} else {
		take_coturns(i, number, key);
	}
}

static void
take_lines(struct importing *i, const char *text)
{
	unsigned number = 0;

	while (*text != '\0') {
		char line[IMPORT_LINE_MAX];
		const size_t length = strcspn(text, "\n");

		number++;
		if (length < sizeof line) {
			memcpy(line, text, length);
			line[length] = '\0';
			take_line(i, number, line);
		} else {
			say(i, IMPORT_LEFT, number, "", "longer than 1023 bytes");
		}
		text += length + (text[length] == '\n');
	}
}

/* --- what no line says ------------------------------------------------------------------------ */

static bool
is_seen(const struct importing *i, const char *key)
{
	size_t count;

	return i->seen[settings_find(key) - settings_table(&count)];
}

static void
add(struct importing *i, const char *key, const char *value, const char *text)
{
	i->faults.count = 0;
	if (settings_set(&i->settings, key, value, true, "", &i->faults)) {
		write_line(i, "", key, value, false);
		say(i, IMPORT_DIFFERS, 0, key, text);
	}
}

static void
tell_defaults(struct importing *i)
{
	if (!i->no_tcp && !is_seen(i, "turn-tcp")) {
		add(i, "turn-tcp", "yes",
		    "coturn serves TCP unless no-tcp is set: so it is here, too");
	}
	if (!is_seen(i, "listening-ip")) {
		write_line(i, "# listening-ip = ", "ADDRESS", "", false);
		say(i, IMPORT_DIFFERS, 0, "listening-ip",
		    "coturn listens on every address, this server on loopback alone: name yours");
	}
	if (!is_seen(i, "cert") || !is_seen(i, "pkey")) {
		say(i, IMPORT_DIFFERS, 0, "cert",
		    "without cert and pkey there is no TLS and no DTLS here");
	}
	if (!is_seen(i, "allowed-peer-ip")) {
		say(i, IMPORT_DIFFERS, 0, "allowed-peer-ip",
		    "coturn relays into private networks unless they are denied, this server only "
		    "where they are allowed: name the ranges of your peers, if they are private");
	}
	if (!i->has_credentials && !i->settings.no_auth) {
		say(i, IMPORT_DIFFERS, 0, "no-auth",
		    "coturn without lt-cred-mech or use-auth-secret asks nobody for credentials, "
		    "this "
		    "server asks everybody");
	}
	if (!is_seen(i, "static-auth-secret")) {
		say(i, IMPORT_DIFFERS, 0, "static-auth-secret",
		    "one is made at the first start, for the credentials that agents are handed");
	}
}

static size_t
tell_faults(struct importing *i)
{
	i->faults.count = 0;
	settings_check(&i->settings, &i->faults);
	for (size_t n = 0; n < i->faults.count; n++) {
		say(i, IMPORT_FAULT, 0, "", fault_text(i->faults.lines[n], ": "));
	}
	return i->faults.count;
}

size_t
coturn_import(const char *text, const struct import *import)
{
	static struct importing importing;

	memset(&importing, 0, sizeof importing);
	importing.import = import;
	settings_preset(&importing.settings);
	take_lines(&importing, text);
	tell_defaults(&importing);
	const size_t faults = tell_faults(&importing);

	memset(&importing, 0, sizeof importing);
	return faults;
}
