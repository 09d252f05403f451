/* From settings to what a relay works with: credentials, peer policy, the IPs of relayed sockets.
 */
#ifndef IFSWARM_ACTORS_RELAY_CONFIG_H
#define IFSWARM_ACTORS_RELAY_CONFIG_H

#include "actors/relay.h"
#include "protocol/settings.h"

enum { RELAY_IPS_MAX = 64 };

/* An IP that relayed sockets are bound to, and how it is seen from outside (external-ip). Ports are
 * 0. */
struct relay_ip {
	struct address ip;
	struct address external;
};

struct relay_ips {
	size_t count;
	struct relay_ip items[RELAY_IPS_MAX];
	uint16_t port_min;
	uint16_t port_max;
	bool is_mapped; /* some are seen otherwise from outside */
};

/* Fills both from settings that settings_check has passed. `listeners` are the local addresses of
 * the listening sockets in the order of their numbers, `transports` what is spoken there. NULL, or
 * what is wrong and with which key; no secret is in it. */
const char *relay_config_read(struct relay_config *out, struct relay_ips *ips,
			      const struct settings *settings, uint64_t number,
			      const struct address *listeners,
			      const enum client_transport *transports, size_t listener_count,
			      const struct nonce_key *nonce_key,
			      const uint8_t seed[RELAY_SEED_BYTES]);

/* What is spoken at a listening socket of that local address. */
enum client_transport relay_transport_of(const struct settings *settings,
					 const struct address *listener, bool is_stream);

/* What a relay would find wrong with these settings, as far as it does not depend on its sockets;
 * NULL if nothing. */
const char *relay_config_fault(const struct settings *settings);

/* The place in `ips` of a relayed address as it is seen from outside; ips->count if it is none of
 * ours. */
size_t relay_ips_find(const struct relay_ips *ips, const struct address *relayed);
/* Where to bind for a client of the listener `local`: its own IP if it is one of ours, else the
 * first of the family; ips->count if there is none. */
size_t relay_ips_choose(const struct relay_ips *ips, const struct address *local, uint8_t family);

/* What is sent to an address of ours as it is seen from outside need not come back through the NAT
 * that gave it to us. Inward: where that is here, for relayed ports. Outward: how clients know who
 * sent from there. All other addresses stay as they are. */
void relay_ips_inward(const struct relay_ips *ips, struct address *peer);
void relay_ips_outward(const struct relay_ips *ips, struct address *peer);

#endif
