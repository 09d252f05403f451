/* Draining: a server that takes no new work, and where it sends those who come (RFC 8489 section
 * 10: Try Alternate). What is there goes on, and may be refreshed. */
#ifndef IFSWARM_PROTOCOL_DRAIN_H
#define IFSWARM_PROTOCOL_DRAIN_H

#include "protocol/settings.h"

enum { DRAIN_DOMAIN_BYTES = 256 };

struct drain {
	bool on;
	struct address to[2]; /* of IPv4 and of IPv6; port 0: that of the transport; ADDRESS_NONE */
	char domain[DRAIN_DOMAIN_BYTES]; /* what its certificate names; "" if that is not known */
};

/* The value of the key `drain`: "", "on", or where clients are sent: "IP[:PORT]", with a host name
 * behind it or not. NULL, or what is wrong. */
const char *drain_parse(const char *text, struct drain *out);
/* With alternate-server, where nothing else is named. The settings have been checked. */
void drain_of(struct drain *out, const struct settings *settings);
/* Where a client of that family is sent; false if nowhere. */
bool drain_alternate(const struct drain *drain, uint8_t family, bool is_secured,
		     struct address *out);

#endif
