/* SHA-256 over pieces that lie apart, without any allocation. */
#ifndef IFSWARM_STORE_SHA256_H
#define IFSWARM_STORE_SHA256_H

#include "protocol/types.h"

/* The digest of the pieces one after another. */
void sha256_spans(const struct span *spans, size_t count, struct digest *out);
void sha256_span(struct span bytes, struct digest *out);

#endif
