/* What one value may be, whatever the other keys say. */
#include "protocol/settings_value.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "protocol/address.h"
#include "protocol/drain.h"
#include "protocol/settings_reload.h"

static const struct {
	const char *key;
	uint64_t least;
	uint64_t most;
} ranges[] = {
	{ "port", 1, 65535 },
	{ "gateways", 1, GATEWAYS_MAX },
	{ "listening-port", 1, 65535 },
	{ "tls-listening-port", 1, 65535 },
	{ "tcp-proxy-port", 0, 65535 },
	{ "min-port", 1024, 65535 },
	{ "max-port", 1024, 65535 },
	{ "relays", 1, RELAYS_MAX },
	{ "credential-lifetime", 60, 365 * 86400 },
	{ "secret-overlap", 0, 365 * 86400 },
	{ "stale-nonce", 30, 86400 },
	{ "max-allocate-lifetime", ALLOCATION_LIFETIME_S, ALLOCATION_LIFETIME_MAX_S },
	{ "user-quota", 0, ALLOCATIONS_MAX },
	{ "total-quota", 0, ALLOCATIONS_MAX },
	{ "max-bps", 0, BYTES_PER_S_MAX },
	{ "unauthenticated-rate", 1, 1000000 },
	{ "gather-us", 0, GATHER_US_MAX },
	{ "usage-interval", 1, 86400 },
	{ "claims-port", 0, 65535 },
	{ "witness-port", 0, 65535 },
	{ "anchor-interval", 1, 86400 },
	{ "tsa-interval", 1, 366 * 86400 },
	{ "retain.payload_days", 0, 36500 },
	{ "retain.envelope_months", 0, 1200 },
	{ "scrub-interval", 0, SCRUB_DAYS_MAX },
	{ "snapshot-events", 100, 1000000000 },
};

enum {
	REALM_BYTES_MAX = 127,
	NODE_BYTES_MAX = 48,
	HOST_BYTES_MAX = 100, /* a URL of it fits where frames have them */
};                            /* RFC 8489 section 14.9; the origin fits a text */

bool
setting_number_fault(const char *key, uint64_t value, char out[SETTING_VALUE_FAULT_MAX])
{
	for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
		if (strcmp(ranges[i].key, key) != 0) {
			continue;
		}
		if (value >= ranges[i].least && value <= ranges[i].most) {
			return false;
		}
		snprintf(out, SETTING_VALUE_FAULT_MAX, "not a number from %llu to %llu",
			 (unsigned long long)ranges[i].least, (unsigned long long)ranges[i].most);
		return true;
	}
	return false;
}

/* An IP, without a port. */
static const char *
ip_fault(const char *text, struct address *out)
{
	const char *fault = address_parse(out, text);

	if (fault == NULL && out->port != 0) {
		return "a port is too much: write the address alone";
	}
	return fault;
}

static bool
is_unspecified(const struct address *address)
{
	static const uint8_t zero[16];

	return memcmp(address->bytes, zero, sizeof zero) == 0;
}

static const char *
check_ip(const char *text)
{
	struct address ignored;

	return ip_fault(text, &ignored);
}

/* What peers and clients are told: somebody must be there. */
static const char *
check_concrete_ip(const char *text)
{
	struct address address;
	const char *fault = ip_fault(text, &address);

	if (fault == NULL && is_unspecified(&address)) {
		return "stands for every address: name the one that is meant";
	}
	return fault;
}

static const char *
check_host(const char *text)
{
	return strcmp(text, "localhost") == 0 ? NULL : check_ip(text);
}

/* PUBLIC or PUBLIC/PRIVATE. */
static const char *
check_external(const char *text)
{
	char public_ip[SETTING_BYTES_MAX];
	const char *slash = strchr(text, '/');

	if (strcmp(text, "auto-detect") == 0) {
		return NULL;
	}
	if (slash == NULL) {
		return check_concrete_ip(text);
	}
	snprintf(public_ip, sizeof public_ip, "%.*s", (int)(slash - text), text);
	const char *fault = check_concrete_ip(public_ip);

	return fault != NULL ? fault : check_concrete_ip(slash + 1);
}

