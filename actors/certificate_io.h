/* What TURN over TLS shows to clients: the chain of `cert` and the key of `pkey`. The supervisor
 * reads both, since relays see no file; they get the two packed, through a memfd at their start and
 * in a RELOAD. */
#ifndef IFSWARM_ACTORS_CERTIFICATE_IO_H
#define IFSWARM_ACTORS_CERTIFICATE_IO_H

#include "protocol/settings.h"

enum {
	CERTIFICATE_FILE_MAX = 64 * 1024,
	CERTIFICATE_PACKED_MAX = 2 * CERTIFICATE_FILE_MAX + 16,
};

/* Both files as the msgpack array [chain, key], each as PEM; its length, 0 with "FILE: what is
 * wrong" if they cannot be read, are none, or do not belong together. Holds a secret. */
size_t certificate_read(const struct settings *settings, uint8_t out[CERTIFICATE_PACKED_MAX],
			char fault[SETTING_FAULT_MAX]);
/* The parts of a packed one, borrowed; false if it is none. */
bool certificate_parts(struct span packed, struct span *chain, struct span *key);

/* Adds the fault of certificate_read. Nothing where TLS is not served. */
void certificate_check(const struct settings *settings, struct setting_faults *faults);
/* Adds what clients will not believe although it can be served: a certificate that has expired or
 * is not valid yet, or does not name a host of the turns: URLs. No reason to serve nobody: calls
 * over UDP need none of it. */
void certificate_doubt(const struct settings *settings, struct setting_faults *faults);

#endif
