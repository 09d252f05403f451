/* A timestamp (RFC 3161) of something made here, by the authority that the cluster was started
 * with.
 *
 * A token differs each time it is asked for. So that the same export gives the same bytes, one is
 * kept for each digest: DATA/stamps/<SHA-256>.tsr. Whoever deletes it gets another, later one.
 */
#ifndef IFSWARM_REPLAY_STAMP_IO_H
#define IFSWARM_REPLAY_STAMP_IO_H

#include "replay/witnesses_io.h"

enum { STAMP_SAYS_MAX = 512 };

struct stamp {
	size_t count;
	uint8_t token[TIMESTAMP_RESPONSE_MAX];
	char says[STAMP_SAYS_MAX]; /* who and when, or why there is none */
};

/* `digest` is SHA-256 of the bytes. False: there is none, which is no reason to stop. */
bool stamp_get(struct stamp *out, const char *data_dir, const struct witnesses *witnesses,
	       struct span bytes, const struct digest *digest);

#endif
