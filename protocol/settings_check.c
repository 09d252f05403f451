/* What is wrong between keys that are each right alone. */
#include "protocol/settings.h"

#include <assert.h>
#include <string.h>

#include "protocol/address.h"
#include "protocol/credential.h"

static bool
parse(const char *text, struct address *out)
{
	return address_parse(out, text) == NULL;
}

static bool
is_loopback(const struct address *address)
{
	static const uint8_t one[16] = { [15] = 1 };

	if (address->family == ADDRESS_IPV4) {
		return address->bytes[0] == 127;
	}
	return memcmp(address->bytes, one, sizeof one) == 0;
}

static bool
is_unspecified(const struct address *address)
{
	static const uint8_t zero[16];

	return memcmp(address->bytes, zero, sizeof zero) == 0;
}

/* One without the other. */
static void
check_pair(const char *cert_key, const struct setting_word *cert, const char *key_key,
	   const struct setting_word *key, struct setting_faults *faults)
{
	const bool has_key = cert->bytes[0] == '\0';

	if (has_key != (key->bytes[0] == '\0')) {
		setting_fault_add(faults, "%s: %s is set and %s is not: set both or none",
				  setting_source(faults, has_key ? key_key : cert_key),
				  has_key ? key_key : cert_key, has_key ? cert_key : key_key);
	}
}

static void
check_signaling(const struct settings *s, struct setting_faults *faults)
{
	struct address host;

	check_pair("tls-cert", &s->tls_cert, "tls-key", &s->tls_key, faults);
	if (parse(s->host.bytes, &host) && !is_loopback(&host) && !s->open_signaling) {
		setting_fault_add(
			faults,
			"%s: host %.64s is reachable from outside and anyone there could register: "
			"set host = 127.0.0.1, or open-signaling = yes if that is meant",
			setting_source(faults, "host"), s->host.bytes);
	}
}

bool
settings_serve_tls(const struct settings *settings)
{
	return settings->cert.bytes[0] != '\0' && !settings->no_tls;
}

bool
settings_serve_dtls(const struct settings *settings)
{
	return settings->cert.bytes[0] != '\0' && !settings->no_dtls;
}

bool
settings_use_certificate(const struct settings *settings)
{
	return settings_serve_tls(settings) || settings_serve_dtls(settings);
}

static void
check_tls(const struct settings *s, struct setting_faults *faults)
{
	const unsigned long long port = s->tls_listening_port;

	check_pair("cert", &s->cert, "pkey", &s->pkey, faults);
	if (s->tls_on_turn_tcp && (!s->turn_tcp || !settings_serve_tls(s))) {
		setting_fault_add(faults,
				  "%s: tls-on-turn-tcp needs TCP and TLS there: set turn-tcp, cert "
				  "and pkey, and not no-tls",
				  setting_source(faults, "tls-on-turn-tcp"));
	}
	if (s->turns_host.bytes[0] != '\0' && !settings_serve_tls(s)) {
		setting_fault_add(faults,
				  "%s: turns-host without TURN over TLS: set cert and pkey, or "
				  "remove it",
				  setting_source(faults, "turns-host"));
	}
	if (!settings_use_certificate(s)) {
		return;
	}
	if (port == s->listening_port) {
		setting_fault_add(faults,
				  "%s: tls-listening-port %llu is listening-port, too: choose "
				  "another, or set tls-on-turn-tcp",
				  setting_source(faults, "tls-listening-port"), port);
	} else if (port >= s->min_port && port <= s->max_port) {
		setting_fault_add(
			faults,
			"%s: tls-listening-port %llu lies among the relayed ports %llu to %llu: "
			"choose one outside of them",
			setting_source(faults, "tls-listening-port"), port,
			(unsigned long long)s->min_port, (unsigned long long)s->max_port);
	}
}