static const char *
check_range(const char *text)
{
	struct address_range ignored;

	return address_range_parse(&ignored, text);
}

static const char *
check_user(const char *text)
{
	const char *colon = strchr(text, ':');

	if (colon == NULL || colon == text || colon[1] == '\0') {
		return "not NAME:PASSWORD";
	}
	return colon - text > NAME_BYTES_MAX ? "the name is longer than 256 bytes" : NULL;
}

static const char *
check_retired(const char *text)
{
	uint64_t ignored;

	return retired_secret_read(text, &ignored) == NULL ? "not UNTIL:SECRET, UNTIL in seconds "
							     "since 1970"
							   : NULL;
}

static const char *
check_realm(const char *text)
{
	if (text[0] == '\0' || strlen(text) > REALM_BYTES_MAX) {
		return "not 1 to 127 bytes long";
	}
	return strpbrk(text, "\"\\") != NULL ? "no quotes and backslashes belong here" : NULL;
}

/* It becomes part of the log's origin, a schema-less URL. */
static const char *
check_node(const char *text)
{
	const size_t length = strlen(text);

	if (length == 0 || length > NODE_BYTES_MAX ||
	    strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789.-") != length) {
		return "not 1 to 48 lower-case letters, digits, dots and dashes";
	}
	return NULL;
}

static const char *
check_origin(const char *text)
{
	const char *name = strstr(text, "://");

	if (name == NULL || name == text || name[3] == '\0' || strchr(name + 3, '/') != NULL) {
		return "no web origin: write https://HOST or https://HOST:PORT";
	}
	return NULL;
}

/* As it stands in a URL: a name, or an address. */
static const char *
check_turns_host(const char *text)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
	struct address ignored;

	if (text[0] == '\0' ||
	    (strlen(text) <= HOST_BYTES_MAX && strspn(text, letters) == strlen(text))) {
		return NULL;
	}
	return ip_fault(text, &ignored) == NULL ? NULL : "no host name and no address";
}

static const char *
check_alternate(const char *text)
{
	struct address ignored;

	return address_parse(&ignored, text);
}

static const char *
check_drain(const char *text)
{
	struct drain ignored;

	return drain_parse(text, &ignored);
}

static const char *
check_log_level(const char *text)
{
	static const char *const levels[] = { "error", "warning", "info", "debug" };

	for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
		if (strcmp(text, levels[i]) == 0) {
			return NULL;
		}
	}
	return "none of error, warning, info, debug";
}

static const char *
check_url(const char *text)
{
	const bool is_url = strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;

	return text[0] == '\0' || is_url ? NULL : "not a URL that begins with https:// or http://";
}

static const char *
check_not_empty(const char *text)
{
	return text[0] == '\0' ? "name a directory" : NULL;
}

static const struct {
	const char *key;
	const char *(*check)(const char *text);
} checks[] = {
	{ "data-dir", check_not_empty },
	{ "node", check_node },
	{ "host", check_host },
	{ "claims-host", check_ip },
	{ "witness-host", check_ip },
	{ "tsa-url", check_url },
	{ "allow-origin", check_origin },
	{ "listening-ip", check_ip },
	{ "relay-ip", check_concrete_ip },
	{ "external-ip", check_external },
	{ "realm", check_realm },
	{ "user", check_user },
	{ "retired-auth-secret", check_retired },
	{ "allowed-peer-ip", check_range },
	{ "denied-peer-ip", check_range },
	{ "tcp-proxy-from", check_range },
	{ "turns-host", check_turns_host },
	{ "alternate-domain", check_turns_host },
	{ "alternate-server", check_alternate },
	{ "drain", check_drain },
	{ "log-level", check_log_level },
};

const char *
setting_word_fault(const char *key, const char *text)
{
	for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
		if (strcmp(checks[i].key, key) == 0) {
			return checks[i].check(text);
		}
	}
	return NULL;
}
