#include "actors/relay_config.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

size_t
relay_ips_find(const struct relay_ips *ips, const struct address *relayed)
{
	size_t at = 0;

	while (at < ips->count && !address_equal_ip(&ips->items[at].external, relayed)) {
		at++;
	}
	return at;
}

size_t
relay_ips_choose(const struct relay_ips *ips, const struct address *local, uint8_t family)
{
	size_t first = ips->count;

	for (size_t i = 0; i < ips->count; i++) {
		if (ips->items[i].ip.family != family) {
			continue;
		}
		if (address_equal_ip(&ips->items[i].ip, local)) {
			return i;
		}
		if (first == ips->count) {
			first = i;
		}
	}
	return first;
}

static bool
is_relayed_port(const struct relay_ips *ips, const struct address *address)
{
	return address->port >= ips->port_min && address->port <= ips->port_max;
}

static void
take_ip(struct address *address, const struct address *from)
{
	const uint16_t port = address->port;

	*address = *from;
	address->port = port;
}

void
relay_ips_inward(const struct relay_ips *ips, struct address *peer)
{
	if (!ips->is_mapped || !is_relayed_port(ips, peer)) {
		return;
	}
	const size_t at = relay_ips_find(ips, peer);
	if (at < ips->count) {
		take_ip(peer, &ips->items[at].ip);
	}
}

void
relay_ips_outward(const struct relay_ips *ips, struct address *peer)
{
	if (!ips->is_mapped || !is_relayed_port(ips, peer)) {
		return;
	}
	for (size_t i = 0; i < ips->count; i++) {
		if (address_equal_ip(&ips->items[i].ip, peer)) {
			take_ip(peer, &ips->items[i].external);
			return;
		}
	}
}

/* PUBLIC is for every IP of its family, PUBLIC/PRIVATE for that one. `out` changes if `local` is
 * meant, but for its port. */
static const char *
apply_external(struct address *out, const struct address *local, const char *text)
{
	char public_text[SETTING_BYTES_MAX];
	const char *slash = strchr(text, '/');
	struct address external;
	struct address private = { 0 };

	snprintf(public_text, sizeof public_text, "%.*s",
		 slash == NULL ? (int)sizeof public_text - 1 : (int)(slash - text), text);
	const char *fault = address_parse(&external, public_text);
	if (fault == NULL && slash != NULL) {
		fault = address_parse(&private, slash + 1);
	}
	if (fault == NULL && (slash == NULL ? local->family == external.family
					    : address_equal_ip(local, &private))) {
		take_ip(out, &external);
	}
	return fault;
}

/* `local` as it is seen from outside. */
static const char *
find_outside(struct address *out, const struct address *local, const struct setting_list *external)
{
	const char *fault = NULL;

	*out = *local;
	for (size_t i = 0; fault == NULL && i < external->count; i++) {
		fault = apply_external(out, local, external->items[i].bytes);
	}
	return fault;
}

static const char *
read_ips(struct relay_ips *ips, const struct settings *settings)
{
	const struct setting_list *list =
		settings->relay_ip.count > 0 ? &settings->relay_ip : &settings->listening_ip;
	const char *fault = NULL;

	memset(ips, 0, sizeof *ips);
	ips->port_min = (uint16_t)settings->min_port;
	ips->port_max = (uint16_t)settings->max_port;
	for (size_t i = 0; fault == NULL && i < list->count && i < RELAY_IPS_MAX; i++) {
		struct relay_ip *item = &ips->items[ips->count++];
		fault = address_parse(&item->ip, list->items[i].bytes);
		item->ip.port = 0;
		item->external = item->ip;
	}
	for (size_t i = 0; fault == NULL && i < ips->count; i++) {
		struct relay_ip *item = &ips->items[i];
		fault = find_outside(&item->external, &item->ip, &settings->external_ip);
	}
	for (size_t i = 0; i < ips->count; i++) {
		ips->is_mapped |= !address_equal_ip(&ips->items[i].ip, &ips->items[i].external);
	}
	return fault;
}

static const char *
add_own_port(struct peer_policy *policy, const char *ip, uint64_t port)
{
	struct address address;
	const char *fault =
		address_parse(&address, strcmp(ip, "localhost") == 0 ? "127.0.0.1" : ip);

	if (fault != NULL) {
		return fault;
	}
	address.port = (uint16_t)port;
	return peer_policy_add_listener(policy, &address) ? NULL : "too many addresses of our own";
}

static const char *
read_policy(struct peer_policy *policy, const struct settings *settings,
	    const struct relay_ips *ips, const struct address *listeners,
	    const enum client_transport *transports, size_t listener_count)
{
	const char *fault;

	peer_policy_init(policy, ips->port_min, ips->port_max);
	for (size_t i = 0; i < listener_count; i++) {
		/* TCP listens where UDP does, and TLS perhaps beside it. */
		if ((transports[i] == CLIENT_UDP ||
		     listeners[i].port == settings->tls_listening_port ||
		     listeners[i].port == settings->tcp_proxy_port) &&
		    !peer_policy_add_listener(policy, &listeners[i])) {
			return "listening-ip: too many addresses";
		}
	}
	fault = add_own_port(policy, settings->host.bytes, settings->port);
	if (fault == NULL && settings->claims_port != 0) {
		fault = add_own_port(policy, settings->claims_host.bytes, settings->claims_port);
	}
	if (fault == NULL && settings->witness_port != 0) {
		fault = add_own_port(policy, settings->witness_host.bytes, settings->witness_port);
	}
	for (size_t i = 0; fault == NULL && i < ips->count; i++) {
		const bool added = peer_policy_add_relayed(policy, &ips->items[i].ip) &&
				   peer_policy_add_relayed(policy, &ips->items[i].external);
		fault = added ? NULL : "relay-ip: too many addresses";
	}
	for (size_t i = 0; fault == NULL && i < settings->allowed_peer_ip.count; i++) {
		fault = peer_policy_add_allow(policy, settings->allowed_peer_ip.items[i].bytes);
	}
	for (size_t i = 0; fault == NULL && i < settings->denied_peer_ip.count; i++) {
		fault = peer_policy_add_deny(policy, settings->denied_peer_ip.items[i].bytes);
	}
	return fault;
}

