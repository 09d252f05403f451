/* The listening sockets, opened by the supervisor so that a restarted actor finds them as they
 * were. */
#ifndef IFSWARM_ACTORS_SOCKETS_IO_H
#define IFSWARM_ACTORS_SOCKETS_IO_H

#include "protocol/settings.h"

struct sockets {
	int *udp; /* relay r (from 0) has udp[r * udp_each] to udp[r * udp_each + udp_each - 1] */
	size_t udp_each;
	int *alternate; /* as udp, the second port of RFC 5780, if it is served; else NULL */
	int *dtls;      /* likewise, if DTLS is served */
	int *turn_tcp;  /* likewise, if TCP is served */
	int *turn_tls;  /* likewise */
	int *proxied;   /* likewise, for clients behind a TCP proxy */
	int tcp;        /* all gateways accept from this one */
	int claims;     /* the intake's; -1 if no claims are taken */
	int cosigner;   /* the witness endpoint's; -1 if no log is witnessed */
};

/* Opens a UDP socket, and those of DTLS, TCP and TLS where they are served, for each relay and
 * listening-ip (one SO_REUSEPORT group for each address), and the listeners of the gateways, the
 * intake and the cosigner. A preset address that this host does not have is dropped from the
 * settings with a notice; so is the relaying of TCP by several relays where the kernel cannot bring
 * a client's connections to one of them. False if something is busy or missing: it was logged, with
 * what to do. All are non-blocking and close-on-exec; they live as long as the process. */
bool sockets_open(struct sockets *out, struct settings *settings, bool listening_is_preset);

#endif