/* Whoever may speak there says who the client is: it must be named. */
static void
check_proxy(const struct settings *s, struct setting_faults *faults)
{
	const unsigned long long port = s->tcp_proxy_port;

	if ((port == 0) != (s->tcp_proxy_from.count == 0)) {
		setting_fault_add(
			faults, "%s: %s is set and %s is not: set both or none",
			setting_source(faults, port == 0 ? "tcp-proxy-from" : "tcp-proxy-port"),
			port == 0 ? "tcp-proxy-from" : "tcp-proxy-port",
			port == 0 ? "tcp-proxy-port" : "tcp-proxy-from");
	}
	if (port != 0 && ((s->turn_tcp && port == s->listening_port) ||
			  (settings_serve_tls(s) && port == s->tls_listening_port) ||
			  (port >= s->min_port && port <= s->max_port))) {
		setting_fault_add(faults,
				  "%s: tcp-proxy-port %llu is listening-port, tls-listening-port "
				  "or a relayed port, too: choose another",
				  setting_source(faults, "tcp-proxy-port"), port);
	}
}

static size_t
count_family(const struct setting_list *ips, uint8_t family)
{
	size_t count = 0;

	for (size_t i = 0; i < ips->count; i++) {
		struct address address;

		count += address_parse(&address, ips->items[i].bytes) == NULL &&
			 address.family == family;
	}
	return count;
}

/* RFC 5780 section 6: without a second address there is nothing to compare. */
static void
check_discovery(const struct settings *s, struct setting_faults *faults)
{
	const unsigned long long port = s->alt_listening_port;

	if (!s->rfc5780) {
		return;
	}
	if (count_family(&s->listening_ip, ADDRESS_IPV4) < 2 &&
	    count_family(&s->listening_ip, ADDRESS_IPV6) < 2) {
		setting_fault_add(
			faults,
			"%s: rfc5780 needs two addresses of one family: name them as listening-ip",
			setting_source(faults, "rfc5780"));
	}
	if (port == 0 || port > UINT16_MAX || port == s->listening_port ||
	    (settings_use_certificate(s) && port == s->tls_listening_port) ||
	    (port >= s->min_port && port <= s->max_port)) {
		setting_fault_add(faults,
				  "%s: alt-listening-port %llu is none, or listening-port, "
				  "tls-listening-port or a relayed port, "
				  "too: choose another",
				  setting_source(faults, "alt-listening-port"), port);
	}
}

static void
check_ports(const struct settings *s, struct setting_faults *faults)
{
	if (s->min_port > s->max_port) {
		setting_fault_add(faults, "%s: min-port %llu is above max-port %llu: swap them",
				  setting_source(faults, "min-port"),
				  (unsigned long long)s->min_port, (unsigned long long)s->max_port);
	} else if (s->listening_port >= s->min_port && s->listening_port <= s->max_port) {
		setting_fault_add(
			faults,
			"%s: listening-port %llu lies among the relayed ports %llu to %llu: "
			"choose one outside of them",
			setting_source(faults, "listening-port"),
			(unsigned long long)s->listening_port, (unsigned long long)s->min_port,
			(unsigned long long)s->max_port);
	}
	if (s->bps_capacity != 0 && (s->max_bps == 0 || s->max_bps > s->bps_capacity)) {
		setting_fault_add(
			faults,
			"%s: bps-capacity %llu is shared out in parts of max-bps, and that "
			"is %llu: set it, from 1 up to bps-capacity",
			setting_source(faults, "bps-capacity"), (unsigned long long)s->bps_capacity,
			(unsigned long long)s->max_bps);
	}
	if (s->total_quota != 0 && s->user_quota > s->total_quota) {
		setting_fault_add(faults, "%s: user-quota %llu is above total-quota %llu: lower it",
				  setting_source(faults, "user-quota"),
				  (unsigned long long)s->user_quota,
				  (unsigned long long)s->total_quota);
	}
}