static const char *
read_credentials(struct credentials *out, const struct settings *settings,
		 const struct nonce_key *nonce_key)
{
	struct integrity integrity;
	const char *fault =
		credentials_init(out, settings->realm.bytes, nonce_key, settings->stale_nonce);

	integrity_open(&integrity);
	for (size_t i = 0; fault == NULL && i < settings->user.count; i++) {
		fault = credentials_add_user(out, &integrity, settings->user.items[i].bytes);
	}
	for (size_t i = 0; fault == NULL && i < settings->static_auth_secret.count; i++) {
		fault = credentials_add_secret(out, settings->static_auth_secret.items[i].bytes);
	}
	for (size_t i = 0; fault == NULL && i < settings->retired_auth_secret.count; i++) {
		fault = credentials_add_retired(out, settings->retired_auth_secret.items[i].bytes);
	}
	integrity_close(&integrity);
	out->open = settings->no_auth;
	if (fault == NULL && !out->open && out->user_count == 0 && out->secret_count == 0) {
		return "no user and no static-auth-secret: nobody could use the relay";
	}
	return fault;
}

const char *
relay_config_read(struct relay_config *out, struct relay_ips *ips, const struct settings *settings,
		  uint64_t number, const struct address *listeners,
		  const enum client_transport *transports, size_t listener_count,
		  const struct nonce_key *nonce_key, const uint8_t seed[RELAY_SEED_BYTES])
{
	memset(out, 0, sizeof *out);
	if (listener_count == 0 || listener_count > RELAY_LISTENERS_MAX) {
		return "no listening socket, or too many of them";
	}
	const char *fault = read_ips(ips, settings);
	if (fault == NULL) {
		fault = read_policy(&out->policy, settings, ips, listeners, transports,
				    listener_count);
	}
	if (fault == NULL) {
		fault = read_credentials(&out->credentials, settings, nonce_key);
	}
	for (size_t i = 0; fault == NULL && i < listener_count; i++) {
		fault = find_outside(&out->outside[i], &listeners[i], &settings->external_ip);
	}
	for (size_t i = 0; i < ips->count; i++) {
		out->serves_ipv4 |= ips->items[i].ip.family == ADDRESS_IPV4;
		out->serves_ipv6 |= ips->items[i].ip.family == ADDRESS_IPV6;
	}
	/* A client's second connection must reach the relay of its first. With several relays its
	 * source decides (sockets_steer_io.h), which behind a proxy is everybody's. */
	out->serves_tcp = !settings->no_tcp_relay;
	out->scattered_port = settings->relays > 1 ? (uint16_t)settings->tcp_proxy_port : 0;
	out->number = number;
	out->listener_count = (uint32_t)listener_count;
	memcpy(out->listeners, listeners, listener_count * sizeof *listeners);
	memcpy(out->transports, transports, listener_count * sizeof *transports);
	out->usage_interval_s = settings->usage_interval;
	out->gather_us = settings->gather_us;
	drain_of(&out->drain, settings);
	out->strict_expiry = settings->strict_expiry;
	out->mobility = settings->mobility;
	out->discovery = settings->rfc5780;
	out->discovery_ports[0] = (uint16_t)settings->listening_port;
	out->discovery_ports[1] = (uint16_t)settings->alt_listening_port;
	out->no_software = settings->no_software_attribute;
	out->bytes_per_s = settings->max_bps;
	out->unauthenticated_rate = settings->unauthenticated_rate;
	out->limits = allocation_limits_of(0, 0, settings->max_allocate_lifetime, 0);
	out->limits.legacy_channels = settings->legacy_channels;
	memcpy(out->seed, seed, RELAY_SEED_BYTES);
	return fault;
}

enum client_transport
relay_transport_of(const struct settings *settings, const struct address *listener, bool is_stream)
{
	const bool is_tls_port = listener->port == settings->tls_listening_port;

	if (is_stream) {
		return is_tls_port && settings_serve_tls(settings) ? CLIENT_TLS : CLIENT_TCP;
	}
	return is_tls_port && settings_serve_dtls(settings) ? CLIENT_DTLS : CLIENT_UDP;
}

const char *
relay_config_fault(const struct settings *settings)
{
	static struct relay_config config;
	static struct relay_ips ips;
	const struct nonce_key key = { { 0 } };
	const struct address listener = { .family = ADDRESS_IPV4, .bytes = { 127, 0, 0, 1 } };
	const enum client_transport transport = CLIENT_UDP;
	const uint8_t seed[RELAY_SEED_BYTES] = { 0 };
	const char *fault =
		relay_config_read(&config, &ips, settings, 1, &listener, &transport, 1, &key, seed);

	explicit_bzero(&config, sizeof config);
	return fault;
}
