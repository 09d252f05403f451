#include "gateway/body_io.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

bool
body_length(struct lws *wsi, uint64_t *out)
{
	char value[32];
	char *end = NULL;

	*out = 0;
	if (lws_hdr_copy(wsi, value, sizeof value, WSI_TOKEN_HTTP_CONTENT_LENGTH) <= 0) {
		return false;
	}
	*out = strtoull(value, &end, 10);
	return end != value && *end == '\0';
}

bool
body_begin(struct body *body, uint64_t length)
{
	assert(body->bytes == NULL);
	*body = (struct body){ .bytes = malloc(length + 1), .size = length };
	return body->bytes != NULL;
}

void
body_add(struct body *body, const void *bytes, size_t count)
{
	/* libwebsockets gives no more than Content-Length, for which there is room; of a body that
	 * is empty it gives NULL. */
	if (count > 0 && body->bytes != NULL && count <= body->size - body->used) {
		memcpy(body->bytes + body->used, bytes, count);
		body->used += count;
	}
}

struct span
body_read(const struct body *body)
{
	return (struct span){ body->bytes, body->used };
}

void
body_drop(struct body *body)
{
	free(body->bytes);
	*body = (struct body){ 0 };
}