static void
check_addresses(const struct settings *s, struct setting_faults *faults)
{
	struct address address;

	if (s->listening_ip.count == 0) {
		setting_fault_add(faults, "%s: listening-ip is empty: name at least one address",
				  setting_source(faults, "listening-ip"));
	}
	for (size_t i = 0; i < s->listening_ip.count && s->relay_ip.count == 0; i++) {
		if (parse(s->listening_ip.items[i].bytes, &address) && is_unspecified(&address)) {
			setting_fault_add(
				faults,
				"%s: listening-ip %.64s stands for every address: name the one "
				"that relayed sockets get, relay-ip = ADDRESS",
				setting_source(faults, "listening-ip"),
				s->listening_ip.items[i].bytes);
		}
	}
}

/* Without any user and secret, a secret is made at the first start: so there is always a way. */
static void
check_authentication(const struct settings *s, struct setting_faults *faults)
{
	if (s->no_auth && s->user.count + s->static_auth_secret.count != 0) {
		setting_fault_add(
			faults,
			"%s: no-auth opens TURN to anyone, and yet a user or secret is configured: "
			"remove one of both",
			setting_source(faults, "no-auth"));
	}
	if (s->static_auth_secret.count + s->retired_auth_secret.count > CREDENTIAL_SECRETS_MAX) {
		setting_fault_add(
			faults,
			"%s: more than %d secrets at once, retired ones included: remove the "
			"oldest, or set secret-overlap = 0",
			setting_source(faults, "static-auth-secret"), CREDENTIAL_SECRETS_MAX);
	}
}

static void
check_claims(const struct settings *s, struct setting_faults *faults)
{
	struct address host;

	if (s->claims_port != 0 && parse(s->claims_host.bytes, &host) && !is_loopback(&host) &&
	    s->claims_token.count == 0) {
		setting_fault_add(faults,
				  "%s: claims-host %.64s is reachable from outside and anyone "
				  "there could write claims: set claims-token, or claims-host = "
				  "127.0.0.1",
				  setting_source(faults, "claims-host"), s->claims_host.bytes);
	}
}

static void
check_anchors(const struct settings *s, struct setting_faults *faults)
{
	if (s->tsa_url.bytes[0] != '\0' && s->tsa_ca_file.bytes[0] == '\0') {
		setting_fault_add(
			faults,
			"%s: tsa-url without tsa-ca-file: a token that nobody can check is "
			"worth nothing: name the authority's certificates (PEM)",
			setting_source(faults, "tsa-url"));
	}
}

static void
check_retention(const struct settings *s, struct setting_faults *faults)
{
	if (s->retain_envelope_months > 0 && s->retain_payload_days == 0) {
		setting_fault_add(faults,
				  "%s: retain.envelope_months without retain.payload_days: entries "
				  "are pruned "
				  "only when their personal data is gone: set both or none",
				  setting_source(faults, "retain.envelope_months"));
	}
}

static void
check_denials(const struct settings *s, struct setting_faults *faults)
{
	for (size_t i = 0; i < faults->denial_count; i++) {
		const struct setting_denial *denial = &faults->denials[i];
		const struct setting_description *flag = settings_find(denial->flag);

		assert(flag != NULL && flag->kind == SETTING_FLAG);
		if (*(const bool *)((const char *)s + flag->offset)) {
			setting_fault_add(faults,
					  "%s: %s, and yet %s is on (%s): remove one of both",
					  denial->source, denial->key, denial->flag,
					  setting_source(faults, denial->flag));
		}
	}
}

void
settings_check(const struct settings *settings, struct setting_faults *faults)
{
	check_signaling(settings, faults);
	check_tls(settings, faults);
	check_proxy(settings, faults);
	check_discovery(settings, faults);
	check_ports(settings, faults);
	check_addresses(settings, faults);
	check_authentication(settings, faults);
	check_claims(settings, faults);
	check_anchors(settings, faults);
	check_retention(settings, faults);
	check_denials(settings, faults);
}
