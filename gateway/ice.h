/* Where this server's STUN and TURN are, as a client is told at register. */
#ifndef IFSWARM_GATEWAY_ICE_H
#define IFSWARM_GATEWAY_ICE_H

#include "gateway/frame.h"
#include "protocol/settings.h"

/* Fills the hosts: external-ip where there is one, else listening-ip; for TLS turns-host in their
 * place, if it is set. For one that is no address a
 * client can reach (a wildcard) `local` stands in: where the client's connection arrived. */
void ice_hosts(struct ice *out, const struct settings *settings, const struct address *local);

#endif
