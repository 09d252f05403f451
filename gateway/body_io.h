/* The body of an HTTP request, gathered into memory of the size that its Content-Length says. */
#ifndef IFSWARM_GATEWAY_BODY_IO_H
#define IFSWARM_GATEWAY_BODY_IO_H

#include <libwebsockets.h>

#include "protocol/types.h"

struct body {
	uint8_t *bytes; /* NULL: none is taken, what comes is passed over */
	size_t size;
	size_t used;
};

/* How long the body will be; false, and 0, if that is not said as a number. */
bool body_length(struct lws *wsi, uint64_t *out);
/* Room for that many bytes; false if there is no memory. What it held before was dropped. */
bool body_begin(struct body *body, uint64_t length);
void body_add(struct body *body, const void *bytes, size_t count);
struct span body_read(const struct body *body);
void body_drop(struct body *body);

#endif
